/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coalescing: segments of one TCP stream that came in one batch become one long frame.
 *
 * It is the reverse of segment.h and undone by it: a frame made here, segmented again, is what
 * came, byte for byte, but for the IPv4 identification where that has no meaning (RFC 6864, 4.1),
 * and but for which of its two zeros a checksum is.  What would not come back is not merged, as a
 * router must not change what it forwards: other flags than ACK and PSH, another acknowledgment or
 * window, other TCP options, another traffic class, TTL or flow label, IPv4 options, IPv6 extension
 * headers, fragments, bytes behind the IP packet, an identification that does not count up, a gap.
 * Each of these ends what was being merged for its flow, so that a flow stays in order.  So do PSH
 * and a segment shorter than the first, which are merged as the last.  A checksum that nobody
 * checked is checked here; a wrong one is left alone.
 *
 * A batch is what one queue gave in one turn, and nothing is kept beyond it: no timer, no state, no
 * frame that waits.
 *
 * Standard: RFC 9293, 3.1; RFC 3168, 6.1; RFC 6864; RFC 8200.
 */
#ifndef SWITCH_COALESCE_H
#define SWITCH_COALESCE_H

#include <stdint.h>

#include "switch/frame.h"

/**
 * Merges what can be merged among the frames of @p batch and closes the gaps.
 *
 * A long frame stands where its first segment was, with gso_type, gso_size_bytes, a partial
 * checksum and l3/l4 offsets; its payload is listed at the end of batch->run.  IP total length and
 * header checksum are right.  Frames merge only with the same port_out (no flood), vlan_tci and
 * Ethernet header.  offload_count is kept right.
 *
 * @param batch  decided by forward; headers of frames are changed in place
 * @param takes  for each frame, what its destination takes (enum offload_take); frames whose
 *               destination takes no TSO4 or TSO6 are left as they are
 * @return how many frames were merged away: as many fewer are in the batch now
 * Thread: any worker.  Reads the payload of frames whose checksum nobody checked.
 */
uint16_t coalesce_batch(struct frame_batch *batch, const uint8_t takes[FRAME_BURST]);

#endif
