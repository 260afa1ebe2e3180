/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private VLANs: a secondary has one primary, on each switch, and shares its filtering id.
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

static int try_vnic(struct lab *lab, const char *on, const char *name, const char *policy)
{
    struct vswitch_vnic wanted = a_vnic(name);

    wanted.vlan = a_vlan(policy);
    return vswitch_add_vnic(lab->model, on, &wanted, &lab->error);
}

static void test_vswitch_ports_of_one_private_vlan_go_together(void **state)
{
    struct lab *lab = *state;

    add(lab, "red");
    assert_int_equal(try_vnic(lab, "red", "i", "isolated:100,201"), 0);
    assert_int_equal(try_vnic(lab, "red", "i2", "isolated:100,201"), 0);
    assert_int_equal(try_vnic(lab, "red", "c", "community:100,202"), 0);
    assert_int_equal(try_vnic(lab, "red", "p", "promiscuous:100,201-210"), 0);
    assert_int_equal(try_vnic(lab, "red", "q", "promiscuous:300,301"), 0);
    assert_int_equal(try_vnic(lab, "red", "a", "access:201"), 0);
    assert_int_equal(try_vnic(lab, "red", "t", "trunk:100,201,301,native:1"), 0);
}

static void test_vswitch_secondary_has_one_primary(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("x");

    add(lab, "red");
    add(lab, "blue");
    assert_int_equal(try_vnic(lab, "red", "p", "promiscuous:100,201-203"), 0);
    wanted.vlan = a_vlan("isolated:300,202");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EBUSY, "vNIC \"x\": VLAN 202 "
                   "cannot be a secondary of 300, because for vNIC \"p\" it is one of 100; choose "
                   "another, or change that vNIC first");
    wanted.vlan = a_vlan("isolated:202,300");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EBUSY, "vNIC \"x\": VLAN 202 "
                   "cannot be a primary, because for vNIC \"p\" it is a secondary of 100; choose "
                   "another, or change that vNIC first");
    wanted.vlan = a_vlan("community:300,100");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EBUSY, "vNIC \"x\": VLAN 100 "
                   "cannot be a secondary of 300, because for vNIC \"p\" it is a primary; choose "
                   "another, or change that vNIC first");
    assert_int_equal(try_vnic(lab, "blue", "x", "community:300,100"), 0);
}

static void test_vswitch_private_vlan_of_a_vnic_may_change_by_itself(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("p");

    add(lab, "red");
    assert_int_equal(try_vnic(lab, "red", "p", "promiscuous:100,201-203"), 0);
    wanted.vlan = a_vlan("promiscuous:201,100");
    assert_int_equal(vswitch_set_vnic(lab->model, &wanted, &lab->error), 0);
}

static void test_vswitch_vlans_with_one_address_at_two_ports_stay_two(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic wanted = a_vnic("c");

    add(lab, "red");
    add_vnic(lab, "red", "a");
    add_vnic(lab, "red", "b");
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 100, "a", &lab->error), 0);
    assert_int_equal(vswitch_add_mac(lab->model, "red", MAC_1, 201, "b", &lab->error), 0);
    wanted.vlan = a_vlan("community:100,201");
    assert_refused(lab, vswitch_add_vnic(m, "red", &wanted, e), EBUSY, "vNIC \"c\": VLANs 201 and "
                   "100 cannot be one private VLAN, because 02:00:00:00:00:01 is pinned to "
                   "different ports in them; remove one of the two first");
    wanted.vlan = a_vlan("community:100,202");
    assert_int_equal(vswitch_add_vnic(lab->model, "red", &wanted, &lab->error), 0);
}

static void test_vswitch_fid_is_the_primary_of_a_secondary_on_that_switch(void **state)
{
    struct lab *lab = *state;
    const uint16_t red = add(lab, "red")->id, blue = add(lab, "blue")->id;

    assert_int_equal(try_vnic(lab, "red", "p", "promiscuous:100,201-203"), 0);
    assert_int_equal(try_vnic(lab, "red", "t", "trunk:400-500,native:5"), 0);

    assert_int_equal(vswitch_fid(lab->model, red, 0), 0);
    assert_int_equal(vswitch_fid(lab->model, red, 100), 100);
    assert_int_equal(vswitch_fid(lab->model, red, 201), 100);
    assert_int_equal(vswitch_fid(lab->model, red, 203), 100);
    assert_int_equal(vswitch_fid(lab->model, red, 204), 204);
    assert_int_equal(vswitch_fid(lab->model, red, 450), 450);
    assert_int_equal(vswitch_fid(lab->model, blue, 201), 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_vswitch_ports_of_one_private_vlan_go_together),
        LAB_TEST(test_vswitch_secondary_has_one_primary),
        LAB_TEST(test_vswitch_private_vlan_of_a_vnic_may_change_by_itself),
        LAB_TEST(test_vswitch_vlans_with_one_address_at_two_ports_stay_two),
        LAB_TEST(test_vswitch_fid_is_the_primary_of_a_secondary_on_that_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
