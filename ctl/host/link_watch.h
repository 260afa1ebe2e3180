/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hears from the kernel that something has changed about a network interface.
 *
 * It says of which, and whether frames can flow: when events come thick, some are lost (netlink
 * says that some were), so whoever needs to know for sure has to look at how the interface is now.
 */
#ifndef CTL_LINK_WATCH_H
#define CTL_LINK_WATCH_H

#include <stdbool.h>

#include "switch/error.h"

struct event_base;
struct link_watch;

/* What was heard. */
struct link_change {
    int ifindex;                   /* 0: events were lost, it may be any */
    const char *name;              /* as it is called now; NULL when any may have changed */
    bool flows;                    /* it is there, up, and has a carrier */
};

typedef void link_watch_fn(void *context, const struct link_change *change);

/** @return owned, or NULL with a sentence.  @p changed is called from the loop of @p base */
struct link_watch *link_watch_create(struct event_base *base, link_watch_fn *changed,
                                     void *context, struct error *error);
void link_watch_destroy(struct link_watch *watch);             /* NULL is fine */

#endif
