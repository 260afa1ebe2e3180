/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a neighbour answers, as the kernel finds out.
 *
 * The question is the kernel's own address resolution, so it is asked with the addresses, the
 * timing and the filters that real traffic would meet, and what comes of it is of use to that.
 *
 * Standard: RFC 4861, 7.3 (states of a neighbour, which Linux uses for ARP too); rtnetlink(7).
 * Thread: control.
 */
#ifndef CTL_LINK_NEIGHBOUR_H
#define CTL_LINK_NEIGHBOUR_H

#include "ctl/host/link.h"
#include "ctl/host/link_layer3.h"

enum neighbour {
    NEIGHBOUR_SILENT,              /* nothing is known of it, or it does not answer */
    NEIGHBOUR_KNOWN,               /* it has answered at some time */
    NEIGHBOUR_ANSWERS              /* it has just answered, or needs not to be asked */
};

/** What the kernel knows of @p gateway as a neighbour on interface @p ifindex. */
enum neighbour link_neighbour(struct links *links, int ifindex,
                              const struct layer3_ip *gateway);

/** Makes the kernel ask it, unless it is doing that. */
void link_neighbour_ask(struct links *links, int ifindex, const struct layer3_ip *gateway);

#endif
