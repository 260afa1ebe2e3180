/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two ends of LACP wired to each other: how soon they agree, what makes them part, and how much
 * they say.
 */
#include "teaming/lacp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/lacp_lab.h"
#include "tests/support/random.h"

#define A 0u
#define B 1u

static struct lacp_lab lab;

static int setup(void **state)
{
    (void)state;
    lacp_lab_start(&lab);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lacp_lab_stop(&lab);
    return 0;
}

static uint8_t distributing(unsigned end)
{
    return lacp_distributing(lab.end[end].lacp);
}

static const char *why(unsigned end, unsigned number)
{
    return lacp_lab_status(&lab, end, number).why;
}

/* Two ends that agree on @p links, for so long that nothing is under way. */
static void agree(unsigned links)
{
    lacp_lab_connect(&lab, links);
    assert_int_not_equal(lacp_lab_until(&lab, (uint8_t)((1u << links) - 1), 10000), LACP_NEVER);
    lacp_lab_pass(&lab, 5000);
}

static void cut(unsigned number, bool is_cut)
{
    lab.end[A].wire[number].cut = lab.end[B].wire[number].cut = is_cut;
}

/* ---- agreeing -------------------------------------------------------------------------------- */

static void test_lacp_ends_agree_after_the_aggregate_wait(void **state)
{
    uint64_t took_ms;
    (void)state;

    lacp_lab_connect(&lab, 8);
    assert_int_equal(lab.end[A].sent[7], 1);       /* at once */
    took_ms = lacp_lab_until(&lab, 0xff, 10000);

    print_message("# measured: 8 links distribute after %u ms\n", (unsigned)took_ms);
    assert_in_range(took_ms, 2000, 3100);
    assert_string_equal(lacp_lab_status(&lab, A, 3).receive, "CURRENT");
    assert_string_equal(lacp_lab_status(&lab, A, 3).mux, "DISTRIBUTING");
    assert_int_equal(lacp_lab_status(&lab, A, 3).partner.system_mac, 0x00155d00000b);
    assert_int_equal(lacp_lab_status(&lab, A, 3).partner.port, 4);
}

static void test_lacp_ends_agree_by_bad_wires(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
            lab.end[end].wire[i].delay_ms = 40 * i;
            lab.end[end].wire[i].loss_percent = 10 * i;
        }
    }
    lacp_lab_connect(&lab, 4);

    assert_in_range(lacp_lab_until(&lab, 0x0f, 60000), 2000, 20000);
}

static void test_lacp_slow_ends_agree_and_say_little(void **state)
{
    unsigned sent;
    (void)state;

    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lab.end[end].config.slow = true;
        lacp_lab_configure(&lab, end);
    }
    lacp_lab_connect(&lab, 1);
    assert_in_range(lacp_lab_until(&lab, 0x01, 60000), 2000, 3100);
    sent = lab.end[A].sent[0];
    lacp_lab_pass(&lab, 300000);

    assert_in_range(lab.end[A].sent[0] - sent, 9, 11);
    assert_int_equal(distributing(A), 0x01);
}

static void test_lacp_passive_end_answers_an_active_one(void **state)
{
    (void)state;

    lab.end[A].config.passive = true;
    lacp_lab_configure(&lab, A);
    lacp_lab_connect(&lab, 2);

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 3100);
}

static void test_lacp_passive_ends_stay_silent(void **state)
{
    (void)state;

    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lab.end[end].config.passive = true;
        lacp_lab_configure(&lab, end);
    }
    lacp_lab_connect(&lab, 2);
    lacp_lab_pass(&lab, 300000);

    assert_int_equal(lab.end[A].sent[0] + lab.end[A].sent[1], 0);
    assert_int_equal(lab.end[B].sent[0] + lab.end[B].sent[1], 0);
    assert_int_equal(distributing(A), 0);
    assert_string_equal(why(A, 0), "has heard no partner");
}

static void test_lacp_nobody_there_is_asked_each_second(void **state)
{
    (void)state;

    cut(0, true);
    lacp_lab_connect(&lab, 1);
    lacp_lab_pass(&lab, 100000);

    assert_in_range(lab.end[A].sent[0], 100, 102);
    assert_string_equal(lacp_lab_status(&lab, A, 0).receive, "DEFAULTED");
    assert_int_equal(lacp_lab_status(&lab, A, 0).heard_ms, LACP_NEVER);
    cut(0, false);
    assert_in_range(lacp_lab_until(&lab, 0x01, 10000), 2000, 4100);
}

static void test_lacp_links_that_agree_say_one_pdu_a_second(void **state)
{
    unsigned sent, turns;
    (void)state;

    agree(8);
    sent = lab.end[A].sent[5];
    turns = lab.turns;
    lacp_lab_pass(&lab, 100000);

    assert_in_range(lab.end[A].sent[5] - sent, 99, 101);
    assert_true(lab.turns - turns < 100 * 8 * 4 + 8);      /* it does not spin */
    assert_int_equal(distributing(A), 0xff);
}

static void test_lacp_link_that_comes_later_waits_alone(void **state)
{
    (void)state;

    agree(2);
    lab.end[A].link[2] = lab.end[B].link[2] = lab.end[A].link[0];
    lacp_lab_set(&lab, A, 2);
    lacp_lab_set(&lab, B, 2);
    lacp_lab_pass(&lab, 1900);
    assert_int_equal(distributing(A), 0x03);
    assert_string_equal(why(A, 2), "waits a moment for links to join together");

    assert_in_range(lacp_lab_until(&lab, 0x07, 10000), 100, 1300);
}

/* ---- parting --------------------------------------------------------------------------------- */

static void test_lacp_carrier_loss_takes_a_link_at_once(void **state)
{
    unsigned sent;
    (void)state;

    agree(2);
    lacp_lab_carrier(&lab, 0, false);
    assert_int_equal(distributing(A), 0x02);
    assert_string_equal(why(A, 0), "has no carrier");
    assert_string_equal(lacp_lab_status(&lab, A, 0).receive, "PORT_DISABLED");
    lacp_lab_pass(&lab, 5000);
    sent = lab.end[A].sent[0];
    lacp_lab_carrier(&lab, 0, true);
    assert_int_equal(lab.end[A].sent[0], sent + 1);

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 3100);
}

static void test_lacp_silent_partner_is_left_after_three_seconds(void **state)
{
    uint64_t heard_ms;
    (void)state;

    agree(2);
    cut(0, true);
    heard_ms = lacp_lab_status(&lab, A, 0).heard_ms;
    lacp_lab_pass(&lab, heard_ms + 2999 - lab.now_ms);
    assert_int_equal(distributing(A), 0x03);
    lacp_lab_pass(&lab, 1);
    assert_int_equal(distributing(A), 0x02);
    assert_string_equal(lacp_lab_status(&lab, A, 0).receive, "EXPIRED");
    assert_string_equal(why(A, 0), "has not heard its partner for a while");
    lacp_lab_pass(&lab, 3000);

    assert_string_equal(lacp_lab_status(&lab, A, 0).receive, "DEFAULTED");
    assert_string_equal(lacp_lab_status(&lab, A, 0).mux, "DETACHED");
    cut(0, false);
    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 4100);
}

static void test_lacp_partner_heard_again_in_time_has_not_to_wait(void **state)
{
    (void)state;

    agree(2);
    cut(0, true);
    lacp_lab_pass(&lab, 4500);
    assert_int_equal(distributing(A), 0x02);
    cut(0, false);

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 1, 1100);
}

static void test_lacp_slow_partner_is_left_after_ninety_seconds(void **state)
{
    uint64_t heard_ms;
    (void)state;

    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lab.end[end].config.slow = true;
        lacp_lab_configure(&lab, end);
    }
    agree(1);
    cut(0, true);
    heard_ms = lacp_lab_status(&lab, A, 0).heard_ms;
    lacp_lab_pass(&lab, heard_ms + 89999 - lab.now_ms);
    assert_int_equal(distributing(A), 0x01);
    lacp_lab_pass(&lab, 1);

    assert_int_equal(distributing(A), 0);
}

static void test_lacp_heard_under_the_long_timeout_answers_to_the_short_one(void **state)
{
    (void)state;

    for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
        lab.end[end].config.slow = true;
        lacp_lab_configure(&lab, end);
    }
    agree(1);
    cut(0, true);
    lab.end[A].config.slow = false;
    lacp_lab_configure(&lab, A);
    lacp_lab_pass(&lab, LACP_SHORT_TIMEOUT_MS - 1);
    assert_int_equal(distributing(A), 0x01);
    lacp_lab_pass(&lab, 1);

    assert_int_equal(distributing(A), 0);
}

/* By the one way that is left the other end hears that it is not heard. */
static void test_lacp_one_way_wire_carries_neither_way(void **state)
{
    (void)state;

    agree(2);
    lab.end[A].wire[0].cut = true;
    lacp_lab_pass(&lab, 4100);

    assert_int_equal(distributing(A), 0x02);
    assert_int_equal(distributing(B), 0x02);
}

static void test_lacp_partner_with_another_key_waits_anew(void **state)
{
    (void)state;

    agree(2);
    lab.end[B].config.key = 77;
    lacp_lab_configure(&lab, B);
    assert_int_equal(distributing(B), 0);
    lacp_lab_pass(&lab, 10);
    assert_int_equal(distributing(A), 0);

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 1900, 4000);
    assert_int_equal(lacp_lab_status(&lab, A, 0).partner.key, 77);
}

static void test_lacp_partner_that_restarts_is_had_again(void **state)
{
    struct lacp_config config;
    (void)state;

    agree(2);
    config = lab.end[B].config;
    config.system_mac = 0x00155d0000bb;
    for (unsigned i = 0; i < 2; i++) {
        lab.end[B].link[i].present = false;
        lacp_lab_set(&lab, B, i);
    }
    lab.end[B].config = config;
    lacp_lab_configure(&lab, B);
    for (unsigned i = 0; i < 2; i++) {
        lab.end[B].link[i].present = true;
        lacp_lab_set(&lab, B, i);
    }

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 4000);
    assert_int_equal(lacp_lab_status(&lab, A, 1).partner.system_mac, 0x00155d0000bb);
}

static void test_lacp_configuring_the_same_disturbs_nothing(void **state)
{
    unsigned sent;
    (void)state;

    agree(2);
    sent = lab.end[A].sent[0];
    lacp_lab_configure(&lab, A);
    lacp_lab_set(&lab, A, 0);
    assert_int_equal(lab.end[A].sent[0], sent);
    lab.end[A].config.slow = true;
    lacp_lab_configure(&lab, A);

    assert_int_equal(lab.end[A].sent[0], sent + 1);
    assert_int_equal(lab.end[A].said[0].actor.state & LACP_STATE_SHORT_TIMEOUT, 0);
    assert_int_equal(distributing(A), 0x03);
}

static void test_lacp_member_that_leaves_is_gone_and_comes_as_new(void **state)
{
    (void)state;

    agree(2);
    lab.end[A].link[1].present = false;
    lacp_lab_set(&lab, A, 1);
    assert_int_equal(distributing(A), 0x01);
    assert_string_equal(why(A, 1), "is no member");
    assert_string_equal(lacp_lab_status(&lab, A, 1).mux, "");
    lab.end[A].link[1].present = true;
    lacp_lab_set(&lab, A, 1);

    assert_int_equal(lacp_lab_status(&lab, A, 1).pdus_in, 0);
    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 4000);
}

static void test_lacp_half_duplex_link_takes_no_part(void **state)
{
    (void)state;

    agree(2);
    lab.end[A].link[0].half_duplex = true;
    lacp_lab_set(&lab, A, 0);
    assert_int_equal(distributing(A), 0x02);
    assert_string_equal(why(A, 0), "is half duplex");
    lacp_lab_pass(&lab, 4000);
    assert_int_equal(distributing(B), 0x02);
    lab.end[A].link[0].half_duplex = false;
    lacp_lab_set(&lab, A, 0);

    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 2000, 4000);
}

/* ---- what is not a partner ------------------------------------------------------------------- */

static void test_lacp_loop_does_not_aggregate(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 3; i++) {     /* by itself, and from one link to another */
        lab.end[A].wire[i] = (struct lacp_lab_wire){ .end = A, .number = i == 0 ? 0 : 3 - i,
                                                     .delay_ms = 1 };
    }
    lacp_lab_connect(&lab, 4);
    lacp_lab_pass(&lab, 20000);

    assert_int_equal(distributing(A), 0x08);
    assert_string_equal(why(A, 0), "hears its own system: its cable leads back here");
    assert_string_equal(why(A, 2), "hears its own system: its cable leads back here");
}

static void test_lacp_garbage_is_counted_and_forgotten(void **state)
{
    uint8_t frame[256];
    (void)state;

    agree(2);
    for (unsigned i = 0; i < 2000; i++) {
        for (unsigned j = 0; j < sizeof(frame); j++) {
            frame[j] = (uint8_t)random_next(&lab.seed);
        }
        if (i % 2 == 0) {          /* it looks like one at first */
            lacp_pdu_write(&lab.end[B].said[0], 1, frame);
            frame[i / 2 % 3 * 20 + 17] ^= 0x80;
        }
        lacp_lab_give(&lab, A, 0, frame, random_below(&lab.seed, sizeof(frame) + 1));
    }

    assert_int_equal(lacp_lab_status(&lab, A, 0).pdus_bad, 2000);
    assert_int_equal(distributing(A), 0x03);
}

/* A stranger on the wire who says he is somebody else at each PDU has his answer three times a
 * second. */
static void test_lacp_answers_at_most_three_a_second(void **state)
{
    const unsigned before = lab.end[A].sent[0];
    (void)state;

    lab.end[A].link[0] = (struct lacp_link){ .present = true, .up = true };
    lacp_lab_set(&lab, A, 0);
    for (unsigned i = 0; i < 10000; i++) {
        struct lacp_pdu pdu = lab.end[A].said[0];
        uint8_t frame[LACP_PDU_FRAME_BYTES];

        pdu.actor.system_mac = i;
        pdu.partner.key = (uint16_t)i;
        lacp_pdu_write(&pdu, 1, frame);
        lacp_lab_give(&lab, A, 0, frame, sizeof(frame));
        lacp_lab_pass(&lab, 1);
    }

    assert_in_range(lab.end[A].sent[0] - before, 28, 33);
}

static void test_lacp_what_is_held_back_is_said_when_it_may(void **state)
{
    (void)state;

    agree(1);
    for (unsigned i = 0; i < 5; i++) {
        lab.end[A].config.slow = !lab.end[A].config.slow;
        lacp_lab_configure(&lab, A);
    }
    assert_int_not_equal(lab.end[A].said[0].actor.state & LACP_STATE_SHORT_TIMEOUT, 0);
    lacp_lab_pass(&lab, 1000);

    assert_int_equal(lab.end[A].said[0].actor.state & LACP_STATE_SHORT_TIMEOUT, 0);
}

static void test_lacp_stale_knowledge_is_corrected_at_once(void **state)
{
    struct lacp_pdu stale;
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned sent;
    (void)state;

    agree(1);
    sent = lab.end[A].sent[0];
    stale = lab.end[B].said[0];
    lacp_pdu_write(&stale, 1, frame);
    lacp_lab_give(&lab, A, 0, frame, sizeof(frame));
    assert_int_equal(lab.end[A].sent[0], sent);
    stale.partner.state &= (uint8_t)~LACP_STATE_SYNCHRONIZATION;
    lacp_pdu_write(&stale, 1, frame);
    lacp_lab_give(&lab, A, 0, frame, sizeof(frame));

    assert_int_equal(lab.end[A].sent[0], sent + 1);
}

static void test_lacp_marker_is_answered_at_once(void **state)
{
    struct lacp_marker marker = { .system_mac = 5, .transaction = 77, .port = 3 };
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    struct lacp_pdu pdu;
    unsigned number = 0;
    (void)state;

    agree(2);
    lacp_pdu_write_response(&marker, 1, frame);
    frame[16] = 1;                 /* it asks */
    lacp_receive(lab.end[A].lacp, 1, frame, sizeof(frame), lab.now_ms);
    assert_true(lacp_fetch(lab.end[A].lacp, lab.now_ms, &number, frame));

    assert_int_equal(number, 1);
    marker.transaction = 0;
    assert_int_equal(lacp_pdu_read(frame, sizeof(frame), &pdu, &marker), LACP_PDU_MARKER_RESPONSE);
    assert_int_equal(marker.transaction, 77);
    assert_int_equal(lacp_lab_status(&lab, A, 1).markers_in, 1);
    lacp_receive(lab.end[A].lacp, 1, frame, sizeof(frame), lab.now_ms);
    assert_false(lacp_fetch(lab.end[A].lacp, lab.now_ms, &number, frame));
    assert_int_equal(lacp_lab_status(&lab, A, 1).pdus_bad, 0);
}

static void test_lacp_marker_on_a_link_that_is_lost_has_no_answer(void **state)
{
    const struct lacp_marker marker = { .system_mac = 5, .transaction = 77, .port = 3 };
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;
    (void)state;

    agree(2);
    lacp_pdu_write_response(&marker, 1, frame);
    frame[16] = 1;
    lacp_receive(lab.end[A].lacp, 1, frame, sizeof(frame), lab.now_ms);
    lab.end[A].link[1].up = false;
    lacp_set_link(lab.end[A].lacp, 1, &lab.end[A].link[1], lab.now_ms);

    assert_false(lacp_fetch(lab.end[A].lacp, lab.now_ms, &number, frame));
}

static void test_lacp_partner_that_never_agrees_churns(void **state)
{
    struct lacp_pdu pdu;
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    (void)state;

    lab.end[A].link[0] = (struct lacp_link){ .present = true, .up = true };
    lacp_want(lab.end[A].lacp, 1, lab.now_ms);
    lacp_lab_set(&lab, A, 0);
    for (unsigned i = 0; i < 60; i++) {
        assert_false(lacp_lab_status(&lab, A, 0).partner_churn);
        pdu = (struct lacp_pdu){ .actor = { .system_mac = 5, .key = 5, .port = 5, .state = 0x07 },
                                 .partner = lab.end[A].said[0].actor };
        lacp_pdu_write(&pdu, 1, frame);
        lacp_lab_give(&lab, A, 0, frame, sizeof(frame));
        lacp_lab_pass(&lab, 1000);
    }

    assert_true(lacp_lab_status(&lab, A, 0).partner_churn);
    assert_false(lacp_lab_status(&lab, A, 0).actor_churn);
    assert_string_equal(why(A, 0), "waits for its partner to agree");
}

/* ---- anything -------------------------------------------------------------------------------- */

/* Something happens to a link, or to an end. */
static void befall(void)
{
    const unsigned end = random_below(&lab.seed, LACP_LAB_ENDS);
    const unsigned number = random_below(&lab.seed, 5);    /* one more than are connected */
    struct lacp_link *link = &lab.end[end].link[number];
    struct lacp_lab_wire *wire = &lab.end[end].wire[number];

    switch (random_below(&lab.seed, 8)) {
    case 0:
        link->present = !link->present;
        break;
    case 1:
        link->standby = !link->standby;
        break;
    case 2:
        wire->cut = !wire->cut;
        break;
    case 3:
        wire->loss_percent = random_below(&lab.seed, 101);
        wire->delay_ms = random_below(&lab.seed, 300);
        break;
    case 4:
        lab.end[end].config.key = (uint16_t)(1 + random_below(&lab.seed, 2));
        lab.end[end].config.slow = random_below(&lab.seed, 4) == 0;
        lab.end[end].config.passive = random_below(&lab.seed, 4) == 0;
        lacp_lab_configure(&lab, end);
        break;
    case 5:
        wire->end = random_below(&lab.seed, LACP_LAB_ENDS);
        wire->number = random_below(&lab.seed, 5);
        break;
    default:
        link->up = !link->up;
        break;
    }
    lacp_lab_set(&lab, end, number);
}

/* Whatever has happened, when all is well again both ends agree on all links. */
static void test_lacp_ends_find_each_other_again(void **state)
{
    uint64_t longest_ms = 0;
    (void)state;

    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 20; i++) {
            befall();
            lacp_lab_pass(&lab, random_below(&lab.seed, 3000));
        }
        for (unsigned end = 0; end < LACP_LAB_ENDS; end++) {
            lab.end[end].config.slow = lab.end[end].config.passive = false;
            lacp_lab_configure(&lab, end);
            lab.end[end].link[4].present = false;
            lacp_lab_set(&lab, end, 4);
            for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
                lab.end[end].wire[i] = (struct lacp_lab_wire){ .end = 1 - end, .number = i,
                                                               .delay_ms = 1 };
            }
        }
        lacp_lab_connect(&lab, 4);
        const uint64_t took_ms = lacp_lab_until(&lab, 0x0f, 15000);

        assert_int_not_equal(took_ms, LACP_NEVER);
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
    }
    print_message("# measured: ends agree again after %u ms at most\n", (unsigned)longest_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_lacp_##name, setup, teardown)
        T(ends_agree_after_the_aggregate_wait),
        T(ends_agree_by_bad_wires),
        T(slow_ends_agree_and_say_little),
        T(passive_end_answers_an_active_one),
        T(passive_ends_stay_silent),
        T(nobody_there_is_asked_each_second),
        T(links_that_agree_say_one_pdu_a_second),
        T(link_that_comes_later_waits_alone),
        T(carrier_loss_takes_a_link_at_once),
        T(silent_partner_is_left_after_three_seconds),
        T(partner_heard_again_in_time_has_not_to_wait),
        T(slow_partner_is_left_after_ninety_seconds),
        T(heard_under_the_long_timeout_answers_to_the_short_one),
        T(one_way_wire_carries_neither_way),
        T(partner_with_another_key_waits_anew),
        T(partner_that_restarts_is_had_again),
        T(configuring_the_same_disturbs_nothing),
        T(member_that_leaves_is_gone_and_comes_as_new),
        T(half_duplex_link_takes_no_part),
        T(loop_does_not_aggregate),
        T(garbage_is_counted_and_forgotten),
        T(answers_at_most_three_a_second),
        T(what_is_held_back_is_said_when_it_may),
        T(stale_knowledge_is_corrected_at_once),
        T(marker_is_answered_at_once),
        T(marker_on_a_link_that_is_lost_has_no_answer),
        T(partner_that_never_agrees_churns),
        T(ends_find_each_other_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
