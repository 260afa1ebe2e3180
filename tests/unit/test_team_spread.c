/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buckets divided: in proportion, with few that move, and back where they were.
 */
#include "teaming/team_spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

static const uint32_t equal[TEAM_MEMBERS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1 };
static uint8_t member[TEAM_BUCKETS], home[TEAM_BUCKETS], before[TEAM_BUCKETS];

static void spread_home(uint8_t members, const uint32_t *weight)
{
    uint8_t nowhere[TEAM_BUCKETS];

    memset(nowhere, TEAM_NO_MEMBER, sizeof(nowhere));
    memset(home, TEAM_NO_MEMBER, sizeof(home));
    team_spread(home, nowhere, members, 0, true, weight);
    memcpy(member, home, sizeof(member));
}

static unsigned buckets_of(unsigned number)
{
    unsigned count = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        count += member[i] == number;
    }
    return count;
}

static unsigned moved(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        count += member[i] != before[i];
    }
    return count;
}

/* The buckets in use belong to members that carry, each of which has its share, within one. */
static void assert_in_proportion(uint8_t carries, const uint32_t *weight)
{
    double sum = 0;
    unsigned count = 0;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        sum += (carries >> i & 1) != 0 ? weight[i] : 0;
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        const double share = (carries >> i & 1) != 0 ? weight[i] * (double)TEAM_BUCKETS / sum : 0;

        assert_true(buckets_of(i) < share + 1 && buckets_of(i) + 1 > share);
        count += buckets_of(i);
    }
    assert_int_equal(count, carries != 0 ? TEAM_BUCKETS : 0);
}

static void test_team_spread_neighbouring_buckets_are_with_different_members(void **state)
{
    (void)state;

    spread_home(0x0b, equal);

    assert_in_proportion(0x0b, equal);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        static const uint8_t in_turn[] = { 0, 1, 3 };

        assert_int_equal(member[i], in_turn[i % 3]);
    }
}

static void test_team_spread_is_in_proportion_to_weights(void **state)
{
    static const uint32_t weight[TEAM_MEMBERS_MAX] = { 10000, 40000, 1000, 100000 };
    (void)state;

    spread_home(0x0f, weight);

    assert_in_proportion(0x0f, weight);
}

static void test_team_spread_loss_moves_what_was_lost_only(void **state)
{
    (void)state;

    for (unsigned members = 2; members <= 8; members++) {
        const uint8_t all = (uint8_t)((1u << members) - 1);

        for (unsigned lost = 0; lost < members; lost++) {
            const uint8_t left = all & (uint8_t)~(1u << lost);
            unsigned orphans;

            spread_home(all, equal);
            memcpy(before, member, sizeof(before));
            orphans = buckets_of(lost);
            team_spread(member, home, left, 0, true, equal);

            assert_int_equal(moved(), orphans);
            assert_in_proportion(left, equal);
        }
    }
}

static void test_team_spread_return_restores_what_was(void **state)
{
    (void)state;

    for (unsigned members = 2; members <= 8; members++) {
        const uint8_t all = (uint8_t)((1u << members) - 1);

        for (unsigned lost = 0; lost < members; lost++) {
            const uint8_t one = (uint8_t)(1u << lost);

            spread_home(all, equal);
            team_spread(member, home, all & (uint8_t)~one, 0, true, equal);
            team_spread(member, home, all, one, true, equal);

            assert_memory_equal(member, home, sizeof(home));
        }
    }
}

static void test_team_spread_newcomer_takes_its_share_and_no_more(void **state)
{
    (void)state;

    for (unsigned members = 1; members < 8; members++) {
        const uint8_t all = (uint8_t)((1u << members) - 1);
        const uint8_t more = (uint8_t)(all << 1 | 1);

        spread_home(more, equal);
        memcpy(before, home, sizeof(before));
        memset(member, TEAM_NO_MEMBER, sizeof(member));
        team_spread(member, home, all, 0, true, equal);
        memcpy(before, member, sizeof(before));
        team_spread(member, home, more, more & (uint8_t)~all, true, equal);

        assert_in_proportion(more, equal);
        assert_int_equal(moved(), buckets_of(members));
    }
}

static void test_team_spread_nobody_has_nothing(void **state)
{
    (void)state;

    spread_home(0x03, equal);
    team_spread(member, home, 0, 0, true, equal);

    assert_in_proportion(0, equal);
    assert_int_equal(member[0], TEAM_NO_MEMBER);
}

/* Whoever comes and goes: in proportion, and never more moves than the change asks for. */
static void test_team_spread_random_changes_keep_proportion_with_few_moves(void **state)
{
    uint8_t carries = 0;
    uint64_t seed = 5;
    (void)state;

    spread_home(0xff, equal);
    memset(member, TEAM_NO_MEMBER, sizeof(member));
    for (unsigned i = 0; i < 20000; i++) {
        const uint8_t now = (uint8_t)random_next(&seed) | (uint8_t)random_next(&seed);
        unsigned orphans = 0, gained = 0;

        memcpy(before, member, sizeof(before));
        for (unsigned bucket = 0; bucket < TEAM_BUCKETS; bucket++) {
            orphans += member[bucket] == TEAM_NO_MEMBER || (now >> member[bucket] & 1) == 0;
        }
        team_spread(member, home, now, now & (uint8_t)~carries, true, equal);
        assert_in_proportion(now, equal);
        for (unsigned j = 0; j < TEAM_MEMBERS_MAX; j++) {
            gained += (now & ~carries & 1u << j) != 0 ? buckets_of(j) : 0;
        }
        assert_true(moved() <= (now != 0 ? orphans + gained : TEAM_BUCKETS));
        carries = now;
    }
}

static void test_team_spread_random_weights_keep_proportion(void **state)
{
    uint64_t seed = 6;
    (void)state;

    for (unsigned i = 0; i < 2000; i++) {
        const uint8_t carries = (uint8_t)random_below(&seed, 255) + 1;
        uint32_t weight[TEAM_MEMBERS_MAX];

        for (unsigned j = 0; j < TEAM_MEMBERS_MAX; j++) {
            weight[j] = i % 2 != 0 ? UINT32_MAX - random_below(&seed, 9)
                                   : 1 + random_below(&seed, 400000);
        }
        spread_home(0xff, weight);
        team_spread(member, home, carries, carries, true, weight);
        assert_in_proportion(carries, weight);
    }
}

/* ---- by load --------------------------------------------------------------------------------- */

static uint64_t load[TEAM_BUCKETS];

/* By how many per cent the member with most has more than its share. */
static double unevenness(uint8_t carries, const uint32_t *weight)
{
    double sum = 0, total = 0, worst = 0, has[TEAM_MEMBERS_MAX] = { 0 };

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        has[member[i]] += (double)load[i];
        total += (double)load[i];
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        sum += (carries >> i & 1) != 0 ? weight[i] : 0;
    }
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        const double share = (carries >> i & 1) != 0 ? total * weight[i] / sum : 0;
        const double over = share > 0 ? has[i] * 100 / share - 100 : 0;

        worst = over > worst ? over : worst;
    }
    return worst;
}

/* 1,000 flows in buckets by chance, the largest sixteen times the smallest. */
static void draw_loads(uint64_t *seed)
{
    memset(load, 0, sizeof(load));
    for (unsigned i = 0; i < 1000; i++) {
        load[random_below(seed, TEAM_BUCKETS)] += UINT64_C(1000) << random_below(seed, 5);
    }
}

static void test_team_spread_loads_of_unequal_flows_come_within_10_percent(void **state)
{
    double worst = 0;
    unsigned most = 0;
    uint64_t seed = 8;
    (void)state;

    for (unsigned i = 0; i < 700; i++) {
        const unsigned members = 1 + i % 8;
        const uint8_t all = (uint8_t)((1u << members) - 1);
        double percent;

        draw_loads(&seed);
        spread_home(all, equal);
        memcpy(before, member, sizeof(before));
        team_spread_loads(member, load, all, equal, 10);
        percent = unevenness(all, equal);
        worst = percent > worst ? percent : worst;
        most = moved() > most ? moved() : most;

        assert_true(percent <= 10);
    }
    printf("# measured: 1,000 flows on 1 to 8 members, worst of 700 draws: %.1f %% over the share,"
           " at most %u buckets moved\n", worst, most);
}

static void test_team_spread_loads_go_by_weight(void **state)
{
    static const uint32_t weight[TEAM_MEMBERS_MAX] = { 10, 40 };
    uint64_t seed = 8;
    (void)state;

    draw_loads(&seed);
    spread_home(0x03, equal);
    team_spread_loads(member, load, 0x03, weight, 10);

    assert_true(unevenness(0x03, weight) <= 10);
}

static void test_team_spread_loads_rest_once_they_are_even(void **state)
{
    uint64_t seed = 12;
    (void)state;

    for (unsigned i = 0; i < 200; i++) {
        draw_loads(&seed);
        spread_home(0x3f, equal);
        load[0] *= 50;             /* so that there is something to be done */
        team_spread_loads(member, load, 0x3f, equal, 10);
        memcpy(before, member, sizeof(before));
        for (unsigned bucket = 0; bucket < TEAM_BUCKETS; bucket++) {
            load[bucket] = load[bucket] * (98 + random_below(&seed, 5)) / 100;
        }
        team_spread_loads(member, load, 0x3f, equal, 10);

        assert_int_equal(moved(), 0);
    }
}

static void test_team_spread_loads_within_the_limit_stay(void **state)
{
    (void)state;

    spread_home(0x03, equal);
    memcpy(before, member, sizeof(before));
    memset(load, 0, sizeof(load));
    load[0] = 100;                 /* of member 0 */
    load[2] = 9;
    load[1] = 91;                  /* of member 1 */

    team_spread_loads(member, load, 0x03, equal, 10);
    assert_int_equal(moved(), 0);
    load[2] = 13;
    team_spread_loads(member, load, 0x03, equal, 10);
    assert_int_equal(moved(), 1);
    assert_int_equal(member[2], 1);
}

static void test_team_spread_loads_one_long_flow_stays_and_others_go(void **state)
{
    (void)state;

    spread_home(0x03, equal);
    memset(load, 0, sizeof(load));
    load[0] = 1000000;
    team_spread_loads(member, load, 0x03, equal, 10);
    assert_int_equal(member[0], 0);

    load[2] = 10;
    load[4] = 10;
    team_spread_loads(member, load, 0x03, equal, 10);
    assert_int_equal(member[0], 0);
    assert_int_equal(member[2], 1);
    assert_int_equal(member[4], 1);
}

static void test_team_spread_loads_of_any_size_end(void **state)
{
    uint64_t seed = 13;
    (void)state;

    for (unsigned i = 0; i < 500; i++) {
        const uint8_t carries = (uint8_t)random_below(&seed, 255) + 1;

        for (unsigned j = 0; j < TEAM_BUCKETS; j++) {
            load[j] = random_next(&seed) >> random_below(&seed, 64);
        }
        spread_home(carries, equal);
        team_spread_loads(member, load, carries, equal, 0);
        for (unsigned j = 0; j < TEAM_BUCKETS; j++) {
            assert_true((carries >> member[j] & 1) != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_team_spread_##name)
        T(neighbouring_buckets_are_with_different_members),
        T(is_in_proportion_to_weights),
        T(loss_moves_what_was_lost_only),
        T(return_restores_what_was),
        T(newcomer_takes_its_share_and_no_more),
        T(nobody_has_nothing),
        T(random_changes_keep_proportion_with_few_moves),
        T(random_weights_keep_proportion),
        T(loads_of_unequal_flows_come_within_10_percent),
        T(loads_go_by_weight),
        T(loads_rest_once_they_are_even),
        T(loads_within_the_limit_stay),
        T(loads_one_long_flow_stays_and_others_go),
        T(loads_of_any_size_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
