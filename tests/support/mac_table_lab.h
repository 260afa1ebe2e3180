/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the MAC table share: small tables of a fixed seed, and short questions to them.
 */
#ifndef TESTS_SUPPORT_MAC_TABLE_LAB_H
#define TESTS_SUPPORT_MAC_TABLE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/mac_table.h"
#include "switch/mac_table_lookup.h"

#define CAPACITY 64u
#define AGEING_S 300u
#define MAC(n)   (UINT64_C(0x020000000000) + (n))

enum { PORT_A = 1, PORT_B = 2, PORT_C = 3 };

static inline struct mac_table *table_of(uint32_t capacity, uint32_t ageing_s, uint32_t quota)
{
    const struct mac_table_config config = {
        .capacity_entries = capacity, .ageing_s = ageing_s, .quota_entries = quota, .seed = 0x1234,
    };
    struct mac_table *table = mac_table_create(&config);

    assert_non_null(table);
    return table;
}

/* Each test has a table of CAPACITY entries, of which a port may hold half. */
static inline int table_setup(void **state)
{
    *state = table_of(CAPACITY, AGEING_S, CAPACITY / 2);
    return 0;
}

static inline int table_teardown(void **state)
{
    mac_table_destroy(*state);
    return 0;
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, table_setup, table_teardown)

static inline uint16_t port_of(const struct mac_table *table, uint64_t mac)
{
    return mac_hit_port(mac_table_lookup(table, mac_table_key(mac, 0)));
}

static inline struct mac_table_stats stats_of(const struct mac_table *table)
{
    struct mac_table_stats stats;

    mac_table_stats(table, &stats);
    return stats;
}

static inline void learn_many(struct mac_table *table, uint64_t first, uint32_t count,
                              uint16_t port, uint32_t now_s)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(mac_table_learn(table, first + i, 0, port, now_s), MAC_LEARN_NEW);
    }
}

#endif
