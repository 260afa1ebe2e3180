/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the model pins, into the tables and out of them again.
 */
#include "ctl/pins.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LAN  3u                    /* switch ids */
#define DMZ  7u
#define MAC  UINT64_C(0x020000000001)
#define MAC2 UINT64_C(0x020000000002)

struct lab {
    struct mac_table *table[FABRIC_MAX_SWITCHES];
};

static const struct pins nothing = { .count = 0 };

static int setup(void **state)
{
    static const struct mac_table_config config = { .capacity_entries = 2 };
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    lab->table[LAN] = mac_table_create(&config);
    assert_non_null(lab->table[LAN]);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    mac_table_destroy(lab->table[LAN]);
    free(lab);
    return 0;
}

static struct vswitch_pin pin(uint64_t mac, uint16_t switch_id, uint16_t fid, uint16_t port)
{
    return (struct vswitch_pin){ .mac = mac, .switch_id = switch_id, .fid = fid, .port = port };
}

static int add(struct lab *lab, const struct pins *from, const struct pins *to)
{
    struct vswitch_pin refused = { 0 };

    return pins_add(lab->table, lab->table, from, to, &refused);
}

/* The port that @p mac is pinned to; MAC_TABLE_MISS: none. */
static uint16_t port_of(struct lab *lab, uint64_t mac, uint16_t fid)
{
    struct mac_entry entry[8];
    size_t cursor = 0, count;

    while ((count = mac_table_list(lab->table[LAN], 0, &cursor, entry, 8)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (entry[i].mac == mac && entry[i].vlan == fid && entry[i].kind == MAC_STATIC) {
                return entry[i].port;
            }
        }
    }
    return MAC_TABLE_MISS;
}

static void test_pins_that_are_new_are_added_and_that_are_not_any_more_dropped(void **state)
{
    struct lab *lab = *state;
    struct vswitch_pin first[] = { pin(MAC, LAN, 0, 1) };
    struct vswitch_pin second[] = { pin(MAC, LAN, 10, 1) };
    const struct pins before = { first, 1 }, after = { second, 1 };

    assert_int_equal(add(lab, &nothing, &before), 0);
    assert_int_equal(add(lab, &before, &after), 0);
    assert_int_equal(port_of(lab, MAC, 0), 1);
    assert_int_equal(port_of(lab, MAC, 10), 1);
    pins_drop(lab->table, &before, &after);

    assert_int_equal(port_of(lab, MAC, 0), MAC_TABLE_MISS);
    assert_int_equal(port_of(lab, MAC, 10), 1);
}

static void test_pins_address_that_moves_to_another_port_stays_pinned(void **state)
{
    struct lab *lab = *state;
    struct vswitch_pin first[] = { pin(MAC, LAN, 0, 1) };
    struct vswitch_pin second[] = { pin(MAC, LAN, 0, 2) };
    const struct pins before = { first, 1 }, after = { second, 1 };

    assert_int_equal(add(lab, &nothing, &before), 0);
    assert_int_equal(add(lab, &before, &after), 0);
    pins_drop(lab->table, &before, &after);
    assert_int_equal(port_of(lab, MAC, 0), 2);

    assert_int_equal(add(lab, &after, &before), 0);
    pins_drop(lab->table, &after, &before);
    assert_int_equal(port_of(lab, MAC, 0), 1);
}

static void test_pins_without_room_name_the_one_that_has_none(void **state)
{
    struct lab *lab = *state;
    struct vswitch_pin many[] = { pin(MAC, LAN, 0, 1), pin(MAC2, LAN, 0, 2),
                                  pin(MAC, LAN, 10, 3) };
    const struct pins to = { many, 3 };
    struct vswitch_pin refused = { 0 };

    assert_int_equal(pins_add(lab->table, lab->table, &nothing, &to, &refused), -ENOSPC);
    assert_int_equal(refused.fid, 10);
    pins_drop(lab->table, &to, &nothing);

    assert_int_equal(port_of(lab, MAC, 0), MAC_TABLE_MISS);
    assert_int_equal(port_of(lab, MAC2, 0), MAC_TABLE_MISS);
}

static void test_pins_of_a_table_that_is_another_are_all_added(void **state)
{
    struct mac_table *const before[FABRIC_MAX_SWITCHES] = { NULL };
    struct lab *lab = *state;
    struct vswitch_pin one[] = { pin(MAC, LAN, 0, 1) };
    const struct pins same = { one, 1 };
    struct vswitch_pin refused;

    assert_int_equal(pins_add(lab->table, before, &same, &same, &refused), 0);

    assert_int_equal(port_of(lab, MAC, 0), 1);
}

static void test_pins_of_a_switch_that_is_not_are_passed_over(void **state)
{
    struct lab *lab = *state;
    struct vswitch_pin one[] = { pin(MAC, DMZ, 0, 1) };
    const struct pins to = { one, 1 };

    assert_int_equal(add(lab, &nothing, &to), 0);
    pins_drop(lab->table, &to, &nothing);
    assert_int_equal(port_of(lab, MAC, 0), MAC_TABLE_MISS);
}

static void test_pins_of_a_model_are_sorted_and_complete(void **state)
{
    struct vswitch_model *model = vswitch_model_create(0x0102);
    const struct vswitch_switch wanted = { .name = "lan", .mtu_bytes = 1500,
                                           .mac_capacity_entries = 10, .type = VSWITCH_PRIVATE };
    struct vswitch_vnic vnic = { .name = "a", .queues = 1, .spoof_guard = true, .mac = MAC2 };
    struct error error = { 0 };
    struct pins pins;

    (void)state;
    assert_int_equal(vswitch_add(model, &wanted, &error), 0);
    assert_int_equal(vswitch_add_vnic(model, "lan", &vnic, &error), 0);
    assert_int_equal(vswitch_add_mac(model, "lan", MAC, 0, "a", &error), 0);

    assert_int_equal(pins_list(model, &pins), 0);

    assert_int_equal(pins.count, 2);
    assert_int_equal(pins.pin[0].mac, MAC);
    assert_int_equal(pins.pin[1].mac, MAC2);
    pins_release(&pins);
    assert_int_equal(pins.count, 0);
    vswitch_model_destroy(model);
}

int main(void)
{
#define PINS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        PINS(test_pins_that_are_new_are_added_and_that_are_not_any_more_dropped),
        PINS(test_pins_address_that_moves_to_another_port_stays_pinned),
        PINS(test_pins_without_room_name_the_one_that_has_none),
        PINS(test_pins_of_a_table_that_is_another_are_all_added),
        PINS(test_pins_of_a_switch_that_is_not_are_passed_over),
        PINS(test_pins_of_a_model_are_sorted_and_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
