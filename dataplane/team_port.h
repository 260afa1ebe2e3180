/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team as workers see it: the uplink of a switch that is several interfaces.
 *
 * Its members are ports of the fabric themselves, of kind PACKET or NIC, with counters and queues
 * of their own; what comes by one is judged (team_admit.h) and goes on as a frame of the team's
 * port, and what is for that port leaves by the member that the plan says (team_choose.h).
 *
 * The plan changes without a fabric being published: it is a few hundred bytes, of which each is
 * right by itself, stored one by one by the team's keeper.  So a carrier that is lost costs the
 * frames that were on their way, and no more, whatever the control thread is busy with.
 *
 * A member counts what passes it and what is lost there; so does the team's port, where the members
 * add up.
 *
 * Frames of the slow protocols (LACP) are copied for the keeper into bounded boxes, one for each
 * member, and a descriptor is written when all were empty.  So a peer that floods them loses its
 * own, and those of no other link.  They are no frames of the team's, and no drops.
 */
#ifndef DATAPLANE_TEAM_PORT_H
#define DATAPLANE_TEAM_PORT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/worker.h"
#include "switch/error.h"
#include "switch/frame.h"
#include "teaming/team.h"
#include "teaming/team_choose.h"

struct egress_group;
struct team_port;

/* A frame of a slow protocol; what it has beyond a PDU of LACP is not kept. */
struct team_port_slow {
    uint8_t member;
    uint8_t len_bytes;             /* of those that are here */
    uint8_t bytes[FRAME_HDR_BYTES];
} __attribute__((aligned(4)));     /* as a ring wants its elements */
static_assert(FRAME_HDR_BYTES >= LACP_PDU_FRAME_BYTES, "a PDU is all header");

/** @return owned, with a plan by which nobody carries; NULL with a sentence.  Thread: control. */
struct team_port *team_port_create(uint16_t workers, struct error *error);
/** No worker uses it, and no keeper.  NULL is fine.  Thread: control. */
void team_port_destroy(struct team_port *team);

/* ---- for the keeper: one thread at a time, which need not be control ------------------------- */

/** In force for frames from now on; gap_ms of @p setting in cycles of this machine. */
void team_port_set(struct team_port *team, const struct team_setting *setting);
/** @param mac  of each member, 0 where there is none */
void team_port_set_plan(struct team_port *team, const struct team_plan *plan,
                        const uint64_t mac[TEAM_MEMBERS_MAX]);
/** What each bucket of flows has sent since the team was made, over all workers. */
void team_port_sent(const struct team_port *team, uint64_t sent_bytes[TEAM_BUCKETS]);
/** Readable while there are slow frames; borrowed. */
int team_port_fd(const struct team_port *team);
/** Takes of one member after the other.  @return whether there was one; if not, the fd is armed */
bool team_port_take(struct team_port *team, struct team_port_slow *slow);
/** Slow frames lost because their member's box was full. */
uint64_t team_port_slow_lost(const struct team_port *team);

/**
 * Sends one frame by an interface, beside what workers send there.
 * @param kind  FABRIC_PORT_PACKET or FABRIC_PORT_NIC, else nothing is sent
 * @param at    its endpoint, which lives while this runs; a NIC was made for one worker more than
 *              there are
 * @param frame  untagged
 * @return whether the interface took it
 */
bool team_port_send(struct team_port *team, enum fabric_port_kind kind, void *at,
                    const uint8_t *frame, uint32_t len_bytes);

/* ---- for workers ----------------------------------------------------------------------------- */

/**
 * Judges worker->batch, which came by @p member_port, counts and shows it there, and makes what is
 * taken the team's.  What is not is counted in worker->refused, as what was no frame is already.
 * @return the number of the team's port; PORT_NONE when the team has no switch: then nothing is
 *         left of the batch or the tally
 */
uint16_t team_port_from_member(struct worker *worker, uint16_t member_port);

/** As egress_deliver(), for frames that fit the MTU: by the members that are theirs. */
void team_port_deliver(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                       const struct egress_group *group);

/** What all members that carry take undone (enum offload_take). */
uint8_t team_port_takes(const struct worker *worker, uint16_t port);

#endif
