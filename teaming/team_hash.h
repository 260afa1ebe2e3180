/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a flow, for the choice of a member.
 *
 * Symmetric: both directions of a conversation have the same.  L4 is of addresses and ports, of the
 * protocols whose ports ether.h knows; fragments, all of them, and what has no ports go by L3,
 * addresses; what is not IP by L2, the MAC addresses.  VLANs count in none.  Flows whose addresses
 * or ports count up are divided more evenly than random ones, by the upper bits.
 *
 * It reads trusted header bytes only (frame->hdr), after whatever was parsed.
 *
 * Thread: any worker.  Does not block, allocate or log.
 */
#ifndef TEAMING_TEAM_HASH_H
#define TEAMING_TEAM_HASH_H

#include <assert.h>
#include <stdint.h>

#include "switch/frame.h"
#include "teaming/team.h"

/** The bucket of a flow with @p hash. */
static inline uint8_t team_hash_bucket(uint32_t hash)
{
    static_assert(TEAM_BUCKETS == 256, "the upper eight bits");
    return (uint8_t)(hash >> 24);
}

/**
 * @param index  which frames of @p batch, @p count of them
 * @param hash   filled, one each
 */
void team_hash(const struct frame_batch *batch, const uint8_t *index, uint16_t count,
               enum team_hash_by by, uint32_t *hash);

#endif
