/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team: which of its members carry, and what each of them carries.
 *
 * All that has time in it is decided here, seldom, from link states and loads, and comes out as a
 * plan: a few hundred bytes by which workers choose a member for a frame without asking anybody
 * (team_choose.h).  Traffic is divided by two kinds of buckets.  Every port of the switch is in one
 * (its number modulo TEAM_BUCKETS), whose member is that port's own: what comes from outside for
 * the port comes by it, because the network has seen the port's address there.  Every flow is in
 * one by its hash, when the balance is HASH or DYNAMIC.
 *
 * Members that can carry: those with carrier (for up_delay_ms, when they had lost it), in LACP
 * those that distribute.  Standby ones do so only while fewer of the others can than there are, or
 * when there are no others.  Members carry in proportion to their speeds, when all of those are
 * known.  When a member is lost, its buckets go to the others at once and all else stays; when one
 * comes, it takes its share, from those that have most, and when it was there before, what it had
 * (team_spread.h).  With the balance HASH every port's own member is the primary one: the lowest
 * that carries.
 *
 * Frames are taken: in LACP from members that collect; in static mode from all with carrier, as the
 * other end decides by itself which it sends by; in switch-independent mode from those that carry,
 * and for TEAM_HANDOVER_MS from those that have carried and still could, until the network has
 * followed.
 *
 * Pure: time is an argument and never goes back.  Semantics: Hyper-V's, as the README's section on
 * teams tells.
 */
#ifndef TEAMING_TEAM_H
#define TEAMING_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/team_mode.h"
#include "teaming/lacp.h"

#define TEAM_BUCKETS           256u
#define TEAM_NO_MEMBER         0xffu
#define TEAM_HANDOVER_MS       1000u

struct team_config {
    struct team_setting setting;
    struct lacp_config lacp;       /* its slow and passive are the setting's */
};

/* What is known of a member. */
struct team_link {
    bool present;
    bool standby;
    bool up;                       /* carrier */
    bool half_duplex;
    uint32_t speed_mbps;           /* 0: unknown */
    uint64_t mac;
};

/* What workers go by. */
struct team_plan {
    uint8_t carries;               /* members that frames are sent by, a bit each */
    uint8_t takes;                 /* members whose frames are taken */
    uint8_t primary;               /* whose group frames are taken, where each comes by all members;
                                      TEAM_NO_MEMBER: nobody carries */
    uint8_t flow[TEAM_BUCKETS];    /* the member of a flow's bucket */
    uint8_t own[TEAM_BUCKETS];     /* the member of a port's bucket */
};

struct team_member_status {
    const char *why;               /* it does not carry, a sentence's middle; "": it does */
    bool carries;
    uint32_t up_in_ms;             /* of its up-delay, what is left */
    struct lacp_status lacp;       /* in LACP mode */
};

struct team;

/** @return owned, with no member; NULL when memory is short */
struct team *team_create(const struct team_config *config, uint64_t now_ms);
void team_destroy(struct team *team);                          /* NULL is fine */
/** Changes knobs, balance or mode; members keep their numbers. */
void team_configure(struct team *team, const struct team_config *config, uint64_t now_ms);
/** What is known of member @p number has changed; one that is not present has no meaning else. */
void team_set_link(struct team *team, unsigned number, const struct team_link *link,
                   uint64_t now_ms);
/** A frame of the slow protocols came by member @p number. */
void team_receive(struct team *team, unsigned number, const uint8_t *frame, uint32_t len_bytes,
                  uint64_t now_ms);
/** As lacp_fetch(). */
bool team_fetch(struct team *team, uint64_t now_ms, unsigned *number,
                uint8_t frame[LACP_PDU_FRAME_BYTES]);
/**
 * Does what time has come for.
 * @return when to call again at the latest, LACP_NEVER: not before something happens
 */
uint64_t team_tick(struct team *team, uint64_t now_ms);
/**
 * Compares loads: what each bucket of flows has sent since the last call.  When a member has more
 * than imbalance_percent over its share, moves buckets to those below theirs, as few as will do
 * (team_spread.h).  Nothing with a balance other than DYNAMIC.  Call each rebalance_ms.
 */
void team_rebalance(struct team *team, const uint64_t sent_bytes[TEAM_BUCKETS]);

/** As it stands after the last call of any of the above; borrowed, changed by the next. */
const struct team_plan *team_plan(const struct team *team);
void team_member_status(const struct team *team, unsigned number, uint64_t now_ms,
                        struct team_member_status *status);

/** Port buckets whose own member differs: the addresses of those ports are to be announced.
 *  @param moved  a bit each, TEAM_BUCKETS of them  @return whether there is any */
bool team_plan_moved(const struct team_plan *before, const struct team_plan *after,
                     uint64_t moved[TEAM_BUCKETS / 64]);

#endif
