/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling a link's other stations that the host's addresses are behind another interface now.
 *
 * Without it they would go on sending to the interface of before until they ask anew, which takes
 * half a minute with most and hours with some routers; and so would switches on the way.
 *
 * Standard: RFC 5227, 2.3 (announcing by ARP), RFC 4861, 7.2.6 (unsolicited advertisements).
 * Thread: control.
 */
#ifndef CTL_LINK_ANNOUNCE_H
#define CTL_LINK_ANNOUNCE_H

#include "ctl/host/link.h"
#include "ctl/host/link_layer3.h"

/** Announces the addresses of @p layer3 on interface @p ifindex once each. */
void link_announce(struct links *links, int ifindex, const struct layer3 *layer3);

/**
 * Announces the global addresses that interface @p name has now, once each.  One that is not there,
 * or that has none, announces nothing.
 */
void link_announce_own(struct links *links, const char *name);

#endif
