/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is sent, and how often: the Transmit machine, and answers to markers.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW 100000u

static struct lacp_port port;
static uint8_t frame[LACP_PDU_FRAME_BYTES];
static struct lacp_pdu pdu;
static struct lacp_marker marker;

static int setup(void **state)
{
    (void)state;
    port = (struct lacp_port){
        .link = { .present = true, .up = true, .mac = 0x00155d000101 },
        .actor = { .system_mac = 0x00155d0000aa, .key = 1, .port = 1, .state = 0x07 },
        .partner = { .system_mac = 0x00155d0000bb, .key = 2, .port = 2, .state = 0x3f },
        .mux = LACP_MUX_ATTACHED,
    };
    marker = (struct lacp_marker){ .system_mac = 5, .transaction = 1, .port = 6 };
    return 0;
}

static bool fetch(uint64_t now_ms)
{
    return lacp_transmit_fetch(&port, now_ms, frame);
}

static unsigned fetch_all(uint64_t now_ms)
{
    unsigned count = 0;

    while (fetch(now_ms)) {
        count++;
    }
    return count;
}

/* ---- LACPDUs --------------------------------------------------------------------------------- */

static void test_lacp_transmit_nothing_without_need(void **state)
{
    (void)state;

    assert_false(fetch(NOW));
    assert_int_equal(lacp_transmit_due_ms(&port, NOW), LACP_NEVER);
}

static void test_lacp_transmit_says_what_holds_when_it_is_taken(void **state)
{
    (void)state;

    port.ntt = true;
    port.actor.state = 0x3d;
    assert_true(fetch(NOW));

    assert_int_equal(lacp_pdu_read(frame, sizeof(frame), &pdu, &marker), LACP_PDU_LACP);
    assert_int_equal(pdu.actor.state, 0x3d);
    assert_int_equal(pdu.partner.system_mac, 0x00155d0000bb);
    assert_int_equal(frame[11], 0x01);     /* its link's own address */
    assert_false(port.ntt);
    assert_int_equal(port.pdus_out, 1);
    assert_false(fetch(NOW));
}

static void test_lacp_transmit_three_in_any_second(void **state)
{
    const uint64_t at_ms[] = { NOW, NOW + 400, NOW + 999 };
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        port.ntt = true;
        assert_int_equal(lacp_transmit_due_ms(&port, at_ms[i]), LACP_NEVER);
        assert_true(fetch(at_ms[i]));
    }
    for (unsigned i = 0; i < 3; i++) {
        port.ntt = true;
        assert_int_equal(lacp_transmit_due_ms(&port, NOW + 999), at_ms[i] + 1000);
        assert_false(fetch(at_ms[i] + 999));
        assert_true(fetch(at_ms[i] + 1000));
    }
}

/* ---- markers --------------------------------------------------------------------------------- */

static void test_lacp_transmit_answers_a_marker_first(void **state)
{
    struct lacp_marker answered = { .port = 0 };
    (void)state;

    port.ntt = true;
    lacp_transmit_answer(&port, &marker, NOW);
    assert_true(fetch(NOW));

    assert_int_equal(lacp_pdu_read(frame, sizeof(frame), &pdu, &answered),
                     LACP_PDU_MARKER_RESPONSE);
    assert_int_equal(answered.system_mac, marker.system_mac);
    assert_int_equal(answered.transaction, marker.transaction);
    assert_int_equal(answered.port, marker.port);
    assert_int_equal(port.pdus_out, 0);
    assert_true(fetch(NOW));
    assert_int_equal(lacp_pdu_read(frame, sizeof(frame), &pdu, &answered), LACP_PDU_LACP);
}

static void test_lacp_transmit_answers_markers_in_their_order(void **state)
{
    struct lacp_marker answered;
    (void)state;

    for (uint32_t i = 0; i < 9; i++) {
        marker.transaction = i;
        lacp_transmit_answer(&port, &marker, NOW);
    }

    for (uint32_t i = 0; i < LACP_MARKERS_KEPT; i++) {
        assert_true(fetch(NOW));
        (void)lacp_pdu_read(frame, sizeof(frame), &pdu, &answered);
        assert_int_equal(answered.transaction, i);
    }
    assert_false(fetch(NOW));
}

static void test_lacp_transmit_answers_ten_markers_a_second(void **state)
{
    unsigned count = 0;
    (void)state;

    for (unsigned i = 0; i < 5000; i++) {
        lacp_transmit_answer(&port, &marker, NOW + i);
        count += fetch_all(NOW + i);
    }

    assert_int_equal(count, 50);
}

static void test_lacp_transmit_answers_when_attached(void **state)
{
    (void)state;

    for (unsigned mux = 0; mux < LACP_MUX_STATE_COUNT; mux++) {
        port.mux = (enum lacp_mux_state)mux;
        lacp_transmit_answer(&port, &marker, NOW);
        assert_int_equal(fetch_all(NOW), mux >= LACP_MUX_ATTACHED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(test_lacp_transmit_##name, setup)
        T(nothing_without_need),
        T(says_what_holds_when_it_is_taken),
        T(three_in_any_second),
        T(answers_a_marker_first),
        T(answers_markers_in_their_order),
        T(answers_ten_markers_a_second),
        T(answers_when_attached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
