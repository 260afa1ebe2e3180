/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Delivering frames into a guest's receive ring: the one payload copy.
 *
 * Frames whose receive buffer is a plain one, large enough, take the short way: the two passes of
 * plain_buffer.h, and one that copies.  From the first that is not on, the batch goes frame by
 * frame through deliver_chains(), which knows chains, indirect tables and mergeable buffers.
 *
 * A frame that does not fit takes no buffer: the ring stays as it was for the next, smaller one.
 *
 * A partial checksum that the guest does not take is completed here.  The sum of what was copied is
 * known when the copy is done, so its field is written last.
 */
#include <stddef.h>
#include <string.h>

#include "switch/checksum.h"
#include "switch/gather.h"
#include "switch/offload.h"
#include "vnic/copy.h"
#include "vnic/net_header.h"
#include "vnic/plain_buffer.h"
#include "vnic/vnic.h"

#define NET_HDR_MAX_BYTES  12u
#define NUM_BUFFERS_OFFSET 10u
#define MERGE_MAX_CHAINS   256u    /* buffers that one frame may be spread over */
#define FETCH_MAX_BYTES    2048u   /* payload fetched ahead; of a longer one memcpy() does it */
/* Pieces walked for a batch, about; 32 frames in chains of 19, a page each, are 608. */
#define WALK_MAX_RUNS      (2 * FRAME_RUNS)

struct delivery {
    struct vnic_live *live;
    struct virtqueue *queue;
    const struct frame_batch *batch;
    const uint8_t *index;
    uint8_t *verdict;
    uint16_t count;
    uint16_t available;            /* chains not taken yet */
    uint8_t told;                  /* what goes into headers, see told_of(): enum offload_take */
    uint32_t walked_runs;          /* for this batch, frames that found no room among them */
};

static inline void put_num_buffers(uint8_t hdr[NET_HDR_MAX_BYTES], uint16_t num_buffers)
{
    memcpy(hdr + NUM_BUFFERS_OFFSET, &num_buffers, sizeof(num_buffers));   /* little-endian host */
}

/* ---- what the guest takes -------------------------------------------------------------------- */

/* A long frame is here because the guest took it a moment ago: told of it, it takes it still. */
static inline uint8_t told_of(const struct delivery *d, const struct frame *frame)
{
    return frame->gso_type != FRAME_GSO_NONE ? d->live->takes : d->told;
}

/* Whether @p frame was left long for a guest that this one is not: it has come only now. */
static inline bool is_strange(const struct delivery *d, const struct frame *frame)
{
    return frame->gso_type != FRAME_GSO_NONE && (offload_needs(frame) & ~d->live->takes) != 0;
}

/* ---- a checksum that the guest does not take ------------------------------------------------- */

/* Whether that of @p frame is to be completed. */
static inline bool is_partial(const struct delivery *d, const struct frame *frame)
{
    return frame->csum_state == FRAME_CSUM_PARTIAL && (told_of(d, frame) & OFFLOAD_TAKES_CSUM) == 0;
}

/* Where in the frame it is stored: two bytes, both of the trusted header. */
static inline uint32_t csum_field(const struct frame *frame)
{
    return (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;
}

/* The sum of the trusted header, to which that of what follows it is added. */
static struct gather_sum sum_header(const struct frame *frame)
{
    const uint32_t len_bytes = (uint32_t)frame->hdr_len_bytes - frame->csum_start_bytes;

    return (struct gather_sum){
        .sum = checksum_add(0, frame->hdr + frame->csum_start_bytes, len_bytes, false),
        .odd = (len_bytes & 1) != 0,
    };
}

/* ---- one buffer ------------------------------------------------------------------------------ */

/*
 * Asks for the payload of the frame that is copied next, while this one is.  By itself a processor
 * fetches ahead within a frame, but not from one to the next, which lies anywhere.
 */
static inline void fetch_payload(const struct frame_batch *batch, const struct frame *next)
{
    const struct frame_run *run = &batch->run[next->seg_first];

    if (next->seg_count != 0 && run->len_bytes <= FETCH_MAX_BYTES) {
        for (uint32_t off_bytes = 0; off_bytes < run->len_bytes; off_bytes += 64) {
            __builtin_prefetch(run->data + off_bytes);
        }
    }
}

static __attribute__((noinline)) void copy_runs(const struct frame_batch *batch,
                                                const struct frame *frame, uint8_t *to)
{
    if (frame->seg_count == 1 && frame->hdr_len_bytes == FRAME_HDR_BYTES) {
        const struct frame_run *run = &batch->run[frame->seg_first];

        memcpy(to, frame->hdr, FRAME_HDR_BYTES);
        gather_bytes(to + FRAME_HDR_BYTES, run->data, run->len_bytes);
    } else {
        struct gather from = gather_start(batch, frame);

        gather_copy(&from, to, frame->len_bytes);
    }
}

static inline void copy_frame(const struct frame_batch *batch, const struct frame *frame,
                              uint8_t *to)
{
    if (frame->seg_count == 0) {
        copy_short(to, frame->hdr, frame->len_bytes);
    } else {
        copy_runs(batch, frame, to);
    }
}

static void copy_and_complete(const struct delivery *d, const struct frame *frame, uint8_t *to)
{
    struct gather from = gather_start(d->batch, frame);
    struct gather_sum sum = sum_header(frame);

    gather_copy(&from, to, frame->hdr_len_bytes);
    gather_copy_sum(&from, to + frame->hdr_len_bytes, frame->len_bytes - frame->hdr_len_bytes,
                    &sum);
    checksum_store(&to[csum_field(frame)], frame, sum.sum);
}

/* ---- the short way --------------------------------------------------------------------------- */

/* The buffers that the frames may go to by the short way. */
struct plain {
    uint16_t head[FRAME_BURST];
    struct plain_buffer buffer[FRAME_BURST];
};

/* Finds them for the frames from @p first on, as far as the ring's end.  @return how many */
static __attribute__((noinline)) uint32_t find_plain(const struct delivery *d, uint32_t first,
                                                     struct plain *plain)
{
    const uint32_t row = virtqueue_row(d->queue);
    uint32_t most = d->count - first;

    most = most < d->available ? most : d->available;
    most = most < row ? most : row;
    plain_buffer_heads(d->queue, most, plain->head);
    return plain_buffer_list(d->queue, &d->live->memory, true, plain->head, most, 1,
                             UINT32_MAX - 1, plain->buffer);
}

/*
 * Delivers frames from @p first on to @p found buffers, until one is too small for its frame.
 * @param facts  whether frames may have some; if not, the virtio-net header says nothing of them
 * @return how many were delivered
 */
static inline __attribute__((always_inline)) uint32_t
fill_plain(const struct delivery *d, uint32_t first, const struct plain *plain, uint32_t found,
           bool facts, uint32_t hdr_bytes)
{
    static const uint8_t no_facts[NET_HDR_MAX_BYTES] = { [NUM_BUFFERS_OFFSET] = 1 };
    volatile struct vring_used_elem *used =
        &d->queue->used->ring[d->queue->next_used & d->queue->mask];
    const struct frame_batch *batch = d->batch;
    const uint8_t *index = d->index + first;
    uint32_t i;

    for (i = 0; i < found; i++) {
        const struct frame *frame = &batch->frame[index[i]];
        const uint32_t used_bytes = hdr_bytes + frame->len_bytes;
        uint8_t *to = plain->buffer[i].at;

        if (__builtin_expect(plain->buffer[i].len_bytes < used_bytes, 0) ||
            (facts && is_strange(d, frame))) {
            break;
        }
        if (frame->seg_count != 0 && i + 1 < found) {
            fetch_payload(batch, &batch->frame[index[i + 1]]);
        }
        memcpy(to, no_facts, hdr_bytes);
        if (facts) {
            net_header_write(to, frame, told_of(d, frame));
        }
        if (facts && is_partial(d, frame)) {
            copy_and_complete(d, frame, to + hdr_bytes);
        } else {
            copy_frame(batch, frame, to + hdr_bytes);
        }
        virtqueue_put_used(&used[i], plain->head[i], used_bytes);
    }
    return i;
}

/* Most frames have no facts, and nearly all drivers take num_buffers. */
static __attribute__((noinline)) uint32_t fill_usual(const struct delivery *d, uint32_t first,
                                                     const struct plain *plain, uint32_t found)
{
    return fill_plain(d, first, plain, found, false, NET_HDR_MAX_BYTES);
}

static __attribute__((noinline)) uint32_t fill_any(const struct delivery *d, uint32_t first,
                                                   const struct plain *plain, uint32_t found)
{
    return fill_plain(d, first, plain, found, true, d->live->net_hdr_bytes);
}

/* Delivers the first frames by plain buffers.  @return how many */
static uint16_t deliver_plain(struct delivery *d)
{
    struct virtqueue *queue = d->queue;
    const bool usual = d->batch->offload_count == 0 &&
                       d->live->net_hdr_bytes == NET_HDR_MAX_BYTES;
    struct plain plain;
    uint32_t delivered = 0;
    uint32_t row;
    uint32_t count;

    do {
        const uint32_t found = find_plain(d, delivered, &plain);

        row = virtqueue_row(queue);
        count = usual ? fill_usual(d, delivered, &plain, found)
                      : fill_any(d, delivered, &plain, found);
        queue->next_used = (uint16_t)(queue->next_used + count);
        queue->last_avail = (uint16_t)(queue->last_avail + count);
        d->available = (uint16_t)(d->available - count);
        delivered += count;
    } while (count == row && delivered < d->count);            /* the ring goes on at its start */
    memset(d->verdict, VNIC_DELIVERED, delivered);
    return (uint16_t)delivered;
}

/* ---- chains, indirect tables, mergeable buffers ---------------------------------------------- */

/* The buffers that one frame goes to. */
struct room {
    struct frame_run run[FRAME_RUNS];
    uint16_t head[MERGE_MAX_CHAINS];
    uint32_t chain_bytes[MERGE_MAX_CHAINS];
    uint32_t run_count;
    uint32_t chain_count;
    uint64_t size_bytes;
};

/* Lists the pieces of the next buffer.  Returns how many, or 0 with the queue's fault set. */
static inline uint32_t list_buffer(struct delivery *d, struct room *room)
{
    struct virtqueue *queue = d->queue;
    const uint32_t n = room->chain_count;
    const uint16_t entry = (uint16_t)(queue->last_avail + n);
    const uint32_t space = FRAME_RUNS - room->run_count;
    struct frame_run *run = &room->run[room->run_count];
    struct plain_buffer buffer;

    room->head[n] = queue->avail->ring[entry & queue->mask];
    if (space > 0 && plain_buffer_list(queue, &d->live->memory, true, &room->head[n], 1, 1,
                                       UINT32_MAX - 1, &buffer) == 1) {
        *run = (struct frame_run){ .data = buffer.at, .len_bytes = buffer.len_bytes };
        room->chain_bytes[n] = buffer.len_bytes;
        return 1;
    }
    return virtqueue_walk(queue, &d->live->memory, room->head[n], true, run, space,
                          &room->chain_bytes[n]);
}

/* Collects buffers for @p need_bytes.  Returns VNIC_DELIVERED, or why there are not enough. */
static uint8_t find_room(struct delivery *d, uint32_t need_bytes, struct room *room)
{
    struct virtqueue *queue = d->queue;

    room->run_count = 0;
    room->chain_count = 0;
    room->size_bytes = 0;
    while (room->size_bytes < need_bytes) {
        const uint32_t n = room->chain_count;
        uint32_t runs;

        if (n == MERGE_MAX_CHAINS || (n == 1 && !d->live->mergeable)) {
            return DROP_GUEST_BUFFER_SMALL;
        }
        if (n == d->available) {
            return DROP_GUEST_RING_FULL;
        }
        runs = list_buffer(d, room);
        d->walked_runs += runs != 0 ? runs : FRAME_RUNS - room->run_count;
        if (runs == 0 && n > 0 && queue->fault == VIRTQUEUE_CHAIN_LONG) {
            /* With those before it; should it be too long alone, it is found out when first. */
            queue->fault = VIRTQUEUE_NONE;
            return DROP_GUEST_BUFFER_SMALL;
        }
        if (runs == 0) {
            return DROP_QUEUE_BROKEN;
        }
        if (n == 0 && room->chain_bytes[n] < d->live->net_hdr_bytes) {
            queue->fault = VIRTQUEUE_HEADER_MISSING;
            return DROP_QUEUE_BROKEN;
        }
        room->run_count += runs;
        room->size_bytes += room->chain_bytes[n];
        room->chain_count++;
    }
    return VNIC_DELIVERED;
}

/* What virtqueue_walk() listed for writing. */
static inline uint8_t *writable(const struct frame_run *run)
{
    return (uint8_t *)(uintptr_t)run->data;
}

/* Where in the room the next byte goes. */
struct spout {
    uint8_t *to;
    uint32_t space_bytes;
    const struct frame_run *next;
};

/* Moves the next bytes of @p from into the room, and adds them to @p sum unless that is NULL. */
static void pour(struct spout *spout, struct gather *from, uint32_t len_bytes,
                 struct gather_sum *sum)
{
    while (len_bytes > 0) {
        uint32_t part;

        if (spout->space_bytes == 0) {
            spout->to = writable(spout->next);
            spout->space_bytes = spout->next->len_bytes;
            spout->next++;
        }
        part = len_bytes < spout->space_bytes ? len_bytes : spout->space_bytes;
        if (sum == NULL) {
            gather_copy(from, spout->to, part);
        } else {
            gather_copy_sum(from, spout->to, part, sum);
        }
        spout->to += part;
        spout->space_bytes -= part;
        len_bytes -= part;
    }
}

/* Writes over a byte of what was poured. */
static void put_byte(const struct room *room, uint32_t off_bytes, uint8_t byte)
{
    const struct frame_run *run = room->run;

    while (off_bytes >= run->len_bytes) {
        off_bytes -= run->len_bytes;
        run++;
    }
    writable(run)[off_bytes] = byte;
}

/* Writes the virtio-net header and then the frame over the runs of @p room. */
static void fill_room(const struct delivery *d, const struct frame *frame, const struct room *room)
{
    const uint32_t hdr_bytes = d->live->net_hdr_bytes;
    uint8_t hdr[NET_HDR_MAX_BYTES];
    struct gather header = { .data = hdr, .left_bytes = hdr_bytes };
    struct gather from = gather_start(d->batch, frame);
    struct spout spout = { .next = room->run };

    net_header_write(hdr, frame, told_of(d, frame));
    put_num_buffers(hdr, (uint16_t)room->chain_count);
    pour(&spout, &header, hdr_bytes, NULL);
    if (is_partial(d, frame)) {
        const uint32_t field = hdr_bytes + csum_field(frame);
        struct gather_sum sum = sum_header(frame);
        uint8_t result[2];

        pour(&spout, &from, frame->hdr_len_bytes, NULL);
        pour(&spout, &from, frame->len_bytes - frame->hdr_len_bytes, &sum);
        checksum_store(result, frame, sum.sum);
        put_byte(room, field, result[0]);
        put_byte(room, field + 1, result[1]);
    } else {
        pour(&spout, &from, frame->len_bytes, NULL);
    }
}

static uint8_t deliver_chains(struct delivery *d, const struct frame *frame)
{
    uint32_t left_bytes = d->live->net_hdr_bytes + frame->len_bytes;
    struct room room;
    uint8_t verdict;

    if (d->queue->fault != VIRTQUEUE_NONE) {
        return DROP_QUEUE_BROKEN;
    }
    if (is_strange(d, frame)) {
        return DROP_NOT_ATTACHED;
    }
    if (d->walked_runs > WALK_MAX_RUNS) {
        return DROP_GUEST_BUFFER_SMALL;                        /* its crumbs cost the others */
    }
    verdict = find_room(d, left_bytes, &room);
    if (verdict != VNIC_DELIVERED) {
        return verdict;
    }
    fill_room(d, frame, &room);
    for (uint32_t i = 0; i < room.chain_count; i++) {
        const uint32_t part = left_bytes < room.chain_bytes[i] ? left_bytes : room.chain_bytes[i];

        virtqueue_use(d->queue, room.head[i], part);
        left_bytes -= part;
    }
    d->queue->last_avail = (uint16_t)(d->queue->last_avail + room.chain_count);
    d->available = (uint16_t)(d->available - room.chain_count);
    return VNIC_DELIVERED;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static uint16_t refuse_all(uint8_t *verdict, uint16_t count, enum drop_reason reason)
{
    memset(verdict, (int)reason, count);
    return 0;
}

static uint16_t deliver(struct vnic *vnic, struct delivery *d, uint16_t ring)
{
    struct virtqueue *queue = d->queue;
    uint16_t delivered;

    if (queue->size == 0 || !queue->enabled) {
        return refuse_all(d->verdict, d->count, DROP_NOT_ATTACHED);
    }
    if (queue->fault != VIRTQUEUE_NONE) {
        return refuse_all(d->verdict, d->count, DROP_QUEUE_BROKEN);
    }
    d->available = virtqueue_available(queue);
    delivered = deliver_plain(d);
    for (uint16_t i = delivered; i < d->count; i++) {
        d->verdict[i] = deliver_chains(d, &d->batch->frame[d->index[i]]);
        delivered = (uint16_t)(delivered + (d->verdict[i] == VNIC_DELIVERED));
    }
    virtqueue_publish(queue);
    if (__builtin_expect(queue->fault != VIRTQUEUE_NONE, 0)) {
        vnic_note_fault(vnic, queue->fault, ring);
    }
    return delivered;
}

uint16_t vnic_to_guest(struct vnic *vnic, struct vnic_live *live, uint16_t pair,
                       const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                       uint8_t *verdict)
{
    struct delivery d = { .live = live, .queue = &live->to_guest[pair], .batch = batch,
                          .index = index, .verdict = verdict, .count = count,
                          .told = vnic_told(vnic, live) };
    uint16_t delivered;

    if (!vnic->shared) {
        return deliver(vnic, &d, (uint16_t)(2 * pair));
    }
    /* Held for one batch; its holder waits for nobody. */
    while (atomic_flag_test_and_set_explicit(&vnic->claim[pair], memory_order_acquire)) {
        __builtin_ia32_pause();
    }
    delivered = deliver(vnic, &d, (uint16_t)(2 * pair));
    atomic_flag_clear_explicit(&vnic->claim[pair], memory_order_release);
    return delivered;
}
