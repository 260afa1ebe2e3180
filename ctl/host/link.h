/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's network interfaces as the daemon reads and changes them: rtnetlink by libnl, and the
 * few things that only ethtool's ioctl has.
 *
 * Each call asks the kernel anew and keeps nothing: what an interface is now is the kernel's to
 * say, and another program may have changed it since the last call.  All answers are the network
 * namespace's that the daemon runs in.  Every refusal of the kernel becomes a sentence that names
 * the interface, what was wanted and what can be done.
 *
 * Thread: control, for everything here.  Blocks for the kernel's answer, which is short.
 */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"

#define LINK_NAME_SIZE 16u         /* IFNAMSIZ */
#define LINK_IPV6_MTU_MIN_BYTES 1280u   /* RFC 8200, 5 */

struct links;                      /* a netlink socket for requests */

/* What an interface is. */
struct link {
    int ifindex;
    char name[LINK_NAME_SIZE];
    char kind[16];                 /* "veth", "bridge", "tun"; "" for hardware */
    char driver[32];               /* as ethtool says; "" when it does not */
    char master[LINK_NAME_SIZE];   /* of what it is a port: a bridge, a bond; "" none */
    bool hardware;                 /* a device of a bus stands behind it */
    bool up;                       /* IFF_UP: wanted */
    bool carrier;                  /* IFF_LOWER_UP: there */
    bool loopback;
    bool promiscuous;              /* IFF_PROMISC as somebody set it; not by memberships */
    bool xdp;                      /* an XDP program is on it */
    uint32_t carrier_losses;       /* since the interface was made */
    uint32_t mtu_bytes;
    uint32_t min_mtu_bytes;
    uint32_t max_mtu_bytes;        /* 0: the driver does not say */
    uint32_t speed_mbps;           /* 0: unknown */
    uint64_t mac;
    uint16_t queues;               /* receive queues */
};

/** @return owned; NULL with a sentence */
struct links *links_open(struct error *error);
void links_close(struct links *links);                         /* NULL is fine */

/** @return 0; -ENODEV with a sentence when there is none of that name; or what the kernel said */
int link_find(struct links *links, const char *name, struct link *link, struct error *error);
/** The same by index, for an interface that may have been renamed. */
int link_find_index(struct links *links, int ifindex, struct link *link, struct error *error);

int link_set_mtu(struct links *links, const char *name, uint32_t mtu_bytes, struct error *error);
int link_set_up(struct links *links, const char *name, bool up, struct error *error);
int link_set_promiscuous(struct links *links, const char *name, bool on, struct error *error);
int link_set_mac(struct links *links, const char *name, uint64_t mac, struct error *error);

/** Takes off whatever XDP program is on it.  @return 0, also when there is none */
int link_drop_xdp(struct links *links, const char *name, struct error *error);

/* Settings of ethtool's that an uplink may need otherwise than they are. */
enum link_offload { LINK_LRO, LINK_RX_VLAN, LINK_OFFLOAD_COUNT };

/** @return 0 with @p on filled, false where the interface cannot; -EOPNOTSUPP, without a sentence,
 *          when it cannot be asked */
int link_get_offload(struct links *links, const char *name, enum link_offload which, bool *on);
int link_set_offload(struct links *links, const char *name, enum link_offload which, bool on,
                     struct error *error);

/* ---- addresses, and the route out ------------------------------------------------------------ */

struct link_address {
    char text[50];                 /* "192.0.2.1/24", "2001:db8::1/64" */
    char broadcast[16];            /* of an IPv4 address; "": none */
    uint8_t scope;                 /* RT_SCOPE_ */
    uint32_t flags;                /* IFA_F_: those that say how it is used, as NOPREFIXROUTE */
    uint32_t metric;               /* of the route it brings; 0: the kernel's choice */
    uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

/** Global addresses of an interface, v4 and v6; link-local ones are the kernel's own.
 *  @param out  returned owned, for free() */
int link_addresses(struct links *links, const char *name, struct link_address **out, size_t *count,
                   struct error *error);
/** @return 0, also when it is there already */
int link_add_address(struct links *links, const char *name, const struct link_address *address,
                     struct error *error);
/** @return 0, also when it is not there */
int link_remove_address(struct links *links, const char *name, const struct link_address *address,
                        struct error *error);
/**
 * Whether @p link can have @p mtu_bytes and keep its addresses: below LINK_IPV6_MTU_MIN_BYTES the
 * kernel removes those of IPv6, and does not give them back.
 * @return 0; -EBUSY with a sentence that names one; or what the kernel said
 */
int link_check_mtu_keeps(struct links *links, const struct link *link, uint32_t mtu_bytes,
                         struct error *error);
/** Reads "192.0.2.1/24": of global scope and for ever.  @return 0 or -EINVAL with a sentence */
int link_parse_address(const char *text, struct link_address *address, struct error *error);

/** The interface of the host's default route (v4, then v6; the lowest metric); "" without one. */
int link_default_route(struct links *links, char name[LINK_NAME_SIZE], struct error *error);

#endif
