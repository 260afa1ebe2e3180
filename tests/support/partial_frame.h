/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long frames as a sender leaves them whose checksum is somebody else's to complete, and the answer
 * to whether somebody did, by the naive checksum.
 */
#ifndef TESTS_SUPPORT_PARTIAL_FRAME_H
#define TESTS_SUPPORT_PARTIAL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/long_frame.h"

/** Where the checksum's field is in the wire of a frame that is written. */
uint32_t partial_frame_field(const struct long_frame *frame);

/** The sum of its pseudo-header for @p l4_bytes (RFC 9293, 3.1; RFC 8200, 8.1). */
uint16_t partial_frame_pseudo(const struct long_frame *frame, uint32_t l4_bytes);

/** Writes the frame with the sum of its pseudo-header in the field; IPv4's checksum is right. */
void partial_frame_write(struct long_frame *frame);

/** Writes it and adds it to @p batch as one that is not to be cut. */
struct frame *partial_frame_add(struct long_frame *frame, struct frame_batch *batch);

/** Writes it and adds it as one that is to be cut. */
struct frame *partial_frame_add_long(struct long_frame *frame, struct frame_batch *batch);

/** Writes it with its checksum completed, or with one that is wrong in a bit. */
void partial_frame_write_complete(struct long_frame *frame, bool right);

/** Whether @p bytes, as many as the wire has, are its bytes but for a checksum, which is right. */
bool partial_frame_complete(const struct long_frame *frame, const uint8_t *bytes);

#endif
