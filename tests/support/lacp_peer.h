/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other end of a team's links that speaks LACP: our own machines with raw sockets and a clock,
 * for tests of what traffic does.  That they speak as others do, tests with others say.
 */
#ifndef TESTS_SUPPORT_LACP_PEER_H
#define TESTS_SUPPORT_LACP_PEER_H

#include <stdbool.h>

#define LACP_PEER_LINKS 3u

struct lacp_peer;

/** Speaks on these interfaces, from a thread of its own.  @return owned; NULL */
struct lacp_peer *lacp_peer_start(const char *const interface[LACP_PEER_LINKS]);
void lacp_peer_stop(struct lacp_peer *peer);                   /* NULL is fine */
/** From now on it says nothing on link @p number, or speaks again; the carrier stays. */
void lacp_peer_mute(struct lacp_peer *peer, unsigned number, bool mute);
/** Whether it distributes on all of @p links, a bit each, and on no other. */
bool lacp_peer_distributes(struct lacp_peer *peer, unsigned links);

#endif
