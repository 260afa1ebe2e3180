/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/report_port: ports of each kind as JSON, from readings. */
#include "ctl/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/offload.h"

static const struct vswitch_switch ext = { .name = "ext", .id = 3, .mtu_bytes = 9000 };
static const struct vlan_policy access10 = { .mode = VLAN_ACCESS, .vid = 10 };

static struct port_reading uplink_reading(void)
{
    return (struct port_reading){
        .port = { .kind = VSWITCH_PORT_UPLINK, .name = "eth1", .mtu_bytes = 9000,
                  .vlan = vlan_policy_of_uplink() },
        .counters = { .from_frames = 100, .from_multicast = 10, .from_broadcast = 20,
                      .drops[DROP_RECEIVE_OVERRUN] = 7 },
        .status.uplink = { .present = true, .carrier = true, .mac = 0x525400000001 },
    };
}

static struct port_reading vnic_reading(void)
{
    return (struct port_reading){
        .port = { .kind = VSWITCH_PORT_VNIC, .name = "web0", .mtu_bytes = 1400,
                  .vlan = &access10, .mac = 0x00155d000001 },
        .counters = { .from_frames = 5, .drops[DROP_OVER_MTU] = 2 },
        .has_rate = true,
        .rate = { 11, 22, 33, 44 },
        .status.vnic = { .state = VHOST_ATTACHED },
    };
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void test_port_of_an_uplink_has_the_address_of_its_interface(void **state)
{
    const struct port_reading reading = uplink_reading();
    json_t *port = report_port(&ext, &reading);

    (void)state;
    assert_string_equal(text_of(port, "switch"), "ext");
    assert_string_equal(text_of(port, "name"), "eth1");
    assert_string_equal(text_of(port, "kind"), "uplink");
    assert_string_equal(text_of(port, "mac"), "52:54:00:00:00:01");
    assert_int_equal(number_of(port, "mtu"), 9000);
    assert_int_equal(number_of(port, "from_unicast"), 70);
    assert_true(json_is_null(json_object_get(port, "rates")));
    assert_int_equal(number_of(json_object_get(port, "drops"),
                               drop_reason_text(DROP_RECEIVE_OVERRUN)), 7);
    json_decref(port);
}

static void test_port_of_a_vnic_has_its_vlan_its_mtu_and_its_rates(void **state)
{
    const struct port_reading reading = vnic_reading();
    json_t *port = report_port(&ext, &reading);
    const json_t *rates = json_object_get(port, "rates");

    (void)state;
    assert_string_equal(text_of(port, "vlan"), "access:10");
    assert_string_equal(text_of(port, "mac"), "00:15:5d:00:00:01");
    assert_int_equal(number_of(port, "mtu"), 1400);
    assert_int_equal(number_of(rates, "from_frames_per_s"), 11);
    assert_int_equal(number_of(rates, "from_bits_per_s"), 22);
    assert_int_equal(number_of(rates, "to_frames_per_s"), 33);
    assert_int_equal(number_of(rates, "to_bits_per_s"), 44);
    json_decref(port);
}

static void test_port_has_every_reason_zeros_too(void **state)
{
    const struct port_reading reading = vnic_reading();
    json_t *port = report_port(&ext, &reading);

    (void)state;
    assert_int_equal(json_object_size(json_object_get(port, "drops")), DROP_REASON_COUNT);
    json_decref(port);
}

static void test_offloads_are_words_in_the_order_of_the_table(void **state)
{
    json_t *words = report_offloads(OFFLOAD_TAKES_USO6 | OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4);
    json_t *none = report_offloads(0);
    char *text = json_dumps(words, JSON_COMPACT);

    (void)state;
    assert_string_equal(text, "[\"csum\",\"tso4\",\"uso6\"]");
    assert_int_equal(json_array_size(none), 0);
    free(text);
    json_decref(none);
    json_decref(words);
}

static void test_state_of_each_kind_of_port(void **state)
{
    struct port_reading uplink = uplink_reading(), vnic = vnic_reading();
    struct port_reading host = { .port.kind = VSWITCH_PORT_HOST };

    (void)state;
    assert_string_equal(port_reading_state(&uplink), "up");
    uplink.status.uplink.carrier = false;
    assert_string_equal(port_reading_state(&uplink), "no carrier");
    uplink.status.uplink.present = false;
    assert_string_equal(port_reading_state(&uplink), "gone");

    assert_string_equal(port_reading_state(&host), "gone");
    host.status.host.present = true;
    assert_string_equal(port_reading_state(&host), "down");
    host.status.host.up = true;
    assert_string_equal(port_reading_state(&host), "up");

    assert_string_equal(port_reading_state(&vnic), "attached");
    vnic.status.vnic.state = VHOST_BROKEN;
    assert_string_equal(port_reading_state(&vnic), "broken");
}

static void test_traffic_sums_ports_of_all_kinds_and_removed_ones(void **state)
{
    const struct port_reading readings[] = { uplink_reading(), vnic_reading() };
    struct control *control = calloc(1, sizeof(*control));
    json_t *traffic;

    (void)state;
    assert_non_null(control);
    control->removed[ext.id].from_frames = 1000;
    control->removed[ext.id].drops[DROP_OVER_MTU] = 40;

    traffic = report_traffic(control, &ext, readings, 2);

    assert_int_equal(json_array_size(json_object_get(traffic, "ports")), 2);
    assert_int_equal(number_of(json_object_get(traffic, "counters"), "from_frames"), 1105);
    assert_int_equal(number_of(json_object_get(traffic, "drops"),
                               drop_reason_text(DROP_OVER_MTU)), 42);
    json_decref(traffic);
    free(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_of_an_uplink_has_the_address_of_its_interface),
        cmocka_unit_test(test_port_of_a_vnic_has_its_vlan_its_mtu_and_its_rates),
        cmocka_unit_test(test_port_has_every_reason_zeros_too),
        cmocka_unit_test(test_offloads_are_words_in_the_order_of_the_table),
        cmocka_unit_test(test_state_of_each_kind_of_port),
        cmocka_unit_test(test_traffic_sums_ports_of_all_kinds_and_removed_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
