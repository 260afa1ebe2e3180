/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two ends that speak LACP, each link of the one wired to a link of the other, in virtual time.
 *
 * Wires delay and lose.  Time goes from one event to the next, as each end's lacp_tick() says; and
 * whatever a test does, every end keeps to what lacp.h promises: no deadline in the past, three
 * PDUs in a second, distributing links collect, are up, and have one partner.
 */
#ifndef TESTS_SUPPORT_LACP_LAB_H
#define TESTS_SUPPORT_LACP_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "teaming/lacp.h"

#define LACP_LAB_ENDS   2u
#define LACP_LAB_FLIGHT 64u

struct lacp_lab_wire {
    unsigned end, number;          /* where what is sent into it comes out */
    bool cut;                      /* carrier stays */
    unsigned loss_percent;
    uint32_t delay_ms;
};

struct lacp_lab_frame {
    uint64_t at_ms;
    unsigned end, number;
    uint8_t bytes[LACP_PDU_FRAME_BYTES];
};

struct lacp_lab_end {
    struct lacp *lacp;
    struct lacp_config config;
    struct lacp_link link[LACP_LINKS_MAX];
    struct lacp_lab_wire wire[LACP_LINKS_MAX];
    uint64_t sent_ms[LACP_LINKS_MAX][3];   /* the last three PDUs, the newest first */
    unsigned sent[LACP_LINKS_MAX];
    struct lacp_pdu said[LACP_LINKS_MAX];  /* the last */
    uint64_t deadline_ms;
};

struct lacp_lab {
    struct lacp_lab_end end[LACP_LAB_ENDS];
    uint64_t now_ms;
    uint64_t seed;
    struct lacp_lab_frame flight[LACP_LAB_FLIGHT];
    unsigned in_flight;
    unsigned turns;                /* events so far */
};

/** Ends that are active and fast, the first with the lower system, no links, wires of 1 ms. */
void lacp_lab_start(struct lacp_lab *lab);
void lacp_lab_stop(struct lacp_lab *lab);

/** After a change of @p config of that end. */
void lacp_lab_configure(struct lacp_lab *lab, unsigned end);
/** After a change of @p link of that end. */
void lacp_lab_set(struct lacp_lab *lab, unsigned end, unsigned number);
/** Links 0 to @p links - 1 of both ends are up, 10 Gbit/s, all of them wanted. */
void lacp_lab_connect(struct lacp_lab *lab, unsigned links);
/** Carrier of a wire, at both ends. */
void lacp_lab_carrier(struct lacp_lab *lab, unsigned number, bool up);
/** What comes by a link of an end, now. */
void lacp_lab_give(struct lacp_lab *lab, unsigned end, unsigned number, const uint8_t *frame,
                   uint32_t len_bytes);

void lacp_lab_pass(struct lacp_lab *lab, uint64_t ms);
/** Until @p links distribute at both ends.  @return after how long, LACP_NEVER: not in @p ms */
uint64_t lacp_lab_until(struct lacp_lab *lab, uint8_t links, uint64_t ms);

struct lacp_status lacp_lab_status(const struct lacp_lab *lab, unsigned end, unsigned number);

#endif
