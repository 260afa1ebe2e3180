/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every bench program needs: a clock, a core to itself, and numbers from its command line.
 */
#ifndef TESTS_SUPPORT_BENCH_H
#define TESTS_SUPPORT_BENCH_H

#include <stdint.h>

/** Time since some start, of the clock that never jumps. */
uint64_t bench_now_ns(void);

/** How long the calling thread was ready to run and had no core, so far; 0 when nobody knows. */
uint64_t bench_waited_ns(void);

/** Ties the calling thread to a core, or ends the program with a sentence and status 1. */
void bench_pin(unsigned core);

/** Reads a number from @p least to @p most, or ends the program with a sentence and status 2. */
double bench_number(const char *text, double least, double most);

/** Sorts @p values and returns the one that a share of @p percent lies below or at. */
uint32_t bench_percentile(uint32_t *values, uint32_t count, double percent);

#endif
