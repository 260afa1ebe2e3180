/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/value: what is a value, and above all what is none. */
#include "ctl/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_count_with_units_is_read_in_thousands(void **state)
{
    uint64_t n = 0;

    (void)state;
    assert_int_equal(value_parse_count("9000", &n), 0);
    assert_int_equal(n, 9000);
    assert_int_equal(value_parse_count("10G", &n), 0);
    assert_int_equal(n, UINT64_C(10000000000));
    assert_int_equal(value_parse_count("3k", &n), 0);
    assert_int_equal(n, 3000);
}

static void test_bytes_with_units_are_read_in_1024s(void **state)
{
    uint64_t n = 0;

    (void)state;
    assert_int_equal(value_parse_bytes("64M", &n), 0);
    assert_int_equal(n, 64 * 1024 * 1024);
    assert_int_equal(value_parse_bytes("9K", &n), 0);
    assert_int_equal(n, 9216);
}

static void test_number_that_is_none_is_refused_and_leaves_the_result(void **state)
{
    static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "1.5", "0x10", "1KB", "1Ki",
                                       "K", "1e3", "1,000", "1P" };
    uint64_t n = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_parse_count(bad[i], &n), -EINVAL);
        assert_int_equal(value_parse_bytes(bad[i], &n), -EINVAL);
    }
    assert_int_equal(n, 42);
}

static void test_number_over_64_bits_is_refused_not_wrapped(void **state)
{
    uint64_t n = 42;

    (void)state;
    assert_int_equal(value_parse_count("18446744073709551615", &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(value_parse_count("18446744073709551616", &n), -ERANGE);
    assert_int_equal(value_parse_count("99999999999999999999999", &n), -ERANGE);
    assert_int_equal(value_parse_bytes("16777216T", &n), -ERANGE);
    assert_int_equal(value_parse_time("18446744073709551615h", &n), -ERANGE);
}

static void test_time_with_and_without_unit_is_read(void **state)
{
    static const struct { const char *text; uint64_t ms; } good[] = {
        { "5", 5000 }, { "5s", 5000 }, { "300ms", 300 }, { "2m", 120000 }, { "1h", 3600000 },
    };
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(value_parse_time(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    assert_int_equal(value_parse_time("5 s", &ms), -EINVAL);
    assert_int_equal(value_parse_time("5min", &ms), -EINVAL);
    assert_int_equal(value_parse_time("s", &ms), -EINVAL);
}

static void test_onoff_takes_these_two_words_only(void **state)
{
    bool on = false;

    (void)state;
    assert_int_equal(value_parse_onoff("on", &on), 0);
    assert_true(on);
    assert_int_equal(value_parse_onoff("off", &on), 0);
    assert_false(on);
    assert_int_equal(value_parse_onoff("On", &on), -EINVAL);
    assert_int_equal(value_parse_onoff("yes", &on), -EINVAL);
    assert_int_equal(value_parse_onoff("", &on), -EINVAL);
}

static void test_mac_is_written_in_one_way(void **state)
{
    char mac[VALUE_MAC_TEXT_SIZE];

    (void)state;
    assert_int_equal(value_parse_mac("00:15:5D:0a:0B:ff", mac), 0);
    assert_string_equal(mac, "00:15:5d:0a:0b:ff");
    assert_int_equal(value_parse_mac("00-15-5d-0a-0b-ff", mac), 0);
    assert_string_equal(mac, "00:15:5d:0a:0b:ff");
}

static void test_mac_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = { "", "00", "00:15:5d:0a:0b", "00:15:5d:0a:0b:fg",
                                       "00:15-5d:0a:0b:ff", "00:15:5d:0a:0b:ff ",
                                       "0:15:5d:0a:0b:ff:", "00155d0a0bff",
                                       "00:15:5d:0a:0b:ff:00" };
    char mac[VALUE_MAC_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_parse_mac(bad[i], mac), -EINVAL);
    }
}

static void test_name_follows_the_rule(void **state)
{
    char longest[VALUE_NAME_MAX + 2];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[VALUE_NAME_MAX + 1] = '\0';
    assert_false(value_is_name(longest));
    longest[VALUE_NAME_MAX] = '\0';
    assert_true(value_is_name(longest));
    assert_true(value_is_name("web0"));
    assert_true(value_is_name("0.a_B-c"));
    assert_false(value_is_name(""));
    assert_false(value_is_name(".hidden"));
    assert_false(value_is_name("-x"));
    assert_false(value_is_name("../etc"));
    assert_false(value_is_name("a/b"));
    assert_false(value_is_name("a b"));
    assert_false(value_is_name("a\n"));
    assert_false(value_is_name("caf\xc3\xa9"));
}

static void test_list_gives_its_items_in_order(void **state)
{
    const char *cursor = "a,bc,d";
    char item[4];

    (void)state;
    assert_int_equal(value_list_next(&cursor, item, sizeof(item)), 0);
    assert_string_equal(item, "a");
    assert_int_equal(value_list_next(&cursor, item, sizeof(item)), 0);
    assert_string_equal(item, "bc");
    assert_int_equal(value_list_next(&cursor, item, sizeof(item)), 0);
    assert_string_equal(item, "d");
    assert_null(cursor);
}

static void test_list_with_an_empty_or_long_item_is_refused(void **state)
{
    const char *empty = ",a";
    const char *trailing = "a,";
    const char *too_long = "abcd";
    char item[4];

    (void)state;
    assert_int_equal(value_list_next(&empty, item, sizeof(item)), -EINVAL);
    assert_int_equal(value_list_next(&trailing, item, sizeof(item)), 0);
    assert_int_equal(value_list_next(&trailing, item, sizeof(item)), -EINVAL);
    assert_int_equal(value_list_next(&too_long, item, sizeof(item)), -ERANGE);
}

static void test_cores_are_marked(void **state)
{
    bool cores[8];
    static const bool wanted[8] = { true, true, true, false, false, true, false, false };

    (void)state;
    assert_int_equal(value_parse_cores("0-2,5", cores, 8), 0);
    assert_memory_equal(cores, wanted, sizeof(wanted));
}

static void test_cores_that_are_no_list_are_refused(void **state)
{
    static const struct { const char *text; int rc; } bad[] = {
        { "", -EINVAL }, { "a", -EINVAL }, { "2-1", -EINVAL }, { "1-", -EINVAL }, { "-1", -EINVAL },
        { "1,", -EINVAL }, { "1,1", -EINVAL }, { "0-2,1", -EINVAL }, { "8", -ERANGE },
        { "0-18446744073709551615", -ERANGE }, { "1-2-3", -EINVAL },
    };
    bool cores[8];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(value_parse_cores(bad[i].text, cores, 8), bad[i].rc);
    }
}

static void test_quote_makes_a_text_short_and_harmless(void **state)
{
    static char text[100001];
    char quoted[VALUE_QUOTE_SIZE];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(strlen(value_quote(text, quoted)), 45);
    assert_string_equal(quoted + 41, "...\"");
    assert_string_equal(value_quote("a\x1b[2Jb\n", quoted), "\"a?[2Jb?\"");
}

static void test_format_writes_three_digits(void **state)
{
    char text[VALUE_TEXT_SIZE];

    (void)state;
    assert_string_equal(value_format_count(0, text), "0");
    assert_string_equal(value_format_count(999, text), "999");
    assert_string_equal(value_format_count(1000, text), "1.00 k");
    assert_string_equal(value_format_count(12345, text), "12.3 k");
    assert_string_equal(value_format_count(999999, text), "1.00 M");
    assert_string_equal(value_format_count(14.88e6, text), "14.9 M");
    assert_string_equal(value_format_seconds(59, text), "59 s");
    assert_string_equal(value_format_seconds(3725, text), "1 h 2 min");
    assert_string_equal(value_format_seconds(90000, text), "1 d 1 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_with_units_is_read_in_thousands),
        cmocka_unit_test(test_bytes_with_units_are_read_in_1024s),
        cmocka_unit_test(test_number_that_is_none_is_refused_and_leaves_the_result),
        cmocka_unit_test(test_number_over_64_bits_is_refused_not_wrapped),
        cmocka_unit_test(test_time_with_and_without_unit_is_read),
        cmocka_unit_test(test_onoff_takes_these_two_words_only),
        cmocka_unit_test(test_mac_is_written_in_one_way),
        cmocka_unit_test(test_mac_that_is_none_is_refused),
        cmocka_unit_test(test_name_follows_the_rule),
        cmocka_unit_test(test_list_gives_its_items_in_order),
        cmocka_unit_test(test_list_with_an_empty_or_long_item_is_refused),
        cmocka_unit_test(test_cores_are_marked),
        cmocka_unit_test(test_cores_that_are_no_list_are_refused),
        cmocka_unit_test(test_quote_makes_a_text_short_and_harmless),
        cmocka_unit_test(test_format_writes_three_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
