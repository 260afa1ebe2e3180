/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes to one descriptor by one call: in order, each with the result that its own call would
 * have.
 */
#include "dataplane/io_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define WORD_BYTES ((uint32_t)sizeof(uint32_t))

struct fixture {
    struct io_ring ring;
    int from;
    int to;
    uint32_t word[IO_RING_WRITES];
    struct io_ring_write write[IO_RING_WRITES];
};

static int setup(void **state)
{
    static struct fixture f;
    int ends[2];

    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return -1;
    }
    f.from = ends[0];
    f.to = ends[1];
    io_ring_open(&f.ring);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    io_ring_close(&f->ring);
    (void)close(f->from);
    (void)close(f->to);
    return 0;
}

static void need_ring(const struct fixture *f)
{
    if (!f->ring.usable) {
        printf("# skip: the kernel has no io_uring for us\n");
        skip();
    }
}

/* Prepares @p count words, from @p first on. */
static void prepare(struct fixture *f, uint32_t first, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        f->word[i] = first + i;
        f->write[i] = (struct io_ring_write){ .bytes = &f->word[i], .len_bytes = WORD_BYTES };
    }
}

static void expect_word(const struct fixture *f, uint32_t expected)
{
    uint32_t word;

    assert_int_equal(read(f->from, &word, WORD_BYTES), WORD_BYTES);
    assert_int_equal(word, expected);
}

/* Batches of all lengths, several times round the ring. */
static void test_io_ring_writes_are_in_order(void **state)
{
    struct fixture *f = *state;
    uint32_t before = 0;

    need_ring(f);
    for (uint16_t n = 0; n < 4 * IO_RING_WRITES; n++) {
        const uint16_t count = (uint16_t)(1 + n % IO_RING_WRITES);

        prepare(f, before, count);
        assert_true(io_ring_write(&f->ring, f->to, f->write, count));
        for (uint16_t i = 0; i < count; i++) {
            assert_int_equal(f->write[i].result, WORD_BYTES);
            expect_word(f, before++);
        }
    }
}

static void test_io_ring_full_descriptor_refuses_the_rest(void **state)
{
    struct fixture *f = *state;
    uint32_t written = 0;

    need_ring(f);
    (void)fcntl(f->to, F_SETPIPE_SZ, (int)sysconf(_SC_PAGESIZE));
    for (bool full = false; !full;) {
        prepare(f, written, IO_RING_WRITES);
        assert_true(io_ring_write(&f->ring, f->to, f->write, IO_RING_WRITES));
        for (uint16_t i = 0; i < IO_RING_WRITES; i++) {
            full = full || f->write[i].result < 0;
            assert_int_equal(f->write[i].result, full ? -EAGAIN : (int)WORD_BYTES);
            written += !full;
        }
    }
    for (uint32_t i = 0; i < written; i++) {
        expect_word(f, i);
    }

    prepare(f, 1, 1);
    assert_true(io_ring_write(&f->ring, f->to, f->write, 1));
    expect_word(f, 1);
}

static void test_io_ring_bad_write_costs_itself_only(void **state)
{
    struct fixture *f = *state;

    need_ring(f);
    prepare(f, 0, 3);
    f->write[1].bytes = NULL;
    assert_true(io_ring_write(&f->ring, f->to, f->write, 3));
    assert_int_equal(f->write[1].result, -EFAULT);
    expect_word(f, 0);
    expect_word(f, 2);
}

static void test_io_ring_bad_descriptor_is_each_ones_result(void **state)
{
    struct fixture *f = *state;

    need_ring(f);
    prepare(f, 0, 2);
    assert_true(io_ring_write(&f->ring, -1, f->write, 2));
    assert_int_equal(f->write[0].result, -EBADF);
    assert_int_equal(f->write[1].result, -EBADF);
    prepare(f, 7, 1);
    assert_true(io_ring_write(&f->ring, f->to, f->write, 1));
    expect_word(f, 7);
}

static void test_io_ring_closed_writes_nothing(void **state)
{
    struct fixture *f = *state;
    char byte;

    prepare(f, 0, 2);
    io_ring_close(&f->ring);
    assert_false(io_ring_write(&f->ring, f->to, f->write, 2));
    assert_int_equal(read(f->from, &byte, 1), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_io_ring_writes_are_in_order),
        TEST(test_io_ring_full_descriptor_refuses_the_rest),
        TEST(test_io_ring_bad_write_costs_itself_only),
        TEST(test_io_ring_bad_descriptor_is_each_ones_result),
        TEST(test_io_ring_closed_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
