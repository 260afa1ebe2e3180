/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model's rules: what each refuses, the sentence it refuses with, and that a refusal leaves the
 * model as it was.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/offload.h"
#include "tests/support/model_lab.h"

/* ---- names ----------------------------------------------------------------------------------- */

static void test_vswitch_check_name_takes_what_the_rule_says(void **state)
{
    static const char *const good[] = { "a", "0", "web-1", "A.b_c-9", "x..", "vm__" };
    static const char *const bad[] = { "", "-a", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa4",
                                       "a:" };
    char longest[VSWITCH_NAME_SIZE + 1];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(vswitch_check_name("switch", good[i], NULL), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(vswitch_check_name("switch", bad[i], NULL), -EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    longest[63] = '\0';
    assert_int_equal(vswitch_check_name("switch", longest, NULL), 0);
    longest[63] = 'a';
    longest[64] = '\0';
    assert_int_equal(vswitch_check_name("switch", longest, NULL), -EINVAL);
}

static void test_vswitch_name_in_a_sentence_is_cut_and_printable(void **state)
{
    struct lab *lab = *state;
    char *huge = malloc(100001);

    assert_non_null(huge);
    memset(huge, 'a', 100000);
    huge[100000] = '\0';

    assert_int_equal(vswitch_check_name("vNIC", "\033[2Jred\n", &lab->error), -EINVAL);
    assert_string_equal(lab->error.text, "\"?[2Jred?\" cannot name a vNIC; choose 1 to 63 of A-Z "
                        "a-z 0-9 . _ -, the first a letter or a digit");
    assert_int_equal(vswitch_check_name("vNIC", huge, &lab->error), -EINVAL);
    assert_non_null(strstr(lab->error.text, "aaa...\" cannot name a vNIC"));
    assert_int_equal(vswitch_remove(lab->model, huge, false, &lab->error), -ENOENT);
    free(huge);
}

/* ---- switches -------------------------------------------------------------------------------- */

static void test_vswitch_added_switch_is_found_as_wanted(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *red = add(lab, "red");

    assert_int_equal(red->mtu_bytes, 1500);
    assert_int_equal(red->mac_capacity_entries, 8192);
    assert_int_equal(red->mac_ageing_s, 300);
    assert_ptr_equal(vswitch_by_id(lab->model, red->id), red);
    assert_null(vswitch_find(lab->model, "blue"));
}

static void test_vswitch_add_refuses_by_the_rules(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = a_switch("red");

    add(lab, "red");
    assert_refused(lab, vswitch_add(m, &wanted, e), EEXIST, "a switch named \"red\" already "
                   "exists; choose another name or remove it first");
    wanted = a_switch("blue");
    wanted.type = VSWITCH_EXTERNAL;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"blue\" is external, which "
                   "needs an uplink; give one with --uplink, or choose another --type");
    wanted = a_switch("blue");
    wanted.mtu_bytes = 575;
    assert_refused(lab, vswitch_add(m, &wanted, e), ERANGE,
                   "switch \"blue\": MTU 575 is out of range; choose 576 to 9600");
    wanted.mtu_bytes = 9601;
    assert_refused(lab, vswitch_add(m, &wanted, e), ERANGE,
                   "switch \"blue\": MTU 9601 is out of range; choose 576 to 9600");
    wanted = a_switch("blue");
    wanted.mac_capacity_entries = 1000001;
    assert_refused(lab, vswitch_add(m, &wanted, e), ERANGE,
                   "switch \"blue\": mac-capacity 1000001 is out of range; choose 1 to 1000000");
    wanted = a_switch("blue");
    wanted.mac_ageing_s = 1000001;
    assert_refused(lab, vswitch_add(m, &wanted, e), ERANGE,
                   "switch \"blue\": mac-ageing 1000001 is out of range; choose 0 to 1000000");
}

static void test_vswitch_unknown_switch_is_refused_with_those_there_are(void **state)
{
    struct lab *lab = *state;
    char name[16];

    assert_refused(lab, vswitch_remove(m, "x", false, e), ENOENT,
                   "there is no switch named \"x\", nor any other; add it first");
    add(lab, "red");
    assert_refused(lab, vswitch_remove(m, "x", false, e), ENOENT,
                   "there is no switch named \"x\"; there is \"red\"");
    add(lab, "green");
    add(lab, "blue");
    assert_refused(lab, vswitch_remove(m, "x", false, e), ENOENT,
                   "there is no switch named \"x\"; there are \"red\", \"green\" and \"blue\"");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        add(lab, name);
    }
    assert_refused(lab, vswitch_remove(m, "x", false, e), ENOENT,
                   "there is no switch named \"x\"; list the 7 that there are to find its name");
}

static void test_vswitch_most_switches_are_256(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch wanted = a_switch("more");
    bool used[FABRIC_MAX_SWITCHES] = { false };
    char name[16];

    for (unsigned i = 0; i < FABRIC_MAX_SWITCHES; i++) {
        uint16_t id;

        snprintf(name, sizeof(name), "s%u", i);
        id = add(lab, name)->id;
        assert_false(used[id]);
        used[id] = true;
    }

    assert_refused(lab, vswitch_add(m, &wanted, e), ENOSPC, "switch \"more\" cannot be added, "
                   "because there are 256 already and no more can be; remove one first");
}

static void test_vswitch_set_changes_what_it_may(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = a_switch("red");
    const uint16_t id = add(lab, "red")->id;

    wanted.mtu_bytes = 9000;
    wanted.mac_capacity_entries = 10;
    wanted.mac_ageing_s = 0;
    wanted.coalesce = true;
    wanted.id = 77;
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);

    assert_int_equal(vswitch_find(lab->model, "red")->mtu_bytes, 9000);
    assert_int_equal(vswitch_find(lab->model, "red")->mac_capacity_entries, 10);
    assert_int_equal(vswitch_find(lab->model, "red")->mac_ageing_s, 0);
    assert_true(vswitch_find(lab->model, "red")->coalesce);
    assert_int_equal(vswitch_find(lab->model, "red")->id, id);
}

static void test_vswitch_set_refuses_what_its_vnics_and_addresses_need(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = a_switch("red");
    struct vswitch_vnic web = a_vnic("web");

    add(lab, "red");
    web.mtu_bytes = 1400;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &web, &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_2, 0, "web", &lab->error), 0);

    wanted.mtu_bytes = 1300;
    assert_refused(lab, vswitch_set(m, &wanted, e), EBUSY, "switch \"red\": MTU 1300 is below the "
                   "1400 of vNIC \"web\"; lower the vNIC's MTU first or choose at least 1400");
    wanted = a_switch("red");
    wanted.mac_capacity_entries = 1;
    assert_refused(lab, vswitch_set(m, &wanted, e), EBUSY, "switch \"red\": mac-capacity 1 is "
                   "below the 2 pinned addresses it has; choose more or remove some first");
    wanted.mtu_bytes = 100;
    assert_refused(lab, vswitch_set(m, &wanted, e), ERANGE,
                   "switch \"red\": MTU 100 is out of range; choose 576 to 9600");
}

static void test_vswitch_remove_with_vnics_needs_force(void **state)
{
    struct lab *lab = *state;

    add(lab, "blue");
    add(lab, "red");
    add_vnic(lab, "red", "a");
    assert_refused(lab, vswitch_remove(m, "red", false, e), EBUSY, "switch \"red\" has 1 vNIC; "
                   "remove it first, or use --force to remove both");
    add_vnic(lab, "blue", "b");
    add_vnic(lab, "red", "c");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "c", &lab->error), 0);
    assert_refused(lab, vswitch_remove(m, "red", false, e), EBUSY, "switch \"red\" has 2 vNICs; "
                   "remove them first, or use --force to remove them with it");

    assert_int_equal(vswitch_remove(lab->model, "red", true, &lab->error), 0);
    assert_null(vswitch_find(lab->model, "red"));
    assert_null(vswitch_find_vnic(lab->model, "a"));
    assert_null(vswitch_find_vnic(lab->model, "c"));
    assert_non_null(vswitch_find_vnic(lab->model, "b"));
    assert_int_equal(lab->model->mac_count, 0);
    assert_int_equal(vswitch_remove(lab->model, "blue", true, &lab->error), 0);
    assert_int_equal(lab->model->switch_count + lab->model->vnic_count, 0);
}

static void test_vswitch_number_just_freed_is_not_given_again(void **state)
{
    struct lab *lab = *state;
    uint16_t id, port;

    add(lab, "red");
    id = add(lab, "blue")->id;
    add_vnic(lab, "red", "a");
    port = add_vnic(lab, "red", "b")->port;
    assert_int_equal(vswitch_remove(lab->model, "blue", false, &lab->error), 0);
    assert_int_equal(vswitch_remove_vnic(lab->model, "b", &lab->error), 0);

    assert_int_not_equal(add(lab, "blue")->id, id);
    assert_int_not_equal(add_vnic(lab, "red", "b")->port, port);
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

static void test_vswitch_vnic_takes_mtu_of_its_switch_and_mac_of_the_pool(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_vnic *web;

    add(lab, "red");
    web = add_vnic(lab, "red", "web");

    assert_true(web->mac == POOL_MAC);
    assert_int_equal(vswitch_vnic_mtu(lab->model, web), 1500);
    assert_int_equal(web->switch_id, vswitch_find(lab->model, "red")->id);
    assert_ptr_equal(vswitch_vnic_by_port(lab->model, web->port), web);
    assert_true(add_vnic(lab, "red", "db")->mac == POOL_MAC + 1);
}

static void test_vswitch_add_vnic_refuses_by_the_rules(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ENOENT,
                   "there is no switch named \"red\", nor any other; add it first");
    add(lab, "red");
    add_vnic(lab, "red", "web");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EEXIST, "a vNIC named \"web\" "
                   "already exists; choose another name or remove it first");
    wanted = a_vnic("a/b");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EINVAL, "\"a/b\" cannot name a "
                   "vNIC; choose 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or a digit");
    wanted = a_vnic("db");
    wanted.queues = 17;
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ERANGE,
                   "vNIC \"db\": queues 17 is out of range; choose 1 to 16");
    wanted.queues = 0;
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ERANGE,
                   "vNIC \"db\": queues 0 is out of range; choose 1 to 16");
}

static void test_vswitch_vnic_mtu_is_at_most_its_switch_s(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    add(lab, "red");
    wanted.mtu_bytes = 9000;
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ERANGE, "vNIC \"web\": MTU 9000 "
                   "is above the 1500 of switch \"red\"; choose at most 1500 or raise the "
                   "switch's MTU first");
    wanted.mtu_bytes = 10000;
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ERANGE,
                   "vNIC \"web\": MTU 10000 is out of range; choose 576 to 9600");
    wanted.mtu_bytes = 575;
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ERANGE,
                   "vNIC \"web\": MTU 575 is out of range; choose 576 to 9600");
    wanted.mtu_bytes = 576;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
    assert_int_equal(vswitch_vnic_mtu(lab->model, vswitch_find_vnic(lab->model, "web")), 576);
}

static void test_vswitch_vnic_mac_is_a_station_s_and_nobody_else_s(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    add(lab, "red");
    add(lab, "blue");
    wanted.mac = MAC_1;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
    wanted = a_vnic("db");
    wanted.mac = MAC_1;
    assert_refused(lab, vswitch_add_vnic(m, "blue", &wanted, e), EEXIST, "port \"db\" may not "
                   "use MAC 02:00:00:00:00:01, it belongs to port \"web\" of switch \"red\"; "
                   "choose another");
    wanted.mac = UINT64_C(0x01005e000001);
    assert_refused(lab, vswitch_add_vnic(m, "blue", &wanted, e), EINVAL, "port \"db\" may not "
                   "use MAC 01:00:5e:00:00:01, which is a group address; choose a unicast one");
}

static void test_vswitch_vnic_offload_has_what_it_needs(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    add(lab, "lan");
    wanted.offload = OFFLOAD_HOST_TSO4 | OFFLOAD_GUEST_CSUM;
    assert_refused(lab, vswitch_add_vnic(m, "lan", &wanted, e), EINVAL, "vNIC \"web\": offload "
                   "host_tso4,guest_csum has features without those that they need; choose "
                   "guest_csum, which is the rest of it, or add what is missing");
    wanted.offload = OFFLOAD_ALL;
    assert_int_equal(vswitch_add_vnic(lab->model, "lan", &wanted, &lab->error), 0);
    assert_true(vswitch_find_vnic(lab->model, "web")->offload == OFFLOAD_ALL);

    wanted.offload = OFFLOAD_ALL & ~OFFLOAD_CSUM;
    assert_refused(lab, vswitch_set_vnic(m, &wanted, e), EINVAL, "vNIC \"web\": offload rx,"
                   "host_tso4,host_tso6,host_ecn,host_uso has features without those that they "
                   "need; choose rx, which is the rest of it, or add what is missing");
    wanted.offload = OFFLOAD_CSUM;
    assert_int_equal(vswitch_set_vnic(lab->model, &wanted, &lab->error), 0);
    assert_true(vswitch_find_vnic(lab->model, "web")->offload == OFFLOAD_CSUM);
}

static void test_vswitch_vnic_socket_account_is_a_name(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    add(lab, "red");
    snprintf(wanted.socket_owner, sizeof(wanted.socket_owner), "../root");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EINVAL, "vNIC \"web\": the owner "
                   "of its socket cannot be \"../root\"; choose 1 to 32 of A-Z a-z 0-9 . _ -, the "
                   "first a letter or a digit");
    snprintf(wanted.socket_owner, sizeof(wanted.socket_owner), "libvirt-qemu");
    snprintf(wanted.socket_group, sizeof(wanted.socket_group), "kvm");
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
}

static void test_vswitch_pool_gives_each_address_once_until_it_is_used_up(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("fixed");
    char name[16];

    add(lab, "red");
    wanted.mac = POOL_MAC + 7;
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
    for (unsigned i = 0; i < 255; i++) {
        snprintf(name, sizeof(name), "v%u", i);
        assert_true(add_vnic(lab, "red", name)->mac >> 8 == POOL_MAC >> 8);
    }

    wanted = a_vnic("more");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ENOSPC, "vNIC \"more\": the "
                   "address pool 00:15:5d:0a:0b:00 to 00:15:5d:0a:0b:ff is used up; choose an "
                   "address for it, or widen the pool with daemon set --mac-pool");
    assert_int_equal(vswitch_remove_vnic(lab->model, "v100", &lab->error), 0);
    assert_true(add_vnic(lab, "red", "more")->mac == POOL_MAC + 101);
}

static void test_vswitch_most_vnics_are_1000(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("more");
    char name[16];

    add(lab, "red");
    for (unsigned i = 0; i < VSWITCH_MAX_VNICS; i++) {
        snprintf(name, sizeof(name), "v%u", i);
        wanted = a_vnic(name);
        wanted.mac = MAC_1 + i;
        assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
    }

    wanted = a_vnic("more");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), ENOSPC, "vNIC \"more\" cannot be "
                   "added, because there are 1000 already and no more can be; remove one first");
}

static void test_vswitch_set_vnic_changes_what_it_may(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");
    const struct vswitch_vnic *web;

    add(lab, "red");
    add_vnic(lab, "red", "web");
    wanted.mtu_bytes = 1000;
    snprintf(wanted.socket_group, sizeof(wanted.socket_group), "kvm");
    assert_int_equal(vswitch_set_vnic(lab->model, &wanted, &lab->error), 0);
    web = vswitch_find_vnic(lab->model, "web");
    assert_true(web->mac == POOL_MAC);
    wanted.mac = POOL_MAC;
    assert_int_equal(vswitch_set_vnic(lab->model, &wanted, &lab->error), 0);
    wanted.mac = MAC_1;
    assert_int_equal(vswitch_set_vnic(lab->model, &wanted, &lab->error), 0);

    web = vswitch_find_vnic(lab->model, "web");
    assert_true(web->mac == MAC_1);
    assert_int_equal(web->mtu_bytes, 1000);
    assert_string_equal(web->socket_group, "kvm");
}

static void test_vswitch_set_vnic_refuses_by_the_rules(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("web");

    add(lab, "red");
    add_vnic(lab, "red", "web");
    add_vnic(lab, "red", "db");
    wanted.queues = 4;
    assert_refused(lab, vswitch_set_vnic(m, &wanted, e), EBUSY, "vNIC \"web\" has 1 queue pair, "
                   "for life; remove it and add it with 4");
    wanted = a_vnic("web");
    wanted.mac = POOL_MAC + 1;
    assert_refused(lab, vswitch_set_vnic(m, &wanted, e), EEXIST, "port \"web\" may not "
                   "use MAC 00:15:5d:0a:0b:01, it belongs to port \"db\" of switch \"red\"; choose "
                   "another");
    wanted = a_vnic("mail");
    assert_refused(lab, vswitch_set_vnic(m, &wanted, e), ENOENT,
                   "there is no vNIC named \"mail\"; there are \"web\" and \"db\"");
    assert_refused(lab, vswitch_remove_vnic(m, "mail", e), ENOENT,
                   "there is no vNIC named \"mail\"; there are \"web\" and \"db\"");
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void test_vswitch_copy_is_independent(void **state)
{
    struct lab *lab = *state;
    struct vswitch_model *copy;

    add(lab, "red");
    add_vnic(lab, "red", "web");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 0, "web", &lab->error), 0);
    copy = vswitch_model_copy(lab->model);
    assert_non_null(copy);
    assert_unchanged(copy, lab->model);
    assert_int_equal(vswitch_remove(lab->model, "red", true, &lab->error), 0);

    assert_non_null(vswitch_find(copy, "red"));
    assert_non_null(vswitch_find_vnic(copy, "web"));
    assert_int_equal(copy->mac_count, 1);
    vswitch_model_destroy(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_vswitch_check_name_takes_what_the_rule_says),
        LAB_TEST(test_vswitch_name_in_a_sentence_is_cut_and_printable),
        LAB_TEST(test_vswitch_added_switch_is_found_as_wanted),
        LAB_TEST(test_vswitch_add_refuses_by_the_rules),
        LAB_TEST(test_vswitch_unknown_switch_is_refused_with_those_there_are),
        LAB_TEST(test_vswitch_most_switches_are_256),
        LAB_TEST(test_vswitch_set_changes_what_it_may),
        LAB_TEST(test_vswitch_set_refuses_what_its_vnics_and_addresses_need),
        LAB_TEST(test_vswitch_remove_with_vnics_needs_force),
        LAB_TEST(test_vswitch_number_just_freed_is_not_given_again),
        LAB_TEST(test_vswitch_vnic_takes_mtu_of_its_switch_and_mac_of_the_pool),
        LAB_TEST(test_vswitch_add_vnic_refuses_by_the_rules),
        LAB_TEST(test_vswitch_vnic_mtu_is_at_most_its_switch_s),
        LAB_TEST(test_vswitch_vnic_mac_is_a_station_s_and_nobody_else_s),
        LAB_TEST(test_vswitch_vnic_offload_has_what_it_needs),
        LAB_TEST(test_vswitch_vnic_socket_account_is_a_name),
        LAB_TEST(test_vswitch_pool_gives_each_address_once_until_it_is_used_up),
        LAB_TEST(test_vswitch_most_vnics_are_1000),
        LAB_TEST(test_vswitch_set_vnic_changes_what_it_may),
        LAB_TEST(test_vswitch_set_vnic_refuses_by_the_rules),
        LAB_TEST(test_vswitch_copy_is_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
