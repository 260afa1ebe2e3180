/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announces the addresses behind a team whose ports have another member, in a few rounds.
 *
 * How a frame of it looks, and when a round is due, is teaming/team_announce.h's.
 * Thread: the keeper's, under its lock.
 */
#ifndef CTL_HOST_TEAM_ANNOUNCER_H
#define CTL_HOST_TEAM_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/team_port.h"
#include "teaming/team.h"
#include "vnic/vnic.h"

/* An address behind the team. */
struct team_address {
    uint64_t mac;
    const struct vnic *vnic;       /* announced while it is attached; NULL: the host's, always */
    uint16_t tci;                  /* the tag that it has outside; 0: none */
    uint16_t port;
};

/* All zero: nobody is behind the team. */
struct team_announcer {
    struct team_address *address;  /* owned */
    size_t address_count;
    uint64_t moved[TEAM_BUCKETS / 64];     /* port buckets to announce */
    uint64_t moved_at_ms;
    unsigned round;                /* the next; 0: there is nothing to announce */
};

/* By what a team sends. */
struct team_announcer_way {
    struct team_port *port;
    const struct team_plan *plan;
    const struct fabric_endpoint *member[TEAM_MEMBERS_MAX];
};

/**
 * Takes a copy of the addresses that there are now; of those before none is used any more.
 * @return false: memory is short, and there are none
 */
bool team_announcer_know(struct team_announcer *announcer, const struct team_address *address,
                         size_t count);
void team_announcer_free(struct team_announcer *announcer);

/** Port buckets have moved, a bit each: the first round is due at once. */
void team_announcer_begin(struct team_announcer *announcer,
                          const uint64_t moved[TEAM_BUCKETS / 64], uint64_t now_ms);

/**
 * Does a round that is due.
 *
 * @param host_moved  set when an address of the host's was in it, else left
 * @return when the next is due, or UINT64_MAX
 */
uint64_t team_announcer_turn(struct team_announcer *announcer,
                             const struct team_announcer_way *way, uint64_t now_ms,
                             bool *host_moved);

#endif
