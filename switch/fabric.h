/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers read: the model compiled into flat arrays that never change once published.
 *
 * The control thread compiles a whole fabric for every change and publishes it by one pointer; a
 * worker loads that pointer once a turn.  So a worker sees a change entirely or not at all, and
 * nothing in here needs a lock.  Ports are numbered across all switches; a number is used again
 * only after a grace period and after its table entries are gone.
 *
 * The endpoint of a port (its vNIC, its interface) is an opaque pointer to this layer.
 *
 * Whom a flood reaches is compiled for every VLAN, so that a frame's cost depends on the ports that
 * get it and on nothing else.
 */
#ifndef SWITCH_FABRIC_H
#define SWITCH_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/mac_table.h"
#include "switch/team_mode.h"
#include "switch/vlan.h"

#define FABRIC_MAX_PORTS     2048u     /* vNICs, uplinks, members, host vNICs, and room */
#define FABRIC_MAX_SWITCHES  256u

/* What an untagged frame has beyond the MTU; a tag comes on top, and egress sees which have one. */
#define FABRIC_FRAME_OVERHEAD_BYTES 14u

/* By what code a port is served.  ABSENT: its interface is gone or has no carrier. */
enum fabric_port_kind {
    FABRIC_PORT_UNUSED,
    FABRIC_PORT_ABSENT,
    FABRIC_PORT_VNIC,              /* struct vnic: a guest */
    FABRIC_PORT_HOST,              /* struct host_port: the host's adapter, a tap device */
    FABRIC_PORT_PACKET,            /* struct packet_port: a kernel interface */
    FABRIC_PORT_NIC,               /* struct nic: an ethdev of DPDK's */
    FABRIC_PORT_TEAM               /* struct team_port: several of the two above */
};

/* Flags of a port. */
#define FABRIC_PORT_TAGS    0x01u  /* frames of its other VLANs carry a tag, both ways */
#define FABRIC_PORT_LOCKED  0x02u  /* sends from its own addresses only, takes no unknown unicast */
#define FABRIC_PORT_TRUSTED 0x04u  /* the priority of its frames is kept */
#define FABRIC_PORT_OUTSIDE 0x08u  /* an uplink: reserved group addresses stop here */
#define FABRIC_PORT_DHCP_GUARD   0x10u   /* sends nothing that a DHCP server sends: see guard.h */
#define FABRIC_PORT_ROUTER_GUARD 0x20u   /* nor router advertisements and redirects */
#define FABRIC_PORT_COALESCE 0x40u /* what comes from it is coalesced: see coalesce.h */
#define FABRIC_PORT_MEMBER   0x80u /* of a team: no port of a switch; its frames are the team's */

#define FABRIC_NO_SWITCH     0xffffu   /* switch_index of a member */

struct fabric_team {
    void *at;                      /* struct team_port: borrowed, as an endpoint is */
    uint16_t port;                 /* the team's; PORT_NONE: it is no switch's uplink */
    uint16_t member[TEAM_MEMBERS_MAX];   /* their ports; PORT_NONE: none */
    bool reflects;                 /* what the switch sends by one member may come by another */
};

struct fabric_port {
    void *endpoint;                /* what delivers: borrowed, lives until after the grace period */
    const struct vlan_set *others; /* VLANs it receives besides vlan_out; NULL: none */
    const struct fabric_team *team;   /* of a team's port and of a member; else NULL */
    const uint64_t *allowed_mac;   /* addresses besides mac that a locked port may send from */
    uint64_t mac;                  /* its own; 0 for an uplink */
    uint32_t max_frame_bytes;      /* the longest untagged frame that leaves by it */
    uint16_t switch_index;
    uint16_t vlan_in;              /* of what it sends untagged: see vlan.h */
    uint16_t vlan_out;             /* received, without a tag */
    uint16_t fid_in;               /* filtering id of vlan_in */
    uint8_t kind;                  /* enum fabric_port_kind */
    uint8_t flags;
    uint8_t allowed_mac_count;
    uint8_t member;                /* of a member, its number in the team */
};

/** Whether @p port receives frames of @p vid. */
static inline bool fabric_port_receives(const struct fabric_port *port, uint16_t vid)
{
    return vid == port->vlan_out || (port->others != NULL && vlan_set_has(port->others, vid));
}

/* Who receives a flooded frame of a VLAN, the sender among them when it receives its own VLAN. */
struct fabric_flood {
    const uint16_t *member;        /* ports that take unknown unicast first, then the locked ones */
    uint32_t unknown_count;        /* how many take unknown unicast */
    uint32_t count;                /* all: for group addresses */
};

struct fabric_switch {
    struct mac_table *table;       /* borrowed; shared by successive fabrics */
    const struct fabric_flood *flood;
    const uint16_t *flood_of;      /* by VID, into flood[]; NULL: all are in flood[0] */
    const uint16_t *fid;           /* by VID; NULL: a VLAN is its own filtering id */
    uint32_t id;                   /* the model's */
    uint16_t member_count;         /* its ports */
    bool outside;                  /* it has an uplink */
    bool wildcard;                 /* its table has addresses of MAC_TABLE_ANY_VLAN */
};

static inline const struct fabric_flood *fabric_flood(const struct fabric_switch *on, uint16_t vid)
{
    return &on->flood[on->flood_of == NULL ? 0 : on->flood_of[vid]];
}

/** How many of its members, from the first on, get a frame with a group address or another one. */
static inline uint32_t fabric_flood_reach(const struct fabric_flood *flood, bool is_group)
{
    return is_group ? flood->count : flood->unknown_count;
}

/** Whether @p port is one of them, for the flood of @p vid on its switch. */
static inline bool fabric_port_in_flood(const struct fabric_port *port, uint16_t vid, bool is_group)
{
    return (is_group || (port->flags & FABRIC_PORT_LOCKED) == 0) && fabric_port_receives(port, vid);
}

/** To how many ports a frame of @p vid that came from @p in is flooded: never back to that one. */
static inline uint32_t fabric_flood_copies(const struct fabric_switch *on,
                                           const struct fabric_port *in, uint16_t vid,
                                           bool is_group)
{
    return fabric_flood_reach(fabric_flood(on, vid), is_group) -
           fabric_port_in_flood(in, vid, is_group);
}

/* Which worker polls a queue pair.  A queue has one worker, or FABRIC_NO_WORKER. */
#define FABRIC_NO_WORKER 0xffffu
struct fabric_queue {
    uint16_t port;
    uint16_t pair;
    uint16_t worker;
    uint16_t reserved;
};

struct fabric_block;

struct fabric {
    uint32_t generation;
    uint32_t switch_count;
    uint32_t queue_count;
    struct fabric_switch *switches;
    struct fabric_queue *queues;   /* ordered by worker */
    uint64_t *load;                /* by queue: frames and bytes taken (see spread.h) since it was
                                      published; its worker adds, control reads */
    struct fabric_block *blocks;   /* the memory of all that is pointed to */
    void *watch;                   /* captures, opaque here and borrowed; NULL: nobody looks */
    struct fabric_port port[FABRIC_MAX_PORTS];   /* by port number */
};

struct vswitch_model;

/* What stands behind a port at run time. */
struct fabric_endpoint {
    void *at;
    enum fabric_port_kind kind;
    uint16_t queues;               /* that workers poll */
};

/*
 * Which worker polls what, where somebody has decided it.  By port and pair: 0, nobody has, and it
 * is as fabric_compile() says; FABRIC_OWNED_BY_NONE; else the worker's number and one.
 */
#define FABRIC_PAIRS_MAX     16u
#define FABRIC_OWNED_BY_NONE 0xffu
struct fabric_owners {
    uint8_t owner[FABRIC_MAX_PORTS][FABRIC_PAIRS_MAX];
};

/* What exists at run time for what the model names; NULL pointers are for tests. */
struct fabric_binding {
    struct mac_table *const *table;              /* by switch id, FABRIC_MAX_SWITCHES */
    void *const *team;                           /* struct team_port by team id; NULL: none */
    const struct fabric_endpoint *endpoint;      /* by port number, FABRIC_MAX_PORTS; one of no kind
                                                    is absent; when NULL: as many queues as the
                                                    model says, and kinds VNIC, HOST and PACKET
                                                    without anything behind */
    const struct fabric_owners *owners;          /* NULL: nobody has decided anything */
    uint32_t worker_count;                       /* at least 1 */
};

/**
 * Compiles a valid model.  The queue pairs of ports that are not absent are spread over the workers
 * round robin by port number and pair, where binding->owners says nothing else: so an unchanged
 * model gives an unchanged spread.
 *
 * @return owned, for fabric_destroy(); NULL when memory is short
 * Thread: control.
 */
struct fabric *fabric_compile(const struct vswitch_model *model,
                              const struct fabric_binding *binding, uint32_t generation);
void fabric_destroy(struct fabric *fabric);                    /* NULL is fine; no reader left */

#endif
