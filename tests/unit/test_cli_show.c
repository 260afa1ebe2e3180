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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_result_of_any_method_can_be_shown),
        cmocka_unit_test(test_list_is_aligned),
        cmocka_unit_test(test_list_of_nothing_says_what_to_do),
        cmocka_unit_test(test_control_characters_are_not_printed),
        cmocka_unit_test(test_drops_are_summed_and_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
