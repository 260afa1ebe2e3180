/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Teams as a script has them: what `team` commands take, refuse, keep and tell.  Members are
 * devices that every host has.
 */
#include "tests/support/control_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ONE   "vdev:net_null1"
#define TWO   "vdev:net_null2"
#define THREE "vdev:net_null3"

/* The names of the team's members that are active, or stand by, with blanks between. */
static void assert_members(struct lab *lab, bool standby, const char *names)
{
    struct lab_answer answer;
    const json_t *members;
    char text[256] = "";

    assert_int_equal(lab_ask(lab, &answer, "team show t0"), 0);
    members = lab_value(answer.json, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);

        if (json_is_true(json_object_get(member, "standby")) == standby) {
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
                           text[0] == '\0' ? "" : " ",
                           json_string_value(json_object_get(member, "name")));
        }
    }
    assert_string_equal(text, names);
    lab_answer_release(&answer);
}

static void assert_value(struct lab *lab, const char *command, const char *path, const char *text)
{
    struct lab_answer answer;
    const json_t *value;

    assert_int_equal(lab_ask(lab, &answer, "%s", command), 0);
    value = lab_value(answer.json, path);
    if (text == NULL) {
        assert_true(json_is_null(value));
    } else {
        assert_string_equal(json_string_value(value), text);
    }
    lab_answer_release(&answer);
}

static void assert_number(struct lab *lab, const char *path, int64_t number)
{
    struct lab_answer answer;

    assert_int_equal(lab_ask(lab, &answer, "team show t0"), 0);
    assert_int_equal(lab_number(answer.json, path), number);
    lab_answer_release(&answer);
}

static void test_team_has_the_defaults_of_the_help(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE "," TWO), 0);

    assert_value(lab, "team show t0", "mode", "switch-independent");
    assert_value(lab, "team show t0", "balance", "dynamic");
    assert_value(lab, "team show t0", "hash", "l4");
    assert_value(lab, "team show t0", "lacp_rate", "fast");
    assert_value(lab, "team show t0", "lacp_activity", "active");
    assert_value(lab, "team show t0", "uplink_of", NULL);
    assert_number(lab, "flowlet_gap_ms", 100);
    assert_number(lab, "rebalance_ms", 1000);
    assert_number(lab, "imbalance_percent", 10);
    assert_number(lab, "up_delay_ms", 1000);
    assert_members(lab, false, ONE " " TWO);
}

static void test_team_members_have_the_keys_of_the_contract(void **state)
{
    static const char *const keys[] = {
        "name", "state", "carrier", "active", "standby", "why", "lacp", "from_frames", "to_frames",
        "drops", "share_percent",
    };
    struct lab *lab = *state;
    struct lab_answer answer;
    const json_t *member;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE), 0);
    assert_int_equal(lab_ask(lab, &answer, "team show t0"), 0);
    member = json_array_get(lab_value(answer.json, "members"), 0);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (json_object_get(member, keys[i]) == NULL) {
            fail_msg("no key %s", keys[i]);
        }
    }
    assert_true(json_is_null(json_object_get(member, "lacp")));
    lab_answer_release(&answer);
    assert_int_equal(lab_do(lab, "team set t0 --mode lacp"), 0);
    assert_int_equal(lab_ask(lab, &answer, "team show t0"), 0);
    member = json_array_get(lab_value(answer.json, "members"), 0);
    assert_non_null(json_object_get(json_object_get(member, "lacp"), "partner"));
    lab_answer_release(&answer);
}

static void test_team_is_what_was_asked_for_also_after_a_restart(void **state)
{
    struct lab *lab = *state;
    char *before, *after;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE " --standby " TWO " --mode lacp "
                                 "--balance hash --hash l3 --flowlet-gap 7ms --rebalance 2s "
                                 "--imbalance 20 --up-delay 0s --lacp-rate slow "
                                 "--lacp-activity passive --force"), 0);
    before = control_lab_text(lab, "config show");
    assert_int_equal(lab_stop(lab), 0);
    assert_int_equal(lab_start(lab, NULL), 0);
    after = control_lab_text(lab, "config show");

    assert_string_equal(before, after);
    assert_number(lab, "flowlet_gap_ms", 7);
    assert_number(lab, "up_delay_ms", 0);
    assert_value(lab, "team show t0", "lacp_rate", "slow");
    assert_members(lab, true, TWO);
    free(before);
    free(after);
}

static void test_team_set_members_join_and_leave(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE), 0);
    assert_int_equal(lab_do(lab, "team set t0 --add-member " TWO "," THREE), 0);
    assert_members(lab, false, ONE " " TWO " " THREE);
    assert_int_equal(lab_do(lab, "team set t0 --remove-member " ONE), 0);
    assert_members(lab, false, TWO " " THREE);
    control_lab_assert_refused(lab, "team set t0 --remove-member " ONE,
                               "team \"t0\" has no member \"" ONE "\"");
    control_lab_assert_refused(lab, "team set t0 --remove-member " TWO "," THREE,
                               "would have no member");
    control_lab_assert_refused(lab, "team set t0 --add-member " TWO, "is there twice");
    control_lab_assert_refused(lab, "team set t0 --add-member ,", "is a list of interfaces");
    assert_members(lab, false, TWO " " THREE);
}

/* Else it would be kept waiting because of a carrier that it never lost. */
static void test_team_member_in_anothers_place_is_a_new_one(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE "," TWO " --up-delay 1h"), 0);
    assert_number(lab, "active_count", 2);
    assert_int_equal(lab_do(lab, "team set t0 --remove-member " TWO " --add-member " THREE), 0);
    assert_members(lab, false, ONE " " THREE);
    assert_number(lab, "active_count", 2);
}

static void test_team_set_lists_are_whole_and_take_from_each_other(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE "," TWO), 0);
    assert_int_equal(lab_do(lab, "team set t0 --standby " TWO), 0);
    assert_members(lab, false, ONE);
    assert_members(lab, true, TWO);
    assert_int_equal(lab_do(lab, "team set t0 --members " TWO), 0);
    assert_members(lab, false, TWO);
    assert_members(lab, true, "");
    control_lab_assert_refused(lab, "team set t0 --members " ONE " --standby " ONE,
                               "is there twice");
    control_lab_assert_refused(lab, "team set t0 --standby " TWO, "standby members only");
    assert_int_equal(lab_do(lab, "team set t0 --members " ONE " --standby none"), 0);
    assert_members(lab, false, ONE);
}

static void test_team_list_keeps_a_devices_arguments_together(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE ",size=64,copy=1," TWO), 0);

    assert_members(lab, false, ONE ",size=64,copy=1 " TWO);
}

static void test_team_gap_follows_the_balance_unless_it_was_chosen(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE " --balance hash"), 0);
    assert_number(lab, "flowlet_gap_ms", 5);
    assert_int_equal(lab_do(lab, "team set t0 --balance dynamic"), 0);
    assert_number(lab, "flowlet_gap_ms", 100);
    assert_int_equal(lab_do(lab, "team set t0 --flowlet-gap 30ms"), 0);
    assert_int_equal(lab_do(lab, "team set t0 --balance port"), 0);
    assert_number(lab, "flowlet_gap_ms", 30);
}

static void test_team_is_listed_counted_and_removed(void **state)
{
    struct lab *lab = *state;
    struct lab_answer answer;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE " --standby " TWO), 0);
    assert_int_equal(control_lab_count(lab, "team list"), 1);
    assert_int_equal(lab_ask(lab, &answer, "stats show t0"), 0);
    assert_int_equal(json_array_size(lab_value(answer.json, "ports")), 2);
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(lab, &answer, "stats show " TWO), 0);
    assert_int_equal(json_array_size(lab_value(answer.json, "ports")), 1);
    lab_answer_release(&answer);
    assert_int_equal(lab_do(lab, "team remove t0"), 0);
    assert_int_equal(control_lab_count(lab, "team list"), 0);
    control_lab_assert_refused(lab, "team show t0", "there is no team named \"t0\"");
    control_lab_assert_refused(lab, "team remove t0", "there is no team named \"t0\"");
}

static void test_team_refusals_name_what_is_wrong(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE), 0);
    control_lab_assert_refused(lab, "team add t0 --members " TWO, "already exists");
    control_lab_assert_refused(lab, "team add t1 --members " ONE, "which is one of team \"t0\"");
    control_lab_assert_refused(lab, "team add t1 --members team:t0", "cannot be a member");
    control_lab_assert_refused(lab, "switch add ext --type external --uplink " ONE,
                               "which is a member of team \"t0\"");
    control_lab_assert_refused(lab, "switch add ext --type external --uplink team:t9",
                               "there is no team named \"t9\"");
    control_lab_assert_refused(lab, "switch add ext --type external --uplink team:t0 "
                                    "--host-vnic on --move-addresses", "is several interfaces");
    control_lab_assert_refused(lab, "capture start --on team:t9 --write /dev/null",
                               "there is no team named \"t9\"");
}

static void test_team_words_that_are_none_are_usage(void **state)
{
    struct lab *lab = *state;
    struct lab_answer answer;
    static const char *const commands[] = {
        "team add t0", "team add t0 --members " ONE " --mode bond", "team set t0",
        "team add t0 --members " ONE " --balance l4", "team add t0 --members " ONE " --hash l5",
        "team add t0 --members " ONE " --rebalance 1ms",
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_int_equal(lab_ask(lab, &answer, "%s", commands[i]), 2);
        lab_answer_release(&answer);
    }
}

static void test_team_capture_is_of_its_members(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_do(lab, "team add t0 --members " ONE "," TWO), 0);

    assert_int_equal(lab_do(lab, "capture start --on team:t0 --seconds 1 --write /dev/null"), 0);
    assert_int_equal(lab_do(lab, "capture start --on uplink:" TWO " --seconds 1 "
                                 "--write /dev/null"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_lab_setup, control_lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_team_has_the_defaults_of_the_help),
        TEST(test_team_members_have_the_keys_of_the_contract),
        TEST(test_team_is_what_was_asked_for_also_after_a_restart),
        TEST(test_team_set_members_join_and_leave),
        TEST(test_team_member_in_anothers_place_is_a_new_one),
        TEST(test_team_set_lists_are_whole_and_take_from_each_other),
        TEST(test_team_list_keeps_a_devices_arguments_together),
        TEST(test_team_gap_follows_the_balance_unless_it_was_chosen),
        TEST(test_team_is_listed_counted_and_removed),
        TEST(test_team_refusals_name_what_is_wrong),
        TEST(test_team_words_that_are_none_are_usage),
        TEST(test_team_capture_is_of_its_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
