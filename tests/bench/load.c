/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives two vhost-user ports of any switch as fast as they go and prints one line of JSON.
 *
 * Counted are frames that arrived, not frames sent: a switch that drops under overload gains
 * nothing.  One thread plays both guests, because the machines this must run on have two cores and
 * the switch needs the other.
 */
#include "tests/support/bench.h"
#include "tests/support/load_port.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define SEND_LEAST 64u    /* so that the available index moves in strides, as drivers do it */
#define TURNS_PER_CLOCK 64u
#define ANNOUNCE_TIMEOUT_MS 10000
#define MIN_SIZE_BYTES 60u
#define MAX_SIZE_BYTES 65000u
#define MAX_FLOWS 10000000u
#define MAX_CORE 1023

struct options {
    const char *port[2];
    unsigned ports;
    int core;
    bool both_ways;
    double seconds;
    double warmup_seconds;
    struct load_shape shape;
};

static const char usage[] =
    "usage: load --port A.sock --port B.sock [--size BYTES] [--both-ways] [--flows N] [--macs N]\n"
    "            [--seconds S] [--warmup S] [--core N]\n"
    "Sends frames from A to B (and back) through the switch that listens on the sockets and\n"
    "prints how many arrived per second.  BYTES counts from the Ethernet header on, without FCS.\n";

static void __attribute__((noreturn)) usage_exit(const char *why)
{
    fprintf(stderr, "load: %s\n%s", why, usage);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"size", 1, NULL, 's'},   {"both-ways", 0, NULL, 'b'},
        {"flows", 1, NULL, 'f'},   {"macs", 1, NULL, 'm'},   {"seconds", 1, NULL, 't'},
        {"warmup", 1, NULL, 'w'},  {"core", 1, NULL, 'c'},   {NULL, 0, NULL, 0},
    };
    struct options o = {.core = -1, .seconds = 1, .warmup_seconds = 0.3, .shape = {64, 1, 1}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'p':
            if (o.ports == 2) {
                usage_exit("a third --port is one too many");
            }
            o.port[o.ports++] = optarg;
            break;
        case 's':
            o.shape.size_bytes = (uint32_t)bench_number(optarg, MIN_SIZE_BYTES, MAX_SIZE_BYTES);
            break;
        case 'b': o.both_ways = true; break;
        case 'f': o.shape.flows = (uint32_t)bench_number(optarg, 1, MAX_FLOWS); break;
        case 'm': o.shape.macs = (uint32_t)bench_number(optarg, 1, MAX_FLOWS); break;
        case 't': o.seconds = bench_number(optarg, 0.01, 3600); break;
        case 'w': o.warmup_seconds = bench_number(optarg, 0, 3600); break;
        case 'c': o.core = (int)bench_number(optarg, 0, MAX_CORE); break;
        default: usage_exit("an option is not known");
        }
    }
    if (o.ports != 2 || optind != argc) {
        usage_exit("two sockets are needed");
    }
    return o;
}

/* Runs the load for a time. @return how long it really was */
static double run(struct load_port port[2], bool both_ways, double seconds)
{
    const uint64_t start_ns = bench_now_ns();
    double passed_s;

    do {
        for (unsigned turn = 0; turn < TURNS_PER_CLOCK; turn++) {
            load_port_receive(&port[1]);
            load_port_send(&port[0], SEND_LEAST, LOAD_RING_ENTRIES);
            if (both_ways) {
                load_port_receive(&port[0]);
                load_port_send(&port[1], SEND_LEAST, LOAD_RING_ENTRIES);
            }
        }
        passed_s = (double)(bench_now_ns() - start_ns) / 1e9;
    } while (passed_s < seconds);
    return passed_s;
}

static void counters_clear(struct load_port *port)
{
    port->sent_frames = port->received_frames = port->checked_frames = port->bad_frames = 0;
}

static void report(const struct options *o, const struct load_port port[2], double passed_s,
                   uint64_t waited_ns)
{
    const uint64_t received = port[0].received_frames + port[1].received_frames;
    const double rate = (double)received / passed_s;

    printf("{\"size_bytes\": %u, \"both_ways\": %s, \"flows\": %u, \"macs\": %u, "
           "\"seconds\": %.3f, \"frames_per_s\": %.0f, \"gbit_per_s\": %.3f, "
           "\"sent_frames\": %lu, \"received_frames\": %lu, \"checked_frames\": %lu, "
           "\"waited_percent\": %.2f, \"hugepages\": %s}\n",
           o->shape.size_bytes, o->both_ways ? "true" : "false", o->shape.flows, o->shape.macs,
           passed_s, rate, rate * o->shape.size_bytes * 8 / 1e9,
           port[0].sent_frames + port[1].sent_frames, received,
           port[0].checked_frames + port[1].checked_frames,
           (double)waited_ns / passed_s / 1e7, port[0].f.ram.hugepages ? "true" : "false");
}

int main(int argc, char **argv)
{
    static struct load_port port[2];
    const struct options o = options_parse(argc, argv);
    uint64_t bad_frames, waited_ns;
    double passed_s;

    if (o.core >= 0) {
        bench_pin((unsigned)o.core);
    }
    for (unsigned side = 0; side < 2; side++) {
        if (load_port_open(&port[side], o.port[side], &o.shape, side) < 0) {
            fprintf(stderr, "load: %s: %s\n", o.port[side], frontend_error(&port[side].f));
            return 1;
        }
    }
    if (load_ports_announce(port, ANNOUNCE_TIMEOUT_MS) < 0) {
        fprintf(stderr, "load: no frame came through within %d ms: does the switch connect %s and "
                "%s?\n", ANNOUNCE_TIMEOUT_MS, o.port[0], o.port[1]);
        return 1;
    }
    run(port, o.both_ways, o.warmup_seconds);
    counters_clear(&port[0]);
    counters_clear(&port[1]);
    waited_ns = bench_waited_ns();
    passed_s = run(port, o.both_ways, o.seconds);
    waited_ns = bench_waited_ns() - waited_ns;
    bad_frames = port[0].bad_frames + port[1].bad_frames;
    if (bad_frames > 0) {
        fprintf(stderr, "load: %lu of %lu frames looked at were not as sent\n", bad_frames,
                port[0].checked_frames + port[1].checked_frames);
        return 1;
    }
    report(&o, port, passed_s, waited_ns);
    load_port_close(&port[0]);
    load_port_close(&port[1]);
    return 0;
}
