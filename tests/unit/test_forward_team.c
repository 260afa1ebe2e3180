/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team as the uplink of a switch: frames of ours that come back by another member.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"

#define OUTSIDE MAC(100)           /* a station beyond the uplink */
#define INSIDE  MAC(1)             /* one behind the open vNIC */

/* On external switch "red", whose uplink is a team: an open and a locked vNIC. */
static struct {
    uint16_t open, locked, uplink;
} port;

static void make(void **state, enum team_mode mode)
{
    const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "team:t0" };
    const struct vswitch_vnic locked = { .spoof_guard = true };
    struct vswitch_team team = { .name = "t0", .setting.mode = mode };
    struct forward_lab *lab;

    (void)forward_lab_setup(state);
    lab = *state;
    team_setting_default(&team.setting);
    assert_int_equal(vswitch_team_put(&team, "eth1", false, NULL), 0);
    assert_int_equal(vswitch_team_put(&team, "eth2", false, NULL), 0);
    assert_int_equal(vswitch_add_team(lab->model, &team, NULL), 0);
    forward_lab_switch(lab, "red", &external);
    port.open = forward_lab_vnic(lab, "red", "open", "none", NULL);
    port.locked = forward_lab_vnic(lab, "red", "locked", "none", &locked);
    port.uplink = vswitch_find(lab->model, "red")->uplink_port;
    forward_lab_compile(lab);
}

static int setup(void **state)
{
    make(state, TEAM_INDEPENDENT);
    return 0;
}

static int setup_static(void **state)
{
    make(state, TEAM_STATIC);
    return 0;
}

/* What is known of INSIDE: that it was heard behind the open vNIC so long ago. */
static void heard(struct forward_lab *lab, uint32_t ago_s)
{
    (void)mac_table_learn(forward_lab_table(lab, "red"), INSIDE, 0, port.open,
                          FORWARD_LAB_NOW_S - ago_s);
}

static const struct frame *comes_back(struct forward_lab *lab)
{
    return forward_lab_frame(lab, port.uplink, MAC_BROADCAST, INSIDE, NO_TAG);
}

static void test_forward_team_drops_what_comes_back_and_learns_nothing(void **state)
{
    struct forward_lab *lab = *state;

    for (uint32_t ago_s = 0; ago_s <= 2; ago_s++) {
        heard(lab, ago_s);

        forward_lab_dropped(comes_back(lab), DROP_TEAM_REFLECTED);
        assert_int_equal(lab->notes.count, 0);
        assert_int_equal(lab->batch.flood_count, 0);
    }
}

static void test_forward_team_takes_a_worker_ahead_for_just_now(void **state)
{
    struct forward_lab *lab = *state;

    heard(lab, (uint32_t)-1);

    forward_lab_dropped(comes_back(lab), DROP_TEAM_REFLECTED);
}

static void test_forward_team_learns_a_station_that_has_moved_outside(void **state)
{
    struct forward_lab *lab = *state;

    heard(lab, 3);

    assert_int_equal(comes_back(lab)->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 1);
    assert_int_equal(lab->notes.note[0].port, port.uplink);
}

static void test_forward_team_takes_strangers_and_those_it_knows_outside(void **state)
{
    struct forward_lab *lab = *state;

    assert_int_equal(forward_lab_frame(lab, port.uplink, MAC_BROADCAST, OUTSIDE, NO_TAG)->port_out,
                     PORT_FLOOD);
    assert_int_equal(lab->notes.count, 1);
    forward_lab_learn(lab);
    assert_int_equal(forward_lab_frame(lab, port.uplink, MAC_BROADCAST, OUTSIDE, NO_TAG)->port_out,
                     PORT_FLOOD);
    assert_int_equal(lab->notes.count, 0);
}

static void test_forward_team_names_a_locked_address_from_outside_otherwise(void **state)
{
    struct forward_lab *lab = *state;

    forward_lab_dropped(forward_lab_frame(lab, port.uplink, MAC_BROADCAST,
                                          forward_lab_mac(lab, "locked"), NO_TAG),
                        DROP_SOURCE_ELSEWHERE);
}

static void test_forward_team_lets_a_station_move_between_vnics_at_once(void **state)
{
    struct forward_lab *lab = *state;
    const uint16_t other = forward_lab_vnic(lab, "red", "other", "none", NULL);

    forward_lab_compile(lab);
    heard(lab, 0);

    assert_int_equal(forward_lab_frame(lab, other, MAC_BROADCAST, INSIDE, NO_TAG)->port_out,
                     PORT_FLOOD);
    assert_int_equal(lab->notes.count, 1);
}

static void test_forward_team_that_is_one_link_reflects_nothing(void **state)
{
    struct forward_lab *lab = *state;

    heard(lab, 0);

    assert_int_equal(comes_back(lab)->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, forward_lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_forward_team_drops_what_comes_back_and_learns_nothing),
        TEST(test_forward_team_takes_a_worker_ahead_for_just_now),
        TEST(test_forward_team_learns_a_station_that_has_moved_outside),
        TEST(test_forward_team_takes_strangers_and_those_it_knows_outside),
        TEST(test_forward_team_names_a_locked_address_from_outside_otherwise),
        TEST(test_forward_team_lets_a_station_move_between_vnics_at_once),
        cmocka_unit_test_setup_teardown(test_forward_team_that_is_one_link_reflects_nothing,
                                        setup_static, forward_lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
