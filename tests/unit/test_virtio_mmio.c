/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory-mapped transport, register by register, as a driver and as a liar.
 */
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <linux/virtio_mmio.h>

#include "tests/support/fake_kvm.h"
#include "tests/support/fake_virtio.h"
#include "tests/support/random.h"

#define SLOT  4u                   /* whose line is beyond that of ACPI */
#define GPA   (VIRTIO_MMIO_BASE_GPA + SLOT * VIRTIO_MMIO_SIZE_BYTES)
#define BEGUN (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)

struct mmio_lab {
    struct fake_virtio fake;
    struct bus *bus;
    struct event_base *base;
    struct virtio_mmio *mmio;
};

static int lab_setup(void **state)
{
    struct mmio_lab *lab = calloc(1, sizeof(*lab));
    struct error error;

    fake_kvm_reset();
    assert_int_equal(fake_virtio_open(&lab->fake), 0);
    lab->bus = bus_create();
    lab->base = event_base_new();
    lab->mmio = virtio_mmio_plug(-1, lab->bus, fake_kvm_irq(), lab->base, SLOT,
                                 &lab->fake.device, &error);
    assert_non_null(lab->mmio);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct mmio_lab *lab = *state;

    virtio_mmio_unplug(lab->mmio);
    assert_false(lab->fake.runs);
    assert_false(lab->fake.confused);
    assert_int_equal(fake_kvm_doorbells(), 0);
    event_base_free(lab->base);
    bus_destroy(lab->bus);
    fake_virtio_close(&lab->fake);
    free(lab);
    return 0;
}

static uint32_t get(struct mmio_lab *lab, uint32_t offset)
{
    uint32_t value = 0x5a5a5a5a;

    bus_read(lab->bus, BUS_MEMORY, GPA + offset, (uint8_t *)&value, sizeof(value));
    return value;
}

static void put(struct mmio_lab *lab, uint32_t offset, uint32_t value)
{
    bus_write(lab->bus, BUS_MEMORY, GPA + offset, (const uint8_t *)&value, sizeof(value));
}

static void ack_features(struct mmio_lab *lab, uint64_t features)
{
    put(lab, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    put(lab, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
    put(lab, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    put(lab, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static void set_queue(struct mmio_lab *lab, uint32_t queue, uint32_t size, uint64_t gpa)
{
    put(lab, VIRTIO_MMIO_QUEUE_SEL, queue);
    put(lab, VIRTIO_MMIO_QUEUE_NUM, size);
    put(lab, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)gpa);
    put(lab, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(gpa >> 32));
    put(lab, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)gpa + 0x1000);
    put(lab, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(gpa >> 32));
    put(lab, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)gpa + 0x2000);
    put(lab, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(gpa >> 32));
    put(lab, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* As a driver should: 3.1.1. */
static void start_driver(struct mmio_lab *lab, uint64_t features)
{
    put(lab, VIRTIO_MMIO_STATUS, 0);
    put(lab, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE);
    put(lab, VIRTIO_MMIO_STATUS, BEGUN);
    ack_features(lab, features);
    put(lab, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_FEATURES_OK);
    set_queue(lab, 0, 64, 0x10000);
    set_queue(lab, 1, 128, 0x20000);
    put(lab, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

#define VERSION_1 (UINT64_C(1) << 32)

static void test_mmio_every_register_reads_what_the_table_says(void **state)
{
    static const struct {
        uint32_t offset, value;
    } expected[] = {
        { VIRTIO_MMIO_MAGIC_VALUE, 0x74726976 },
        { VIRTIO_MMIO_VERSION, 2 },
        { VIRTIO_MMIO_DEVICE_ID, 4 },
        { VIRTIO_MMIO_VENDOR_ID, 0x57535623 },
        { VIRTIO_MMIO_DEVICE_FEATURES, (uint32_t)FAKE_VIRTIO_FEATURES },
        { VIRTIO_MMIO_QUEUE_NUM_MAX, FAKE_VIRTIO_SIZE_MAX },
        { VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX },
        { VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX },
        { VIRTIO_MMIO_SHM_BASE_LOW, UINT32_MAX },
        { VIRTIO_MMIO_SHM_BASE_HIGH, UINT32_MAX },
    };
    struct mmio_lab *lab = *state;

    for (uint32_t offset = 0; offset < VIRTIO_MMIO_CONFIG; offset += 4) {
        uint32_t value = 0;

        for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
            if (expected[i].offset == offset) {
                value = expected[i].value;
            }
        }
        assert_int_equal(get(lab, offset), value);
    }
}

static void test_mmio_an_access_of_another_width_is_none(void **state)
{
    struct mmio_lab *lab = *state;
    const uint8_t status[8] = { VIRTIO_ACKNOWLEDGE };
    uint8_t data[8];

    for (uint32_t offset = 0; offset < VIRTIO_MMIO_CONFIG; offset++) {
        for (unsigned len = 1; len <= 8; len *= 2) {
            if (len != 4 || offset % 4 != 0) {
                memset(data, 0xff, sizeof(data));
                bus_read(lab->bus, BUS_MEMORY, GPA + offset, data, len);
                bus_write(lab->bus, BUS_MEMORY, GPA + offset, status, len);
                assert_memory_equal(data, "\0\0\0\0\0\0\0\0", len);
            }
        }
    }
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0);
}

static void test_mmio_a_driver_in_order_starts_the_device(void **state)
{
    struct mmio_lab *lab = *state;
    const struct virtio_queue *queue = lab->fake.device.queue;

    start_driver(lab, VERSION_1 | (1 << 5));

    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0xf);
    assert_int_equal(lab->fake.starts, 1);
    assert_int_equal(lab->fake.device.acked, VERSION_1 | (1 << 5));
    assert_int_equal(queue[0].size, 64);
    assert_int_equal(queue[1].size, 128);
    assert_int_equal(queue[1].desc_gpa, 0x20000);
    assert_int_equal(queue[1].avail_gpa, 0x21000);
    assert_int_equal(queue[1].used_gpa, 0x22000);
    assert_true(queue[0].kick_fd >= 0 && queue[0].call_fd >= 0);
    put(lab, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(lab->fake.stops, 1);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(get(lab, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(queue[1].size, FAKE_VIRTIO_SIZE_MAX);
}

static void test_mmio_features_not_offered_are_not_ok(void **state)
{
    struct mmio_lab *lab = *state;
    static const uint64_t wrong[] = { VERSION_1 | 1, 1 << 5, VERSION_1 | UINT64_C(1) << 63, 0 };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        start_driver(lab, wrong[i]);
        assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), BEGUN);
    }
    assert_int_equal(lab->fake.starts, 0);
}

static void test_mmio_features_after_features_ok_do_not_count(void **state)
{
    struct mmio_lab *lab = *state;

    start_driver(lab, VERSION_1);
    ack_features(lab, UINT64_MAX);
    assert_int_equal(lab->fake.device.acked, VERSION_1);
}

static void test_mmio_status_bits_out_of_order_do_not_count(void **state)
{
    struct mmio_lab *lab = *state;

    ack_features(lab, VERSION_1);
    put(lab, VIRTIO_MMIO_STATUS, VIRTIO_DRIVER_OK);
    put(lab, VIRTIO_MMIO_STATUS, VIRTIO_FEATURES_OK);
    put(lab, VIRTIO_MMIO_STATUS, 0x100 | VIRTIO_ACKNOWLEDGE);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0);
    put(lab, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_NEEDS_RESET | 0x30);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), BEGUN);
    put(lab, VIRTIO_MMIO_STATUS, VIRTIO_FAILED);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), BEGUN | VIRTIO_FAILED);
    assert_int_equal(lab->fake.starts, 0);
}

static void test_mmio_rings_outside_memory_need_a_reset(void **state)
{
    struct mmio_lab *lab = *state;
    static const uint64_t wrong[] = {
        0x10001, RAM_MIN_BYTES, RAM_MIN_BYTES - 0x1000, UINT64_MAX - 15, RAM_HOLE_GPA,
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put(lab, VIRTIO_MMIO_STATUS, 0);
        put(lab, VIRTIO_MMIO_STATUS, BEGUN);
        ack_features(lab, VERSION_1);
        put(lab, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_FEATURES_OK);
        set_queue(lab, 1, 256, wrong[i]);
        put(lab, VIRTIO_MMIO_STATUS, 0xf);
        assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0xf | VIRTIO_NEEDS_RESET);
        assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
        assert_int_equal(fake_kvm_line_count(virtio_mmio_gsi(SLOT)), 1);
    }
    assert_int_equal(lab->fake.starts, 0);
}

static void test_mmio_a_ready_queue_is_not_changed(void **state)
{
    struct mmio_lab *lab = *state;
    const struct virtio_queue *queue = lab->fake.device.queue;

    set_queue(lab, 0, 64, 0x10000);
    set_queue(lab, 0, 128, 0x30000);
    assert_int_equal(queue[0].size, 64);
    assert_int_equal(queue[0].desc_gpa, 0x10000);
    put(lab, VIRTIO_MMIO_QUEUE_READY, 0);
    set_queue(lab, 0, 128, 0x30000);
    assert_int_equal(queue[0].size, 128);
    assert_int_equal(queue[0].used_gpa, 0x32000);
}

static void test_mmio_a_size_that_is_none_is_not_taken(void **state)
{
    struct mmio_lab *lab = *state;
    static const uint32_t wrong[] = { 0, 3, 255, 512, 0x10000, 0x10040, UINT32_MAX };

    put(lab, VIRTIO_MMIO_QUEUE_NUM, 32);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put(lab, VIRTIO_MMIO_QUEUE_NUM, wrong[i]);
        assert_int_equal(lab->fake.device.queue[0].size, 32);
    }
}

static void test_mmio_a_queue_that_is_none_is_not_there(void **state)
{
    struct mmio_lab *lab = *state;
    static const uint32_t none[] = { 2, 3, 33, 0xffff, 0x10000, UINT32_MAX };

    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        set_queue(lab, none[i], 64, 0x10000);
        assert_int_equal(get(lab, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
        assert_int_equal(get(lab, VIRTIO_MMIO_QUEUE_READY), 0);
        put(lab, VIRTIO_MMIO_QUEUE_NOTIFY, none[i]);
    }
    assert_int_equal(lab->fake.device.queue[0].size, FAKE_VIRTIO_SIZE_MAX);
}

static void test_mmio_a_queue_taken_back_stops_the_device(void **state)
{
    struct mmio_lab *lab = *state;

    start_driver(lab, VERSION_1);
    put(lab, VIRTIO_MMIO_QUEUE_READY, 0);
    assert_false(lab->fake.runs);
    assert_int_equal(get(lab, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0xf | VIRTIO_NEEDS_RESET);
    put(lab, VIRTIO_MMIO_QUEUE_READY, 1);
    assert_int_equal(get(lab, VIRTIO_MMIO_QUEUE_READY), 0);
    start_driver(lab, VERSION_1);
    assert_true(lab->fake.runs);
}

static void test_mmio_a_kick_comes_by_doorbell_or_by_register(void **state)
{
    struct mmio_lab *lab = *state;
    eventfd_t count = 0;

    assert_int_equal(fake_kvm_doorbells(), FAKE_VIRTIO_QUEUES);
    assert_true(fake_kvm_ring(GPA + VIRTIO_MMIO_QUEUE_NOTIFY, 1));
    assert_false(fake_kvm_ring(GPA + VIRTIO_MMIO_QUEUE_NOTIFY, FAKE_VIRTIO_QUEUES));
    put(lab, VIRTIO_MMIO_QUEUE_NOTIFY, 1);

    assert_int_equal(eventfd_read(lab->fake.device.queue[1].kick_fd, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(eventfd_read(lab->fake.device.queue[0].kick_fd, &count), -1);
}

static void test_mmio_a_call_sets_its_bit_and_the_line(void **state)
{
    struct mmio_lab *lab = *state;
    const uint32_t gsi = virtio_mmio_gsi(SLOT);

    start_driver(lab, VERSION_1);
    eventfd_write(lab->fake.device.queue[1].call_fd, 1);
    event_base_loop(lab->base, EVLOOP_NONBLOCK);
    assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
    assert_int_equal(fake_kvm_line_count(gsi), 1);

    virtio_device_config_changed(&lab->fake.device);
    assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
    assert_int_equal(fake_kvm_line_count(gsi), 1);
    assert_int_equal(get(lab, VIRTIO_MMIO_CONFIG_GENERATION), 1);

    put(lab, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
    assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    put(lab, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void test_mmio_a_change_before_there_is_a_driver_is_silent(void **state)
{
    struct mmio_lab *lab = *state;

    virtio_device_config_changed(&lab->fake.device);
    assert_int_equal(get(lab, VIRTIO_MMIO_CONFIG_GENERATION), 1);
    assert_int_equal(get(lab, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_int_equal(fake_kvm_line_count(virtio_mmio_gsi(SLOT)), 0);
}

static void test_mmio_configuration_is_the_devices_at_any_width(void **state)
{
    struct mmio_lab *lab = *state;
    uint8_t data[8];

    bus_read(lab->bus, BUS_MEMORY, GPA + VIRTIO_MMIO_CONFIG + 3, data, 2);
    assert_memory_equal(data, "\4\5", 2);
    bus_write(lab->bus, BUS_MEMORY, GPA + VIRTIO_MMIO_CONFIG + 8, (const uint8_t *)"abcdefgh", 8);
    assert_memory_equal(lab->fake.config + 8, "abcdefgh", 8);
    bus_read(lab->bus, BUS_MEMORY, GPA + VIRTIO_MMIO_SIZE_BYTES - 8, data, 8);
    assert_memory_equal(data, "\0\0\0\0\0\0\0\0", 8);
}

static void test_mmio_random_writes_leave_a_device_that_still_works(void **state)
{
    struct mmio_lab *lab = *state;
    uint64_t random = 42;

    for (unsigned i = 0; i < 200000; i++) {
        const uint32_t offset = random_below(&random, VIRTIO_MMIO_CONFIG / 4) * 4;
        const uint32_t value = random_below(&random, 4) == 0 ? (uint32_t)random_next(&random)
                                                             : random_below(&random, 16);

        put(lab, offset, value);
        get(lab, random_below(&random, VIRTIO_MMIO_SIZE_BYTES - 4));
        assert_int_equal(lab->fake.runs, lab->fake.device.running);
        if (lab->fake.runs) {
            assert_int_equal(lab->fake.device.status & 0x4f, 0xf);
        }
    }
    start_driver(lab, VERSION_1);
    assert_true(lab->fake.runs);
}

static void test_mmio_a_snapshot_goes_into_a_new_device(void **state)
{
    struct mmio_lab *lab = *state;
    struct virtio_mmio_state before, after;
    struct error error;
    eventfd_t count;
    void *other_state;
    struct mmio_lab *other;

    start_driver(lab, VERSION_1 | (1 << 29));
    virtio_device_config_changed(&lab->fake.device);
    put(lab, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    virtio_mmio_save(lab->mmio, &before);
    lab_teardown(state);
    lab_setup(&other_state);
    other = other_state;

    assert_int_equal(virtio_mmio_restore(other->mmio, &before, &error), 0);

    virtio_mmio_save(other->mmio, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_true(other->fake.runs);
    assert_int_equal(eventfd_read(other->fake.device.queue[0].kick_fd, &count), 0);
    assert_int_equal(get(other, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(get(other, VIRTIO_MMIO_DEVICE_FEATURES), 1);
    *state = other;
}

static void test_mmio_a_snapshot_without_a_driver_keeps_what_was_written(void **state)
{
    struct mmio_lab *lab = *state;
    struct virtio_mmio_state before, after;
    struct error error;

    set_queue(lab, 1, 32, 0x20000);
    put(lab, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    virtio_mmio_save(lab->mmio, &before);
    virtio_mmio_reset(lab->mmio);
    assert_int_equal(virtio_mmio_restore(lab->mmio, &before, &error), 0);
    virtio_mmio_save(lab->mmio, &after);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_mmio_a_snapshot_of_another_device_is_refused(void **state)
{
    struct mmio_lab *lab = *state;
    struct virtio_mmio_state saved, wrong;
    struct error error;

    start_driver(lab, VERSION_1);
    virtio_mmio_save(lab->mmio, &saved);
    virtio_mmio_reset(lab->mmio);

    wrong = saved;
    wrong.device.acked |= 1;
    assert_int_equal(virtio_mmio_restore(lab->mmio, &wrong, &error), -EINVAL);
    wrong = saved;
    wrong.device.queue[1].size = 512;
    assert_int_equal(virtio_mmio_restore(lab->mmio, &wrong, &error), -EINVAL);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0);
    wrong = saved;
    wrong.device.queue[0].desc_gpa = RAM_HOLE_GPA;
    assert_int_equal(virtio_mmio_restore(lab->mmio, &wrong, &error), 0);
    assert_int_equal(get(lab, VIRTIO_MMIO_STATUS), 0xf | VIRTIO_NEEDS_RESET);
    assert_false(lab->fake.runs);
}

static void test_mmio_without_a_doorbell_there_is_no_plug(void **state)
{
    struct mmio_lab *lab = *state;
    struct fake_virtio second;
    struct error error;

    fake_kvm_refuse_doorbells(ENOSPC);
    assert_int_equal(fake_virtio_open(&second), 0);
    assert_null(virtio_mmio_plug(-1, lab->bus, fake_kvm_irq(), lab->base, 1, &second.device,
                                 &error));
    assert_int_equal(error.code, ENOSPC);
    assert_null(virtio_mmio_plug(-1, lab->bus, fake_kvm_irq(), lab->base, VIRTIO_MMIO_SLOTS_MAX,
                                 &second.device, &error));
    fake_virtio_close(&second);
}

static void test_mmio_cmdline_says_where_slots_are(void **state)
{
    char text[256];
    char small[20];
    int length;

    (void)state;
    length = virtio_mmio_cmdline(2, text, sizeof(text));
    assert_string_equal(text, "virtio_mmio.device=4096@0xd0000000:5 "
                              "virtio_mmio.device=4096@0xd0001000:6");
    assert_int_equal(length, strlen(text));
    assert_int_equal(virtio_mmio_cmdline(2, small, sizeof(small)), length);
    assert_memory_equal(small, text, sizeof(small) - 1);
    assert_int_equal(virtio_mmio_gsi(3), 8);
    assert_int_equal(virtio_mmio_gsi(4), 10);      /* 9 is ACPI's */
    assert_int_equal(virtio_mmio_gsi(VIRTIO_MMIO_SLOTS_MAX - 1), IRQ_LINES - 1);
}

#define LAB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_mmio_every_register_reads_what_the_table_says),
        LAB_TEST(test_mmio_an_access_of_another_width_is_none),
        LAB_TEST(test_mmio_a_driver_in_order_starts_the_device),
        LAB_TEST(test_mmio_features_not_offered_are_not_ok),
        LAB_TEST(test_mmio_features_after_features_ok_do_not_count),
        LAB_TEST(test_mmio_status_bits_out_of_order_do_not_count),
        LAB_TEST(test_mmio_rings_outside_memory_need_a_reset),
        LAB_TEST(test_mmio_a_ready_queue_is_not_changed),
        LAB_TEST(test_mmio_a_size_that_is_none_is_not_taken),
        LAB_TEST(test_mmio_a_queue_that_is_none_is_not_there),
        LAB_TEST(test_mmio_a_queue_taken_back_stops_the_device),
        LAB_TEST(test_mmio_a_kick_comes_by_doorbell_or_by_register),
        LAB_TEST(test_mmio_a_call_sets_its_bit_and_the_line),
        LAB_TEST(test_mmio_a_change_before_there_is_a_driver_is_silent),
        LAB_TEST(test_mmio_configuration_is_the_devices_at_any_width),
        LAB_TEST(test_mmio_random_writes_leave_a_device_that_still_works),
        LAB_TEST(test_mmio_a_snapshot_goes_into_a_new_device),
        LAB_TEST(test_mmio_a_snapshot_without_a_driver_keeps_what_was_written),
        LAB_TEST(test_mmio_a_snapshot_of_another_device_is_refused),
        LAB_TEST(test_mmio_without_a_doorbell_there_is_no_plug),
        cmocka_unit_test(test_mmio_cmdline_says_where_slots_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
