/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request of a block driver's: from its chain to its status byte.
 *
 * A driver may cut its request into pieces anywhere, within the header too, so nothing here relies
 * on where a piece ends.  What it asks is checked before any of it is done, and is of bounded size,
 * because whoever stops the device waits for the request under way.
 *
 * Standard: virtio 1.2, 5.2.6 (requests), 2.7.4 (framing).
 */
#ifndef VMM_BLK_REQUEST_H
#define VMM_BLK_REQUEST_H

#include <stdint.h>

#include "vmm/disk.h"
#include "vmm/vmm_queue.h"

#define BLK_REQUEST_SEGMENTS_MAX     (VMM_QUEUE_PIECES_MAX - 2)    /* beside header and status */
#define BLK_REQUEST_SEGMENT_BYTES    (UINT32_C(128) << 10)
#define BLK_REQUEST_DATA_BYTES       (BLK_REQUEST_SEGMENTS_MAX * BLK_REQUEST_SEGMENT_BYTES)
#define BLK_REQUEST_RANGES_MAX       16u           /* of a discard; a write of zeroes has one */
#define BLK_REQUEST_DISCARD_SECTORS  (1u << 21)    /* of a range: 1 GiB */
#define BLK_REQUEST_ZERO_SECTORS     (1u << 16)    /* 32 MiB, which the host may have to write */

/**
 * Does what @p chain asks.  Blocks.
 * @param features  what the driver negotiated
 * @param chain     used up
 * @return for vmm_queue_return(): the bytes that the driver gave to write, 0 when it left no room
 *         for a status
 * Thread: one at a time for each disk.
 */
uint32_t blk_request_serve(const struct disk *disk, uint64_t features, struct vmm_chain *chain);

#endif
