/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation, fed any header bytes with any facts: the payload lies in
 * allocations of just its size, the trusted header in the batch's slot with other slots' bytes
 * around it, so that what is read or written outside is seen.  What is not refused must come out
 * whole: every byte of payload once, in order, in segments that are no longer than asked for, each
 * with a partial checksum that comes to the same summed in place or within a copy.
 *
 * The first bytes of an input are the facts, and what is left the trusted header.
 *
 * fuzz-sources: switch/segment.c switch/checksum.c switch/ether.c switch/mac.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/bytes.h"
#include "switch/checksum.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "switch/segment.h"

#define FACTS_BYTES   16u
#define RUNS          5u
#define FILL          0xa5
#define SLOT          3u           /* of the long frame in its batch */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frame_batch from;
static struct frame_batch into;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/* Makes the long frame of an input; its runs are to be freed. */
static struct frame *make_frame(const uint8_t *facts, const uint8_t *hdr, uint32_t hdr_len_bytes)
{
    struct frame *frame = &from.frame[SLOT];
    uint32_t payload = 0;

    memset(&from, FILL, sizeof(from));
    *frame = (struct frame){
        .hdr = from.hdr[SLOT],
        .len_bytes = hdr_len_bytes,
        .hdr_len_bytes = (uint16_t)hdr_len_bytes,
        .seg_count = facts[0] % (RUNS + 1),
        .gso_type = facts[1] % 5,
        .gso_size_bytes = bytes_get_2(&facts[2]),
        .csum_state = facts[4] % 3,
        .csum_start_bytes = bytes_get_2(&facts[5]),
        .csum_offset_bytes = bytes_get_2(&facts[7]),
        .l3_off_bytes = bytes_get_2(&facts[9]),
        .l4_off_bytes = bytes_get_2(&facts[9]),
        .port_out = facts[11] & 1 ? PORT_FLOOD : 1,
    };
    memcpy(frame->hdr, hdr, hdr_len_bytes);
    for (uint16_t i = 0; i < frame->seg_count; i++) {
        const uint32_t len_bytes = facts[11 + i] * (i == 0 ? 200u : 3u);
        uint8_t *bytes = malloc(len_bytes > 0 ? len_bytes : 1);

        check(bytes != NULL);
        for (uint32_t at = 0; at < len_bytes; at++) {
            bytes[at] = (uint8_t)(payload++ * 31 >> 3);
        }
        from.run[i] = (struct frame_run){ .data = bytes, .len_bytes = len_bytes };
        frame->len_bytes += len_bytes;
    }
    from.run_count = frame->seg_count;
    if ((facts[11] & 2) != 0 && hdr_len_bytes >= FRAME_MIN_BYTES) {
        frame_tag_push(frame, 0x2064);
    }
    return frame;
}

static void free_runs(void)
{
    for (uint16_t i = 0; i < from.run_count; i++) {
        free((void *)(uintptr_t)from.run[i].data);
    }
}

/* Reads the payload of @p segment and of the long frame side by side. */
static void check_payload(const struct frame *segment, struct gather *whole, uint32_t header_bytes)
{
    struct gather piece = gather_start(&into, segment);
    uint8_t got[512];
    uint8_t wanted[512];

    gather_copy(&piece, got, header_bytes);
    for (uint32_t left = segment->len_bytes - header_bytes; left > 0;) {
        const uint32_t part_bytes = left < sizeof(got) ? left : sizeof(got);

        gather_copy(&piece, got, part_bytes);
        gather_copy(whole, wanted, part_bytes);
        check(memcmp(got, wanted, part_bytes) == 0);
        left -= part_bytes;
    }
    check(piece.left_bytes == 0);
}

/* Sums @p segment as it lies, and within a copy. */
static void check_checksum(const struct frame *segment)
{
    static uint8_t copy[FRAME_MAX_BYTES];
    const uint32_t field = (uint32_t)segment->csum_start_bytes + segment->csum_offset_bytes;
    struct gather bytes = gather_start(&into, segment);
    struct gather_sum sum = { 0 };

    check(segment->csum_state == FRAME_CSUM_PARTIAL && segment->gso_type == FRAME_GSO_NONE);
    check(segment->csum_start_bytes == segment->l4_off_bytes);
    check(field + 2 <= segment->hdr_len_bytes && segment->len_bytes <= sizeof(copy));
    gather_copy(&bytes, copy, segment->csum_start_bytes);
    gather_copy_sum(&bytes, copy + segment->csum_start_bytes,
                    segment->len_bytes - segment->csum_start_bytes, &sum);
    check(checksum_finish(sum.sum) ==
          checksum_finish(checksum_add_frame(0, &into, segment, segment->csum_start_bytes)));
}

static void check_segments(struct segmenter *segmenter, const struct frame *frame)
{
    const uint32_t header_bytes = segmenter->header_bytes;
    struct gather whole = gather_start(&from, frame);
    uint32_t done_bytes = 0;
    uint32_t segments = 0;
    uint8_t skipped[FRAME_HDR_SLOT_BYTES];
    uint16_t count;

    check(header_bytes <= frame->hdr_len_bytes);
    gather_copy(&whole, skipped, header_bytes);
    while ((count = segment_next(segmenter, &into)) > 0) {
        check(count <= FRAME_BURST && count == into.count && count == into.offload_count);
        check(into.run_count <= FRAME_RUNS);
        for (uint16_t i = 0; i < count; i++) {
            const struct frame *segment = &into.frame[i];

            check(segment->hdr_len_bytes <= segment->len_bytes);
            check(segment->len_bytes - header_bytes <= frame->gso_size_bytes);
            check_payload(segment, &whole, header_bytes);
            check_checksum(segment);
            done_bytes += segment->len_bytes - header_bytes;
        }
        segments += count;
    }
    check(done_bytes == frame->len_bytes - header_bytes);
    check(segments <= SEGMENT_MAX_FRAMES);
}

/* Slots of other frames are as they were. */
static void check_neighbours(void)
{
    for (uint32_t i = 0; i < FRAME_HDR_SLOT_BYTES - 4; i++) {
        check(from.hdr[SLOT - 1][i] == FILL && from.hdr[SLOT + 1][i] == FILL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segmenter segmenter;
    struct frame *frame;
    uint32_t hdr_len_bytes;

    if (size < FACTS_BYTES) {
        return 0;
    }
    hdr_len_bytes = (uint32_t)(size - FACTS_BYTES);
    if (hdr_len_bytes > FRAME_HDR_BYTES) {
        hdr_len_bytes = FRAME_HDR_BYTES;
    }
    frame = make_frame(data, data + FACTS_BYTES, hdr_len_bytes);
    memset(&into, FILL, sizeof(into));
    if (segment_start(&segmenter, &from, frame)) {
        check_segments(&segmenter, frame);
    }
    check_neighbours();
    free_runs();
    return 0;
}
