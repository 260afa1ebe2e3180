/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory: where it lies, what lies outside of it, and that nobody can take it back.
 */
#include "vmm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void test_ram_of_any_size_it_may_have_is_one_sealed_file(void **state)
{
    struct ram ram;
    struct stat stat;
    (void)state;

    assert_int_equal(ram_create(&ram, 16 * MIB, NULL), 0);

    assert_int_equal(fcntl(ram.fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(ram.fd, 0), -1);
    assert_int_equal(ftruncate(ram.fd, 32 * MIB), -1);
    assert_int_equal(fstat(ram.fd, &stat), 0);
    assert_int_equal(stat.st_size, 16 * MIB);
    ram_destroy(&ram);
}

static void test_ram_refuses_sizes_it_cannot_have_with_a_sentence(void **state)
{
    const uint64_t sizes[] = { 0, 1, 14 * MIB, 17 * MIB, 1024 * GIB + 2 * MIB, UINT64_MAX };
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct error error = { 0 };
        struct ram ram;

        assert_int_equal(ram_create(&ram, sizes[i], &error), -EINVAL);
        assert_non_null(strstr(error.text, "16M to 1T"));
        ram_destroy(&ram);
    }
}

static void test_ram_is_found_within_and_nowhere_else(void **state)
{
    struct ram ram;
    (void)state;

    assert_int_equal(ram_create(&ram, 16 * MIB, NULL), 0);

    assert_ptr_equal(ram_at(&ram, 0, 16 * MIB), ram.host);
    assert_ptr_equal(ram_at(&ram, 16 * MIB - 1, 1), ram.host + 16 * MIB - 1);
    assert_null(ram_at(&ram, 0, 16 * MIB + 1));
    assert_null(ram_at(&ram, 16 * MIB - 1, 2));
    assert_null(ram_at(&ram, 16 * MIB, 0));
    assert_null(ram_at(&ram, 1, UINT64_MAX));
    assert_null(ram_at(&ram, UINT64_MAX, 1));
    assert_null(ram_at(&ram, UINT64_MAX - 7, 16));
    ram_destroy(&ram);
}

static void test_ram_clear_zeroes_what_it_is_told_and_no_more(void **state)
{
    static const struct { uint64_t begin, end; } spans[] = {
        { 0, 4096 }, { 1, 4095 }, { 4095, 4097 }, { 4096, 3 * 4096 }, { 100, 5 * 4096 + 7 },
        { 9, 9 },
    };
    struct ram ram;
    (void)state;

    assert_int_equal(ram_create(&ram, 16 * MIB, NULL), 0);
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        uint64_t wrong_bytes = 0;

        memset(ram.host, 0xff, 8 * 4096);

        ram_clear(&ram, ram.host + spans[i].begin, spans[i].end - spans[i].begin);

        for (uint64_t at = 0; at < 8 * 4096; at++) {
            const bool within = at >= spans[i].begin && at < spans[i].end;

            wrong_bytes += ram.host[at] != (within ? 0 : 0xff);
        }
        assert_int_equal(wrong_bytes, 0);
    }
    ram_destroy(&ram);
}

static void test_ram_clear_gives_back_what_it_clears(void **state)
{
    struct ram ram;
    struct stat before, after;
    (void)state;

    assert_int_equal(ram_create(&ram, 16 * MIB, NULL), 0);
    if (ram.huge_pages) {                  /* these stay */
        ram_destroy(&ram);
        return;
    }
    memset(ram.host, 0xff, 4 * MIB);
    assert_int_equal(fstat(ram.fd, &before), 0);

    ram_clear(&ram, ram.host, 8 * MIB);

    assert_int_equal(fstat(ram.fd, &after), 0);
    assert_true(before.st_blocks > after.st_blocks);
    ram_destroy(&ram);
}

static void test_ram_above_three_gigabytes_goes_on_at_four(void **state)
{
    struct ram ram;
    (void)state;

    assert_int_equal(ram_create(&ram, 5 * GIB, NULL), 0);

    assert_int_equal(ram.part_count, 2);
    assert_ptr_equal(ram_at(&ram, 3 * GIB - 8, 8), ram.host + 3 * GIB - 8);
    assert_null(ram_at(&ram, 3 * GIB - 8, 9));
    assert_null(ram_at(&ram, 3 * GIB, 1));
    assert_null(ram_at(&ram, 4 * GIB - 1, 2));
    assert_ptr_equal(ram_at(&ram, 4 * GIB, 2 * GIB), ram.host + 3 * GIB);
    assert_null(ram_at(&ram, 4 * GIB + 1, 2 * GIB));
    assert_null(ram_at(&ram, 6 * GIB, 1));
    ram_destroy(&ram);
}

static void test_ram_destroyed_twice_or_after_failure_is_fine(void **state)
{
    struct ram ram;
    (void)state;

    assert_int_equal(ram_create(&ram, 16 * MIB, NULL), 0);
    ram_destroy(&ram);
    ram_destroy(&ram);

    assert_int_equal(ram.fd, -1);
    assert_null(ram_at(&ram, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram_of_any_size_it_may_have_is_one_sealed_file),
        cmocka_unit_test(test_ram_refuses_sizes_it_cannot_have_with_a_sentence),
        cmocka_unit_test(test_ram_is_found_within_and_nowhere_else),
        cmocka_unit_test(test_ram_clear_zeroes_what_it_is_told_and_no_more),
        cmocka_unit_test(test_ram_clear_gives_back_what_it_clears),
        cmocka_unit_test(test_ram_above_three_gigabytes_goes_on_at_four),
        cmocka_unit_test(test_ram_destroyed_twice_or_after_failure_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
