/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Teams in the model: who may be a member, what a team is an uplink of, and what stays when members
 * come and go.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/model_lab.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define WHERES "name a network interface (eth1), a PCI address (0000:01:00.0) or a device of " \
               "DPDK's (vdev:net_tap0)"

/* ---- words ----------------------------------------------------------------------------------- */

static void test_team_words_are_those_of_the_command_line(void **state)
{
    (void)state;

    assert_string_equal(team_mode_word(TEAM_INDEPENDENT), "switch-independent");
    assert_string_equal(team_mode_word(TEAM_LACP), "lacp");
    assert_string_equal(team_balance_word(TEAM_DYNAMIC), "dynamic");
    assert_string_equal(team_hash_word(TEAM_HASH_L3), "l3");
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void test_vswitch_team_has_members_with_ports_of_their_own(void **state)
{
    struct lab *lab = *state;
    const uint16_t vnic = (add(lab, "lan"), add_vnic(lab, "lan", "web")->port);
    struct vswitch_team wanted = a_team("t0", "eth1", "01:00.0");
    const struct vswitch_team *team;

    assert_int_equal(vswitch_team_put(&wanted, "vdev:net_tap0,iface=x", true, &lab->error), 0);
    team = add_team(lab, wanted);

    assert_ptr_equal(vswitch_team_by_id(lab->model, team->id), team);
    assert_string_equal(team->member[0].where, "eth1");
    assert_string_equal(team->member[1].where, "01:00.0");
    assert_false(team->member[0].standby);
    assert_true(team->member[2].standby);
    assert_string_equal(team->member[3].where, "");
    assert_true(team->member[0].port != vnic && team->member[1].port != vnic);
    assert_int_not_equal(team->member[0].port, team->member[1].port);
}

static void test_vswitch_team_keeps_the_places_it_is_added_with(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t0", NULL, NULL);
    const struct vswitch_team *team;

    snprintf(wanted.member[3].where, sizeof(wanted.member[3].where), "eth1");
    team = add_team(lab, wanted);

    assert_string_equal(team->member[0].where, "");
    assert_string_equal(team->member[3].where, "eth1");
}

static void test_vswitch_team_copy_is_its_own(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", NULL));
    struct vswitch_model *copy = vswitch_model_copy(lab->model);

    assert_non_null(copy);
    assert_int_equal(vswitch_remove_team(copy, "t0", &lab->error), 0);
    assert_null(vswitch_find_team(copy, "t0"));
    assert_ptr_equal(vswitch_find_team(lab->model, "t0"), team);
    vswitch_model_destroy(copy);
}

static void test_vswitch_team_names_are_as_others(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("a b", "eth1", NULL);

    assert_refused(lab, vswitch_add_team(m, &wanted, e), EINVAL, "\"a b\" cannot name a team; "
                   "choose 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or a digit");
    wanted = a_team("t0", "eth1", NULL);
    (void)add_team(lab, wanted);
    wanted = a_team("t0", "eth2", NULL);
    assert_refused(lab, vswitch_add_team(m, &wanted, e), EEXIST, "a team named \"t0\" already "
                   "exists; choose another name or remove it first");
    wanted = a_team("t1", "eth2", NULL);
    assert_refused(lab, vswitch_set_team(m, &wanted, e), ENOENT, "there is no team named \"t1\"; "
                   "there is \"t0\"");
    assert_refused(lab, vswitch_remove_team(m, "t1", e), ENOENT, "there is no team named \"t1\"; "
                   "there is \"t0\"");
}

static void test_vswitch_teams_are_as_many_as_there_can_be(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted;
    char name[32], where[32];

    for (unsigned i = 0; i < VSWITCH_MAX_TEAMS; i++) {
        snprintf(name, sizeof(name), "t%u", i);
        snprintf(where, sizeof(where), "eth%u", i);
        assert_int_equal(add_team(lab, a_team(name, where, NULL))->id, i);
    }
    wanted = a_team("more", "more", NULL);
    assert_refused(lab, vswitch_add_team(m, &wanted, e), ENOSPC, "team \"more\" cannot be added, "
                   "because there are 24 already and no more can be; remove one first");
}

static void test_vswitch_team_number_just_freed_is_not_given_again(void **state)
{
    struct lab *lab = *state;
    const uint16_t first = add_team(lab, a_team("t0", "eth1", NULL))->id;

    assert_int_equal(vswitch_remove_team(lab->model, "t0", &lab->error), 0);

    assert_int_not_equal(add_team(lab, a_team("t0", "eth1", NULL))->id, first);
}

/* ---- members --------------------------------------------------------------------------------- */

static void test_vswitch_team_member_is_an_interface_or_a_device(void **state)
{
    static const char *const bad[] = { "a b", "team:t1", "eth0:1", "vdev:", "\033[2J" };
    struct lab *lab = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct vswitch_team wanted = a_team("t0", bad[i], NULL);

        assert_int_equal(vswitch_add_team(lab->model, &wanted, &lab->error), -EINVAL);
        assert_non_null(strstr(lab->error.text, "cannot be a member; " WHERES));
        assert_null(strchr(lab->error.text, '\033'));
    }
}

static void test_vswitch_team_needs_a_member_that_is_active(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t0", NULL, NULL);

    assert_refused(lab, vswitch_add_team(m, &wanted, e), EINVAL, "team \"t0\" would have no "
                   "member; name 1 to 8 with --members");
    assert_int_equal(vswitch_team_put(&wanted, "eth1", true, NULL), 0);
    assert_refused(lab, vswitch_add_team(m, &wanted, e), EINVAL, "team \"t0\" would have standby "
                   "members only, which stand in for others; name one of them with --members");
}

static void test_vswitch_team_takes_eight_members(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t0", NULL, NULL);
    char where[16];

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        snprintf(where, sizeof(where), "eth%u", i);
        assert_int_equal(vswitch_team_put(&wanted, where, i == 7, &lab->error), 0);
    }
    assert_int_equal(vswitch_team_put(&wanted, "eth8", false, &lab->error), -ERANGE);
    assert_string_equal(lab->error.text, "team \"t0\" would have more than 8 members; leave some "
                        "out");
    (void)add_team(lab, wanted);
}

static void test_vswitch_team_member_is_there_once(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t0", "01:00.0", "0000:01:00.0");

    assert_refused(lab, vswitch_add_team(m, &wanted, e), EINVAL, "team \"t0\": \"0000:01:00.0\" is "
                   "there twice; a device is a member once, active or standby");
    wanted = a_team("t0", "vdev:net_tap0,iface=x", "vdev:net_tap0,iface=y");
    assert_int_equal(vswitch_add_team(lab->model, &wanted, &lab->error), -EINVAL);
}

static void test_vswitch_team_member_is_nobody_elses(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t1", "eth3", "eth1");

    (void)add_team(lab, a_team("t0", "eth1", NULL));
    assert_refused(lab, vswitch_add_team(m, &wanted, e), EBUSY, "team \"t1\" cannot have member "
                   "\"eth1\", which is one of team \"t0\"; name another, or take it out there "
                   "first");
    (void)add_made(lab, an_external("ext", "0000:01:00.0"));
    wanted = a_team("t1", "01:00.0", NULL);
    assert_refused(lab, vswitch_add_team(m, &wanted, e), EBUSY, "team \"t1\" cannot have member "
                   "\"01:00.0\", which is the uplink of switch \"ext\"; name another, or take it "
                   "away there first");
    (void)add_made(lab, an_internal("lan"));
    wanted = a_team("t1", "lan", NULL);
    assert_refused(lab, vswitch_add_team(m, &wanted, e), EBUSY, "team \"t1\" cannot have member "
                   "\"lan\", which is the host's own adapter on switch \"lan\"; name another");
}

static void test_vswitch_switch_cannot_have_what_is_a_members(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("ext", "eth1");

    (void)add_team(lab, a_team("t0", "eth1", NULL));
    assert_refused(lab, vswitch_add(m, &wanted, e), EBUSY, "switch \"ext\" cannot have uplink "
                   "\"eth1\", which is a member of team \"t0\"; name another, or take it out of "
                   "the team first");
    wanted = an_internal("eth1");
    assert_refused(lab, vswitch_add(m, &wanted, e), EEXIST, "switch \"eth1\": its host vNIC would "
                   "be called \"eth1\", which is a member of team \"t0\"; choose another name for "
                   "the switch");
}

/* ---- changing -------------------------------------------------------------------------------- */

static void test_vswitch_team_member_that_stays_keeps_place_and_port(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", "01:00.0"));
    const uint16_t went = team->member[0].port, stays = team->member[1].port;
    const struct vswitch_team wanted = a_team("t0", "0000:01:00.0", "eth3");

    assert_int_equal(vswitch_set_team(lab->model, &wanted, &lab->error), 0);

    assert_string_equal(team->member[1].where, "0000:01:00.0");
    assert_int_equal(team->member[1].port, stays);
    assert_string_equal(team->member[0].where, "eth3");
    assert_int_not_equal(team->member[0].port, went);
    assert_int_not_equal(team->member[0].port, stays);
    assert_string_equal(team->member[2].where, "");
}

static void test_vswitch_team_member_goes_and_leaves_its_place(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", "eth2"));
    const uint16_t went = team->member[0].port;
    const struct vswitch_team wanted = a_team("t0", "eth2", NULL);
    struct vswitch_port port;

    assert_int_equal(vswitch_set_team(lab->model, &wanted, &lab->error), 0);

    assert_string_equal(team->member[0].where, "");
    assert_string_equal(team->member[1].where, "eth2");
    assert_false(vswitch_port_at(lab->model, went, &port));
}

static void test_vswitch_team_settings_change_and_members_stand_by(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", "eth2"));
    struct vswitch_team wanted = *team;

    wanted.setting.mode = TEAM_LACP;
    wanted.setting.hash = TEAM_HASH_L2;
    wanted.setting.lacp_slow = true;
    wanted.force = true;
    wanted.member[1].standby = true;
    assert_int_equal(vswitch_set_team(lab->model, &wanted, &lab->error), 0);

    assert_int_equal(team->setting.mode, TEAM_LACP);
    assert_int_equal(team->setting.hash, TEAM_HASH_L2);
    assert_true(team->setting.lacp_slow && team->force && team->member[1].standby);
    assert_int_equal(team->member[1].port, wanted.member[1].port);
}

static void test_vswitch_team_knobs_have_ranges(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = a_team("t0", "eth1", NULL);

    wanted.setting.gap_ms = 60001;
    assert_refused(lab, vswitch_add_team(m, &wanted, e), ERANGE, "team \"t0\": flowlet-gap in ms "
                   "60001 is out of range; choose 0 to 60000");
    wanted = a_team("t0", "eth1", NULL);
    wanted.setting.rebalance_ms = 99;
    assert_refused(lab, vswitch_add_team(m, &wanted, e), ERANGE, "team \"t0\": rebalance in ms 99 "
                   "is out of range; choose 100 to 3600000");
    wanted = a_team("t0", "eth1", NULL);
    wanted.setting.imbalance_percent = 0;
    assert_refused(lab, vswitch_add_team(m, &wanted, e), ERANGE, "team \"t0\": imbalance in "
                   "percent 0 is out of range; choose 1 to 1000");
    wanted = a_team("t0", "eth1", NULL);
    wanted.setting.up_delay_ms = 3600001;
    assert_refused(lab, vswitch_add_team(m, &wanted, e), ERANGE, "team \"t0\": up-delay in ms "
                   "3600001 is out of range; choose 0 to 3600000");
}

/* ---- as an uplink ---------------------------------------------------------------------------- */

static void test_vswitch_team_is_the_uplink_of_one_switch(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", NULL));
    struct vswitch_switch wanted = an_external("ext", "team:t0");
    const struct vswitch_switch *ext;

    wanted.mtu_bytes = 9000;
    assert_int_equal(vswitch_team_mtu(lab->model, team), 1500);
    assert_null(vswitch_of_team(lab->model, team));
    ext = add_made(lab, wanted);

    assert_ptr_equal(vswitch_team_of(lab->model, ext), team);
    assert_ptr_equal(vswitch_of_team(lab->model, team), ext);
    assert_int_equal(vswitch_team_mtu(lab->model, team), 9000);
    wanted = an_external("other", "team:t0");
    assert_refused(lab, vswitch_add(m, &wanted, e), EBUSY, "switch \"other\" cannot have uplink "
                   "\"team:t0\", which is that of switch \"ext\"; name another, or take it away "
                   "there first");
    assert_refused(lab, vswitch_remove_team(m, "t0", e), EBUSY, "team \"t0\" is the uplink of "
                   "switch \"ext\"; give that another with switch set ext --uplink, or remove it "
                   "first");
    assert_int_equal(vswitch_remove(lab->model, "ext", false, &lab->error), 0);
    assert_int_equal(vswitch_remove_team(lab->model, "t0", &lab->error), 0);
}

static void test_vswitch_uplink_that_is_no_team_is_refused(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch wanted = an_external("ext", "team:t1");

    assert_refused(lab, vswitch_add(m, &wanted, e), ENOENT, "switch \"ext\": there is no team "
                   "named \"t1\", nor any other; add it first");
    (void)add_team(lab, a_team("t0", "eth1", NULL));
    assert_refused(lab, vswitch_add(m, &wanted, e), ENOENT, "switch \"ext\": there is no team "
                   "named \"t1\"; there is \"t0\"");
}

static void test_vswitch_team_has_no_addresses_to_move(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("ext", "team:t0");

    (void)add_team(lab, a_team("t0", "eth1", NULL));
    wanted.host_vnic = true;
    wanted.move_addresses = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"ext\": uplink \"team:t0\" is "
                   "several interfaces, of which none is the one to move addresses from; leave "
                   "--move-addresses out, and give the host vNIC its own with --host-address");
}

/* ---- as ports -------------------------------------------------------------------------------- */

static void test_vswitch_member_is_a_port_of_no_list(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", "eth2"));
    struct vswitch_port port;
    size_t cursor = 0;

    assert_true(vswitch_port_at(lab->model, team->member[1].port, &port));
    assert_int_equal(port.kind, VSWITCH_PORT_MEMBER);
    assert_string_equal(vswitch_port_kind_word(port.kind), "member");
    assert_string_equal(port.name, "eth2");
    assert_ptr_equal(port.team, team);
    assert_int_equal(port.switch_id, FABRIC_MAX_SWITCHES);
    assert_int_equal(port.mtu_bytes, 1500);
    assert_int_equal(port.queues, 1);
    assert_null(port.vnic);
    assert_false(vswitch_port_next(lab->model, FABRIC_MAX_SWITCHES, &cursor, &port));
}

static void test_vswitch_ports_of_a_team_that_is_an_uplink_know_it(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_team *team = add_team(lab, a_team("t0", "eth1", "eth2"));
    struct vswitch_switch wanted = an_external("ext", "team:t0");
    const struct vswitch_switch *ext;
    struct vswitch_port port;
    size_t cursor = 0;

    wanted.mtu_bytes = 4000;
    ext = add_made(lab, wanted);

    assert_true(vswitch_port_next(lab->model, ext->id, &cursor, &port));
    assert_int_equal(port.kind, VSWITCH_PORT_UPLINK);
    assert_string_equal(port.name, "team:t0");
    assert_ptr_equal(port.team, team);
    assert_false(vswitch_port_next(lab->model, ext->id, &cursor, &port));
    assert_true(vswitch_port_at(lab->model, team->member[0].port, &port));
    assert_int_equal(port.switch_id, ext->id);
    assert_int_equal(port.mtu_bytes, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_words_are_those_of_the_command_line),
        LAB_TEST(test_vswitch_team_has_members_with_ports_of_their_own),
        LAB_TEST(test_vswitch_team_keeps_the_places_it_is_added_with),
        LAB_TEST(test_vswitch_team_copy_is_its_own),
        LAB_TEST(test_vswitch_team_names_are_as_others),
        LAB_TEST(test_vswitch_teams_are_as_many_as_there_can_be),
        LAB_TEST(test_vswitch_team_number_just_freed_is_not_given_again),
        LAB_TEST(test_vswitch_team_member_is_an_interface_or_a_device),
        LAB_TEST(test_vswitch_team_needs_a_member_that_is_active),
        LAB_TEST(test_vswitch_team_takes_eight_members),
        LAB_TEST(test_vswitch_team_member_is_there_once),
        LAB_TEST(test_vswitch_team_member_is_nobody_elses),
        LAB_TEST(test_vswitch_switch_cannot_have_what_is_a_members),
        LAB_TEST(test_vswitch_team_member_that_stays_keeps_place_and_port),
        LAB_TEST(test_vswitch_team_member_goes_and_leaves_its_place),
        LAB_TEST(test_vswitch_team_settings_change_and_members_stand_by),
        LAB_TEST(test_vswitch_team_knobs_have_ranges),
        LAB_TEST(test_vswitch_team_is_the_uplink_of_one_switch),
        LAB_TEST(test_vswitch_uplink_that_is_no_team_is_refused),
        LAB_TEST(test_vswitch_team_has_no_addresses_to_move),
        LAB_TEST(test_vswitch_member_is_a_port_of_no_list),
        LAB_TEST(test_vswitch_ports_of_a_team_that_is_an_uplink_know_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
