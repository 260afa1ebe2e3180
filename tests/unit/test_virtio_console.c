/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console as a virtio device: what a guest writes, what is typed, and liars.
 */
#include "vmm/virtio_console.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/vmm_driver.h"

#define DATA_GPA VMM_DRIVER_DATA_GPA
#define RX       VIRTIO_CONSOLE_RX
#define TX       VIRTIO_CONSOLE_TX

struct console_lab {
    struct vmm_driver driver;
    struct event_base *base;
    struct console *console;
    struct virtio_console *device;
    int terminal;                  /* the far end of the console's client */
};

static int lab_setup(void **state)
{
    struct console_lab *lab = calloc(1, sizeof(*lab));
    int pair[2];

    assert_int_equal(vmm_driver_open(&lab->driver), 0);
    lab->base = event_base_new();
    lab->console = console_create(lab->base, NULL, NULL);
    lab->device = virtio_console_create(&lab->driver.ram, lab->base, lab->console, NULL);
    assert_non_null(lab->device);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    console_attach(lab->console, pair[0]);
    lab->terminal = pair[1];
    assert_int_equal(fcntl(lab->terminal, F_SETFL, O_NONBLOCK), 0);
    vmm_driver_plug(&lab->driver, virtio_console_device(lab->device));
    vmm_driver_start(&lab->driver, 0);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct console_lab *lab = *state;

    vmm_driver_unplug(&lab->driver);
    virtio_console_destroy(lab->device);
    console_destroy(lab->console);
    event_base_free(lab->base);
    vmm_driver_close(&lab->driver);
    close(lab->terminal);
    free(lab);
    return 0;
}

/* Until the main thread has nothing more to do. */
static void settle(struct console_lab *lab)
{
    for (unsigned i = 0; i < 8; i++) {
        event_base_loop(lab->base, EVLOOP_NONBLOCK);
    }
}

static void offer(struct console_lab *lab, unsigned ring, uint64_t gpa, uint32_t len_bytes)
{
    const struct vmm_driver_piece piece = { gpa, len_bytes, ring == RX };

    (void)vmm_driver_offer(&lab->driver, ring, &piece, 1);
}

static void guest_writes(struct console_lab *lab, const char *text)
{
    memcpy(vmm_driver_at(&lab->driver, DATA_GPA), text, strlen(text));
    offer(lab, TX, DATA_GPA, (uint32_t)strlen(text));
}

static void assert_used(struct console_lab *lab, unsigned ring, uint32_t expected_bytes)
{
    uint32_t len_bytes;
    uint16_t head;

    assert_true(vmm_driver_used(&lab->driver, ring, &head, &len_bytes));
    assert_int_equal(len_bytes, expected_bytes);
}

static void assert_not_used(struct console_lab *lab, unsigned ring)
{
    uint32_t len_bytes;
    uint16_t head;

    assert_false(vmm_driver_used(&lab->driver, ring, &head, &len_bytes));
}

static void assert_terminal_shows(struct console_lab *lab, const char *text)
{
    char got[128] = "";

    assert_int_equal(read(lab->terminal, got, sizeof(got) - 1), strlen(text));
    assert_string_equal(got, text);
}

static void type_text(struct console_lab *lab, const char *text)
{
    assert_int_equal(write(lab->terminal, text, strlen(text)), strlen(text));
    settle(lab);
}

static void test_console_device_shows_what_is_written(void **state)
{
    struct console_lab *lab = *state;
    const struct vmm_driver_piece piece[] = {
        { DATA_GPA, 3, false },
        { DATA_GPA + 0x1000, 4, false },
    };

    memcpy(vmm_driver_at(&lab->driver, DATA_GPA), "two", 3);
    memcpy(vmm_driver_at(&lab->driver, DATA_GPA + 0x1000), " pcs", 4);
    (void)vmm_driver_offer(&lab->driver, TX, piece, 2);
    settle(lab);

    assert_used(lab, TX, 0);
    assert_terminal_shows(lab, "two pcs");
}

static void test_console_device_writes_in_an_emergency(void **state)
{
    struct console_lab *lab = *state;
    struct virtio_device *device = virtio_console_device(lab->device);

    vmm_driver_reset(&lab->driver);
    device->ops->config_write(device, 8, (const uint8_t *)"!\0\0\0", 4);
    device->ops->config_write(device, 4, (const uint8_t *)"x\0\0\0", 4);
    device->ops->config_write(device, UINT32_MAX, (const uint8_t *)"x", 1);
    settle(lab);

    assert_terminal_shows(lab, "!");
}

static void test_console_device_typed_bytes_fill_the_buffers_given(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "> ");
    settle(lab);
    offer(lab, RX, DATA_GPA + 0x1000, 3);
    offer(lab, RX, DATA_GPA + 0x2000, 100);
    type_text(lab, "hello");

    assert_used(lab, RX, 3);
    assert_used(lab, RX, 2);
    assert_memory_equal(vmm_driver_at(&lab->driver, DATA_GPA + 0x1000), "hel", 3);
    assert_memory_equal(vmm_driver_at(&lab->driver, DATA_GPA + 0x2000), "lo", 2);
}

static void test_console_device_typed_bytes_wait_for_a_buffer(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "> ");
    settle(lab);
    type_text(lab, "hello");
    offer(lab, RX, DATA_GPA + 0x1000, 2);
    settle(lab);
    assert_used(lab, RX, 2);
    assert_not_used(lab, RX);
    offer(lab, RX, DATA_GPA + 0x2000, 64);
    settle(lab);

    assert_used(lab, RX, 3);
    assert_memory_equal(vmm_driver_at(&lab->driver, DATA_GPA + 0x2000), "llo", 3);
}

static void test_console_device_buffers_of_the_wrong_kind_come_back_empty(void **state)
{
    struct console_lab *lab = *state;
    const struct vmm_driver_piece readable = { DATA_GPA, 64, false };
    const struct vmm_driver_piece writable = { DATA_GPA, 64, true };

    guest_writes(lab, "> ");
    (void)vmm_driver_offer(&lab->driver, TX, &writable, 1);
    (void)vmm_driver_offer(&lab->driver, RX, &readable, 1);
    offer(lab, RX, DATA_GPA + 0x2000, 64);
    settle(lab);
    type_text(lab, "x");

    assert_used(lab, TX, 0);
    assert_used(lab, TX, 0);
    assert_used(lab, RX, 0);
    assert_used(lab, RX, 1);
    assert_terminal_shows(lab, "> ");
}

/* 256 pieces of megabytes each cost the main thread no more than what is kept of them. */
static void test_console_device_huge_write_is_bounded(void **state)
{
    struct console_lab *lab = *state;
    struct vmm_driver_piece piece[250];

    for (unsigned i = 0; i < 250; i++) {
        piece[i] = (struct vmm_driver_piece){ DATA_GPA, 10 << 20, false };
    }
    (void)vmm_driver_offer(&lab->driver, TX, piece, 250);
    settle(lab);

    assert_used(lab, TX, 0);
}

static void test_console_device_memory_of_nobody_needs_a_reset(void **state)
{
    struct console_lab *lab = *state;

    offer(lab, TX, RAM_MIN_BYTES, 1);
    settle(lab);
    assert_true((virtio_console_device(lab->device)->status & VIRTIO_NEEDS_RESET) != 0);

    vmm_driver_start(&lab->driver, 0);
    guest_writes(lab, "again");
    settle(lab);

    assert_terminal_shows(lab, "again");
}

static void test_console_device_types_nothing_after_a_reset(void **state)
{
    struct console_lab *lab = *state;

    guest_writes(lab, "> ");
    offer(lab, RX, DATA_GPA + 0x1000, 64);
    settle(lab);
    vmm_driver_reset(&lab->driver);
    type_text(lab, "hello");

    assert_memory_equal(vmm_driver_at(&lab->driver, DATA_GPA + 0x1000), "\0\0\0\0\0", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_console_device_shows_what_is_written),
        TEST(test_console_device_writes_in_an_emergency),
        TEST(test_console_device_typed_bytes_fill_the_buffers_given),
        TEST(test_console_device_typed_bytes_wait_for_a_buffer),
        TEST(test_console_device_buffers_of_the_wrong_kind_come_back_empty),
        TEST(test_console_device_huge_write_is_bounded),
        TEST(test_console_device_memory_of_nobody_needs_a_reset),
        TEST(test_console_device_types_nothing_after_a_reset),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
