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

static void test_fabric_queues_go_to_whom_they_are_given(void **state)
{
    static struct fabric_owners owners;
    struct lab *lab = *state;
    struct fabric_binding binding = { .table = lab->table, .endpoint = lab->endpoint,
                                      .owners = &owners, .worker_count = 2 };
    uint16_t a;

    (void)lab_switch(lab, "s", 1500);
    a = lab_vnic(lab, "s", "a", 4, 0);
    owners.owner[a][0] = 2;
    owners.owner[a][1] = FABRIC_OWNED_BY_NONE;
    owners.owner[a][3] = 3;                        /* a worker that there is not, any more */

    lab->fabric = fabric_compile(lab->model, &binding, 1);

    assert_non_null(lab->fabric);
    assert_int_equal(lab->fabric->queue_count, 4);
    assert_int_equal(worker_of(lab->fabric, a, 0), 1);
    assert_int_equal(worker_of(lab->fabric, a, 1), FABRIC_NO_WORKER);
    assert_int_equal(worker_of(lab->fabric, a, 2), (a + 2) % 2);
    assert_int_equal(worker_of(lab->fabric, a, 3), (a + 3) % 2);
    assert_int_equal(lab->fabric->queues[3].worker, FABRIC_NO_WORKER);
    assert_int_equal(lab->fabric->load[3], 0);
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

/* ---- ports of other kinds -------------------------------------------------------------------- */

/* An external switch "red" with the host's adapter. */
static const struct vswitch_switch *lab_external(struct lab *lab)
{
    const struct vswitch_switch wanted = {
        .name = "red", .type = VSWITCH_EXTERNAL, .mtu_bytes = 9000, .mac_capacity_entries = 100,
        .uplink = "eth9", .host_vnic = true,
    };

    assert_int_equal(vswitch_add(lab->model, &wanted, NULL), 0);
    return vswitch_find(lab->model, "red");
}

static uint16_t lab_vnic_like(struct lab *lab, const char *name, const char *vlan,
                              struct vswitch_vnic like)
{
    snprintf(like.name, sizeof(like.name), "%s", name);
    like.queues = 1;
    assert_int_equal(vlan_parse(vlan, &like.vlan, NULL), 0);
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &like, NULL), 0);
    return vswitch_find_vnic(lab->model, name)->port;
}

static void test_fabric_without_runtime_objects_has_what_the_model_says(void **state)
{
    struct lab *lab = *state;
    const struct fabric_binding binding = { .worker_count = 1 };
    const struct vswitch_switch *red = lab_external(lab);
    const uint16_t vnic = lab_vnic(lab, "red", "a", 3, 0);
    const struct fabric *fabric = lab->fabric = fabric_compile(lab->model, &binding, 1);

    assert_non_null(fabric);
    assert_null(fabric->switches[0].table);
    assert_int_equal(fabric->port[vnic].kind, FABRIC_PORT_VNIC);
    assert_int_equal(fabric->port[red->host_port].kind, FABRIC_PORT_HOST);
    assert_int_equal(fabric->port[red->uplink_port].kind, FABRIC_PORT_PACKET);
    assert_int_equal(fabric->queue_count, 5);
}

static void test_fabric_ports_are_of_the_kind_and_have_the_queues_of_what_is_behind(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_external(lab);
    const struct fabric *fabric;
    int nic, host;

    lab->endpoint[red->uplink_port] = (struct fabric_endpoint){ &nic, FABRIC_PORT_NIC, 4 };
    lab->endpoint[red->host_port] = (struct fabric_endpoint){ &host, FABRIC_PORT_HOST, 2 };
    fabric = lab_compile(lab, 2);

    assert_int_equal(fabric->port[red->uplink_port].kind, FABRIC_PORT_NIC);
    assert_ptr_equal(fabric->port[red->uplink_port].endpoint, &nic);
    assert_int_equal(fabric->port[red->uplink_port].max_frame_bytes, 9014);
    assert_int_equal(fabric->port[red->host_port].kind, FABRIC_PORT_HOST);
    assert_true(fabric->port[red->host_port].mac == red->host_mac);
    assert_int_equal(fabric->queue_count, 6);
    assert_true(worker_of(fabric, red->uplink_port, 2) !=
                worker_of(fabric, red->uplink_port, 3));
    assert_int_equal(fabric->switches[0].member_count, 2);
    assert_true(fabric->switches[0].outside);
}

static void test_fabric_absent_port_has_no_queues_and_stays_a_member(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_external(lab);
    const struct fabric *fabric;
    int nic;

    lab->endpoint[red->uplink_port] = (struct fabric_endpoint){ &nic, FABRIC_PORT_ABSENT, 4 };
    fabric = lab_compile(lab, 1);

    assert_int_equal(fabric->port[red->uplink_port].kind, FABRIC_PORT_ABSENT);
    assert_int_equal(fabric->port[red->host_port].kind, FABRIC_PORT_ABSENT);
    assert_int_equal(fabric->queue_count, 0);
    assert_int_equal(fabric->switches[0].member_count, 2);
    assert_int_equal(fabric_flood(&fabric->switches[0], 0)->count, 2);
}

static void test_fabric_port_has_its_flags(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_external(lab);
    const uint16_t plain = lab_vnic_like(lab, "plain", "none", (struct vswitch_vnic){ 0 });
    const uint16_t trunk = lab_vnic_like(lab, "trunk", "trunk:10,native:20",
                                         (struct vswitch_vnic){ .spoof_guard = true });
    const uint16_t voice = lab_vnic_like(lab, "voice", "promiscuous:100,201",
                                         (struct vswitch_vnic){ .priority_trust = true });
    const uint16_t dhcp = lab_vnic_like(lab, "dhcp", "none",
                                        (struct vswitch_vnic){ .dhcp_guard = true });
    const uint16_t router = lab_vnic_like(lab, "router", "none",
                                          (struct vswitch_vnic){ .router_guard = true });
    const struct fabric_port *port = lab_compile(lab, 1)->port;

    assert_int_equal(port[plain].flags, 0);
    assert_int_equal(port[trunk].flags, FABRIC_PORT_TAGS | FABRIC_PORT_LOCKED);
    assert_int_equal(port[voice].flags, FABRIC_PORT_TRUSTED);
    assert_int_equal(port[dhcp].flags, FABRIC_PORT_DHCP_GUARD);
    assert_int_equal(port[router].flags, FABRIC_PORT_ROUTER_GUARD);
    assert_int_equal(port[red->host_port].flags, FABRIC_PORT_TRUSTED);
    assert_int_equal(port[red->uplink_port].flags,
                     FABRIC_PORT_TAGS | FABRIC_PORT_TRUSTED | FABRIC_PORT_OUTSIDE);
    assert_true(lab->fabric->switches[0].wildcard);
}

static void test_fabric_uplink_coalesces_where_its_switch_does(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch blue = {
        .name = "blue", .type = VSWITCH_EXTERNAL, .mtu_bytes = 1500, .mac_capacity_entries = 100,
        .uplink = "eth8", .host_vnic = true, .coalesce = true,
    };
    const struct vswitch_switch *on, *off;
    const struct fabric_port *port;

    assert_int_equal(vswitch_add(lab->model, &blue, NULL), 0);
    off = lab_external(lab);
    on = vswitch_find(lab->model, "blue");
    port = lab_compile(lab, 1)->port;

    assert_int_not_equal(port[on->uplink_port].flags & FABRIC_PORT_COALESCE, 0);
    assert_int_equal(port[on->host_port].flags & FABRIC_PORT_COALESCE, 0);
    assert_int_equal(port[off->uplink_port].flags & FABRIC_PORT_COALESCE, 0);
}

static void test_fabric_without_a_locked_trunk_has_no_wildcards(void **state)
{
    struct lab *lab = *state;

    lab_external(lab);
    lab_vnic_like(lab, "trunk", "trunk:10,native:20", (struct vswitch_vnic){ 0 });
    lab_vnic_like(lab, "locked", "access:10", (struct vswitch_vnic){ .spoof_guard = true });

    assert_false(lab_compile(lab, 1)->switches[0].wildcard);
}

/* ---- VLANs ----------------------------------------------------------------------------------- */

static void test_fabric_port_has_the_facts_of_its_policy(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_external(lab);
    const uint16_t access = lab_vnic_like(lab, "a", "access:10", (struct vswitch_vnic){ 0 });
    const uint16_t isolated = lab_vnic_like(lab, "i", "isolated:100,201",
                                            (struct vswitch_vnic){ 0 });
    const struct fabric_port *port = lab_compile(lab, 1)->port;

    assert_int_equal(port[access].vlan_in, 10);
    assert_int_equal(port[access].vlan_out, 10);
    assert_int_equal(port[access].fid_in, 10);
    assert_null(port[access].others);
    assert_int_equal(port[isolated].vlan_in, 201);
    assert_int_equal(port[isolated].vlan_out, 100);
    assert_int_equal(port[isolated].fid_in, 100);
    assert_false(fabric_port_receives(&port[isolated], 201));
    assert_int_equal(port[red->uplink_port].vlan_out, 0);
    assert_true(fabric_port_receives(&port[red->uplink_port], 4094));
    assert_false(fabric_port_receives(&port[red->uplink_port], 4095));
}

static void test_fabric_filtering_ids_are_those_of_the_model(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = lab_external(lab);
    const struct fabric_switch *on;

    assert_null(lab_compile(lab, 1)->switches[0].fid);
    lab_vnic_like(lab, "a", "access:202", (struct vswitch_vnic){ 0 });
    lab_vnic_like(lab, "c", "community:100,201", (struct vswitch_vnic){ 0 });
    lab_vnic_like(lab, "p", "promiscuous:100,201-203", (struct vswitch_vnic){ 0 });
    lab_vnic_like(lab, "q", "promiscuous:300,301", (struct vswitch_vnic){ 0 });
    on = &lab_compile(lab, 1)->switches[0];

    for (uint16_t vid = 0; vid < VLAN_COUNT; vid++) {
        assert_int_equal(on->fid[vid], vswitch_fid(lab->model, red->id, vid));
    }
    assert_int_equal(on->fid[203], 100);
    assert_int_equal(lab->fabric->port[vswitch_find_vnic(lab->model, "a")->port].fid_in, 100);
}

/* Control frees the model when it has another; a worker may have the fabric for a moment longer. */
static void test_fabric_outlives_its_model(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_vnic like = { .spoof_guard = true, .mac = UINT64_C(0x020000000001),
                                       .allowed_mac = { UINT64_C(0x020000000002) },
                                       .allowed_mac_count = 1 };
    uint16_t port;

    lab_external(lab);
    port = lab_vnic_like(lab, "t", "trunk:10,native:20", like);
    (void)lab_compile(lab, 1);
    vswitch_model_destroy(lab->model);
    lab->model = NULL;

    assert_true(lab->fabric->port[port].mac == like.mac);
    assert_int_equal(lab->fabric->port[port].allowed_mac_count, 1);
    assert_true(lab->fabric->port[port].allowed_mac[0] == like.allowed_mac[0]);
    assert_true(fabric_port_receives(&lab->fabric->port[port], 10));
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_fabric_of_an_empty_model_is_empty),
        LAB_TEST(test_fabric_queues_go_to_whom_they_are_given),
        LAB_TEST(test_fabric_members_are_the_ports_of_their_switch),
        LAB_TEST(test_fabric_port_has_endpoint_and_the_mtu_in_force),
        LAB_TEST(test_fabric_queues_are_spread_and_ordered_by_worker),
        LAB_TEST(test_fabric_queue_keeps_its_worker_when_others_come_and_go),
        LAB_TEST(test_fabric_without_runtime_objects_has_what_the_model_says),
        LAB_TEST(test_fabric_ports_are_of_the_kind_and_have_the_queues_of_what_is_behind),
        LAB_TEST(test_fabric_absent_port_has_no_queues_and_stays_a_member),
        LAB_TEST(test_fabric_port_has_its_flags),
        LAB_TEST(test_fabric_uplink_coalesces_where_its_switch_does),
        LAB_TEST(test_fabric_without_a_locked_trunk_has_no_wildcards),
        LAB_TEST(test_fabric_port_has_the_facts_of_its_policy),
        LAB_TEST(test_fabric_filtering_ids_are_those_of_the_model),
        LAB_TEST(test_fabric_outlives_its_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
