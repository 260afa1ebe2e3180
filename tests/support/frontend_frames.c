/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through a frontend's rings: copies and waits, in that order of simplicity.
 */
#include "tests/support/frontend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_PAUSE_US 20

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static int nonsense(struct frontend *f, const struct guest_ring *ring, const char *what)
{
    snprintf(f->channel.error, sizeof(f->channel.error), "ring %td: the device %s",
             ring - f->ring, what);
    return -EPROTO;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Takes back what the device has sent. */
static int reclaim(struct frontend *f, struct guest_ring *ring)
{
    uint16_t head;
    uint32_t len_bytes;
    int status;

    while ((status = guest_ring_pop(ring, &head, &len_bytes)) > 0) {
        guest_ring_free(ring, head);
    }
    return status < 0 ? nonsense(f, ring, "returned a chain it was not given") : 0;
}

static int wait_free(struct frontend *f, struct guest_ring *ring, uint16_t slots)
{
    const long deadline_ms = now_ms() + f->config.timeout_ms;

    for (;;) {
        int status = reclaim(f, ring);

        if (status < 0 || ring->free_count >= slots) {
            return status;
        }
        if (now_ms() >= deadline_ms) {
            snprintf(f->channel.error, sizeof(f->channel.error),
                     "ring %td: %u of %u entries are free after %d ms, %u are needed",
                     ring - f->ring, ring->free_count, ring->size, f->config.timeout_ms, slots);
            return -EAGAIN;
        }
        usleep(POLL_PAUSE_US);
    }
}

/* Copies bytes [offset, offset + room) of header and frame, as if these were one run. */
static uint32_t piece_copy(const struct frontend *f, uint8_t *to, uint32_t room_bytes,
                           const void *frame, size_t len_bytes, size_t offset_bytes)
{
    uint32_t done = 0;

    if (offset_bytes < f->header_bytes) {
        const size_t left = f->header_bytes - offset_bytes;

        done = (uint32_t)(left < room_bytes ? left : room_bytes);
        memcpy(to, (const uint8_t *)&f->sent_header + offset_bytes, done);
        offset_bytes += done;
    }
    if (done < room_bytes && offset_bytes - f->header_bytes < len_bytes) {
        const size_t left = len_bytes - (offset_bytes - f->header_bytes);
        const uint32_t n = (uint32_t)(left < room_bytes - done ? left : room_bytes - done);

        memcpy(to + done, (const uint8_t *)frame + (offset_bytes - f->header_bytes), n);
        done += n;
    }
    return done;
}

int frontend_send(struct frontend *f, uint16_t queue, const void *frame, size_t len_bytes)
{
    struct guest_ring *ring = &f->ring[FRONTEND_TX(queue)];
    const size_t total_bytes = f->header_bytes + len_bytes;
    const uint32_t segment_bytes = f->config.segment_bytes;
    const size_t pieces = (total_bytes + segment_bytes - 1) / segment_bytes;
    const bool indirect = f->config.indirect && f->features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
    const size_t slots = pieces + indirect;
    struct vring_desc *table = ring->desc;
    uint16_t slot, head;
    int status;

    if (slots > ring->size || (indirect && pieces * sizeof(*table) > ring->slot_size_bytes)) {
        return -EMSGSIZE;
    }
    status = wait_free(f, ring, (uint16_t)slots);
    if (status < 0) {
        return status;
    }
    slot = head = (uint16_t)guest_ring_take(ring);
    if (indirect) {
        /* The head's slot holds the table; its entries are numbered from zero. */
        table = (struct vring_desc *)(void *)ring->slot[head];
        ring->desc[head] = (struct vring_desc){
            .addr = ring->slot_gpa[head],
            .len = (uint32_t)(pieces * sizeof(*table)),
            .flags = VRING_DESC_F_INDIRECT,
        };
        slot = ring->next[head] = (uint16_t)guest_ring_take(ring);
    }
    for (size_t i = 0; i < pieces; i++) {
        const bool last = i + 1 == pieces;
        struct vring_desc *desc = &table[indirect ? i : slot];

        desc->addr = ring->slot_gpa[slot];
        desc->len = piece_copy(f, ring->slot[slot], segment_bytes, frame, len_bytes,
                               i * segment_bytes);
        desc->flags = last ? 0 : VRING_DESC_F_NEXT;
        if (!last) {
            ring->next[slot] = (uint16_t)guest_ring_take(ring);
            desc->next = indirect ? (uint16_t)(i + 1) : ring->next[slot];
            slot = ring->next[slot];
        }
    }
    guest_ring_want_calls(ring, false);
    guest_ring_publish(ring, head, (uint16_t)slots);
    f->counters.sent_frames++;
    f->counters.sent_bytes += len_bytes;
    return 0;
}

int frontend_wait_sent(struct frontend *f, uint16_t queue)
{
    struct guest_ring *ring = &f->ring[FRONTEND_TX(queue)];
    int status = wait_free(f, ring, ring->size);

    return status == -EAGAIN ? -ETIMEDOUT : status;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool receive_buffer_post(struct guest_ring *ring)
{
    const int slot = guest_ring_take(ring);

    if (slot < 0) {
        return false;
    }
    ring->desc[slot] = (struct vring_desc){
        .addr = ring->slot_gpa[slot],
        .len = ring->slot_size_bytes,
        .flags = VRING_DESC_F_WRITE,
    };
    guest_ring_publish(ring, (uint16_t)slot, 1);
    return true;
}

unsigned frontend_post_receive_buffers(struct frontend *f, uint16_t queue, unsigned count)
{
    struct guest_ring *ring = &f->ring[FRONTEND_RX(queue)];
    unsigned posted = 0;

    while (posted < count && receive_buffer_post(ring)) {
        posted++;
    }
    return posted;
}

/* Gives a used buffer back to the device, or to the free list when the test posts by hand. */
static void buffer_done(struct frontend *f, struct guest_ring *ring, uint16_t head)
{
    guest_ring_free(ring, head);
    if (!f->config.manual_receive) {
        receive_buffer_post(ring);
    }
}

/* Copies what fits of one buffer's bytes; @p offset_bytes counts all of the frame so far. */
static void take_bytes(uint8_t *to, size_t size_bytes, size_t offset_bytes, const uint8_t *from,
                       size_t len_bytes)
{
    if (to != NULL && offset_bytes < size_bytes) {
        const size_t room = size_bytes - offset_bytes;

        memcpy(to + offset_bytes, from, len_bytes < room ? len_bytes : room);
    }
}

/* One frame that is already there: @return its length, -EAGAIN when there is none, -EPROTO. */
static int receive_now(struct frontend *f, struct guest_ring *ring, void *to, size_t size_bytes)
{
    unsigned buffers = 1;
    size_t frame_bytes = 0;

    for (unsigned i = 0; i < buffers; i++) {
        const size_t skip_bytes = i == 0 ? f->header_bytes : 0;
        uint16_t head;
        uint32_t len_bytes;
        int status = guest_ring_pop(ring, &head, &len_bytes);

        if (status == 0 && i == 0) {
            return -EAGAIN;
        }
        if (status <= 0) {
            return nonsense(f, ring, status < 0 ? "returned a buffer it was not given"
                                                : "published part of a frame");
        }
        if (len_bytes < skip_bytes || len_bytes > ring->slot_size_bytes) {
            return nonsense(f, ring, "claims a length that the buffer cannot have");
        }
        if (i == 0) {
            memcpy(&f->received_header, ring->slot[head], skip_bytes);
            buffers = skip_bytes == sizeof(f->received_header) ? f->received_header.num_buffers : 1;
        }
        if (buffers == 0 || buffers > ring->size) {
            return nonsense(f, ring, "wrote a number of buffers that cannot be");
        }
        take_bytes(to, size_bytes, frame_bytes, ring->slot[head] + skip_bytes,
                   len_bytes - skip_bytes);
        frame_bytes += len_bytes - skip_bytes;
        buffer_done(f, ring, head);
    }
    f->counters.received_frames++;
    f->counters.received_bytes += frame_bytes;
    return (int)frame_bytes;
}

static int receive_any_now(struct frontend *f, uint16_t first, uint16_t last, void *to,
                           size_t size_bytes)
{
    for (uint16_t pair = first; pair <= last; pair++) {
        const int len = receive_now(f, &f->ring[FRONTEND_RX(pair)], to, size_bytes);

        if (len != -EAGAIN) {
            f->last_queue = pair;
            return len;
        }
    }
    return -EAGAIN;
}

/* Sleeps until a device calls for one of the pairs. @return false when time is up */
static bool wait_call(struct frontend *f, uint16_t first, uint16_t last, long deadline_ms)
{
    struct pollfd event[FRONTEND_MAX_PAIRS];
    const long left_ms = deadline_ms - now_ms();
    unsigned there = 0;
    uint64_t calls;

    if (left_ms <= 0) {
        return false;
    }
    for (uint16_t pair = first; pair <= last; pair++) {
        struct guest_ring *ring = &f->ring[FRONTEND_RX(pair)];

        there += guest_ring_want_calls(ring, true);
        event[pair - first] = (struct pollfd){.fd = ring->call_fd, .events = POLLIN};
    }
    if (there > 0) {
        return true;
    }
    if (poll(event, (nfds_t)(last - first + 1), (int)left_ms) <= 0) {
        return false;
    }
    for (uint16_t pair = first; pair <= last; pair++) {
        ssize_t n = read(event[pair - first].fd, &calls, sizeof(calls));

        (void)n;    /* not blocking: empty is fine */
    }
    return true;
}

int frontend_receive(struct frontend *f, uint16_t queue, void *to, size_t size_bytes,
                     int timeout_ms)
{
    const bool any = queue == FRONTEND_ANY_QUEUE;
    const uint16_t first = any ? 0 : queue;
    const uint16_t last = any ? (uint16_t)(f->config.queue_pairs - 1) : queue;
    const long deadline_ms = now_ms() + timeout_ms;

    for (;;) {
        const int len = receive_any_now(f, first, last, to, size_bytes);

        if (len != -EAGAIN) {
            return len;
        }
        if (!wait_call(f, first, last, deadline_ms)) {
            snprintf(f->channel.error, sizeof(f->channel.error), "no frame came within %d ms",
                     timeout_ms);
            return -ETIMEDOUT;
        }
    }
}

int frontend_drain(struct frontend *f, int quiet_ms)
{
    int frames = 0;

    for (;;) {
        const int len = frontend_receive(f, FRONTEND_ANY_QUEUE, NULL, 0, quiet_ms);

        if (len == -EPROTO) {
            return len;
        }
        if (len < 0) {
            return frames;
        }
        frames++;
    }
}
