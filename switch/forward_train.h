/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first pass of forward.c, which alone includes this: a batch cut into trains, frames in a row
 * that begin with the same bytes up to the end of a tag.  What is found out here of a train is its
 * VLAN, and where in the table its addresses are; those cache lines are asked for.
 *
 * A frame with too few bytes to be in a train is one of its own.
 */
#ifndef SWITCH_FORWARD_TRAIN_H
#define SWITCH_FORWARD_TRAIN_H

#include <string.h>

#include "switch/bytes.h"
#include "switch/drop.h"
#include "switch/ether.h"
#include "switch/forward.h"
#include "switch/frame_tag.h"
#include "switch/mac.h"
#include "switch/mac_table_lookup.h"

#define NO_DROP         DROP_REASON_COUNT
#define ADDRESS_BYTES   6u
#define TRAIN_BYTES     (FRAME_MIN_BYTES + FRAME_TAG_BYTES)   /* addresses, tag, type */
#define TCI_PRIORITY    0xf000u    /* PCP and DEI: IEEE 802.1Q-2022, 9.6 */

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

static inline uint16_t train_vid(const struct train *train)
{
    return train->tci & VLAN_VID_MASK;
}

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

#endif
