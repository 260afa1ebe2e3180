/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered frames of many flows, from a guest to interfaces: what got lost, came twice, or came too
 * late, and how long nothing came.
 *
 * A thread sends by a frontend at a steady rate, the flows in turns; another receives on any of a
 * set of interfaces by one socket, so that the order is that of arrival.  Each flow has a number
 * and each of its frames another.
 */
#ifndef TESTS_SUPPORT_FLOW_LOAD_H
#define TESTS_SUPPORT_FLOW_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/frontend.h"

#define FLOW_LOAD_FLOWS_MAX      1024u
#define FLOW_LOAD_INTERFACES_MAX 8u

struct flow_load_config {
    struct frontend *from;         /* attached; used by the sending thread alone meanwhile */
    uint8_t from_mac[6], to_mac[6];
    uint32_t flows;                /* that differ in their UDP ports and addresses */
    uint32_t frames_per_second;    /* of all together */
    const char *interface[FLOW_LOAD_INTERFACES_MAX];   /* where they may arrive; NULL: no more */
};

struct flow_load_result {
    uint64_t sent_frames, received_frames;
    uint64_t lost_frames;          /* never arrived */
    uint64_t twice_frames;         /* arrived again */
    uint64_t late_frames;          /* arrived behind a later one of their flow */
    uint64_t longest_silence_us;   /* between two arrivals */
    uint64_t by_interface[FLOW_LOAD_INTERFACES_MAX];   /* arrivals */
};

struct flow_load;

/** Starts both threads.  @return owned, for flow_load_end(); NULL when that cannot be */
struct flow_load *flow_load_start(const struct flow_load_config *config);
/** Looks at how it stands, while it goes on. */
void flow_load_look(struct flow_load *load, struct flow_load_result *result);
/** Starts to measure the longest silence anew.  @return the one until now, in us */
uint64_t flow_load_silence_us(struct flow_load *load);
/** Stops sending, waits until nothing more arrives, and fills @p result. */
void flow_load_end(struct flow_load *load, struct flow_load_result *result);

#endif
