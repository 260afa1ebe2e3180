/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/coalesce_lab.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/bytes.h"
#include "switch/checksum.h"
#include "switch/coalesce.h"
#include "switch/ether.h"
#include "switch/gather.h"
#include "switch/offload.h"
#include "switch/vlan.h"
#include "tests/support/checksum_naive.h"

#define IP_OFF            14u
#define EXTENSION         60u      /* destination options: RFC 8200, 4.6 */
#define TCP_CHECKSUM_OFF  16u

static void put(struct wire *wire, uint64_t value, unsigned bytes)
{
    assert(wire->len_bytes + bytes <= sizeof(wire->data));
    while (bytes-- > 0) {
        wire->data[wire->len_bytes++] = (uint8_t)(value >> (8 * bytes));
    }
}

/* ---- the lab --------------------------------------------------------------------------------- */

struct coalesce_lab *coalesce_lab_create(void)
{
    struct coalesce_lab *lab = aligned_alloc(64, (sizeof(*lab) + 63) / 64 * 64);

    assert(lab != NULL);
    lab->memories = 0;
    lab->originals = 0;
    coalesce_lab_start(lab);
    return lab;
}

static void forget(struct coalesce_lab *lab)
{
    while (lab->originals > 0) {
        free(lab->original[--lab->originals].bytes);
    }
}

void coalesce_lab_start(struct coalesce_lab *lab)
{
    batch_start(&lab->batch, 7);
    lab->batch.offload_count = 0;
    memset(lab->takes, OFFLOAD_TAKES_ALL, sizeof(lab->takes));
    forget(lab);
    while (lab->memories > 0) {
        free(lab->memory[--lab->memories]);
    }
}

void coalesce_lab_destroy(struct coalesce_lab *lab)
{
    coalesce_lab_start(lab);
    free(lab);
}

/* ---- a segment ------------------------------------------------------------------------------- */

static uint32_t l4_off(const struct lab_segment *wanted)
{
    return IP_OFF + (wanted->ip_version == 4 ? 20 + 4u * wanted->ip_option_words
                                             : 40 + 8u * wanted->ip_option_words);
}

static void write_ip(struct wire *wire, const struct lab_segment *wanted)
{
    const uint32_t tcp_bytes = 20 + 4u * wanted->tcp_option_words + wanted->payload_bytes;
    const uint32_t options = wanted->ip_option_words;

    if (wanted->ip_version == 4) {
        put(wire, ETHERTYPE_IPV4, 2);
        put(wire, 0x4500 + (options << 8), 2);
        put(wire, 20 + 4 * options + tcp_bytes, 2);
        put(wire, wanted->id, 2);
        put(wire, wanted->may_fragment ? 0 : 0x4000, 2);
        put(wire, 64 << 8 | IP_PROTOCOL_TCP, 2);
        put(wire, 0, 2);
        put(wire, 0xc0000200u + (wanted->flow & 1), 4);
        put(wire, 0xc6336400, 4);
        for (uint32_t i = 0; i < options; i++) {
            put(wire, 0x01010101, 4);                          /* no operation */
        }
        return;
    }
    put(wire, ETHERTYPE_IPV6, 2);
    put(wire, 0x60012345, 4);
    put(wire, 8 * options + tcp_bytes, 2);
    put(wire, options > 0 ? EXTENSION : IP_PROTOCOL_TCP, 1);
    put(wire, 64, 1);
    put(wire, UINT64_C(0x20010db800000000) + (wanted->flow & 1), 8);
    put(wire, 1, 8);
    put(wire, UINT64_C(0x20010db800000000), 8);
    put(wire, 2, 8);
    for (uint32_t i = options; i > 0; i--) {
        put(wire, i > 1 ? EXTENSION : IP_PROTOCOL_TCP, 1);
        put(wire, UINT64_C(0x00010400000000), 7);              /* PadN of 6 bytes */
    }
}

static void write_tcp(struct wire *wire, const struct lab_segment *wanted)
{
    put(wire, 5000, 2);
    put(wire, 40000u + wanted->flow / 2, 2);
    put(wire, wanted->sequence, 4);
    put(wire, 0x01020304, 4);
    put(wire, (5u + wanted->tcp_option_words) << 12 | wanted->tcp_flags, 2);
    put(wire, 0x7fff, 2);
    put(wire, 0, 4);
    for (uint32_t i = 0; i < wanted->tcp_option_words; i++) {
        put(wire, 0x01010100 + i, 4);
    }
    for (uint32_t i = 0; i < wanted->payload_bytes + wanted->trailer_bytes; i++) {
        put(wire, (wanted->sequence + i) * 31 >> 3, 1);
    }
}

static void apply(struct wire *wire, const struct lab_segment *wanted, bool late)
{
    const uint32_t at[] = { [LAB_ETHER] = 0, [LAB_IP] = IP_OFF, [LAB_TCP] = l4_off(wanted) };

    for (unsigned i = 0; i < LAB_PATCHES; i++) {
        const struct lab_patch *patch = &wanted->patch[i];

        if (patch->layer != LAB_NOTHING && patch->late == late) {
            assert(at[patch->layer] + patch->off < wire->len_bytes);
            wire->data[at[patch->layer] + patch->off] ^= patch->bits;
        }
    }
}

/* The sum of what is before the TCP header and still part of its checksum. */
static uint16_t pseudo_sum(const struct wire *wire, const struct lab_segment *wanted)
{
    const uint32_t tcp_bytes = wire->len_bytes - wanted->trailer_bytes - l4_off(wanted);
    const uint8_t rest[4] = { (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes, 0, IP_PROTOCOL_TCP };
    const uint8_t *ip = wire->data + IP_OFF;
    const uint16_t sum = wanted->ip_version == 4 ? checksum_naive(0, ip + 12, 8)
                                                 : checksum_naive(0, ip + 8, 32);

    return checksum_naive(sum, rest, sizeof(rest));
}

static void write_sums(struct wire *wire, const struct lab_segment *wanted)
{
    uint8_t *ip = wire->data + IP_OFF;
    uint8_t *tcp = wire->data + l4_off(wanted);
    const uint32_t tcp_bytes = wire->len_bytes - wanted->trailer_bytes - l4_off(wanted);
    const uint16_t pseudo = pseudo_sum(wire, wanted);

    if (wanted->ip_version == 4) {
        bytes_put_2(ip + 10, (uint16_t)~checksum_naive(0, ip, 20 + 4u * wanted->ip_option_words));
    }
    if (wanted->csum_state == FRAME_CSUM_PARTIAL) {
        bytes_put_2(tcp + TCP_CHECKSUM_OFF, pseudo);
    } else {
        bytes_put_2(tcp + TCP_CHECKSUM_OFF, (uint16_t)~checksum_naive(pseudo, tcp, tcp_bytes));
    }
}

/* Memory of exactly these bytes, with room for a tag before them. */
static uint8_t *own_bytes(struct coalesce_lab *lab, const uint8_t *bytes, uint32_t len_bytes)
{
    uint8_t *own = malloc(4 + len_bytes);

    assert(own != NULL && lab->memories < 2 * FRAME_BURST);
    lab->memory[lab->memories++] = own;
    memcpy(own + 4, bytes, len_bytes);
    return own + 4;
}

static void write_facts(struct frame *frame, const struct lab_segment *wanted)
{
    frame->vlan_tci = wanted->vlan_tci;
    frame->port_out = wanted->port_out != 0 ? wanted->port_out : LAB_PORT;
    frame->csum_state = wanted->csum_state;
    if (wanted->csum_state == FRAME_CSUM_PARTIAL) {
        frame->csum_start_bytes = (uint16_t)l4_off(wanted);
        frame->csum_offset_bytes = TCP_CHECKSUM_OFF;
        frame->l3_off_bytes = IP_OFF;
        frame->l4_off_bytes = (uint16_t)l4_off(wanted);
        frame->gso_type = wanted->gso_type;
        frame->gso_size_bytes = wanted->gso_type != FRAME_GSO_NONE ? 100 : 0;
    }
}

struct frame *coalesce_lab_add(struct coalesce_lab *lab, const struct lab_segment *wanted)
{
    struct frame_batch *batch = &lab->batch;
    struct frame *frame = &batch->frame[batch->count];
    struct wire *wire = &lab->wire;
    uint32_t trusted_bytes = wanted->trusted_bytes != 0 ? wanted->trusted_bytes : FRAME_HDR_BYTES;
    const uint8_t *payload;

    wire_start(wire, UINT64_C(0x0200000000b0), UINT64_C(0x0200000000a0));
    write_ip(wire, wanted);
    write_tcp(wire, wanted);
    apply(wire, wanted, false);
    write_sums(wire, wanted);
    apply(wire, wanted, true);

    if (trusted_bytes > wire->len_bytes) {
        trusted_bytes = wire->len_bytes;
    }
    *frame = (struct frame){
        .hdr = own_bytes(lab, wire->data, trusted_bytes), .len_bytes = wire->len_bytes,
        .hdr_len_bytes = (uint16_t)trusted_bytes, .seg_first = batch->run_count,
        .port_in = batch->port_in,
    };
    payload = own_bytes(lab, wire->data + trusted_bytes, wire->len_bytes - trusted_bytes);
    for (uint32_t off = trusted_bytes; off < wire->len_bytes;) {
        const uint32_t left = wire->len_bytes - off;
        const uint32_t len = wanted->run_bytes != 0 && wanted->run_bytes < left
                             ? wanted->run_bytes : left;

        assert(batch->run_count < FRAME_RUNS);
        batch->run[batch->run_count++] =
            (struct frame_run){ .data = payload + (off - trusted_bytes), .len_bytes = len };
        frame->seg_count++;
        off += len;
    }
    write_facts(frame, wanted);
    lab->takes[batch->count] = (uint8_t)(OFFLOAD_TAKES_ALL & ~wanted->takes_not);
    batch->flood_count = (uint16_t)(batch->flood_count + (frame->port_out == PORT_FLOOD));
    batch->offload_count = (uint16_t)(batch->offload_count +
                                      (frame->csum_state != FRAME_CSUM_AS_IT_IS));
    batch->count++;
    return frame;
}

/* ---- before and after ------------------------------------------------------------------------ */

/* The bytes of a frame, a partial checksum completed unless the frame is long. */
static void read_frame(const struct frame_batch *batch, const struct frame *frame, uint8_t *bytes)
{
    const uint32_t start = frame->csum_start_bytes;
    struct gather from = gather_start(batch, frame);

    gather_copy(&from, bytes, frame->len_bytes);
    if (frame->csum_state == FRAME_CSUM_PARTIAL && frame->gso_type == FRAME_GSO_NONE) {
        bytes_put_2(bytes + start + frame->csum_offset_bytes,
                    (uint16_t)~checksum_naive(0, bytes + start, frame->len_bytes - start));
    }
}

static void remember(struct coalesce_lab *lab)
{
    const struct frame_batch *batch = &lab->batch;

    forget(lab);
    for (uint16_t i = 0; i < batch->count; i++) {
        const struct frame *frame = &batch->frame[i];
        struct lab_original *original = &lab->original[lab->originals++];

        *original = (struct lab_original){
            .bytes = malloc(frame->len_bytes), .len_bytes = frame->len_bytes,
            .vlan_tci = frame->vlan_tci, .port_out = frame->port_out,
            .is_long = frame->gso_type != FRAME_GSO_NONE,
        };
        assert(original->bytes != NULL);
        read_frame(batch, frame, original->bytes);
        (void)ether_parse(original->bytes, frame->hdr_len_bytes, &original->info);
    }
}

uint16_t coalesce_lab_run(struct coalesce_lab *lab)
{
    remember(lab);
    return coalesce_batch(&lab->batch, lab->takes);
}

/* Whether bytes are equal, but for what IPv4 says with DF about an identification: nothing. */
static bool same_bytes(const uint8_t *a, const uint8_t *b, uint32_t len_bytes)
{
    const bool free_id = len_bytes >= IP_OFF + 20 && bytes_get_2(a + 12) == ETHERTYPE_IPV4 &&
                         (a[IP_OFF + 6] & 0x40) != 0;

    if (!free_id) {
        return memcmp(a, b, len_bytes) == 0;
    }
    return memcmp(a, b, IP_OFF + 4) == 0 && memcmp(a + IP_OFF + 6, b + IP_OFF + 6, 4) == 0 &&
           memcmp(a + IP_OFF + 12, b + IP_OFF + 12, len_bytes - IP_OFF - 12) == 0;
}

/* Whether a receiver may put two frames into one TCP stream, by the parser that knows them all. */
static bool same_stream(const struct lab_original *a, const struct lab_original *b)
{
    const uint32_t off = a->info.l3_off_bytes + (a->info.ip_version == 4 ? 12u : 8u);
    const uint32_t len_bytes = a->info.ip_version == 4 ? 8 : 32;

    return a->info.ip_version != 0 && a->info.ip_version == b->info.ip_version &&
           a->info.l3_off_bytes == b->info.l3_off_bytes &&
           ((a->vlan_tci ^ b->vlan_tci) & VLAN_VID_MASK) == 0 &&
           a->info.l4_protocol == IP_PROTOCOL_TCP && b->info.l4_protocol == IP_PROTOCOL_TCP &&
           memcmp(a->bytes + off, b->bytes + off, len_bytes) == 0 &&
           (a->info.is_fragment || b->info.is_fragment ||
            (a->info.source_port == b->info.source_port &&
             a->info.destination_port == b->info.destination_port));
}

/*
 * Finds the frame that went in, which is the next of its stream.  Of frames with equal bytes, one
 * whose trusted bytes do not show a stream is none of those that were merged.
 */
static const char *find_original(struct coalesce_lab *lab, const struct frame *frame, bool merged)
{
    for (uint16_t i = 0; i < lab->originals; i++) {
        struct lab_original *original = &lab->original[i];

        if (original->found || original->len_bytes != frame->len_bytes ||
            original->vlan_tci != frame->vlan_tci || original->port_out != frame->port_out ||
            original->is_long != (frame->gso_type != FRAME_GSO_NONE) ||
            (merged && !same_stream(original, original)) ||
            !same_bytes(original->bytes, lab->bytes, frame->len_bytes)) {
            continue;
        }
        original->found = true;
        for (uint16_t before = 0; before < i; before++) {
            if (!lab->original[before].found && same_stream(&lab->original[before], original)) {
                return "a stream is out of order";
            }
        }
        return NULL;
    }
    return "a frame is not as any that went in";
}

static const char *check_segments(struct coalesce_lab *lab, const struct frame *frame)
{
    const char *wrong = NULL;
    struct segmenter segmenter;

    if (frame->csum_state != FRAME_CSUM_PARTIAL || frame->port_in != lab->batch.port_in ||
        !segment_start(&segmenter, &lab->batch, frame)) {
        return "a long frame cannot be cut";
    }
    while (wrong == NULL && segment_next(&segmenter, &lab->segments) > 0) {
        for (uint16_t i = 0; wrong == NULL && i < lab->segments.count; i++) {
            read_frame(&lab->segments, &lab->segments.frame[i], lab->bytes);
            wrong = find_original(lab, &lab->segments.frame[i], true);
        }
    }
    return wrong;
}

/* The headers of a long frame are right, and its checksum as is usual for a partial one. */
static const char *check_long_headers(const struct frame *frame)
{
    const uint8_t *ip = frame->hdr + IP_OFF;
    const uint32_t l4 = frame->l4_off_bytes;
    const uint32_t tcp_bytes = frame->len_bytes - l4;
    const uint8_t rest[4] = { (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes, 0, IP_PROTOCOL_TCP };
    const bool is_ipv4 = frame->gso_type == FRAME_GSO_TCP4;
    const uint32_t address_off = is_ipv4 ? 12 : 8;
    const uint32_t length = is_ipv4 ? bytes_get_2(ip + 2) : 40u + bytes_get_2(ip + 4);
    const uint16_t pseudo = checksum_naive(checksum_naive(0, rest, 4), ip + address_off,
                                           is_ipv4 ? 8 : 32);

    if (length != frame->len_bytes - IP_OFF || length > 65535) {
        return "the length of a long frame is wrong";
    }
    if (is_ipv4 && checksum_naive(0, ip, 20) != 0xffff) {
        return "the IPv4 checksum of a long frame is wrong";
    }
    if (frame->l3_off_bytes != IP_OFF || frame->csum_start_bytes != l4 ||
        frame->csum_offset_bytes != TCP_CHECKSUM_OFF ||
        bytes_get_2(frame->hdr + l4 + TCP_CHECKSUM_OFF) != pseudo) {
        return "the partial checksum of a long frame is wrong";
    }
    return NULL;
}

static const char *check_frame(struct coalesce_lab *lab, const struct frame *frame)
{
    const char *wrong;

    if (frame->seg_first + frame->seg_count > lab->batch.run_count) {
        return "a frame has runs that are none";
    }
    read_frame(&lab->batch, frame, lab->bytes);
    wrong = find_original(lab, frame, false);
    if (wrong == NULL || frame->gso_type == FRAME_GSO_NONE) {
        return wrong;
    }
    wrong = check_long_headers(frame);
    return wrong != NULL ? wrong : check_segments(lab, frame);
}

const char *coalesce_lab_check(struct coalesce_lab *lab)
{
    const struct frame_batch *batch = &lab->batch;
    uint16_t offloads = 0;
    uint16_t floods = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        const char *wrong = check_frame(lab, &batch->frame[i]);

        if (wrong != NULL) {
            return wrong;
        }
        offloads = (uint16_t)(offloads + (batch->frame[i].csum_state != FRAME_CSUM_AS_IT_IS));
        floods = (uint16_t)(floods + (batch->frame[i].port_out == PORT_FLOOD));
    }
    for (uint16_t i = 0; i < lab->originals; i++) {
        if (!lab->original[i].found) {
            return "a frame is lost";
        }
    }
    if (offloads != batch->offload_count || floods != batch->flood_count ||
        batch->run_count > FRAME_RUNS) {
        return "the batch counts wrong";
    }
    return NULL;
}

const char *coalesce_lab_shape(struct coalesce_lab *lab)
{
    size_t used = 0;

    lab->shape[0] = '\0';
    for (uint16_t i = 0; i < lab->batch.count; i++) {
        const struct frame *frame = &lab->batch.frame[i];
        uint32_t segments = 1;

        if (frame->gso_type != FRAME_GSO_NONE) {
            const uint32_t payload_bytes = frame->len_bytes - offload_header_bytes(frame);

            segments = (payload_bytes + frame->gso_size_bytes - 1) / frame->gso_size_bytes;
        }
        used += (size_t)snprintf(lab->shape + used, sizeof(lab->shape) - used, "%s%u",
                                 i == 0 ? "" : " ", segments);
    }
    return lab->shape;
}
