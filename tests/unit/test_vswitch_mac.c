/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose an address is: own ones, static ones, and the pool.
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

/* ---- own addresses --------------------------------------------------------------------------- */

/* "red" has vNIC web with MAC_1 and MAC_2 allowed; "lan" has the host with MAC_3. */
static void add_owners(struct lab *lab)
{
    struct vswitch_switch lan = an_internal("lan");
    struct vswitch_vnic web = a_vnic("web");

    lan.host_mac = MAC_3;
    add_made(lab, lan);
    add(lab, "red");
    web.mac = MAC_1;
    web.allowed_mac[0] = MAC_2;
    web.allowed_mac_count = 1;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &web, &lab->error), 0);
}

static void test_vswitch_address_of_a_port_is_refused_to_every_other(void **state)
{
    static const struct { uint64_t mac; const char *sentence; } rows[] = {
        { MAC_1, "may not use MAC 02:00:00:00:00:01, it belongs to port \"web\" of switch \"red\"; "
                 "choose another" },
        { MAC_2, "may not use MAC 02:00:00:00:00:02, it belongs to port \"web\" of switch \"red\"; "
                 "choose another" },
        { MAC_3, "may not use MAC 02:00:00:00:00:03, it belongs to port \"lan\" of switch \"lan\"; "
                 "choose another" },
    };
    struct lab *lab = *state;
    char sentence[ERROR_TEXT_SIZE];

    add_owners(lab);
    for (size_t i = 0; i < 3; i++) {
        struct vswitch_vnic vnic = a_vnic("db");
        struct vswitch_switch other = an_internal("blue");

        snprintf(sentence, sizeof(sentence), "port \"db\" %s", rows[i].sentence);
        vnic.mac = rows[i].mac;
        assert_refused(lab, vswitch_add_vnic(m, "lan", &vnic, e), EEXIST, sentence);
        vnic.mac = 0;
        vnic.allowed_mac[0] = rows[i].mac;
        vnic.allowed_mac_count = 1;
        assert_refused(lab, vswitch_add_vnic(m, "lan", &vnic, e), EEXIST, sentence);
        snprintf(sentence, sizeof(sentence), "port \"blue\" %s", rows[i].sentence);
        other.host_mac = rows[i].mac;
        assert_refused(lab, vswitch_add(m, &other, e), EEXIST, sentence);
    }
}

static void test_vswitch_address_of_a_port_is_not_pinned_to_another(void **state)
{
    struct lab *lab = *state;

    add_owners(lab);
    add_vnic(lab, "red", "db");
    add_vnic(lab, "lan", "mail");
    assert_refused(lab, vswitch_add_mac(m, "red", MAC_2, 0, "db", e), EEXIST, "port \"db\" may not "
                   "use MAC 02:00:00:00:00:02, it belongs to port \"web\" of switch \"red\"; "
                   "choose another");
    assert_refused(lab, vswitch_add_mac(m, "lan", MAC_1, 7, "mail", e), EEXIST, "port \"mail\" may "
                   "not use MAC 02:00:00:00:00:01, it belongs to port \"web\" of switch \"red\"; "
                   "choose another");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
}

static void test_vswitch_pinned_address_is_refused_as_another_port_s_own(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("db");

    add(lab, "red");
    add_vnic(lab, "red", "web");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
    vnic.mac = MAC_1;
    assert_refused(lab, vswitch_add_vnic(m, "red", &vnic, e), EEXIST, "port \"db\" may not use MAC "
                   "02:00:00:00:00:01, it belongs to port \"web\" of switch \"red\"; choose "
                   "another");
    vnic = a_vnic("web");
    vnic.mac = MAC_1;
    assert_int_equal(vswitch_set_vnic(lab->model, &vnic, &lab->error), 0);
}

static void test_vswitch_allowed_addresses_are_stations_and_at_most_32(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("web");

    add(lab, "red");
    vnic.allowed_mac_count = 1;
    assert_refused(lab, vswitch_add_vnic(m, "red", &vnic, e), EINVAL, "port \"web\" may not use "
                   "MAC 00:00:00:00:00:00, which is no address at all; choose a unicast one");
    vnic.allowed_mac[0] = UINT64_C(0x01005e000001);
    assert_refused(lab, vswitch_add_vnic(m, "red", &vnic, e), EINVAL, "port \"web\" may not use "
                   "MAC 01:00:5e:00:00:01, which is a group address; choose a unicast one");
    vnic.allowed_mac_count = VSWITCH_ALLOWED_MACS_MAX + 1;
    assert_refused(lab, vswitch_add_vnic(m, "red", &vnic, e), ERANGE, "vNIC \"web\": it may be "
                   "allowed 32 addresses besides its own; use --spoof-guard off where it needs "
                   "more");
    vnic.allowed_mac_count = VSWITCH_ALLOWED_MACS_MAX;
    for (unsigned i = 0; i < VSWITCH_ALLOWED_MACS_MAX; i++) {
        vnic.allowed_mac[i] = MAC_1 + i;
    }
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &vnic, &lab->error), 0);
}

static void test_vswitch_own_addresses_of_locked_vnics_need_room(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch small = a_switch("small");
    struct vswitch_vnic vnic = a_vnic("web");

    small.mac_capacity_entries = 3;
    add_made(lab, small);
    vnic.spoof_guard = true;
    vnic.allowed_mac[0] = MAC_1;
    vnic.allowed_mac_count = 1;
    vnic.vlan = a_vlan("trunk:10,native:1");
    assert_refused(lab, vswitch_add_vnic(m, "small", &vnic, e), ENOSPC, "vNIC \"web\": switch "
                   "\"small\" would have 4 pinned addresses, which is above its mac-capacity of 3; "
                   "raise that first");
    vnic.vlan = a_vlan("access:1");
    assert_int_equal(vswitch_add_vnic(lab->model, "small", &vnic, &lab->error), 0);
    assert_int_equal(vswitch_set_vnic(lab->model, &vnic, &lab->error), 0);
    small.mac_capacity_entries = 1;
    assert_int_equal(vswitch_set(lab->model, &small, &lab->error), -EBUSY);
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void test_vswitch_pool_skips_what_anybody_has(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("web");

    add(lab, "red");
    vnic.mac = MAC_1;
    vnic.allowed_mac[0] = POOL_MAC;
    vnic.allowed_mac_count = 1;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &vnic, &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", POOL_MAC + 1, 0, "web", &lab->error), 0);
    assert_true(add_vnic(lab, "red", "db")->mac == POOL_MAC + 2);
}

static void test_vswitch_pool_is_widened_and_goes_on(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("c");

    add(lab, "red");
    assert_int_equal(vswitch_set_pool(lab->model, MAC_1, MAC_2, &lab->error), 0);
    assert_true(add_vnic(lab, "red", "a")->mac == MAC_1);
    assert_true(add_vnic(lab, "red", "b")->mac == MAC_2);
    assert_refused(lab, vswitch_add_vnic(m, "red", &vnic, e), ENOSPC, "vNIC \"c\": the address "
                   "pool 02:00:00:00:00:01 to 02:00:00:00:00:02 is used up; choose an address for "
                   "it, or widen the pool with daemon set --mac-pool");
    assert_int_equal(vswitch_set_pool(lab->model, MAC_1, MAC_3, &lab->error), 0);
    assert_true(add_vnic(lab, "red", "c")->mac == MAC_3);
    assert_int_equal(vswitch_set_pool(lab->model, MAC_1, MAC_1 + 0xfffffe, &lab->error), 0);
    assert_true(add_vnic(lab, "red", "d")->mac == MAC_3 + 1);
}

static void test_vswitch_pool_that_is_none_is_refused(void **state)
{
    static const struct { uint64_t first, last; } bad[] = {
        { 0, MAC_1 }, { MAC_2, MAC_1 }, { MAC_1, UINT64_C(0x020001000000) },
        { UINT64_C(0x01005e000000), UINT64_C(0x01005e0000ff) },
        { UINT64_C(1) << 48, (UINT64_C(1) << 48) + 1 },
    };
    struct lab *lab = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(vswitch_set_pool(lab->model, bad[i].first, bad[i].last, &lab->error),
                         -EINVAL);
    }
    assert_refused(lab, vswitch_set_pool(m, MAC_2, MAC_1, e), EINVAL, "02:00:00:00:00:02 to "
                   "02:00:00:00:00:01 cannot be the address pool; choose two unicast addresses, "
                   "the first not above the last, that begin with the same three bytes");
}

/* ---- static addresses ------------------------------------------------------------------------ */

static void test_vswitch_static_mac_goes_with_its_vnic(void **state)
{
    struct lab *lab = *state;
    uint16_t port;

    add(lab, "red");
    port = add_vnic(lab, "red", "web")->port;
    add_vnic(lab, "red", "db");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_2, 0, "db", &lab->error), 0);
    assert_int_equal(lab->model->macs[0].port, port);
    assert_int_equal(vswitch_remove_vnic(lab->model, "web", &lab->error), 0);

    assert_int_equal(lab->model->mac_count, 1);
    assert_true(lab->model->macs[0].mac == MAC_2);
    assert_int_equal(vswitch_remove_mac(lab->model, "red", MAC_2, 0, &lab->error), 0);
    assert_int_equal(lab->model->mac_count, 0);
}

static void test_vswitch_add_mac_refuses_by_the_rules(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch small = a_switch("small");

    add(lab, "red");
    small.mac_capacity_entries = 1;
    assert_int_equal(vswitch_add(lab->model, &small, &lab->error), 0);
    add_vnic(lab, "red", "web");
    add_vnic(lab, "small", "db");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "small", MAC_1, 0, "db", &lab->error), 0);

    assert_refused(lab, vswitch_add_mac(m, "red", MAC_2, 0, "x", e), ENOENT,
                   "switch \"red\" has no port named \"x\"; \"switch show red\" lists those there "
                   "are");
    assert_refused(lab, vswitch_add_mac(m, "red", MAC_2, 0, "db", e), EINVAL, "port \"db\" is on "
                   "switch \"small\", not on \"red\"; name one of \"red\"");
    assert_refused(lab, vswitch_add_mac(m, "red", 0, 0, "web", e), EINVAL, "switch \"red\": "
                   "00:00:00:00:00:00 cannot be pinned to a port; choose a unicast address that "
                   "is not all zero");
    assert_refused(lab, vswitch_add_mac(m, "red", MAC_2, 4095, "web", e), ERANGE,
                   "switch \"red\": there is no VLAN 4095; choose 0 to 4094");
    assert_refused(lab, vswitch_add_mac(m, "red", MAC_1, 0, "web", e), EEXIST, "switch \"red\": "
                   "02:00:00:00:00:01 is pinned to port \"web\" already; remove it there first");
    assert_refused(lab, vswitch_add_mac(m, "small", MAC_2, 0, "db", e), ENOSPC, "switch \"small\" "
                   "has as many pinned addresses as its mac-capacity of 1 allows; raise it or "
                   "remove some first");
    assert_refused(lab, vswitch_remove_mac(m, "red", MAC_2, 0, e), ENOENT, "switch \"red\" has no "
                   "static address 02:00:00:00:00:02 in VLAN 0; \"mac show red\" lists what it "
                   "has");
}

static void test_vswitch_static_mac_is_pinned_to_ports_of_all_kinds(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch ext = an_external("ext", "eth1");
    const struct vswitch_switch *of;

    ext.host_vnic = true;
    of = add_made(lab, ext);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_1, 10, "eth1", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_2, 0, "ext", &lab->error), 0);
    assert_int_equal(lab->model->macs[0].port, of->uplink_port);
    assert_int_equal(lab->model->macs[0].vlan, 10);
    assert_int_equal(lab->model->macs[1].port, of->host_port);
}

static void test_vswitch_static_mac_of_another_vlan_may_be_behind_another_port(void **state)
{
    struct lab *lab = *state;

    add(lab, "red");
    add_vnic(lab, "red", "a");
    add_vnic(lab, "red", "b");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 10, "a", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 20, "b", &lab->error), 0);
    assert_int_equal(vswitch_remove_mac(lab->model, "red", MAC_1, 10, &lab->error), 0);
    assert_int_equal(lab->model->mac_count, 1);
    assert_int_equal(lab->model->macs[0].vlan, 20);
}

static void test_vswitch_static_mac_of_a_private_vlan_is_one_in_all_of_it(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("a");

    add(lab, "red");
    vnic.vlan = a_vlan("community:100,201");
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &vnic, &lab->error), 0);
    add_vnic(lab, "red", "b");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 100, "a", &lab->error), 0);
    assert_refused(lab, vswitch_add_mac(m, "red", MAC_1, 201, "b", e), EEXIST, "switch \"red\": "
                   "02:00:00:00:00:01 is pinned to port \"a\" already; remove it there first");
    assert_int_equal(vswitch_remove_mac(lab->model, "red", MAC_1, 201, &lab->error), 0);
    assert_int_equal(lab->model->mac_count, 0);
}

static void test_vswitch_own_address_is_not_unpinned(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic vnic = a_vnic("web");

    add_made(lab, an_internal("lan"));
    vnic.mac = MAC_1;
    vnic.spoof_guard = true;
    vnic.vlan = a_vlan("access:10");
    assert_int_equal(vswitch_add_vnic(lab->model, "lan", &vnic, &lab->error), 0);
    assert_refused(lab, vswitch_remove_mac(m, "lan", MAC_1, 10, e), EBUSY, "switch \"lan\": "
                   "02:00:00:00:00:01 is pinned because it is port \"web\"'s own address; change "
                   "that port to change it");
    assert_int_equal(vswitch_remove_mac(lab->model, "lan", MAC_1, 0, &lab->error), -ENOENT);
    assert_int_equal(vswitch_remove_mac(lab->model, "lan", POOL_MAC, 0, &lab->error), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_vswitch_address_of_a_port_is_refused_to_every_other),
        LAB_TEST(test_vswitch_address_of_a_port_is_not_pinned_to_another),
        LAB_TEST(test_vswitch_pinned_address_is_refused_as_another_port_s_own),
        LAB_TEST(test_vswitch_allowed_addresses_are_stations_and_at_most_32),
        LAB_TEST(test_vswitch_own_addresses_of_locked_vnics_need_room),
        LAB_TEST(test_vswitch_pool_skips_what_anybody_has),
        LAB_TEST(test_vswitch_pool_is_widened_and_goes_on),
        LAB_TEST(test_vswitch_pool_that_is_none_is_refused),
        LAB_TEST(test_vswitch_static_mac_goes_with_its_vnic),
        LAB_TEST(test_vswitch_add_mac_refuses_by_the_rules),
        LAB_TEST(test_vswitch_static_mac_is_pinned_to_ports_of_all_kinds),
        LAB_TEST(test_vswitch_static_mac_of_another_vlan_may_be_behind_another_port),
        LAB_TEST(test_vswitch_static_mac_of_a_private_vlan_is_one_in_all_of_it),
        LAB_TEST(test_vswitch_own_address_is_not_unpinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
