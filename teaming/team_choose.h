/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * By which member a frame leaves, and with which source address.
 *
 * The plan says where a bucket is to be; a flowlet says where it is.  It goes to where it is to be
 * when it has been silent for the gap, which is longer than one path can be slower than another, so
 * that no frame overtakes one of its own flow; and at once when its member carries no more.  Flows
 * of one worker have flowlets of their own, because a flow comes by one queue and a queue has one
 * worker: nothing here is shared.
 *
 * In switch-independent mode the network must see an address on one of its ports only.  A frame
 * that leaves by another member than its port's own carries that member's address.  ARP, RARP and
 * ND, which would tell others about it, leave by the own member always, and so does what is not IP,
 * whose receivers reply to the address they see.  IGMP and MLD leave by the primary member, whose
 * group frames are taken (team_admit.h): the network is to send what was joined there.
 *
 * Thread: the worker whose flowlets they are.  Does not block, allocate or log.
 */
#ifndef TEAMING_TEAM_CHOOSE_H
#define TEAMING_TEAM_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"
#include "teaming/team.h"

struct team_flowlet {
    uint64_t last_tsc;             /* when it sent; 0: never */
    uint8_t member;
};

/* What a worker keeps for a team. */
struct team_flowlets {
    struct team_flowlet flow[TEAM_BUCKETS];
    struct team_flowlet own[TEAM_BUCKETS];
    uint64_t sent_bytes[TEAM_BUCKETS];   /* by flow's bucket; others read them */
};

struct team_choice_config {
    enum team_mode mode;
    enum team_balance balance;
    enum team_hash_by hash;
    uint64_t gap_tsc;
};

/**
 * Makes @p shared, by which workers choose, the same as @p plan, byte by byte: never one that names
 * a member that does not carry, unless nobody did.  Thread: one at a time, beside workers.
 */
void team_choose_publish(struct team_plan *shared, const struct team_plan *plan);

/**
 * Chooses for frames of @p batch.
 *
 * @param plan    each byte of which is right by itself
 * @param member  filled, one each; TEAM_NO_MEMBER: nobody carries
 * @return frames, a bit each by their place in @p index, that are to carry their member's address
 */
uint32_t team_choose(const struct team_plan *plan, const struct team_choice_config *config,
                     struct team_flowlets *flowlets, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint64_t now_tsc, uint8_t *member);

#endif
