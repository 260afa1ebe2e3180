/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buckets divided among members, so that each has its share and few change hands.
 *
 * Each member is to have buckets in proportion to its weight, within one.  What a lost member had
 * goes to the others and nothing else moves; what a new member gets comes from those that have
 * most.  Every bucket has a home, the member that has it when all are there, and goes there rather
 * than elsewhere: so a member that returns gets what it had, and neighbouring buckets, those of
 * neighbouring ports, are with different members.
 *
 * Thread: one at a time, any.  Does not allocate.
 */
#ifndef TEAMING_TEAM_SPREAD_H
#define TEAMING_TEAM_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "teaming/team.h"

/**
 * Gives each bucket a member that carries.
 *
 * @param member     of each bucket as it was, or TEAM_NO_MEMBER; changed
 * @param home       of each bucket, or TEAM_NO_MEMBER
 * @param carries    members to have buckets, a bit each; none: every bucket has TEAM_NO_MEMBER
 * @param came       of those, the ones that were not there before
 * @param all_level  all get their share; else only those that came, because what the others have is
 *                   not to be judged by number
 * @param weight     of each member that carries, not 0
 */
void team_spread(uint8_t member[TEAM_BUCKETS], const uint8_t home[TEAM_BUCKETS], uint8_t carries,
                 uint8_t came, bool all_level, const uint32_t weight[TEAM_MEMBERS_MAX]);

/**
 * Moves buckets so that members' loads are in proportion to their weights: from the one that has
 * most beyond its share to the one that lacks most, the bucket whose load comes closest to what is
 * to be moved, as long as there is one that is not far more.  Nothing as long as no member has more
 * than @p imbalance_percent over its share; once begun, down to half of that, so that it is not to
 * be done again soon.
 *
 * @param load  of each bucket, in any unit
 */
void team_spread_loads(uint8_t member[TEAM_BUCKETS], const uint64_t load[TEAM_BUCKETS],
                       uint8_t carries, const uint32_t weight[TEAM_MEMBERS_MAX],
                       uint32_t imbalance_percent);

#endif
