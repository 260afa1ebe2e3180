/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two passes over a batch.  The first cuts it into trains, which are frames in a row between the
 * same two addresses, and asks for the table's cache lines of each; the second, for which they are
 * there or on their way, decides once a train.  Most batches are one train, so that a frame costs a
 * comparison and a store.
 *
 * The second pass also remembers what it found for the last source and for the last destination,
 * each by itself: a guest that talks to many is still one source.
 */
#include "switch/forward.h"

#include "switch/drop.h"
#include "switch/mac.h"
#include "switch/mac_table_lookup.h"

#define NO_ADDRESS    UINT64_MAX   /* of a frame too short to have any; no address is this */
#define NO_DROP       DROP_REASON_COUNT
#define ADDRESS_BYTES 6u

#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)

/* What stays the same for the whole batch. */
struct context {
    const struct fabric *fabric;
    const struct fabric_switch *on;
    struct mac_table *table;
    struct forward_notes *notes;
    uint32_t now_s;
    uint16_t port_in;
    uint16_t switch_index;
    uint16_t vlan;
};

/* Frames in a row between the same two addresses; it ends where the next one starts. */
struct train {
    uint64_t source;
    uint64_t destination;
    size_t source_home;            /* where the table has them, if it does */
    size_t destination_home;
    uint32_t first;
};

/* Where a frame goes, or why it goes nowhere. */
struct verdict {
    uint16_t port_out;
    uint8_t drop_reason;
};

/* Starts a train with a frame, whose trusted bytes are NULL when they are too few. */
static inline void start_train(const struct context *context, struct train *train,
                               const uint8_t *hdr, uint32_t first)
{
    train->first = first;
    train->source = hdr != NULL ? mac_read(hdr + ADDRESS_BYTES) : NO_ADDRESS;
    train->destination = hdr != NULL ? mac_read(hdr) : NO_ADDRESS;
    train->source_home = mac_table_home(context->table,
                                        mac_table_key(train->source, context->vlan));
    train->destination_home = mac_table_home(context->table,
                                           mac_table_key(train->destination, context->vlan));
    mac_table_prefetch(context->table, train->source_home);
    mac_table_prefetch(context->table, train->destination_home);
}

/* Cuts @p batch into trains.  @return how many; train[that] says where the last one ends */
static inline uint32_t cut_trains(const struct context *context, const struct frame_batch *batch,
                                struct train *train)
{
    const uint8_t *last = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        const struct frame *frame = &batch->frame[i];
        const uint8_t *hdr = likely(frame->hdr_len_bytes >= FRAME_MIN_BYTES) ? frame->hdr : NULL;

        if (hdr == NULL || last == NULL || memcmp(hdr, last, 2 * ADDRESS_BYTES) != 0) {
            start_train(context, &train[count++], hdr, i);
            last = hdr;
        }
    }
    train[count].first = batch->count;
    return count;
}

static void note_source(const struct context *context, uint64_t mac)
{
    struct forward_notes *notes = context->notes;

    for (uint32_t i = 0; i < notes->count; i++) {
        if (notes->note[i].mac == mac) {
            return;
        }
    }
    notes->note[notes->count++] = (struct forward_note){
        .mac = mac,
        .vlan = context->vlan,
        .port = context->port_in,
        .switch_index = context->switch_index,
        .generation = context->fabric->generation,
    };
}

/* Refreshes what is known of a source, notes what is new; NO_DROP, or why it may not send. */
static inline uint8_t meet_source(const struct context *context, const struct train *train)
{
    const uint64_t source = train->source;
    struct mac_hit hit;

    if (unlikely(!mac_is_station(source))) {
        if (source == NO_ADDRESS) {
            return DROP_FRAME_TOO_SHORT;
        }
        return source == 0 ? DROP_SOURCE_ZERO : DROP_SOURCE_MULTICAST;
    }
    hit = mac_table_lookup_from(context->table, mac_table_key(source, context->vlan),
                                train->source_home);
    if (likely(mac_hit_port(hit) == context->port_in)) {
        mac_table_touch(hit, context->now_s);
    } else if (!(hit.value != NULL && mac_hit_is_static(hit)) &&
               !mac_table_port_full(context->table, context->port_in)) {
        note_source(context, source);
    }
    return NO_DROP;
}

static inline struct verdict flood(const struct context *context)
{
    if (context->on->member_count <= 1) {
        return (struct verdict){ PORT_NONE, DROP_NO_OTHER_PORT };
    }
    return (struct verdict){ PORT_FLOOD, NO_DROP };
}

static inline struct verdict find_destination(const struct context *context,
                                              const struct train *train)
{
    const uint64_t destination = train->destination;
    const struct fabric_port *port;
    struct mac_hit hit;

    if (mac_is_group(destination)) {
        return flood(context);
    }
    hit = mac_table_lookup_from(context->table, mac_table_key(destination, context->vlan),
                                train->destination_home);
    if (hit.value == NULL) {
        return flood(context);
    }
    /* The table outlives fabrics, so it may name a port that this one does not have. */
    port = &context->fabric->port[mac_hit_port(hit)];
    if (unlikely(port->kind == FABRIC_PORT_UNUSED || port->switch_index != context->switch_index)) {
        return flood(context);
    }
    if (unlikely(mac_hit_port(hit) == context->port_in)) {
        return (struct verdict){ PORT_NONE, DROP_BACK_TO_SENDER };
    }
    return (struct verdict){ mac_hit_port(hit), NO_DROP };
}

static inline void write_train(struct frame_batch *batch, const struct train *train,
                             struct verdict verdict)
{
    for (uint32_t i = train[0].first; i < train[1].first; i++) {
        batch->frame[i].vlan_tci = 0;
        batch->frame[i].port_out = verdict.port_out;
        batch->frame[i].drop_reason = verdict.drop_reason;
    }
}

static inline void decide(const struct context *context, struct frame_batch *batch,
                          const struct train *train, uint32_t count,
                          struct forward_classes *classes)
{
    uint64_t last_source = NO_ADDRESS, last_destination = NO_ADDRESS;
    uint8_t source_drop = DROP_FRAME_TOO_SHORT;
    struct verdict verdict = { PORT_NONE, DROP_FRAME_TOO_SHORT };

    batch->flood_count = 0;
    for (const struct train *end = train + count; train != end; train++) {
        const uint32_t frames = train[1].first - train[0].first;

        if (train->source != last_source) {
            source_drop = meet_source(context, train);
            last_source = train->source;
        }
        if (train->destination != last_destination) {
            verdict = find_destination(context, train);
            last_destination = train->destination;
        }
        if (mac_is_group(train->destination) && train->destination != NO_ADDRESS) {
            classes->broadcast_frames += train->destination == MAC_BROADCAST ? frames : 0;
            classes->multicast_frames += train->destination != MAC_BROADCAST ? frames : 0;
        }
        if (unlikely(source_drop != NO_DROP)) {
            write_train(batch, train, (struct verdict){ PORT_NONE, source_drop });
            continue;
        }
        write_train(batch, train, verdict);
        if (verdict.port_out == PORT_FLOOD) {
            batch->flood_count = (uint16_t)(batch->flood_count + frames);
        }
    }
}

void forward_batch(const struct fabric *fabric, struct frame_batch *batch, uint32_t now_s,
                   struct forward_notes *notes, struct forward_classes *classes)
{
    const uint16_t switch_index = fabric->port[batch->port_in].switch_index;
    const struct fabric_switch *on = &fabric->switches[switch_index];
    const struct context context = {
        .fabric = fabric,
        .on = on,
        .table = on->table,
        .notes = notes,
        .now_s = now_s,
        .port_in = batch->port_in,
        .switch_index = switch_index,
    };
    struct train train[FRAME_BURST + 1];

    notes->count = 0;
    *classes = (struct forward_classes){ 0 };
    decide(&context, batch, train, cut_trains(&context, batch, train), classes);
}
