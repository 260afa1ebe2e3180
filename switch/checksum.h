/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet checksums over frames whose bytes are in pieces.
 *
 * Standard: RFC 1071, RFC 1624 (incremental update), RFC 768 (a UDP sum of 0 is sent as 0xffff),
 * RFC 8200, 8.1 (pseudo-header of IPv6).
 */
#ifndef SWITCH_CHECKSUM_H
#define SWITCH_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/frame.h"

/**
 * Adds @p len_bytes to a sum of 16-bit words in network order.
 * @param odd  whether the bytes start at an odd place of what is summed
 * @return the sum, not folded to the end
 */
uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len_bytes, bool odd);

/** Folds @p sum and inverts it: as it is stored, in host order. */
uint16_t checksum_finish(uint64_t sum);

/**
 * Completes the partial checksum of a frame (FRAME_CSUM_PARTIAL): what is at the field is the
 * pseudo-header's sum; the result is stored in the trusted header and the state set to
 * FRAME_CSUM_CHECKED.  A frame without one is left as it is.
 *
 * Thread: any worker.  Reads the payload, which its owner may be changing: then the sum is wrong
 * for what the receiver gets, as the owner's own doing.
 */
void checksum_complete(const struct frame_batch *batch, struct frame *frame);

#endif
