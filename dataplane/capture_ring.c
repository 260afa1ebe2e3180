/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of capture records: bytes, head and tail, and two pairs of release and acquire.
 *
 * Pair 1: the writer releases head_published after the bytes of its records; the reader acquires it
 * before it reads them.  Pair 2: the reader releases tail_published after it has read a record; the
 * writer acquires it before it overwrites.
 *
 * Records start at multiples of RECORD_ALIGN, in which the head of a record fits: so where the ring
 * has any room before its end, it has room for the mark that says that the rest is skipped.
 */
#include "dataplane/capture_ring.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define RECORD_ALIGN  32u
#define SKIP          UINT32_MAX   /* captured_bytes of a mark: nothing more up to the end */


static_assert(sizeof(struct capture_record) <= RECORD_ALIGN, "a mark fits where a record starts");

int capture_ring_init(struct capture_ring *ring, uint32_t size_bytes)
{
    void *data = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    assert((size_bytes & (size_bytes - 1)) == 0);
    if (data == MAP_FAILED) {
        return -ENOMEM;
    }
    *ring = (struct capture_ring){ .data = data, .size_bytes = size_bytes };
    return 0;
}

void capture_ring_free(struct capture_ring *ring)
{
    if (ring->data != NULL) {
        munmap(ring->data, ring->size_bytes);
    }
    ring->data = NULL;
}

static struct capture_record *record_at(const struct capture_ring *ring, uint64_t position)
{
    return (struct capture_record *)(ring->data + (position & (ring->size_bytes - 1)));
}

struct capture_record *capture_ring_reserve(struct capture_ring *ring, uint32_t captured_bytes)
{
    const uint64_t need = (sizeof(struct capture_record) + captured_bytes + RECORD_ALIGN - 1) &
                          ~(uint64_t)(RECORD_ALIGN - 1);
    const uint64_t to_end = ring->size_bytes - (ring->head & (ring->size_bytes - 1));
    const uint64_t skip = need > to_end ? to_end : 0;
    struct capture_record *record;

    if (skip + need > ring->size_bytes - (ring->head - ring->tail_seen)) {
        /* Pair 2: the reader is done with what lies before the tail. */
        ring->tail_seen = atomic_load_explicit(&ring->tail_published, memory_order_acquire);
        if (skip + need > ring->size_bytes - (ring->head - ring->tail_seen)) {
            return NULL;
        }
    }
    if (skip > 0) {
        record = record_at(ring, ring->head);
        record->size_bytes = (uint32_t)skip;
        record->captured_bytes = SKIP;
        ring->head += skip;
    }
    record = record_at(ring, ring->head);
    record->size_bytes = (uint32_t)need;
    record->captured_bytes = captured_bytes;
    ring->head += need;
    return record;
}

void capture_ring_publish(struct capture_ring *ring)
{
    /* Pair 1: the records are written before the reader can see the head behind them. */
    atomic_store_explicit(&ring->head_published, ring->head, memory_order_release);
}

const struct capture_record *capture_ring_peek(struct capture_ring *ring)
{
    const struct capture_record *record;

    if (ring->tail == ring->head_seen) {
        /* Pair 1: what lies before the head is written. */
        ring->head_seen = atomic_load_explicit(&ring->head_published, memory_order_acquire);
        if (ring->tail == ring->head_seen) {
            return NULL;
        }
    }
    record = record_at(ring, ring->tail);
    if (record->captured_bytes == SKIP) {          /* a record follows it: they came as one */
        ring->tail += record->size_bytes;
        record = record_at(ring, ring->tail);
    }
    return record;
}

void capture_ring_next(struct capture_ring *ring)
{
    ring->tail += record_at(ring, ring->tail)->size_bytes;
    /* Pair 2: the record has been read before the writer may overwrite it. */
    atomic_store_explicit(&ring->tail_published, ring->tail, memory_order_release);
}
