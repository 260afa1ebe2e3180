/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring between one worker and a capture's thread: whole records, one writer, one reader.
 *
 * A record is never split: one that would reach past the end leaves a mark there and starts at the
 * front, so that a frame is gathered straight into the ring and read straight out of it.  The
 * writer publishes once a batch, and never waits: what does not fit is the writer's to count.
 *
 * head and tail count bytes since the beginning (64 bits do not wrap in practice), so full and
 * empty need no spare slot.  Each side keeps a copy of the other's, and looks at the real one, a
 * cache line that travels, only when the copy does not suffice.
 */
#ifndef DATAPLANE_CAPTURE_RING_H
#define DATAPLANE_CAPTURE_RING_H

#include <stdatomic.h>
#include <stdint.h>

/* What stands in the ring before the bytes of a frame. */
struct capture_record {
    uint64_t tsc;
    uint32_t size_bytes;           /* to the next record */
    uint32_t original_bytes;
    uint32_t captured_bytes;       /* at data */
    uint16_t port;
    uint8_t direction;             /* enum capture_direction */
    uint8_t verdict;               /* VNIC_DELIVERED or an enum drop_reason */
    uint8_t data[];
};

struct capture_ring {
    /* ---- written at init ---- */
    uint8_t *data;
    uint64_t size_bytes;           /* a power of two */
    /* ---- written by the writer ---- */
    _Atomic uint64_t head_published __attribute__((aligned(64)));
    uint64_t head;                 /* where the next record starts, published or not */
    uint64_t tail_seen;
    /* ---- written by the reader ---- */
    _Atomic uint64_t tail_published __attribute__((aligned(64)));
    uint64_t tail;                 /* where the next record to read starts */
    uint64_t head_seen;
};

/**
 * Takes the memory of a ring, all of it present, so that no worker meets a page fault in it.
 *
 * @param size_bytes  a power of two, a multiple of the page size
 * @return 0 or -ENOMEM
 * Thread: control.
 */
int capture_ring_init(struct capture_ring *ring, uint32_t size_bytes);
void capture_ring_free(struct capture_ring *ring);     /* one that was zeroed or freed is fine */

/**
 * Makes room for a record and its @p captured_bytes, which must be less than half the ring.
 *
 * @return where to write it, with size_bytes and captured_bytes set; NULL when it does not fit now
 * Thread: the writer.  Does not block.
 */
struct capture_record *capture_ring_reserve(struct capture_ring *ring, uint32_t captured_bytes);
/** Publishes all records since the last call.  Thread: the writer. */
void capture_ring_publish(struct capture_ring *ring);

/**
 * @return the oldest record, to read until capture_ring_next(); NULL when there is none
 * Thread: the reader.
 */
const struct capture_record *capture_ring_peek(struct capture_ring *ring);
/** Lets go of the record that capture_ring_peek() returned.  Thread: the reader. */
void capture_ring_next(struct capture_ring *ring);

#endif
