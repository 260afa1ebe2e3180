/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every call notes what has changed and then decides all of it anew, in update(): who can carry,
 * who does, whose frames are taken, which buckets move.  So there is no order of events that was
 * not thought of, and deciding costs some microseconds a few times a second.
 *
 * LACP is kept beside in every mode, with no links in modes other than its own.
 */
#include "teaming/team.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "teaming/team_spread.h"

static_assert(LACP_LINKS_MAX == TEAM_MEMBERS_MAX, "a member is a link of the same number");
static_assert(TEAM_MEMBERS_MAX <= 8, "a bit each in a byte");

struct team_member {
    struct team_link link;
    uint32_t speed_mbps;           /* as long as it is a member: the last it had with carrier */
    bool had_carrier;              /* ever, since it is a member */
    bool waits;                    /* for its up-delay to end, at carries_at_ms */
    uint64_t carries_at_ms;
    uint64_t rests_at_ms;          /* it has carried; its frames are taken until then */
};

struct team {
    struct team_config config;
    struct lacp *lacp;
    struct team_member member[TEAM_MEMBERS_MAX];
    uint32_t weight[TEAM_MEMBERS_MAX];     /* of those that carry */
    uint8_t flow_home[TEAM_BUCKETS];       /* where buckets were when all were there */
    uint8_t own_home[TEAM_BUCKETS];
    struct team_plan plan;
};

static uint8_t bit(unsigned number)
{
    return (uint8_t)(1u << number);
}

/* ---- who can carry, and who does ------------------------------------------------------------- */

/* Members that the team is made of, without those that stand by. */
static uint8_t regular_members(const struct team *team)
{
    uint8_t regular = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (team->member[i].link.present && !team->member[i].link.standby) {
            regular |= bit(i);
        }
    }
    return regular;
}

static uint8_t members_up(const struct team *team)
{
    uint8_t up = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (team->member[i].link.present && team->member[i].link.up) {
            up |= bit(i);
        }
    }
    return up;
}

/* Members with carrier, for long enough or when there is no other. */
static uint8_t members_ready(struct team *team, uint64_t now_ms)
{
    const uint8_t up = members_up(team);
    uint8_t waiting = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        struct team_member *member = &team->member[i];

        member->waits = member->waits && now_ms < member->carries_at_ms;
        waiting |= member->waits ? bit(i) : 0;
    }
    if (up != waiting) {
        return up & (uint8_t)~waiting;
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        team->member[i].waits = false;
    }
    return up;
}

/* Standby members take the places of others, the lowest first. */
static uint8_t with_standby(uint8_t ready, uint8_t regular)
{
    const int places = regular != 0 ? __builtin_popcount(regular) : 1;
    uint8_t carries = ready & regular;
    uint8_t standby = ready & (uint8_t)~regular;

    while (standby != 0 && __builtin_popcount(carries) < places) {
        carries |= standby & (uint8_t)-standby;
        standby &= (uint8_t)(standby - 1);
    }
    return carries;
}

static uint8_t members_that_carry(struct team *team, uint64_t now_ms)
{
    const uint8_t ready = members_ready(team, now_ms);

    return team->config.setting.mode == TEAM_LACP
               ? lacp_distributing(team->lacp) & members_up(team)
               : with_standby(ready, regular_members(team));
}

/* ---- whose frames are taken ------------------------------------------------------------------ */

/* Notes who has ceased to carry, before the plan says so. */
static uint8_t members_handing_over(struct team *team, uint8_t carries, uint64_t now_ms)
{
    const uint8_t ceased = team->plan.carries & (uint8_t)~carries & members_up(team);
    uint8_t handing_over = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        struct team_member *member = &team->member[i];

        if ((ceased & bit(i)) != 0) {
            member->rests_at_ms = now_ms + TEAM_HANDOVER_MS;
        } else if ((carries & bit(i)) != 0 || !member->link.up) {
            member->rests_at_ms = 0;
        }
        handing_over |= now_ms < member->rests_at_ms ? bit(i) : 0;
    }
    return handing_over;
}

static uint8_t members_taken(const struct team *team, uint8_t carries, uint8_t handing_over)
{
    switch (team->config.setting.mode) {
    case TEAM_INDEPENDENT:
        return carries | handing_over;
    case TEAM_STATIC:
        return members_up(team);
    case TEAM_LACP:
    case TEAM_MODE_COUNT:
        break;
    }
    return lacp_collecting(team->lacp) & members_up(team);
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* Weights of @p members: their speeds when all of them are known, else equal. */
static void set_weights(const struct team *team, uint8_t members,
                        uint32_t weight[TEAM_MEMBERS_MAX])
{
    bool known = true;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        known = known && ((members & bit(i)) == 0 || team->member[i].speed_mbps != 0);
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        weight[i] = (members & bit(i)) == 0 ? 0 : known ? team->member[i].speed_mbps : 1;
    }
}

/* Members have come or gone for good: where buckets are to be when all are there. */
static void set_home(struct team *team)
{
    const uint8_t regular = regular_members(team);
    uint8_t nowhere[TEAM_BUCKETS];
    uint32_t weight[TEAM_MEMBERS_MAX];

    memset(nowhere, TEAM_NO_MEMBER, sizeof(nowhere));
    memset(team->own_home, TEAM_NO_MEMBER, sizeof(team->own_home));
    set_weights(team, regular, weight);
    team_spread(team->own_home, nowhere, regular, 0, true, weight);
    memcpy(team->flow_home, team->own_home, sizeof(team->flow_home));
}

/* All are there: what they have now they will have again. */
static void keep_home(struct team *team)
{
    memcpy(team->flow_home, team->plan.flow, sizeof(team->flow_home));
    if (team->config.setting.balance != TEAM_HASH) {
        memcpy(team->own_home, team->plan.own, sizeof(team->own_home));
    }
}

static void forget_buckets(struct team *team)
{
    memset(team->plan.flow, TEAM_NO_MEMBER, sizeof(team->plan.flow));
    memset(team->plan.own, TEAM_NO_MEMBER, sizeof(team->plan.own));
    set_home(team);
}

static void update(struct team *team, uint64_t now_ms)
{
    struct team_plan *plan = &team->plan;
    const uint8_t carries = members_that_carry(team, now_ms);
    const uint8_t handing_over = members_handing_over(team, carries, now_ms);
    const uint8_t came = carries & (uint8_t)~plan->carries;
    const bool by_load = team->config.setting.balance == TEAM_DYNAMIC;

    set_weights(team, carries, team->weight);
    plan->carries = carries;
    plan->takes = members_taken(team, carries, handing_over);
    plan->primary = carries != 0 ? (uint8_t)__builtin_ctz(carries) : TEAM_NO_MEMBER;
    team_spread(plan->flow, team->flow_home, carries, came, !by_load, team->weight);
    if (team->config.setting.balance == TEAM_HASH) {
        memset(plan->own, plan->primary, sizeof(plan->own));
    } else {
        team_spread(plan->own, team->own_home, carries, came, true, team->weight);
    }
    if ((regular_members(team) & (uint8_t)~carries) == 0) {
        keep_home(team);
    }
}

/* ---- LACP ------------------------------------------------------------------------------------ */

static struct lacp_config lacp_config_of(const struct team_config *config)
{
    struct lacp_config lacp = config->lacp;

    lacp.slow = config->setting.lacp_slow;
    lacp.passive = config->setting.lacp_passive;
    return lacp;
}

static void tell_lacp(struct team *team, unsigned number, uint64_t now_ms)
{
    const struct team_link *link = &team->member[number].link;
    struct lacp_link told = { .present = false };

    if (team->config.setting.mode == TEAM_LACP && link->present) {
        told = (struct lacp_link){ .present = true, .standby = link->standby, .up = link->up,
                                   .half_duplex = link->half_duplex,
                                   .speed_mbps = link->speed_mbps, .mac = link->mac };
    }
    lacp_set_link(team->lacp, number, &told, now_ms);
}

static void want_of_lacp(struct team *team, uint64_t now_ms)
{
    const uint8_t regular = regular_members(team);

    lacp_want(team->lacp, regular != 0 ? (unsigned)__builtin_popcount(regular) : 1, now_ms);
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct team *team_create(const struct team_config *config, uint64_t now_ms)
{
    const struct lacp_config lacp = lacp_config_of(config);
    struct team *team = calloc(1, sizeof(*team));

    if (team == NULL) {
        return NULL;
    }
    team->lacp = lacp_create(&lacp, now_ms);
    if (team->lacp == NULL) {
        free(team);
        return NULL;
    }
    team->config = *config;
    forget_buckets(team);
    want_of_lacp(team, now_ms);
    update(team, now_ms);
    return team;
}

void team_destroy(struct team *team)
{
    if (team != NULL) {
        lacp_destroy(team->lacp);
        free(team);
    }
}

void team_configure(struct team *team, const struct team_config *config, uint64_t now_ms)
{
    const struct lacp_config lacp = lacp_config_of(config);

    if (config->setting.balance != team->config.setting.balance) {
        forget_buckets(team);
    }
    team->config = *config;
    lacp_configure(team->lacp, &lacp, now_ms);
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        tell_lacp(team, i, now_ms);
    }
    update(team, now_ms);
}

void team_set_link(struct team *team, unsigned number, const struct team_link *link,
                   uint64_t now_ms)
{
    struct team_member *member = &team->member[number];
    const struct team_member was = *member;

    if (!link->present) {
        *member = (struct team_member){ .link.present = false };
    } else {
        if (!link->up) {
            member->waits = false;
        } else if (!was.link.up && was.had_carrier) {
            member->waits = true;
            member->carries_at_ms = now_ms + team->config.setting.up_delay_ms;
        }
        member->had_carrier = was.had_carrier || link->up;
        member->speed_mbps = link->up ? link->speed_mbps : was.speed_mbps;
        member->link = *link;
    }
    if (link->present != was.link.present || link->standby != was.link.standby ||
        member->speed_mbps != was.speed_mbps) {
        set_home(team);
    }
    tell_lacp(team, number, now_ms);
    want_of_lacp(team, now_ms);
    update(team, now_ms);
}

void team_receive(struct team *team, unsigned number, const uint8_t *frame, uint32_t len_bytes,
                  uint64_t now_ms)
{
    if (team->config.setting.mode == TEAM_LACP && team->member[number].link.present) {
        lacp_receive(team->lacp, number, frame, len_bytes, now_ms);
        update(team, now_ms);
    }
}

bool team_fetch(struct team *team, uint64_t now_ms, unsigned *number,
                uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    return team->config.setting.mode == TEAM_LACP &&
           lacp_fetch(team->lacp, now_ms, number, frame);
}

uint64_t team_tick(struct team *team, uint64_t now_ms)
{
    uint64_t next_ms = LACP_NEVER;

    if (team->config.setting.mode == TEAM_LACP) {
        next_ms = lacp_tick(team->lacp, now_ms);
    }
    update(team, now_ms);
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        const struct team_member *member = &team->member[i];

        if (member->waits && member->carries_at_ms < next_ms) {
            next_ms = member->carries_at_ms;
        }
        if (member->rests_at_ms > now_ms && member->rests_at_ms < next_ms) {
            next_ms = member->rests_at_ms;
        }
    }
    return next_ms;
}

void team_rebalance(struct team *team, const uint64_t sent_bytes[TEAM_BUCKETS])
{
    if (team->config.setting.balance == TEAM_DYNAMIC) {
        team_spread_loads(team->plan.flow, sent_bytes, team->plan.carries, team->weight,
                          team->config.setting.imbalance_percent);
    }
}

/* ---- what is told ---------------------------------------------------------------------------- */

const struct team_plan *team_plan(const struct team *team)
{
    return &team->plan;
}

void team_member_status(const struct team *team, unsigned number, uint64_t now_ms,
                        struct team_member_status *status)
{
    const struct team_member *member = &team->member[number];
    const bool is_lacp = team->config.setting.mode == TEAM_LACP;

    *status = (struct team_member_status){
        .why = "", .lacp = { .receive = "", .mux = "", .why = "", .heard_ms = LACP_NEVER }
    };
    if (is_lacp) {
        lacp_status(team->lacp, number, &status->lacp);
    }
    status->carries = (team->plan.carries & bit(number)) != 0;
    if (status->carries) {
        return;
    }
    if (!member->link.present) {
        status->why = "is no member";
    } else if (!member->link.up) {
        status->why = "has no carrier";
    } else if (is_lacp) {
        status->why = status->lacp.why;
    } else if (member->waits) {
        status->why = "has its carrier back, and waits for it to last";
        status->up_in_ms = member->carries_at_ms > now_ms
                               ? (uint32_t)(member->carries_at_ms - now_ms) : 0;
    } else {
        status->why = "stands by";
    }
}

bool team_plan_moved(const struct team_plan *before, const struct team_plan *after,
                     uint64_t moved[TEAM_BUCKETS / 64])
{
    bool any = false;

    memset(moved, 0, TEAM_BUCKETS / 8);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (after->own[i] != before->own[i] && after->own[i] != TEAM_NO_MEMBER) {
            moved[i / 64] |= UINT64_C(1) << i % 64;
            any = true;
        }
    }
    return any;
}
