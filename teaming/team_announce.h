/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said for a station whose member has changed, so that the network finds it there.
 *
 * A reverse ARP request, as after the migration of a VM: it asks nobody to answer, needs no address
 * of IP, and every bridge on its way learns from its source.  Where addresses of IP are known, and
 * that are the host's own, the host announces them besides: see ctl/host/link_announce.h.
 *
 * Standard: RFC 903.
 */
#ifndef TEAMING_TEAM_ANNOUNCE_H
#define TEAMING_TEAM_ANNOUNCE_H

#include <stdint.h>

#define TEAM_ANNOUNCE_BYTES_MAX 64u
#define TEAM_ANNOUNCE_ROUNDS    5u         /* the first at once, the others as below */
#define TEAM_ANNOUNCE_FIRST_MS  50u
#define TEAM_ANNOUNCE_STEP_MS   100u

/**
 * Writes a whole frame from @p mac.
 * @param tci  its tag, whose VLAN is 0: none
 * @return its bytes
 */
uint32_t team_announce_write(uint64_t mac, uint16_t tci, uint8_t frame[TEAM_ANNOUNCE_BYTES_MAX]);

/** When round @p round, from 1 on, is due after the first; in ms. */
static inline uint32_t team_announce_due_ms(unsigned round)
{
    return TEAM_ANNOUNCE_FIRST_MS + (round - 1) * TEAM_ANNOUNCE_STEP_MS;
}

#endif
