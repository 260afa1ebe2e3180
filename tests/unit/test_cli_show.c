/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli/cli_show: any JSON can be shown, and none of it reaches the terminal raw. */
#include "ctl/cli/cli_show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is printed for @p result, written as JSON; owned. */
static char *shown(enum method_id id, const char *result)
{
    json_t *value = json_loads(result, JSON_DECODE_ANY, NULL);
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);

    assert_non_null(value);
    cli_show(method_get(id), value, out);
    (void)fclose(out);
    json_decref(value);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_error("\"%s\" is not in:\n%s\n", part, text);
        fail();
    }
}

static void assert_shown(enum method_id id, const char *result, const char *text)
{
    char *is = shown(id, result);

    assert_string_equal(is, text);
    free(is);
}

static int no_terminal(void **state)
{
    (void)state;
    return unsetenv("COLUMNS");
}

/* ---- any result ------------------------------------------------------------------------------ */

static void test_any_result_of_any_method_can_be_shown(void **state)
{
    static const char *const results[] = {
        "null", "true", "5", "\"x\"", "[]", "{}", "[[]]", "[null, 5, {}]",
        "{\"ports\": 5, \"drops\": [], \"workers\": {}, \"counters\": 1, \"name\": []}",
        "{\"ports\": [1, {\"drops\": {\"a\": \"b\"}}], \"uptime_s\": -5, \"mac_entries\": {}}",
        "{\"uplink\": {}, \"uplink_status\": [], \"host\": 5, \"mtu_disagreements\": [1, {}]}",
        "{\"uplink\": \"x\", \"uplink_status\": {\"speed_mbps\": -1, \"mtu\": \"\"},"
        " \"host\": {\"addresses\": {}}, \"switches\": [7]}",
        "{\"ports\": [{\"rates\": 5, \"kind\": []}, {\"rates\": {\"to_bits_per_s\": \"\"}}],"
        " \"switches\": [{\"counters\": []}]}",
        "{\"allow_mac\": [[], null], \"spoof_tried\": {}, \"spoof_guard\": 3,"
        " \"drops\": {\"source address is not one the port may use\": 4}}",
        "[{\"vlan\": {}, \"mac\": null, \"port\": [1, [2]]}]",
    };

    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        for (size_t r = 0; r < sizeof(results) / sizeof(results[0]); r++) {
            free(shown((enum method_id)i, results[r]));
        }
    }
}

static void test_control_characters_are_not_printed(void **state)
{
    char *text = shown(METHOD_VNIC_LIST, "[{\"name\": \"a\\u001b[2Jb\", \"state\": \"x\\ny\","
                       " \"switch\": \"\\u009b2J\"}]");

    (void)state;
    assert_null(strchr(text, '\x1b'));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_has(text, "a?[2Jb");
    assert_has(text, "x?y");
    free(text);
}

/* Every text of a result of `switch show` and `vnic show`, hostile. */
static void test_control_characters_are_not_printed_wherever_they_are(void **state)
{
#define EVIL "\"\\u001b]0;x\\u0007\\r\\u007f\""
    static const char result[] =
        "{\"name\": " EVIL ", \"type\": " EVIL ", \"uplink\": " EVIL ", \"mac\": " EVIL ","
        " \"uplink_status\": {\"driver\": " EVIL ", \"note\": " EVIL ", \"mac\": " EVIL ","
        " \"offloads\": [" EVIL "], \"offloads_by\": " EVIL "}, \"offload\": " EVIL ","
        " \"offload_note\": " EVIL ","
        " \"offloads_taken\": [" EVIL "], \"offloads_sent\": [" EVIL "],"
        " \"host\": {\"name\": " EVIL ", \"vlan\": " EVIL ", \"addresses\": [" EVIL "]},"
        " \"mtu_disagreements\": [{\"object\": " EVIL ", \"advice\": " EVIL "}],"
        " \"spoof_tried\": " EVIL ", \"allow_mac\": [" EVIL "], \"features\": [" EVIL "],"
        " \"ports\": [{\"name\": " EVIL ", \"kind\": " EVIL ", \"vlan\": " EVIL ","
        " \"drops\": {" EVIL ": 3}}],"
        " \"drops\": {" EVIL ": 3, \"source address is not one the port may use\": 1}}";
    static const enum method_id ids[] = { METHOD_SWITCH_SHOW, METHOD_VNIC_SHOW,
                                          METHOD_STATS_SHOW };

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char *text = shown(ids[i], result);

        assert_null(strpbrk(text, "\x1b\x07\r\x7f"));
        assert_has(text, "?]0;x?");
        free(text);
    }
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void test_list_is_aligned(void **state)
{
    (void)state;
    assert_shown(METHOD_SWITCH_LIST,
                 "[{\"name\": \"lan\", \"type\": \"external\", \"mtu\": 1500, \"uplink\": \"eth1\","
                 " \"host_vnic\": true, \"port_count\": 2, \"mac_entries\": 12345},"
                 " {\"name\": \"a-long-name\", \"mtu\": 9000, \"uplink\": null}]",
                 "NAME         TYPE       MTU  UPLINK  HOST  PORTS   MACS\n"
                 "lan          external  1500  eth1    on        2  12345\n"
                 "a-long-name  -         9000  -       -         -      -\n");
}

static void test_list_of_nothing_says_what_to_do(void **state)
{
    (void)state;
    assert_shown(METHOD_SWITCH_LIST, "[]",
                 "no switches; `vswitchctl switch add NAME --type private` makes one\n");
}

static void test_addresses_of_all_vlans_say_so(void **state)
{
    (void)state;
    assert_shown(METHOD_MAC_SHOW,
                 "[{\"mac\": \"02:00:00:00:00:01\", \"vlan\": 10, \"port\": \"web0\","
                 " \"kind\": \"learned\", \"age_s\": 5},"
                 " {\"mac\": \"02:00:00:00:00:02\", \"vlan\": null, \"port\": \"web1\","
                 " \"kind\": \"pinned\", \"age_s\": 0}, {\"mac\": \"02:00:00:00:00:03\"}]",
                 "MAC                VLAN  PORT  KIND     AGE S\n"
                 "02:00:00:00:00:01    10  web0  learned      5\n"
                 "02:00:00:00:00:02   all  web1  pinned       0\n"
                 "02:00:00:00:00:03     -  -     -            -\n");
}

static void test_narrow_terminal_cuts_what_can_be_long_and_nothing_else(void **state)
{
    static const char list[] =
        "[{\"name\": \"ext\", \"type\": \"external\", \"mtu\": 1500,"
        " \"uplink\": \"vdev:net_af_packet0,iface=eth1\", \"host_vnic\": false,"
        " \"port_count\": 1, \"mac_entries\": 0}]";

    (void)state;
    assert_int_equal(setenv("COLUMNS", "56", 1), 0);
    assert_shown(METHOD_SWITCH_LIST, list,
                 "NAME  TYPE       MTU  UPLINK           HOST  PORTS  MACS\n"
                 "ext   external  1500  vdev:net_af_pa~  off       1     0\n");
}

static void test_terminal_too_narrow_for_anything_still_gets_all_columns(void **state)
{
    (void)state;
    assert_int_equal(setenv("COLUMNS", "10", 1), 0);
    assert_shown(METHOD_SWITCH_LIST, "[{\"name\": \"ext\", \"uplink\": \"enp1s0f0np0\"}]",
                 "NAME  TYPE  MTU  UPLINK    HOST  PORTS  MACS\n"
                 "ext   -       -  enp1s0f~  -         -     -\n");
}

/* ---- one switch ------------------------------------------------------------------------------ */

#define RATES(frames, bits)                                                                     \
    "\"rates\": {\"from_frames_per_s\": " #frames ", \"from_bits_per_s\": " #bits ","           \
    " \"to_frames_per_s\": 0, \"to_bits_per_s\": 0}"

static const char external_switch[] =
    "{\"name\": \"ext\", \"type\": \"external\", \"mtu\": 9000, \"uplink\": \"eth1\","
    " \"coalesce\": true, \"uplink_status\": {\"driver\": \"af_packet\", \"device\": \"eth1\", "
    "\"present\": true,"
    " \"carrier\": true, \"speed_mbps\": 10000, \"mac\": \"52:54:00:00:00:01\", \"mtu\": 1500,"
    " \"max_mtu\": 65535, \"carrier_losses\": 2, \"exclusive\": true, \"note\": null,"
    " \"offloads\": [\"csum\", \"tso4\", \"tso6\"], \"offloads_by\": \"device\"},"
    " \"host_vnic\": true, \"host\": {\"name\": \"ext\", \"mac\": \"00:15:5d:00:01:00\","
    " \"mtu\": 9000, \"present\": true, \"up\": true, \"vlan\": \"access:10\","
    " \"offloads\": [\"csum\", \"tso4\", \"tso6\", \"ecn\", \"uso4\", \"uso6\"],"
    " \"addresses\": [\"192.0.2.1/24\", \"2001:db8::1/64\"]},"
    " \"mac_entries\": 12, \"mac_capacity\": 8192, \"mac_ageing_s\": 300, \"mac_moves\": 3,"
    " \"mtu_disagreements\": ["
    "{\"object\": \"vNIC web1\", \"mtu\": 1400, \"switch_mtu\": 9000, \"deliberate\": true,"
    " \"advice\": \"as configured\"},"
    "{\"object\": \"uplink eth1\", \"mtu\": 1500, \"switch_mtu\": 9000, \"deliberate\": false,"
    " \"advice\": \"`ip link set eth1 mtu 9000` sets it back\"}],"
    " \"ports\": ["
    "{\"name\": \"eth1\", \"kind\": \"uplink\", \"state\": \"up\", \"mtu\": 9000,"
    " \"vlan\": \"trunk:1-4094,native:0\", " RATES(12345, 98700000) ", \"drops\": {\"a\": 0}},"
    "{\"name\": \"ext\", \"kind\": \"host\", \"state\": \"up\", \"vlan\": \"access:10\","
    " \"mtu\": 9000, " RATES(5, 4000) ", \"drops\": {\"a\": 0}},"
    "{\"name\": \"web0\", \"kind\": \"vnic\", \"state\": \"attached\", \"mtu\": 9000,"
    " \"vlan\": \"trunk:10,20-29,native:10\", \"rates\": null, \"drops\": {\"a\": 0}},"
    "{\"name\": \"web1\", \"kind\": \"vnic\", \"state\": \"waiting\", \"vlan\": \"access:10\","
    " \"mtu\": 1400, " RATES(0, 0) ", \"drops\": {\"a\": 1,"
    " \"longer than the MTU of the receiving port\": 7}}],"
    " \"counters\": {\"from_frames\": 9},"
    " \"drops\": {\"a\": 3, \"longer than the MTU of the receiving port\": 7}}";

/* A terminal of 96 columns, because that is what fits here. */
static void test_external_switch_fits_one_screen(void **state)
{
    (void)state;
    assert_int_equal(setenv("COLUMNS", "96", 1), 0);
    assert_shown(METHOD_SWITCH_SHOW, external_switch,
"switch ext\n"
"  type         external, MTU 9000, coalescing on\n"
"  uplink       eth1: up, af_packet, 10 Gbit/s, MTU 1500, 52:54:00:00:00:01, 2 carrier losses\n"
"  offloads     csum tso4 tso6 by the device; the rest in software\n"
"  host vNIC    ext: up, MTU 9000, 00:15:5d:00:01:00, VLAN access:10, 192.0.2.1/24,2001:db8::1/64\n"
"  offloads     csum tso4 tso6 ecn uso4 uso6 by the kernel\n"
"  addresses    12 of 8192, ageing 300 s, 3 moves\n"
"  MTU differs  uplink eth1 has 1500, the switch 9000: `ip link set eth1 mtu 9000` sets it back\n"
"  lower MTU    vNIC web1 has 1400, the switch 9000: as configured\n"
"\n"
"PORT   KIND    STATE     VLAN               MTU  FROM FR/S  FROM BIT/S  TO FR/S  TO BIT/S  DROPS\n"
"eth1   uplink  up        all               9000     12.3 k      98.7 M        0         0      0\n"
"ext    host    up        access:10         9000          5      4.00 k        0         0      0\n"
"web0   vnic    attached  trunk:10,20-29,~  9000          -           -        -         -      0\n"
"web1   vnic    waiting   access:10         1400          0           0        0         0      8\n"
"(all)                                               12.3 k      98.7 M        0         0     10\n"
"\n"
"dropped:\n"
"             3  a (web1 1, removed ports 2)\n"
"             7  longer than the MTU of the receiving port (web1 7 at MTU 1400)\n");
}

static void test_uplink_that_is_gone_or_without_carrier_says_so(void **state)
{
    char *text = shown(METHOD_SWITCH_SHOW,
                       "{\"name\": \"ext\", \"type\": \"external\", \"uplink\": \"eth1\","
                       " \"uplink_status\": {\"driver\": null, \"present\": false,"
                       " \"carrier\": false, \"exclusive\": false,"
                       " \"note\": \"waiting for eth1 to come back\"}, \"host\": null}");

    (void)state;
    assert_has(text, "  uplink       eth1: gone\n  uplink note  waiting for eth1 to come back\n");
    assert_null(strstr(text, "offloads"));
    assert_null(strstr(text, "host vNIC"));
    free(text);
    text = shown(METHOD_SWITCH_SHOW,
                 "{\"uplink\": \"eth1\", \"uplink_status\": {\"driver\": \"af_xdp\","
                 " \"present\": true, \"carrier\": false, \"exclusive\": false}}");
    assert_has(text, "eth1: no carrier, af_xdp\n"
               "  uplink note  the host's own stack sees its frames as well\n");
    free(text);
}

static void test_uplink_whose_device_does_nothing_says_who_does(void **state)
{
    char *text = shown(METHOD_SWITCH_SHOW,
                       "{\"type\": \"external\", \"uplink\": \"eth1\", \"coalesce\": false,"
                       " \"uplink_status\": {\"driver\": \"af_xdp\", \"offloads\": [],"
                       " \"offloads_by\": \"device\"}}");

    (void)state;
    assert_has(text, "external, coalescing off\n");
    assert_has(text, "  offloads     all in software\n");
    free(text);
}

static void test_switch_of_an_older_daemon_is_shown_with_what_it_says(void **state)
{
    (void)state;
    assert_shown(METHOD_SWITCH_SHOW,
                 "{\"name\": \"lan\", \"type\": \"private\", \"mtu\": 1500, \"uplink\": null,"
                 " \"host_vnic\": false, \"mac_entries\": 2, \"mac_capacity\": 8192,"
                 " \"mac_ageing_s\": 0, \"mac_refused\": 12, \"mac_evictions\": 0, \"ports\": ["
                 "{\"name\": \"web0\", \"kind\": \"vnic\", \"state\": \"attached\","
                 " \"vlan\": \"none\", \"from_frames\": 10, \"drops\": {\"a\": 3}}],"
                 " \"drops\": {\"a\": 3}}",
"switch lan\n"
"  type         private, MTU 1500\n"
"  addresses    2 of 8192, never ageing\n"
"  refused      12 times an address was not learned, as its port had its share of them\n"
"\n"
"PORT   KIND  STATE     VLAN  MTU  FROM FR/S  FROM BIT/S  TO FR/S  TO BIT/S  DROPS\n"
"web0   vnic  attached  none    -          -           -        -         -      3\n"
"(all)                                     -           -        -         -      3\n"
"\n"
"dropped:\n"
"             3  a (web0 3)\n");
}

static void test_switch_without_ports_and_losses_says_so(void **state)
{
    char *text = shown(METHOD_SWITCH_SHOW, "{\"name\": \"lan\", \"ports\": [], \"counters\": "
                       "{\"from_frames\": 0}, \"drops\": {\"a\": 0}}");

    (void)state;
    assert_has(text, "\n\nno ports\n");
    assert_null(strstr(text, "(all)"));
    free(text);
}

/* ---- traffic --------------------------------------------------------------------------------- */

static void test_drops_are_summed_and_named(void **state)
{
    char *text = shown(METHOD_STATS_SHOW,
                       "{\"ports\": [{\"switch\": \"lan\", \"name\": \"web0\", \"mtu\": 1500,"
                       " \"drops\": {\"source address is zero\": 3,"
                       " \"longer than the MTU of the receiving port\": 4,"
                       " \"no other port on the switch\": 0}}]}");

    (void)state;
    assert_has(text, "      7\n\ndropped:\n");
    assert_has(text, "3  source address is zero (web0)\n");
    assert_has(text, "4  longer than the MTU of the receiving port (web0, MTU 1500)\n");
    assert_null(strstr(text, "no other port"));
    free(text);
}

static void test_stats_of_one_switch_have_totals_with_removed_ports(void **state)
{
    (void)state;
    assert_shown(METHOD_STATS_SHOW,
                 "{\"ports\": [{\"switch\": \"lan\", \"name\": \"web0\", \"kind\": \"vnic\","
                 " \"state\": \"attached\", \"vlan\": \"none\", \"from_frames\": 10,"
                 " \"from_bytes\": 600, \"to_frames\": 4, \"to_bytes\": 240,"
                 " \"drops\": {\"a\": 0}}],"
                 " \"switches\": [{\"name\": \"lan\", \"counters\": {\"from_frames\": 30,"
                 " \"from_bytes\": 1800, \"to_frames\": 20, \"to_bytes\": 1200},"
                 " \"drops\": {\"a\": 10}}]}",
"SWITCH  PORT   KIND  STATE     VLAN  FROM FRAMES  FROM BYTES  TO FRAMES  TO BYTES  DROPS\n"
"lan     web0   vnic  attached  none           10         600          4       240      0\n"
"lan     (all)                                 30        1800         20      1200     10\n");
}

/* ---- one vNIC -------------------------------------------------------------------------------- */

static void test_vnic_whose_frames_the_lock_dropped_says_what_to_do(void **state)
{
    char *text = shown(METHOD_VNIC_SHOW,
                       "{\"name\": \"web0\", \"mac\": \"00:15:5d:00:00:01\", \"spoof_guard\": true,"
                       " \"allow_mac\": [], \"spoof_tried\": \"52:54:00:12:34:56\","
                       " \"drops\": {\"source address is not one the port may use\": 12}}");

    (void)state;
    assert_has(text, "  MAC lock     dropped 12 frames, the last from 52:54:00:12:34:56, which is "
               "not this vNIC's address:\n"
               "               start the VM with mac=00:15:5d:00:00:01, or "
               "`vswitchctl vnic set web0 --allow-mac 52:54:00:12:34:56`\n");
    free(text);
}

static void test_vnic_that_has_allowed_addresses_keeps_them_in_the_advice(void **state)
{
    char *text = shown(METHOD_VNIC_SHOW,
                       "{\"name\": \"web0\", \"allow_mac\": [\"02:00:00:00:00:01\"],"
                       " \"spoof_tried\": \"02:00:00:00:00:02\","
                       " \"drops\": {\"source address is not one the port may use\": 1}}");

    (void)state;
    assert_has(text, "dropped 1 frame, the last");
    assert_has(text, "  also allowed 02:00:00:00:00:01\n");
    assert_has(text, "--allow-mac 02:00:00:00:00:01,02:00:00:00:00:02`");
    free(text);
}

static void test_vnic_without_a_lock_has_no_advice_about_it(void **state)
{
    char *text = shown(METHOD_VNIC_SHOW,
                       "{\"name\": \"web0\", \"spoof_guard\": false,"
                       " \"spoof_tried\": \"02:00:00:00:00:02\","
                       " \"drops\": {\"source address is not one the port may use\": 1}}");

    (void)state;
    assert_null(strstr(text, "MAC lock"));
    assert_has(text, "  spoof guard  off\n");
    free(text);
}

static void test_vnic_shows_its_policy(void **state)
{
    char *text = shown(METHOD_VNIC_SHOW,
                       "{\"name\": \"web0\", \"vlan\": \"isolated:100,201\", \"mtu\": 1500,"
                       " \"priority\": \"trust\", \"spoof_guard\": true, \"allow_mac\": [],"
                       " \"dhcp_guard\": true, \"router_guard\": false,"
                       " \"drops\": {\"longer than the MTU of the receiving port\": 2}}");

    (void)state;
    assert_has(text, "  vlan         isolated:100,201\n  priority     trust\n");
    assert_has(text, "  spoof guard  on\n  DHCP guard   on\n  router guard off\n");
    assert_null(strstr(text, "also allowed"));
    assert_has(text, "2  longer than the MTU of the receiving port, MTU 1500\n");
    free(text);
}

static void test_vnic_shows_what_its_guest_leaves_and_is_left(void **state)
{
    char *text = shown(METHOD_VNIC_SHOW,
                       "{\"name\": \"web0\", \"state\": \"attached\", \"offload\": \"tx\","
                       " \"offloads_taken\": [], \"offloads_sent\": [\"csum\", \"tso4\"]}");

    (void)state;
    assert_has(text, "  offload      tx (the guest receives none, sends csum tso4)\n");
    assert_null(strstr(text, "offload note"));
    free(text);
    text = shown(METHOD_VNIC_SHOW, "{\"state\": \"waiting\", \"offload\": \"on\"}");
    assert_has(text, "  offload      on\n");
    free(text);
}

static void test_vnic_whose_offloads_change_later_says_so_when_set_and_shown(void **state)
{
    static const char result[] = "{\"name\": \"web0\", \"offload\": \"off\","
                                 " \"offload_note\": \"the rest changes later\"}";
    char *text = shown(METHOD_VNIC_SHOW, result);

    (void)state;
    assert_has(text, "  offload note the rest changes later\n");
    free(text);
    assert_shown(METHOD_VNIC_SET, result, "vnic web0\n  offload note the rest changes later\n");
    assert_shown(METHOD_VNIC_SET, "{\"name\": \"web0\", \"offload_note\": null}", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, no_terminal)
    const struct CMUnitTest tests[] = {
        TEST(test_any_result_of_any_method_can_be_shown),
        TEST(test_control_characters_are_not_printed),
        TEST(test_control_characters_are_not_printed_wherever_they_are),
        TEST(test_list_is_aligned),
        TEST(test_list_of_nothing_says_what_to_do),
        TEST(test_addresses_of_all_vlans_say_so),
        TEST(test_narrow_terminal_cuts_what_can_be_long_and_nothing_else),
        TEST(test_terminal_too_narrow_for_anything_still_gets_all_columns),
        TEST(test_external_switch_fits_one_screen),
        TEST(test_uplink_that_is_gone_or_without_carrier_says_so),
        TEST(test_uplink_whose_device_does_nothing_says_who_does),
        TEST(test_switch_of_an_older_daemon_is_shown_with_what_it_says),
        TEST(test_switch_without_ports_and_losses_says_so),
        TEST(test_drops_are_summed_and_named),
        TEST(test_stats_of_one_switch_have_totals_with_removed_ports),
        TEST(test_vnic_whose_frames_the_lock_dropped_says_what_to_do),
        TEST(test_vnic_that_has_allowed_addresses_keeps_them_in_the_advice),
        TEST(test_vnic_without_a_lock_has_no_advice_about_it),
        TEST(test_vnic_shows_its_policy),
        TEST(test_vnic_shows_what_its_guest_leaves_and_is_left),
        TEST(test_vnic_whose_offloads_change_later_says_so_when_set_and_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
