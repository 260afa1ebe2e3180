/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listing a MAC table, and copying it into one of another size.
 */
#include "tests/support/mac_table_lab.h"

static void test_mac_table_list_in_pieces_gives_each_entry_once(void **state)
{
    struct mac_table *table = *state;
    struct mac_entry entries[7];
    bool seen[40] = { false };
    size_t cursor = 0, total = 0, count;

    learn_many(table, MAC(0), 20, PORT_A, 5);
    for (uint32_t i = 20; i < 40; i++) {
        assert_int_equal(mac_table_add_static(table, MAC(i), 7, PORT_B), 0);
    }

    while ((count = mac_table_list(table, 25, &cursor, entries, 7)) > 0) {
        for (size_t i = 0; i < count; i++) {
            const uint32_t n = (uint32_t)(entries[i].mac - MAC(0));

            assert_true(n < 40 && !seen[n]);
            seen[n] = true;
            assert_int_equal(entries[i].port, n < 20 ? PORT_A : PORT_B);
            assert_int_equal(entries[i].kind, n < 20 ? MAC_LEARNED : MAC_STATIC);
            assert_int_equal(entries[i].vlan, n < 20 ? 0 : 7);
            assert_int_equal(entries[i].age_s, n < 20 ? 20 : 0);
        }
        total += count;
    }
    assert_int_equal(total, 40);
}

static void test_mac_table_copy_to_a_larger_one_keeps_everything(void **state)
{
    struct mac_table *table = *state, *larger = table_of(1000, AGEING_S, 0);
    struct mac_entry entry;
    size_t cursor = 0;

    learn_many(table, MAC(0), 20, PORT_A, 5);
    (void)mac_table_learn(table, MAC(0), 0, PORT_B, 6);
    assert_int_equal(mac_table_add_static(table, MAC(100), 0, PORT_C), 0);
    mac_table_copy(larger, table);

    assert_int_equal(stats_of(larger).entries, 21);
    assert_int_equal(stats_of(larger).moves, 1);
    assert_int_equal(port_of(larger, MAC(0)), PORT_B);
    assert_int_equal(port_of(larger, MAC(19)), PORT_A);
    assert_true(mac_hit_is_static(mac_table_lookup(larger, mac_table_key(MAC(100), 0))));
    while (mac_table_list(larger, 10, &cursor, &entry, 1) == 1) {
        assert_int_equal(entry.age_s, entry.kind == MAC_STATIC ? 0 : entry.mac == MAC(0) ? 4 : 5);
    }
    mac_table_destroy(larger);
}

static void test_mac_table_copy_to_a_smaller_one_keeps_static_newest_and_fair(void **state)
{
    struct mac_table *table = *state, *smaller = table_of(16, AGEING_S, 12);

    for (uint32_t i = 0; i < 30; i++) {
        (void)mac_table_learn(table, MAC(i), 0, PORT_A, i);
    }
    learn_many(table, MAC(100), 6, PORT_B, 3);
    assert_int_equal(mac_table_add_static(table, MAC(200), 0, PORT_C), 0);
    mac_table_copy(smaller, table);

    assert_int_equal(stats_of(smaller).entries, 16);
    assert_int_equal(port_of(smaller, MAC(200)), PORT_C);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(port_of(smaller, MAC(100 + i)), PORT_B);
    }
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(port_of(smaller, MAC(i)), i < 21 ? MAC_TABLE_MISS : PORT_A);
    }
    mac_table_destroy(smaller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(test_mac_table_list_in_pieces_gives_each_entry_once),
        TABLE_TEST(test_mac_table_copy_to_a_larger_one_keeps_everything),
        TABLE_TEST(test_mac_table_copy_to_a_smaller_one_keeps_static_newest_and_fair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
