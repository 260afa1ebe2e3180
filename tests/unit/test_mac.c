/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses: bytes, numbers and texts say the same.
 */
#include "switch/mac.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ADDRESS UINT64_C(0x00155d01f2a3)

static void test_mac_read_takes_first_byte_as_most_significant(void **state)
{
    const uint8_t bytes[6] = { 0x00, 0x15, 0x5d, 0x01, 0xf2, 0xa3 };
    (void)state;

    assert_true(mac_read(bytes) == ADDRESS);
}

static void test_mac_write_is_what_read_reads(void **state)
{
    uint8_t bytes[7] = { 0, 0, 0, 0, 0, 0, 0x77 };
    (void)state;

    mac_write(ADDRESS, bytes);

    assert_true(mac_read(bytes) == ADDRESS);
    assert_int_equal(bytes[6], 0x77);
}

static void test_mac_format_writes_lower_case_and_colons(void **state)
{
    char text[MAC_TEXT_SIZE];
    (void)state;

    assert_string_equal(mac_format(ADDRESS, text), "00:15:5d:01:f2:a3");
    assert_string_equal(mac_format(MAC_BROADCAST, text), "ff:ff:ff:ff:ff:ff");
}

static void test_mac_parse_takes_both_separators_and_cases(void **state)
{
    static const char *const texts[] = { "00:15:5d:01:f2:a3", "00-15-5D-01-F2-A3",
                                         "00:15:5d:01:F2:a3" };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t mac = 0;

        assert_int_equal(mac_parse(texts[i], &mac), 0);
        assert_true(mac == ADDRESS);
    }
}

static void test_mac_parse_refuses_anything_else_and_leaves_the_result(void **state)
{
    static const char *const texts[] = {
        "", "0", "00", "00:", "00:15", "00:15:5d:01:f2", "00:15:5d:01:f2:", "00:15:5d:01:f2:a",
        "00:15:5d:01:f2:a3:", "00:15:5d:01:f2:a3:00", "00:15-5d:01:f2:a3", "00155d01f2a3",
        "0:15:5d:01:f2:a3", "000:15:5d:01:f2:a3", "g0:15:5d:01:f2:a3", "00:15:5d:01:f2:a3 ",
        " 00:15:5d:01:f2:a3", "00 15 5d 01 f2 a3", "00:15:5d:01:f2:@3", "00::15:5d:01:f2:a3",
        "+0:15:5d:01:f2:a3", "0x:15:5d:01:f2:a3", "00\x1a" "15\x1a" "5d\x1a" "01\x1a" "f2\x1a" "a3",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t mac = 42;

        assert_int_equal(mac_parse(texts[i], &mac), -EINVAL);
        assert_true(mac == 42);
    }
}

static void test_mac_is_station_refuses_zero_group_and_too_wide(void **state)
{
    (void)state;

    assert_true(mac_is_station(ADDRESS));
    assert_false(mac_is_station(0));
    assert_false(mac_is_station(MAC_BROADCAST));
    assert_false(mac_is_station(UINT64_C(0x01005e000001)));
    assert_false(mac_is_station(MAC_BROADCAST + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac_read_takes_first_byte_as_most_significant),
        cmocka_unit_test(test_mac_write_is_what_read_reads),
        cmocka_unit_test(test_mac_format_writes_lower_case_and_colons),
        cmocka_unit_test(test_mac_parse_takes_both_separators_and_cases),
        cmocka_unit_test(test_mac_parse_refuses_anything_else_and_leaves_the_result),
        cmocka_unit_test(test_mac_is_station_refuses_zero_group_and_too_wide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
