/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests: written layer by layer as bytes on a wire, then put into a batch as a vNIC
 * would.
 *
 * Every length and offset that a layer needs follows from what was written before it, so that a
 * test says only what it is about.
 */
#ifndef TESTS_SUPPORT_FRAME_BUILDER_H
#define TESTS_SUPPORT_FRAME_BUILDER_H

#include <stdint.h>

#include "switch/frame.h"

/* Bytes as they would be on a wire, without FCS. */
struct wire {
    uint32_t len_bytes;
    uint8_t data[FRAME_MAX_BYTES];
};

/** Starts over with the two addresses; a type must follow. */
void wire_start(struct wire *wire, uint64_t destination, uint64_t source);
/** Adds a tag of type @p tpid (0x8100, 0x88a8). */
void wire_tag(struct wire *wire, uint16_t tpid, uint16_t tci);
void wire_type(struct wire *wire, uint16_t ethertype);
/** Adds type and header of IPv4; @p fragment is the field of flags and offset. */
void wire_ipv4(struct wire *wire, uint32_t source, uint32_t destination, uint8_t protocol,
               uint16_t fragment);
/** Adds type and header of IPv6, between addresses that end in the given numbers. */
void wire_ipv6(struct wire *wire, uint64_t source, uint64_t destination, uint8_t next);
/** Adds an IPv6 extension header of @p units beyond its first 8 bytes, followed by a @p next. */
void wire_extension(struct wire *wire, uint8_t next, uint8_t units);
/** Adds an IPv6 fragment header; @p fragment is its field of offset and "more". */
void wire_fragment(struct wire *wire, uint8_t next, uint16_t fragment);
void wire_ports(struct wire *wire, uint16_t source, uint16_t destination);
/** Adds bytes of a pattern until the frame has @p len_bytes. */
void wire_fill(struct wire *wire, uint32_t len_bytes);

/** Empties @p batch for frames of @p port_in. */
void batch_start(struct frame_batch *batch, uint16_t port_in);

/**
 * Adds a frame: up to FRAME_HDR_BYTES of @p wire copied, the rest listed.
 *
 * @param wire      borrowed as long as the batch is used when it has more than FRAME_HDR_BYTES
 * @param run_bytes the longest run; 0: the payload is one run
 * @return the frame
 */
struct frame *batch_add_wire(struct frame_batch *batch, const struct wire *wire,
                             uint32_t run_bytes);

/** Adds a frame of 60 bytes that has nothing but addresses and a local experimental type. */
struct frame *batch_add(struct frame_batch *batch, uint64_t destination, uint64_t source);

#endif
