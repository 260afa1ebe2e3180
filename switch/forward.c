/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two passes over a batch.  The first cuts it into trains (forward_train.h) and asks for the
 * table's cache lines; the second, for which they are there or on their way, decides once a train.
 * Most batches are one train, so that a frame costs a comparison and a store.
 *
 * The second pass also remembers what it found for the last source and for the last destination,
 * each by itself: a guest that talks to many is still one source.
 *
 * Guards look beyond what a train has in common, so a guarded port costs a pass of its own.
 */
#include "switch/forward.h"

#include "switch/forward_train.h"
#include "switch/guard.h"

/* 01:80:c2:00:00:00 to 0f.  Standard: IEEE 802.1Q-2022, 8.6.3, table 8-1. */
#define RESERVED_GROUPS UINT64_C(0x0180c2000000)
#define RESERVED_LOW    UINT64_C(0x0f)

#define REFLECTION_MAX_S 2         /* so long after a frame of ours, one like it is no news */

/* Where a frame goes, or why it goes nowhere. */
struct verdict {
    uint16_t port_out;
    uint8_t drop_reason;
};

/* ---- the source ------------------------------------------------------------------------------ */

/* Looks an address up; what is not in its VLAN may be in all. */
static inline struct mac_hit find(const struct context *context, uint64_t key, size_t home)
{
    struct mac_hit hit = mac_table_lookup_from(context->table, key, home);

    if (unlikely(hit.value == NULL && context->on->wildcard)) {
        hit = mac_table_lookup(context->table,
                               mac_table_key(mac_key_address(key), MAC_TABLE_ANY_VLAN));
    }
    return hit;
}

static void note_source(const struct context *context, const struct train *train)
{
    struct forward_notes *notes = context->notes;
    const uint64_t source = mac_key_address(train->source);

    for (uint32_t i = 0; i < notes->count; i++) {
        if (notes->note[i].mac == source && notes->note[i].vlan == train->fid) {
            return;
        }
    }
    notes->note[notes->count++] = (struct forward_note){
        .mac = source,
        .vlan = train->fid,
        .port = context->port_in,
        .switch_index = context->in->switch_index,
        .generation = context->fabric->generation,
    };
}

static inline bool is_own(const struct fabric_port *port, uint64_t mac)
{
    bool own = mac == port->mac;

    for (uint8_t i = 0; !own && i < port->allowed_mac_count; i++) {
        own = mac == port->allowed_mac[i];
    }
    return own;
}

/*
 * Whether a frame of ours has gone out by one member of a team and come back by another: its source
 * was heard behind another port only now.  Workers' seconds differ a little, either way.
 */
static __attribute__((noinline)) bool is_reflected(const struct context *context,
                                                   struct mac_hit hit)
{
    const struct fabric_team *team = context->in->team;

    return team != NULL && team->reflects && hit.value != NULL &&
           (int32_t)(context->now_s - atomic_load_explicit(&hit.value->seen_s,
                                                           memory_order_relaxed)) <=
               REFLECTION_MAX_S;
}

/* Refreshes what is known of a source, notes what is new; NO_DROP, or why it may not send. */
static inline uint8_t meet_source(const struct context *context, const struct train *train)
{
    const uint64_t source = mac_key_address(train->source);
    struct mac_hit hit;

    if (unlikely(!mac_is_station(source))) {
        return source == 0 ? DROP_SOURCE_ZERO : DROP_SOURCE_MULTICAST;
    }
    if ((context->in->flags & FABRIC_PORT_LOCKED) != 0) {
        if (likely(is_own(context->in, source))) {
            return NO_DROP;        /* it is pinned here, so there is nothing to learn */
        }
        context->classes->spoofed_mac = source;
        return DROP_SPOOFED_SOURCE;
    }
    hit = find(context, train->source, train->source_home);
    if (likely(mac_hit_port(hit) == context->port_in)) {
        mac_table_touch(hit, context->now_s);
    } else if (hit.value != NULL && mac_hit_is_static(hit)) {
        return DROP_SOURCE_ELSEWHERE;
    } else if (is_reflected(context, hit)) {
        return DROP_TEAM_REFLECTED;
    } else if (!mac_table_port_full(context->table, context->port_in)) {
        note_source(context, train);
    }
    return NO_DROP;
}

/* ---- the destination ------------------------------------------------------------------------- */

static inline struct verdict drop(enum drop_reason reason)
{
    return (struct verdict){ PORT_NONE, (uint8_t)reason };
}

static inline struct verdict flood(const struct context *context, const struct train *train,
                                   bool is_group)
{
    const uint16_t vid = train_vid(train);

    if (likely(fabric_flood_copies(context->on, context->in, vid, is_group) != 0)) {
        return (struct verdict){ PORT_FLOOD, NO_DROP };
    }
    if (!is_group && fabric_flood_copies(context->on, context->in, vid, true) != 0) {
        return drop(DROP_UNKNOWN_UNICAST);
    }
    return drop(DROP_NO_OTHER_PORT);
}

static inline struct verdict find_destination(const struct context *context,
                                              const struct train *train)
{
    const struct fabric_port *port;
    struct mac_hit hit;

    if (mac_is_group(train->destination)) {
        const uint64_t group = mac_key_address(train->destination);
        const bool reserved = (group & ~RESERVED_LOW) == RESERVED_GROUPS;

        return unlikely(reserved && context->on->outside) ? drop(DROP_RESERVED_GROUP)
                                                          : flood(context, train, true);
    }
    hit = find(context, train->destination, train->destination_home);
    if (hit.value == NULL) {
        return flood(context, train, false);
    }
    /* The table outlives fabrics, so it may name a port that this one does not have. */
    port = &context->fabric->port[mac_hit_port(hit)];
    if (unlikely(port->kind == FABRIC_PORT_UNUSED ||
                 port->switch_index != context->in->switch_index)) {
        return flood(context, train, false);
    }
    if (unlikely(mac_hit_port(hit) == context->port_in)) {
        return drop(DROP_BACK_TO_SENDER);
    }
    if (unlikely(!fabric_port_receives(port, train_vid(train)))) {
        return drop(DROP_VLAN_KEPT_APART);
    }
    return (struct verdict){ mac_hit_port(hit), NO_DROP };
}

/* ---- the decision ---------------------------------------------------------------------------- */

/* Takes the tags out of a train that goes somewhere, and says of one that does not that it has. */
static __attribute__((noinline)) void untag_train(const struct context *context,
                                                  struct frame_batch *batch,
                                                  const struct train *train, bool goes)
{
    for (uint32_t i = train[0].first; i < train[1].first; i++) {
        struct frame *frame = &batch->frame[i];

        frame->came_tagged = 1;
        frame->tagged = 1;
        frame->tci_in = bytes_get_2(frame->hdr + 14);
        if (goes) {
            (void)frame_tag_pop(frame);
        }
    }
    if (goes) {
        context->classes->untagged_bytes += FRAME_TAG_BYTES * (train[1].first - train[0].first);
        batch->altered = true;
    }
}

static inline void count_train(const struct context *context, const struct train *train)
{
    const uint32_t frames = train[1].first - train[0].first;

    if (unlikely(mac_is_group(train->destination))) {
        const bool broadcast = mac_key_address(train->destination) == MAC_BROADCAST;

        context->classes->broadcast_frames += broadcast ? frames : 0;
        context->classes->multicast_frames += broadcast ? 0 : frames;
    }
}

/* What was found for the last train that got so far. */
struct memory {
    const struct train *train;     /* NULL: there was none */
    uint8_t source_drop;
    struct verdict destination;
};

static inline struct verdict judge(const struct context *context, const struct train *train,
                                   struct memory *last)
{
    const struct train *before = last->train;

    if (unlikely(train->drop_reason != NO_DROP)) {
        return drop(train->drop_reason);
    }
    if (before == NULL || train->source != before->source) {
        last->source_drop = meet_source(context, train);
    }
    if (before == NULL || train->destination != before->destination ||
        train->tci != before->tci) {
        last->destination = find_destination(context, train);
    }
    last->train = train;
    return likely(last->source_drop == NO_DROP) ? last->destination : drop(last->source_drop);
}

/* Judges trains as their first frames come by, so that a train of one costs no loop of its own. */
static inline void decide(const struct context *context, struct frame_batch *batch,
                          const struct train *train)
{
    struct forward_classes *classes = context->classes;
    struct memory last = { .train = NULL };
    struct verdict verdict = drop(NO_DROP);
    uint32_t longest_bytes = 0;
    uint32_t bytes = 0;
    uint16_t tci = 0;

    batch->flood_count = 0;
    classes->alike = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct frame *frame = &batch->frame[i];

        if (i == train->first) {
            verdict = judge(context, train, &last);
            tci = train->tci;
            count_train(context, train);
            if (unlikely(verdict.port_out == PORT_FLOOD)) {
                batch->flood_count = (uint16_t)(batch->flood_count + train[1].first - i);
            }
            if (unlikely(train->tagged)) {
                untag_train(context, batch, train, verdict.port_out != PORT_NONE);
            }
            if (unlikely(i != 0 && verdict.port_out != batch->frame[0].port_out)) {
                classes->alike = false;
            }
            train++;
        }
        frame->vlan_tci = tci;
        frame->port_out = verdict.port_out;
        frame->drop_reason = verdict.drop_reason;
        bytes += frame->len_bytes;
        longest_bytes = frame->len_bytes > longest_bytes ? frame->len_bytes : longest_bytes;
    }
    classes->longest_bytes = longest_bytes;
    classes->bytes = bytes;
}

/* ---- the guards ------------------------------------------------------------------------------ */

/* What the guards of the port have against a frame, under the name of the first; or NO_DROP. */
static inline uint8_t check_guards(const struct frame *frame, uint8_t guards)
{
    if (likely(guard_passes(frame->hdr, frame->hdr_len_bytes))) {
        return NO_DROP;
    }
    guards &= guard_objections(frame->hdr, frame->hdr_len_bytes);
    if ((guards & FABRIC_PORT_DHCP_GUARD) != 0) {
        return DROP_DHCP_SERVER;
    }
    return (guards & FABRIC_PORT_ROUTER_GUARD) != 0 ? DROP_ROUTER : NO_DROP;
}

/* Takes back what was decided for frames that the guards object to, and their untagging. */
static __attribute__((noinline)) void guard_batch(const struct context *context,
                                                  struct frame_batch *batch)
{
    const uint8_t guards = context->in->flags;

    for (uint16_t i = 0; i < batch->count; i++) {
        struct frame *frame = &batch->frame[i];
        const uint8_t reason = frame->port_out == PORT_NONE ? NO_DROP
                                                            : check_guards(frame, guards);

        if (likely(reason == NO_DROP)) {
            continue;
        }
        if (frame->port_out == PORT_FLOOD) {
            batch->flood_count--;
        }
        context->classes->alike = false;
        frame->port_out = PORT_NONE;
        frame->drop_reason = reason;
        if (frame->came_tagged) {
            frame_tag_push(frame, frame->tci_in);
            context->classes->untagged_bytes -= FRAME_TAG_BYTES;
            context->classes->bytes += FRAME_TAG_BYTES;
        }
    }
}

void forward_batch(const struct fabric *fabric, struct frame_batch *batch, uint32_t now_s,
                   struct forward_notes *notes, struct forward_classes *classes)
{
    const struct fabric_port *in = &fabric->port[batch->port_in];
    const struct fabric_switch *on = &fabric->switches[in->switch_index];
    const bool guarded = (in->flags & (FABRIC_PORT_DHCP_GUARD | FABRIC_PORT_ROUTER_GUARD)) != 0;
    const struct context context = {
        .fabric = fabric,
        .on = on,
        .in = in,
        .table = on->table,
        .notes = notes,
        .classes = classes,
        .now_s = now_s,
        .port_in = batch->port_in,
    };
    struct train train[FRAME_BURST + 1];

    notes->count = 0;
    *classes = (struct forward_classes){ 0 };
    cut_trains(&context, batch, train);
    decide(&context, batch, train);
    if (unlikely(guarded)) {
        guard_batch(&context, batch);
    }
}
