/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of a mac_table, and the lookup that forwarding inlines.  Who may include it:
 * forward.c, mac_table*.c and their tests; all others see mac_table.h only.
 *
 * Placing.  A key lies in its home bucket or in one of the next few.  A bucket that a key had to
 * pass over carries a mark, so that a lookup goes on only where that can help: at the load the
 * table is sized for (at most half), nearly every hit and every miss reads one cache line.  An
 * entry never changes its slot, so there is nothing to rebuild and a slot's number identifies it.
 *
 * Reading without a lock.  A slot is a key and a value; the value's first word (the place) says
 * which port, and counts the tenants that the slot has had.  A reader reads place, key, place:
 *
 *     writer, for a new tenant              reader
 *     key   = 0
 *     place = next turn      (release) -->  place  (acquire)
 *     key   = the new key    (release) -->  key    (acquire)
 *                                           place again: the same word as before?
 *
 * If both reads of the place agree, the key read between them is the key of that turn: a later
 * tenant's place would have made the cleared key visible, an earlier one's is overwritten before
 * the key is.  (Reading key, value, key instead would take another tenant's port for the key's
 * own, when a key leaves a slot and comes back to it.)  A move to another port is one store to the
 * place.
 */
#ifndef SWITCH_MAC_TABLE_LOOKUP_H
#define SWITCH_MAC_TABLE_LOOKUP_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/mac.h"
#include "switch/mac_table.h"

#define MAC_TABLE_SLOTS    4u      /* in a bucket */
#define MAC_TABLE_PROBES   16u     /* buckets that a key may lie in: its home and the ones after */
#define MAC_TABLE_PORTS    2048u   /* port numbers are below this */
#define MAC_NO_SLOT        UINT32_MAX

/* A key: the address in bits 0 to 47, the VLAN in bits 48 to 59, and two marks. */
#define MAC_KEY_VALID      (UINT64_C(1) << 60)
#define MAC_KEY_PASSED     (UINT64_C(1) << 63)  /* in slot 0, of the bucket: look at the next too */

/* A place: the port in bits 0 to 15, the kind, and the turn: which tenant of the slot this is. */
#define MAC_PLACE_STATIC   (UINT32_C(1) << 16)
#define MAC_PLACE_TURN     (UINT32_C(1) << 17)

struct mac_value {
    _Atomic uint32_t place;
    _Atomic uint32_t seen_s;       /* workers store it too; a stray one ages another tenant later */
};

struct mac_bucket {
    _Atomic uint64_t key[MAC_TABLE_SLOTS];
    struct mac_value value[MAC_TABLE_SLOTS];
} __attribute__((aligned(64)));
static_assert(sizeof(struct mac_bucket) == 64, "a bucket is one cache line");

/* The entries of one kind behind one port, least recently seen first, as far as the sweep knows. */
struct mac_list {
    uint32_t first;
    uint32_t last;
    _Atomic uint32_t count_entries;
};

struct mac_link {
    uint32_t before;
    uint32_t after;
};

struct mac_table {
    /* ---- read by every worker, written before the table is published ---- */
    struct mac_bucket *bucket;
    size_t bucket_mask;
    uint64_t seed;
    uint64_t multiplier;           /* odd, made from the seed */
    struct mac_list (*port)[2];    /* [port][kind]; workers read the counts, when a source is new */
    uint32_t quota_entries;
    uint32_t capacity_entries;
    /* ---- the writer's alone ---- */
    struct mac_link *link __attribute__((aligned(64)));   /* by slot */
    uint8_t *passed_entries;       /* by bucket: entries that lie behind it for want of room */
    size_t sweep_bucket;           /* where ageing goes on */
    uint16_t port_limit;           /* ports from here on never had an entry */
    uint32_t ageing_s;
    uint32_t entries;
    uint64_t moves;
    uint64_t evictions;
    uint64_t refused;
};

/* What a lookup found; a miss has no value and MAC_TABLE_MISS for its port. */
struct mac_hit {
    struct mac_value *value;
    uint32_t place;
};

static inline uint16_t mac_hit_port(struct mac_hit hit)
{
    return (uint16_t)hit.place;
}

static inline bool mac_hit_is_static(struct mac_hit hit)
{
    return (hit.place & MAC_PLACE_STATIC) != 0;
}

static inline uint64_t mac_table_key(uint64_t mac, uint16_t vlan)
{
    return mac | (uint64_t)vlan << 48 | MAC_KEY_VALID;
}

static inline uint64_t mac_key_address(uint64_t key)
{
    return key & MAC_BROADCAST;
}

/*
 * A wide multiplication by a secret odd number, folded, makes where a key goes depend on all of the
 * secret; but it is too even: addresses given out in steps would meet in steps.  The second
 * multiplication breaks the steps, and its upper half is taken.
 */
static inline size_t mac_table_home(const struct mac_table *table, uint64_t key)
{
    const unsigned __int128 product = (unsigned __int128)(key ^ table->seed) * table->multiplier;
    const uint64_t folded = (uint64_t)(product >> 64) ^ (uint64_t)product;

    return (size_t)(folded * UINT64_C(0xd1342543de82ef95) >> 32) & table->bucket_mask;
}

/** Asks for the bucket that a lookup from @p home will read first. */
static inline void mac_table_prefetch(const struct mac_table *table, size_t home)
{
    __builtin_prefetch(&table->bucket[home]);
}

/* Reads a slot that held @p key a moment ago; a slot that changes meanwhile is a miss. */
static inline struct mac_hit mac_bucket_read(struct mac_bucket *bucket, unsigned slot, uint64_t key)
{
    struct mac_value *value = &bucket->value[slot];
    const uint32_t place = atomic_load_explicit(&value->place, memory_order_acquire);
    const uint64_t again = atomic_load_explicit(&bucket->key[slot], memory_order_acquire);

    if ((again & ~MAC_KEY_PASSED) != key ||
        place != atomic_load_explicit(&value->place, memory_order_relaxed)) {
        return (struct mac_hit){ NULL, MAC_TABLE_MISS };
    }
    return (struct mac_hit){ value, place };
}

/**
 * Looks @p key up, as mac_table_key() makes it, from its @p home.
 * Thread: any; the answer may be as old as the moment of the call.
 */
static inline struct mac_hit mac_table_lookup_from(const struct mac_table *table, uint64_t key,
                                                   size_t home)
{
    size_t at = home;

    for (unsigned probe = 0; probe < MAC_TABLE_PROBES; probe++) {
        struct mac_bucket *bucket = &table->bucket[at];
        const uint64_t first = atomic_load_explicit(&bucket->key[0], memory_order_relaxed);

        if ((first & ~MAC_KEY_PASSED) == key) {
            return mac_bucket_read(bucket, 0, key);
        }
        for (unsigned slot = 1; slot < MAC_TABLE_SLOTS; slot++) {
            if (atomic_load_explicit(&bucket->key[slot], memory_order_relaxed) == key) {
                return mac_bucket_read(bucket, slot, key);
            }
        }
        if ((first & MAC_KEY_PASSED) == 0) {
            break;
        }
        at = (at + 1) & table->bucket_mask;
    }
    return (struct mac_hit){ NULL, MAC_TABLE_MISS };
}

/** The same, for who has not worked out the home before. */
static inline struct mac_hit mac_table_lookup(const struct mac_table *table, uint64_t key)
{
    return mac_table_lookup_from(table, key, mac_table_home(table, key));
}

/** Says that @p hit was seen at @p now_s; stores when that is news, once a second.  Any thread. */
static inline void mac_table_touch(struct mac_hit hit, uint32_t now_s)
{
    if (atomic_load_explicit(&hit.value->seen_s, memory_order_relaxed) != now_s) {
        atomic_store_explicit(&hit.value->seen_s, now_s, memory_order_relaxed);
    }
}

/** Whether learning behind @p port would be refused for its quota, so need not be asked for. */
static inline bool mac_table_port_full(const struct mac_table *table, uint16_t port)
{
    return atomic_load_explicit(&table->port[port][MAC_LEARNED].count_entries,
                                memory_order_relaxed) >= table->quota_entries;
}

#endif
