/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking frames from a guest's transmit ring.
 *
 * Three passes over the batch, so that the cache misses of each overlap: the heads, then the
 * descriptors, then the first bytes of the frames.  After the third the trusted header is private
 * and the rest of the frame is a list of checked runs; nothing here is read again from the ring.
 *
 * A frame in one plain buffer, which most are, takes the short way: until the third pass, which
 * makes a frame of it, it is no more than an address and a length.  Every other chain goes through
 * virtqueue_walk().  Of a virtio-net header that asks for nothing two bytes are looked at; of any
 * other there is one private copy, and what is believed is the copy.
 */
#include <stddef.h>
#include <string.h>

#include "switch/offload.h"
#include "switch/segment.h"
#include "vnic/copy.h"
#include "vnic/net_header.h"
#include "vnic/plain_buffer.h"
#include "vnic/vnic.h"

/* A whole batch of frames no longer than this cannot come to more than VNIC_BATCH_BYTES. */
#define UNMETERED_BYTES (VNIC_BATCH_BYTES / FRAME_BURST)

/* Runs of chains: each frame of the short way finds one behind these. */
#define WALKED_RUNS (FRAME_RUNS - FRAME_BURST)

struct taking {
    struct vnic_live *live;
    struct virtqueue *queue;
    struct frame_batch *batch;
    struct drop_tally *refused;
    uint32_t refused_runs;         /* walked for chains that were too long: work, as frames are */
    uint32_t too_long;             /* those chains, a bit each */
    bool metered;                  /* there is a long frame, so that all are added up */
    uint16_t head[FRAME_BURST];
    /*
     * Of each frame, where its virtio-net header is and how long both are.  Of a walked one, whose
     * frame is there already but for its trusted header, the header is gathered; length 0.
     */
    struct plain_buffer buffer[FRAME_BURST];
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

/* ---- the second pass: descriptors ------------------------------------------------------------ */

enum taken { TAKEN, TAKEN_LAST, TAKEN_NOT_YET, TAKEN_FAULT };

/* Whether the frames so far come to what is enough for a batch. */
static bool is_enough(const struct taking *t)
{
    uint32_t total_bytes = 0;

    for (uint16_t i = 0; i < t->batch->count; i++) {
        total_bytes += t->buffer[i].len_bytes != 0 ? t->buffer[i].len_bytes
                                                   : t->batch->frame[i].len_bytes;
    }
    return total_bytes >= VNIC_BATCH_BYTES;
}

/* Adds a frame of @p runs runs that stand behind those in use, or refuses one that is too long. */
static enum taken add_frame(struct taking *t, uint16_t chain, uint32_t runs, uint32_t len_bytes)
{
    struct frame_batch *batch = t->batch;

    if (len_bytes > FRAME_MAX_BYTES) {
        if (t->refused_runs > FRAME_RUNS) {
            return TAKEN_NOT_YET;
        }
        t->refused_runs += runs;
        t->too_long |= 1u << chain;
        refuse(t->refused, DROP_FRAME_TOO_LONG);
        return TAKEN;
    }
    t->buffer[batch->count] = (struct plain_buffer){ .at = t->gathered[batch->count] };
    batch->frame[batch->count] = (struct frame){
        .hdr = batch->hdr[batch->count],
        .len_bytes = len_bytes,
        .seg_first = batch->run_count,
        .seg_count = (uint16_t)runs,
        .port_in = batch->port_in,
    };
    batch->run_count = (uint16_t)(batch->run_count + runs);
    batch->count++;
    t->metered |= len_bytes > UNMETERED_BYTES;
    return t->metered && is_enough(t) ? TAKEN_LAST : TAKEN;
}

/* Takes a chain of any kind. */
static enum taken take_walked(struct taking *t, uint16_t chain)
{
    struct frame_batch *batch = t->batch;
    struct frame_run *run = &batch->run[batch->run_count];
    const uint32_t hdr_bytes = t->live->net_hdr_bytes;
    uint32_t len_bytes;
    const uint32_t count = virtqueue_walk(t->queue, &t->live->memory, t->head[chain], false, run,
                                          WALKED_RUNS - batch->run_count, &len_bytes);
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
    gather_header(t->gathered[batch->count], run);
    unused = skip_bytes(run, count, hdr_bytes);
    batch->run_count = (uint16_t)(batch->run_count + unused);
    return add_frame(t, chain, count - unused, len_bytes - hdr_bytes);
}

/* Takes @p count chains, or fewer.  @return how many */
static uint16_t take(struct taking *t, uint16_t count)
{
    const uint32_t least_bytes = t->live->net_hdr_bytes + 1u;
    uint16_t chain = 0;

    for (;;) {
        enum taken taken;

        if (__builtin_expect(!t->metered, 1)) {
            const uint32_t found =
                plain_buffer_list(t->queue, &t->live->memory, false, &t->head[chain],
                                  (uint32_t)(count - chain), least_bytes, UNMETERED_BYTES - 1,
                                  &t->buffer[t->batch->count]);

            t->batch->count = (uint16_t)(t->batch->count + found);
            chain = (uint16_t)(chain + found);
        }
        if (chain == count) {
            return count;
        }
        taken = take_walked(t, chain);
        if (taken >= TAKEN_NOT_YET) {
            return chain;
        }
        chain++;
        if (taken == TAKEN_LAST) {
            return chain;
        }
    }
}

/* ---- the third pass: the first bytes of each frame ------------------------------------------- */

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

/* Makes frame @p n, of a plain buffer. */
static inline void make_plain(struct frame_batch *batch, uint32_t n, const uint8_t *data,
                              uint32_t len_bytes)
{
    struct frame *frame = &batch->frame[n];
    uint8_t *hdr = batch->hdr[n];

    *frame = (struct frame){ .hdr = hdr, .len_bytes = len_bytes, .port_in = batch->port_in };
    if (len_bytes > FRAME_HDR_BYTES) {
        const uint32_t run = batch->run_count++;

        memcpy(hdr, data, FRAME_HDR_BYTES);
        frame->hdr_len_bytes = FRAME_HDR_BYTES;
        frame->seg_first = (uint16_t)run;
        frame->seg_count = 1;
        batch->run[run].data = data + FRAME_HDR_BYTES;
        batch->run[run].len_bytes = len_bytes - FRAME_HDR_BYTES;
    } else {
        frame->hdr_len_bytes = (uint16_t)len_bytes;
        copy_short(hdr, data, len_bytes);
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

/* Leaves the chains from that of frame @p first on for the next batch: none was shown as used. */
static void leave_rest(struct taking *t, uint32_t first)
{
    struct virtqueue *queue = t->queue;
    const uint32_t refused = (uint32_t)__builtin_popcount(t->too_long);
    const uint32_t chains = t->batch->count + refused;
    uint32_t kept_refused = 0;
    uint32_t left;

    for (uint32_t frames = 0; frames < first || (t->too_long >> (frames + kept_refused) & 1);) {
        if ((t->too_long >> (frames + kept_refused) & 1) != 0) {
            kept_refused++;
        } else {
            frames++;
        }
    }
    left = chains - first - kept_refused;
    t->refused->drops[DROP_FRAME_TOO_LONG] -= refused - kept_refused;
    t->refused->count -= refused - kept_refused;
    queue->next_used = (uint16_t)(queue->next_used - left);
    queue->last_avail = (uint16_t)(queue->last_avail - left);
    t->batch->count = (uint16_t)first;
}

/* What those of the headers say that ask for anything. */
static __attribute__((noinline)) void believe_batch(struct taking *t, uint32_t asking)
{
    struct frame_batch *batch = t->batch;
    uint32_t segments = 0;
    uint32_t lies = 0;

    for (; asking != 0; asking &= asking - 1) {
        const uint32_t i = (uint32_t)__builtin_ctz(asking);
        struct frame *frame = &batch->frame[i];

        if (!believe(t->live, t->buffer[i].at, batch, frame)) {
            lies |= 1u << i;
        }
        segments += segment_count(frame);
        if (segments >= SEGMENT_MAX_BATCH && i + 1u < batch->count) {
            leave_rest(t, i + 1);
            break;
        }
    }
    if (lies != 0) {
        refuse_lies(t, lies);
    }
}

static inline void read_headers(struct taking *t)
{
    struct frame_batch *batch = t->batch;
    const uint32_t hdr_bytes = t->live->net_hdr_bytes;
    const uint32_t count = batch->count;
    uint32_t asking = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct plain_buffer *buffer = &t->buffer[i];

        if (__builtin_expect(buffer->len_bytes != 0, 1)) {
            make_plain(batch, i, buffer->at + hdr_bytes, buffer->len_bytes - hdr_bytes);
        } else {
            copy_header_pieces(batch, &batch->frame[i]);
        }
        if (__builtin_expect(asks(buffer->at), 0)) {
            asking |= 1u << i;
        }
    }
    if (__builtin_expect(asking != 0, 0)) {
        believe_batch(t, asking);
    }
}

/* ---- a batch --------------------------------------------------------------------------------- */

/* How many chains there are to take; those behind the ring's end are for the next batch. */
static inline uint16_t most_chains(struct virtqueue *queue)
{
    const uint32_t available = virtqueue_available(queue);
    const uint32_t row = virtqueue_row(queue);
    const uint32_t most = row < FRAME_BURST ? row : FRAME_BURST;

    return (uint16_t)(available < most ? available : most);
}

uint16_t vnic_from_guest(struct vnic *vnic, struct vnic_live *live, uint16_t pair,
                         struct frame_batch *batch, struct drop_tally *refused)
{
    struct virtqueue *queue = &live->from_guest[pair];
    struct taking t;
    uint16_t count;

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
    count = most_chains(queue);
    t.live = live;
    t.queue = queue;
    t.batch = batch;
    t.refused = refused;
    t.refused_runs = 0;
    t.too_long = 0;
    t.metered = false;
    plain_buffer_heads(queue, count, t.head);
    count = take(&t, count);
    virtqueue_use_row(queue, t.head, count);
    queue->last_avail = (uint16_t)(queue->last_avail + count);
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
