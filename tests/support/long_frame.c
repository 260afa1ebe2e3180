/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/long_frame.h"

#include <assert.h>
#include <string.h>

#include "switch/ether.h"
#include "tests/support/random.h"

#define TCP_OFF_CHECKSUM 16u
#define UDP_OFF_CHECKSUM 6u
#define EXTENSION_DESTINATION 60u

static void put(struct wire *wire, uint64_t value, unsigned bytes)
{
    assert(wire->len_bytes + bytes <= sizeof(wire->data));
    while (bytes-- > 0) {
        wire->data[wire->len_bytes++] = (uint8_t)(value >> (8 * bytes));
    }
}

static uint8_t protocol_of(const struct long_frame *frame)
{
    return frame->gso_type == FRAME_GSO_UDP ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
}

static uint32_t l4_header_bytes(const struct long_frame *frame)
{
    return frame->gso_type == FRAME_GSO_UDP ? 8 : 20 + 4u * frame->tcp_option_words;
}

static uint32_t all_header_bytes(const struct long_frame *frame)
{
    const uint32_t ip_bytes = frame->ip_version == 4 ? 20 + 4u * frame->option_words
                                                     : 40 + 8u * frame->option_words;

    return 14 + 4u * frame->tags + ip_bytes + l4_header_bytes(frame);
}

void long_frame_random(struct long_frame *frame, uint64_t *random)
{
    static const uint16_t sizes[] = { 0, 1448, 1220, 8948 };   /* 0: any */
    uint32_t longest;
    uint32_t size;

    do {
        *frame = (struct long_frame){
            .gso_type = (uint8_t)(FRAME_GSO_TCP4 + random_below(random, 3)),
            .tags = (uint8_t)random_below(random, 3),
            .option_words = (uint8_t)(random_below(random, 2) * random_below(random, 6)),
            .tcp_option_words = (uint8_t)random_below(random, 11),
            .tcp_flags = (uint8_t)random_next(random),
            .urgent = (uint16_t)random_next(random),
            .id = (uint16_t)random_next(random),
            .id_flags = random_below(random, 2) == 0 ? 0 : 0x4000,
            .sequence = (uint32_t)random_next(random),
            .run_bytes = random_below(random, 2) * (1 + random_below(random, 5000)),
        };
        frame->ip_version = frame->gso_type == FRAME_GSO_TCP4 ? 4 : 6;
        if (frame->gso_type == FRAME_GSO_UDP && random_below(random, 2) == 0) {
            frame->ip_version = 4;
        }
    } while (all_header_bytes(frame) > FRAME_HDR_BYTES);
    longest = 65535 + 14 - all_header_bytes(frame);
    frame->payload_bytes = 1 + random_below(random, random_below(random, 4) == 0 ? longest : 4000);
    size = sizes[random_below(random, 4)];
    if (size == 0) {
        size = 1 + random_below(random, 2000);
    }
    if (size < frame->payload_bytes / 512 + 1) {
        size = frame->payload_bytes / 512 + 1;
    }
    frame->gso_size_bytes = (uint16_t)size;
    frame->trusted_bytes = (uint16_t)(all_header_bytes(frame) +
                                      random_below(random, FRAME_HDR_BYTES + 1 -
                                                           all_header_bytes(frame)));
    if (frame->run_bytes != 0 && frame->run_bytes < frame->payload_bytes / 1000 + 1) {
        frame->run_bytes = frame->payload_bytes / 1000 + 1;
    }
}

static void write_ipv4(struct long_frame *frame)
{
    struct wire *wire = &frame->wire;
    const uint32_t words = 5u + frame->option_words;

    put(wire, ETHERTYPE_IPV4, 2);
    frame->l3_off_bytes = (uint16_t)wire->len_bytes;
    put(wire, 0x4000 | words << 8 | 0x02, 2);                 /* ECN: ECT(0) */
    put(wire, (words * 4 + l4_header_bytes(frame) + frame->payload_bytes) & 0xffff, 2);
    put(wire, frame->id, 2);
    put(wire, frame->id_flags, 2);
    put(wire, 64, 1);
    put(wire, protocol_of(frame), 1);
    put(wire, frame->id % 2 == 0 ? 0 : 0xbeef, 2);             /* what a sender left */
    put(wire, 0xc0000201, 4);
    put(wire, 0xc6336402, 4);
    for (uint32_t i = 0; i < frame->option_words; i++) {
        put(wire, 0x01010101, 4);                              /* RFC 791, 3.1: no operation */
    }
}

static void write_ipv6(struct long_frame *frame)
{
    struct wire *wire = &frame->wire;
    const uint32_t extension_bytes = 8u * frame->option_words;

    put(wire, ETHERTYPE_IPV6, 2);
    frame->l3_off_bytes = (uint16_t)wire->len_bytes;
    put(wire, 0x62012345, 4);
    put(wire, (extension_bytes + l4_header_bytes(frame) + frame->payload_bytes) & 0xffff, 2);
    put(wire, frame->option_words > 0 ? EXTENSION_DESTINATION : protocol_of(frame), 1);
    put(wire, 64, 1);
    put(wire, UINT64_C(0x20010db800000000), 8);
    put(wire, 0x1, 8);
    put(wire, UINT64_C(0x20010db8ffff0000), 8);
    put(wire, UINT64_C(0xfedcba9876543210), 8);
    if (frame->option_words > 0) {                             /* one header, padded by PadN */
        put(wire, protocol_of(frame), 1);
        put(wire, frame->option_words - 1u, 1);
        put(wire, 1, 1);
        put(wire, extension_bytes - 4, 1);
        while (wire->len_bytes < frame->l3_off_bytes + 40 + extension_bytes) {
            put(wire, 0, 1);
        }
    }
}

static void write_l4(struct long_frame *frame)
{
    struct wire *wire = &frame->wire;

    frame->l4_off_bytes = (uint16_t)wire->len_bytes;
    put(wire, 40000, 2);
    put(wire, 5201, 2);
    if (frame->gso_type == FRAME_GSO_UDP) {
        put(wire, (8 + frame->payload_bytes) & 0xffff, 2);
        put(wire, 0xbeef, 2);
    } else {
        put(wire, frame->sequence, 4);
        put(wire, 0x01020304, 4);
        put(wire, (5u + frame->tcp_option_words) << 4, 1);
        put(wire, frame->tcp_flags, 1);
        put(wire, 0x7fff, 2);
        put(wire, 0xbeef, 2);                                  /* what a sender left */
        put(wire, frame->urgent, 2);
        for (uint32_t i = 0; i < frame->tcp_option_words; i++) {
            put(wire, 0x01010101, 4);                          /* RFC 9293, 3.1: no operation */
        }
    }
    frame->header_bytes = (uint16_t)wire->len_bytes;
}

void long_frame_write(struct long_frame *frame)
{
    uint64_t payload = UINT64_C(0x9e3779b97f4a7c15) ^ frame->payload_bytes;

    wire_start(&frame->wire, UINT64_C(0x0200000000b0), UINT64_C(0x0200000000a0));
    for (uint8_t i = 0; i < frame->tags; i++) {
        wire_tag(&frame->wire, i + 1 < frame->tags ? ETHERTYPE_STAG : ETHERTYPE_CTAG,
                 (uint16_t)(100 + i));
    }
    if (frame->ip_version == 4) {
        write_ipv4(frame);
    } else {
        write_ipv6(frame);
    }
    write_l4(frame);
    for (uint32_t i = 0; i < frame->payload_bytes; i++) {
        put(&frame->wire, random_next(&payload) >> 56, 1);
    }
}

struct frame *long_frame_add(const struct long_frame *frame, struct frame_batch *batch)
{
    struct frame *added = batch_add_wire(batch, &frame->wire, frame->run_bytes);
    const uint16_t field = frame->gso_type == FRAME_GSO_UDP ? UDP_OFF_CHECKSUM : TCP_OFF_CHECKSUM;
    const uint16_t trusted_bytes = frame->trusted_bytes < added->hdr_len_bytes
                                   ? frame->trusted_bytes : added->hdr_len_bytes;

    /* What is not trusted of the copied bytes is a run in front of the others. */
    if (trusted_bytes < added->hdr_len_bytes) {
        memmove(&batch->run[added->seg_first + 1], &batch->run[added->seg_first],
                added->seg_count * sizeof(batch->run[0]));
        batch->run[added->seg_first] = (struct frame_run){
            .data = &frame->wire.data[trusted_bytes],
            .len_bytes = (uint32_t)added->hdr_len_bytes - trusted_bytes,
        };
        added->hdr_len_bytes = trusted_bytes;
        added->seg_count++;
        batch->run_count++;
    }
    added->gso_type = frame->gso_type;
    added->gso_size_bytes = frame->gso_size_bytes;
    added->csum_state = FRAME_CSUM_PARTIAL;
    added->csum_start_bytes = frame->l4_off_bytes;
    added->csum_offset_bytes = field;
    added->l3_off_bytes = frame->l3_off_bytes;
    added->l4_off_bytes = frame->l4_off_bytes;
    return added;
}
