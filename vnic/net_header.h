/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header, which guests, tap devices and packet sockets put before every frame.
 *
 * What it says of checksum and segmentation is a sender's claim.  It is checked here against the
 * frame, once, where the frame enters; what comes out are facts in struct frame, and nothing behind
 * this line looks at a header again.
 *
 * Standard: virtio 1.2, 5.1.6 (the header), 5.1.6.2 (what a sender may ask for);
 * linux/virtio_net.h, which tap(4) and PACKET_VNET_HDR share.
 */
#ifndef VNIC_NET_HEADER_H
#define VNIC_NET_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"

#define NET_HEADER_BYTES      12u  /* with num_buffers; the fields before it are 10 */
#define NET_HEADER_BASE_BYTES 10u

/**
 * Believes what @p header says of @p frame, if it is true of it, and fills csum_state, gso_type,
 * their fields, and l3/l4 offsets; for a header that asks for nothing, nothing.
 *
 * True is a partial checksum whose field lies within the trusted header: of TCP or UDP where the
 * parsed frame has it, or one inside of a tunnel, behind the headers that decisions are made from
 * (VXLAN, GRE, IP in IP; a link that leaves all checksums to the receiver leaves those as well).
 * True is a segmentation of the frame's own TCP or UDP, with its checksum asked for, all headers
 * trusted bytes, and a gso_size that is not 0; if it all fits one segment, there is none to be made
 * and the checksum is all that is left.  Tags before the headers are allowed.
 *
 * Never true are CRCs (SCTP: the field is not a sum) and segmentation inside of tunnels.
 *
 * Ignored is what has no say in anything: hdr_len, the flags that are a receiver's, and the flag of
 * ECN, because whether CWR is set is read where it is, in the TCP header.
 *
 * @param header   NET_HEADER_BASE_BYTES of private memory
 * @param frame    its hdr, hdr_len_bytes and len_bytes are filled, the facts are 0
 * @return whether it is true; if not, the frame is to be dropped as DROP_BAD_OFFLOAD
 * Thread: any worker.  Reads trusted bytes only.
 */
bool net_header_read(const uint8_t header[NET_HEADER_BASE_BYTES], struct frame *frame);

/**
 * As net_header_read(), for a sender whose word is taken that it found a checksum right, which is
 * the kernel: its DATA_VALID, where no checksum is asked for, becomes FRAME_CSUM_CHECKED.
 *
 * When it says so of segments, a device has merged what it received (LRO), or the kernel has listed
 * datagrams: the checksum that is there is that of none of them.  It becomes a partial one, the
 * pseudo-header's sum being written into the frame.
 */
bool net_header_read_trusted(const uint8_t header[NET_HEADER_BASE_BYTES], struct frame *frame);

/**
 * The features (switch/offload.h) that a guest must have negotiated to send @p header; of a kind of
 * segments that there is not, none, because net_header_read() refuses it.
 * Thread: any.
 */
uint64_t net_header_features(const uint8_t header[NET_HEADER_BASE_BYTES]);

/**
 * Writes the header with which @p frame goes to a receiver that takes @p takes (enum offload_take):
 * NEEDS_CSUM for a partial checksum, DATA_VALID for a checked one, the kind and size of segments
 * with hdr_len (all headers), ECN where CWR is set; all 0 when there is nothing to say, or when the
 * receiver does not take partial checksums: it may be told of none.
 *
 * @param frame  with nothing to it that the receiver does not take, see offload_needs(), but for a
 *               partial checksum that whoever delivers it completes
 * Thread: any worker.
 * Standard: virtio 1.2, 5.1.6.4.1.
 */
void net_header_write(uint8_t header[NET_HEADER_BASE_BYTES], const struct frame *frame,
                      uint8_t takes);

#endif
