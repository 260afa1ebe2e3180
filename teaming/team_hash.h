/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a flow, for the choice of a member.
 *
 * Symmetric: both directions of a conversation have the same.  L4 is of addresses and ports, of the
 * protocols whose ports ether.h knows; fragments, all of them, and what has no ports go by L3,
 * addresses; what is not IP by L2, the MAC addresses.  VLANs count in none.  The bits are mixed, so that any few of them divide
 * well: flows whose addresses differ by one in one byte spread as random ones do.
 *
 * It reads trusted header bytes only (frame->hdr), after whatever was parsed.
 *
 * Thread: any worker.  Does not block, allocate or log.
 */
#ifndef TEAMING_TEAM_HASH_H
#define TEAMING_TEAM_HASH_H

#include <stdint.h>

#include "switch/frame.h"
#include "teaming/team.h"

/**
 * @param index  which frames of @p batch, @p count of them
 * @param hash   filled, one each
 */
void team_hash(const struct frame_batch *batch, const uint8_t *index, uint16_t count,
               enum team_hash_by by, uint32_t *hash);

#endif
