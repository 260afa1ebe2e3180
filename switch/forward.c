/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two passes over a batch.  The first cuts it into trains, which are frames in a row that begin
 * with the same bytes up to the end of a tag, finds out the VLAN of each, and asks for the table's
 * cache lines; the second, for which they are there or on their way, decides once a train.  Most
 * batches are one train, so that a frame costs a comparison and a store.
 *
 * The second pass also remembers what it found for the last source and for the last destination,
 * each by itself: a guest that talks to many is still one source.
 *
 * A frame with too few bytes to be in a train is one of its own.
 *
 * Guards look beyond what a train has in common, so a guarded port costs a pass of its own.
 */
#include "switch/forward.h"

#include <string.h>

#include "switch/bytes.h"
#include "switch/drop.h"
#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/guard.h"
#include "switch/mac.h"
#include "switch/mac_table_lookup.h"

#define NO_DROP         DROP_REASON_COUNT
#define ADDRESS_BYTES   6u
#define TRAIN_BYTES     (FRAME_MIN_BYTES + FRAME_TAG_BYTES)   /* addresses, tag, type */
#define TCI_PRIORITY    0xf000u    /* PCP and DEI: IEEE 802.1Q-2022, 9.6 */

/* 01:80:c2:00:00:00 to 0f.  Standard: IEEE 802.1Q-2022, 8.6.3, table 8-1. */
#define RESERVED_GROUPS UINT64_C(0x0180c2000000)
#define RESERVED_LOW    UINT64_C(0x0f)

#define REFLECTION_MAX_S 2         /* so long after a frame of ours, one like it is no news */

#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)

/* What stays the same for the whole batch. */
struct context {
    const struct fabric *fabric;
    const struct fabric_switch *on;
    const struct fabric_port *in;
    struct mac_table *table;
    struct forward_notes *notes;
    struct forward_classes *classes;
    uint32_t now_s;
    uint16_t port_in;
};

/* Frames in a row that begin alike; it ends where the next one starts. */
struct train {
    uint64_t source;               /* keys of the table: addresses in a filtering id */
    uint64_t destination;
    size_t source_home;            /* where the table has them, if it does */
    size_t destination_home;
    uint32_t first;
    uint16_t tci;                  /* the VLAN and priority that it is carried with */
    uint16_t fid;
    uint8_t drop_reason;           /* what its length or tag says against it, or NO_DROP */
    bool tagged;                   /* by a tag that is taken out when it goes somewhere */
};

/* Where a frame goes, or why it goes nowhere. */
struct verdict {
    uint16_t port_out;
    uint8_t drop_reason;
};

static inline uint16_t train_vid(const struct train *train)
{
    return train->tci & VLAN_VID_MASK;
}

/* ---- cutting a batch into trains ------------------------------------------------------------- */

/* Finds the VLAN of a tagged frame by the rules of vlan.h.  @return NO_DROP, or what is wrong */
static __attribute__((noinline)) uint8_t classify_tagged(const struct context *context,
                                                         const struct frame *frame,
                                                         struct train *train)
{
    const struct fabric_port *in = context->in;
    const bool outside = (in->flags & FABRIC_PORT_OUTSIDE) != 0;
    const uint8_t *hdr = frame->hdr;
    uint16_t tci, vid;

    if (bytes_get_2(hdr + 12) != ETHERTYPE_CTAG) {
        return outside ? NO_DROP : DROP_DOUBLE_TAGGED;         /* from outside, it is payload */
    }
    if (frame->hdr_len_bytes < TRAIN_BYTES) {
        return DROP_FRAME_TOO_SHORT;
    }
    tci = bytes_get_2(hdr + 14);
    vid = tci & VLAN_VID_MASK;
    train->tagged = true;
    if (!outside && ether_is_tagged(hdr + FRAME_TAG_BYTES)) {
        return DROP_DOUBLE_TAGGED;
    }
    if (vid != 0 && (in->flags & FABRIC_PORT_TAGS) == 0) {
        return DROP_TAGGED;
    }
    if (vid != 0 && vid != in->vlan_in) {
        if (in->others == NULL || !vlan_set_has(in->others, vid)) {
            return DROP_VLAN_NOT_ALLOWED;
        }
        train->tci = vid;
        train->fid = context->on->fid != NULL ? context->on->fid[vid] : vid;
    }
    if ((in->flags & FABRIC_PORT_TRUSTED) != 0) {
        train->tci = (uint16_t)(train->tci | (tci & TCI_PRIORITY));
    }
    return NO_DROP;
}

static inline void start_train(const struct context *context, struct train *train,
                               const struct frame *frame, uint32_t first)
{
    const uint8_t *hdr = frame->hdr;

    train->first = first;
    train->tci = context->in->vlan_in;
    train->fid = context->in->fid_in;
    train->drop_reason = NO_DROP;
    train->tagged = false;
    if (unlikely(frame->hdr_len_bytes < FRAME_MIN_BYTES)) {
        train->drop_reason = DROP_FRAME_TOO_SHORT;
        train->destination = 0;
        return;
    }
    if (unlikely(ether_is_tagged(hdr))) {
        train->drop_reason = classify_tagged(context, frame, train);
    }
    train->source = mac_table_key(mac_read(hdr + ADDRESS_BYTES), train->fid);
    train->destination = mac_table_key(mac_read(hdr), train->fid);
    train->source_home = mac_table_home(context->table, train->source);
    train->destination_home = mac_table_home(context->table, train->destination);
    mac_table_prefetch(context->table, train->source_home);
    mac_table_prefetch(context->table, train->destination_home);
}

/* What the frames of a train have in common, and what another must have to be of it. */
struct beginning {
    uint64_t bytes[2];             /* addresses, type and, if that says so, a tag */
    uint16_t type;                 /* that follows a tag */
    uint16_t least_bytes;
    bool tagged;
};

static inline void take_beginning(struct beginning *of, const struct frame *frame, bool tagged)
{
    of->tagged = tagged;
    of->least_bytes = TRAIN_BYTES;
    if (unlikely(frame->hdr_len_bytes < TRAIN_BYTES)) {
        of->least_bytes = UINT16_MAX;
        return;
    }
    memcpy(of->bytes, frame->hdr, sizeof(of->bytes));
    memcpy(&of->type, frame->hdr + sizeof(of->bytes), sizeof(of->type));
}

static inline bool begins_alike(const struct beginning *as, const struct frame *frame)
{
    struct beginning is;

    if (unlikely(frame->hdr_len_bytes < as->least_bytes)) {
        return false;
    }
    memcpy(is.bytes, frame->hdr, sizeof(is.bytes));
    memcpy(&is.type, frame->hdr + sizeof(is.bytes), sizeof(is.type));
    return is.bytes[0] == as->bytes[0] && is.bytes[1] == as->bytes[1] &&
           likely(!as->tagged || is.type == as->type);
}

/* Cuts @p batch into trains; the one after the last says where that ends. */
static inline void cut_trains(const struct context *context, const struct frame_batch *batch,
                              struct train *train)
{
    const struct frame *end = &batch->frame[batch->count];
    struct beginning beginning = { .least_bytes = UINT16_MAX };

    for (const struct frame *frame = batch->frame; frame != end; frame++) {
        if (!begins_alike(&beginning, frame)) {
            start_train(context, train, frame, (uint32_t)(frame - batch->frame));
            take_beginning(&beginning, frame, train->tagged);
            train++;
        }
    }
    train->first = batch->count;
}

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
    struct memory last = { .train = NULL };
    struct verdict verdict = drop(NO_DROP);
    uint16_t tci = 0;

    batch->flood_count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
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
            train++;
        }
        batch->frame[i].vlan_tci = tci;
        batch->frame[i].port_out = verdict.port_out;
        batch->frame[i].drop_reason = verdict.drop_reason;
    }
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
        frame->port_out = PORT_NONE;
        frame->drop_reason = reason;
        if (frame->came_tagged) {
            frame_tag_push(frame, frame->tci_in);
            context->classes->untagged_bytes -= FRAME_TAG_BYTES;
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
