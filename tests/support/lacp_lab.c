/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/lacp_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

/* ---- what every end keeps to ----------------------------------------------------------------- */

static bool same_partner(const struct lacp_end *a, const struct lacp_end *b)
{
    return a->system_mac == b->system_mac && a->system_priority == b->system_priority &&
           a->key == b->key;
}

static void check_end(const struct lacp_lab *lab, unsigned end)
{
    const struct lacp_lab_end *it = &lab->end[end];
    const uint8_t distributing = lacp_distributing(it->lacp);
    const uint8_t collecting = lacp_collecting(it->lacp);
    struct lacp_status first = { .why = NULL };

    assert_int_equal(distributing & ~collecting, 0);
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_status status = lacp_lab_status(lab, end, i);

        assert_int_equal(status.distributing, distributing >> i & 1);
        assert_int_equal(status.collecting, collecting >> i & 1);
        assert_int_equal(status.why[0] == '\0', status.distributing);
        assert_true(status.collecting <= (it->link[i].present && it->link[i].up));
        if (status.distributing && first.why == NULL) {
            first = status;
        }
        assert_true(!status.distributing || same_partner(&status.partner, &first.partner));
    }
}

static void note_sent(struct lacp_lab *lab, unsigned end, unsigned number)
{
    struct lacp_lab_end *it = &lab->end[end];
    uint64_t *sent_ms = it->sent_ms[number];

    if (it->sent[number] >= 3) {
        assert_true(lab->now_ms - sent_ms[2] >= LACP_FAST_PERIODIC_MS);
    }
    memmove(&sent_ms[1], &sent_ms[0], 2 * sizeof(*sent_ms));
    sent_ms[0] = lab->now_ms;
    it->sent[number]++;
}

/* ---- wires ----------------------------------------------------------------------------------- */

static void send_frame(struct lacp_lab *lab, unsigned end, unsigned number, const uint8_t *frame)
{
    const struct lacp_lab_wire *wire = &lab->end[end].wire[number];
    struct lacp_marker marker;
    struct lacp_lab_frame *flying;

    if (lacp_pdu_read(frame, LACP_PDU_FRAME_BYTES, &lab->end[end].said[number], &marker) !=
        LACP_PDU_LACP) {
        return;                    /* the answer to a marker is nobody's here */
    }
    note_sent(lab, end, number);
    if (wire->cut || random_below(&lab->seed, 100) < wire->loss_percent) {
        return;
    }
    assert_true(lab->in_flight < LACP_LAB_FLIGHT);
    flying = &lab->flight[lab->in_flight++];
    *flying = (struct lacp_lab_frame){ .at_ms = lab->now_ms + wire->delay_ms,
                                       .end = wire->end, .number = wire->number };
    memcpy(flying->bytes, frame, sizeof(flying->bytes));
}

/* What an end has to do and to say after anything has happened. */
static void attend(struct lacp_lab *lab, unsigned end)
{
    struct lacp_lab_end *it = &lab->end[end];
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number, frames = 0;

    it->deadline_ms = lacp_tick(it->lacp, lab->now_ms);
    assert_true(it->deadline_ms > lab->now_ms);
    while (lacp_fetch(it->lacp, lab->now_ms, &number, frame)) {
        assert_true(it->link[number].present && it->link[number].up);
        assert_true(++frames <= LACP_LINKS_MAX * 8);
        send_frame(lab, end, number, frame);
    }
    check_end(lab, end);
}

static void deliver_due(struct lacp_lab *lab)
{
    unsigned kept = 0;
    const unsigned count = lab->in_flight;
    struct lacp_lab_frame due[LACP_LAB_FLIGHT];
    unsigned due_count = 0;

    for (unsigned i = 0; i < count; i++) {
        if (lab->flight[i].at_ms <= lab->now_ms) {
            due[due_count++] = lab->flight[i];
        } else {
            lab->flight[kept++] = lab->flight[i];
        }
    }
    lab->in_flight = kept;
    for (unsigned i = 0; i < due_count; i++) {
        const struct lacp_link *link = &lab->end[due[i].end].link[due[i].number];

        if (link->present && link->up) {
            lacp_lab_give(lab, due[i].end, due[i].number, due[i].bytes, sizeof(due[i].bytes));
        }
    }
}

static uint64_t next_event_ms(const struct lacp_lab *lab)
{
    uint64_t next_ms = LACP_NEVER;

    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        next_ms = lab->end[end].deadline_ms < next_ms ? lab->end[end].deadline_ms : next_ms;
    }
    for (unsigned i = 0; i < lab->in_flight; i++) {
        next_ms = lab->flight[i].at_ms < next_ms ? lab->flight[i].at_ms : next_ms;
    }
    return next_ms;
}

/* To the next event, or to @p end_ms when it is sooner. */
static void step(struct lacp_lab *lab, uint64_t end_ms)
{
    const uint64_t next_ms = next_event_ms(lab);

    lab->now_ms = next_ms < end_ms ? next_ms : end_ms;
    lab->turns++;
    deliver_due(lab);
    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        attend(lab, end);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

void lacp_lab_start(struct lacp_lab *lab)
{
    *lab = (struct lacp_lab){ .now_ms = 1000000, .seed = 42 };
    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        struct lacp_lab_end *it = &lab->end[end];

        it->config = (struct lacp_config){ .system_mac = 0x00155d00000a + end,
                                           .system_priority = 32768,
                                           .key = (uint16_t)(1 + end) };
        it->deadline_ms = LACP_NEVER;
        it->lacp = lacp_create(&it->config, lab->now_ms);
        assert_non_null(it->lacp);
        for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
            it->wire[i] = (struct lacp_lab_wire){ .end = 1 - end, .number = i, .delay_ms = 1 };
        }
    }
}

void lacp_lab_stop(struct lacp_lab *lab)
{
    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lacp_destroy(lab->end[end].lacp);
    }
}

void lacp_lab_configure(struct lacp_lab *lab, unsigned end)
{
    lacp_configure(lab->end[end].lacp, &lab->end[end].config, lab->now_ms);
    attend(lab, end);
}

void lacp_lab_set(struct lacp_lab *lab, unsigned end, unsigned number)
{
    struct lacp_lab_end *it = &lab->end[end];

    if (!it->link[number].present) {
        it->sent[number] = 0;
    }
    lacp_set_link(it->lacp, number, &it->link[number], lab->now_ms);
    attend(lab, end);
}

void lacp_lab_connect(struct lacp_lab *lab, unsigned links)
{
    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lacp_want(lab->end[end].lacp, links, lab->now_ms);
        for (unsigned i = 0; i < links; i++) {
            lab->end[end].link[i] = (struct lacp_link){
                .present = true, .up = true, .speed_mbps = 10000,
                .mac = 0x00155d000100 + end * 0x100 + i,
            };
            lacp_lab_set(lab, end, i);
        }
    }
}

void lacp_lab_carrier(struct lacp_lab *lab, unsigned number, bool up)
{
    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lab->end[end].link[number].up = up;
        lacp_lab_set(lab, end, number);
    }
}

void lacp_lab_give(struct lacp_lab *lab, unsigned end, unsigned number, const uint8_t *frame,
                   uint32_t len_bytes)
{
    lacp_receive(lab->end[end].lacp, number, frame, len_bytes, lab->now_ms);
    attend(lab, end);
}

void lacp_lab_pass(struct lacp_lab *lab, uint64_t ms)
{
    const uint64_t end_ms = lab->now_ms + ms;

    do {
        step(lab, end_ms);
    } while (lab->now_ms < end_ms);
}

uint64_t lacp_lab_until(struct lacp_lab *lab, uint8_t links, uint64_t ms)
{
    const uint64_t start_ms = lab->now_ms;

    while (lacp_distributing(lab->end[0].lacp) != links ||
           lacp_distributing(lab->end[1].lacp) != links) {
        if (lab->now_ms >= start_ms + ms) {
            return LACP_NEVER;
        }
        step(lab, start_ms + ms);
    }
    return lab->now_ms - start_ms;
}

struct lacp_status lacp_lab_status(const struct lacp_lab *lab, unsigned end, unsigned number)
{
    struct lacp_status status;

    lacp_status(lab->end[end].lacp, number, &status);
    return status;
}
