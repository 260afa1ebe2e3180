/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two guests whose rings and tables are the fuzzer's bytes: what one sends goes to the other.
 *
 * fuzz-sources: vnic/virtqueue.c vnic/vnic.c vnic/vnic_from_guest.c vnic/vnic_to_guest.c
 * fuzz-sources: vnic/net_header.c switch/ether.c switch/mac.c switch/checksum.c
 * fuzz-sources: tests/support/fake_guest.c
 *
 * The first bytes choose the rings' sizes and features, the next ones how far the available indices
 * run ahead.  Then come pieces: a byte that says where to (descriptor table, available ring, or an
 * indirect table in guest memory), an index, and the bytes of one entry.  An address is taken as an
 * offset around the guest's memory, so that most of them hit it and the edges are hit often.
 *
 * The property: every run that comes out lies in guest memory, a batch is never overfull, and
 * frames are no longer than they may be.  Reading and writing elsewhere is the address sanitizer's.
 */
#include <stdlib.h>
#include <string.h>

#include "switch/gather.h"
#include "tests/support/fake_guest.h"

#define TURNS     4
#define SHAPES    128u
#define TABLE_GPA (FAKE_GPA_NEXT - 256)    /* a table that reaches over the seam of two regions */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static uint64_t number(struct input *in, size_t bytes)
{
    uint64_t value = 0;

    if (bytes > in->left) {
        bytes = in->left;
    }
    memcpy(&value, in->at, bytes);
    in->at += bytes;
    in->left -= bytes;
    return value;
}

/* A descriptor of 8 bytes of input. */
static struct vring_desc descriptor(struct input *in)
{
    const uint64_t where = number(in, 3);
    const uint16_t flags = (uint16_t)number(in, 1);
    const uint32_t len = (uint32_t)number(in, 2);

    return (struct vring_desc){
        .addr = (flags & 0x80) != 0 ? 0 - where : FAKE_GPA - 64 + where,
        .len = (flags & 0x40) != 0 ? len << 16 : len,
        .flags = flags & 7,
        .next = (uint16_t)number(in, 2),
    };
}

static void write_entry(struct input *in, struct fake_guest *guest, struct fake_ring *ring)
{
    const uint8_t kind = (uint8_t)number(in, 1);
    const uint8_t index = (uint8_t)number(in, 1);
    struct vring_desc desc;

    switch (kind % 4) {
    case 0: case 1:
        ring->desc[index % ring->size] = descriptor(in);
        break;
    case 2:
        ring->avail->ring[index % ring->size] = (uint16_t)number(in, 2);
        break;
    case 3:
        desc = descriptor(in);
        memcpy(fake_guest_at(guest, TABLE_GPA + index % 31u * sizeof(desc)), &desc, sizeof(desc));
        break;
    }
}

static void check(const struct fake_guest *guest, const struct frame_batch *batch)
{
    static uint8_t bytes[FRAME_MAX_BYTES];

    if (batch->count > FRAME_BURST || batch->run_count > FRAME_RUNS) {
        abort();
    }
    for (uint16_t i = 0; i < batch->count; i++) {
        const struct frame *frame = &batch->frame[i];
        struct gather from = gather_start(batch, frame);
        uint64_t total = frame->hdr_len_bytes;

        if (frame->len_bytes > FRAME_MAX_BYTES || frame->hdr_len_bytes > FRAME_HDR_BYTES ||
            frame->seg_first + frame->seg_count > FRAME_RUNS) {
            abort();
        }
        for (uint16_t k = 0; k < frame->seg_count; k++) {
            const struct frame_run *run = &batch->run[frame->seg_first + k];

            total += run->len_bytes;
            if (!fake_guest_owns(guest, run->data, run->len_bytes)) {
                abort();
            }
        }
        if (total != frame->len_bytes) {
            abort();
        }
        gather_copy(&from, bytes, frame->len_bytes);
    }
}

static void run_turn(struct fake_guest *sender, struct fake_guest *receiver)
{
    static struct frame_batch batch;
    struct drop_tally refused;
    uint8_t index[FRAME_BURST];
    uint8_t verdict[FRAME_BURST];
    const uint16_t count = vnic_from_guest(&sender->vnic, sender->live, 0, &batch, &refused);

    check(sender, &batch);
    for (uint16_t i = 0; i < count; i++) {
        index[i] = (uint8_t)i;
    }
    if (count > 0) {
        (void)vnic_to_guest(&receiver->vnic, receiver->live, 0, &batch, index, count, verdict);
    }
    vnic_return(sender->live, 0);
}

/* A guest of that shape, as new. */
static struct fake_guest *guest_of(struct fake_guest *guests[SHAPES], uint8_t shape)
{
    const struct fake_guest_config config = {
        .ring_entries = (uint16_t)(1u << (shape & 7)),
        .legacy = (shape & 0x08) != 0,
        .not_mergeable = (shape & 0x10) != 0,
        .event_idx = (shape & 0x20) != 0,
        .no_indirect = (shape & 0x40) != 0,
    };

    if (guests[shape] == NULL) {
        guests[shape] = fake_guest_create(&config);
    }
    fake_guest_clear(guests[shape]);
    return guests[shape];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_guest *senders[SHAPES];
    static struct fake_guest *receivers[SHAPES];
    struct input in = { .at = data, .left = size };
    struct fake_guest *sender = guest_of(senders, (uint8_t)(number(&in, 1) % SHAPES));
    struct fake_guest *receiver = guest_of(receivers, (uint8_t)(number(&in, 1) % SHAPES));

    sender->from.avail->idx = (uint16_t)number(&in, 1);
    receiver->to.avail->idx = (uint16_t)number(&in, 1);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 64 && in.left > 0; i++) {
            if ((*in.at & 0x80) != 0) {
                write_entry(&in, receiver, &receiver->to);
            } else {
                write_entry(&in, sender, &sender->from);
            }
        }
        run_turn(sender, receiver);
        sender->from.avail->idx = (uint16_t)(sender->from.queue->last_avail + number(&in, 1));
        receiver->to.avail->idx = (uint16_t)(receiver->to.queue->last_avail + number(&in, 1));
    }
    return 0;
}
