/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/partial_frame.h"

#include <string.h>

#include "switch/bytes.h"
#include "switch/ether.h"
#include "tests/support/checksum_naive.h"

#define IPV4_FIELD 10u             /* of checksums: RFC 791, 3.1; RFC 9293, 3.1; RFC 768 */
#define TCP_FIELD  16u
#define UDP_FIELD  6u

uint32_t partial_frame_field(const struct long_frame *frame)
{
    return frame->l4_off_bytes + (frame->gso_type == FRAME_GSO_UDP ? UDP_FIELD : TCP_FIELD);
}

uint16_t partial_frame_pseudo(const struct long_frame *frame, uint32_t l4_bytes)
{
    const uint8_t *ip = &frame->wire.data[frame->l3_off_bytes];
    const bool ipv4 = frame->ip_version == 4;
    const uint8_t rest[4] = {
        0, frame->gso_type == FRAME_GSO_UDP ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP,
        (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes
    };

    return checksum_naive(checksum_naive(0, rest, sizeof(rest)), ip + (ipv4 ? 12 : 8),
                          ipv4 ? 8 : 32);
}

void partial_frame_write(struct long_frame *frame)
{
    uint8_t *ip = frame->wire.data;

    long_frame_write(frame);
    ip += frame->l3_off_bytes;
    if (frame->ip_version == 4) {
        bytes_put_2(ip + IPV4_FIELD, 0);
        bytes_put_2(ip + IPV4_FIELD,
                    (uint16_t)~checksum_naive(0, ip, (ip[0] & 0x0f) * 4u));
    }
    bytes_put_2(&frame->wire.data[partial_frame_field(frame)],
                partial_frame_pseudo(frame, frame->wire.len_bytes - frame->l4_off_bytes));
}

void partial_frame_write_complete(struct long_frame *frame, bool right)
{
    uint16_t sum;

    partial_frame_write(frame);
    sum = checksum_naive(0, &frame->wire.data[frame->l4_off_bytes],
                         frame->wire.len_bytes - frame->l4_off_bytes);
    sum = checksum_naive_stored(sum, partial_frame_field(frame) - frame->l4_off_bytes);
    bytes_put_2(&frame->wire.data[partial_frame_field(frame)], sum ^ (right ? 0 : 0x0100u));
}

struct frame *partial_frame_add_long(struct long_frame *frame, struct frame_batch *batch)
{
    partial_frame_write(frame);
    batch->offload_count++;
    return long_frame_add(frame, batch);
}

struct frame *partial_frame_add(struct long_frame *frame, struct frame_batch *batch)
{
    struct frame *added = partial_frame_add_long(frame, batch);

    added->gso_type = FRAME_GSO_NONE;
    added->gso_size_bytes = 0;
    return added;
}

bool partial_frame_complete(const struct long_frame *frame, const uint8_t *bytes)
{
    const uint32_t l4_bytes = frame->wire.len_bytes - frame->l4_off_bytes;
    const uint32_t field = partial_frame_field(frame);

    return memcmp(bytes, frame->wire.data, field) == 0 &&
           memcmp(bytes + field + 2, &frame->wire.data[field + 2],
                  frame->wire.len_bytes - field - 2) == 0 &&
           (frame->gso_type != FRAME_GSO_UDP || bytes[field] != 0 || bytes[field + 1] != 0) &&
           checksum_naive(partial_frame_pseudo(frame, l4_bytes), bytes + frame->l4_off_bytes,
                          l4_bytes) == 0xffff;
}
