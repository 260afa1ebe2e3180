/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking frames from a guest's transmit ring.
 *
 * Three passes over the batch, so that the cache misses of each overlap: the heads, then the
 * descriptors, then the first bytes of the frames.  After the third the trusted header is private
 * and the rest of the frame is a list of checked runs; nothing here is read again from the ring.
 *
 * A frame in one plain buffer, which most are, takes the short way; every other chain goes through
 * virtqueue_walk().  Of a virtio-net header that asks for nothing two bytes are looked at; of any
 * other there is one private copy, and what is believed is the copy.
 */
#include <stddef.h>
#include <string.h>

#include "switch/offload.h"
#include "switch/segment.h"
#include "vnic/copy.h"
#include "vnic/net_header.h"
#include "vnic/vnic.h"

/* Flags that none of the plain buffers has. */
#define NOT_PLAIN (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)

/* A whole batch of frames no longer than this cannot come to more than VNIC_BATCH_BYTES. */
#define UNMETERED_BYTES (VNIC_BATCH_BYTES / FRAME_BURST)

/* What the second pass hands to the third. */
struct taking {
    struct vnic_live *live;
    struct virtqueue *queue;
    struct frame_batch *batch;
    struct drop_tally *refused;
    uint32_t refused_runs;         /* walked for chains that were too long: work, as frames are */
    uint32_t unmetered_bytes;      /* frames up to this need not be added up */
    uint16_t used[FRAME_BURST];    /* the used entry of each frame's chain */
    const uint8_t *header[FRAME_BURST];        /* virtio's: the guest's, or gathered here: */
    uint8_t gathered[FRAME_BURST][NET_HEADER_BASE_BYTES];
};

static void refuse(struct drop_tally *refused, enum drop_reason reason)
{
    refused->drops[reason]++;
    refused->count++;
}

/* Copies the virtio-net header out of the first of @p run, which have enough bytes. */
static void gather_header(uint8_t header[NET_HEADER_BASE_BYTES], const struct frame_run *run)
{
    uint32_t done_bytes = 0;

    for (; done_bytes < NET_HEADER_BASE_BYTES; run++) {
        const uint32_t left_bytes = NET_HEADER_BASE_BYTES - done_bytes;
        const uint32_t part = run->len_bytes < left_bytes ? run->len_bytes : left_bytes;

        memcpy(header + done_bytes, run->data, part);
        done_bytes += part;
    }
}

/* Takes @p len_bytes off the first of @p count runs.  Returns how many of them are not needed. */
static uint32_t skip_bytes(struct frame_run *run, uint32_t count, uint32_t len_bytes)
{
    uint32_t first = 0;

    while (first + 1 < count && len_bytes >= run[first].len_bytes) {
        len_bytes -= run[first].len_bytes;
        first++;
    }
    run[first].data += len_bytes;
    run[first].len_bytes -= len_bytes;
    return first;
}

/* Makes the next frame of the batch from @p runs runs that stand behind those in use. */
static inline void add_frame(struct taking *t, uint32_t runs, uint32_t len_bytes)
{
    struct frame_batch *batch = t->batch;
    struct frame *frame = &batch->frame[batch->count];

    *frame = (struct frame){
        .hdr = batch->hdr[batch->count],
        .len_bytes = len_bytes,
        .seg_first = batch->run_count,
        .seg_count = (uint16_t)runs,
        .port_in = batch->port_in,
    };
    t->used[batch->count] = t->queue->next_used;
    batch->run_count = (uint16_t)(batch->run_count + runs);
    batch->count++;
}

enum taken { TAKEN, TAKEN_LAST, TAKEN_NOT_YET, TAKEN_FAULT };

/* Adds a long frame, or one after it, or refuses one that is too long. */
static enum taken add_metered(struct taking *t, uint32_t runs, uint32_t len_bytes)
{
    struct frame_batch *batch = t->batch;
    uint32_t total_bytes = 0;

    if (len_bytes > FRAME_MAX_BYTES) {
        if (t->refused_runs > FRAME_RUNS) {
            return TAKEN_NOT_YET;
        }
        t->refused_runs += runs;
        refuse(t->refused, DROP_FRAME_TOO_LONG);
        return TAKEN;
    }
    t->unmetered_bytes = 0;
    add_frame(t, runs, len_bytes);
    for (uint16_t i = 0; i < batch->count; i++) {
        total_bytes += batch->frame[i].len_bytes;
    }
    return total_bytes < VNIC_BATCH_BYTES ? TAKEN : TAKEN_LAST;
}

/* Makes a frame of runs that stand behind those in use, or refuses it. */
static inline enum taken add(struct taking *t, uint32_t runs, uint32_t len_bytes)
{
    if (__builtin_expect(len_bytes > t->unmetered_bytes, 0)) {
        return add_metered(t, runs, len_bytes);
    }
    add_frame(t, runs, len_bytes);
    return TAKEN;
}

/* Takes a chain that is not one plain buffer. */
static __attribute__((noinline)) enum taken take_walked(struct taking *t, uint16_t head)
{
    struct frame_batch *batch = t->batch;
    struct frame_run *run = &batch->run[batch->run_count];
    const uint32_t hdr_bytes = t->live->net_hdr_bytes;
    uint32_t len_bytes;
    const uint32_t count = virtqueue_walk(t->queue, &t->live->memory, head, false, run,
                                          FRAME_RUNS - batch->run_count, &len_bytes);
    uint32_t unused;

    if (count == 0 && t->queue->fault == VIRTQUEUE_CHAIN_LONG && batch->run_count > 0) {
        /* Behind the others; should it be too long alone, it is found out when first. */
        t->queue->fault = VIRTQUEUE_NONE;
        return TAKEN_NOT_YET;
    }
    if (count > 0 && len_bytes < hdr_bytes) {
        t->queue->fault = VIRTQUEUE_HEADER_MISSING;
    }
    if (t->queue->fault != VIRTQUEUE_NONE) {
        return TAKEN_FAULT;
    }
    t->header[batch->count] = t->gathered[batch->count];
    gather_header(t->gathered[batch->count], run);
    unused = skip_bytes(run, count, hdr_bytes);
    batch->run_count = (uint16_t)(batch->run_count + unused);
    return add(t, count - unused, len_bytes - hdr_bytes);
}

/* Takes the chain at @p head as a frame, or refuses it; the used entry is the caller's. */
static inline enum taken take_chain(struct taking *t, uint16_t head)
{
    const struct vring_desc d = virtqueue_desc_read(&t->queue->desc[head]);
    const uint32_t hdr_bytes = t->live->net_hdr_bytes;
    struct frame_batch *batch = t->batch;
    uint32_t run_bytes = 0;
    const uint8_t *at;

    if (__builtin_expect((d.flags & NOT_PLAIN) != 0 || d.len <= hdr_bytes, 0)) {
        return take_walked(t, head);
    }
    at = guest_memory_at(&t->live->memory, d.addr, d.len, &run_bytes);
    if (__builtin_expect(at == NULL || run_bytes != d.len || batch->run_count == FRAME_RUNS, 0)) {
        return take_walked(t, head);
    }
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    t->header[batch->count] = at;
    batch->run[batch->run_count] =
        (struct frame_run){ .data = at + hdr_bytes, .len_bytes = d.len - hdr_bytes };
    return add(t, 1, d.len - hdr_bytes);
}

/* Copies the trusted header out of the first runs, which are shortened by what was copied. */
static void copy_header_pieces(struct frame_batch *batch, struct frame *frame)
{
    uint32_t left_bytes = frame->len_bytes < FRAME_HDR_BYTES ? frame->len_bytes : FRAME_HDR_BYTES;
    uint32_t done_bytes = 0;

    frame->hdr_len_bytes = (uint16_t)left_bytes;
    while (frame->seg_count > 0) {
        struct frame_run *run = &batch->run[frame->seg_first];
        const uint32_t part = run->len_bytes < left_bytes ? run->len_bytes : left_bytes;

        memcpy(frame->hdr + done_bytes, run->data, part);
        done_bytes += part;
        left_bytes -= part;
        run->data += part;
        run->len_bytes -= part;
        if (run->len_bytes > 0) {
            break;
        }
        frame->seg_first++;
        frame->seg_count--;
    }
}

static inline void copy_header(struct frame_batch *batch, struct frame *frame)
{
    struct frame_run *run = &batch->run[frame->seg_first];

    if (__builtin_expect(frame->seg_count != 1, 0)) {
        copy_header_pieces(batch, frame);
    } else if (run->len_bytes > FRAME_HDR_BYTES) {
        memcpy(frame->hdr, run->data, FRAME_HDR_BYTES);
        frame->hdr_len_bytes = FRAME_HDR_BYTES;
        run->data += FRAME_HDR_BYTES;
        run->len_bytes -= FRAME_HDR_BYTES;
    } else {
        copy_short(frame->hdr, run->data, run->len_bytes);
        frame->hdr_len_bytes = (uint16_t)run->len_bytes;
        frame->seg_count = 0;
    }
}

/* ---- what a guest says of its frames --------------------------------------------------------- */

/* Wherever a header lies, and whoever writes to it meanwhile. */
typedef uint16_t shared_half __attribute__((aligned(1), may_alias));
typedef uint64_t shared_word __attribute__((aligned(1), may_alias));

/* Whether the first two bytes, flags and kind of segments, are not 0. */
static inline bool asks(const uint8_t *header)
{
    return *(const volatile shared_half *)header != 0;
}

/* Makes facts of what the header at @p shared says, or answers that it is a lie. */
static bool believe(const struct vnic_live *live, const uint8_t *shared, struct frame_batch *batch,
                    struct frame *frame)
{
    const uint64_t first = *(const volatile shared_word *)shared;
    const uint16_t last = *(const volatile shared_half *)(shared + sizeof(first));
    uint8_t header[NET_HEADER_BASE_BYTES];

    memcpy(header, &first, sizeof(first));
    memcpy(header + sizeof(first), &last, sizeof(last));
    if ((net_header_features(header) & ~live->features) != 0 || !net_header_read(header, frame)) {
        return false;
    }
    batch->offload_count =
        (uint16_t)(batch->offload_count + (frame->csum_state != FRAME_CSUM_AS_IT_IS));
    return true;
}

/* Takes the frames of the bits in @p lies out of the batch. */
static void refuse_lies(struct taking *t, uint32_t lies)
{
    struct frame_batch *batch = t->batch;
    uint16_t kept = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        if ((lies & 1u << i) != 0) {
            refuse(t->refused, DROP_BAD_OFFLOAD);
        } else {
            batch->frame[kept++] = batch->frame[i];
        }
    }
    batch->count = kept;
}

/* ---- a batch --------------------------------------------------------------------------------- */

/* Leaves the chains from that of frame @p first on for the next batch: none was shown as used. */
static void leave_rest(struct taking *t, uint16_t first)
{
    struct virtqueue *queue = t->queue;
    const uint16_t chains = (uint16_t)(queue->next_used - t->used[first]);
    const uint16_t too_long = (uint16_t)(chains - (t->batch->count - first));

    t->refused->drops[DROP_FRAME_TOO_LONG] -= too_long;
    t->refused->count -= too_long;
    queue->next_used = t->used[first];
    queue->last_avail = (uint16_t)(queue->last_avail - chains);
    t->batch->count = first;
}

/* The third pass: the first bytes of each frame. */
static inline void read_headers(struct taking *t)
{
    struct frame_batch *batch = t->batch;
    uint32_t segments = 0;
    uint32_t lies = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        struct frame *frame = &batch->frame[i];

        copy_header(batch, frame);
        if (__builtin_expect(!asks(t->header[i]), 1)) {
            continue;
        }
        if (!believe(t->live, t->header[i], batch, frame)) {
            lies |= 1u << i;
        }
        segments += segment_count(frame);
        if (segments >= SEGMENT_MAX_BATCH && i + 1u < batch->count) {
            leave_rest(t, (uint16_t)(i + 1));
        }
    }
    if (__builtin_expect(lies != 0, 0)) {
        refuse_lies(t, lies);
    }
}

uint16_t vnic_from_guest(struct vnic *vnic, struct vnic_live *live, uint16_t pair,
                         struct frame_batch *batch, struct drop_tally *refused)
{
    struct virtqueue *queue = &live->from_guest[pair];
    struct taking t;
    uint16_t head[FRAME_BURST];
    uint16_t count;
    uint16_t i;

    batch->count = 0;
    batch->run_count = 0;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->altered = false;
    batch->port_in = vnic->port;
    refused->count = 0;
    refused->drops[DROP_BAD_DESCRIPTOR] = 0;
    refused->drops[DROP_FRAME_TOO_LONG] = 0;
    refused->drops[DROP_BAD_OFFLOAD] = 0;
    if (queue->size == 0 || !queue->enabled) {
        return 0;
    }
    if (__builtin_expect(queue->fault != VIRTQUEUE_NONE, 0)) {
        vnic_note_fault(vnic, queue->fault, (uint16_t)(2 * pair + 1));   /* vnic_return's, or old */
        return 0;
    }
    t.live = live;
    t.queue = queue;
    t.batch = batch;
    t.refused = refused;
    t.refused_runs = 0;
    t.unmetered_bytes = UNMETERED_BYTES;
    count = virtqueue_available(queue);
    if (count > FRAME_BURST) {
        count = FRAME_BURST;
    }
    for (i = 0; i < count; i++) {
        head[i] = queue->avail->ring[(uint16_t)(queue->last_avail + i) & queue->mask];
        __builtin_prefetch((const void *)(uintptr_t)&queue->desc[head[i] & queue->mask]);
    }
    for (i = 0; i < count; i++) {
        enum taken taken = TAKEN_FAULT;

        if (__builtin_expect(head[i] < queue->size, 1)) {
            taken = take_chain(&t, head[i]);
        } else {
            queue->fault = VIRTQUEUE_HEAD_RANGE;
        }
        if (__builtin_expect(taken >= TAKEN_NOT_YET, 0)) {
            break;
        }
        virtqueue_use(queue, head[i], 0);
        if (__builtin_expect(taken == TAKEN_LAST, 0)) {
            count = (uint16_t)(i + 1);
        }
    }
    queue->last_avail = (uint16_t)(queue->last_avail + i);
    if (__builtin_expect(queue->fault != VIRTQUEUE_NONE, 0)) {
        vnic_note_fault(vnic, queue->fault, (uint16_t)(2 * pair + 1));
        refuse(refused, DROP_BAD_DESCRIPTOR);
    }
    read_headers(&t);
    return batch->count;
}

void vnic_return(struct vnic_live *live, uint16_t pair)
{
    virtqueue_publish(&live->from_guest[pair]);
}
