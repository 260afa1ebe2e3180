/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing frames.  A frame that does not fit is a mistake of the test, and an assertion.
 */
#include "tests/support/frame_builder.h"

#include <assert.h>
#include <string.h>

#define TYPE_EXPERIMENTAL 0x88b5u   /* IEEE 802-2014, 9.2.3: local experimental ethertype 1 */

static void wire_put(struct wire *wire, uint64_t value, unsigned bytes)
{
    assert(wire->len_bytes + bytes <= sizeof(wire->data));
    while (bytes-- > 0) {
        wire->data[wire->len_bytes++] = (uint8_t)(value >> (8 * bytes));
    }
}

void wire_start(struct wire *wire, uint64_t destination, uint64_t source)
{
    wire->len_bytes = 0;
    wire_put(wire, destination, 6);
    wire_put(wire, source, 6);
}

void wire_tag(struct wire *wire, uint16_t tpid, uint16_t tci)
{
    wire_put(wire, tpid, 2);
    wire_put(wire, tci, 2);
}

void wire_type(struct wire *wire, uint16_t ethertype)
{
    wire_put(wire, ethertype, 2);
}

void wire_ipv4(struct wire *wire, uint32_t source, uint32_t destination, uint8_t protocol,
               uint16_t fragment)
{
    wire_put(wire, 0x0800, 2);
    wire_put(wire, 0x4500, 2);
    wire_put(wire, 28, 2);
    wire_put(wire, 0, 2);
    wire_put(wire, fragment, 2);
    wire_put(wire, 64, 1);
    wire_put(wire, protocol, 1);
    wire_put(wire, 0, 2);
    wire_put(wire, source, 4);
    wire_put(wire, destination, 4);
}

void wire_ipv6(struct wire *wire, uint64_t source, uint64_t destination, uint8_t next)
{
    const uint64_t network = UINT64_C(0xfd00000000000000);

    wire_put(wire, 0x86dd, 2);
    wire_put(wire, 0x60000000, 4);
    wire_put(wire, 8, 2);
    wire_put(wire, next, 1);
    wire_put(wire, 64, 1);
    wire_put(wire, network, 8);
    wire_put(wire, source, 8);
    wire_put(wire, network, 8);
    wire_put(wire, destination, 8);
}

void wire_extension(struct wire *wire, uint8_t next, uint8_t units)
{
    wire_put(wire, next, 1);
    wire_put(wire, units, 1);
    for (unsigned i = 2; i < 8u + 8u * units; i++) {
        wire_put(wire, 0, 1);
    }
}

void wire_fragment(struct wire *wire, uint8_t next, uint16_t fragment)
{
    wire_put(wire, next, 1);
    wire_put(wire, 0, 1);
    wire_put(wire, fragment, 2);
    wire_put(wire, 0x12345678, 4);
}

void wire_ports(struct wire *wire, uint16_t source, uint16_t destination)
{
    wire_put(wire, source, 2);
    wire_put(wire, destination, 2);
}

void wire_fill(struct wire *wire, uint32_t len_bytes)
{
    while (wire->len_bytes < len_bytes) {
        wire_put(wire, (uint8_t)(wire->len_bytes * 7 + 1), 1);
    }
}

void batch_start(struct frame_batch *batch, uint16_t port_in)
{
    batch->count = 0;
    batch->run_count = 0;
    batch->port_in = port_in;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->altered = false;
}

struct frame *batch_add_wire(struct frame_batch *batch, const struct wire *wire,
                             uint32_t run_bytes)
{
    const uint32_t hdr_len = wire->len_bytes < FRAME_HDR_BYTES ? wire->len_bytes
                                                               : FRAME_HDR_BYTES;
    struct frame *frame = &batch->frame[batch->count];

    assert(batch->count < FRAME_BURST);
    *frame = (struct frame){
        .hdr = batch->hdr[batch->count],
        .len_bytes = wire->len_bytes,
        .hdr_len_bytes = (uint16_t)hdr_len,
        .seg_first = batch->run_count,
        .port_in = batch->port_in,
    };
    memcpy(frame->hdr, wire->data, hdr_len);
    for (uint32_t off = hdr_len; off < wire->len_bytes;) {
        const uint32_t left = wire->len_bytes - off;
        const uint32_t len = run_bytes != 0 && run_bytes < left ? run_bytes : left;

        assert(batch->run_count < FRAME_RUNS);
        batch->run[batch->run_count++] = (struct frame_run){ .data = &wire->data[off],
                                                             .len_bytes = len };
        frame->seg_count++;
        off += len;
    }
    batch->count++;
    return frame;
}

struct frame *batch_add(struct frame_batch *batch, uint64_t destination, uint64_t source)
{
    struct wire wire;

    wire_start(&wire, destination, source);
    wire_type(&wire, TYPE_EXPERIMENTAL);
    wire_fill(&wire, 60);
    return batch_add_wire(batch, &wire, 0);
}
