/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host has configured on an interface, addresses and routes, to be put on another one and
 * back with nothing lost.
 *
 * Each is kept as the kernel's own message of it, because that is the only form in which nothing
 * can be forgotten: a label, a peer, the metrics of a route, an encapsulation.  Only what cannot be
 * said to the kernel again (counters, states) is left out when it is said.
 *
 * Not read are what the kernel makes itself, of every interface anew: link-local IPv6 addresses
 * and their routes, the local table.
 *
 * Standard: rtnetlink(7), linux/if_addr.h, linux/rtnetlink.h.
 * Thread: control, for everything here.
 */
#ifndef CTL_LINK_LAYER3_H
#define CTL_LINK_LAYER3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/host/link.h"
#include "switch/error.h"

#define LAYER3_TEXT_SIZE      160u
#define LAYER3_ITEM_MAX_BYTES 32768u   /* of a message; the kernel's own are no longer */

struct nlmsghdr;

/* An address or a route. */
struct layer3_item {
    struct nlmsghdr *message;      /* owned */
    bool is_route;
    char text[LAYER3_TEXT_SIZE];   /* "192.0.2.1/24", "default via 192.0.2.254 metric 100" */
};

/* Those of one interface, in the order in which they are to be put. */
struct layer3 {
    int ifindex;                   /* the interface they are said of */
    uint64_t noted_s;              /* layer3_now_s() when they were read: lifetimes count from it */
    struct layer3_item *item;      /* owned */
    size_t count;
};

/* An address by itself. */
struct layer3_ip {
    uint8_t family;                /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
};

/** Seconds since the host was started. */
uint64_t layer3_now_s(void);

/**
 * Reads what interface @p ifindex has.
 *
 * @param name  of the interface, for sentences
 * @return 0 with @p layer3 filled, for layer3_free(); or a negative errno, a sentence and nothing:
 *         -EOPNOTSUPP for a route that uses a nexthop object, which is not a route's own
 */
int layer3_read(struct links *links, int ifindex, const char *name, struct layer3 *layer3,
                struct error *error);
void layer3_free(struct layer3 *layer3);

/**
 * Adds what a message says, copied: for whoever kept messages elsewhere.
 * @return 0; -ENOMEM; -EINVAL when it is not an address or a route of layer3->ifindex that is kept;
 *         -EOPNOTSUPP as above
 */
int layer3_add(struct layer3 *layer3, const void *message, size_t len_bytes);

enum layer3_care {
    LAYER3_ALL_OR_STOP,            /* the first refusal ends it */
    LAYER3_ALL_THAT_CAN_BE         /* what is refused is passed over */
};

/**
 * Puts everything on interface @p to that interface @p from has, and removes it there.  What is
 * there already, and what is gone already, is as it should be; what has expired since is left out.
 *
 * @param from  an interface's number; 0: it is gone
 * @return 0; or a negative errno with a clause that names the first item that was refused: the way
 *         back is to carry it the other way
 */
int layer3_carry(struct links *links, const struct layer3 *layer3, int from, int to,
                 enum layer3_care care, struct error *error);

/** The host's own address that an item is; false for a route. */
bool layer3_address(const struct layer3_item *item, struct layer3_ip *own);

/** The different gateways of the routes, at most @p max.  @return how many */
size_t layer3_gateways(const struct layer3 *layer3, struct layer3_ip *gateway, size_t max);

#endif
