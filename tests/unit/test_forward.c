/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision, rule by rule, on a fabric compiled from a real model: three ports on one switch,
 * one port alone on a second.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/drop.h"
#include "switch/mac.h"
#include "switch/mac_table_lookup.h"
#include "switch/vswitch.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define MAC(n)     (UINT64_C(0x020000000000) + (n))
#define GROUP      UINT64_C(0x01005e0000fb)
#define NOW_S      77u
#define GENERATION 9u
#define QUOTA      40u

struct lab {
    struct frame_batch batch;      /* first, for its alignment */
    struct vswitch_model *model;
    struct fabric *fabric;
    struct mac_table *table[FABRIC_MAX_SWITCHES];
    struct forward_notes notes;
    struct forward_classes classes;
    uint16_t a, b, c, lonely;      /* port numbers */
};

static uint16_t lab_vnic(struct lab *lab, const char *on, const char *name)
{
    struct vswitch_vnic wanted = { .queues = 1 };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    assert_int_equal(vswitch_add_vnic(lab->model, on, &wanted, NULL), 0);
    return vswitch_find_vnic(lab->model, name)->port;
}

static void lab_switch(struct lab *lab, const char *name)
{
    const struct mac_table_config config = {
        .capacity_entries = 1024, .ageing_s = 300, .quota_entries = QUOTA, .seed = 1,
    };
    struct vswitch_switch wanted = { .mtu_bytes = 1500, .mac_capacity_entries = 1024 };
    struct mac_table *table = mac_table_create(&config);

    assert_non_null(table);
    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    assert_int_equal(vswitch_add(lab->model, &wanted, NULL), 0);
    lab->table[vswitch_find(lab->model, name)->id] = table;
}

static void lab_compile(struct lab *lab)
{
    const struct fabric_binding binding = { .table = lab->table, .worker_count = 1 };

    fabric_destroy(lab->fabric);
    lab->fabric = fabric_compile(lab->model, &binding, GENERATION);
    assert_non_null(lab->fabric);
}

static int lab_setup(void **state)
{
    struct lab *lab = aligned_alloc(64, (sizeof(*lab) + 63) / 64 * 64);

    assert_non_null(lab);
    memset(lab, 0, sizeof(*lab));
    lab->model = vswitch_model_create(0x0102);
    assert_non_null(lab->model);
    lab_switch(lab, "empty");
    lab_switch(lab, "red");
    lab_switch(lab, "blue");
    lab->a = lab_vnic(lab, "red", "a");
    lab->lonely = lab_vnic(lab, "blue", "lonely");
    lab->b = lab_vnic(lab, "red", "b");
    lab->c = lab_vnic(lab, "red", "c");
    lab_compile(lab);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct lab *lab = *state;

    fabric_destroy(lab->fabric);
    for (unsigned i = 0; i < FABRIC_MAX_SWITCHES; i++) {
        mac_table_destroy(lab->table[i]);
    }
    vswitch_model_destroy(lab->model);
    free(lab);
    return 0;
}

static struct mac_table *red(struct lab *lab)
{
    return lab->table[vswitch_find(lab->model, "red")->id];
}

static void lab_learn(struct lab *lab, uint64_t mac, uint16_t port)
{
    assert_int_equal(mac_table_learn(red(lab), mac, 0, port, 1), MAC_LEARN_NEW);
}

static void lab_forward(struct lab *lab)
{
    lab->notes.count = 1000;
    lab->classes.broadcast_frames = lab->classes.multicast_frames = 1000;
    lab->batch.flood_count = 1000;
    forward_batch(lab->fabric, &lab->batch, NOW_S, &lab->notes, &lab->classes);
}

/* Forwards one frame and gives it back. */
static const struct frame *lab_frame(struct lab *lab, uint16_t port_in, uint64_t destination,
                                     uint64_t source)
{
    struct frame *frame;

    batch_start(&lab->batch, port_in);
    frame = batch_add(&lab->batch, destination, source);
    frame->vlan_tci = 0xffff;
    lab_forward(lab);
    return frame;
}

static void check_dropped(const struct frame *frame, enum drop_reason reason)
{
    assert_int_equal(frame->port_out, PORT_NONE);
    assert_int_equal(frame->drop_reason, reason);
}

/* ---- where to -------------------------------------------------------------------------------- */

static void test_forward_known_unicast_goes_to_its_port_alone(void **state)
{
    struct lab *lab = *state;
    const struct frame *frame;

    lab_learn(lab, MAC(2), lab->b);
    frame = lab_frame(lab, lab->a, MAC(2), MAC(1));

    assert_int_equal(frame->port_out, lab->b);
    assert_int_equal(frame->vlan_tci, 0);
    assert_int_equal(lab->batch.flood_count, 0);
}

static void test_forward_unknown_unicast_floods(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_frame(lab, lab->a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(lab->batch.flood_count, 1);
    assert_int_equal(lab->classes.broadcast_frames, 0);
    assert_int_equal(lab->classes.multicast_frames, 0);
}

static void test_forward_broadcast_and_multicast_flood_and_are_counted(void **state)
{
    struct lab *lab = *state;

    batch_start(&lab->batch, lab->a);
    batch_add(&lab->batch, MAC_BROADCAST, MAC(1));
    batch_add(&lab->batch, GROUP, MAC(1));
    batch_add(&lab->batch, GROUP, MAC(1));
    lab_forward(lab);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(lab->batch.frame[i].port_out, PORT_FLOOD);
    }
    assert_int_equal(lab->batch.flood_count, 3);
    assert_int_equal(lab->classes.broadcast_frames, 1);
    assert_int_equal(lab->classes.multicast_frames, 2);
}

static void test_forward_destination_on_the_ingress_port_is_dropped(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->a);

    check_dropped(lab_frame(lab, lab->a, MAC(2), MAC(1)), DROP_BACK_TO_SENDER);
}

static void test_forward_flood_with_no_other_port_is_dropped(void **state)
{
    struct lab *lab = *state;

    check_dropped(lab_frame(lab, lab->lonely, MAC(2), MAC(1)), DROP_NO_OTHER_PORT);
    check_dropped(lab_frame(lab, lab->lonely, MAC_BROADCAST, MAC(1)), DROP_NO_OTHER_PORT);
    assert_int_equal(lab->batch.flood_count, 0);
    assert_int_equal(lab->classes.broadcast_frames, 1);
}

/* The table outlives the fabric it was filled under. */
static void test_forward_entry_of_a_port_that_is_gone_floods(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->c);
    assert_int_equal(vswitch_remove_vnic(lab->model, "c", NULL), 0);
    lab_compile(lab);

    assert_int_equal(lab_frame(lab, lab->a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_entry_of_another_switch_floods(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->lonely);

    assert_int_equal(lab_frame(lab, lab->a, MAC(2), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_switches_do_not_share_addresses(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->b);

    check_dropped(lab_frame(lab, lab->lonely, MAC(2), MAC(1)), DROP_NO_OTHER_PORT);
}

/* ---- what may not be sent -------------------------------------------------------------------- */

static void test_forward_bad_source_is_dropped_by_name_and_not_learned(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->b);

    check_dropped(lab_frame(lab, lab->a, MAC(2), 0), DROP_SOURCE_ZERO);
    check_dropped(lab_frame(lab, lab->a, MAC(2), GROUP), DROP_SOURCE_MULTICAST);
    check_dropped(lab_frame(lab, lab->a, MAC_BROADCAST, MAC_BROADCAST), DROP_SOURCE_MULTICAST);
    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(lab->batch.flood_count, 0);
}

static void test_forward_short_frame_is_dropped_among_good_ones(void **state)
{
    struct lab *lab = *state;
    uint16_t len;

    lab_learn(lab, MAC(2), lab->b);
    for (len = 0; len < 14; len++) {
        batch_start(&lab->batch, lab->a);
        for (unsigned i = 0; i < 4; i++) {
            batch_add(&lab->batch, MAC(2), MAC(1));
        }
        for (unsigned i = 0; i < 4; i += 2) {
            lab->batch.frame[i].hdr_len_bytes = len;
            lab->batch.frame[i].len_bytes = len;
        }
        lab_forward(lab);

        check_dropped(&lab->batch.frame[0], DROP_FRAME_TOO_SHORT);
        assert_int_equal(lab->batch.frame[1].port_out, lab->b);
        check_dropped(&lab->batch.frame[2], DROP_FRAME_TOO_SHORT);
        assert_int_equal(lab->batch.frame[3].port_out, lab->b);
        assert_int_equal(lab->classes.multicast_frames, 0);
        assert_int_equal(lab->notes.count, 1);
    }
}

static void test_forward_empty_batch_is_nothing(void **state)
{
    struct lab *lab = *state;

    batch_start(&lab->batch, lab->a);
    lab_forward(lab);

    assert_int_equal(lab->batch.flood_count, 0);
    assert_int_equal(lab->notes.count, 0);
}

/* ---- learning -------------------------------------------------------------------------------- */

static void test_forward_new_source_is_noted_once_a_batch(void **state)
{
    struct lab *lab = *state;

    batch_start(&lab->batch, lab->a);
    for (unsigned i = 0; i < 12; i++) {
        batch_add(&lab->batch, MAC(9), MAC(i % 3));
    }
    lab_forward(lab);

    assert_int_equal(lab->notes.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(lab->notes.note[i].mac == MAC(i));
        assert_int_equal(lab->notes.note[i].port, lab->a);
        assert_int_equal(lab->notes.note[i].vlan, 0);
        assert_int_equal(lab->notes.note[i].generation, GENERATION);
        assert_ptr_equal(lab->fabric->switches[lab->notes.note[i].switch_index].table, red(lab));
    }
}

static void test_forward_known_source_is_refreshed_and_not_noted(void **state)
{
    struct lab *lab = *state;
    struct mac_entry entry;
    size_t cursor = 0;

    lab_learn(lab, MAC(1), lab->a);
    lab_frame(lab, lab->a, MAC(9), MAC(1));

    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(mac_table_list(red(lab), NOW_S + 1, &cursor, &entry, 1), 1);
    assert_int_equal(entry.age_s, 1);
}

static void test_forward_source_behind_another_port_is_noted(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(1), lab->b);
    lab_frame(lab, lab->a, MAC(9), MAC(1));

    assert_int_equal(lab->notes.count, 1);
    assert_int_equal(lab->notes.note[0].port, lab->a);
}

static void test_forward_source_pinned_elsewhere_is_dropped_and_not_noted(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(mac_table_add_static(red(lab), MAC(1), 0, lab->b), 0);

    check_dropped(lab_frame(lab, lab->a, MAC(9), MAC(1)), DROP_SOURCE_ELSEWHERE);
    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(lab_frame(lab, lab->b, MAC(9), MAC(1))->port_out, PORT_FLOOD);
}

static void test_forward_port_at_quota_notes_nothing(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < QUOTA; i++) {
        lab_learn(lab, MAC(100 + i), lab->a);
    }

    assert_int_equal(lab_frame(lab, lab->a, MAC(9), MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 0);
    lab_frame(lab, lab->b, MAC(9), MAC(1));
    assert_int_equal(lab->notes.count, 1);
}

static void test_forward_dropped_destination_still_teaches_its_source(void **state)
{
    struct lab *lab = *state;

    lab_learn(lab, MAC(2), lab->a);

    check_dropped(lab_frame(lab, lab->a, MAC(2), MAC(1)), DROP_BACK_TO_SENDER);
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
    struct lab *lab = *state;
    uint64_t random = 5;

    for (unsigned i = 3; i < 18; i++) {
        lab_learn(lab, MAC(i), i % 3 == 0 ? lab->a : i % 3 == 1 ? lab->b : lab->lonely);
    }
    assert_int_equal(mac_table_add_static(red(lab), MAC(20), 0, lab->c), 0);

    for (unsigned round = 0; round < 3000; round++) {
        uint64_t destination[FRAME_BURST], source[FRAME_BURST];
        struct frame decided[FRAME_BURST];
        unsigned floods = 0, broadcasts = 0, multicasts = 0, noted, count;

        batch_start(&lab->batch, lab->a);
        count = 1 + random_below(&random, FRAME_BURST);
        for (unsigned i = 0; i < count; i++) {
            const bool again = i > 0 && random_below(&random, 2) == 0;

            destination[i] = again ? destination[i - 1] : random_address(&random);
            source[i] = i > 0 && random_below(&random, 2) == 0 ? source[i - 1]
                                                               : random_address(&random);
            batch_add(&lab->batch, destination[i], source[i]);
        }
        lab_forward(lab);
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
            const struct frame *alone = lab_frame(lab, lab->a, destination[i], source[i]);
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

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

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
