/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/long_frame.h"

#include <assert.h>
#include <string.h>

#include "switch/ether.h"
#include "tests/support/random.h"

#define TCP_OFF_CHECKSUM 16u
#define UDP_OFF_CHECKSUM 6u
#define EXTENSION_HOP_BY_HOP 0u
#define EXTENSION_ROUTING 43u
#define EXTENSION_FRAGMENT 44u
#define EXTENSION_DESTINATION 60u
#define OPTION_UNKNOWN 0x1eu       /* of IPv6, experimental, to be passed over: RFC 4727, 3.3 */
#define OPTION_PADDING 1u          /* PadN: RFC 8200, 4.2 */
#define NO_OPERATION 1u            /* of IPv4 and TCP: RFC 791, 3.1; RFC 9293, 3.1 */
#define TCP_SYN 0x02u
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

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

/* Where the payload is cut, and what of it is trusted. */
static void choose_pieces(struct long_frame *frame, uint64_t *random)
{
    static const uint16_t sizes[] = { 0, 1448, 1220, 8948 };   /* 0: any */
    const uint32_t header_bytes = all_header_bytes(frame);
    uint32_t size = sizes[random_below(random, COUNT_OF(sizes))];

    if (size == 0) {
        size = 1 + random_below(random, 2000);
    }
    if (size < frame->payload_bytes / 512 + 1) {
        size = frame->payload_bytes / 512 + 1;
    }
    frame->gso_size_bytes = (uint16_t)size;
    frame->trusted_bytes = (uint16_t)(header_bytes +
                                      random_below(random, FRAME_HDR_BYTES + 1 - header_bytes));
    frame->run_bytes = random_below(random, 2) * (1 + random_below(random, 5000));
    frame->run_seed = random_below(random, 2) * random_next(random);
    if (frame->run_bytes != 0 && frame->run_bytes < frame->payload_bytes / 500 + 1) {
        frame->run_bytes = frame->payload_bytes / 500 + 1;
    }
}

void long_frame_random(struct long_frame *frame, uint64_t *random)
{
    uint32_t longest;

    do {
        *frame = (struct long_frame){
            .gso_type = (uint8_t)(FRAME_GSO_TCP4 + random_below(random, 3)),
            .tags = (uint8_t)random_below(random, 3),
            .option_words = (uint8_t)(random_below(random, 2) * random_below(random, 6)),
            .tcp_option_words = (uint8_t)random_below(random, 11),
            .option_seed = random_below(random, 4) * random_next(random),
            .tcp_flags = (uint8_t)(random_next(random) & ~(uint64_t)TCP_SYN),
            .urgent = (uint16_t)random_next(random),
            .id = (uint16_t)random_next(random),
            .id_flags = random_below(random, 2) == 0 ? 0 : 0x4000,
            .sequence = (uint32_t)random_next(random),
        };
        frame->ip_version = frame->gso_type == FRAME_GSO_TCP4 ? 4 : 6;
        if (frame->gso_type == FRAME_GSO_UDP && random_below(random, 2) == 0) {
            frame->ip_version = 4;
        }
    } while (all_header_bytes(frame) > FRAME_HDR_BYTES);
    longest = 65535 + 14 - all_header_bytes(frame);
    frame->payload_bytes = 1 + random_below(random, random_below(random, 4) == 0 ? longest : 4000);
    if (random_below(random, 8) == 0) {
        frame->sequence = -random_below(random, frame->payload_bytes);   /* it wraps within */
    }
    choose_pieces(frame, random);
}

/* An option of IPv4 or TCP: its kind, and its bytes with kind and length. */
struct option {
    uint8_t kind;
    uint8_t len_bytes;
};

/*
 * Writes options for @p left bytes: a random choice of @p list, with random bytes in them, and no
 * operation between.
 */
static void write_options(struct long_frame *frame, uint32_t left, const struct option *list,
                          uint32_t list_count)
{
    struct wire *wire = &frame->wire;
    uint64_t random = frame->option_seed;

    while (left > 0) {
        const struct option *option = &list[random == 0 ? 0 : random_below(&random, list_count)];

        if (random == 0 || option->len_bytes > left) {
            put(wire, NO_OPERATION, 1);
            left--;
            continue;
        }
        put(wire, option->kind, 1);
        put(wire, option->len_bytes, 1);
        for (uint8_t i = 2; i < option->len_bytes; i++) {
            put(wire, random_next(&random) & 0xff, 1);
        }
        left -= option->len_bytes;
    }
}

static void write_ipv4(struct long_frame *frame)
{
    /* Router alert (RFC 2113), a record of two addresses, stream identifier (RFC 791, 3.1). */
    static const struct option options[] = { { 148, 4 }, { 7, 11 }, { 136, 4 } };
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
    write_options(frame, 4u * frame->option_words, options, COUNT_OF(options));
}

/* Writes what follows the first two bytes of an extension header of @p len_bytes. */
static void write_extension_rest(struct wire *wire, uint8_t kind, uint32_t len_bytes,
                                 uint64_t *random)
{
    if (kind == EXTENSION_FRAGMENT || kind == EXTENSION_ROUTING) {
        put(wire, 0, 2);                                       /* of all (RFC 6946); at its end */
    } else {                                                   /* one option that fills it */
        put(wire, *random == 0 ? OPTION_PADDING : OPTION_UNKNOWN, 1);
        put(wire, len_bytes - 4, 1);
    }
    for (uint32_t i = 4; i < len_bytes; i++) {
        put(wire, random_next(random) & 0xff, 1);
    }
}

/* Writes extension headers of @p left units of 8 bytes, the first being a @p kind. */
static void write_extensions(struct long_frame *frame, uint32_t left, uint8_t kind)
{
    static const uint8_t kinds[] = { EXTENSION_DESTINATION, EXTENSION_ROUTING, EXTENSION_FRAGMENT };
    uint64_t random = frame->option_seed;

    while (left > 0) {
        uint32_t units = random == 0 ? left : 1 + random_below(&random, left);
        uint8_t next = protocol_of(frame);

        if (kind == EXTENSION_FRAGMENT || kind == EXTENSION_ROUTING) {
            units = 1;
        }
        left -= units;
        if (left > 0) {
            next = kinds[random_below(&random, left == 1 ? 3 : 2)];   /* a fragment's is last */
        }
        put(&frame->wire, next, 1);
        put(&frame->wire, units - 1, 1);
        write_extension_rest(&frame->wire, kind, 8 * units, &random);
        kind = next;
    }
}

static void write_ipv6(struct long_frame *frame)
{
    struct wire *wire = &frame->wire;
    const uint32_t extension_bytes = 8u * frame->option_words;
    const uint8_t extension = frame->option_seed % 2 == 0 ? EXTENSION_DESTINATION
                                                          : EXTENSION_HOP_BY_HOP;

    put(wire, ETHERTYPE_IPV6, 2);
    frame->l3_off_bytes = (uint16_t)wire->len_bytes;
    put(wire, 0x62012345, 4);
    put(wire, (extension_bytes + l4_header_bytes(frame) + frame->payload_bytes) & 0xffff, 2);
    put(wire, frame->option_words > 0 ? extension : protocol_of(frame), 1);
    put(wire, 64, 1);
    put(wire, UINT64_C(0x20010db800000000), 8);
    put(wire, 0x1, 8);
    put(wire, UINT64_C(0x20010db8ffff0000), 8);
    put(wire, UINT64_C(0xfedcba9876543210), 8);
    write_extensions(frame, frame->option_words, extension);
}

static void write_l4(struct long_frame *frame)
{
    /* MSS, window scale, SACK permitted and SACK, timestamps, MD5, fast open, MPTCP, unknown. */
    static const struct option options[] = {
        { 2, 4 }, { 3, 3 }, { 4, 2 }, { 5, 10 }, { 5, 18 }, { 8, 10 }, { 19, 18 }, { 34, 10 },
        { 30, 12 }, { 253, 7 },
    };
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
        write_options(frame, 4u * frame->tcp_option_words, options, COUNT_OF(options));
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

/* Lists what is behind the trusted bytes. */
static void list_runs(const struct long_frame *frame, struct frame_batch *batch,
                      struct frame *added)
{
    uint64_t random = frame->run_seed;

    for (uint32_t off = added->hdr_len_bytes; off < added->len_bytes; added->seg_count++) {
        const uint32_t left_bytes = added->len_bytes - off;
        uint32_t len_bytes = frame->run_bytes;

        assert(batch->run_count < FRAME_RUNS);
        if (random != 0) {
            len_bytes = 1 + random_below(&random, 2 * frame->run_bytes - 1);
        }
        if (frame->run_bytes == 0 || len_bytes > left_bytes ||
            batch->run_count == FRAME_RUNS - 1) {
            len_bytes = left_bytes;
        }
        batch->run[batch->run_count++] = (struct frame_run){ .data = &frame->wire.data[off],
                                                             .len_bytes = len_bytes };
        off += len_bytes;
    }
}

struct frame *long_frame_add(const struct long_frame *frame, struct frame_batch *batch)
{
    struct frame *added = &batch->frame[batch->count];

    assert(batch->count < FRAME_BURST);
    *added = (struct frame){
        .hdr = batch->hdr[batch->count],
        .len_bytes = frame->wire.len_bytes,
        .hdr_len_bytes = (uint16_t)(frame->trusted_bytes < frame->wire.len_bytes
                                    ? frame->trusted_bytes : frame->wire.len_bytes),
        .seg_first = batch->run_count,
        .port_in = batch->port_in,
        .gso_type = frame->gso_type,
        .gso_size_bytes = frame->gso_size_bytes,
        .csum_state = FRAME_CSUM_PARTIAL,
        .csum_start_bytes = frame->l4_off_bytes,
        .csum_offset_bytes = frame->gso_type == FRAME_GSO_UDP ? UDP_OFF_CHECKSUM
                                                              : TCP_OFF_CHECKSUM,
        .l3_off_bytes = frame->l3_off_bytes,
        .l4_off_bytes = frame->l4_off_bytes,
    };
    memcpy(added->hdr, frame->wire.data, added->hdr_len_bytes);
    list_runs(frame, batch, added);
    batch->count++;
    batch->offload_count++;
    return added;
}
