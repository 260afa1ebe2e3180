/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a model compiles to.
 */
#include "switch/fabric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/vswitch.h"

struct lab {
    struct vswitch_model *model;
    struct fabric *fabric;
    struct mac_table *table[FABRIC_MAX_SWITCHES];
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS];
};

static int lab_setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    lab->model = vswitch_model_create(0x0102);
    assert_non_null(lab->model);
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

/* Returns the id. */
static uint16_t lab_switch(struct lab *lab, const char *name, uint32_t mtu_bytes)
{
    struct vswitch_switch wanted = { .mtu_bytes = mtu_bytes, .mac_capacity_entries = 100 };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    assert_int_equal(vswitch_add(lab->model, &wanted, NULL), 0);
    return vswitch_find(lab->model, name)->id;
}

/* Returns the port, behind which there is what a vNIC has, but nothing at it. */
static uint16_t lab_vnic(struct lab *lab, const char *on, const char *name, uint16_t queues,
                         uint32_t mtu_bytes)
{
    struct vswitch_vnic wanted = { .queues = queues, .mtu_bytes = mtu_bytes };

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    assert_int_equal(vswitch_add_vnic(lab->model, on, &wanted, NULL), 0);
    lab->endpoint[vswitch_find_vnic(lab->model, name)->port] =
        (struct fabric_endpoint){ NULL, FABRIC_PORT_VNIC, queues };
    return vswitch_find_vnic(lab->model, name)->port;
}

static const struct fabric *lab_compile(struct lab *lab, uint32_t worker_count)
{
    const struct fabric_binding binding = {
        .table = lab->table, .endpoint = lab->endpoint, .worker_count = worker_count,
    };

    fabric_destroy(lab->fabric);
    lab->fabric = fabric_compile(lab->model, &binding, 42);
    assert_non_null(lab->fabric);
    return lab->fabric;
}

static void test_fabric_of_an_empty_model_is_empty(void **state)
{
    const struct fabric *fabric = lab_compile(*state, 1);

    assert_int_equal(fabric->generation, 42);
    assert_int_equal(fabric->switch_count, 0);
    assert_int_equal(fabric->queue_count, 0);
    for (unsigned port = 0; port < FABRIC_MAX_PORTS; port++) {
        assert_int_equal(fabric->port[port].kind, FABRIC_PORT_UNUSED);
    }
}

static void test_fabric_members_are_the_ports_of_their_switch(void **state)
{
    struct lab *lab = *state;
    const struct fabric *fabric;
    const uint16_t red = lab_switch(lab, "red", 1500), blue = lab_switch(lab, "blue", 1500);
    const uint16_t a = lab_vnic(lab, "red", "a", 1, 0), b = lab_vnic(lab, "blue", "b", 1, 0);
    const uint16_t c = lab_vnic(lab, "red", "c", 1, 0);
    int tables[2];

    lab->table[red] = (struct mac_table *)&tables[0];
    lab->table[blue] = (struct mac_table *)&tables[1];
    fabric = lab_compile(lab, 1);

    assert_int_equal(fabric->switch_count, 2);
    assert_int_equal(fabric->switches[0].id, red);
    assert_ptr_equal(fabric->switches[0].table, &tables[0]);
    assert_int_equal(fabric->switches[0].member_count, 2);
    assert_int_equal(fabric->switches[0].flood->member[0], a);
    assert_int_equal(fabric->switches[0].flood->member[1], c);
    assert_int_equal(fabric->switches[1].id, blue);
    assert_ptr_equal(fabric->switches[1].table, &tables[1]);
    assert_int_equal(fabric->switches[1].member_count, 1);
    assert_int_equal(fabric->switches[1].flood->member[0], b);
    assert_int_equal(fabric->port[b].switch_index, 1);
}

static void test_fabric_port_has_endpoint_and_the_mtu_in_force(void **state)
{
    struct lab *lab = *state;
    const struct fabric *fabric;
    uint16_t own, inherited;
    int endpoint;

    lab_switch(lab, "red", 9000);
    own = lab_vnic(lab, "red", "own", 1, 1500);
    inherited = lab_vnic(lab, "red", "inherited", 1, 0);
    lab->endpoint[own].at = &endpoint;
    fabric = lab_compile(lab, 1);

    assert_int_equal(fabric->port[own].kind, FABRIC_PORT_VNIC);
    assert_ptr_equal(fabric->port[own].endpoint, &endpoint);
    assert_int_equal(fabric->port[own].max_frame_bytes, 1514);
    assert_null(fabric->port[inherited].endpoint);
    assert_int_equal(fabric->port[inherited].max_frame_bytes, 9014);
}

static void test_fabric_queues_are_spread_and_ordered_by_worker(void **state)
{
    struct lab *lab = *state;
    const struct fabric *fabric;
    unsigned load[3] = { 0 };
    bool seen[FABRIC_MAX_PORTS][VSWITCH_QUEUES_MAX] = { { false } };

    lab_switch(lab, "red", 1500);
    for (unsigned i = 0; i < 6; i++) {
        char name[16];

        snprintf(name, sizeof(name), "v%u", i);
        lab_vnic(lab, "red", name, 4, 0);
    }
    fabric = lab_compile(lab, 3);

    assert_int_equal(fabric->queue_count, 24);
    for (uint32_t i = 0; i < fabric->queue_count; i++) {
        const struct fabric_queue *queue = &fabric->queues[i];

        assert_true(i == 0 || queue[-1].worker <= queue->worker);
        assert_false(seen[queue->port][queue->pair]);
        seen[queue->port][queue->pair] = true;
        load[queue->worker]++;
    }
    for (unsigned worker = 0; worker < 3; worker++) {
        assert_int_equal(load[worker], 8);
    }
}

static uint16_t worker_of(const struct fabric *fabric, uint16_t port, uint16_t pair)
{
    for (uint32_t i = 0; i < fabric->queue_count; i++) {
        if (fabric->queues[i].port == port && fabric->queues[i].pair == pair) {
            return fabric->queues[i].worker;
        }
    }
    return UINT16_MAX;
}

static void test_fabric_queue_keeps_its_worker_when_others_come_and_go(void **state)
{
    struct lab *lab = *state;
    uint16_t kept, before;

    lab_switch(lab, "red", 1500);
    lab_vnic(lab, "red", "first", 3, 0);
    kept = lab_vnic(lab, "red", "kept", 2, 0);
    before = worker_of(lab_compile(lab, 2), kept, 1);
    assert_int_equal(vswitch_remove_vnic(lab->model, "first", NULL), 0);
    lab_vnic(lab, "red", "later", 1, 0);

    assert_int_equal(worker_of(lab_compile(lab, 2), kept, 1), before);
}

static void test_fabric_without_runtime_objects_compiles(void **state)
{
    struct lab *lab = *state;
    const struct fabric_binding binding = { .worker_count = 1 };

    lab_switch(lab, "red", 1500);
    lab_vnic(lab, "red", "a", 1, 0);
    lab->fabric = fabric_compile(lab->model, &binding, 1);

    assert_non_null(lab->fabric);
    assert_null(lab->fabric->switches[0].table);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_fabric_of_an_empty_model_is_empty),
        LAB_TEST(test_fabric_members_are_the_ports_of_their_switch),
        LAB_TEST(test_fabric_port_has_endpoint_and_the_mtu_in_force),
        LAB_TEST(test_fabric_queues_are_spread_and_ordered_by_worker),
        LAB_TEST(test_fabric_queue_keeps_its_worker_when_others_come_and_go),
        LAB_TEST(test_fabric_without_runtime_objects_compiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
