/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures how long a frame is under way through a switch between two vhost-user ports, from the
 * guest that makes it available to the guest that sees it used, and prints percentiles as JSON.
 *
 * Without --rate one frame is in flight at a time.  With it frames leave by a timetable and their
 * age counts from the time they were due, so that a switch that stalls is charged for all the
 * frames it kept waiting.
 */
#include "tests/support/bench.h"
#include "tests/support/load_port.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define ANNOUNCE_TIMEOUT_MS 10000
#define LOST_AFTER_NS 100000000ull
#define MAX_SAMPLES (4u << 20)
#define MAX_CORE 1023

struct options {
    const char *port[2];
    unsigned ports;
    int core;
    double seconds;
    double rate_per_s;    /* 0: one in flight */
    struct load_shape shape;
};

struct samples {
    uint32_t *ns;
    uint32_t count;
    uint64_t lost;
};

static void __attribute__((noreturn)) usage_exit(void)
{
    fprintf(stderr, "usage: latency --port A.sock --port B.sock [--size BYTES]\n"
                    "               [--rate FRAMES_PER_S] [--seconds S] [--core N]\n");
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"size", 1, NULL, 's'}, {"seconds", 1, NULL, 't'},
        {"rate", 1, NULL, 'r'}, {"core", 1, NULL, 'c'}, {NULL, 0, NULL, 0},
    };
    struct options o = {.core = -1, .seconds = 1, .shape = {64, 1, 1}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'p':
            if (o.ports == 2) {
                usage_exit();
            }
            o.port[o.ports++] = optarg;
            break;
        case 's': o.shape.size_bytes = (uint32_t)bench_number(optarg, 60, 65000); break;
        case 't': o.seconds = bench_number(optarg, 0.01, 600); break;
        case 'r': o.rate_per_s = bench_number(optarg, 0, 5e6); break;
        case 'c': o.core = (int)bench_number(optarg, 0, MAX_CORE); break;
        default: usage_exit();
        }
    }
    if (o.ports != 2 || optind != argc) {
        usage_exit();
    }
    return o;
}

static void sample_add(struct samples *samples, uint64_t ns)
{
    if (samples->count < MAX_SAMPLES) {
        samples->ns[samples->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static void run_one_in_flight(struct load_port port[2], uint64_t end_ns, struct samples *samples)
{
    uint64_t now_ns;

    do {
        const uint64_t sent_ns = bench_now_ns();
        uint16_t frames = 0;

        load_port_send(&port[0], 1, 1);
        do {
            load_port_send(&port[0], 0, 0);    /* kicks a switch that fell asleep meanwhile */
            frames = load_port_receive(&port[1]);
            now_ns = bench_now_ns();
        } while (frames == 0 && now_ns - sent_ns < LOST_AFTER_NS);
        if (frames == 1) {
            sample_add(samples, now_ns - sent_ns);
        } else {
            samples->lost++;
        }
    } while (now_ns < end_ns);
}

static void run_timetable(struct load_port port[2], double rate_per_s, uint64_t end_ns,
                          struct samples *samples)
{
    static uint64_t due_ns_of[LOAD_RING_ENTRIES];
    const double gap_ns = 1e9 / rate_per_s;
    const uint64_t start_ns = bench_now_ns();
    const uint64_t received_before = port[1].received_frames;
    uint64_t now_ns = start_ns, sent = 0;

    while (now_ns < end_ns + LOST_AFTER_NS) {
        const uint64_t due_ns = start_ns + (uint64_t)((double)sent * gap_ns);
        const uint16_t entry = port[0].tx_published % LOAD_RING_ENTRIES;
        const uint16_t first = port[1].rx_seen;
        uint16_t frames;

        if (now_ns >= due_ns && now_ns < end_ns) {
            due_ns_of[entry] = due_ns;
            sent += load_port_send(&port[0], 1, 1);
        } else {
            load_port_send(&port[0], 0, 0);
        }
        frames = load_port_receive(&port[1]);
        now_ns = bench_now_ns();
        for (uint16_t i = 0; i < frames; i++) {
            const uint32_t number = load_port_number(&port[1], (uint16_t)(first + i));

            sample_add(samples, now_ns - due_ns_of[number % LOAD_RING_ENTRIES]);
        }
    }
    samples->lost += sent - (port[1].received_frames - received_before);
}

int main(int argc, char **argv)
{
    static struct load_port port[2];
    const struct options o = options_parse(argc, argv);
    struct samples samples = {.ns = malloc(MAX_SAMPLES * sizeof(uint32_t))};
    uint64_t start_ns, end_ns, waited_ns;

    if (o.core >= 0) {
        bench_pin((unsigned)o.core);
    }
    for (unsigned side = 0; side < 2; side++) {
        if (load_port_open(&port[side], o.port[side], &o.shape, side) < 0) {
            fprintf(stderr, "latency: %s: %s\n", o.port[side], frontend_error(&port[side].f));
            return 1;
        }
    }
    if (load_ports_announce(port, ANNOUNCE_TIMEOUT_MS) < 0) {
        fprintf(stderr, "latency: no frame came through within %d ms\n", ANNOUNCE_TIMEOUT_MS);
        return 1;
    }
    waited_ns = bench_waited_ns();
    start_ns = bench_now_ns();
    end_ns = start_ns + (uint64_t)(o.seconds * 1e9);
    if (o.rate_per_s > 0) {
        run_timetable(port, o.rate_per_s, end_ns, &samples);
    } else {
        run_one_in_flight(port, end_ns, &samples);
    }
    waited_ns = bench_waited_ns() - waited_ns;
    end_ns = bench_now_ns();
    printf("{\"size_bytes\": %u, \"rate_per_s\": %.0f, \"samples\": %u, \"lost\": %lu, "
           "\"waited_percent\": %.2f, "
           "\"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f}\n",
           o.shape.size_bytes, o.rate_per_s, samples.count, samples.lost,
           (double)waited_ns * 100 / (double)(end_ns - start_ns),
           bench_percentile(samples.ns, samples.count, 50) / 1e3,
           bench_percentile(samples.ns, samples.count, 99) / 1e3,
           bench_percentile(samples.ns, samples.count, 100) / 1e3);
    load_port_close(&port[0]);
    load_port_close(&port[1]);
    free(samples.ns);
    return 0;
}
