/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet checksums over frames whose bytes are in pieces.
 *
 * A sum is a plain number: 16-bit words in network order, added up and not yet folded to 16 bits.
 * So numbers of a pseudo-header are added to it by `+`, and pieces by the functions below, in any
 * order.  It holds more than 2^40 pieces of any length before it could overflow.
 *
 * Standard: RFC 1071, RFC 768 (a UDP sum of 0 is sent as 0xffff), RFC 9293, 3.1 and RFC 8200, 8.1
 * (pseudo-headers).
 */
#ifndef SWITCH_CHECKSUM_H
#define SWITCH_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/frame.h"

/**
 * Adds @p len_bytes to a sum.
 * @param odd  whether the bytes start at an odd place of what is summed
 * @return the sum, not folded to the end
 * Thread: any.  Reads each byte once.
 */
uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len_bytes, bool odd);

/**
 * Copies @p len_bytes and adds them to a sum, reading each once: what is summed is what was copied.
 * @param odd  as for checksum_add()
 * Thread: any.
 */
uint64_t checksum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len_bytes, bool odd);

/** Adds what @p frame has from @p start_bytes on, which is no more than hdr_len_bytes. */
uint64_t checksum_add_frame(uint64_t sum, const struct frame_batch *batch,
                            const struct frame *frame, uint16_t start_bytes);

/** Folds @p sum and inverts it: as it is stored, in host order. */
uint16_t checksum_finish(uint64_t sum);

/**
 * The sum of the pseudo-header of TCP or UDP.
 * @param ip         the IP header, of the version that its first bits say
 * @param len_bytes  of what is behind the IP header; 0 leaves it to be added
 * Thread: any.
 */
uint64_t checksum_pseudo(const uint8_t *ip, uint8_t protocol, uint32_t len_bytes);

/**
 * Stores what the partial checksum of @p frame comes to, @p sum being that of all its bytes.
 *
 * A result of 0 is stored as 0xffff, because 0 says of UDP that there is none; but of TCP as 0.  To
 * whoever sums both are right, but TCP stores 0 itself, and who compares would call the other
 * wrong.  That it is TCP's is told by where its field is, also within a tunnel.
 */
void checksum_store(uint8_t field[2], const struct frame *frame, uint64_t sum);

/** Stores a partial checksum: @p sum as it is so far, folded and not inverted. */
void checksum_store_partial(uint8_t field[2], uint64_t sum);

#endif
