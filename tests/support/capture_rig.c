/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/capture_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vnic/vnic.h"

#define STREAM_MAX_BYTES (64u << 20)
#define END_MS           8000

static void on_event(void *context, enum capture_event event)
{
    struct capture_rig *rig = context;

    atomic_fetch_or(&rig->events, 1u << event);
}

void rig_start(struct capture_rig *rig, const struct capture_config *config)
{
    struct capture_config with_ring = *config;
    struct error error = { 0 };
    int fd[2];

    memset(rig, 0, offsetof(struct capture_rig, batch));
    with_ring.ring_bytes = 256u << 10;
    rig->stream = malloc(STREAM_MAX_BYTES);
    rig->capture = capture_create(&with_ring, RIG_WORKERS, &error);
    if (rig->capture == NULL) {
        print_message("%s\n", error.text);
    }
    assert_non_null(rig->capture);
    rig->watch = capture_watch_create(1);
    assert_int_equal(capture_watch_add(rig->watch, rig->capture, RIG_PORT_A, "vnic:a"), 0);
    assert_int_equal(capture_watch_add(rig->watch, rig->capture, RIG_PORT_B, "vnic:b"), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    rig->reader_fd = fd[1];
    assert_int_equal(capture_stream(rig->capture, fd[0], on_event, rig, &error), 0);
}

void rig_free(struct capture_rig *rig)
{
    capture_destroy(rig->capture);
    capture_watch_destroy(rig->watch);
    if (rig->reading) {
        pthread_join(rig->reader, NULL);
    }
    if (rig->reader_fd >= 0) {
        close(rig->reader_fd);
    }
    free(rig->stream);
}

static void *read_all(void *arg)
{
    struct capture_rig *rig = arg;
    uint64_t bytes = 0;
    ssize_t len;

    while (bytes < STREAM_MAX_BYTES &&
           (len = read(rig->reader_fd, rig->stream + bytes, STREAM_MAX_BYTES - bytes)) > 0) {
        bytes += (uint64_t)len;
        atomic_store(&rig->stream_bytes, bytes);
    }
    return NULL;
}

void rig_read(struct capture_rig *rig)
{
    if (!rig->reading) {
        assert_int_equal(pthread_create(&rig->reader, NULL, read_all, rig), 0);
        rig->reading = true;
    }
}

bool rig_wait(struct capture_rig *rig, enum capture_event event, uint32_t ms)
{
    for (uint32_t i = 0; i < ms && (atomic_load(&rig->events) & 1u << event) == 0; i++) {
        usleep(1000);
    }
    return (atomic_load(&rig->events) & 1u << event) != 0;
}

bool rig_wait_bytes(struct capture_rig *rig, uint64_t bytes, uint32_t ms)
{
    for (uint32_t i = 0; i < ms && atomic_load(&rig->stream_bytes) < bytes; i++) {
        usleep(1000);
    }
    return atomic_load(&rig->stream_bytes) >= bytes;
}

void rig_frame(struct capture_rig *rig, uint32_t len_bytes, uint32_t run_bytes)
{
    wire_start(&rig->wire[0], 0x0200000000b0, 0x0200000000a0);
    wire_type(&rig->wire[0], 0x88b5);
    wire_fill(&rig->wire[0], len_bytes);
    batch_start(&rig->batch, RIG_PORT_A);
    batch_add_wire(&rig->batch, &rig->wire[0], run_bytes);
}

void rig_burst(struct capture_rig *rig, uint32_t len_bytes)
{
    batch_start(&rig->batch, RIG_PORT_A);
    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        struct wire *wire = &rig->wire[i];

        wire_start(wire, 0x0200000000b0, 0x0200000000a0);
        wire_type(wire, 0x88b5);
        wire_fill(wire, len_bytes);
        wire->data[len_bytes - 1] = (uint8_t)i;
        batch_add_wire(&rig->batch, wire, 0);
    }
}

void rig_see(struct capture_rig *rig, uint16_t port, enum capture_direction direction)
{
    uint8_t verdict[FRAME_BURST];

    memset(verdict, VNIC_DELIVERED, sizeof(verdict));
    capture_see(rig->watch, 0, port, direction, &rig->batch, NULL, rig->batch.count, verdict);
}

void rig_finish(struct capture_rig *rig, struct pcapng_read *read, struct capture_result *result)
{
    const char *wrong;

    assert_true(rig_wait(rig, CAPTURE_ENDED, END_MS));
    assert_false(rig_wait(rig, CAPTURE_DONE, 5));       /* not before control says so */
    rig_read(rig);
    capture_drain(rig->capture);
    assert_true(rig_wait(rig, CAPTURE_DONE, END_MS));
    pthread_join(rig->reader, NULL);
    rig->reading = false;
    capture_result(rig->capture, result);
    wrong = pcapng_read(rig->stream, atomic_load(&rig->stream_bytes), read);
    if (wrong != NULL) {
        print_message("%s\n", wrong);
    }
    assert_null(wrong);
}
