/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a load: a guest whose frames cost it next to nothing, so that what is measured is the
 * switch.
 *
 * All frames to send are built in guest memory before the start (the pool) and all receive buffers
 * are posted once.  Switches use chains in order, so entry i of either ring names descriptor i for
 * ever: to receive n frames, or to send n again, is to move one index by n.  Only a pool larger
 * than the ring costs more, the address of each frame in its descriptor.  What a switch returns is
 * believed but sampled: load_port_check() looks at one frame in every 64 reads of the ring.
 *
 * Event index is not negotiated: the flag that says whether to kick then shares a cache line with
 * the index that is read anyway, and a poller that reads it again and again needs no fence.
 */
#ifndef TESTS_SUPPORT_LOAD_PORT_H
#define TESTS_SUPPORT_LOAD_PORT_H

#include "tests/support/frontend.h"

#include <stdatomic.h>

#define LOAD_RING_ENTRIES 1024u
#define LOAD_RETURN_FRAMES 64u     /* receive buffers are given back this many at a time */
#define LOAD_CHECK_READS 64u       /* reads of the receive ring from one check to the next */

struct load_shape {
    uint32_t size_bytes;    /* of each frame, Ethernet header to payload, no FCS */
    uint32_t flows;         /* UDP flows, each with a source port and address of its own */
    uint32_t macs;          /* source addresses of each side, as many destinations */
};

/* A frame's payload begins with a word that tells ours from others, and its number in the pool. */
#define LOAD_PAYLOAD_MAGIC 0x76737769u
struct load_payload {
    uint32_t magic;
    uint32_t number;
};

struct load_port {
    struct guest_ring *rx;
    struct guest_ring *tx;
    uint16_t rx_seen;           /* used index of rx up to which frames are counted */
    uint16_t rx_available;      /* avail index of rx as published */
    uint16_t tx_published;      /* avail index of tx as published */
    bool rx_kick_due;           /* published, and the device has not been seen awake since */
    bool tx_kick_due;
    uint32_t reads;             /* of a receive ring that had something */
    uint64_t sent_frames;
    uint64_t received_frames;
    uint64_t checked_frames;
    uint64_t bad_frames;        /* of the checked */

    uint8_t *pool;
    uint64_t pool_gpa;
    uint32_t pool_frames;       /* a multiple of the ring size */
    uint32_t pool_next;
    uint32_t stride_bytes;
    struct load_shape shape;
    struct frontend f;
};

/** Writes frame @p number of the pool of @p side: any end of a load sends the same frames. */
void load_frame_write(uint8_t *frame, const struct load_shape *shape, uint32_t number,
                      unsigned side);
/** Reads what the payload of a frame of at least 60 bytes begins with. */
struct load_payload load_frame_payload(const uint8_t *frame);

/**
 * Connects to a switch and builds all frames.
 *
 * @param side  0 or 1: side 0 sends from its own addresses to those of side 1, and the reverse
 * @return 0 or -errno, with frontend_error(&port->f)
 */
int load_port_open(struct load_port *port, const char *socket_path, const struct load_shape *shape,
                   unsigned side);

/** Disconnects. */
void load_port_close(struct load_port *port);

/** Checks the frame that lies at index @p used of the receive ring; counts it. */
void load_port_check(struct load_port *port, uint16_t used);

/** The number, in its sender's pool, of the frame at index @p used of the receive ring. */
uint32_t load_port_number(const struct load_port *port, uint16_t used);

/**
 * Makes both sides' addresses known: each sends a frame from each of its own, slowly, while the
 * other receives.
 *
 * @return 0, or -ETIMEDOUT when no frame came through within @p timeout_ms
 */
int load_ports_announce(struct load_port port[2], int timeout_ms);

static inline uint16_t load_acquire(const uint16_t *field)
{
    return atomic_load_explicit((const _Atomic uint16_t *)field, memory_order_acquire);
}

static inline void load_release(uint16_t *field, uint16_t value)
{
    atomic_store_explicit((_Atomic uint16_t *)field, value, memory_order_release);
}

/* Kicks a device that sleeps.  It is asked again next turn, so a stale answer does no harm. */
static inline void load_kick(struct guest_ring *ring, bool *due)
{
    if (*due && (load_acquire(&ring->used->flags) & VRING_USED_F_NO_NOTIFY) == 0) {
        guest_ring_kick(ring);
        *due = false;
    }
}

/** Counts what came and gives the buffers back. @return frames */
static inline uint16_t load_port_receive(struct load_port *port)
{
    const uint16_t device = load_acquire(&port->rx->used->idx);
    const uint16_t frames = (uint16_t)(device - port->rx_seen);

    if (frames > 0) {
        port->rx_seen = device;
        port->received_frames += frames;
        if (++port->reads % LOAD_CHECK_READS == 0) {
            load_port_check(port, (uint16_t)(device - 1));
        }
        const uint16_t available = (uint16_t)(device + LOAD_RING_ENTRIES);

        if ((uint16_t)(available - port->rx_available) >= LOAD_RETURN_FRAMES) {
            port->rx_available = available;
            load_release(&port->rx->avail->idx, available);
            port->rx_kick_due = true;
        }
    }
    load_kick(port->rx, &port->rx_kick_due);
    return frames;
}

/** Sends up to @p most frames of the pool, or none while fewer than @p least fit. @return frames */
static inline uint16_t load_port_send(struct load_port *port, uint16_t least, uint16_t most)
{
    const uint16_t device = load_acquire(&port->tx->used->idx);
    const uint16_t room = (uint16_t)(LOAD_RING_ENTRIES - (uint16_t)(port->tx_published - device));
    const uint16_t frames = room < most ? room : most;

    if (frames >= least && frames > 0) {
        if (port->pool_frames > LOAD_RING_ENTRIES) {
            for (uint16_t i = 0; i < frames; i++) {
                const uint16_t entry = (uint16_t)(port->tx_published + i) % LOAD_RING_ENTRIES;

                port->tx->desc[entry].addr =
                    port->pool_gpa + (uint64_t)port->pool_next * port->stride_bytes;
                port->pool_next = port->pool_next + 1 < port->pool_frames ? port->pool_next + 1 : 0;
            }
        }
        port->tx_published = (uint16_t)(port->tx_published + frames);
        port->sent_frames += frames;
        load_release(&port->tx->avail->idx, port->tx_published);
        port->tx_kick_due = true;
    }
    load_kick(port->tx, &port->tx_kick_due);
    return frames >= least ? frames : 0;
}

#endif
