/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model to break rules on: what tests of vswitch*.c share.
 *
 * Include it after cmocka.
 */
#ifndef TESTS_SUPPORT_MODEL_LAB_H
#define TESTS_SUPPORT_MODEL_LAB_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/vswitch.h"

#define POOL     0x0a0bu
#define MAC_1    UINT64_C(0x020000000001)
#define MAC_2    UINT64_C(0x020000000002)
#define MAC_3    UINT64_C(0x020000000003)
#define POOL_MAC UINT64_C(0x00155d0a0b00)

struct lab {
    struct vswitch_model *model;
    struct error error;
};

static inline int lab_setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    lab->model = vswitch_model_create(POOL);
    assert_non_null(lab->model);
    *state = lab;
    return 0;
}

static inline int lab_teardown(void **state)
{
    struct lab *lab = *state;

    vswitch_model_destroy(lab->model);
    free(lab);
    return 0;
}

static inline struct vswitch_switch a_switch(const char *name)
{
    struct vswitch_switch wanted = { .mtu_bytes = 1500, .mac_capacity_entries = 8192,
                                     .mac_ageing_s = 300 };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    return wanted;
}

static inline struct vswitch_vnic a_vnic(const char *name)
{
    struct vswitch_vnic wanted = { .queues = 1 };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    return wanted;
}

static inline struct vswitch_switch an_internal(const char *name)
{
    struct vswitch_switch wanted = a_switch(name);

    wanted.type = VSWITCH_INTERNAL;
    wanted.host_vnic = true;
    return wanted;
}

static inline struct vswitch_switch an_external(const char *name, const char *uplink)
{
    struct vswitch_switch wanted = a_switch(name);

    wanted.type = VSWITCH_EXTERNAL;
    snprintf(wanted.uplink, sizeof(wanted.uplink), "%s", uplink);
    return wanted;
}

/* A team of those members that are not NULL. */
static inline struct vswitch_team a_team(const char *name, const char *first, const char *second)
{
    struct vswitch_team wanted = { .setting.mode = TEAM_INDEPENDENT,
                                   .setting.balance = TEAM_DYNAMIC,
                                   .setting.hash = TEAM_HASH_L4 };

    team_setting_default(&wanted.setting);
    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    if (first != NULL) {
        assert_int_equal(vswitch_team_put(&wanted, first, false, NULL), 0);
    }
    if (second != NULL) {
        assert_int_equal(vswitch_team_put(&wanted, second, false, NULL), 0);
    }
    return wanted;
}

static inline const struct vswitch_team *add_team(struct lab *lab, struct vswitch_team wanted)
{
    assert_int_equal(vswitch_add_team(lab->model, &wanted, &lab->error), 0);
    return vswitch_find_team(lab->model, wanted.name);
}

/* Adds what has been made to measure. */
static inline const struct vswitch_switch *add_made(struct lab *lab, struct vswitch_switch wanted)
{
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), 0);
    return vswitch_find(lab->model, wanted.name);
}

static inline const struct vswitch_switch *add(struct lab *lab, const char *name)
{
    const struct vswitch_switch wanted = a_switch(name);

    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), 0);
    return vswitch_find(lab->model, name);
}

static inline const struct vswitch_vnic *add_vnic(struct lab *lab, const char *on, const char *name)
{
    const struct vswitch_vnic wanted = a_vnic(name);

    assert_int_equal(vswitch_add_vnic(lab->model, on, &wanted, &lab->error), 0);
    return vswitch_find_vnic(lab->model, name);
}

static inline struct vlan_policy a_vlan(const char *text)
{
    struct vlan_policy policy;

    assert_int_equal(vlan_parse(text, &policy, NULL), 0);
    return policy;
}

/* ---- what a refusal is ----------------------------------------------------------------------- */

static inline bool same_array(const void *a, const void *b, size_t count, size_t size_bytes)
{
    return count == 0 || memcmp(a, b, count * size_bytes) == 0;
}

static inline void assert_unchanged(const struct vswitch_model *is, const struct vswitch_model *was)
{
    assert_int_equal(is->switch_count, was->switch_count);
    assert_int_equal(is->vnic_count, was->vnic_count);
    assert_int_equal(is->mac_count, was->mac_count);
    assert_true(same_array(is->switches, was->switches, is->switch_count, sizeof(*is->switches)));
    assert_true(same_array(is->vnics, was->vnics, is->vnic_count, sizeof(*is->vnics)));
    assert_true(same_array(is->macs, was->macs, is->mac_count, sizeof(*is->macs)));
    assert_int_equal(is->team_count, was->team_count);
    assert_true(same_array(is->teams, was->teams, is->team_count, sizeof(*is->teams)));
    assert_int_equal(is->next_switch_id, was->next_switch_id);
    assert_int_equal(is->next_team_id, was->next_team_id);
    assert_int_equal(is->next_port, was->next_port);
    assert_true(is->pool_first == was->pool_first && is->pool_last == was->pool_last);
    assert_true(is->pool_next == was->pool_next);
}

/*
 * Checks that @p edit is refused with the code and the sentence given, and changes nothing.  An
 * edit names the model `m` and the error `e`.
 */
#define assert_refused(lab, edit, code_, sentence)                               \
    do {                                                                        \
        struct vswitch_model *m = (lab)->model;                                 \
        struct vswitch_model *was = vswitch_model_copy(m);                      \
        struct error *e = &(lab)->error;                                        \
        assert_non_null(was);                                                   \
        assert_int_equal((edit), -(code_));                                     \
        assert_int_equal(e->code, (code_));                                     \
        assert_string_equal(e->text, (sentence));                               \
        assert_unchanged(m, was);                                               \
        vswitch_model_destroy(was);                                             \
    } while (0)

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

#endif
