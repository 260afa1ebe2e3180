/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Types of switches and their uplinks: what may be one, whose it is, and what changes with it.
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

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define WHERES "name a network interface (eth1), a PCI address (0000:01:00.0), a device of " \
               "DPDK's (vdev:net_tap0) or a team (team:t0)"

/* ---- what may be one ------------------------------------------------------------------------- */

static void test_vswitch_where_is_read_to_its_kind_and_one_spelling(void **state)
{
    static const struct {
        const char *where;
        enum vswitch_where kind;
        const char *device;
    } good[] = {
        { "eth1", VSWITCH_WHERE_INTERFACE, "eth1" },
        { "enp1s0f0.10@x", VSWITCH_WHERE_INTERFACE, "enp1s0f0.10@x" },
        { "123456789012345", VSWITCH_WHERE_INTERFACE, "123456789012345" },
        { "0000:01:00.0", VSWITCH_WHERE_PCI, "0000:01:00.0" },
        { "01:00.0", VSWITCH_WHERE_PCI, "0000:01:00.0" },
        { "10F3:AB:1F.7", VSWITCH_WHERE_PCI, "10f3:ab:1f.7" },
        { "vdev:net_tap0", VSWITCH_WHERE_VDEV, "net_tap0" },
        { "vdev:net_tap0,iface=x", VSWITCH_WHERE_VDEV, "net_tap0,iface=x" },
        { "team:t0", VSWITCH_WHERE_TEAM, "t0" },
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char device[VSWITCH_UPLINK_SIZE];
        enum vswitch_where kind;

        assert_int_equal(vswitch_read_where(good[i].where, &kind, device, NULL), 0);
        assert_int_equal(kind, good[i].kind);
        assert_string_equal(device, good[i].device);
    }
}

static void test_vswitch_where_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "", ".", "..", "a b", "a/b", "eth0:1", "eth1\n", "1234567890123456", "\xc3\xa4",
        "0000:01:00.8", "0000:01:20.0", "0000:01:00", "0000:01:00.00", "000:01:00.0", "0:01:00.0",
        "0000:01:00.0 ", "0000:0g:00.0", "vdev:", "vdev:,iface=x", "vdev:net tap", "vdev:a/b",
        "vdev:net_tap0,a=\033[2J", "team:", "team:-a", "team:a b", "team:team:a",
    };
    char device[VSWITCH_UPLINK_SIZE];
    enum vswitch_where kind;
    struct error error;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(vswitch_read_where(bad[i], &kind, device, &error), -EINVAL);
        assert_non_null(strstr(error.text, "cannot be an uplink; " WHERES));
        assert_null(strchr(error.text, '\033'));
    }
}

/* ---- types ----------------------------------------------------------------------------------- */

static void test_vswitch_type_refuses_what_it_cannot_have(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("lan", "eth1");

    wanted.type = VSWITCH_PRIVATE;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is private, which has "
                   "no uplink; leave --uplink out or choose --type external");
    wanted.type = VSWITCH_INTERNAL;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is internal, which has "
                   "no uplink; leave --uplink out or choose --type external");
    wanted = an_external("lan", "");
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is external, which "
                   "needs an uplink; give one with --uplink, or choose another --type");
    wanted = an_external("lan", "a b");
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\": \"a b\" cannot be an "
                   "uplink; " WHERES);
    wanted = a_switch("lan");
    wanted.move_addresses = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"lan\" is private and has no "
                   "uplink to move addresses from; leave --move-addresses out");
}

static void test_vswitch_move_addresses_needs_both_ends(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("ext", "eth1");

    wanted.move_addresses = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"ext\": there is no host vNIC "
                   "for --move-addresses to carry addresses to; use it with --host-vnic on");
    wanted = an_external("ext", "01:00.0");
    wanted.move_addresses = true;
    wanted.host_vnic = true;
    assert_refused(lab, vswitch_add(m, &wanted, e), EINVAL, "switch \"ext\": uplink \"01:00.0\" is "
                   "no network interface of the host's, so it has no addresses; leave "
                   "--move-addresses out");
}

static void test_vswitch_type_changes_keep_the_ports_that_stay(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_internal("lan");
    const uint16_t id = add_made(lab, wanted)->id;
    const struct vswitch_switch *lan = vswitch_find(lab->model, "lan");
    const uint16_t host_port = lan->host_port, vnic_port = add_vnic(lab, "lan", "web")->port;
    const uint64_t host_mac = lan->host_mac;
    uint16_t uplink_port;

    assert_int_equal(lan->uplink_port, VSWITCH_NO_PORT);
    wanted = an_external("lan", "eth1");
    wanted.host_vnic = true;
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_equal(lan->id, id);
    assert_int_equal(lan->host_port, host_port);
    assert_true(lan->host_mac == host_mac);
    assert_int_equal(vswitch_find_vnic(lab->model, "web")->port, vnic_port);
    uplink_port = lan->uplink_port;
    assert_true(uplink_port != VSWITCH_NO_PORT && uplink_port != host_port &&
                uplink_port != vnic_port);

    wanted.mtu_bytes = 9000;
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_equal(lan->uplink_port, uplink_port);
    wanted = an_external("lan", "eth2");
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_not_equal(lan->uplink_port, uplink_port);
    assert_int_equal(lan->host_port, VSWITCH_NO_PORT);
    assert_string_equal(lan->host_name, "");
    assert_true(lan->host_mac == 0);

    wanted = a_switch("lan");
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_equal(lan->type, VSWITCH_PRIVATE);
    assert_int_equal(lan->uplink_port, VSWITCH_NO_PORT);
    assert_string_equal(lan->uplink, "");
}

static void test_vswitch_same_pci_device_stays_the_same_port(void **state)
{
    struct lab *lab = *state;
    const struct vswitch_switch *ext = add_made(lab, an_external("ext", "01:00.0"));
    const uint16_t port = ext->uplink_port;
    const struct vswitch_switch wanted = an_external("ext", "0000:01:00.0");

    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_equal(ext->uplink_port, port);
    assert_string_equal(ext->uplink, "0000:01:00.0");
}

static void test_vswitch_addresses_pinned_to_an_uplink_go_with_it(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("ext", "eth1");

    wanted.host_vnic = true;
    add_made(lab, wanted);
    add_vnic(lab, "ext", "web");
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_1, 0, "eth1", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_2, 0, "ext", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_3, 0, "web", &lab->error), 0);

    wanted = an_external("ext", "eth2");
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_int_equal(lab->model->mac_count, 1);
    assert_true(lab->model->macs[0].mac == MAC_3);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_1, 0, "eth2", &lab->error), 0);
    assert_int_equal(vswitch_remove(lab->model, "ext", true, &lab->error), 0);
    assert_int_equal(lab->model->mac_count, 0);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static void test_vswitch_uplink_is_one_switch_s(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted;

    add_made(lab, an_external("a", "eth1"));
    add_made(lab, an_external("b", "0000:01:00.0"));
    add_made(lab, an_external("c", "vdev:net_tap0,iface=x"));
    wanted = an_external("d", "eth1");
    assert_refused(lab, vswitch_add(m, &wanted, e), EBUSY, "switch \"d\" cannot have uplink "
                   "\"eth1\", which is that of switch \"a\"; name another, or take it away there "
                   "first");
    wanted = an_external("d", "01:00.0");
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EBUSY);
    wanted = an_external("d", "vdev:net_tap0,iface=y");
    assert_int_equal(vswitch_add(lab->model, &wanted, &lab->error), -EBUSY);
    wanted = an_external("b", "eth1");
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), -EBUSY);
    add_made(lab, an_external("d", "vdev:net_tap01"));
}

static void test_vswitch_uplink_is_no_host_adapter_and_no_name_of_a_vnic_there(void **state)
{
    struct lab *lab = *state;
    struct vswitch_switch wanted = an_external("ext", "lan");
    struct vswitch_vnic vnic = a_vnic("eth1");

    add_made(lab, an_internal("lan"));
    assert_refused(lab, vswitch_add(m, &wanted, e), EBUSY, "switch \"ext\" cannot have uplink "
                   "\"lan\", which is the host's own adapter on switch \"lan\"; name another");
    add(lab, "ext");
    add_vnic(lab, "ext", "eth1");
    wanted = an_external("ext", "eth1");
    assert_refused(lab, vswitch_set(m, &wanted, e), EEXIST, "switch \"ext\": uplink and vNIC "
                   "\"eth1\" would be two ports of one name; remove the vNIC first");
    assert_int_equal(vswitch_remove_vnic(lab->model, "eth1", &lab->error), 0);
    assert_int_equal(vswitch_set(lab->model, &wanted, &lab->error), 0);
    assert_refused(lab, vswitch_add_vnic(m, "ext", &vnic, e), EEXIST, "switch \"ext\" has a port "
                   "named \"eth1\" already, its uplink; choose another name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vswitch_where_is_read_to_its_kind_and_one_spelling),
        cmocka_unit_test(test_vswitch_where_that_is_none_is_refused),
        LAB_TEST(test_vswitch_type_refuses_what_it_cannot_have),
        LAB_TEST(test_vswitch_move_addresses_needs_both_ends),
        LAB_TEST(test_vswitch_type_changes_keep_the_ports_that_stay),
        LAB_TEST(test_vswitch_same_pci_device_stays_the_same_port),
        LAB_TEST(test_vswitch_addresses_pinned_to_an_uplink_go_with_it),
        LAB_TEST(test_vswitch_uplink_is_one_switch_s),
        LAB_TEST(test_vswitch_uplink_is_no_host_adapter_and_no_name_of_a_vnic_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
