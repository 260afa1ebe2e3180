/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table against its contract: single rules first, then random work against a model that is
 * too simple to be wrong.
 */
#include "switch/mac_table.h"

#include <errno.h>
#include <string.h>

#include "tests/support/mac_table_lab.h"
#include "tests/support/random.h"

/* Ages as a daemon does, once a second, from the second after @p from_s to @p to_s. */
static uint32_t age_through(struct mac_table *table, uint32_t from_s, uint32_t to_s)
{
    uint32_t removed = 0;

    for (uint32_t now_s = from_s; now_s != to_s;) {
        removed += mac_table_age(table, ++now_s);
    }
    return removed;
}

/* ---- learning -------------------------------------------------------------------------------- */

static void test_mac_table_learned_address_is_found_in_its_vlan_only(void **state)
{
    struct mac_table *table = *state;

    assert_int_equal(mac_table_learn(table, MAC(1), 10, PORT_A, 5), MAC_LEARN_NEW);

    assert_int_equal(mac_hit_port(mac_table_lookup(table, mac_table_key(MAC(1), 10))), PORT_A);
    assert_int_equal(mac_hit_port(mac_table_lookup(table, mac_table_key(MAC(1), 11))),
                     MAC_TABLE_MISS);
    assert_int_equal(port_of(table, MAC(1)), MAC_TABLE_MISS);
    assert_int_equal(port_of(table, MAC(2)), MAC_TABLE_MISS);
}

static void test_mac_table_learned_again_is_known_and_refreshed(void **state)
{
    struct mac_table *table = *state;
    struct mac_entry entry;
    size_t cursor = 0;

    learn_many(table, MAC(1), 1, PORT_A, 5);

    assert_int_equal(mac_table_learn(table, MAC(1), 0, PORT_A, 9), MAC_LEARN_KNOWN);
    assert_int_equal(mac_table_list(table, 10, &cursor, &entry, 1), 1);
    assert_int_equal(entry.age_s, 1);
    assert_int_equal(stats_of(table).entries, 1);
}

static void test_mac_table_address_behind_another_port_moves_and_is_counted(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(1), 1, PORT_A, 5);

    assert_int_equal(mac_table_learn(table, MAC(1), 0, PORT_B, 6), MAC_LEARN_MOVED);
    assert_int_equal(port_of(table, MAC(1)), PORT_B);
    assert_int_equal(stats_of(table).moves, 1);
    assert_int_equal(stats_of(table).entries, 1);
    assert_int_equal(mac_table_remove_port(table, PORT_A), 0);
    assert_int_equal(mac_table_remove_port(table, PORT_B), 1);
}

/* ---- quota and fairness ---------------------------------------------------------------------- */

static void test_mac_table_port_at_quota_is_refused(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), CAPACITY / 2 - 1, PORT_A, 5);
    assert_false(mac_table_port_full(table, PORT_A));
    learn_many(table, MAC(1000), 1, PORT_A, 5);
    learn_many(table, MAC(2000), 1, PORT_B, 5);

    assert_true(mac_table_port_full(table, PORT_A));
    assert_false(mac_table_port_full(table, PORT_B));
    assert_int_equal(mac_table_learn(table, MAC(3000), 0, PORT_A, 6), MAC_LEARN_QUOTA);
    assert_int_equal(mac_table_learn(table, MAC(2000), 0, PORT_A, 6), MAC_LEARN_QUOTA);
    assert_int_equal(mac_table_learn(table, MAC(0), 0, PORT_A, 6), MAC_LEARN_KNOWN);
    assert_int_equal(port_of(table, MAC(2000)), PORT_B);
    assert_int_equal(stats_of(table).refused, 2);
}

static void test_mac_table_quota_defaults_to_a_quarter(void **state)
{
    struct mac_table *table = table_of(CAPACITY, AGEING_S, 0);
    (void)state;

    learn_many(table, MAC(0), CAPACITY / 4, PORT_A, 5);

    assert_int_equal(mac_table_learn(table, MAC(900), 0, PORT_A, 5), MAC_LEARN_QUOTA);
    mac_table_destroy(table);
}

static void test_mac_table_full_takes_from_the_port_with_most_its_oldest(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 30, PORT_A, 5);
    learn_many(table, MAC(100), 20, PORT_B, 1);
    learn_many(table, MAC(200), 14, PORT_C, 1);
    mac_table_touch(mac_table_lookup(table, mac_table_key(MAC(0), 0)), 6);

    assert_int_equal(mac_table_learn(table, MAC(300), 0, PORT_C, 7), MAC_LEARN_NEW);

    assert_int_equal(port_of(table, MAC(300)), PORT_C);
    assert_int_equal(port_of(table, MAC(0)), PORT_A);
    assert_int_equal(port_of(table, MAC(1)), MAC_TABLE_MISS);
    assert_int_equal(stats_of(table).entries, CAPACITY);
    assert_int_equal(stats_of(table).evictions, 1);
}

static void test_mac_table_full_largest_port_makes_room_for_itself(void **state)
{
    struct mac_table *table = table_of(CAPACITY, AGEING_S, CAPACITY);
    (void)state;

    learn_many(table, MAC(0), 32, PORT_A, 5);
    learn_many(table, MAC(100), 32, PORT_B, 5);

    assert_int_equal(mac_table_learn(table, MAC(200), 0, PORT_B, 6), MAC_LEARN_NEW);
    assert_int_equal(port_of(table, MAC(100)), MAC_TABLE_MISS);
    assert_int_equal(port_of(table, MAC(0)), PORT_A);
    mac_table_destroy(table);
}

/* However a guest invents addresses, those of the others stay. */
static void test_mac_table_flood_of_sources_evicts_no_other_port(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 10, PORT_A, 5);
    learn_many(table, MAC(100), 10, PORT_B, 5);
    for (uint32_t i = 0; i < 10000; i++) {
        (void)mac_table_learn(table, MAC(100000 + i), 0, PORT_C, 6);
    }

    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(port_of(table, MAC(i)), PORT_A);
        assert_int_equal(port_of(table, MAC(100 + i)), PORT_B);
    }
    assert_int_equal(stats_of(table).entries, 20 + CAPACITY / 2);
}

static void test_mac_table_sweep_brings_what_is_in_use_to_the_end(void **state)
{
    struct mac_table *table = table_of(CAPACITY, AGEING_S, CAPACITY);
    uint32_t kept = 0;
    (void)state;

    learn_many(table, MAC(0), CAPACITY, PORT_A, 0);
    for (uint32_t i = 0; i < CAPACITY / 2; i++) {
        mac_table_touch(mac_table_lookup(table, mac_table_key(MAC(i), 0)), 100);
    }
    (void)age_through(table, 99, 129);
    learn_many(table, MAC(1000), CAPACITY / 2, PORT_B, 129);

    for (uint32_t i = 0; i < CAPACITY / 2; i++) {
        kept += port_of(table, MAC(i)) == PORT_A;
    }
    assert_int_equal(kept, CAPACITY / 2);
    mac_table_destroy(table);
}

/* ---- static entries -------------------------------------------------------------------------- */

static void test_mac_table_static_entry_stays_where_it_is(void **state)
{
    struct mac_table *table = *state;
    struct mac_hit hit;

    assert_int_equal(mac_table_add_static(table, MAC(1), 0, PORT_A), 0);

    assert_int_equal(mac_table_learn(table, MAC(1), 0, PORT_B, 5), MAC_LEARN_STATIC);
    assert_int_equal(mac_table_learn(table, MAC(1), 0, PORT_A, 5), MAC_LEARN_KNOWN);
    assert_int_equal(mac_table_flush(table, MAC_TABLE_MISS), 0);
    assert_int_equal(age_through(table, 0, 1000), 0);
    hit = mac_table_lookup(table, mac_table_key(MAC(1), 0));
    assert_int_equal(mac_hit_port(hit), PORT_A);
    assert_true(mac_hit_is_static(hit));
}

static void test_mac_table_static_entry_replaces_a_learned_one(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(1), 1, PORT_A, 5);

    assert_int_equal(mac_table_add_static(table, MAC(1), 0, PORT_B), 0);
    assert_int_equal(port_of(table, MAC(1)), PORT_B);
    assert_int_equal(stats_of(table).entries, 1);
    assert_int_equal(stats_of(table).moves, 0);
}

static void test_mac_table_static_entries_take_room_until_there_is_none(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 32, PORT_A, 5);
    learn_many(table, MAC(100), 32, PORT_B, 5);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        assert_int_equal(mac_table_add_static(table, MAC(1000 + i), 0, PORT_C), 0);
    }

    assert_int_equal(mac_table_add_static(table, MAC(5000), 0, PORT_C), -ENOSPC);
    assert_int_equal(mac_table_learn(table, MAC(5000), 0, PORT_A, 6), MAC_LEARN_FULL);
    assert_int_equal(stats_of(table).entries, CAPACITY);
    assert_int_equal(stats_of(table).evictions, CAPACITY);
}

/* ---- an address in every VLAN ---------------------------------------------------------------- */

static uint16_t port_in(const struct mac_table *table, uint64_t mac, uint16_t vlan)
{
    return mac_hit_port(mac_table_lookup(table, mac_table_key(mac, vlan)));
}

static void test_mac_table_address_of_every_vlan_is_learned_by_no_other_port(void **state)
{
    struct mac_table *table = *state;

    assert_int_equal(mac_table_add_static(table, MAC(1), MAC_TABLE_ANY_VLAN, PORT_A), 0);

    assert_int_equal(mac_table_learn(table, MAC(1), 10, PORT_B, 5), MAC_LEARN_STATIC);
    assert_int_equal(mac_table_learn(table, MAC(1), 10, PORT_A, 5), MAC_LEARN_KNOWN);
    assert_int_equal(port_in(table, MAC(1), 10), MAC_TABLE_MISS);
    assert_int_equal(port_in(table, MAC(1), MAC_TABLE_ANY_VLAN), PORT_A);
    assert_int_equal(mac_table_learn(table, MAC(2), 10, PORT_B, 5), MAC_LEARN_NEW);
}

static void test_mac_table_address_of_every_vlan_ends_what_was_learned_of_it(void **state)
{
    struct mac_table *table = *state;

    assert_int_equal(mac_table_learn(table, MAC(1), 0, PORT_B, 5), MAC_LEARN_NEW);
    assert_int_equal(mac_table_learn(table, MAC(1), 4094, PORT_B, 5), MAC_LEARN_NEW);
    assert_int_equal(mac_table_learn(table, MAC(2), 10, PORT_B, 5), MAC_LEARN_NEW);
    assert_int_equal(mac_table_add_static(table, MAC(1), 10, PORT_C), 0);
    assert_int_equal(mac_table_add_static(table, MAC(1), MAC_TABLE_ANY_VLAN, PORT_A), 0);

    assert_int_equal(port_in(table, MAC(1), 0), MAC_TABLE_MISS);
    assert_int_equal(port_in(table, MAC(1), 4094), MAC_TABLE_MISS);
    assert_int_equal(port_in(table, MAC(2), 10), PORT_B);
    assert_int_equal(port_in(table, MAC(1), 10), PORT_C);
    assert_int_equal(stats_of(table).entries, 3);
}

/* ---- removing -------------------------------------------------------------------------------- */

static void test_mac_table_remove_takes_either_kind_once(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(1), 1, PORT_A, 5);
    assert_int_equal(mac_table_add_static(table, MAC(2), 0, PORT_A), 0);

    assert_int_equal(mac_table_remove(table, MAC(1), 0), 0);
    assert_int_equal(mac_table_remove(table, MAC(1), 0), -ENOENT);
    assert_int_equal(mac_table_remove(table, MAC(2), 1), -ENOENT);
    assert_int_equal(mac_table_remove(table, MAC(2), 0), 0);
    assert_int_equal(port_of(table, MAC(1)), MAC_TABLE_MISS);
    assert_int_equal(stats_of(table).entries, 0);
}

static void test_mac_table_remove_port_takes_all_of_it_and_nothing_else(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 5, PORT_A, 5);
    learn_many(table, MAC(100), 7, PORT_B, 5);
    assert_int_equal(mac_table_add_static(table, MAC(200), 0, PORT_A), 0);

    assert_int_equal(mac_table_remove_port(table, PORT_A), 6);
    assert_int_equal(stats_of(table).entries, 7);
    assert_int_equal(port_of(table, MAC(3)), MAC_TABLE_MISS);
    assert_int_equal(port_of(table, MAC(200)), MAC_TABLE_MISS);
    assert_int_equal(port_of(table, MAC(103)), PORT_B);
}

static void test_mac_table_flush_takes_learned_entries_of_one_port_or_all(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 5, PORT_A, 5);
    learn_many(table, MAC(100), 7, PORT_B, 5);
    assert_int_equal(mac_table_add_static(table, MAC(200), 0, PORT_A), 0);

    assert_int_equal(mac_table_flush(table, PORT_A), 5);
    assert_int_equal(mac_table_flush(table, MAC_TABLE_MISS), 7);
    assert_int_equal(port_of(table, MAC(200)), PORT_A);
    assert_int_equal(stats_of(table).entries, 1);
}

/* ---- ageing ---------------------------------------------------------------------------------- */

static void test_mac_table_entry_goes_after_its_time_and_at_most_a_sweep_later(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 40 - 8, PORT_A, 1000);
    learn_many(table, MAC(100), 8, PORT_B, 1000);

    assert_int_equal(age_through(table, 1000, 1000 + AGEING_S - 1), 0);
    assert_int_equal(age_through(table, 1000 + AGEING_S - 1, 1000 + AGEING_S + 30), 40);
    assert_int_equal(stats_of(table).entries, 0);
}

static void test_mac_table_entry_in_use_does_not_age(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 2, PORT_A, 0);
    for (uint32_t now_s = 1; now_s < 5 * AGEING_S; now_s++) {
        mac_table_touch(mac_table_lookup(table, mac_table_key(MAC(0), 0)), now_s);
        (void)mac_table_age(table, now_s);
    }

    assert_int_equal(port_of(table, MAC(0)), PORT_A);
    assert_int_equal(port_of(table, MAC(1)), MAC_TABLE_MISS);
}

static void test_mac_table_short_ageing_sweeps_faster(void **state)
{
    struct mac_table *table = table_of(CAPACITY, 5, 0);
    (void)state;

    learn_many(table, MAC(0), 16, PORT_A, 100);

    assert_int_equal(mac_table_age(table, 104), 0);
    assert_int_equal(mac_table_age(table, 105), 16);
    mac_table_destroy(table);
}

static void test_mac_table_ageing_zero_keeps_for_ever(void **state)
{
    struct mac_table *table = *state;

    mac_table_set_ageing(table, 0);
    learn_many(table, MAC(0), 8, PORT_A, 100);

    assert_int_equal(age_through(table, 100, 2000), 0);
    mac_table_set_ageing(table, 10);
    assert_int_equal(mac_table_age(table, 2001), 8);
}

static void test_mac_table_ages_across_the_wrap_of_seconds(void **state)
{
    struct mac_table *table = *state;

    learn_many(table, MAC(0), 8, PORT_A, UINT32_MAX - 10);

    assert_int_equal(age_through(table, UINT32_MAX - 10, AGEING_S - 12), 0);
    assert_int_equal(age_through(table, AGEING_S - 12, AGEING_S + 19), 8);
}

static void test_mac_table_worker_a_second_ahead_does_not_age_out(void **state)
{
    struct mac_table *table = table_of(CAPACITY, 5, 0);
    struct mac_entry entry;
    size_t cursor = 0;
    (void)state;

    learn_many(table, MAC(0), 1, PORT_A, 101);

    assert_int_equal(mac_table_age(table, 100), 0);
    assert_int_equal(mac_table_list(table, 100, &cursor, &entry, 1), 1);
    assert_int_equal(entry.age_s, 0);
    mac_table_destroy(table);
}

/* One call of a table at its largest stays a thirtieth of the work. */
static void test_mac_table_sweep_is_bounded_and_complete(void **state)
{
    struct mac_table *table = table_of(100000, AGEING_S, 100000);
    uint32_t removed = 0;
    (void)state;

    learn_many(table, MAC(0), 100000, PORT_A, 0);
    for (unsigned call = 0; call < 30; call++) {
        const uint32_t now = mac_table_age(table, AGEING_S);

        assert_in_range(now, 0, 100000 / 25);
        removed += now;
    }

    assert_int_equal(removed, 100000);
    mac_table_destroy(table);
}

/* ---- against a model ------------------------------------------------------------------------- */

#define MODEL_MACS  400u
#define MODEL_PORTS 6u
#define MODEL_CAPACITY 200u
#define MODEL_QUOTA 60u

struct naive {
    uint16_t port[MODEL_MACS];     /* MAC_TABLE_MISS: not there */
    bool fixed[MODEL_MACS];
};

static uint32_t naive_count(const struct naive *naive, uint16_t port, bool fixed)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < MODEL_MACS; i++) {
        count += naive->port[i] == port && naive->fixed[i] == fixed;
    }
    return count;
}

static uint32_t naive_total(const struct naive *naive)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < MODEL_MACS; i++) {
        count += naive->port[i] != MAC_TABLE_MISS;
    }
    return count;
}

static bool naive_has_learned(const struct naive *naive)
{
    for (uint16_t port = 0; port < MODEL_PORTS; port++) {
        if (naive_count(naive, port, false) > 0) {
            return true;
        }
    }
    return false;
}

/* The table made room: exactly one learned entry is gone, of a port that had most. */
static void naive_follow_eviction(struct naive *naive, const struct mac_table *table)
{
    uint32_t gone = MODEL_MACS, most = 0;

    for (uint16_t port = 0; port < MODEL_PORTS; port++) {
        const uint32_t count = naive_count(naive, port, false);

        most = count > most ? count : most;
    }
    for (uint32_t i = 0; i < MODEL_MACS; i++) {
        if (naive->port[i] != MAC_TABLE_MISS && port_of(table, MAC(i)) == MAC_TABLE_MISS) {
            assert_int_equal(gone, MODEL_MACS);
            gone = i;
        }
    }
    assert_true(gone < MODEL_MACS);
    assert_false(naive->fixed[gone]);
    assert_int_equal(naive_count(naive, naive->port[gone], false), most);
    naive->port[gone] = MAC_TABLE_MISS;
}

static enum mac_learn_result naive_learn(const struct naive *naive, uint32_t n, uint16_t port)
{
    if (naive->port[n] != MAC_TABLE_MISS && naive->fixed[n]) {
        return naive->port[n] == port ? MAC_LEARN_KNOWN : MAC_LEARN_STATIC;
    }
    if (naive->port[n] == port) {
        return MAC_LEARN_KNOWN;
    }
    if (naive_count(naive, port, false) >= MODEL_QUOTA) {
        return MAC_LEARN_QUOTA;
    }
    if (naive->port[n] != MAC_TABLE_MISS) {
        return MAC_LEARN_MOVED;
    }
    return naive_total(naive) < MODEL_CAPACITY || naive_has_learned(naive) ? MAC_LEARN_NEW
                                                                           : MAC_LEARN_FULL;
}

static void step_learn(struct mac_table *table, struct naive *naive, uint32_t n, uint16_t port)
{
    const enum mac_learn_result expected = naive_learn(naive, n, port);

    assert_int_equal(mac_table_learn(table, MAC(n), 0, port, 1), expected);
    if (expected == MAC_LEARN_NEW || expected == MAC_LEARN_MOVED) {
        if (expected == MAC_LEARN_NEW && naive_total(naive) >= MODEL_CAPACITY) {
            naive_follow_eviction(naive, table);
        }
        naive->port[n] = port;
        naive->fixed[n] = false;
    }
}

static void step_add_static(struct mac_table *table, struct naive *naive, uint32_t n, uint16_t port)
{
    const bool is_new = naive->port[n] == MAC_TABLE_MISS;
    const bool is_full = is_new && naive_total(naive) >= MODEL_CAPACITY;

    if (is_full && !naive_has_learned(naive)) {
        assert_int_equal(mac_table_add_static(table, MAC(n), 0, port), -ENOSPC);
        return;
    }
    assert_int_equal(mac_table_add_static(table, MAC(n), 0, port), 0);
    if (is_full) {
        naive_follow_eviction(naive, table);
    }
    naive->port[n] = port;
    naive->fixed[n] = true;
}

static void step_clear(struct mac_table *table, struct naive *naive, uint16_t port, bool all)
{
    uint32_t expected = naive_count(naive, port, false);

    expected += all ? naive_count(naive, port, true) : 0;
    assert_int_equal(all ? mac_table_remove_port(table, port) : mac_table_flush(table, port),
                     expected);
    for (uint32_t i = 0; i < MODEL_MACS; i++) {
        if (naive->port[i] == port && (all || !naive->fixed[i])) {
            naive->port[i] = MAC_TABLE_MISS;
        }
    }
}

static void step(struct mac_table *table, struct naive *naive, uint64_t *random)
{
    const uint32_t n = random_below(random, MODEL_MACS);
    const uint16_t port = (uint16_t)random_below(random, MODEL_PORTS);
    const uint32_t dice = random_below(random, 1000);

    if (dice < 800) {
        step_learn(table, naive, n, port);
    } else if (dice < 840) {
        step_add_static(table, naive, n, port);
    } else if (dice < 996) {
        assert_int_equal(mac_table_remove(table, MAC(n), 0),
                         naive->port[n] != MAC_TABLE_MISS ? 0 : -ENOENT);
        naive->port[n] = MAC_TABLE_MISS;
    } else {
        step_clear(table, naive, port, dice >= 999);
    }
    assert_int_equal(port_of(table, MAC(n)), naive->port[n]);
    assert_int_equal(stats_of(table).entries, naive_total(naive));
}

static void test_mac_table_random_work_agrees_with_a_naive_model(void **state)
{
    struct mac_table *table = table_of(MODEL_CAPACITY, 0, MODEL_QUOTA);
    struct naive naive = { .fixed = { false } };
    uint64_t random = 2026;
    (void)state;

    memset(naive.port, 0xff, sizeof(naive.port));
    for (uint32_t i = 0; i < 100000; i++) {
        step(table, &naive, &random);
        if (i % 1000 == 0) {
            for (uint32_t n = 0; n < MODEL_MACS; n++) {
                assert_int_equal(port_of(table, MAC(n)), naive.port[n]);
            }
        }
    }
    assert_true(stats_of(table).evictions > 1000);
    mac_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(test_mac_table_learned_address_is_found_in_its_vlan_only),
        TABLE_TEST(test_mac_table_learned_again_is_known_and_refreshed),
        TABLE_TEST(test_mac_table_address_behind_another_port_moves_and_is_counted),
        TABLE_TEST(test_mac_table_port_at_quota_is_refused),
        cmocka_unit_test(test_mac_table_quota_defaults_to_a_quarter),
        TABLE_TEST(test_mac_table_full_takes_from_the_port_with_most_its_oldest),
        cmocka_unit_test(test_mac_table_full_largest_port_makes_room_for_itself),
        TABLE_TEST(test_mac_table_flood_of_sources_evicts_no_other_port),
        cmocka_unit_test(test_mac_table_sweep_brings_what_is_in_use_to_the_end),
        TABLE_TEST(test_mac_table_static_entry_stays_where_it_is),
        TABLE_TEST(test_mac_table_static_entry_replaces_a_learned_one),
        TABLE_TEST(test_mac_table_static_entries_take_room_until_there_is_none),
        TABLE_TEST(test_mac_table_address_of_every_vlan_is_learned_by_no_other_port),
        TABLE_TEST(test_mac_table_address_of_every_vlan_ends_what_was_learned_of_it),
        TABLE_TEST(test_mac_table_remove_takes_either_kind_once),
        TABLE_TEST(test_mac_table_remove_port_takes_all_of_it_and_nothing_else),
        TABLE_TEST(test_mac_table_flush_takes_learned_entries_of_one_port_or_all),
        TABLE_TEST(test_mac_table_entry_goes_after_its_time_and_at_most_a_sweep_later),
        TABLE_TEST(test_mac_table_entry_in_use_does_not_age),
        cmocka_unit_test(test_mac_table_short_ageing_sweeps_faster),
        TABLE_TEST(test_mac_table_ageing_zero_keeps_for_ever),
        TABLE_TEST(test_mac_table_ages_across_the_wrap_of_seconds),
        cmocka_unit_test(test_mac_table_worker_a_second_ahead_does_not_age_out),
        cmocka_unit_test(test_mac_table_sweep_is_bounded_and_complete),
        cmocka_unit_test(test_mac_table_random_work_agrees_with_a_naive_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
