/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture on a bench: two ports, a reader at the other end of a socket pair, and control's part.
 *
 * The reader is another thread that reads what comes into memory, from when a test lets it.
 */
#ifndef TESTS_SUPPORT_CAPTURE_RIG_H
#define TESTS_SUPPORT_CAPTURE_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include "dataplane/capture.h"
#include "tests/support/frame_builder.h"
#include "tests/support/pcapng_reader.h"

#define RIG_PORT_A   3u            /* "vnic:a" */
#define RIG_PORT_B   700u          /* "vnic:b" */
#define RIG_WORKERS  2u

struct capture_rig {
    struct capture *capture;
    struct capture_watch *watch;
    int reader_fd;
    pthread_t reader;
    bool reading;                  /* there is a reader thread */
    atomic_uint events;            /* a bit for each enum capture_event that was told */
    atomic_uint_fast64_t stream_bytes;
    uint8_t *stream;               /* what was read */
    struct frame_batch batch;
    struct wire wire[FRAME_BURST];
};

/** Starts a capture of both ports; fails the test when it cannot. */
void rig_start(struct capture_rig *rig, const struct capture_config *config);
void rig_free(struct capture_rig *rig);

/** Starts to read. */
void rig_read(struct capture_rig *rig);
/** Waits until @p event was told.  @return false when it was not within @p ms */
bool rig_wait(struct capture_rig *rig, enum capture_event event, uint32_t ms);
/** Waits until so many bytes were read.  @return false when they were not within @p ms */
bool rig_wait_bytes(struct capture_rig *rig, uint64_t bytes, uint32_t ms);

/** Takes the batch away and puts a frame of @p len_bytes into it, in runs of @p run_bytes. */
void rig_frame(struct capture_rig *rig, uint32_t len_bytes, uint32_t run_bytes);
/** Fills the batch with FRAME_BURST frames like that, the last byte of each its number. */
void rig_burst(struct capture_rig *rig, uint32_t len_bytes);
/** Shows the batch, all delivered, by worker 0. */
void rig_see(struct capture_rig *rig, uint16_t port, enum capture_direction direction);

/** Waits for the end, plays control's part of it, reads the rest and takes the stream apart. */
void rig_finish(struct capture_rig *rig, struct pcapng_read *read, struct capture_result *result);

#endif
