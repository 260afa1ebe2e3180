/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon with two guests that talk, for tests of captures; cmocka's state is a capture_lab.
 *
 * Switch "lan" has vNICs "a" and "b", whose guests are 02:01:..:01 and 02:01:..:02, and "absent",
 * to which nobody is attached.  Shell commands find the programs in $BIN, a folder for files in
 * $DIR, and the daemon by the environment.
 */
#ifndef TESTS_SUPPORT_CAPTURE_LAB_H
#define TESTS_SUPPORT_CAPTURE_LAB_H

#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/pcapng_reader.h"
#include "tests/support/pipeline.h"
#include "tests/support/udp_frame.h"

#define CLAB_END_MS       10000      /* for what a command may take to end */
#define CLAB_PORT         9000u      /* UDP port of ordinary frames */
#define CLAB_FRAME_BYTES  200u
#define CLAB_TEXT_SIZE    (1u << 20)

struct capture_lab {
    struct lab lab;
    struct frontend a, b;
    char text[CLAB_TEXT_SIZE];     /* what a file held */
    struct pcapng_read stream;
};

int clab_setup(void **state);
int clab_teardown(void **state);

/** Milliseconds of a clock that is not set. */
uint64_t clab_ms(void);

/** Writes a frame between guests of these numbers, to a UDP port. */
void clab_frame(uint8_t frame[CLAB_FRAME_BYTES], unsigned from, unsigned to, uint16_t port);
/** Sends one frame from a to b and sees it arrive. */
void clab_talk(struct capture_lab *lab, uint16_t port);
/** Sends one broadcast as guest @p number; what it floods stays with the receivers. */
void clab_broadcast(struct frontend *from, unsigned number);

/** How many captures there are. */
size_t clab_running(struct capture_lab *lab);
/** Waits until there are so many captures. */
void clab_await_running(struct capture_lab *lab, size_t count);
/** Starts a pipeline with a capture in it, the @p nth there is, and waits until it looks. */
void clab_start(struct capture_lab *lab, struct pipeline *pipeline, size_t nth,
                const char *command);

/** Stops the capture that was started first. */
void clab_stop(struct capture_lab *lab);

/** The text of a file, in lab->text; "" when there is none. */
const char *clab_text(struct capture_lab *lab, const char *name);
/** The size of a file, -1 when there is none. */
int64_t clab_size(const struct capture_lab *lab, const char *name);
/** Takes a file apart into lab->stream, whose packets lie in lab->text until it is used again. */
void clab_read(struct capture_lab *lab, const char *name);
/** The number of a key in a summary that vswitchctl --json left in a file. */
int64_t clab_number(struct capture_lab *lab, const char *name, const char *key);

#endif
