/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which port an address is behind: one table a switch, read by every worker, written by one thread.
 *
 * A bucket is one cache line of four keys and four values, so that a hit or a miss costs one line,
 * and a second one in a case of fifteen when the table is full.  Keys are hashed with a seed chosen
 * when the table is made, so that a guest cannot choose addresses that collide.  Readers take no
 * lock: they read the value on both sides of the key, and a change in between is a miss, which
 * floods one frame and harms nothing.
 *
 * The table never lets one guest push the others out.  A port has a quota; and when the table is
 * full, the room for a new entry is taken from the port that holds the most (its oldest learned
 * entry), never from one that holds fewer.  Static entries are never aged, moved or evicted.
 *
 * Time is an argument, in whole seconds of any monotonic clock.  Workers refresh an entry's age by
 * a relaxed store of their own second, and only when it differs, so a busy entry is written once
 * a second and not once a frame.
 */
#ifndef SWITCH_MAC_TABLE_H
#define SWITCH_MAC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAC_TABLE_DEFAULT_ENTRIES 8192u
#define MAC_TABLE_MAX_ENTRIES     1000000u
#define MAC_TABLE_DEFAULT_AGEING_S 300u
#define MAC_TABLE_MISS            0xffffu        /* what a lookup says of an unknown address */
#define MAC_TABLE_ANY_VLAN        4095u          /* a static entry of a port in many VLANs: who does
                                                    not find a VLAN's own entry looks for this, and
                                                    no other port can learn the address */

struct mac_table;                                /* opaque; its layout is in mac_table_lookup.h */

struct mac_table_config {
    uint32_t capacity_entries;     /* 1 to MAC_TABLE_MAX_ENTRIES */
    uint32_t ageing_s;             /* 0: learned entries never age */
    uint32_t quota_entries;        /* learned entries a port may hold; 0: a quarter of capacity */
    uint64_t seed;                 /* unpredictable in production, fixed in tests */
};

enum mac_entry_kind { MAC_LEARNED, MAC_STATIC };

struct mac_entry {
    uint64_t mac;
    uint16_t vlan;
    uint16_t port;
    enum mac_entry_kind kind;
    uint32_t age_s;                /* since a frame from it was last seen; 0 for static entries */
};

enum mac_learn_result {
    MAC_LEARN_NEW,                 /* was not there */
    MAC_LEARN_MOVED,               /* was behind another port; counted */
    MAC_LEARN_KNOWN,               /* nothing to do */
    MAC_LEARN_STATIC,              /* a static entry says otherwise, and stays */
    MAC_LEARN_QUOTA,               /* the port holds as many as it may */
    MAC_LEARN_FULL                 /* no room, and none to take fairly */
};

struct mac_table_stats {
    uint32_t entries;
    uint32_t capacity_entries;
    uint64_t moves;                /* entries that changed port by learning */
    uint64_t evictions;            /* learned entries that made room for others */
    uint64_t refused;              /* QUOTA and FULL */
};

/** @return owned, or NULL when memory is short.  Any thread. */
struct mac_table *mac_table_create(const struct mac_table_config *config);
void mac_table_destroy(struct mac_table *table);               /* NULL is fine; no reader left */

/* ---- the one writer ------------------------------------------------------------------------- */

/** Notes that @p mac was seen in @p vlan behind @p port at second @p now_s. */
enum mac_learn_result mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan,
                                      uint16_t port, uint32_t now_s);
/**
 * Adds or replaces a static entry.  One of MAC_TABLE_ANY_VLAN ends what was learned of the address
 * in any VLAN.
 * @return 0, or -ENOSPC when the table holds no more (a learned entry makes room if there is one)
 */
int mac_table_add_static(struct mac_table *table, uint64_t mac, uint16_t vlan, uint16_t port);
/** Removes an entry of either kind.  @return 0 or -ENOENT */
int mac_table_remove(struct mac_table *table, uint64_t mac, uint16_t vlan);
/** Removes every entry, static too, of a port that goes away.  @return how many */
uint32_t mac_table_remove_port(struct mac_table *table, uint16_t port);
/** Removes learned entries: of @p port, or of all when it is MAC_TABLE_MISS.  @return how many */
uint32_t mac_table_flush(struct mac_table *table, uint16_t port);
/**
 * Removes what has not been seen for the ageing time.  Call it about once a second: a call
 * examines a part of the table, and a tenth of the ageing time (at most 30, at least 1) of calls
 * all of it, so that an entry goes at most that many calls late.
 * @return how many were removed
 */
uint32_t mac_table_age(struct mac_table *table, uint32_t now_s);
/** Changes the ageing time from now on. */
void mac_table_set_ageing(struct mac_table *table, uint32_t ageing_s);
/** Copies what fits of @p from, ages and static entries included: how a table is resized. */
void mac_table_copy(struct mac_table *to, const struct mac_table *from);

/**
 * Lists up to @p size entries from slot *@p cursor on, which starts as 0.
 * @return how many; 0 at the end
 */
size_t mac_table_list(const struct mac_table *table, uint32_t now_s, size_t *cursor,
                      struct mac_entry *entries, size_t size);
void mac_table_stats(const struct mac_table *table, struct mac_table_stats *stats);

#endif
