/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table's protocol, with readers that look up while the writer does everything it can do.
 *
 * An address with number n is only ever behind port 2n or 2n + 1, so any other answer is another
 * entry's.  Twice as many addresses as the table holds keep changing slots, and all are in a few
 * cache lines, so that slots change hands under the readers' eyes.  Made to be run under a thread
 * sanitizer.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "switch/mac_table.h"
#include "switch/mac_table_lookup.h"
#include "tests/support/random.h"

#define CAPACITY  40u
#define ADDRESSES 80u
#define READERS   2u
#define STEPS     200000u
#define MAC(n)    (UINT64_C(0x020000000000) + (n))

struct reader {
    pthread_t thread;
    const struct mac_table *table;
    const atomic_bool *stop;
    uint64_t random;
    uint64_t hits;
    uint64_t misses;
    uint64_t wrong;
};

static void *read_all_the_time(void *argument)
{
    struct reader *reader = argument;

    while (!atomic_load_explicit(reader->stop, memory_order_relaxed)) {
        const uint32_t n = random_below(&reader->random, ADDRESSES);
        const struct mac_hit hit = mac_table_lookup(reader->table, mac_table_key(MAC(n), 0));

        if (hit.value == NULL) {
            reader->misses++;
            continue;
        }
        reader->hits++;
        reader->wrong += mac_hit_port(hit) / 2 != n;
        mac_table_touch(hit, (uint32_t)reader->hits >> 10);
        (void)mac_table_port_full(reader->table, mac_hit_port(hit));
    }
    return NULL;
}

static void write_step(struct mac_table *table, uint64_t *random, uint32_t now_s)
{
    const uint32_t n = random_below(random, ADDRESSES);
    const uint16_t port = (uint16_t)(2 * n + random_below(random, 2));
    const uint32_t dice = random_below(random, 1000);

    if (dice < 700) {
        (void)mac_table_learn(table, MAC(n), 0, port, now_s);
    } else if (dice < 720) {
        (void)mac_table_add_static(table, MAC(n), 0, port);
    } else if (dice < 970) {
        (void)mac_table_remove(table, MAC(n), 0);
    } else if (dice < 980) {
        (void)mac_table_remove_port(table, port);
    } else if (dice < 985) {
        (void)mac_table_flush(table, MAC_TABLE_MISS);
    } else {
        (void)mac_table_age(table, now_s);
    }
}

static void test_mac_table_reader_never_sees_the_port_of_another_address(void **state)
{
    const struct mac_table_config config = {
        .capacity_entries = CAPACITY, .ageing_s = 3, .quota_entries = CAPACITY, .seed = 11,
    };
    struct mac_table *table = mac_table_create(&config);
    struct reader readers[READERS];
    uint64_t random = 3, hits = 0, misses = 0, wrong = 0;
    struct mac_table_stats stats;
    atomic_bool stop = false;
    (void)state;

    assert_non_null(table);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .table = table, .stop = &stop, .random = i + 1 };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all_the_time, &readers[i]),
                         0);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        write_step(table, &random, i >> 10);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        hits += readers[i].hits;
        misses += readers[i].misses;
        wrong += readers[i].wrong;
    }
    mac_table_stats(table, &stats);
    mac_table_destroy(table);

    printf("# measured: %llu hits and %llu misses while %u edits moved %llu and evicted %llu\n",
           (unsigned long long)hits, (unsigned long long)misses, STEPS,
           (unsigned long long)stats.moves, (unsigned long long)stats.evictions);
    assert_int_equal(wrong, 0);
    assert_true(hits > 1000 && misses > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac_table_reader_never_sees_the_port_of_another_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
