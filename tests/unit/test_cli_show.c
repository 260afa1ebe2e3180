/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli_show: that any JSON can be shown, and none of it reaches the terminal raw. */
#include "ctl/cli_show.h"

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

static void test_any_result_of_any_method_can_be_shown(void **state)
{
    static const char *const results[] = {
        "null", "true", "5", "\"x\"", "[]", "{}", "[[]]", "[null, 5, {}]",
        "{\"ports\": 5, \"drops\": [], \"workers\": {}, \"counters\": 1, \"name\": []}",
        "{\"ports\": [1, {\"drops\": {\"a\": \"b\"}}], \"uptime_s\": -5, \"mac_entries\": {}}",
    };

    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        for (size_t r = 0; r < sizeof(results) / sizeof(results[0]); r++) {
            free(shown((enum method_id)i, results[r]));
        }
    }
}

static void test_list_is_aligned(void **state)
{
    char *text = shown(METHOD_SWITCH_LIST,
                       "[{\"name\": \"lan\", \"type\": \"private\", \"mtu\": 1500,"
                       " \"port_count\": 2, \"mac_entries\": 12345},"
                       " {\"name\": \"a-long-name\", \"mtu\": 9000}]");

    (void)state;
    assert_string_equal(text, "NAME         TYPE      MTU  PORTS   MACS  UPLINK\n"
                              "lan          private  1500      2  12345  -\n"
                              "a-long-name  -        9000      -      -  -\n");
    free(text);
}

static void test_list_of_nothing_says_what_to_do(void **state)
{
    char *text = shown(METHOD_SWITCH_LIST, "[]");

    (void)state;
    assert_string_equal(text, "no switches; `vswitchctl switch add NAME --type private` makes "
                              "one\n");
    free(text);
}

static void test_control_characters_are_not_printed(void **state)
{
    char *text = shown(METHOD_VNIC_LIST, "[{\"name\": \"a\\u001b[2Jb\", \"state\": \"x\\ny\"}]");

    (void)state;
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "a?[2Jb"));
    assert_non_null(strstr(text, "x?y"));
    free(text);
}

static void test_drops_are_summed_and_named(void **state)
{
    char *text = shown(METHOD_STATS_SHOW,
                       "{\"ports\": [{\"switch\": \"lan\", \"name\": \"web0\", \"drops\": "
                       "{\"source address is zero\": 3, \"receiver is not attached\": 4, "
                       "\"no other port on the switch\": 0}}]}");

    (void)state;
    assert_non_null(strstr(text, "      7\n\ndropped:\n"));
    assert_non_null(strstr(text, "3  source address is zero (web0)\n"));
    assert_non_null(strstr(text, "4  receiver is not attached (web0)\n"));
    assert_null(strstr(text, "no other port"));
    free(text);
}

static void test_switch_has_totals_that_include_removed_ports(void **state)
{
    char *text = shown(METHOD_SWITCH_SHOW,
                       "{\"name\": \"lan\", \"mac_refused\": 12, \"mac_evictions\": 0,"
                       " \"ports\": ["
                       "{\"name\": \"web0\", \"kind\": \"vnic\", \"state\": \"attached\","
                       " \"vlan\": \"none\", \"from_frames\": 10, \"from_bytes\": 600,"
                       " \"to_frames\": 4, \"to_bytes\": 240, \"drops\": {\"a\": 3, \"b\": 0}},"
                       "{\"name\": \"web1\", \"kind\": \"vnic\", \"state\": \"waiting\","
                       " \"vlan\": \"none\", \"from_frames\": 0, \"from_bytes\": 0,"
                       " \"to_frames\": 5, \"to_bytes\": 300, \"drops\": {\"a\": 4, \"b\": 0}}],"
                       "\"counters\": {\"from_frames\": 30, \"from_bytes\": 1800,"
                       " \"to_frames\": 20, \"to_bytes\": 1200},"
                       "\"drops\": {\"a\": 9, \"b\": 1, \"c\": 0}}");

    (void)state;
    assert_non_null(strstr(text,
        "PORT   KIND  STATE     VLAN  FROM FRAMES  FROM BYTES  TO FRAMES  TO BYTES  DROPS\n"
        "web0   vnic  attached  none           10         600          4       240      3\n"
        "web1   vnic  waiting   none            0           0          5       300      4\n"
        "(all)                                 30        1800         20      1200     10\n"
        "\ndropped:\n"
        "             9  a (web0 3, web1 4, removed ports 2)\n"
        "             1  b (removed ports 1)\n"));
    assert_non_null(strstr(text, "refused      12 times an address was not learned"));
    assert_null(strstr(text, "evicted"));
    free(text);
}

static void test_switch_without_ports_and_traffic_says_so(void **state)
{
    char *text = shown(METHOD_SWITCH_SHOW, "{\"name\": \"lan\", \"ports\": [], \"counters\": "
                       "{\"from_frames\": 0}, \"drops\": {\"a\": 0}}");

    (void)state;
    assert_non_null(strstr(text, "\n\nno ports\n"));
    assert_null(strstr(text, "(all)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_result_of_any_method_can_be_shown),
        cmocka_unit_test(test_list_is_aligned),
        cmocka_unit_test(test_list_of_nothing_says_what_to_do),
        cmocka_unit_test(test_control_characters_are_not_printed),
        cmocka_unit_test(test_drops_are_summed_and_named),
        cmocka_unit_test(test_switch_has_totals_that_include_removed_ports),
        cmocka_unit_test(test_switch_without_ports_and_traffic_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
