/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a whole MAC table: to list it, to sum it up, to copy it into one of another size.
 */
#include "switch/mac_table.h"

#include "switch/mac_table_lookup.h"

/* Reads one slot, as the writer does: nobody else changes keys and places. */
static bool entry_read(const struct mac_table *table, size_t slot, uint32_t now_s,
                       struct mac_entry *entry)
{
    struct mac_bucket *bucket = &table->bucket[slot / MAC_TABLE_SLOTS];
    struct mac_value *value = &bucket->value[slot % MAC_TABLE_SLOTS];
    const uint64_t key = atomic_load_explicit(&bucket->key[slot % MAC_TABLE_SLOTS],
                                              memory_order_relaxed);
    const uint32_t place = atomic_load_explicit(&value->place, memory_order_relaxed);
    const uint32_t age_s = now_s - atomic_load_explicit(&value->seen_s, memory_order_relaxed);
    const bool fixed = (place & MAC_PLACE_STATIC) != 0;

    *entry = (struct mac_entry){
        .mac = mac_key_address(key),
        .vlan = (uint16_t)(key >> 48 & 0xfff),
        .port = (uint16_t)place,
        .kind = fixed ? MAC_STATIC : MAC_LEARNED,
        .age_s = fixed || age_s > INT32_MAX ? 0 : age_s,
    };
    return (key & MAC_KEY_VALID) != 0;
}

size_t mac_table_list(const struct mac_table *table, uint32_t now_s, size_t *cursor,
                      struct mac_entry *entries, size_t size)
{
    const size_t slots = (table->bucket_mask + 1) * MAC_TABLE_SLOTS;
    size_t count = 0;

    while (count < size && *cursor < slots) {
        if (entry_read(table, *cursor, now_s, &entries[count])) {
            count++;
        }
        (*cursor)++;
    }
    return count;
}

void mac_table_stats(const struct mac_table *table, struct mac_table_stats *stats)
{
    *stats = (struct mac_table_stats){
        .entries = table->entries,
        .capacity_entries = table->capacity_entries,
        .moves = table->moves,
        .evictions = table->evictions,
        .refused = table->refused,
    };
}

static void list_copy(struct mac_table *to, const struct mac_table *from, uint16_t port,
                      enum mac_entry_kind kind)
{
    const struct mac_list *list = &from->port[port][kind];
    uint32_t slot = list->first;
    uint32_t left = atomic_load_explicit(&list->count_entries, memory_order_relaxed);

    for (; left > 0; left--, slot = from->link[slot].after) {
        const struct mac_value *value = &from->bucket[slot / MAC_TABLE_SLOTS]
                                              .value[slot % MAC_TABLE_SLOTS];
        const uint32_t seen_s = atomic_load_explicit(&value->seen_s, memory_order_relaxed);
        struct mac_entry entry;

        (void)entry_read(from, slot, seen_s, &entry);
        if (kind == MAC_STATIC) {
            (void)mac_table_add_static(to, entry.mac, entry.vlan, port);
        } else if (left <= to->quota_entries) {
            (void)mac_table_learn(to, entry.mac, entry.vlan, port, seen_s);
        }
    }
}

/*
 * Static entries first, then learned ones from the oldest to the newest: where room runs out, the
 * table's own rules keep what is newest and fair, and a port's quota leaves out its oldest.
 */
void mac_table_copy(struct mac_table *to, const struct mac_table *from)
{
    for (unsigned kind = MAC_STATIC + 1; kind-- > MAC_LEARNED;) {
        for (uint16_t port = 0; port < from->port_limit; port++) {
            list_copy(to, from, port, (enum mac_entry_kind)kind);
        }
    }
    to->moves = from->moves;
    to->evictions = from->evictions;
    to->refused = from->refused;
}
