/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who carries, whose frames are taken, and which buckets are whose, as links and time go by.
 */
#include "teaming/team.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

#define UP_DELAY 1000u

static struct team_config config;
static struct team *team;
static struct team_plan before;
static uint64_t now;               /* the virtual clock */

/* Switch-independent, by port, without members. */
static int setup(void **state)
{
    (void)state;
    now = 5000;
    config = (struct team_config){ .setting = { .mode = TEAM_INDEPENDENT, .balance = TEAM_PORT } };
    team_setting_default(&config.setting);
    config.setting.up_delay_ms = UP_DELAY;
    config.lacp = (struct lacp_config){ .system_mac = 0x00155d0000aa, .system_priority = 32768,
                                        .key = 1 };
    team = team_create(&config, now);
    return team == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    team_destroy(team);
    return 0;
}

static void set_link(unsigned number, bool up, bool standby, uint32_t speed_mbps)
{
    const struct team_link link = { .present = true, .standby = standby, .up = up,
                                    .speed_mbps = speed_mbps, .mac = 0x00155d000100 + number };

    before = *team_plan(team);
    team_set_link(team, number, &link, now);
}

static void up(unsigned number)
{
    set_link(number, true, false, 10000);
}

static void down(unsigned number)
{
    set_link(number, false, false, 0);
}

static void standby_up(unsigned number)
{
    set_link(number, true, true, 10000);
}

static void drop_member(unsigned number)
{
    const struct team_link none = { .present = false };

    before = *team_plan(team);
    team_set_link(team, number, &none, now);
}

static uint64_t pass(uint64_t ms)
{
    before = *team_plan(team);
    now += ms;
    return team_tick(team, now);
}

static void configure(enum team_mode mode, enum team_balance balance)
{
    config.setting.mode = mode;
    config.setting.balance = balance;
    before = *team_plan(team);
    team_configure(team, &config, now);
}

static unsigned count(const uint8_t bucket[TEAM_BUCKETS], unsigned member)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        sum += bucket[i] == member;
    }
    return sum;
}

static unsigned differ(const uint8_t a[TEAM_BUCKETS], const uint8_t b[TEAM_BUCKETS])
{
    unsigned sum = 0;

    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        sum += a[i] != b[i];
    }
    return sum;
}

static const char *why(unsigned number)
{
    struct team_member_status status;

    team_member_status(team, number, now, &status);
    return status.why;
}

static uint32_t up_in_ms(unsigned number)
{
    struct team_member_status status;

    team_member_status(team, number, now, &status);
    return status.up_in_ms;
}

/* ---- who carries ----------------------------------------------------------------------------- */

static void test_team_without_members_nobody_carries(void **state)
{
    (void)state;

    assert_int_equal(team_plan(team)->carries, 0);
    assert_int_equal(team_plan(team)->primary, TEAM_NO_MEMBER);
    assert_int_equal(count(team_plan(team)->own, TEAM_NO_MEMBER), TEAM_BUCKETS);
    assert_int_equal(count(team_plan(team)->flow, TEAM_NO_MEMBER), TEAM_BUCKETS);
    assert_true(pass(0) == LACP_NEVER);
    assert_string_equal(why(3), "is no member");
}

static void test_team_members_with_carrier_carry_at_once_at_the_start(void **state)
{
    (void)state;

    up(1);
    up(4);
    down(5);

    assert_int_equal(team_plan(team)->carries, 0x12);
    assert_int_equal(team_plan(team)->takes, 0x12);
    assert_int_equal(team_plan(team)->primary, 1);
    assert_int_equal(count(team_plan(team)->own, 1), 128);
    assert_int_equal(count(team_plan(team)->own, 4), 128);
    assert_string_equal(why(1), "");
    assert_string_equal(why(5), "has no carrier");
}

static void test_team_loss_moves_the_lost_ones_buckets_only(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        up(i);
    }
    down(2);

    assert_int_equal(team_plan(team)->carries, 0x0b);
    assert_int_equal(differ(before.own, team_plan(team)->own), 64);
    assert_int_equal(count(team_plan(team)->own, 2), 0);
}

static void test_team_returns_after_the_up_delay(void **state)
{
    (void)state;

    up(0);
    up(1);
    down(1);
    now += 10;
    up(1);

    assert_int_equal(team_plan(team)->carries, 0x01);
    assert_string_equal(why(1), "has its carrier back, and waits for it to last");
    assert_int_equal(up_in_ms(1), UP_DELAY);
    assert_true(pass(UP_DELAY - 1) == now + 1);
    assert_int_equal(team_plan(team)->carries, 0x01);
    assert_int_equal(up_in_ms(1), 1);
    assert_true(pass(1) == LACP_NEVER);
    assert_int_equal(team_plan(team)->carries, 0x03);
}

static void test_team_carrier_that_flaps_starts_the_delay_again(void **state)
{
    (void)state;

    up(0);
    up(1);
    down(1);
    up(1);
    pass(UP_DELAY - 1);
    down(1);
    up(1);
    pass(UP_DELAY - 1);
    assert_int_equal(team_plan(team)->carries, 0x01);
    pass(1);

    assert_int_equal(team_plan(team)->carries, 0x03);
}

static void test_team_waits_for_nothing_when_nobody_else_can(void **state)
{
    (void)state;

    up(0);
    up(1);
    down(1);
    up(1);
    down(0);
    assert_int_equal(team_plan(team)->carries, 0x02);
    down(1);
    assert_int_equal(team_plan(team)->carries, 0);
    up(0);

    assert_int_equal(team_plan(team)->carries, 0x01);
    assert_true(pass(0) == LACP_NEVER);
}

static void test_team_returning_member_has_what_it_had(void **state)
{
    uint8_t own[TEAM_BUCKETS];
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        up(i);
    }
    memcpy(own, team_plan(team)->own, sizeof(own));
    down(0);
    up(0);
    pass(UP_DELAY);

    assert_memory_equal(own, team_plan(team)->own, sizeof(own));
}

static void test_team_removed_member_is_gone_at_once_and_comes_as_new(void **state)
{
    (void)state;

    up(0);
    up(1);
    drop_member(1);
    assert_int_equal(team_plan(team)->carries, 0x01);
    assert_int_equal(team_plan(team)->takes, 0x01);
    up(1);

    assert_int_equal(team_plan(team)->carries, 0x03);
}

static void test_team_shares_go_by_speed(void **state)
{
    (void)state;

    for (unsigned balance = 0; balance < TEAM_BALANCE_COUNT; balance++) {
        configure(TEAM_STATIC, balance);
        set_link(0, true, false, 10000);
        set_link(1, true, false, 30000);
        assert_int_equal(count(team_plan(team)->flow, 0), 64);
        assert_int_equal(count(team_plan(team)->own, 0), balance == TEAM_HASH ? TEAM_BUCKETS : 64);
        set_link(1, true, false, 0);               /* not known: equal */
        set_link(1, true, false, 30000);
    }
    configure(TEAM_STATIC, TEAM_PORT);
    set_link(1, true, false, 0);
    assert_int_equal(count(team_plan(team)->own, 0), 128);
}

/* ---- standby --------------------------------------------------------------------------------- */

static void test_team_standby_takes_the_place_of_a_lost_member_only(void **state)
{
    (void)state;

    up(0);
    up(1);
    standby_up(2);
    assert_int_equal(team_plan(team)->carries, 0x03);
    assert_string_equal(why(2), "stands by");
    down(0);

    assert_int_equal(team_plan(team)->carries, 0x06);
    assert_int_equal(differ(before.own, team_plan(team)->own), 128);
    up(0);
    assert_int_equal(team_plan(team)->carries, 0x06);
    pass(UP_DELAY);
    assert_int_equal(team_plan(team)->carries, 0x03);
}

static void test_team_standby_is_as_many_as_are_lost(void **state)
{
    (void)state;

    up(0);
    up(1);
    standby_up(6);
    standby_up(7);
    down(1);
    assert_int_equal(team_plan(team)->carries, 0x41);
    down(0);
    assert_int_equal(team_plan(team)->carries, 0xc0);
    drop_member(0);

    assert_int_equal(team_plan(team)->carries, 0x40);
}

static void test_team_of_standby_members_only_has_one_that_carries(void **state)
{
    (void)state;

    standby_up(3);
    standby_up(5);

    assert_int_equal(team_plan(team)->carries, 0x08);
}

static void test_team_standby_is_taken_from_until_the_network_has_followed(void **state)
{
    (void)state;

    up(0);
    standby_up(1);
    assert_int_equal(team_plan(team)->takes, 0x01);
    down(0);
    up(0);
    assert_int_equal(team_plan(team)->takes, 0x02);
    assert_true(pass(UP_DELAY) == now + TEAM_HANDOVER_MS);

    assert_int_equal(team_plan(team)->takes, 0x03);
    assert_int_equal(team_plan(team)->primary, 0);
    pass(TEAM_HANDOVER_MS - 1);
    assert_int_equal(team_plan(team)->takes, 0x03);
    assert_true(pass(1) == LACP_NEVER);
    assert_int_equal(team_plan(team)->takes, 0x01);
}

static void test_team_static_takes_from_all_with_carrier(void **state)
{
    (void)state;

    configure(TEAM_STATIC, TEAM_HASH);
    up(0);
    standby_up(1);
    up(2);
    down(2);
    up(2);

    assert_int_equal(team_plan(team)->carries, 0x03);   /* member 2 waits, 1 stands in for it */
    assert_int_equal(team_plan(team)->takes, 0x07);
}

/* ---- balances -------------------------------------------------------------------------------- */

static void test_team_hash_has_the_primary_member_own_every_port(void **state)
{
    (void)state;

    configure(TEAM_INDEPENDENT, TEAM_HASH);
    up(2);
    up(5);
    assert_int_equal(count(team_plan(team)->own, 2), TEAM_BUCKETS);
    assert_int_equal(count(team_plan(team)->flow, 2), 128);
    down(2);

    assert_int_equal(count(team_plan(team)->own, 5), TEAM_BUCKETS);
}

static void test_team_another_balance_starts_evenly(void **state)
{
    uint64_t sent[TEAM_BUCKETS] = { 0 };
    (void)state;

    configure(TEAM_INDEPENDENT, TEAM_DYNAMIC);
    up(0);
    up(1);
    sent[0] = 1000;
    sent[2] = 900;
    team_rebalance(team, sent);
    assert_int_equal(count(team_plan(team)->flow, 0), 127);
    configure(TEAM_INDEPENDENT, TEAM_HASH);
    assert_int_equal(count(team_plan(team)->flow, 0), 128);
    configure(TEAM_INDEPENDENT, TEAM_PORT);

    assert_int_equal(count(team_plan(team)->own, 0), 128);
}

static void test_team_rebalances_when_dynamic_only(void **state)
{
    uint64_t sent[TEAM_BUCKETS] = { [0] = 1000, [2] = 900 };
    (void)state;

    up(0);
    up(1);
    for (unsigned balance = 0; balance < TEAM_BALANCE_COUNT; balance++) {
        configure(TEAM_INDEPENDENT, balance);
        before = *team_plan(team);
        team_rebalance(team, sent);
        assert_int_equal(differ(before.flow, team_plan(team)->flow), balance == TEAM_DYNAMIC);
        assert_int_equal(differ(before.own, team_plan(team)->own), 0);
    }
}

/* What loads have moved stays where it is when nothing but time and knobs change. */
static void test_team_rebalanced_buckets_stay(void **state)
{
    struct team_plan kept;
    uint64_t sent[TEAM_BUCKETS] = { 0 };
    (void)state;

    configure(TEAM_INDEPENDENT, TEAM_DYNAMIC);
    up(0);
    up(1);
    for (unsigned i = 0; i < 40; i++) {
        sent[2 * i] = 1000;
    }
    team_rebalance(team, sent);
    kept = *team_plan(team);
    assert_in_range(count(kept.flow, 0), 107, 109);
    pass(100000);
    config.setting.gap_ms = 7;
    configure(TEAM_INDEPENDENT, TEAM_DYNAMIC);
    set_link(1, true, false, 10000);
    assert_memory_equal(&kept, team_plan(team), sizeof(kept));
    down(1);
    up(1);
    pass(UP_DELAY);

    assert_memory_equal(kept.own, team_plan(team)->own, sizeof(kept.own));
    assert_int_equal(count(team_plan(team)->flow, 1), 128);
}

/* ---- announcements --------------------------------------------------------------------------- */

static void test_team_plan_moved_names_ports_with_another_member(void **state)
{
    uint64_t moved[TEAM_BUCKETS / 64];
    struct team_plan after;
    (void)state;

    up(0);
    up(1);
    assert_false(team_plan_moved(team_plan(team), team_plan(team), moved));
    down(1);
    after = *team_plan(team);

    assert_true(team_plan_moved(&before, &after, moved));
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        assert_int_equal(moved[i / 64] >> i % 64 & 1, before.own[i] == 1);
    }
    down(0);
    assert_false(team_plan_moved(&after, team_plan(team), moved));
}

/* ---- LACP ------------------------------------------------------------------------------------ */

/* Two teams whose members of one number are connected, for @p ms. */
static void talk(struct team *other, uint64_t ms)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;

    for (uint64_t end = now + ms; now < end; now += 10) {
        (void)team_tick(team, now);
        (void)team_tick(other, now);
        while (team_fetch(team, now, &number, frame)) {
            team_receive(other, number, frame, sizeof(frame), now);
        }
        while (team_fetch(other, now, &number, frame)) {
            team_receive(team, number, frame, sizeof(frame), now);
        }
    }
}

static struct team *other_team(void)
{
    struct team_config theirs = config;
    struct team *other;

    theirs.lacp.system_mac++;
    other = team_create(&theirs, now);
    assert_non_null(other);
    return other;
}

static void set_both(struct team *other, unsigned number, bool is_up)
{
    const struct team_link link = { .present = true, .up = is_up, .speed_mbps = 10000,
                                    .mac = 0x00155d000200 + number };

    team_set_link(team, number, &link, now);
    team_set_link(other, number, &link, now);
}

static void test_team_lacp_carries_when_both_ends_agree(void **state)
{
    struct team *other;
    (void)state;

    configure(TEAM_LACP, TEAM_HASH);
    other = other_team();
    set_both(other, 0, true);
    set_both(other, 1, true);
    assert_int_equal(team_plan(team)->carries, 0);
    assert_string_not_equal(why(0), "");
    talk(other, 10000);

    assert_int_equal(team_plan(team)->carries, 0x03);
    assert_int_equal(team_plan(team)->takes, 0x03);
    assert_string_equal(why(0), "");
    set_both(other, 0, false);
    assert_int_equal(team_plan(team)->carries, 0x02);
    assert_string_equal(why(0), "has no carrier");
    set_both(other, 0, true);
    talk(other, 10000);
    assert_int_equal(team_plan(team)->carries, 0x03);
    team_destroy(other);
}

static void test_team_lacp_silent_partner_is_left(void **state)
{
    struct team *other;
    (void)state;

    configure(TEAM_LACP, TEAM_PORT);
    other = other_team();
    set_both(other, 0, true);
    talk(other, 10000);
    assert_int_equal(team_plan(team)->carries, 0x01);
    for (unsigned i = 0; i < 320; i++) {
        pass(10);
    }

    assert_int_equal(team_plan(team)->carries, 0);
    team_destroy(other);
}

static void test_team_lacp_standby_member_waits_for_a_loss(void **state)
{
    struct team *other;
    (void)state;

    configure(TEAM_LACP, TEAM_HASH);
    other = other_team();
    set_both(other, 0, true);
    set_both(other, 1, true);
    standby_up(1);
    talk(other, 10000);
    assert_int_equal(team_plan(team)->carries, 0x01);
    down(0);
    talk(other, 10000);

    assert_int_equal(team_plan(team)->carries, 0x02);
    team_destroy(other);
}

static void test_team_lacp_is_silent_in_other_modes(void **state)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    unsigned number;
    (void)state;

    configure(TEAM_LACP, TEAM_HASH);
    up(0);
    pass(2000);
    assert_true(team_fetch(team, now, &number, frame));
    assert_int_equal(number, 0);
    configure(TEAM_STATIC, TEAM_HASH);
    pass(2000);

    assert_false(team_fetch(team, now, &number, frame));
    assert_int_equal(team_plan(team)->carries, 0x01);
}

/* ---- anything -------------------------------------------------------------------------------- */

static void assert_sound(const struct team_plan *plan, const struct team_link link[])
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (!link[i].present || !link[i].up) {
            assert_int_equal((plan->carries | plan->takes) >> i & 1, 0);
        }
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        assert_true(plan->carries == 0 ? plan->flow[i] == TEAM_NO_MEMBER
                                       : (plan->carries >> plan->flow[i] & 1) != 0);
        assert_true(plan->carries == 0 ? plan->own[i] == TEAM_NO_MEMBER
                                       : (plan->carries >> plan->own[i] & 1) != 0);
    }
    assert_int_equal(plan->carries & ~plan->takes, 0);
}

/*
 * Whatever happens, buckets are with members that carry, and somebody carries as long as somebody
 * has carrier; and team_tick() tells the time at which something changes by itself.
 */
static void test_team_random_events_leave_a_sound_plan(void **state)
{
    struct team_link link[TEAM_MEMBERS_MAX] = { 0 };
    uint64_t seed = 21, next;
    (void)state;

    for (unsigned i = 0; i < 20000; i++) {
        const unsigned number = random_below(&seed, TEAM_MEMBERS_MAX);
        struct team_link *one = &link[number];
        unsigned anybody = 0;

        switch (random_below(&seed, 8)) {
        case 0:
            one->present = !one->present;
            one->standby = random_below(&seed, 4) == 0;
            break;
        case 1:
            configure(random_below(&seed, 2), random_below(&seed, TEAM_BALANCE_COUNT));
            break;
        case 2:
            one->speed_mbps = random_below(&seed, 3) * 10000;
            break;
        default:
            one->up = !one->up;
            break;
        }
        team_set_link(team, number, one, now);
        next = pass(random_below(&seed, 400));
        assert_sound(team_plan(team), link);
        for (unsigned j = 0; j < TEAM_MEMBERS_MAX; j++) {
            anybody |= link[j].present && link[j].up;
        }
        assert_int_equal(team_plan(team)->carries != 0, anybody);
        assert_true(next > now);
        if (next != LACP_NEVER) {
            pass(next - now - 1);
            assert_memory_equal(&before, team_plan(team), sizeof(before));
            pass(1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_team_##name, setup, teardown)
        T(without_members_nobody_carries),
        T(members_with_carrier_carry_at_once_at_the_start),
        T(loss_moves_the_lost_ones_buckets_only),
        T(returns_after_the_up_delay),
        T(carrier_that_flaps_starts_the_delay_again),
        T(waits_for_nothing_when_nobody_else_can),
        T(returning_member_has_what_it_had),
        T(removed_member_is_gone_at_once_and_comes_as_new),
        T(shares_go_by_speed),
        T(standby_takes_the_place_of_a_lost_member_only),
        T(standby_is_as_many_as_are_lost),
        T(of_standby_members_only_has_one_that_carries),
        T(standby_is_taken_from_until_the_network_has_followed),
        T(static_takes_from_all_with_carrier),
        T(hash_has_the_primary_member_own_every_port),
        T(another_balance_starts_evenly),
        T(rebalances_when_dynamic_only),
        T(rebalanced_buckets_stay),
        T(plan_moved_names_ports_with_another_member),
        T(lacp_carries_when_both_ends_agree),
        T(lacp_silent_partner_is_left),
        T(lacp_standby_member_waits_for_a_loss),
        T(lacp_is_silent_in_other_modes),
        T(random_events_leave_a_sound_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
