/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures how long a cache line takes from one core to another and back, and prints it as JSON.
 *
 * Rings between a guest and a switch are cache lines that two cores write in turns, so this number
 * moves every other one; where a hypervisor moves virtual cores about, it changes from one minute
 * to the next, and only rates of one state compare.
 */
#include "tests/support/bench.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>

#define ROUNDS 400u
#define TRIPS_PER_ROUND 500u
#define MAX_CORE 1023

static alignas(128) _Atomic uint32_t line;

/* Answers every odd number with the next even one. */
static void *echo(void *core)
{
    bench_pin(*(const unsigned *)core);
    for (uint32_t i = 1; i < 2 * ROUNDS * TRIPS_PER_ROUND; i += 2) {
        while (atomic_load_explicit(&line, memory_order_acquire) != i) {
        }
        atomic_store_explicit(&line, i + 1, memory_order_release);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static uint32_t round_ns[ROUNDS];
    unsigned core[2];
    uint32_t i = 1;
    pthread_t thread;

    if (argc != 3) {
        fprintf(stderr, "usage: round_trip CORE CORE\n");
        return 2;
    }
    core[0] = (unsigned)bench_number(argv[1], 0, MAX_CORE);
    core[1] = (unsigned)bench_number(argv[2], 0, MAX_CORE);
    if (core[0] == core[1]) {
        fprintf(stderr, "round_trip: two different cores are needed\n");
        return 2;
    }
    bench_pin(core[0]);
    if (pthread_create(&thread, NULL, echo, &core[1]) != 0) {
        fprintf(stderr, "round_trip: no second thread could be started\n");
        return 1;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t start_ns = bench_now_ns();

        for (unsigned trip = 0; trip < TRIPS_PER_ROUND; trip++, i += 2) {
            atomic_store_explicit(&line, i, memory_order_release);
            while (atomic_load_explicit(&line, memory_order_acquire) != i + 1) {
            }
        }
        round_ns[round] = (uint32_t)((bench_now_ns() - start_ns) / TRIPS_PER_ROUND);
    }
    pthread_join(thread, NULL);
    printf("{\"round_trip_ns\": %u, \"p10_ns\": %u, \"p90_ns\": %u}\n",
           bench_percentile(round_ns, ROUNDS, 50), bench_percentile(round_ns, ROUNDS, 10),
           bench_percentile(round_ns, ROUNDS, 90));
    return 0;
}
