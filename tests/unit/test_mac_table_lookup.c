/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where keys lie: collisions, usual sets of addresses under many seeds, and the largest table.
 */
#include "switch/mac_table_lookup.h"

#include <stdio.h>

#include "tests/support/mac_table_lab.h"

/* Addresses that share a home bucket, found by search: what nobody without the seed can do. */
static void test_mac_table_colliding_addresses_overflow_and_come_back(void **state)
{
    struct mac_table *table = table_of(8192, AGEING_S, 8192);
    const uint32_t room = MAC_TABLE_SLOTS * MAC_TABLE_PROBES;
    uint64_t colliding[MAC_TABLE_SLOTS * MAC_TABLE_PROBES + 1];
    uint32_t found = 0;
    (void)state;

    for (uint64_t mac = MAC(0); found <= room; mac++) {
        if (mac_table_home(table, mac_table_key(mac, 0)) == 4090) {
            colliding[found++] = mac;
        }
    }
    for (uint32_t i = 0; i < room; i++) {
        assert_int_equal(mac_table_learn(table, colliding[i], 0, PORT_A, 5), MAC_LEARN_NEW);
    }

    assert_int_equal(mac_table_learn(table, colliding[room], 0, PORT_B, 5), MAC_LEARN_FULL);
    for (uint32_t i = 0; i < room; i++) {
        assert_int_equal(port_of(table, colliding[i]), PORT_A);
    }
    for (uint32_t i = 0; i < room; i += 2) {
        assert_int_equal(mac_table_remove(table, colliding[i], 0), 0);
    }
    for (uint32_t i = 1; i < room; i += 2) {
        assert_int_equal(port_of(table, colliding[i]), PORT_A);
        assert_int_equal(mac_table_remove(table, colliding[i], 0), 0);
    }
    for (size_t i = 0; i <= table->bucket_mask; i++) {
        assert_int_equal(table->bucket[i].key[0], 0);
        assert_int_equal(table->passed_entries[i], 0);
    }
    mac_table_destroy(table);
}

/* The longest way from home that any of 8,192 addresses has to go, over seeds and kinds of sets. */
static void test_mac_table_usual_addresses_spread_with_any_seed(void **state)
{
    static const uint64_t steps[] = { 1, 2, 256, 65536, UINT64_C(1) << 24, UINT64_C(1) << 32 };
    unsigned longest = 0;
    (void)state;

    for (uint64_t seed = 0; seed < 48; seed++) {
        const struct mac_table_config config = { .capacity_entries = 8192, .quota_entries = 8192,
                                                 .seed = seed };
        struct mac_table *table = mac_table_create(&config);
        const uint64_t step = steps[seed % (sizeof(steps) / sizeof(steps[0]))];

        assert_non_null(table);
        for (uint64_t i = 0; i < 8192; i++) {
            const uint64_t mac = (MAC(0) + i * step) & UINT64_C(0xfeffffffffff);

            assert_true(mac_table_learn(table, mac, 0, PORT_A, 5) <= MAC_LEARN_KNOWN);
        }
        for (size_t i = 0; i <= table->bucket_mask; i++) {
            longest = table->passed_entries[i] > longest ? table->passed_entries[i] : longest;
        }
        mac_table_destroy(table);
    }
    assert_in_range(longest, 0, 12);
}

/* ---- the largest table ----------------------------------------------------------------------- */

static void test_mac_table_holds_a_million(void **state)
{
    struct mac_table *table = table_of(MAC_TABLE_MAX_ENTRIES, AGEING_S, MAC_TABLE_MAX_ENTRIES / 2);
    size_t far = 0;
    (void)state;

    for (uint32_t i = 0; i < MAC_TABLE_MAX_ENTRIES; i++) {
        assert_int_equal(mac_table_learn(table, MAC(i), 0, (uint16_t)(i % 1000), 1),
                         MAC_LEARN_NEW);
    }

    for (uint32_t i = 0; i < MAC_TABLE_MAX_ENTRIES; i++) {
        assert_int_equal(port_of(table, MAC(i)), i % 1000);
    }
    for (size_t i = 0; i <= table->bucket_mask; i++) {
        far += table->passed_entries[i] != 0;
    }
    printf("# measured: a table of 1,000,000 entries: %zu of %zu buckets (%.2f %%) send a lookup "
           "on to a second cache line\n", far, table->bucket_mask + 1,
           100.0 * (double)far / (double)(table->bucket_mask + 1));
    assert_int_equal(mac_table_learn(table, MAC(2000000), 0, 7, 2), MAC_LEARN_NEW);
    assert_int_equal(stats_of(table).entries, MAC_TABLE_MAX_ENTRIES);
    assert_int_equal(mac_table_remove_port(table, 999), 1000);
    mac_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac_table_colliding_addresses_overflow_and_come_back),
        cmocka_unit_test(test_mac_table_usual_addresses_spread_with_any_seed),
        cmocka_unit_test(test_mac_table_holds_a_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
