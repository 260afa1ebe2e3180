/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives a switch from one of its ends to another, where an end is a guest or a kernel interface,
 * and prints one line of JSON.
 *
 * As in load.c, counted are frames that arrived.  What a kernel interface sends is received by the
 * kernel's code on the sending core, up to the switch's socket or ring; what it receives, on the
 * switch's.  So the kernel has a part in every figure, and the same part for every switch.
 */
#include "tests/support/bench.h"
#include "tests/support/load_port.h"
#include "tests/support/raw_port.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_PREFIX "if:"
#define SEND_LEAST 64u
#define ANNOUNCE_BURST 4u
#define ANNOUNCE_ROUNDS 1000u
#define ANNOUNCE_PAUSE_US 5000u
#define TURNS_PER_CLOCK 16u
#define MIN_SIZE_BYTES 60u
#define MAX_SIZE_BYTES 9014u
#define MAX_CORE 1023

enum { SENDER, RECEIVER, ENDS };

struct end {
    const char *where;
    bool raw;
    struct load_port guest;
    struct raw_port interface;
};

struct options {
    const char *where[ENDS];
    int core;
    double seconds;
    double warmup_seconds;
    struct load_shape shape;
};

static const char usage[] =
    "usage: wire --send END --receive END [--size BYTES] [--seconds S] [--warmup S] [--core N]\n"
    "An END is the socket of a guest's port, or if:NAME or if:NAME@NETNS for a kernel interface.\n"
    "BYTES counts from the Ethernet header on, without FCS.\n";

static void __attribute__((noreturn)) usage_exit(const char *why)
{
    fprintf(stderr, "wire: %s\n%s", why, usage);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"send", 1, NULL, 'f'},    {"receive", 1, NULL, 'r'}, {"size", 1, NULL, 's'},
        {"seconds", 1, NULL, 't'}, {"warmup", 1, NULL, 'w'},  {"core", 1, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.core = -1, .seconds = 1, .warmup_seconds = 0.2, .shape = {64, 1, 1}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'f': o.where[SENDER] = optarg; break;
        case 'r': o.where[RECEIVER] = optarg; break;
        case 's':
            o.shape.size_bytes = (uint32_t)bench_number(optarg, MIN_SIZE_BYTES, MAX_SIZE_BYTES);
            break;
        case 't': o.seconds = bench_number(optarg, 0.01, 3600); break;
        case 'w': o.warmup_seconds = bench_number(optarg, 0, 3600); break;
        case 'c': o.core = (int)bench_number(optarg, 0, MAX_CORE); break;
        default: usage_exit("an option is not known");
        }
    }
    if (o.where[SENDER] == NULL || o.where[RECEIVER] == NULL || optind != argc) {
        usage_exit("two ends are needed");
    }
    return o;
}

/* ---- an end ---------------------------------------------------------------------------------- */

static int end_open(struct end *end, const char *where, const struct load_shape *shape,
                    unsigned side)
{
    end->where = where;
    end->raw = strncmp(where, RAW_PREFIX, strlen(RAW_PREFIX)) == 0;
    if (end->raw) {
        return raw_port_open(&end->interface, where + strlen(RAW_PREFIX),
                             side == SENDER ? RAW_PORT_SENDS : RAW_PORT_RECEIVES, shape, side);
    }
    if (load_port_open(&end->guest, where, shape, side) < 0) {
        fprintf(stderr, "wire: %s: %s\n", where, frontend_error(&end->guest.f));
        return -1;
    }
    return 0;
}

static void end_close(struct end *end)
{
    if (end->raw) {
        raw_port_close(&end->interface);
    } else {
        load_port_close(&end->guest);
    }
}

/* Sends some frames, so that the switch learns where the end is. */
static void end_announce(struct end *end)
{
    if (end->raw) {
        (void)raw_port_send(&end->interface, ANNOUNCE_BURST);
    } else {
        load_port_send(&end->guest, 1, ANNOUNCE_BURST);
    }
}

/* Whether a frame of the load has come. */
static bool end_reached(struct end *end)
{
    if (end->raw) {
        return raw_port_look(&end->interface);
    }
    load_port_receive(&end->guest);
    return end->guest.received_frames > 0;
}

static uint64_t end_sent(const struct end *end)
{
    return end->raw ? end->interface.sent_frames : end->guest.sent_frames;
}

static uint64_t end_received(const struct end *end)
{
    return end->raw ? raw_port_received(&end->interface) : end->guest.received_frames;
}

/* ---- the load -------------------------------------------------------------------------------- */

/* Has both ends learned, then waits until a frame has come through. */
static bool announce(struct end end[ENDS])
{
    for (unsigned round = 0; round < ANNOUNCE_ROUNDS; round++) {
        end_announce(&end[RECEIVER]);
        end_announce(&end[SENDER]);
        usleep(ANNOUNCE_PAUSE_US);
        if (round > 1 && end_reached(&end[RECEIVER])) {
            return true;
        }
    }
    fprintf(stderr, "wire: no frame came through from %s to %s\n", end[SENDER].where,
            end[RECEIVER].where);
    return false;
}

/* One turn. @return false when the sender is refused, with a sentence */
static bool turn(struct end end[ENDS])
{
    if (!end[RECEIVER].raw) {
        load_port_receive(&end[RECEIVER].guest);
    }
    if (!end[SENDER].raw) {
        load_port_send(&end[SENDER].guest, SEND_LEAST, LOAD_RING_ENTRIES);
    } else if (raw_port_send(&end[SENDER].interface, end[SENDER].interface.burst_frames) < 0) {
        fprintf(stderr, "wire: %s: %m: the kernel must be able to cut UDP (Linux 6.2)\n",
                end[SENDER].where);
        return false;
    }
    return true;
}

/* Runs the load for a time. @return how long it really was; 0: it cannot */
static double run(struct end end[ENDS], double seconds)
{
    const uint64_t start_ns = bench_now_ns();
    double passed_s;

    do {
        for (unsigned n = 0; n < TURNS_PER_CLOCK; n++) {
            if (!turn(end)) {
                return 0;
            }
        }
        passed_s = (double)(bench_now_ns() - start_ns) / 1e9;
    } while (passed_s < seconds);
    return passed_s;
}

/* Measures and prints, also how long it was to wait for its core in all. @return the exit status */
static int measure(const struct options *o, struct end end[ENDS])
{
    const struct load_port *guest = &end[RECEIVER].guest;
    uint64_t sent, received;
    double passed_s, rate;

    if (!announce(end) || run(end, o->warmup_seconds) == 0) {
        return 1;
    }
    sent = end_sent(&end[SENDER]);
    received = end_received(&end[RECEIVER]);
    passed_s = run(end, o->seconds);
    sent = end_sent(&end[SENDER]) - sent;
    received = end_received(&end[RECEIVER]) - received;
    if (passed_s == 0 || guest->bad_frames > 0) {
        fprintf(stderr, "wire: %lu of %lu frames looked at were not as sent\n", guest->bad_frames,
                guest->checked_frames);
        return 1;
    }
    rate = (double)received / passed_s;
    printf("{\"size_bytes\": %u, \"seconds\": %.3f, \"frames_per_s\": %.0f, \"gbit_per_s\": %.3f, "
           "\"sent_frames\": %lu, \"received_frames\": %lu, \"waited_ns\": %lu}\n",
           o->shape.size_bytes, passed_s, rate, rate * o->shape.size_bytes * 8 / 1e9, sent,
           received, bench_waited_ns());
    return 0;
}

int main(int argc, char **argv)
{
    static struct end end[ENDS];
    const struct options o = options_parse(argc, argv);
    int status;

    if (o.core >= 0) {
        bench_pin((unsigned)o.core);
    }
    for (unsigned side = 0; side < ENDS; side++) {
        if (end_open(&end[side], o.where[side], &o.shape, side) < 0) {
            return 1;
        }
    }
    status = measure(&o, end);
    end_close(&end[SENDER]);
    end_close(&end[RECEIVER]);
    return status;
}
