/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What teams compile to: the port of the team, and its members.
 */
#include "switch/fabric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/frame.h"
#include "switch/vswitch.h"

struct lab {
    struct vswitch_model *model;
    struct fabric *fabric;
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS];
    void *team[VSWITCH_MAX_TEAMS];
    const struct vswitch_team *t0;
    int nic, packet, at;           /* what stands behind */
};

/* Team "t0" of eth1, at place 0 and by a NIC, and eth2, at 2 and by packet sockets. */
static int lab_setup(void **state)
{
    struct vswitch_team wanted = { .name = "t0", .setting.mode = TEAM_INDEPENDENT };
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    lab->model = vswitch_model_create(0x0102);
    assert_non_null(lab->model);
    team_setting_default(&wanted.setting);
    snprintf(wanted.member[0].where, sizeof(wanted.member[0].where), "eth1");
    snprintf(wanted.member[2].where, sizeof(wanted.member[2].where), "eth2");
    assert_int_equal(vswitch_add_team(lab->model, &wanted, NULL), 0);
    lab->t0 = vswitch_find_team(lab->model, "t0");
    lab->endpoint[lab->t0->member[0].port] =
        (struct fabric_endpoint){ &lab->nic, FABRIC_PORT_NIC, 2 };
    lab->endpoint[lab->t0->member[2].port] =
        (struct fabric_endpoint){ &lab->packet, FABRIC_PORT_PACKET, 1 };
    lab->team[lab->t0->id] = &lab->at;
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct lab *lab = *state;

    fabric_destroy(lab->fabric);
    vswitch_model_destroy(lab->model);
    free(lab);
    return 0;
}

static const struct vswitch_switch *lab_switch(struct lab *lab, const char *name,
                                               const char *uplink)
{
    struct vswitch_switch wanted = {
        .type = VSWITCH_EXTERNAL, .mtu_bytes = 9000, .mac_capacity_entries = 100, .coalesce = true,
    };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    snprintf(wanted.uplink, sizeof(wanted.uplink), "%s", uplink);
    assert_int_equal(vswitch_add(lab->model, &wanted, NULL), 0);
    return vswitch_find(lab->model, name);
}

static const struct fabric *lab_compile(struct lab *lab)
{
    const struct fabric_binding binding = {
        .team = lab->team, .endpoint = lab->endpoint, .worker_count = 2,
    };

    fabric_destroy(lab->fabric);
    lab->fabric = fabric_compile(lab->model, &binding, 1);
    assert_non_null(lab->fabric);
    return lab->fabric;
}

static void test_fabric_team_is_the_port_of_its_switch(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_switch(lab, "red", "team:t0");
    const struct fabric_port *port = &lab_compile(lab)->port[red->uplink_port];

    assert_int_equal(port->kind, FABRIC_PORT_TEAM);
    assert_ptr_equal(port->endpoint, &lab->at);
    assert_int_equal(port->flags, FABRIC_PORT_TAGS | FABRIC_PORT_TRUSTED | FABRIC_PORT_OUTSIDE |
                                  FABRIC_PORT_COALESCE);
    assert_int_equal(port->max_frame_bytes, 9014);
    assert_ptr_equal(port->team->at, &lab->at);
    assert_int_equal(port->team->port, red->uplink_port);
    assert_int_equal(port->team->member[0], lab->t0->member[0].port);
    assert_int_equal(port->team->member[1], PORT_NONE);
    assert_int_equal(port->team->member[2], lab->t0->member[2].port);
    assert_true(port->team->reflects);
}

static void test_fabric_team_members_are_ports_of_no_switch(void **state)
{
    struct lab *lab = *state;
    const uint16_t blue = lab_switch(lab, "blue", "eth8")->id;
    const struct vswitch_switch *red = lab_switch(lab, "red", "team:t0");
    const struct fabric *fabric = lab_compile(lab);
    const struct fabric_port *first = &fabric->port[lab->t0->member[0].port];
    const struct fabric_port *second = &fabric->port[lab->t0->member[2].port];

    assert_int_equal(first->kind, FABRIC_PORT_NIC);
    assert_ptr_equal(first->endpoint, &lab->nic);
    assert_int_equal(second->kind, FABRIC_PORT_PACKET);
    assert_int_equal(first->member, 0);
    assert_int_equal(second->member, 2);
    assert_true((second->flags & FABRIC_PORT_MEMBER) != 0);
    assert_true((second->flags & (FABRIC_PORT_OUTSIDE | FABRIC_PORT_COALESCE)) == 0);
    assert_int_equal(second->max_frame_bytes, 9014);
    assert_ptr_equal(second->team, fabric->port[red->uplink_port].team);
    assert_ptr_equal(first->team, second->team);
    assert_int_equal(second->switch_index, FABRIC_NO_SWITCH);
    assert_int_equal(fabric->switches[0].id, blue);
    assert_int_equal(fabric->switches[0].member_count, 1);
    assert_int_equal(fabric->switches[1].member_count, 1);
    assert_int_equal(fabric_flood(&fabric->switches[1], 0)->count, 1);
}

static void test_fabric_team_without_a_switch_is_polled(void **state)
{
    struct lab *lab = *state;
    const struct fabric *fabric = lab_compile(lab);
    const struct fabric_port *member = &fabric->port[lab->t0->member[0].port];

    assert_int_equal(fabric->switch_count, 0);
    assert_int_equal(fabric->queue_count, 3);
    assert_int_equal(member->team->port, PORT_NONE);
    assert_int_equal(member->max_frame_bytes, 1514);
}

static void test_fabric_team_with_nothing_behind_is_absent(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_switch(lab, "red", "team:t0");
    const struct fabric *fabric;

    lab->team[lab->t0->id] = NULL;
    memset(lab->endpoint, 0, sizeof(lab->endpoint));
    fabric = lab_compile(lab);

    assert_int_equal(fabric->port[red->uplink_port].kind, FABRIC_PORT_ABSENT);
    assert_int_equal(fabric->port[lab->t0->member[0].port].kind, FABRIC_PORT_ABSENT);
    assert_int_equal(fabric->queue_count, 0);
    assert_int_equal(fabric->switches[0].member_count, 1);
}

static void test_fabric_team_that_is_one_link_does_not_reflect(void **state)
{
    struct lab *lab = *state;
    struct vswitch_team wanted = *lab->t0;

    wanted.setting.mode = TEAM_LACP;
    assert_int_equal(vswitch_set_team(lab->model, &wanted, NULL), 0);

    assert_false(lab_compile(lab)->port[lab->t0->member[0].port].team->reflects);
}

static void test_fabric_port_that_is_no_teams_has_none(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *blue = lab_switch(lab, "blue", "eth8");

    assert_null(lab_compile(lab)->port[blue->uplink_port].team);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fabric_team_is_the_port_of_its_switch),
        TEST(test_fabric_team_members_are_ports_of_no_switch),
        TEST(test_fabric_team_without_a_switch_is_polled),
        TEST(test_fabric_team_with_nothing_behind_is_absent),
        TEST(test_fabric_team_that_is_one_link_does_not_reflect),
        TEST(test_fabric_port_that_is_no_teams_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
