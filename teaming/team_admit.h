/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes by a member and is taken.
 *
 * A frame that the team itself sent may come back by another member, and one for all may come by
 * every member, because in switch-independent mode the network does not know that they belong
 * together: what has a member's own address as its source is a reflection; of frames with a group
 * address those of the primary member are taken.  What has a local port's address as its source is
 * refused by forward.h, which knows those.  Members that do not collect have nothing to say, in any
 * mode.  Slow protocols are for the control side, never forwarded.
 *
 * Thread: any worker.  Does not block, allocate or log.
 */
#ifndef TEAMING_TEAM_ADMIT_H
#define TEAMING_TEAM_ADMIT_H

#include <stdint.h>

#include "switch/drop.h"
#include "switch/frame.h"
#include "teaming/team.h"

/**
 * Judges the frames of @p batch, which came by @p member.
 *
 * @param plan     each byte of which is right by itself
 * @param mac      of each member, TEAM_MEMBERS_MAX, each right by itself; 0 where there is none
 * @param verdict  filled: DROP_REASON_COUNT for a frame that is taken, else why not; slow protocols
 *                 are DROP_RESERVED_GROUP
 * @param slow     frames of the slow protocols, a bit each by their place in the batch
 * @return how many are taken
 */
uint16_t team_admit(const struct team_plan *plan, enum team_mode mode, unsigned member,
                    const uint64_t mac[TEAM_MEMBERS_MAX], const struct frame_batch *batch,
                    uint8_t verdict[FRAME_BURST], uint32_t *slow);

#endif
