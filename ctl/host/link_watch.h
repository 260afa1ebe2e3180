/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hears from the kernel that something has changed about a network interface.
 *
 * It says of which, and no more: when events come thick, some are lost (netlink says that some
 * were), so whoever hears has to look at how the interface is now anyway.
 */
#ifndef CTL_LINK_WATCH_H
#define CTL_LINK_WATCH_H

#include "switch/error.h"

struct event_base;
struct link_watch;

/**
 * @param name  as it is called now; the interface may be gone already.  NULL, with an @p ifindex of
 *              0: events were lost, it may be any
 */
typedef void link_watch_fn(void *context, int ifindex, const char *name);

/** @return owned, or NULL with a sentence.  @p changed is called from the loop of @p base */
struct link_watch *link_watch_create(struct event_base *base, link_watch_fn *changed,
                                     void *context, struct error *error);
void link_watch_destroy(struct link_watch *watch);             /* NULL is fine */

#endif
