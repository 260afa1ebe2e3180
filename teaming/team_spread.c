/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A member's lack is what it is to have less what it has.  A bucket that moves from one member to
 * another makes the whole more even when their lacks differ by more than the bucket: the sum of
 * their squares falls, and so this ends.  When they differ by just the bucket, it stays as even.
 *
 * Everything is multiplied by the sum of the weights, so that shares are whole numbers and numbers
 * of buckets exact: they stay far below 2^53.  Loads need not be exact.
 */
#include "teaming/team_spread.h"

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

/* Buckets on their way between members. */
struct spread {
    uint8_t *member;               /* of each bucket */
    const uint8_t *home;
    double lack[TEAM_MEMBERS_MAX];
    double one;                    /* what a bucket counts as */
};

static void give(struct spread *spread, unsigned bucket, unsigned to)
{
    const unsigned from = spread->member[bucket];

    if (from < TEAM_MEMBERS_MAX) {
        spread->lack[from] += spread->one;
    }
    spread->lack[to] -= spread->one;
    spread->member[bucket] = (uint8_t)to;
}

/* Home, as long as there is room for a whole bucket; then to those that lack most. */
static void place_orphans(struct spread *spread, uint8_t carries)
{
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        const unsigned home = spread->home[i];

        if (!has(carries, spread->member[i]) && has(carries, home) &&
            spread->lack[home] >= spread->one) {
            give(spread, i, home);
        }
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (!has(carries, spread->member[i])) {
            const unsigned home = spread->home[i];
            const unsigned most = extreme(spread->lack, carries, 1);

            give(spread, i, has(carries, home) && spread->lack[home] == spread->lack[most]
                                ? home : most);
        }
    }
}

/* Members that came get what is theirs from those that have @p margin too many, as long as they
 * lack so much themselves. */
static void bring_home(struct spread *spread, uint8_t came, double margin)
{
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        const unsigned home = spread->home[i];
        const double *lack = spread->lack;

        if (has(came, home) && lack[home] >= margin && lack[spread->member[i]] <= -margin &&
            lack[home] - lack[spread->member[i]] >= spread->one) {
            give(spread, i, home);
        }
    }
}

/* A bucket of those that have @p least to lack: rather one that is at home with @p to, or else one
 * that is not at home where it is. */
static unsigned bucket_to_give(const struct spread *spread, double least, unsigned to)
{
    unsigned best = TEAM_BUCKETS;
    int best_rank = -1;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        const int rank = spread->home[i] == to ? 2 : spread->home[i] != spread->member[i];

        if (spread->lack[spread->member[i]] == least && rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/* From those that have most to those of @p gainers that lack most. */
static void level(struct spread *spread, uint8_t carries, uint8_t gainers)
{
    while (gainers != 0) {
        const double least = spread->lack[extreme(spread->lack, carries, -1)];
        const unsigned to = extreme(spread->lack, gainers, 1);

        if (spread->lack[to] - least <= spread->one) {
            return;
        }
        give(spread, bucket_to_give(spread, least, to), to);
    }
}

void team_spread(uint8_t member[TEAM_BUCKETS], const uint8_t home[TEAM_BUCKETS], uint8_t carries,
                 uint8_t came, bool all_level, const uint32_t weight[TEAM_MEMBERS_MAX])
{
    struct spread spread = { .member = member, .home = home };

    if (carries == 0) {
        memset(member, TEAM_NO_MEMBER, TEAM_BUCKETS);
        return;
    }
    spread.one = set_shares(spread.lack, TEAM_BUCKETS, carries, weight);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        if (has(carries, member[i])) {
            spread.lack[member[i]] -= spread.one;
        }
    }
    place_orphans(&spread, carries);
    bring_home(&spread, came, spread.one);
    level(&spread, carries, all_level ? carries : came);
    bring_home(&spread, came, 0);
}

/* ---- by load --------------------------------------------------------------------------------- */

/* The bucket of @p from whose load is closest to @p wanted, at most half of that over, or
 * TEAM_BUCKETS.  What is more helps little, and is as a rule one long flow. */
static unsigned bucket_of_load(const uint8_t member[TEAM_BUCKETS],
                               const uint64_t load[TEAM_BUCKETS], unsigned from, double wanted)
{
    unsigned best = TEAM_BUCKETS;
    double best_distance = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        const double distance = (double)load[i] > wanted ? (double)load[i] - wanted
                                                         : wanted - (double)load[i];

        if (member[i] == from && load[i] != 0 && (double)load[i] <= wanted * 1.5 &&
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
        const unsigned bucket = bucket_of_load(member, load, from, wanted);

        if (bucket == TEAM_BUCKETS) {
            return;
        }
        member[bucket] = (uint8_t)to;
        lack[from] += one * (double)load[bucket];
        lack[to] -= one * (double)load[bucket];
        percent = imbalance_percent / 2.0;
    }
}
