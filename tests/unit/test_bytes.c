/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers in network order, at odd addresses, and not a byte beside them.
 */
#include "switch/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_bytes_get_takes_the_first_byte_as_most_significant(void **state)
{
    static const uint8_t bytes[] = { 0, 0xf1, 0x23, 0x45, 0x67 };
    (void)state;

    assert_int_equal(bytes_get_2(&bytes[1]), 0xf123);
    assert_int_equal(bytes_get_4(&bytes[1]), 0xf1234567);
}

static void test_bytes_put_writes_the_low_bytes_and_no_others(void **state)
{
    uint8_t bytes[10] = { 0 };
    static const uint8_t wanted[10] = { 0, 0x45, 0x67, 0, 0, 0xf1, 0x23, 0x45, 0x67, 0 };
    (void)state;

    bytes_put_2(&bytes[1], 0xf1234567);
    bytes_put_4(&bytes[5], 0xf1234567);

    assert_memory_equal(bytes, wanted, sizeof(bytes));
}

static void test_bytes_load_keeps_the_order_that_bytes_have(void **state)
{
    static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    const uint16_t two = bytes_load_2(&bytes[1]);
    const uint32_t four = bytes_load_4(&bytes[1]);
    const uint64_t eight = bytes_load_8(&bytes[1]);
    (void)state;

    assert_memory_equal(&two, &bytes[1], sizeof(two));
    assert_memory_equal(&four, &bytes[1], sizeof(four));
    assert_memory_equal(&eight, &bytes[1], sizeof(eight));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_get_takes_the_first_byte_as_most_significant),
        cmocka_unit_test(test_bytes_put_writes_the_low_bytes_and_no_others),
        cmocka_unit_test(test_bytes_load_keeps_the_order_that_bytes_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
