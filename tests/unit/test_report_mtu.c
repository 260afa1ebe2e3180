/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/report_mtu: what disagrees with a switch's MTU, and what is said to be done. */
#include "ctl/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct vswitch_switch jumbo = {
    .name = "ext", .type = VSWITCH_EXTERNAL, .mtu_bytes = 9000, .host_name = "ext",
};

static struct port_reading uplink_reading(const char *where, uint32_t mtu_bytes,
                                          uint32_t max_mtu_bytes)
{
    return (struct port_reading){
        .port = { .kind = VSWITCH_PORT_UPLINK, .name = where, .mtu_bytes = 9000 },
        .status.uplink = { .present = true, .mtu_bytes = mtu_bytes,
                           .max_mtu_bytes = max_mtu_bytes },
    };
}

static struct port_reading host_reading(uint32_t mtu_bytes)
{
    return (struct port_reading){
        .port = { .kind = VSWITCH_PORT_HOST, .name = "ext", .mtu_bytes = 9000 },
        .status.host = { .present = true, .up = true, .mtu_bytes = mtu_bytes },
    };
}

static struct port_reading vnic_reading(uint32_t mtu_bytes, uint32_t guest_mtu_bytes)
{
    return (struct port_reading){
        .port = { .kind = VSWITCH_PORT_VNIC, .name = "web0", .mtu_bytes = mtu_bytes },
        .status.vnic = { .state = VHOST_ATTACHED, .guest_mtu_bytes = guest_mtu_bytes },
    };
}

static void assert_agrees(struct port_reading reading)
{
    json_t *list = report_mtu(&jumbo, &reading, 1);

    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

static void assert_disagrees(struct port_reading reading, const char *object, int mtu_bytes,
                             bool deliberate, const char *advice)
{
    json_t *list = report_mtu(&jumbo, &reading, 1);
    const json_t *found = json_array_get(list, 0);

    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(found, "object")), object);
    assert_int_equal(json_integer_value(json_object_get(found, "mtu")), mtu_bytes);
    assert_int_equal(json_integer_value(json_object_get(found, "switch_mtu")), 9000);
    assert_int_equal(json_is_true(json_object_get(found, "deliberate")), deliberate);
    assert_string_equal(json_string_value(json_object_get(found, "advice")), advice);
    json_decref(list);
}

static void test_mtu_of_all_that_agree_is_no_disagreement(void **state)
{
    (void)state;
    assert_agrees(uplink_reading("eth1", 9000, 9000));
    assert_agrees(host_reading(9000));
    assert_agrees(vnic_reading(9000, 9000));
    assert_agrees(vnic_reading(9000, 0));
}

static void test_mtu_of_what_is_not_there_is_no_disagreement(void **state)
{
    struct port_reading uplink = uplink_reading("eth1", 1500, 0);
    struct port_reading host = host_reading(1500);
    struct port_reading vnic = vnic_reading(9000, 1500);

    (void)state;
    uplink.status.uplink.present = false;
    host.status.host.present = false;
    vnic.status.vnic.state = VHOST_WAITING;
    assert_agrees(uplink);
    assert_agrees(host);
    assert_agrees(vnic);
    assert_agrees(uplink_reading("eth1", 0, 0));
}

static void test_mtu_of_an_interface_that_another_program_changed(void **state)
{
    (void)state;
    assert_disagrees(uplink_reading("eth1", 1500, 65535), "uplink eth1", 1500, false,
                     "`ip link set eth1 mtu 9000` sets it back");
    assert_disagrees(host_reading(1500), "host adapter ext", 1500, false,
                     "`ip link set ext mtu 9000` sets it back");
}

static void test_mtu_that_an_interface_cannot_have(void **state)
{
    (void)state;
    assert_disagrees(uplink_reading("eth1", 1500, 4000), "uplink eth1", 1500, false,
                     "it takes 4000 at most: `vswitchctl switch set ext --mtu 4000`");
}

static void test_mtu_of_a_device_that_no_other_program_can_change(void **state)
{
    (void)state;
    assert_disagrees(uplink_reading("0000:01:00.0", 1500, 9600), "uplink 0000:01:00.0", 1500,
                     false, "`vswitchctl switch set ext --mtu 1500` makes them one");
}

static void test_mtu_of_a_vnic_that_was_given_less_is_deliberate(void **state)
{
    (void)state;
    assert_disagrees(vnic_reading(1400, 1400), "vNIC web0", 1400, true,
                     "`vswitchctl vnic set web0 --mtu 9000` lifts it");
}

static void test_mtu_that_a_guest_was_told_differs_from_its_vnics(void **state)
{
    (void)state;
    assert_disagrees(vnic_reading(9000, 1500), "guest of vNIC web0", 1500, false,
                     "start its VM with host_mtu=9000");
    assert_disagrees(vnic_reading(9000, 9216), "guest of vNIC web0", 9216, false,
                     "start its VM with host_mtu=9000");
}

static void test_mtu_of_a_port_can_disagree_twice(void **state)
{
    struct port_reading readings[] = { host_reading(9000), vnic_reading(1400, 1500) };
    json_t *list;

    (void)state;
    list = report_mtu(&jumbo, readings, 2);

    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mtu_of_all_that_agree_is_no_disagreement),
        cmocka_unit_test(test_mtu_of_what_is_not_there_is_no_disagreement),
        cmocka_unit_test(test_mtu_of_an_interface_that_another_program_changed),
        cmocka_unit_test(test_mtu_that_an_interface_cannot_have),
        cmocka_unit_test(test_mtu_of_a_device_that_no_other_program_can_change),
        cmocka_unit_test(test_mtu_of_a_vnic_that_was_given_less_is_deliberate),
        cmocka_unit_test(test_mtu_that_a_guest_was_told_differs_from_its_vnics),
        cmocka_unit_test(test_mtu_of_a_port_can_disagree_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
