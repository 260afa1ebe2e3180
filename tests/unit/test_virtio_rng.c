/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The entropy device, asked by a driver and by a liar.
 */
#include "vmm/virtio_rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/vmm_driver.h"

#define DATA_GPA VMM_DRIVER_DATA_GPA

struct rng_lab {
    struct vmm_driver driver;
    struct event_base *base;
    struct virtio_rng *rng;
};

static int lab_setup(void **state)
{
    struct rng_lab *lab = calloc(1, sizeof(*lab));

    assert_int_equal(vmm_driver_open(&lab->driver), 0);
    lab->base = event_base_new();
    lab->rng = virtio_rng_create(&lab->driver.ram, lab->base, NULL);
    assert_non_null(lab->rng);
    vmm_driver_plug(&lab->driver, virtio_rng_device(lab->rng));
    vmm_driver_start(&lab->driver, 0);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct rng_lab *lab = *state;

    vmm_driver_unplug(&lab->driver);
    virtio_rng_destroy(lab->rng);
    event_base_free(lab->base);
    vmm_driver_close(&lab->driver);
    free(lab);
    return 0;
}

/* One turn of the main thread's. */
static void turn(struct rng_lab *lab)
{
    event_base_loop(lab->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void offer(struct rng_lab *lab, uint64_t gpa, uint32_t len_bytes)
{
    const struct vmm_driver_piece piece = { gpa, len_bytes, true };

    (void)vmm_driver_offer(&lab->driver, 0, &piece, 1);
}

/* What came back with the next chain; fails when none did. */
static uint32_t used_len(struct rng_lab *lab)
{
    uint32_t len_bytes;
    uint16_t head;

    assert_true(vmm_driver_used(&lab->driver, 0, &head, &len_bytes));
    return len_bytes;
}

static bool is_zero(struct rng_lab *lab, uint64_t gpa, uint32_t len_bytes)
{
    static const uint8_t zeroes[256];

    return memcmp(vmm_driver_at(&lab->driver, gpa), zeroes, len_bytes) == 0;
}

static void test_rng_fills_every_piece_and_no_more(void **state)
{
    struct rng_lab *lab = *state;
    const struct vmm_driver_piece piece[] = {
        { DATA_GPA, 64, true },
        { DATA_GPA + 0x1000, 100, true },
    };

    (void)vmm_driver_offer(&lab->driver, 0, piece, 2);
    turn(lab);

    assert_int_equal(used_len(lab), 164);
    assert_false(is_zero(lab, DATA_GPA, 64));
    assert_true(is_zero(lab, DATA_GPA + 64, 64));
    assert_false(is_zero(lab, DATA_GPA + 0x1000, 100));
    assert_true(is_zero(lab, DATA_GPA + 0x1000 + 100, 64));
    assert_int_equal(vmm_driver_interrupts(&lab->driver, 0), 1);
}

static void test_rng_a_request_has_a_bound(void **state)
{
    struct rng_lab *lab = *state;

    offer(lab, DATA_GPA, 8 << 20);
    turn(lab);

    assert_int_equal(used_len(lab), VIRTIO_RNG_REQUEST_BYTES);
    assert_true(is_zero(lab, DATA_GPA + VIRTIO_RNG_REQUEST_BYTES, 64));
}

static void test_rng_many_requests_take_several_turns(void **state)
{
    struct rng_lab *lab = *state;
    uint32_t len_bytes;
    uint16_t head;

    for (unsigned i = 0; i < 40; i++) {
        offer(lab, DATA_GPA, 16);
    }
    turn(lab);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(used_len(lab), 16);
    }
    assert_false(vmm_driver_used(&lab->driver, 0, &head, &len_bytes));
    for (unsigned i = 0; i < 6; i++) {
        turn(lab);
    }

    for (unsigned i = 8; i < 40; i++) {
        assert_int_equal(used_len(lab), 16);
    }
}

static void test_rng_what_cannot_be_written_comes_back_empty(void **state)
{
    struct rng_lab *lab = *state;
    const struct vmm_driver_piece readable = { DATA_GPA, 64, false };

    (void)vmm_driver_offer(&lab->driver, 0, &readable, 1);
    turn(lab);

    assert_int_equal(used_len(lab), 0);
    assert_true(is_zero(lab, DATA_GPA, 64));
}

static void test_rng_memory_of_nobody_needs_a_reset(void **state)
{
    struct rng_lab *lab = *state;

    offer(lab, RAM_MIN_BYTES - 16, 32);
    turn(lab);
    assert_true((virtio_rng_device(lab->rng)->status & VIRTIO_NEEDS_RESET) != 0);
    assert_int_equal(lab->driver.config_changes, 1);

    vmm_driver_start(&lab->driver, 0);
    offer(lab, RAM_MIN_BYTES - 16, 16);
    turn(lab);

    assert_int_equal(used_len(lab), 16);
}

static void test_rng_touches_nothing_after_a_reset(void **state)
{
    struct rng_lab *lab = *state;

    offer(lab, DATA_GPA, 64);
    vmm_driver_reset(&lab->driver);
    turn(lab);

    assert_true(is_zero(lab, DATA_GPA, 64));
}

static void test_rng_has_no_configuration(void **state)
{
    struct rng_lab *lab = *state;
    struct virtio_device *device = virtio_rng_device(lab->rng);
    uint8_t data[8] = "abcdefg";

    device->ops->config_write(device, 0, data, 8);
    device->ops->config_read(device, 0, data, 8);

    assert_memory_equal(data, "\0\0\0\0\0\0\0\0", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_rng_fills_every_piece_and_no_more),
        TEST(test_rng_a_request_has_a_bound),
        TEST(test_rng_many_requests_take_several_turns),
        TEST(test_rng_what_cannot_be_written_comes_back_empty),
        TEST(test_rng_memory_of_nobody_needs_a_reset),
        TEST(test_rng_touches_nothing_after_a_reset),
        TEST(test_rng_has_no_configuration),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
