/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli/cli_watch and the table it prints: rates from two readings. */
#include "ctl/cli/cli_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A reading with one port. */
static json_t *reading(const char *name, json_int_t frames, int drops)
{
    return json_pack("{s:[{s:s s:s s:s s:I s:I s:I s:I s:{s:i}}]}", "ports", "switch", "lan",
                     "name", name, "state", "attached", "from_frames", frames,
                     "from_bytes", frames * 1500, "to_frames", frames / 2, "to_bytes",
                     frames * 750, "drops", "receiver had no free buffers", drops);
}

/* What is printed for two readings, which are taken; owned. */
static char *printed(json_t *before, json_t *now, double seconds)
{
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);

    cli_watch_print(before, now, seconds, out);
    (void)fclose(out);
    json_decref(before);
    json_decref(now);
    return text;
}

static void test_rates_are_differences_by_time(void **state)
{
    char *text = printed(reading("web0", 1000, 5), reading("web0", 21000, 25), 2);

    (void)state;
    assert_string_equal(text,
        "SWITCH  PORT  STATE     FROM FRAMES/S  FROM BIT/S  TO FRAMES/S  TO BIT/S  DROPS/S\n"
        "lan     web0  attached         10.0 k       120 M       5.00 k    60.0 M       10\n\n");
    free(text);
}

static void test_rates_are_right_for_parts_of_a_second(void **state)
{
    char *text = printed(reading("web0", 1000, 5), reading("web0", 4000, 8), 0.3);

    (void)state;
    assert_non_null(strstr(text, "attached         10.0 k       120 M       5.00 k    60.0 M"
                                 "       10\n"));
    free(text);
}

static void test_first_reading_has_no_rates(void **state)
{
    char *text = printed(NULL, reading("web0", 1000, 5), 0);

    (void)state;
    assert_non_null(strstr(text, "attached              -           -            -         -"));
    free(text);
}

static void test_port_that_is_new_or_made_anew_has_no_rates(void **state)
{
    char *text = printed(reading("web1", 1000, 5), reading("web0", 2000, 5), 1);

    (void)state;
    assert_non_null(strstr(text, "attached              -"));
    free(text);
    text = printed(reading("web0", 9000, 5), reading("web0", 10, 0), 1);
    assert_non_null(strstr(text, "attached              -"));
    free(text);
}

static void test_reading_that_is_no_reading_shows_no_ports(void **state)
{
    char *text = printed(json_integer(5), json_pack("{s:i}", "ports", 7), 1);

    (void)state;
    assert_string_equal(text, "no ports\n\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_differences_by_time),
        cmocka_unit_test(test_rates_are_right_for_parts_of_a_second),
        cmocka_unit_test(test_first_reading_has_no_rates),
        cmocka_unit_test(test_port_that_is_new_or_made_anew_has_no_rates),
        cmocka_unit_test(test_reading_that_is_no_reading_shows_no_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
