/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two passes over a batch.  The first reads addresses and asks for the table's cache lines; the
 * second, for which they are on their way or there, decides.
 *
 * Most batches are one flow, so the second pass remembers what it found for the last source and for
 * the last destination, each by itself: a guest that talks to many is still one source.
 */
#include "switch/forward.h"

#include "switch/drop.h"
#include "switch/mac.h"
#include "switch/mac_table_lookup.h"

#define NO_ADDRESS  UINT64_MAX             /* of a frame too short to have any; no address is this */
#define NO_DROP     DROP_REASON_COUNT

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

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

struct addresses {
    uint64_t source[FRAME_BURST];
    uint64_t destination[FRAME_BURST];
};

/* Where a frame goes, or why it goes nowhere. */
struct verdict {
    uint16_t port_out;
    uint8_t drop_reason;
};

/* An address is the upper six of eight bytes; the bytes at @p from + 8 are within the header. */
static inline uint64_t read_8(const uint8_t *from)
{
    uint64_t raw;

    memcpy(&raw, from, sizeof(raw));
    return __builtin_bswap64(raw);
}

static inline void read_addresses(const struct context *context, const struct frame_batch *batch,
                                  struct addresses *address)
{
    uint64_t last_source = NO_ADDRESS, last_destination = NO_ADDRESS;

    for (unsigned i = 0; i < batch->count; i++) {
        const struct frame *frame = &batch->frame[i];
        uint64_t source = NO_ADDRESS, destination = NO_ADDRESS;

        if (likely(frame->hdr_len_bytes >= FRAME_MIN_BYTES)) {
            destination = read_8(frame->hdr) >> 16;
            source = read_8(frame->hdr + 4) & MAC_BROADCAST;
        }
        if (source != last_source) {
            mac_table_prefetch(context->table, mac_table_key(source, context->vlan));
        }
        if (destination != last_destination) {
            mac_table_prefetch(context->table, mac_table_key(destination, context->vlan));
        }
        address->source[i] = last_source = source;
        address->destination[i] = last_destination = destination;
    }
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
static inline uint8_t meet_source(const struct context *context, uint64_t source)
{
    struct mac_hit hit;

    if (unlikely(!mac_is_station(source))) {
        if (source == NO_ADDRESS) {
            return DROP_FRAME_TOO_SHORT;
        }
        return source == 0 ? DROP_SOURCE_ZERO : DROP_SOURCE_MULTICAST;
    }
    hit = mac_table_lookup(context->table, mac_table_key(source, context->vlan));
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

static inline struct verdict find_destination(const struct context *context, uint64_t destination)
{
    const struct fabric_port *port;
    struct mac_hit hit;

    if (mac_is_group(destination)) {
        return flood(context);
    }
    hit = mac_table_lookup(context->table, mac_table_key(destination, context->vlan));
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

static inline void decide(const struct context *context, struct frame_batch *batch,
                          const struct addresses *address, struct forward_classes *classes)
{
    uint64_t last_source = NO_ADDRESS, last_destination = NO_ADDRESS;
    uint8_t source_drop = DROP_FRAME_TOO_SHORT;
    struct verdict verdict = { PORT_NONE, DROP_FRAME_TOO_SHORT };
    uint16_t floods = 0;

    for (unsigned i = 0; i < batch->count; i++) {
        const uint64_t source = address->source[i];
        const uint64_t destination = address->destination[i];
        struct frame *frame = &batch->frame[i];

        if (source != last_source) {
            source_drop = meet_source(context, source);
            last_source = source;
        }
        if (destination != last_destination) {
            verdict = find_destination(context, destination);
            last_destination = destination;
        }
        frame->vlan_tci = 0;
        frame->port_out = verdict.port_out;
        frame->drop_reason = verdict.drop_reason;
        if (unlikely(source_drop != NO_DROP)) {
            frame->port_out = PORT_NONE;
            frame->drop_reason = source_drop;
        }
        if (mac_is_group(destination) && destination != NO_ADDRESS) {
            classes->broadcast_frames += destination == MAC_BROADCAST;
            classes->multicast_frames += destination != MAC_BROADCAST;
        }
        floods = (uint16_t)(floods + (frame->port_out == PORT_FLOOD));
    }
    batch->flood_count = floods;
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
    struct addresses address;

    notes->count = 0;
    *classes = (struct forward_classes){ 0, 0 };
    read_addresses(&context, batch, &address);
    decide(&context, batch, &address, classes);
}
