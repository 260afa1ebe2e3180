/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whom a flood reaches: for every VLAN exactly who receives it, and every list once.
 */
#include "switch/fabric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/forward_lab.h"
#include "tests/support/random.h"

#define MANY 500u

static const struct fabric_switch *compile(struct forward_lab *lab)
{
    forward_lab_compile(lab);
    return &lab->fabric->switches[0];
}

static bool same_list(const struct fabric_flood *a, const struct fabric_flood *b)
{
    return a->count == b->count && a->unknown_count == b->unknown_count &&
           memcmp(a->member, b->member, a->count * sizeof(a->member[0])) == 0;
}

/* Checks the list of each VLAN port by port, and that equal lists are one. */
static void check_lists(const struct fabric *fabric, const struct fabric_switch *on)
{
    for (uint16_t vid = 0; vid < VLAN_COUNT; vid++) {
        const struct fabric_flood *flood = fabric_flood(on, vid);
        uint32_t at = 0;

        for (unsigned locked = 0; locked <= FABRIC_PORT_LOCKED; locked += FABRIC_PORT_LOCKED) {
            for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
                const struct fabric_port *each = &fabric->port[port];

                if (each->kind != FABRIC_PORT_UNUSED && fabric_port_receives(each, vid) &&
                    (each->flags & FABRIC_PORT_LOCKED) == locked) {
                    assert_true(at < flood->count);
                    assert_int_equal(flood->member[at++], port);
                }
            }
            assert_true(locked != 0 || flood->unknown_count == at);
        }
        assert_int_equal(flood->count, at);
        for (uint16_t other = 0; other < vid; other++) {
            const struct fabric_flood *before = fabric_flood(on, other);

            assert_true(before == flood || !same_list(before, flood));
        }
    }
}

static void test_fabric_flood_without_vlans_is_one_list_and_no_map(void **state)
{
    const struct vswitch_switch internal = { .type = VSWITCH_INTERNAL, .host_vnic = true };
    struct forward_lab *lab = *state;
    const struct fabric_switch *on;

    forward_lab_switch(lab, "red", &internal);
    forward_lab_vnic(lab, "red", "a", "none", &(struct vswitch_vnic){ .spoof_guard = true });
    forward_lab_vnic(lab, "red", "b", "none", NULL);
    on = compile(lab);

    assert_null(on->flood_of);
    assert_null(on->fid);
    assert_int_equal(on->flood->count, 3);
    assert_int_equal(on->flood->unknown_count, 2);
}

static void test_fabric_flood_of_a_switch_without_ports_is_empty(void **state)
{
    struct forward_lab *lab = *state;
    const struct fabric_switch *on;

    forward_lab_switch(lab, "red", NULL);
    on = compile(lab);

    assert_null(on->flood_of);
    assert_int_equal(on->flood->count, 0);
}

static void test_fabric_flood_locked_ports_come_last(void **state)
{
    const struct vswitch_vnic locked = { .spoof_guard = true };
    struct forward_lab *lab = *state;
    const struct fabric_flood *flood;
    uint16_t port[4];

    forward_lab_switch(lab, "red", NULL);
    port[0] = forward_lab_vnic(lab, "red", "a", "access:10", &locked);
    port[1] = forward_lab_vnic(lab, "red", "b", "access:10", NULL);
    port[2] = forward_lab_vnic(lab, "red", "c", "access:10", &locked);
    port[3] = forward_lab_vnic(lab, "red", "d", "access:10", NULL);
    flood = fabric_flood(compile(lab), 10);

    assert_int_equal(flood->count, 4);
    assert_int_equal(flood->unknown_count, 2);
    assert_int_equal(flood->member[0], port[1]);
    assert_int_equal(flood->member[1], port[3]);
    assert_int_equal(flood->member[2], port[0]);
    assert_int_equal(flood->member[3], port[2]);
}

static void test_fabric_flood_equal_lists_are_one(void **state)
{
    struct forward_lab *lab = *state;
    const struct fabric_switch *on;

    forward_lab_switch(lab, "red", NULL);
    forward_lab_vnic(lab, "red", "a", "trunk:10-1000,native:0", NULL);
    forward_lab_vnic(lab, "red", "b", "trunk:500-2000,native:0", NULL);
    on = compile(lab);

    assert_ptr_equal(fabric_flood(on, 10), fabric_flood(on, 499));
    assert_ptr_equal(fabric_flood(on, 500), fabric_flood(on, 1000));
    assert_ptr_equal(fabric_flood(on, 500), fabric_flood(on, 0));
    assert_ptr_equal(fabric_flood(on, 1001), fabric_flood(on, 2000));
    assert_ptr_equal(fabric_flood(on, 1), fabric_flood(on, 4095));
    assert_int_equal(fabric_flood(on, 1)->count, 0);
    check_lists(lab->fabric, on);
}

static void test_fabric_flood_lists_of_random_switches_are_right(void **state)
{
    uint64_t random = 11;

    for (unsigned n = 0; n < 12; n++) {
        const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "eth9",
                                                 .host_vnic = n % 2 == 0 };
        struct forward_lab *lab;

        (void)forward_lab_setup(state);
        lab = *state;
        forward_lab_switch(lab, "red", n % 3 == 0 ? &external : NULL);
        for (unsigned i = 0; i < 12; i++) {
            const struct vswitch_vnic vnic = { .spoof_guard = random_below(&random, 2) == 0 };
            const uint32_t low = 1 + random_below(&random, 200);
            const uint32_t high = low + random_below(&random, i % 2 == 0 ? 30 : 3800);
            char name[8], policy[48];

            snprintf(name, sizeof(name), "v%u", i);
            if (i % 4 == 3) {
                snprintf(policy, sizeof(policy), "access:%u", low);
            } else {
                snprintf(policy, sizeof(policy), "trunk:%u-%u,native:%u", low, high, high / 2);
            }
            forward_lab_vnic(lab, "red", name, policy, &vnic);
        }
        check_lists(lab->fabric, compile(lab));
        (void)forward_lab_teardown(state);
    }
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Many ports; @p policy is that of one in two, the others have an access VLAN of their own. */
static void measure(struct forward_lab *lab, const char *policy, const char *what)
{
    const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "eth9" };
    const struct fabric_binding binding = { .table = lab->table, .worker_count = 2 };
    uint64_t before_us, took_us;

    forward_lab_switch(lab, "red", &external);
    for (unsigned i = 0; i < MANY; i++) {
        const struct vswitch_vnic locked = { .spoof_guard = true, .mac = MAC(i) };
        char name[8], access[16];

        snprintf(name, sizeof(name), "v%u", i);
        snprintf(access, sizeof(access), "access:%u", 1 + i);
        forward_lab_vnic(lab, "red", name, i % 2 == 0 ? policy : access, &locked);
    }
    before_us = now_us();
    lab->fabric = fabric_compile(lab->model, &binding, 1);
    took_us = now_us() - before_us;
    assert_non_null(lab->fabric);
    print_message("# measured: a fabric of %u ports, %s, in %u us\n", MANY, what,
                  (unsigned)took_us);
    check_lists(lab->fabric, &lab->fabric->switches[0]);
}

static void test_fabric_flood_of_many_full_trunks(void **state)
{
    measure(*state, "trunk:1-4094,native:0", "half of them full trunks");
}

static void test_fabric_flood_of_many_access_ports(void **state)
{
    measure(*state, "access:7", "half of them in a VLAN of their own");
}

#define LAB_TEST(name)                                                                             \
    cmocka_unit_test_setup_teardown(name, forward_lab_setup, forward_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_fabric_flood_without_vlans_is_one_list_and_no_map),
        LAB_TEST(test_fabric_flood_of_a_switch_without_ports_is_empty),
        LAB_TEST(test_fabric_flood_locked_ports_come_last),
        LAB_TEST(test_fabric_flood_equal_lists_are_one),
        cmocka_unit_test(test_fabric_flood_lists_of_random_switches_are_right),
        LAB_TEST(test_fabric_flood_of_many_full_trunks),
        LAB_TEST(test_fabric_flood_of_many_access_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
