/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A member's lack is what it is to have less what it has.  A bucket that moves from one member to
 * another makes the whole more even when their lacks differ by more than the bucket: the sum of
 * their squares falls, and so this ends.
 *
 * Everything is multiplied by the sum of the weights, so that shares are whole numbers and numbers
 * of buckets exact: they stay far below 2^53.  Loads need not be exact.
 */
#include "teaming/team_spread.h"

#include <stdbool.h>
#include <string.h>

#define NONE TEAM_MEMBERS_MAX

static bool has(uint8_t members, unsigned member)
{
    return member < TEAM_MEMBERS_MAX && (members >> member & 1) != 0;
}

/* Fills @p share with each member's share of @p total.  @return what one of it counts as */
static double set_shares(double share[TEAM_MEMBERS_MAX], double total, uint8_t carries,
                         const uint32_t weight[TEAM_MEMBERS_MAX])
{
    double sum = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        share[i] = has(carries, i) ? total * weight[i] : 0;
        sum += has(carries, i) ? weight[i] : 0;
    }
    return sum;
}

/* The one of @p members that lacks most (@p sign 1) or has most beyond its share (-1). */
static unsigned extreme(const double lack[TEAM_MEMBERS_MAX], uint8_t members, double sign)
{
    unsigned best = NONE;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (has(members, i) && (best == NONE || sign * lack[i] > sign * lack[best])) {
            best = i;
        }
    }
    return best;
}

/* ---- by number ------------------------------------------------------------------------------- */

/* The bucket of @p from that @p to should have first: its own, then one that is not at home. */
static unsigned bucket_to_give(const uint8_t member[TEAM_BUCKETS], const uint8_t home[TEAM_BUCKETS],
                               unsigned from, unsigned to)
{
    unsigned stray = TEAM_BUCKETS, any = TEAM_BUCKETS;

    for (unsigned i = TEAM_BUCKETS; i-- > 0;) {
        if (member[i] == from) {
            any = i;
            stray = home[i] != from ? i : stray;
        }
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (member[i] == from && home[i] == to) {
            return i;
        }
    }
    return stray != TEAM_BUCKETS ? stray : any;
}

static void place_orphans(uint8_t member[TEAM_BUCKETS], const uint8_t home[TEAM_BUCKETS],
                          uint8_t carries, double lack[TEAM_MEMBERS_MAX], double one)
{
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (!has(carries, member[i]) && has(carries, home[i])) {
            member[i] = home[i];
            lack[home[i]] -= one;
        }
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (!has(carries, member[i])) {
            member[i] = (uint8_t)extreme(lack, carries, 1);
            lack[member[i]] -= one;
        }
    }
}

void team_spread(uint8_t member[TEAM_BUCKETS], const uint8_t home[TEAM_BUCKETS], uint8_t carries,
                 uint8_t gainers, const uint32_t weight[TEAM_MEMBERS_MAX])
{
    double lack[TEAM_MEMBERS_MAX], one;
    unsigned from, to;

    if (carries == 0) {
        memset(member, TEAM_NO_MEMBER, TEAM_BUCKETS);
        return;
    }
    one = set_shares(lack, TEAM_BUCKETS, carries, weight);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (has(carries, member[i])) {
            lack[member[i]] -= one;
        }
    }
    place_orphans(member, home, carries, lack, one);
    while (gainers != 0) {
        from = extreme(lack, carries, -1);
        to = extreme(lack, gainers, 1);
        if (lack[to] - lack[from] <= one) {
            return;
        }
        member[bucket_to_give(member, home, from, to)] = (uint8_t)to;
        lack[from] += one;
        lack[to] -= one;
    }
}

/* ---- by load --------------------------------------------------------------------------------- */

/* The bucket of @p from whose load is closest to @p wanted and below @p limit; TEAM_BUCKETS: none. */
static unsigned bucket_of_load(const uint8_t member[TEAM_BUCKETS],
                               const uint64_t load[TEAM_BUCKETS], unsigned from, double wanted,
                               double limit)
{
    unsigned best = TEAM_BUCKETS;
    double best_distance = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        const double distance = (double)load[i] > wanted ? (double)load[i] - wanted
                                                         : wanted - (double)load[i];

        if (member[i] == from && load[i] != 0 && (double)load[i] < limit &&
            (best == TEAM_BUCKETS || distance < best_distance)) {
            best = i;
            best_distance = distance;
        }
    }
    return best;
}

/* Whether some member has more than @p percent over its share. */
static bool is_uneven(const double lack[TEAM_MEMBERS_MAX], const double share[TEAM_MEMBERS_MAX],
                      uint8_t carries, double percent)
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (has(carries, i) && -lack[i] > share[i] * percent / 100) {
            return true;
        }
    }
    return false;
}

void team_spread_loads(uint8_t member[TEAM_BUCKETS], const uint64_t load[TEAM_BUCKETS],
                       uint8_t carries, const uint32_t weight[TEAM_MEMBERS_MAX],
                       uint32_t imbalance_percent)
{
    double lack[TEAM_MEMBERS_MAX], share[TEAM_MEMBERS_MAX];
    double total = 0, percent = imbalance_percent, one;

    if (carries == 0) {
        return;
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        total += (double)load[i];
    }
    one = set_shares(share, total, carries, weight);
    memcpy(lack, share, sizeof(lack));
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        lack[member[i]] -= one * (double)load[i];
    }
    for (unsigned moves = 0; moves < TEAM_BUCKETS && is_uneven(lack, share, carries, percent);
         moves++) {
        const unsigned from = extreme(lack, carries, -1);
        const unsigned to = extreme(lack, carries, 1);
        const double wanted = (-lack[from] < lack[to] ? -lack[from] : lack[to]) / one;
        const double limit = (lack[to] - lack[from]) / one;
        const unsigned bucket = bucket_of_load(member, load, from, wanted, limit);

        if (bucket == TEAM_BUCKETS) {
            return;
        }
        member[bucket] = (uint8_t)to;
        lack[from] += one * (double)load[bucket];
        lack[to] -= one * (double)load[bucket];
        percent = imbalance_percent / 2.0;
    }
}
