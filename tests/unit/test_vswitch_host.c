/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's adapter on a switch: when there is one, its name, address and VLAN.
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

static void test_vswitch_internal_switch_has_a_host_vnic_with_name_and_mac(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *lan = add_made(lab, an_internal("lan"));

    assert_string_equal(lan->host_name, "lan");
    assert_true(lan->host_mac == POOL_MAC);
    assert_int_not_equal(lan->host_port, VSWITCH_NO_PORT);
    assert_true(add_vnic(lab, "lan", "web")->mac == POOL_MAC + 1);
}

static void test_vswitch_host_vnic_is_refused_where_there_is_none(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = a_switch("lan");

    wanted.host_vnic = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is private, which has "
                   "no host vNIC; leave --host-vnic out or choose --type internal");
    wanted = an_internal("lan");
    wanted.host_vnic = false;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is internal, which "
                   "always has a host vNIC; choose --type private to have none");
    wanted = an_external("lan", "eth1");
    wanted.host_vlan = a_vlan("access:10");
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" has no host vNIC, "
                   "which --host-vlan would be for; leave it out, or choose --type internal, or "
                   "an external switch with --host-vnic on");
    wanted = a_switch("lan");
    wanted.host_mac = MAC_1;
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EINVAL);
    assert_non_null(strstr(lab->error.text, "--host-mac"));
    wanted = a_switch("lan");
    wanted.host_address_count = 1;
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EINVAL);
    assert_non_null(strstr(lab->error.text, "--host-address"));
}

static void test_vswitch_ipv6_address_needs_an_mtu_that_ipv6_can_live_with(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");

    (void)snprintf(wanted.host_address[0], VSWITCH_ADDRESS_SIZE, "2001:db8::1/64");
    wanted.host_address_count = 1;
    wanted.mtu_bytes = 1279;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\": its host vNIC cannot "
                   "have 2001:db8::1/64, because IPv6 needs an MTU of 1280 or more, and the "
                   "switch's is 1279; raise that, or take the address out of --host-address");
    wanted.mtu_bytes = 1280;
    assert_non_null(add_made(lab, wanted));
}

static void test_vswitch_long_name_is_cut_with_a_sum_of_all_of_it(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *fits = add_made(lab, an_internal("fifteen-letters"));
    char names[2][VSWITCH_HOST_NAME_SIZE];

    assert_string_equal(fits->host_name, "fifteen-letters");
    memcpy(names[0], add_made(lab, an_internal("production-lan-1"))->host_name, sizeof(names[0]));
    memcpy(names[1], add_made(lab, an_internal("production-lan-2"))->host_name, sizeof(names[1]));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(strlen(names[i]), 15);
        assert_memory_equal(names[i], "production-", 11);
        assert_int_equal(strspn(names[i] + 11, "0123456789abcdef"), 4);
    }
    assert_string_not_equal(names[0], names[1]);
}

static void test_vswitch_host_name_is_nobody_else_s(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *longer = add_made(lab, an_internal("production-lan-1"));
    struct vswitch_switch wanted = an_internal(longer->host_name);
    struct vswitch_vnic vnic = a_vnic("lan");
    char sentence[ERROR_TEXT_SIZE];

    snprintf(sentence, sizeof(sentence), "switch \"%s\": its host vNIC would be called \"%s\", "
             "which is the host vNIC of switch \"production-lan-1\"; choose another name for the "
             "switch", wanted.name, wanted.name);
    assert_refused(lab, vswitch_add(m, &wanted, e), EEXIST, sentence);
    wanted = an_external("eth1", "eth1");
    wanted.host_vnic = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EEXIST, "switch \"eth1\": its host vNIC would "
                   "be called as its uplink is; choose another name for the switch");
    add_made(lab, an_external("ext", "eth1"));
    wanted = an_internal("eth1");
    assert_refused(lab, vswitch_add(m, &wanted, e), EEXIST, "switch \"eth1\": its host vNIC would "
                   "be called \"eth1\", which is the uplink of switch \"ext\"; choose another name "
                   "for the switch");

    add(lab, "lan");
    add_vnic(lab, "lan", "lan");
    wanted = an_internal("lan");
    assert_refused(lab, vswitch_set(m, &wanted, e), EEXIST, "switch \"lan\": host vNIC and vNIC "
                   "\"lan\" would be two ports of one name; remove the vNIC first");
    assert_int_equal(vswitch_remove_vnic(lab->model, "lan", &lab->error), 0);
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_refused(lab, vswitch_add_vnic(m, "lan", &vnic, e), EEXIST, "switch \"lan\" has a port "
                   "named \"lan\" already, its host vNIC; choose another name");
}

static void test_vswitch_host_vlan_is_none_or_one(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");

    wanted.host_vlan = a_vlan("trunk:10,native:1");
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\": its host vNIC is in "
                   "one VLAN or in none; choose --host-vlan none or one such as access:10");
    wanted.host_vlan = (struct vlan_policy){ .mode = VLAN_ACCESS, .vid = 4095 };
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EINVAL);
    wanted.host_vlan = a_vlan("access:10");
    assert_int_equal(add_made(lab, wanted)->host_vlan.vid, 10);
}

static void test_vswitch_host_address_has_a_prefix(void **state)
{
    static const char *const good[] = { "192.0.2.1/24", "192.0.2.1/1", "192.0.2.1/32",
                                        "2001:db8::1/64", "fe80::1/128" };
    static const char *const bad[] = { "", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2/24",
                                       "192.0.2.1/-1", "192.0.2.1/ 8", "192.0.2.1/24x",
                                       "2001:db8::1/129", "2001:db8::g/64", "/24", "eth1/24",
                                       "192.0.2.1/99999999999999999999" };
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");

    wanted.host_address_count = 1;
    add_made(lab, an_internal("lan"));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(wanted.host_address[0], VSWITCH_ADDRESS_SIZE, "%s", good[i]);
        assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(wanted.host_address[0], VSWITCH_ADDRESS_SIZE, "%s", bad[i]);
        assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), -EINVAL);
    }
    assert_string_equal(lab->error.text, "switch \"lan\": \"192.0.2.1/99999999999999999999\" is no "
                        "address with its prefix; write it as 192.0.2.1/24 or 2001:db8::1/64");
}

static void test_vswitch_host_address_is_one_that_an_adapter_can_have(void **state)
{
    static const char *const refused[] = {
        "0.0.0.0/24", "0.1.2.3/8", "127.0.0.1/8", "224.0.0.1/24", "239.255.255.255/32",
        "255.255.255.255/32", "10.0.0.1/0", "::/64", "::1/128", "ff02::1/64", "2001:db8::1/0",
    };
    static const char *const taken[] = {
        "10.0.0.0/31", "126.0.0.1/8", "223.255.255.254/32", "240.0.0.1/24", "fe80::5/64",
    };
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");

    wanted.host_address_count = 1;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        (void)snprintf(wanted.host_address[0], VSWITCH_ADDRESS_SIZE, "%s", refused[i]);
        assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EINVAL);
        assert_non_null(strstr(lab->error.text, "is no address that an adapter can have"));
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        (void)snprintf(wanted.host_address[0], VSWITCH_ADDRESS_SIZE, "%s", taken[i]);
        assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), 0);
        assert_int_equal(vswitch_remove(lab->model, "lan", false, &lab->error), 0);
    }
}

static void test_vswitch_host_mac_is_chosen_kept_and_changed(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");
    const struct vswitch_switch *lan;

    wanted.host_mac = MAC_1;
    lan = add_made(lab, wanted);
    assert_true(lan->host_mac == MAC_1);
    wanted = an_internal("lan");
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_true(lan->host_mac == MAC_1);
    wanted.host_mac = MAC_2;
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_true(lan->host_mac == MAC_2);
    assert_true(lab->model->pool_next == POOL_MAC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_vswitch_internal_switch_has_a_host_vnic_with_name_and_mac),
        LAB_TEST(test_vswitch_host_vnic_is_refused_where_there_is_none),
        LAB_TEST(test_vswitch_ipv6_address_needs_an_mtu_that_ipv6_can_live_with),
        LAB_TEST(test_vswitch_long_name_is_cut_with_a_sum_of_all_of_it),
        LAB_TEST(test_vswitch_host_name_is_nobody_else_s),
        LAB_TEST(test_vswitch_host_vlan_is_none_or_one),
        LAB_TEST(test_vswitch_host_address_has_a_prefix),
        LAB_TEST(test_vswitch_host_address_is_one_that_an_adapter_can_have),
        LAB_TEST(test_vswitch_host_mac_is_chosen_kept_and_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
