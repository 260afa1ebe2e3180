/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two clocks, one line through two points; all but capture_clock_now() is arithmetic, so that its
 * tests need no time to pass.
 */
#include "dataplane/capture_clock.h"

#include <math.h>
#include <time.h>

#include <rte_cycles.h>

#define NS_OF_A_SECOND    1000000000ull
#define INTERVAL_MAX_NS   1e9
#define RATE_TOLERANCE    1e-3     /* a larger change of rate is a clock that was set */
#define READINGS          8        /* of which the one least disturbed is taken */

struct capture_moment capture_clock_now(void)
{
    struct capture_moment best = { 0 };
    uint64_t best_gap_tsc = UINT64_MAX;

    for (int i = 0; i < READINGS; i++) {
        struct timespec now;
        const uint64_t before_tsc = rte_rdtsc();
        uint64_t gap_tsc;

        clock_gettime(CLOCK_REALTIME, &now);
        gap_tsc = rte_rdtsc() - before_tsc;
        if (gap_tsc < best_gap_tsc) {
            best_gap_tsc = gap_tsc;
            best.tsc = before_tsc + gap_tsc / 2;
            best.utc_ns = (uint64_t)now.tv_sec * NS_OF_A_SECOND + (uint64_t)now.tv_nsec;
        }
    }
    return best;
}

void capture_clock_start(struct capture_clock *clock, struct capture_moment now)
{
    *clock = (struct capture_clock){ .anchor = now, .due_tsc = now.tsc };
}

void capture_clock_sync(struct capture_clock *clock, struct capture_moment now)
{
    const double elapsed_tsc = (double)(now.tsc - clock->anchor.tsc);
    const double elapsed_ns = (double)(int64_t)(now.utc_ns - clock->anchor.utc_ns);
    const double rate = elapsed_ns / elapsed_tsc;
    double interval_tsc = 2 * elapsed_tsc;

    /* Twice in a row, and it was the rate that was wrong. */
    clock->stepped = clock->ns_per_tsc > 0 && !clock->stepped &&
                     fabs(rate / clock->ns_per_tsc - 1) > RATE_TOLERANCE;
    if (!clock->stepped && rate > 0) {
        clock->ns_per_tsc = rate;
    }
    if (interval_tsc * clock->ns_per_tsc > INTERVAL_MAX_NS) {
        interval_tsc = INTERVAL_MAX_NS / clock->ns_per_tsc;
    }
    clock->anchor = now;
    clock->due_tsc = now.tsc + (uint64_t)interval_tsc;
}

bool capture_clock_due(const struct capture_clock *clock, uint64_t tsc)
{
    return (int64_t)(tsc - clock->due_tsc) >= 0;
}

uint64_t capture_clock_utc_ns(const struct capture_clock *clock, uint64_t tsc)
{
    const double elapsed_tsc = (double)(int64_t)(tsc - clock->anchor.tsc);

    return clock->anchor.utc_ns + (uint64_t)(int64_t)(elapsed_tsc * clock->ns_per_tsc);
}
