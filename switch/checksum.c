/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sum.  Swapping the bytes of every word swaps those of the folded sum (RFC 1071, 2 (B)), so
 * the bytes are added as the machine reads them and swapped once, and two words that are added as
 * one of 32 bits give the same after folding (2 (C)).
 */
#include "switch/checksum.h"

#include <string.h>

#define BLOCK_LANES 4u             /* vectors a turn of the loop takes: enough to keep it busy */

typedef uint64_t lanes __attribute__((vector_size(16)));

static uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

/* Adds @p count blocks of BLOCK_LANES vectors, 32 bits at a time into lanes of 64. */
static uint64_t add_blocks(const uint8_t *bytes, size_t count)
{
    lanes even = { 0 };
    lanes odd = { 0 };

    for (; count > 0; count--) {
        for (unsigned i = 0; i < BLOCK_LANES; i++, bytes += sizeof(lanes)) {
            lanes word;

            memcpy(&word, bytes, sizeof(word));
            even += word & 0xffffffff;
            odd += word >> 32;
        }
    }
    even += odd;
    return even[0] + even[1];
}

/* Adds fewer bytes than a block. */
static uint64_t add_rest(const uint8_t *bytes, size_t len_bytes)
{
    uint64_t sum = 0;
    uint32_t word;
    uint16_t half = 0;

    for (; len_bytes >= sizeof(word); len_bytes -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum += word;
    }
    if (len_bytes >= sizeof(half)) {
        memcpy(&half, bytes, sizeof(half));
        sum += half;
        len_bytes -= sizeof(half);
        bytes += sizeof(half);
    }
    if (len_bytes > 0) {                           /* the word's second byte is 0: RFC 1071, 4.1 */
        half = 0;
        memcpy(&half, bytes, 1);
        sum += half;
    }
    return sum;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len_bytes, bool odd)
{
    const size_t blocks = len_bytes / (BLOCK_LANES * sizeof(lanes));
    const size_t done_bytes = blocks * BLOCK_LANES * sizeof(lanes);
    uint64_t own = add_rest(bytes + done_bytes, len_bytes - done_bytes);
    uint16_t folded;

    if (blocks > 0) {
        own += add_blocks(bytes, blocks);
    }
    folded = fold(own);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    odd = !odd;
#endif
    return sum + (odd ? __builtin_bswap16(folded) : folded);
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

void checksum_complete(const struct frame_batch *batch, struct frame *frame)
{
    const uint32_t field = (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;
    uint16_t result;

    if (frame->csum_state != FRAME_CSUM_PARTIAL || field + sizeof(result) > frame->hdr_len_bytes) {
        return;
    }
    result = checksum_finish(checksum_add_frame(0, batch, frame, frame->csum_start_bytes));
    if (result == 0) {
        result = 0xffff;
    }
    frame->hdr[field] = (uint8_t)(result >> 8);
    frame->hdr[field + 1] = (uint8_t)result;
    frame->csum_state = FRAME_CSUM_CHECKED;
}
