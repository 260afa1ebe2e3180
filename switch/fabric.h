/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers read: the model compiled into flat arrays that never change once published.
 *
 * The control thread compiles a whole fabric for every change and publishes it by one pointer; a
 * worker loads that pointer once a turn.  So a worker sees a change entirely or not at all, and
 * nothing in here needs a lock.  Ports are numbered across all switches; a number is used again
 * only after a grace period and after its table entries are gone.
 *
 * The endpoint of a port (its vNIC, later a NIC or a team) is an opaque pointer to this layer.
 */
#ifndef SWITCH_FABRIC_H
#define SWITCH_FABRIC_H

#include <stdint.h>

#include "switch/mac_table.h"

#define FABRIC_MAX_PORTS     1280u     /* vNICs, 32 uplinks, host vNICs, and room to spare */
#define FABRIC_MAX_SWITCHES  256u

/* What an untagged frame has beyond the MTU; a tag comes on top, and egress sees which have one. */
#define FABRIC_FRAME_OVERHEAD_BYTES 14u

enum fabric_port_kind { FABRIC_PORT_UNUSED, FABRIC_PORT_VNIC };

struct fabric_port {
    void *endpoint;                /* what delivers: borrowed, lives until after the grace period */
    uint32_t max_frame_bytes;      /* the longest untagged frame that leaves by it */
    uint16_t switch_index;
    uint16_t kind;                 /* enum fabric_port_kind */
};

struct fabric_switch {
    struct mac_table *table;       /* borrowed; shared by successive fabrics */
    const uint16_t *member;        /* its ports, the flood list, into fabric->member[] */
    uint32_t member_count;
    uint32_t id;                   /* the model's */
};

/* Which worker polls a queue pair.  A queue has one worker or none. */
struct fabric_queue {
    uint16_t port;
    uint16_t pair;
    uint16_t worker;
    uint16_t reserved;
};

struct fabric {
    uint32_t generation;
    uint32_t switch_count;
    uint32_t queue_count;
    struct fabric_switch *switches;
    struct fabric_queue *queues;   /* ordered by worker */
    uint16_t *member;
    void *watch;                   /* captures, opaque here and borrowed; NULL: nobody looks */
    struct fabric_port port[FABRIC_MAX_PORTS];   /* by port number */
};

struct vswitch_model;

/* What exists at run time for what the model names; entries not needed may be NULL. */
struct fabric_binding {
    struct mac_table *const *table;    /* by switch id, FABRIC_MAX_SWITCHES */
    void *const *endpoint;             /* by port number, FABRIC_MAX_PORTS */
    uint32_t worker_count;             /* at least 1 */
};

/**
 * Compiles a valid model.  Queue pairs are spread over the workers round robin by port number and
 * pair, so that an unchanged model gives an unchanged spread.
 *
 * @return owned, for fabric_destroy(); NULL when memory is short
 * Thread: control.
 */
struct fabric *fabric_compile(const struct vswitch_model *model,
                              const struct fabric_binding *binding, uint32_t generation);
void fabric_destroy(struct fabric *fabric);                    /* NULL is fine; no reader left */

#endif
