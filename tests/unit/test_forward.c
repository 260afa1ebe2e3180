/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision, rule by rule, on a fabric compiled from a real model: three ports on one switch,
 * one port alone on a second.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define GROUP UINT64_C(0x01005e0000fb)

/* Port numbers: a, b and c on switch "red", lonely on "blue". */
static struct {
    uint16_t a, b, c, lonely;
} port;

static int setup(void **state)
{
    struct forward_lab *lab;

    (void)forward_lab_setup(state);
    lab = *state;
    forward_lab_switch(lab, "empty", NULL);
    forward_lab_switch(lab, "red", NULL);
    forward_lab_switch(lab, "blue", NULL);
    port.a = forward_lab_vnic(lab, "red", "a", "none", NULL);
    port.lonely = forward_lab_vnic(lab, "blue", "lonely", "none", NULL);
    port.b = forward_lab_vnic(lab, "red", "b", "none", NULL);
    port.c = forward_lab_vnic(lab, "red", "c", "none", NULL);
    forward_lab_compile(lab);
    return 0;
}

static struct mac_table *red(const struct forward_lab *lab)
{
    return forward_lab_table(lab, "red");
}

static void lab_learn(struct forward_lab *lab, uint64_t mac, uint16_t behind)
{
    assert_int_equal(mac_table_learn(red(lab), mac, 0, behind, 1), MAC_LEARN_NEW);
}

static const struct frame *lab_frame(struct forward_lab *lab, uint16_t port_in,
                                     uint64_t destination, uint64_t source)
{
    return forward_lab_frame(lab, port_in, destination, source, NO_TAG);
}

/* ---- where to -------------------------------------------------------------------------------- */

static void test_forward_known_unicast_goes_to_its_port_alone(void **state)
{
    struct forward_lab *lab = *state;
    const struct frame *frame;

    lab_learn(lab, MAC(2), port.b);
    frame = lab_frame(lab, port.a, MAC(2), MAC(1));

    assert_int_equal(frame->port_out, port.b);
    assert_int_equal(frame->vlan_tci, 0);
    assert_int_equal(lab->batch.flood_count, 0);
}

static void test_forward_unknown_unicast_floods(void **state)
{
    struct forward_lab *lab = *state;

    assert_int_equal(lab_frame(lab, port.a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(lab->batch.flood_count, 1);
    assert_int_equal(lab->classes.broadcast_frames, 0);
    assert_int_equal(lab->classes.multicast_frames, 0);
}

static void test_forward_broadcast_and_multicast_flood_and_are_counted(void **state)
{
    struct forward_lab *lab = *state;

    batch_start(&lab->batch, port.a);
    batch_add(&lab->batch, MAC_BROADCAST, MAC(1));
    batch_add(&lab->batch, GROUP, MAC(1));
    batch_add(&lab->batch, GROUP, MAC(1));
    forward_lab_run(lab);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(lab->batch.frame[i].port_out, PORT_FLOOD);
    }
    assert_int_equal(lab->batch.flood_count, 3);
    assert_int_equal(lab->classes.broadcast_frames, 1);
    assert_int_equal(lab->classes.multicast_frames, 2);
}

static void test_forward_destination_on_the_ingress_port_is_dropped(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.a);

    forward_lab_dropped(lab_frame(lab, port.a, MAC(2), MAC(1)), DROP_BACK_TO_SENDER);
}

static void test_forward_flood_with_no_other_port_is_dropped(void **state)
{
    struct forward_lab *lab = *state;

    forward_lab_dropped(lab_frame(lab, port.lonely, MAC(2), MAC(1)), DROP_NO_OTHER_PORT);
    forward_lab_dropped(lab_frame(lab, port.lonely, MAC_BROADCAST, MAC(1)), DROP_NO_OTHER_PORT);
    assert_int_equal(lab->batch.flood_count, 0);
    assert_int_equal(lab->classes.broadcast_frames, 1);
}

/* The table outlives the fabric it was filled under. */
static void test_forward_entry_of_a_port_that_is_gone_floods(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.c);
    assert_int_equal(vswitch_remove_vnic(lab->model, "c", NULL), 0);
    forward_lab_compile(lab);

    assert_int_equal(lab_frame(lab, port.a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_entry_of_another_switch_floods(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.lonely);

    assert_int_equal(lab_frame(lab, port.a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_switches_do_not_share_addresses(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.b);

    forward_lab_dropped(lab_frame(lab, port.lonely, MAC(2), MAC(1)), DROP_NO_OTHER_PORT);
}

/* ---- what may not be sent -------------------------------------------------------------------- */

static void test_forward_bad_source_is_dropped_by_name_and_not_learned(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.b);

    forward_lab_dropped(lab_frame(lab, port.a, MAC(2), 0), DROP_SOURCE_ZERO);
    forward_lab_dropped(lab_frame(lab, port.a, MAC(2), GROUP), DROP_SOURCE_MULTICAST);
    forward_lab_dropped(lab_frame(lab, port.a, MAC_BROADCAST, MAC_BROADCAST),
                        DROP_SOURCE_MULTICAST);
    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(lab->batch.flood_count, 0);
}

static void test_forward_short_frame_is_dropped_among_good_ones(void **state)
{
    struct forward_lab *lab = *state;
    uint16_t len;

    lab_learn(lab, MAC(2), port.b);
    for (len = 0; len < 14; len++) {
        batch_start(&lab->batch, port.a);
        for (unsigned i = 0; i < 4; i++) {
            batch_add(&lab->batch, MAC(2), MAC(1));
        }
        for (unsigned i = 0; i < 4; i += 2) {
            lab->batch.frame[i].hdr_len_bytes = len;
            lab->batch.frame[i].len_bytes = len;
        }
        forward_lab_run(lab);

        forward_lab_dropped(&lab->batch.frame[0], DROP_FRAME_TOO_SHORT);
        assert_int_equal(lab->batch.frame[1].port_out, port.b);
        forward_lab_dropped(&lab->batch.frame[2], DROP_FRAME_TOO_SHORT);
        assert_int_equal(lab->batch.frame[3].port_out, port.b);
        assert_int_equal(lab->classes.multicast_frames, 0);
        assert_int_equal(lab->notes.count, 1);
    }
}

static void test_forward_empty_batch_is_nothing(void **state)
{
    struct forward_lab *lab = *state;

    batch_start(&lab->batch, port.a);
    forward_lab_run(lab);

    assert_int_equal(lab->batch.flood_count, 0);
    assert_int_equal(lab->notes.count, 0);
}

/* ---- learning -------------------------------------------------------------------------------- */

static void test_forward_new_source_is_noted_once_a_batch(void **state)
{
    struct forward_lab *lab = *state;

    batch_start(&lab->batch, port.a);
    for (unsigned i = 0; i < 12; i++) {
        batch_add(&lab->batch, MAC(9), MAC(i % 3));
    }
    forward_lab_run(lab);

    assert_int_equal(lab->notes.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(lab->notes.note[i].mac == MAC(i));
        assert_int_equal(lab->notes.note[i].port, port.a);
        assert_int_equal(lab->notes.note[i].vlan, 0);
        assert_int_equal(lab->notes.note[i].generation, FORWARD_LAB_GENERATION);
        assert_ptr_equal(lab->fabric->switches[lab->notes.note[i].switch_index].table, red(lab));
    }
}

static void test_forward_known_source_is_refreshed_and_not_noted(void **state)
{
    struct forward_lab *lab = *state;
    struct mac_entry entry;
    size_t cursor = 0;

    lab_learn(lab, MAC(1), port.a);
    lab_frame(lab, port.a, MAC(9), MAC(1));

    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(mac_table_list(red(lab), FORWARD_LAB_NOW_S + 1, &cursor, &entry, 1), 1);
    assert_int_equal(entry.age_s, 1);
}

static void test_forward_source_behind_another_port_is_noted(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(1), port.b);
    lab_frame(lab, port.a, MAC(9), MAC(1));

    assert_int_equal(lab->notes.count, 1);
    assert_int_equal(lab->notes.note[0].port, port.a);
}

static void test_forward_source_pinned_elsewhere_is_dropped_and_not_noted(void **state)
{
    struct forward_lab *lab = *state;

    assert_int_equal(mac_table_add_static(red(lab), MAC(1), 0, port.b), 0);

    forward_lab_dropped(lab_frame(lab, port.a, MAC(9), MAC(1)), DROP_SOURCE_ELSEWHERE);
    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(lab_frame(lab, port.b, MAC(9), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_port_at_quota_notes_nothing(void **state)
{
    struct forward_lab *lab = *state;

    for (unsigned i = 0; i < FORWARD_LAB_QUOTA; i++) {
        lab_learn(lab, MAC(100 + i), port.a);
    }

    assert_int_equal(lab_frame(lab, port.a, MAC(9), MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 0);
    lab_frame(lab, port.b, MAC(9), MAC(1));
    assert_int_equal(lab->notes.count, 1);
}

static void test_forward_dropped_destination_still_teaches_its_source(void **state)
{
    struct forward_lab *lab = *state;

    lab_learn(lab, MAC(2), port.a);

    forward_lab_dropped(lab_frame(lab, port.a, MAC(2), MAC(1)), DROP_BACK_TO_SENDER);
    assert_int_equal(lab->notes.count, 1);
}

/* ---- batches against one frame at a time ----------------------------------------------------- */

static uint64_t random_address(uint64_t *random)
{
    static const uint64_t special[] = { 0, MAC_BROADCAST, GROUP };
    const uint32_t n = random_below(random, 24);

    return n < 3 ? special[n] : MAC(n);
}

/* What is remembered within a batch must not show: the same frames one a batch decide the same. */
static void test_forward_random_batches_decide_as_single_frames_do(void **state)
{
    struct forward_lab *lab = *state;
    uint64_t random = 5;

    for (unsigned i = 3; i < 18; i++) {
        lab_learn(lab, MAC(i), i % 3 == 0 ? port.a : i % 3 == 1 ? port.b : port.lonely);
    }
    assert_int_equal(mac_table_add_static(red(lab), MAC(20), 0, port.c), 0);

    for (unsigned round = 0; round < 3000; round++) {
        uint64_t destination[FRAME_BURST], source[FRAME_BURST];
        struct frame decided[FRAME_BURST];
        unsigned floods = 0, broadcasts = 0, multicasts = 0, noted, count;

        batch_start(&lab->batch, port.a);
        count = 1 + random_below(&random, FRAME_BURST);
        for (unsigned i = 0; i < count; i++) {
            const bool again = i > 0 && random_below(&random, 2) == 0;

            destination[i] = again ? destination[i - 1] : random_address(&random);
            source[i] = i > 0 && random_below(&random, 2) == 0 ? source[i - 1]
                                                               : random_address(&random);
            batch_add(&lab->batch, destination[i], source[i]);
        }
        forward_lab_run(lab);
        memcpy(decided, lab->batch.frame, count * sizeof(decided[0]));
        noted = lab->notes.count;
        for (unsigned i = 0; i < count; i++) {
            broadcasts += destination[i] == MAC_BROADCAST;
            multicasts += mac_is_group(destination[i]) && destination[i] != MAC_BROADCAST;
            floods += decided[i].port_out == PORT_FLOOD;
        }
        assert_int_equal(lab->batch.flood_count, floods);
        assert_int_equal(lab->classes.broadcast_frames, broadcasts);
        assert_int_equal(lab->classes.multicast_frames, multicasts);

        for (unsigned i = 0; i < count; i++) {
            const struct frame *alone = lab_frame(lab, port.a, destination[i], source[i]);
            bool is_first = true;

            for (unsigned j = 0; j < i; j++) {
                is_first = is_first && source[j] != source[i];
            }
            assert_int_equal(decided[i].port_out, alone->port_out);
            if (alone->port_out == PORT_NONE) {
                assert_int_equal(decided[i].drop_reason, alone->drop_reason);
            }
            noted -= is_first ? lab->notes.count : 0;
        }
        assert_int_equal(noted, 0);
    }
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, forward_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_forward_known_unicast_goes_to_its_port_alone),
        LAB_TEST(test_forward_unknown_unicast_floods),
        LAB_TEST(test_forward_broadcast_and_multicast_flood_and_are_counted),
        LAB_TEST(test_forward_destination_on_the_ingress_port_is_dropped),
        LAB_TEST(test_forward_flood_with_no_other_port_is_dropped),
        LAB_TEST(test_forward_entry_of_a_port_that_is_gone_floods),
        LAB_TEST(test_forward_entry_of_another_switch_floods),
        LAB_TEST(test_forward_switches_do_not_share_addresses),
        LAB_TEST(test_forward_bad_source_is_dropped_by_name_and_not_learned),
        LAB_TEST(test_forward_short_frame_is_dropped_among_good_ones),
        LAB_TEST(test_forward_empty_batch_is_nothing),
        LAB_TEST(test_forward_new_source_is_noted_once_a_batch),
        LAB_TEST(test_forward_known_source_is_refreshed_and_not_noted),
        LAB_TEST(test_forward_source_behind_another_port_is_noted),
        LAB_TEST(test_forward_source_pinned_elsewhere_is_dropped_and_not_noted),
        LAB_TEST(test_forward_port_at_quota_notes_nothing),
        LAB_TEST(test_forward_dropped_destination_still_teaches_its_source),
        LAB_TEST(test_forward_random_batches_decide_as_single_frames_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
