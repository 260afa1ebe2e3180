/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters that add up.
 *
 * Each worker has its own array, by port number, which only it writes; readers sum.  Relaxed 64-bit
 * stores are enough for that, so counting costs the hot path an addition to a line in its own
 * cache.
 *
 * A frame is counted once where it came in, and once for every port that it was to leave by, either
 * as delivered or under the reason it was not.  So at rest, over the ports of a switch:
 *
 *     from_frames + flood_copies + segment_copies == to_frames + all drops + coalesced
 *
 * where flood_copies is what flooding added, one less than the number of ports flooded to,
 * segment_copies what cutting long frames added, one less than the number of segments for a port,
 * and coalesced what merging segments took away, one less than the number of them in a long frame.
 *
 * Bytes are those of the frame as it passed the port, its tag included when it had one there.
 */
#ifndef DATAPLANE_COUNTERS_H
#define DATAPLANE_COUNTERS_H

#include <stdint.h>

#include "switch/drop.h"

struct port_counters {
    /* ---- what came from the port into the switch, refused frames included ---- */
    uint64_t from_frames;
    uint64_t from_bytes;           /* of frames without FCS; a malformed chain has none */
    uint64_t from_multicast;
    uint64_t from_broadcast;
    uint64_t flood_copies;         /* made of frames that came from here, as are the next */
    uint64_t segment_copies;
    uint64_t coalesced;            /* frames that came from here and were merged into others */
    uint64_t spoofed_mac;          /* the last source a locked port tried; 0: none.  No counter */
    /* ---- what the switch delivered to the port ---- */
    uint64_t to_frames;
    uint64_t to_bytes;
    uint64_t to_multicast;
    uint64_t to_broadcast;
    /* ---- what was lost, under the port that owns the reason ---- */
    uint64_t drops[DROP_REASON_COUNT];
} __attribute__((aligned(64)));

/** Adds @p more to a counter.  Thread: the one worker whose counter it is. */
static inline void counter_add(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/** A counter, or a worker's other number, as it is now.  Any thread. */
static inline uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/**
 * Adds @p one to @p sum, field by field; of two spoofed_mac that are not 0, that of @p one stays.
 * Any thread; a value being written is old or new.
 */
void port_counters_add(struct port_counters *sum, const struct port_counters *one);

#endif
