/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every bench program needs.
 */
#include "tests/support/bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_waited_ns(void)
{
    FILE *file = fopen("/proc/thread-self/schedstat", "re");
    unsigned long waited_ns = 0;

    if (file != NULL) {
        if (fscanf(file, "%*u %lu", &waited_ns) != 1) {
            waited_ns = 0;
        }
        fclose(file);
    }
    return waited_ns;
}

void bench_pin(unsigned core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        fprintf(stderr, "This process cannot run on core %u: %m\n", core);
        exit(1);
    }
}

double bench_number(const char *text, double least, double most)
{
    char *end;
    const double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "%s is not a number from %g to %g\n", text, least, most);
        exit(2);
    }
    return value;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint32_t bench_percentile(uint32_t *values, uint32_t count, double percent)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof(*values), compare);
    return values[(uint32_t)((count - 1) * percent / 100)];
}
