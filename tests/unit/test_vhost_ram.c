/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frontend may share as its guest's memory, and where its addresses then are.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vnic/vhost_ram.h"

#define FILE_BYTES 65536u
#define USER       0x7f0000000000ull

static struct vhost_ram ram;
static struct vhost_message table;
static int memory_fd;
static uint8_t *memory;            /* the same bytes, as the frontend has them */

static int setup(void **state)
{
    (void)state;
    memset(&ram, 0, sizeof(ram));
    memset(&table, 0, sizeof(table));
    memory_fd = memfd_create("test", MFD_CLOEXEC);
    if (memory_fd < 0 || ftruncate(memory_fd, FILE_BYTES) != 0) {
        return -1;
    }
    memory = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    return memory != MAP_FAILED ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vhost_ram_unmap(&ram);
    (void)munmap(memory, FILE_BYTES);
    (void)close(memory_fd);
    return 0;
}

static void add_fd(int fd, uint64_t gpa, uint64_t size_bytes, uint64_t user, uint64_t offset_bytes)
{
    const uint32_t i = table.payload.memory.region_count++;

    table.payload.memory.region[i] = (struct vhost_region){ gpa, size_bytes, user, offset_bytes };
    table.fd[i] = fd;
    table.fd_count = i + 1;
}

static void add(uint64_t gpa, uint64_t size_bytes, uint64_t user, uint64_t offset_bytes)
{
    add_fd(memory_fd, gpa, size_bytes, user, offset_bytes);
}

static void assert_is_memory(const uint8_t *here, size_t offset_bytes)
{
    assert_non_null(here);
    memory[offset_bytes] ^= 0x5a;
    assert_int_equal(*here, memory[offset_bytes]);
}

static void test_vhost_ram_is_the_frontends(void **state)
{
    (void)state;
    add(0x100000, FILE_BYTES, USER, 0);

    assert_true(vhost_ram_map(&ram, &table));

    assert_int_equal(ram.guest.region_count, 1);
    assert_int_equal(ram.guest.region[0].gpa, 0x100000);
    assert_int_equal(ram.guest.region[0].size_bytes, FILE_BYTES);
    assert_is_memory(ram.guest.region[0].hva + 70, 70);
    assert_is_memory(vhost_ram_at(&ram, USER + 4096, 16, 16), 4096);
}

/* An offset of the file that is no multiple of its pages. */
static void test_vhost_ram_begins_within_a_page(void **state)
{
    (void)state;
    add(0, 8192, USER, 4096 + 256);

    assert_true(vhost_ram_map(&ram, &table));

    assert_is_memory(ram.guest.region[0].hva, 4096 + 256);
    assert_is_memory(vhost_ram_at(&ram, USER + 8191, 1, 1), 4096 + 256 + 8191);
}

static void test_vhost_ram_address_outside_is_none(void **state)
{
    (void)state;
    add(0, 4096, USER, 0);
    add(1u << 20, 4096, USER + (1u << 20), 4096);
    assert_true(vhost_ram_map(&ram, &table));

    assert_null(vhost_ram_at(&ram, USER - 1, 1, 1));
    assert_null(vhost_ram_at(&ram, USER + 4096, 1, 1));
    assert_null(vhost_ram_at(&ram, USER + 4095, 2, 1));
    assert_null(vhost_ram_at(&ram, USER, 4097, 1));
    assert_null(vhost_ram_at(&ram, UINT64_MAX, 16, 1));
    assert_null(vhost_ram_at(&ram, USER, SIZE_MAX, 1));
    assert_is_memory(vhost_ram_at(&ram, USER + 4095, 1, 1), 4095);
    assert_is_memory(vhost_ram_at(&ram, USER + (1u << 20), 4096, 4), 4096);
}

static void test_vhost_ram_address_misaligned_is_none(void **state)
{
    (void)state;
    add(0, FILE_BYTES, USER, 0);
    assert_true(vhost_ram_map(&ram, &table));

    assert_null(vhost_ram_at(&ram, USER + 8, 16, 16));
    assert_null(vhost_ram_at(&ram, USER + 1, 2, 2));
    assert_non_null(vhost_ram_at(&ram, USER + 2, 2, 2));
}

/* Alignment is of the address here: the frontend's own says nothing when its offset is odd. */
static void test_vhost_ram_alignment_is_that_of_the_bytes(void **state)
{
    (void)state;
    add(0, 4096, USER, 8);
    assert_true(vhost_ram_map(&ram, &table));

    assert_null(vhost_ram_at(&ram, USER, 16, 16));
    assert_non_null(vhost_ram_at(&ram, USER + 8, 16, 16));
}

static void test_vhost_ram_without_regions_is_empty(void **state)
{
    (void)state;
    assert_true(vhost_ram_map(&ram, &table));

    assert_null(vhost_ram_at(&ram, 0, 1, 1));
}

static void assert_refused(void)
{
    assert_false(vhost_ram_map(&ram, &table));
    assert_int_equal(ram.guest.region_count, 0);
    memset(&table, 0, sizeof(table));
}

static void test_vhost_ram_that_cannot_be_is_refused(void **state)
{
    (void)state;
    add(0, 0, USER, 0);
    assert_refused();
    add(0, FILE_BYTES + 1, USER, 0);
    assert_refused();
    add(0, 4096, USER, FILE_BYTES - 4095);
    assert_refused();
    add(0, UINT64_MAX, USER, 1);
    assert_refused();
    add(0, 4096, USER, UINT64_MAX - 4095);
    assert_refused();
    add(0, INT64_MAX, USER, 4096);
    assert_refused();
}

static void test_vhost_ram_of_other_files_is_refused(void **state)
{
    const int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    const int proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    add_fd(zero, 0, 4096, USER, 0);
    assert_refused();
    add_fd(proc, 0, 1, USER, 0);
    assert_refused();
    add_fd(ends[0], 0, 4096, USER, 0);
    assert_refused();
    (void)close(zero);
    (void)close(proc);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* The switch writes what a guest receives: memory that may only be read is none. */
static void test_vhost_ram_that_is_read_only_is_refused(void **state)
{
    char path[64];
    int fd;

    (void)state;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    add_fd(fd, 0, 4096, USER, 0);

    assert_refused();

    (void)close(fd);
}

/* All or none: a good region before a bad one leaves nothing mapped. */
static void test_vhost_ram_is_refused_as_a_whole(void **state)
{
    (void)state;
    add(0, 4096, USER, 0);
    add(4096, FILE_BYTES, USER + 4096, 4096);

    assert_refused();

    assert_null(vhost_ram_at(&ram, USER, 1, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vhost_ram_is_the_frontends),
        TEST(test_vhost_ram_begins_within_a_page),
        TEST(test_vhost_ram_address_outside_is_none),
        TEST(test_vhost_ram_address_misaligned_is_none),
        TEST(test_vhost_ram_alignment_is_that_of_the_bytes),
        TEST(test_vhost_ram_without_regions_is_empty),
        TEST(test_vhost_ram_that_cannot_be_is_refused),
        TEST(test_vhost_ram_of_other_files_is_refused),
        TEST(test_vhost_ram_that_is_read_only_is_refused),
        TEST(test_vhost_ram_is_refused_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
