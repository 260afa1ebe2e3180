/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Teams in the state file.
 */
#include "ctl/persist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{ \"version\": 2, \"mac_pool\": { \"next\": \"00:15:5d:0a:01:00\" }, "
#define TAIL "\"switches\": [], \"vnics\": [], \"macs\": [] }"
#define TEAM(more)                                                                              \
    "\"teams\": [ { \"name\": \"t0\", \"mode\": \"lacp\", \"balance\": \"hash\", "              \
    "\"hash\": \"l3\", \"flowlet_gap_ms\": 5, \"rebalance_ms\": 1000, "                         \
    "\"imbalance_percent\": 10, \"up_delay_ms\": 0" more " } ], "

/* The model that @p text says, or NULL with why not. */
static struct vswitch_model *reads(const char *text, struct error *error)
{
    struct vswitch_model *model = NULL;

    return persist_from_text(text, strlen(text), &model, error) == 0 ? model : NULL;
}

static void refused(const char *text, const char *place, const char *why)
{
    struct error error = { 0 };

    assert_null(reads(text, &error));
    if (strstr(error.text, place) != error.text || strstr(error.text, why) == NULL) {
        fail_msg("refused otherwise: %s", error.text);
    }
}

/* A team with all there can be, the uplink of a switch. */
static struct vswitch_model *a_model(void)
{
    struct vswitch_model *model = vswitch_model_create(0x0a01);
    struct vswitch_team team = { .name = "t0", .force = true };
    struct vswitch_switch ext = {
        .name = "ext", .type = VSWITCH_EXTERNAL, .mtu_bytes = 9000, .mac_capacity_entries = 100,
        .uplink = "team:t0",
    };

    assert_non_null(model);
    team.setting = (struct team_setting){
        .mode = TEAM_LACP, .balance = TEAM_HASH, .hash = TEAM_HASH_L3, .lacp_slow = true,
        .lacp_passive = true, .gap_ms = 7, .rebalance_ms = 2000, .imbalance_percent = 20,
        .up_delay_ms = 500,
    };
    assert_int_equal(vswitch_team_put(&team, "eth1", false, NULL), 0);
    assert_int_equal(vswitch_team_put(&team, "eth2", true, NULL), 0);
    assert_int_equal(vswitch_team_put(&team, "vdev:net_tap0,iface=x", false, NULL), 0);
    assert_int_equal(vswitch_add_team(model, &team, NULL), 0);
    assert_int_equal(vswitch_add(model, &ext, NULL), 0);
    return model;
}

static void test_persist_team_comes_back_as_it_was(void **state)
{
    struct vswitch_model *model = a_model(), *again;
    json_t *root = persist_to_json(model);
    char *text = json_dumps(root, JSON_INDENT(2));
    const struct vswitch_team *was = vswitch_find_team(model, "t0"), *is;
    struct error error = { 0 };
    (void)state;

    assert_non_null(text);
    again = reads(text, &error);
    assert_non_null(again);

    is = vswitch_find_team(again, "t0");
    assert_memory_equal(&is->setting, &was->setting, sizeof(is->setting));
    assert_true(is->force);
    assert_string_equal(is->member[0].where, "eth1");
    assert_string_equal(is->member[1].where, "vdev:net_tap0,iface=x");
    assert_string_equal(is->member[2].where, "eth2");
    assert_true(!is->member[0].standby && !is->member[1].standby && is->member[2].standby);
    assert_ptr_equal(vswitch_team_of(again, vswitch_find(again, "ext")), is);
    vswitch_model_destroy(model);
    vswitch_model_destroy(again);
    json_decref(root);
    free(text);
}

static void test_persist_without_teams_has_no_such_key(void **state)
{
    struct vswitch_model *model = vswitch_model_create(0x0a01);
    json_t *root = persist_to_json(model);
    (void)state;

    assert_non_null(root);
    assert_null(json_object_get(root, "teams"));
    json_decref(root);
    vswitch_model_destroy(model);
}

static void test_persist_team_as_it_may_be_written(void **state)
{
    struct error error = { 0 };
    struct vswitch_model *model = reads(HEAD TEAM(", \"members\": [\"eth1\"]") TAIL, &error);
    const struct vswitch_team *team;
    (void)state;

    assert_non_null(model);
    team = vswitch_find_team(model, "t0");
    assert_int_equal(team->setting.mode, TEAM_LACP);
    assert_int_equal(team->setting.hash, TEAM_HASH_L3);
    assert_false(team->setting.lacp_slow || team->setting.lacp_passive || team->force);
    vswitch_model_destroy(model);
}

static void test_persist_team_that_breaks_a_rule_is_refused_with_its_place(void **state)
{
    (void)state;

    refused(HEAD TEAM("") TAIL, "teams[0]: ", "would have no member");
    refused(HEAD TEAM(", \"standby\": [\"eth1\"]") TAIL, "teams[0]: ", "standby members only");
    refused(HEAD TEAM(", \"members\": [\"a b\"]") TAIL, "teams[0]: ", "cannot be a member");
    refused(HEAD TEAM(", \"members\": [\"a\",\"a\"]") TAIL, "teams[0]: ", "is there twice");
    refused(HEAD TEAM(", \"members\": [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]")
            TAIL, "teams[0]: ", "\"members\" must be a list of at most 8");
    refused(HEAD TEAM(", \"members\": [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"], "
                      "\"standby\": [\"i\"]") TAIL, "teams[0]: ", "more than 8 members");
    refused(HEAD TEAM(", \"members\": [1]") TAIL, "teams[0]: ", "\"members\" must be a text");
    refused(HEAD TEAM(", \"knob\": 1") TAIL, "teams[0]: ", "is not known here");
    refused(HEAD "\"teams\": {}, " TAIL, "\"teams\"", "must be a list");
    refused(HEAD "\"teams\": [ { \"name\": \"t0\", \"mode\": \"bond\" } ], " TAIL, "teams[0]: ",
            "\"mode\" must be \"switch-independent\", \"static\" or \"lacp\"");
    refused(HEAD "\"teams\": [ { \"name\": \"t0\", \"mode\": 1 } ], " TAIL, "teams[0]: ",
            "\"mode\" must be \"switch-independent\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_persist_team_comes_back_as_it_was),
        cmocka_unit_test(test_persist_without_teams_has_no_such_key),
        cmocka_unit_test(test_persist_team_as_it_may_be_written),
        cmocka_unit_test(test_persist_team_that_breaks_a_rule_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
