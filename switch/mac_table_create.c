/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a MAC table and taking it apart.
 *
 * All of its memory is taken here, once: learning never fails for want of it.
 */
#include "switch/mac_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/mac_table_lookup.h"

/* Spreads the bits of a seed over a whole word: a finalizer of two multiplications. */
static uint64_t seed_mix(uint64_t seed)
{
    seed = (seed ^ seed >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    seed = (seed ^ seed >> 29) * UINT64_C(0xd1342543de82ef95);
    return seed ^ seed >> 32;
}

/* Twice as many slots as entries, as a power of two, and no bucket twice on a probe's way. */
static size_t buckets_for(uint32_t capacity_entries)
{
    size_t buckets = MAC_TABLE_PROBES;

    while (buckets * MAC_TABLE_SLOTS < (size_t)capacity_entries * 2) {
        buckets *= 2;
    }
    return buckets;
}

struct mac_table *mac_table_create(const struct mac_table_config *config)
{
    const size_t buckets = buckets_for(config->capacity_entries);
    const uint32_t quarter = (config->capacity_entries + 3) / 4;
    struct mac_table *table = aligned_alloc(64, sizeof(*table));

    assert(config->capacity_entries >= 1 && config->capacity_entries <= MAC_TABLE_MAX_ENTRIES);
    if (table == NULL) {
        return NULL;
    }
    memset(table, 0, sizeof(*table));
    table->bucket = aligned_alloc(64, buckets * sizeof(*table->bucket));
    table->link = malloc(buckets * MAC_TABLE_SLOTS * sizeof(*table->link));
    table->passed_entries = calloc(buckets, sizeof(*table->passed_entries));
    table->port = calloc(MAC_TABLE_PORTS, sizeof(*table->port));
    if (table->bucket == NULL || table->link == NULL || table->passed_entries == NULL ||
        table->port == NULL) {
        mac_table_destroy(table);
        return NULL;
    }

    memset(table->bucket, 0, buckets * sizeof(*table->bucket));
    for (unsigned port = 0; port < MAC_TABLE_PORTS; port++) {
        for (unsigned kind = MAC_LEARNED; kind <= MAC_STATIC; kind++) {
            table->port[port][kind].first = MAC_NO_SLOT;
            table->port[port][kind].last = MAC_NO_SLOT;
        }
    }
    table->bucket_mask = buckets - 1;
    table->seed = seed_mix(config->seed + 1);
    table->multiplier = seed_mix(table->seed + config->seed) | 1;
    table->capacity_entries = config->capacity_entries;
    table->quota_entries = config->quota_entries != 0 ? config->quota_entries : quarter;
    table->ageing_s = config->ageing_s;
    return table;
}

void mac_table_destroy(struct mac_table *table)
{
    if (table == NULL) {
        return;
    }
    free(table->bucket);
    free(table->link);
    free(table->passed_entries);
    free(table->port);
    free(table);
}
