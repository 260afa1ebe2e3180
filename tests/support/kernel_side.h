/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's side of a port under test: a network namespace of its own, interfaces in it, frames
 * sent and seen by a raw socket, and UDP through the stack.
 *
 * What fails here is a mistake of the test or of its machine, and fails the test.
 */
#ifndef TESTS_SUPPORT_KERNEL_SIDE_H
#define TESTS_SUPPORT_KERNEL_SIDE_H

#include <stdint.h>

#include "switch/frame.h"
#include "tests/support/frame_builder.h"

#define KERNEL_SIDE_WAIT_MS 2000       /* what is coming has come by then */

/* What a virtio-net header asks for; all 0: nothing. */
struct kernel_side_offload {
    uint8_t gso;                       /* as on the wire: 1 TCPV4, 4 TCPV6, 5 UDP */
    uint16_t gso_size_bytes;
    uint16_t csum_start_bytes;         /* 0: no checksum */
    uint16_t csum_offset_bytes;
};

/** A group's setup: leaves the host for a namespace where nobody sends by himself.
 *  When that needs root, kernel_side_need() tells. */
int kernel_side_enter(void **state);
/** Prints why and skips the test when kernel_side_enter() could not. */
void kernel_side_need(void);

/** A raw socket that sees what comes in by interface @p name, for anybody. */
int kernel_side_raw(const char *name);
void kernel_side_send(int raw, const struct kernel_side_offload *offload, const uint8_t *bytes,
                      uint32_t len_bytes);
/** Waits for a frame; its tag is in the bytes.  @return whether one came */
int kernel_side_receive(int raw, struct wire *wire, int wait_ms);
/** As well, and says what is left to do of it. */
int kernel_side_receive_undone(int raw, struct wire *wire, struct kernel_side_offload *offload,
                               int wait_ms);

/** A UDP socket on interface @p name, to and from port @p port, whose peer is @p to. */
int kernel_side_udp(const char *name, const char *to, uint16_t port);

/** Writes all bytes of a frame, tag and all. */
void kernel_side_bytes(const struct frame_batch *batch, const struct frame *frame,
                       struct wire *wire);

#endif
