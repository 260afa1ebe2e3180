/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many guests that are there and say nothing: attaches to a row of vNICs, and stays until standard
 * input ends.  On request the first of them sends one frame from each of many addresses, so that a
 * switch has a table to look into.
 */
#include "tests/support/bench.h"
#include "tests/support/frontend.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CROWD_MAX   1000u
#define PATH_SIZE   108u
#define MACS_MAX    1000000u
#define FRAME_BYTES 60u
#define MACS_AT_ONCE 128u          /* frames under way; the switch learns in its own time */
#define TIMEOUT_MS  60000          /* a switch that is stopped meanwhile is waited for */

struct options {
    const char *prefix;            /* of the sockets: PREFIX0.sock and on */
    unsigned count;
    unsigned macs;
};

static struct frontend crowd[CROWD_MAX];

static const char usage[] =
    "usage: crowd --sockets PREFIX --count N [--macs N]\n"
    "Attaches to PREFIX0.sock and on, prints a line of JSON, and stays until standard input ends.\n"
    "With --macs the first of them sends a frame from each of so many addresses before.\n";

static void __attribute__((noreturn)) usage_exit(const char *why)
{
    fprintf(stderr, "crowd: %s\n%s", why, usage);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"sockets", 1, NULL, 's'}, {"count", 1, NULL, 'c'}, {"macs", 1, NULL, 'm'},
        {NULL, 0, NULL, 0},
    };
    struct options o = { .prefix = NULL };
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 's': o.prefix = optarg; break;
        case 'c': o.count = (unsigned)bench_number(optarg, 1, CROWD_MAX); break;
        case 'm': o.macs = (unsigned)bench_number(optarg, 1, MACS_MAX); break;
        default: usage_exit("an option is not known");
        }
    }
    if (o.prefix == NULL || o.count == 0 || optind != argc) {
        usage_exit("the sockets and their number are needed");
    }
    return o;
}

static int attach(const struct options *o, unsigned i)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s%u.sock", o->prefix, i);
    if (frontend_open(&crowd[i], &(struct frontend_config){ .socket_path = path,
                                                            .timeout_ms = TIMEOUT_MS }) != 0) {
        fprintf(stderr, "crowd: %s: %s\n", path, frontend_error(&crowd[i]));
        return -1;
    }
    return 0;
}

/* To the first address of its own port: the switch learns the source, and has nobody to flood. */
static int send_from(struct frontend *f, unsigned number)
{
    uint8_t frame[FRAME_BYTES] = { 0x02, 0xcc, 0, 0, 0, 0, 0x02, 0xcc };
    const uint32_t source = __builtin_bswap32(number);

    memcpy(frame + 8, &source, sizeof(source));
    frame[12] = 0x88;              /* for experiments.  Standard: IEEE 802, 9.2.3 */
    frame[13] = 0xb5;
    return frontend_send(f, 0, frame, sizeof(frame));
}

static int send_from_all(struct frontend *f, unsigned macs)
{
    for (unsigned i = 0; i < macs; i++) {
        if (send_from(f, i) != 0 || (i % MACS_AT_ONCE == 0 && frontend_wait_sent(f, 0) != 0)) {
            fprintf(stderr, "crowd: %s\n", frontend_error(f));
            return -1;
        }
        if (i % MACS_AT_ONCE == 0) {
            usleep(1000);
        }
    }
    return frontend_wait_sent(f, 0);
}

int main(int argc, char **argv)
{
    const struct options o = options_parse(argc, argv);
    const uint64_t start_ns = bench_now_ns();
    char nothing;

    for (unsigned i = 0; i < o.count; i++) {
        if (attach(&o, i) != 0) {
            return 1;
        }
    }
    if (o.macs != 0 && send_from_all(&crowd[0], o.macs) != 0) {
        return 1;
    }
    printf("{\"attached\": %u, \"macs\": %u, \"seconds\": %.3f}\n", o.count, o.macs,
           (double)(bench_now_ns() - start_ns) / 1e9);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &nothing, 1) > 0) {
    }
    return 0;
}
