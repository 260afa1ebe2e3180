/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces that are the test itself: a program that uses this has these functions in place of
 * those of dataplane/host_port, packet_port and nic, and can give a worker frames, see what it was
 * given, and be anything that a kernel or a device can be.
 *
 * One is the endpoint of a port, whatever its kind.
 */
#ifndef TESTS_SUPPORT_FAKE_INTERFACE_H
#define TESTS_SUPPORT_FAKE_INTERFACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/worker.h"

#define FAKE_QUEUES     2u         /* that every interface says to have */
#define FAKE_NOTES_MAX  128u
#define FAKE_NOTE_BYTES 1600u

/* One frame as it was given. */
struct fake_note {
    uint32_t len_bytes;
    uint8_t csum_state;
    uint8_t data[FAKE_NOTE_BYTES]; /* its first bytes; all of it with its checksum completed */
};

struct fake_interface {
    /* ---- the test's: what it has for the worker ---- */
    void *test;                    /* for the two that follow, which the worker calls */
    void (*fill)(void *test, struct frame_batch *batch, struct frame *frame);   /* NULL: as it is */
    void (*look)(void *test, const struct frame_batch *batch, const struct frame *frame);
    int fd;                        /* to sleep on, an eventfd if it gives frames; -1: none */
    uint16_t port;
    atomic_uint waiting_frames;    /* copies of `frame`, to be taken */
    atomic_uint waiting_refused;   /* taken with the next of them, and no frames: BAD_OFFLOAD */
    uint8_t frame[64];
    bool has_more;                 /* what a NIC that is armed answers */
    unsigned room_frames;          /* takes so many more */
    bool takes_notes;
    uint8_t takes;                 /* undone: enum offload_take */
    /* ---- the worker's: what it did ---- */
    unsigned calls;                /* to deliver */
    uint16_t queue;                /* of the last */
    bool armed;
    unsigned times_armed;
    unsigned note_count;
    struct fake_note note[FAKE_NOTES_MAX];
};

/**
 * One that has nothing, takes all frames, but undone only partial checksums, which every port does,
 * and notes them.  @return owned, for free()
 */
struct fake_interface *fake_interface_create(uint16_t port);

#endif
