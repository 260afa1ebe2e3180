/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the time stamp counter to UTC: workers stamp frames with the one, readers want the other.
 *
 * Reading the counter is the cheapest a worker can do, and it is the same on all cores.  So the
 * rate between them is measured beside the stream, from pairs of readings: each new pair gives the
 * rate since the one before, and the anchor to reckon from.  Pairs come at intervals that double up
 * to a second, which keeps the correction at each of them as small as the error of one reading, so
 * that time in a stream does not jump.  The counter's nominal frequency is not used: what is told
 * of it is often rounded, and a rounded rate is off by milliseconds each second.
 */
#ifndef DATAPLANE_CAPTURE_CLOCK_H
#define DATAPLANE_CAPTURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Both clocks at one moment. */
struct capture_moment {
    uint64_t tsc;
    uint64_t utc_ns;               /* since 1970 */
};

struct capture_clock {
    struct capture_moment anchor;
    double ns_per_tsc;             /* 0 until the first synchronisation */
    uint64_t due_tsc;              /* when the next is wanted */
    bool stepped;                  /* the last pair disagreed with the rate and was not believed */
};

/** Reads both clocks as close together as the machine lets it.  Thread: any. */
struct capture_moment capture_clock_now(void);

/** Starts from a first pair; times can be told after the next.  Thread: the owner's. */
void capture_clock_start(struct capture_clock *clock, struct capture_moment now);

/**
 * Gives a further pair, later than those before it.
 *
 * When the clock of the day has been set in between, the pair moves the anchor and the rate stays.
 * Thread: the owner's.
 */
void capture_clock_sync(struct capture_clock *clock, struct capture_moment now);

/** Is a further pair wanted at @p tsc?  Thread: the owner's. */
bool capture_clock_due(const struct capture_clock *clock, uint64_t tsc);

/** The time at @p tsc, which may lie before or after the last pair.  Thread: the owner's. */
uint64_t capture_clock_utc_ns(const struct capture_clock *clock, uint64_t tsc);

#endif
