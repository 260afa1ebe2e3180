/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sum.  Swapping the bytes of every word swaps those of the folded sum (RFC 1071, 2 (B)), so
 * the bytes are added as the machine reads them and swapped once, and two words that are added as
 * one of 32 bits give the same after folding (2 (C)).
 */
#include "switch/checksum.h"

#include <string.h>

#include "switch/bytes.h"

#define IPV4_ADDRESSES_OFF   12u   /* RFC 791, 3.1 */
#define IPV4_ADDRESSES_BYTES 8u
#define IPV6_ADDRESSES_OFF   8u    /* RFC 8200, 3 */
#define IPV6_ADDRESSES_BYTES 32u
#define TCP_CHECKSUM_OFF     16u   /* RFC 9293, 3.1 */

typedef uint64_t lanes __attribute__((vector_size(16)));

static uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

/*
 * The three below are each one body for two functions: @p to is NULL as a constant where nothing is
 * copied.  What is stored is the word that was loaded for the sum, so that both are of one reading.
 */

/* Adds whole vectors, 32 bits at a time into lanes of 64. */
static inline __attribute__((always_inline))
uint64_t add_vectors(uint8_t *to, const uint8_t *bytes, size_t len_bytes)
{
    lanes even = { 0 };
    lanes odd = { 0 };

#pragma GCC unroll 4
    for (size_t at = 0; at < len_bytes; at += sizeof(lanes)) {
        lanes word;

        memcpy(&word, bytes + at, sizeof(word));
        if (to != NULL) {
            memcpy(to + at, &word, sizeof(word));
        }
        even += word & 0xffffffff;
        odd += word >> 32;
    }
    even += odd;
    return even[0] + even[1];
}

/* Adds fewer bytes than a vector. */
static inline __attribute__((always_inline))
uint64_t add_rest(uint8_t *to, const uint8_t *bytes, size_t len_bytes)
{
    uint64_t sum = 0;
    uint32_t word;
    uint16_t half = 0;
    size_t at;

    for (at = 0; at + sizeof(word) <= len_bytes; at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        if (to != NULL) {
            memcpy(to + at, &word, sizeof(word));
        }
        sum += word;
    }
    if (at + sizeof(half) <= len_bytes) {
        memcpy(&half, bytes + at, sizeof(half));
        if (to != NULL) {
            memcpy(to + at, &half, sizeof(half));
        }
        sum += half;
        at += sizeof(half);
    }
    if (at < len_bytes) {                          /* the word's second byte is 0: RFC 1071, 4.1 */
        half = 0;
        memcpy(&half, bytes + at, 1);
        if (to != NULL) {
            memcpy(to + at, &half, 1);
        }
        sum += half;
    }
    return sum;
}

static inline __attribute__((always_inline))
uint64_t add(uint64_t sum, uint8_t *to, const uint8_t *bytes, size_t len_bytes, bool odd)
{
    const size_t done_bytes = len_bytes / sizeof(lanes) * sizeof(lanes);
    const uint64_t own = add_vectors(to, bytes, done_bytes) +
                         add_rest(to == NULL ? NULL : to + done_bytes, bytes + done_bytes,
                                  len_bytes - done_bytes);
    const uint16_t folded = fold(own);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    odd = !odd;
#endif
    return sum + (odd ? __builtin_bswap16(folded) : folded);
}

uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len_bytes, bool odd)
{
    return add(sum, NULL, bytes, len_bytes, odd);
}

uint64_t checksum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len_bytes, bool odd)
{
    return add(sum, to, from, len_bytes, odd);
}

uint64_t checksum_add_frame(uint64_t sum, const struct frame_batch *batch,
                            const struct frame *frame, uint16_t start_bytes)
{
    const struct frame_run *run = &batch->run[frame->seg_first];
    uint32_t done_bytes = (uint32_t)frame->hdr_len_bytes - start_bytes;

    sum = checksum_add(sum, frame->hdr + start_bytes, done_bytes, false);
    for (uint16_t i = 0; i < frame->seg_count; i++) {
        sum = checksum_add(sum, run[i].data, run[i].len_bytes, (done_bytes & 1) != 0);
        done_bytes += run[i].len_bytes;
    }
    return sum;
}

uint16_t checksum_finish(uint64_t sum)
{
    return (uint16_t)~fold(sum);
}

uint64_t checksum_pseudo(const uint8_t *ip, uint8_t protocol, uint32_t len_bytes)
{
    const uint64_t sum = (uint64_t)protocol + len_bytes;

    return ip[0] >> 4 == 4
           ? checksum_add(sum, ip + IPV4_ADDRESSES_OFF, IPV4_ADDRESSES_BYTES, false)
           : checksum_add(sum, ip + IPV6_ADDRESSES_OFF, IPV6_ADDRESSES_BYTES, false);
}

void checksum_store(uint8_t field[2], const struct frame *frame, uint64_t sum)
{
    const uint16_t result = checksum_finish(sum);
    const bool as_ones = result == 0 && frame->csum_offset_bytes != TCP_CHECKSUM_OFF;

    bytes_put_2(field, as_ones ? 0xffff : result);
}

void checksum_store_partial(uint8_t field[2], uint64_t sum)
{
    bytes_put_2(field, fold(sum));
}
