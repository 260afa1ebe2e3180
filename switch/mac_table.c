/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer's half of the MAC table: placing, learning, ageing, and who gives way to whom.
 *
 * Entries of a port are chained, so that its quota, its eviction and its removal cost what they
 * touch and not the size of the table.  The chains are the writer's own memory: workers, which
 * only store a second when they see a frame, do not keep them in order.  The ageing sweep does:
 * what was seen since it last came by goes to the end of its port's chain, so the front of a chain
 * holds what is least recently seen, to within one sweep; an eviction takes the oldest of the
 * first few.
 */
#include "switch/mac_table.h"

#include <assert.h>
#include <errno.h>

#include "switch/mac_table_lookup.h"

#define SWEEP_MAX_CALLS      30u   /* calls of mac_table_age() that examine the whole table */
#define EVICT_LOOK_ENTRIES   8u    /* entries from which an eviction chooses the oldest */

/* ---- slots ----------------------------------------------------------------------------------- */

static _Atomic uint64_t *slot_key(const struct mac_table *table, uint32_t slot)
{
    return &table->bucket[slot / MAC_TABLE_SLOTS].key[slot % MAC_TABLE_SLOTS];
}

static struct mac_value *slot_value(const struct mac_table *table, uint32_t slot)
{
    return &table->bucket[slot / MAC_TABLE_SLOTS].value[slot % MAC_TABLE_SLOTS];
}

/* The one writer's view of its own stores needs no order. */
static uint64_t slot_held(const struct mac_table *table, uint32_t slot)
{
    return atomic_load_explicit(slot_key(table, slot), memory_order_relaxed);
}

static uint32_t slot_place(const struct mac_table *table, uint32_t slot)
{
    return atomic_load_explicit(&slot_value(table, slot)->place, memory_order_relaxed);
}

static uint16_t slot_port(const struct mac_table *table, uint32_t slot)
{
    return (uint16_t)slot_place(table, slot);
}

static enum mac_entry_kind slot_kind(const struct mac_table *table, uint32_t slot)
{
    return (slot_place(table, slot) & MAC_PLACE_STATIC) != 0 ? MAC_STATIC : MAC_LEARNED;
}

static uint32_t slot_seen_s(const struct mac_table *table, uint32_t slot)
{
    return atomic_load_explicit(&slot_value(table, slot)->seen_s, memory_order_relaxed);
}

/* Seconds wrap, and a worker may be a second ahead of the writer: what lies ahead is new. */
static uint32_t slot_age_s(const struct mac_table *table, uint32_t slot, uint32_t now_s)
{
    const uint32_t age_s = now_s - slot_seen_s(table, slot);

    return age_s <= INT32_MAX ? age_s : 0;
}

/* Finds as a reader does, so that there is one walk. */
static uint32_t slot_find(const struct mac_table *table, uint64_t key)
{
    const struct mac_hit hit = mac_table_lookup(table, key);
    size_t bucket;

    if (hit.value == NULL) {
        return MAC_NO_SLOT;
    }
    bucket = (size_t)((const char *)hit.value - (const char *)table->bucket);
    bucket /= sizeof(*table->bucket);
    return (uint32_t)(bucket * MAC_TABLE_SLOTS + (size_t)(hit.value - table->bucket[bucket].value));
}

static uint32_t slot_find_free(const struct mac_table *table, uint64_t key)
{
    const size_t home = mac_table_home(table, key);

    for (size_t i = 0; i < MAC_TABLE_PROBES * MAC_TABLE_SLOTS; i++) {
        const size_t bucket = (home + i / MAC_TABLE_SLOTS) & table->bucket_mask;
        const uint32_t slot = (uint32_t)(bucket * MAC_TABLE_SLOTS + i % MAC_TABLE_SLOTS);

        if ((slot_held(table, slot) & MAC_KEY_VALID) == 0) {
            return slot;
        }
    }
    return MAC_NO_SLOT;
}

/* Stores a slot's key and keeps the mark that its bucket carries; 0 clears the slot. */
static void slot_store_key(struct mac_table *table, uint32_t slot, uint64_t key)
{
    const uint64_t mark = slot_held(table, slot) & MAC_KEY_PASSED;

    /* Release: pairs with the acquire of the key in mac_bucket_read(). */
    atomic_store_explicit(slot_key(table, slot), key | mark, memory_order_release);
}

static void slot_store_place(struct mac_table *table, uint32_t slot, uint32_t turn, uint16_t port,
                             enum mac_entry_kind kind)
{
    const uint32_t place = turn | (kind == MAC_STATIC ? MAC_PLACE_STATIC : 0) | port;

    /* Release: pairs with the acquire of the place in mac_bucket_read(). */
    atomic_store_explicit(&slot_value(table, slot)->place, place, memory_order_release);
}

static uint32_t slot_turn(const struct mac_table *table, uint32_t slot)
{
    return slot_place(table, slot) & ~(MAC_PLACE_TURN - 1);
}

/* Counts an entry in @p slot in or out of the buckets between its home and it, and marks those. */
static void buckets_mark(struct mac_table *table, uint32_t slot, uint64_t key, int change)
{
    const size_t end = slot / MAC_TABLE_SLOTS;

    for (size_t at = mac_table_home(table, key); at != end; at = (at + 1) & table->bucket_mask) {
        const uint64_t held = slot_held(table, (uint32_t)at * MAC_TABLE_SLOTS);
        uint64_t mark;

        table->passed_entries[at] = (uint8_t)(table->passed_entries[at] + change);
        mark = table->passed_entries[at] != 0 ? MAC_KEY_PASSED : 0;
        atomic_store_explicit(&table->bucket[at].key[0], (held & ~MAC_KEY_PASSED) | mark,
                              memory_order_release);
    }
}

/* ---- the chain of a port --------------------------------------------------------------------- */

static struct mac_list *slot_list(const struct mac_table *table, uint32_t slot)
{
    return &table->port[slot_port(table, slot)][slot_kind(table, slot)];
}

static uint32_t list_count(const struct mac_list *list)
{
    return atomic_load_explicit(&list->count_entries, memory_order_relaxed);
}

static void list_change_count(struct mac_list *list, uint32_t by)
{
    /* Relaxed: a worker that reads an old count notes a source for nothing, or a moment later. */
    atomic_store_explicit(&list->count_entries, list_count(list) + by, memory_order_relaxed);
}

static void list_append(struct mac_table *table, uint32_t slot)
{
    struct mac_list *list = slot_list(table, slot);
    const uint16_t port = slot_port(table, slot);

    table->port_limit = port >= table->port_limit ? (uint16_t)(port + 1) : table->port_limit;
    table->link[slot] = (struct mac_link){ .before = list->last, .after = MAC_NO_SLOT };
    if (list->last != MAC_NO_SLOT) {
        table->link[list->last].after = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
    list_change_count(list, 1);
}

static void list_remove(struct mac_table *table, uint32_t slot)
{
    struct mac_list *list = slot_list(table, slot);
    const struct mac_link link = table->link[slot];

    if (link.before != MAC_NO_SLOT) {
        table->link[link.before].after = link.after;
    } else {
        list->first = link.after;
    }
    if (link.after != MAC_NO_SLOT) {
        table->link[link.after].before = link.before;
    } else {
        list->last = link.before;
    }
    list_change_count(list, UINT32_MAX);
}

/* ---- entries --------------------------------------------------------------------------------- */

static void entry_insert(struct mac_table *table, uint32_t slot, uint64_t key, uint16_t port,
                         enum mac_entry_kind kind, uint32_t seen_s)
{
    slot_store_place(table, slot, slot_turn(table, slot) + MAC_PLACE_TURN, port, kind);
    atomic_store_explicit(&slot_value(table, slot)->seen_s, seen_s, memory_order_relaxed);
    buckets_mark(table, slot, key, 1);
    slot_store_key(table, slot, key);
    list_append(table, slot);
    table->entries++;
}

static void entry_remove(struct mac_table *table, uint32_t slot)
{
    const uint64_t key = slot_held(table, slot) & ~MAC_KEY_PASSED;

    slot_store_key(table, slot, 0);
    buckets_mark(table, slot, key, -1);
    list_remove(table, slot);
    table->entries--;
}

/* Gives an entry another port or kind; a reader sees the one or the other. */
static void entry_move(struct mac_table *table, uint32_t slot, uint16_t port,
                       enum mac_entry_kind kind)
{
    list_remove(table, slot);
    slot_store_place(table, slot, slot_turn(table, slot), port, kind);
    list_append(table, slot);
}

static uint32_t list_remove_all(struct mac_table *table, struct mac_list *list)
{
    const uint32_t removed = list_count(list);

    while (list->first != MAC_NO_SLOT) {
        entry_remove(table, list->first);
    }
    return removed;
}

/* The learned entry that gives way when the table is full: an old one of the port with most. */
static uint32_t slot_to_evict(const struct mac_table *table, uint16_t for_port)
{
    uint16_t largest = for_port;   /* in a tie a port makes room for itself */
    uint32_t slot, oldest;

    for (uint16_t port = 0; port < table->port_limit; port++) {
        if (list_count(&table->port[port][MAC_LEARNED]) >
            list_count(&table->port[largest][MAC_LEARNED])) {
            largest = port;
        }
    }
    oldest = slot = table->port[largest][MAC_LEARNED].first;
    for (unsigned i = 0; i < EVICT_LOOK_ENTRIES && slot != MAC_NO_SLOT; i++) {
        if ((int32_t)(slot_seen_s(table, slot) - slot_seen_s(table, oldest)) < 0) {
            oldest = slot;
        }
        slot = table->link[slot].after;
    }
    return oldest;
}

/* A free slot for a new entry, made so if need be; MAC_NO_SLOT when none is to be had fairly. */
static uint32_t slot_make(struct mac_table *table, uint64_t key, uint16_t port)
{
    const uint32_t slot = slot_find_free(table, key);

    if (slot != MAC_NO_SLOT && table->entries >= table->capacity_entries) {
        const uint32_t victim = slot_to_evict(table, port);

        if (victim == MAC_NO_SLOT) {
            return MAC_NO_SLOT;
        }
        entry_remove(table, victim);
        table->evictions++;
    }
    return slot;
}

static enum mac_learn_result learn_again(struct mac_table *table, uint32_t slot, uint16_t port,
                                         uint32_t now_s)
{
    const bool moved = slot_port(table, slot) != port;

    if (slot_kind(table, slot) == MAC_STATIC) {
        return moved ? MAC_LEARN_STATIC : MAC_LEARN_KNOWN;
    }
    if (moved && mac_table_port_full(table, port)) {
        table->refused++;
        return MAC_LEARN_QUOTA;
    }
    atomic_store_explicit(&slot_value(table, slot)->seen_s, now_s, memory_order_relaxed);
    entry_move(table, slot, port, MAC_LEARNED);
    table->moves += moved;
    return moved ? MAC_LEARN_MOVED : MAC_LEARN_KNOWN;
}

/* An address that has become some port's in every VLAN was learned in none of them. */
static void forget_learned(struct mac_table *table, uint64_t mac)
{
    for (uint16_t vlan = 0; vlan < MAC_TABLE_ANY_VLAN; vlan++) {
        const uint32_t slot = slot_find(table, mac_table_key(mac, vlan));

        if (slot != MAC_NO_SLOT && slot_kind(table, slot) == MAC_LEARNED) {
            entry_remove(table, slot);
        }
    }
}

/* ---- the face -------------------------------------------------------------------------------- */

enum mac_learn_result mac_table_learn(struct mac_table *table, uint64_t mac, uint16_t vlan,
                                      uint16_t port, uint32_t now_s)
{
    const uint64_t key = mac_table_key(mac, vlan);
    uint32_t slot = slot_find(table, key);

    assert(port < MAC_TABLE_PORTS);
    if (slot == MAC_NO_SLOT) {
        slot = slot_find(table, mac_table_key(mac, MAC_TABLE_ANY_VLAN));
    }
    if (slot != MAC_NO_SLOT) {
        return learn_again(table, slot, port, now_s);
    }
    if (mac_table_port_full(table, port)) {
        table->refused++;
        return MAC_LEARN_QUOTA;
    }
    slot = slot_make(table, key, port);
    if (slot == MAC_NO_SLOT) {
        table->refused++;
        return MAC_LEARN_FULL;
    }
    entry_insert(table, slot, key, port, MAC_LEARNED, now_s);
    return MAC_LEARN_NEW;
}

int mac_table_add_static(struct mac_table *table, uint64_t mac, uint16_t vlan, uint16_t port)
{
    const uint64_t key = mac_table_key(mac, vlan);
    uint32_t slot = slot_find(table, key);

    assert(port < MAC_TABLE_PORTS);
    if (slot != MAC_NO_SLOT) {
        entry_move(table, slot, port, MAC_STATIC);
        return 0;
    }
    if (vlan == MAC_TABLE_ANY_VLAN) {
        forget_learned(table, mac);
    }
    slot = slot_make(table, key, port);
    if (slot == MAC_NO_SLOT) {
        return -ENOSPC;
    }
    entry_insert(table, slot, key, port, MAC_STATIC, 0);
    return 0;
}

int mac_table_remove(struct mac_table *table, uint64_t mac, uint16_t vlan)
{
    const uint32_t slot = slot_find(table, mac_table_key(mac, vlan));

    if (slot == MAC_NO_SLOT) {
        return -ENOENT;
    }
    entry_remove(table, slot);
    return 0;
}

uint32_t mac_table_remove_port(struct mac_table *table, uint16_t port)
{
    assert(port < MAC_TABLE_PORTS);
    return list_remove_all(table, &table->port[port][MAC_LEARNED]) +
           list_remove_all(table, &table->port[port][MAC_STATIC]);
}

uint32_t mac_table_flush(struct mac_table *table, uint16_t port)
{
    uint32_t removed = 0;

    if (port != MAC_TABLE_MISS) {
        assert(port < MAC_TABLE_PORTS);
        return list_remove_all(table, &table->port[port][MAC_LEARNED]);
    }
    for (uint16_t each = 0; each < table->port_limit; each++) {
        removed += list_remove_all(table, &table->port[each][MAC_LEARNED]);
    }
    return removed;
}

/* Calls that make one sweep, so that an entry goes at most about a tenth of its time too late. */
static uint32_t sweep_calls(const struct mac_table *table)
{
    const uint32_t tenth = table->ageing_s / 10;

    if (table->ageing_s == 0 || tenth > SWEEP_MAX_CALLS) {
        return SWEEP_MAX_CALLS;
    }
    return tenth > 0 ? tenth : 1;
}

/* Looks at one slot: 1 when its entry has aged out. */
static uint32_t slot_sweep(struct mac_table *table, uint32_t slot, uint32_t now_s, uint32_t calls)
{
    uint32_t age_s;

    if ((slot_held(table, slot) & MAC_KEY_VALID) == 0 || slot_kind(table, slot) == MAC_STATIC) {
        return 0;
    }
    age_s = slot_age_s(table, slot, now_s);
    if (table->ageing_s != 0 && age_s >= table->ageing_s) {
        entry_remove(table, slot);
        return 1;
    }
    if (age_s < calls) {
        list_remove(table, slot);
        list_append(table, slot);
    }
    return 0;
}

uint32_t mac_table_age(struct mac_table *table, uint32_t now_s)
{
    const uint32_t calls = sweep_calls(table);
    const size_t buckets = (table->bucket_mask + calls) / calls;   /* of mask + 1, rounded up */
    uint32_t removed = 0;

    for (size_t i = 0; i < buckets; i++) {
        const uint32_t first = (uint32_t)table->sweep_bucket * MAC_TABLE_SLOTS;

        for (uint32_t slot = first; slot < first + MAC_TABLE_SLOTS; slot++) {
            removed += slot_sweep(table, slot, now_s, calls);
        }
        table->sweep_bucket = (table->sweep_bucket + 1) & table->bucket_mask;
    }
    return removed;
}

void mac_table_set_ageing(struct mac_table *table, uint32_t ageing_s)
{
    table->ageing_s = ageing_s;
}
