/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus: every access reaches the one device it lies in, and nobody else's.
 */
#include "vmm/bus.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BASE UINT64_C(0xd0000000)

/* A device that remembers the last access. */
struct device {
    struct bus *bus;
    uint64_t offset;
    unsigned reads, writes, len_bytes;
    uint64_t value;                /* read, and last written */
};

static void device_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct device *device = context;

    device->reads++;
    device->offset = offset;
    device->len_bytes = len_bytes;
    memcpy(data, &device->value, len_bytes);
}

static void device_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct device *device = context;

    device->writes++;
    device->offset = offset;
    device->len_bytes = len_bytes;
    device->value = 0;
    memcpy(&device->value, data, len_bytes);
}

static const struct bus_ops device_ops = { .read = device_read, .write = device_write };

static int bus_setup(void **state)
{
    *state = bus_create();
    return *state == NULL;
}

static int bus_teardown(void **state)
{
    bus_destroy(*state);
    return 0;
}

static void add(struct bus *bus, uint64_t base, uint64_t size_bytes, struct device *device)
{
    assert_int_equal(bus_add(bus, BUS_MEMORY, base, size_bytes, &device_ops, device, NULL), 0);
}

static uint64_t read_at(struct bus *bus, uint64_t address, unsigned len_bytes)
{
    uint64_t value = 0;

    bus_read(bus, BUS_MEMORY, address, (uint8_t *)&value, len_bytes);
    return value;
}

static void write_at(struct bus *bus, uint64_t address, uint64_t value, unsigned len_bytes)
{
    bus_write(bus, BUS_MEMORY, address, (const uint8_t *)&value, len_bytes);
}

static void test_bus_access_reaches_its_device_with_offset_and_length(void **state)
{
    struct bus *bus = *state;
    struct device a = { .value = 0x1122334455667788 }, b = { 0 };

    add(bus, BASE + 0x1000, 0x1000, &b);
    add(bus, BASE, 0x1000, &a);

    assert_true(read_at(bus, BASE + 0xff8, 8) == 0x1122334455667788);
    assert_int_equal(a.offset, 0xff8);
    write_at(bus, BASE + 0x1004, 0xabcd, 2);
    assert_int_equal(b.offset, 4);
    assert_int_equal(b.len_bytes, 2);
    assert_int_equal(b.value, 0xabcd);
    assert_int_equal(a.writes, 0);
}

static void test_bus_spaces_are_apart(void **state)
{
    struct bus *bus = *state;
    struct device memory = { 0 }, port = { 0 };
    const uint8_t byte = 7;

    assert_int_equal(bus_add(bus, BUS_MEMORY, 0x3f8, 8, &device_ops, &memory, NULL), 0);
    assert_int_equal(bus_add(bus, BUS_PORTS, 0x3f8, 8, &device_ops, &port, NULL), 0);
    bus_write(bus, BUS_PORTS, 0x3ff, &byte, 1);

    assert_int_equal(port.writes, 1);
    assert_int_equal(memory.writes, 0);
}

static void test_bus_where_nobody_answers_reads_as_ones(void **state)
{
    struct bus *bus = *state;
    static const struct bus_ops mute;
    struct device device = { 0 };

    add(bus, BASE, 0x10, &device);
    assert_int_equal(bus_add(bus, BUS_MEMORY, BASE + 0x100, 8, &mute, NULL, NULL), 0);

    assert_true(read_at(bus, BASE - 1, 1) == 0xff);
    assert_true(read_at(bus, BASE + 0x10, 4) == 0xffffffff);
    assert_true(read_at(bus, BASE + 0x100, 8) == UINT64_MAX);
    assert_true(read_at(bus, UINT64_MAX, 8) == UINT64_MAX);
    write_at(bus, BASE + 0x100, 0, 8);
    write_at(bus, UINT64_MAX, 0, 8);
    assert_int_equal(device.reads + device.writes, 0);
}

static void test_bus_access_across_ranges_or_of_odd_length_is_nobodys(void **state)
{
    struct bus *bus = *state;
    struct device a = { 0 }, b = { 0 };

    add(bus, BASE, 0x10, &a);
    add(bus, BASE + 0x10, 0x10, &b);

    assert_true(read_at(bus, BASE + 0xe, 4) == 0xffffffff);
    assert_true(read_at(bus, BASE - 2, 4) == 0xffffffff);
    assert_true(read_at(bus, BASE + 0x1d, 4) == 0xffffffff);
    assert_true(read_at(bus, BASE, 3) == 0xffffff);
    assert_true(read_at(bus, BASE, 0) == 0);
    write_at(bus, BASE + 0xe, 0, 4);
    write_at(bus, BASE, 0, 5);
    assert_int_equal(a.reads + a.writes + b.reads + b.writes, 0);
}

static void test_bus_refuses_overlap_and_names_both(void **state)
{
    struct bus *bus = *state;
    struct device device = { 0 };
    const struct { uint64_t base, size_bytes; } overlaps[] = {
        { BASE, 1 }, { BASE + 0xfff, 1 }, { BASE - 1, 2 }, { BASE + 0xfff, 2 },
        { BASE - 1, 0x2000 }, { 0, UINT64_MAX },
    };

    add(bus, BASE, 0x1000, &device);

    for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
        struct error error = { 0 };

        assert_int_equal(bus_add(bus, BUS_MEMORY, overlaps[i].base, overlaps[i].size_bytes,
                                 &device_ops, &device, &error), -EEXIST);
        assert_non_null(strstr(error.text, "0xd0000000-0xd0000fff"));
    }
    add(bus, BASE - 1, 1, &device);
    add(bus, BASE + 0x1000, 1, &device);
}

static void test_bus_refuses_nothing_and_what_wraps(void **state)
{
    struct bus *bus = *state;
    struct device device = { .value = 5 };

    assert_int_equal(bus_add(bus, BUS_MEMORY, BASE, 0, &device_ops, &device, NULL), -EINVAL);
    assert_int_equal(bus_add(bus, BUS_MEMORY, UINT64_MAX, 2, &device_ops, &device, NULL),
                     -EINVAL);
    add(bus, UINT64_MAX, 1, &device);
    assert_int_equal(read_at(bus, UINT64_MAX, 1), 5);
}

static void test_bus_full_says_so_and_has_room_after_removal(void **state)
{
    struct bus *bus = *state;
    struct device device = { 0 };
    struct error error = { 0 };

    for (unsigned i = 0; i < BUS_RANGES_MAX; i++) {
        add(bus, BASE + i * 37 % BUS_RANGES_MAX * 16, 16, &device);
    }

    assert_int_equal(bus_add(bus, BUS_MEMORY, 0, 1, &device_ops, &device, &error), -ENOSPC);
    assert_int_not_equal(error.text[0], 0);
    bus_remove(bus, BUS_MEMORY, BASE + 16 * 7);
    bus_remove(bus, BUS_MEMORY, BASE + 1);
    assert_true(read_at(bus, BASE + 16 * 7, 1) == 0xff);
    assert_true(read_at(bus, BASE + 16 * 8, 1) == 0);
    add(bus, 0, 1, &device);
}

static void device_leave(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct device *device = context;

    device_write(context, offset, data, len_bytes);
    bus_remove(device->bus, BUS_MEMORY, BASE);
    add(device->bus, BASE + 0x1000, 0x1000, device);
}

static void test_bus_device_may_move_itself_from_within_an_access(void **state)
{
    static const struct bus_ops leaving = { .read = device_read, .write = device_leave };
    struct bus *bus = *state;
    struct device device = { .bus = bus };

    assert_int_equal(bus_add(bus, BUS_MEMORY, BASE, 0x1000, &leaving, &device, NULL), 0);
    write_at(bus, BASE, 3, 4);

    assert_true(read_at(bus, BASE, 1) == 0xff);
    assert_int_equal(read_at(bus, BASE + 0x1000, 1), 3);
}

static void *write_often(void *bus)
{
    for (unsigned i = 0; i < 10000; i++) {
        write_at(bus, BASE, i, 4);
    }
    return NULL;
}

static void test_bus_device_has_one_caller_at_a_time(void **state)
{
    struct bus *bus = *state;
    struct device device = { 0 };
    pthread_t thread[2];

    add(bus, BASE, 4, &device);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, write_often, bus), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }

    assert_int_equal(device.writes, 20000);
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUS_TEST(test_bus_access_reaches_its_device_with_offset_and_length),
        BUS_TEST(test_bus_spaces_are_apart),
        BUS_TEST(test_bus_where_nobody_answers_reads_as_ones),
        BUS_TEST(test_bus_access_across_ranges_or_of_odd_length_is_nobodys),
        BUS_TEST(test_bus_refuses_overlap_and_names_both),
        BUS_TEST(test_bus_refuses_nothing_and_what_wraps),
        BUS_TEST(test_bus_full_says_so_and_has_room_after_removal),
        BUS_TEST(test_bus_device_may_move_itself_from_within_an_access),
        BUS_TEST(test_bus_device_has_one_caller_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
