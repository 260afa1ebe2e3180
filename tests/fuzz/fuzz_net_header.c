/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header, fed anything about any frame: 10 bytes of it, 2 that say how much longer
 * the frame is than its trusted bytes, then those.  They are handed over in an allocation of just
 * their size, so that a read past them is seen.  What is believed must be safe to act on; a header
 * that is written to say it must be believed as well.
 *
 * fuzz-sources: vnic/net_header.c switch/checksum.c switch/ether.c switch/mac.c
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/offload.h"
#include "vnic/net_header.h"

#define PREFIX_BYTES (NET_HEADER_BASE_BYTES + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void check_facts(const uint8_t *header, const struct frame *frame)
{
    const uint32_t field = (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;

    if (frame->csum_state == FRAME_CSUM_AS_IT_IS) {
        check((header[0] & 1) == 0 && frame->gso_type == FRAME_GSO_NONE);
        return;
    }
    check(frame->csum_state == FRAME_CSUM_PARTIAL && (header[0] & 1) != 0);
    check(field + 2 <= frame->hdr_len_bytes);
    check(field >= 34);                    /* neither the addresses nor an IPv4 header's fields */
    check(frame->l3_off_bytes >= 14 && frame->csum_start_bytes >= frame->l3_off_bytes + 20u);
    check(frame->l4_off_bytes == 0 || field >= frame->l4_off_bytes + 6u);
    if (frame->gso_type == FRAME_GSO_NONE) {
        check(frame->gso_size_bytes == 0);
        return;
    }
    check(frame->gso_type <= FRAME_GSO_UDP && frame->gso_size_bytes > 0);
    check(frame->csum_start_bytes == frame->l4_off_bytes);
    check(frame->len_bytes > frame->l4_off_bytes + 8u + frame->gso_size_bytes);
}

/* What the guest had to negotiate, and what a receiver is told. */
static void check_passing_on(const uint8_t *header, const struct frame *before,
                             const struct frame *frame)
{
    const uint64_t features = net_header_features(header);
    uint8_t written[NET_HEADER_BASE_BYTES];
    struct frame again = *before;

    check(((features & OFFLOAD_CSUM) != 0) == (frame->csum_state == FRAME_CSUM_PARTIAL));
    check(frame->gso_type != FRAME_GSO_TCP4 || (features & OFFLOAD_HOST_TSO4) != 0);
    check(frame->gso_type != FRAME_GSO_TCP6 || (features & OFFLOAD_HOST_TSO6) != 0);
    check(frame->gso_type != FRAME_GSO_UDP || (features & OFFLOAD_HOST_USO) != 0);
    net_header_write(written, frame, OFFLOAD_TAKES_ALL);
    check(net_header_read(written, &again) && memcmp(&again, frame, sizeof(again)) == 0);
    again = *before;
    check(net_header_read_trusted(header, &again));
    check(again.csum_state == frame->csum_state ||
          (again.csum_state == FRAME_CSUM_CHECKED && (header[0] & 2) != 0));
}

/* A trusted sender's segments, whose checksums it found right, and nothing else. */
static void check_merged(const uint8_t *header, const struct frame *before)
{
    uint8_t asks[NET_HEADER_BASE_BYTES];
    struct frame frame = *before;

    if (net_header_read_trusted(header, &frame)) {
        check((header[0] & 3) == 2 && frame.csum_state == FRAME_CSUM_PARTIAL);
        memcpy(asks, header, sizeof(asks));
        asks[0] = 1;
        check_facts(asks, &frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame = { 0 };
    struct frame before;
    uint8_t *bytes;

    if (size < PREFIX_BYTES) {
        return 0;
    }
    size -= PREFIX_BYTES;
    frame.hdr_len_bytes = (uint16_t)(size < FRAME_HDR_BYTES ? size : FRAME_HDR_BYTES);
    frame.len_bytes = frame.hdr_len_bytes;
    if (frame.hdr_len_bytes == FRAME_HDR_BYTES) {
        frame.len_bytes += (uint32_t)(data[10] | data[11] << 8);
    }
    bytes = malloc(frame.hdr_len_bytes + 1u);
    if (bytes == NULL) {
        return 0;
    }
    frame.hdr = bytes + 1;                 /* at its end, and not aligned */
    memcpy(frame.hdr, data + PREFIX_BYTES, frame.hdr_len_bytes);
    before = frame;
    if (net_header_read(data, &frame)) {
        check_facts(data, &frame);
        check_passing_on(data, &before, &frame);
    } else {
        check(memcmp(&frame, &before, offsetof(struct frame, gso_size_bytes)) == 0);
        check(frame.csum_state == FRAME_CSUM_AS_IT_IS);
        check_merged(data, &before);
    }
    free(bytes);
    return 0;
}
