/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does for captures: compare, filter, copy, count.
 *
 * A frame that the filter needs whole is gathered once, and then what was filtered is what is kept:
 * its payload lies in a guest's memory and may be another by the second look.
 *
 * A batch that a capture refused as it came in is refused as it goes out, and the filter is not
 * asked again, unless somebody altered a header in between.
 */
#include "dataplane/capture.h"

#include <string.h>

#include <rte_cycles.h>

#include "dataplane/capture_state.h"
#include "switch/checksum.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "vnic/vnic.h"

/* What a worker shows: frames that passed one port, one way, at one time. */
struct passage {
    uint64_t tsc;
    const struct frame_batch *batch;
    const uint8_t *index;
    const uint8_t *verdict;
    uint16_t count, port;
    enum capture_direction direction;
    bool whole;                    /* all of a batch, as it comes in */
};

static const struct frame *passage_frame(const struct passage *passage, uint16_t i)
{
    return &passage->batch->frame[passage->index != NULL ? passage->index[i] : i];
}

static uint8_t passage_verdict(const struct passage *passage, uint16_t i)
{
    const struct frame *frame = passage_frame(passage, i);

    if (passage->verdict != NULL) {
        return passage->verdict[i];
    }
    return frame->port_out == PORT_NONE ? frame->drop_reason : VNIC_DELIVERED;
}

/* All bytes of a frame in one piece, where the guest that sent it cannot change them. */
static const uint8_t *frame_whole(const struct capture_lane *lane, const struct frame_batch *batch,
                                  const struct frame *frame)
{
    struct gather gather = gather_start(batch, frame);

    gather_copy(&gather, lane->scratch, frame->len_bytes);
    return lane->scratch;
}

/*
 * A checksum that its sender left to others is shown as they will have it: what a reader would find
 * instead is half a sum, which it calls wrong.  One that is cut off cannot be, nor is it looked at.
 */
static void show_checksum(const struct frame *frame, uint8_t *bytes, uint32_t captured_bytes)
{
    if (frame->csum_state == FRAME_CSUM_PARTIAL && captured_bytes == frame->len_bytes) {
        checksum_store(bytes + frame->csum_start_bytes + frame->csum_offset_bytes, frame,
                       checksum_add(0, bytes + frame->csum_start_bytes,
                                    frame->len_bytes - frame->csum_start_bytes, false));
    }
}

/* @param whole  the frame's bytes, or NULL to take them from where they lie */
static bool record_frame(const struct capture *capture, struct capture_lane *lane,
                         const struct passage *passage, uint16_t i, const uint8_t *whole)
{
    const struct frame *frame = passage_frame(passage, i);
    const uint32_t captured_bytes =
        frame->len_bytes < capture->snaplen_bytes ? frame->len_bytes : capture->snaplen_bytes;
    struct capture_record *record = capture_ring_reserve(&lane->ring, captured_bytes);

    if (record == NULL) {
        return false;
    }
    record->tsc = passage->tsc;
    record->original_bytes = frame->len_bytes;
    record->port = passage->port;
    record->direction = (uint8_t)passage->direction;
    record->verdict = passage_verdict(passage, i);
    if (whole != NULL) {
        memcpy(record->data, whole, captured_bytes);
    } else {
        struct gather gather = gather_start(passage->batch, frame);

        gather_copy(&gather, record->data, captured_bytes);
    }
    show_checksum(frame, record->data, captured_bytes);
    return true;
}

/*
 * Runs the filter.
 *
 * @param whole  filled with the frame's bytes when all of them were filtered: these are to be kept
 */
static bool is_wanted(const struct capture *capture, struct capture_lane *lane,
                      const struct passage *passage, const struct frame *frame,
                      const uint8_t **whole)
{
    const bool header_only = capture_match_needs_header_only(&capture->match, frame);

    *whole = header_only ? NULL : frame_whole(lane, passage->batch, frame);
    return capture_match_run(&capture->match, &lane->refused, frame,
                             header_only ? frame->hdr : *whole,
                             header_only ? frame->hdr_len_bytes : frame->len_bytes);
}

static bool shows(const struct capture *capture, struct capture_lane *lane,
                  const struct passage *passage, uint16_t i, const uint8_t **whole)
{
    *whole = NULL;
    if (capture->drops_only && passage_verdict(passage, i) == VNIC_DELIVERED) {
        return false;
    }
    return !capture->filtered ||
           is_wanted(capture, lane, passage, passage_frame(passage, i), whole);
}

static void capture_show(const struct capture *capture, struct capture_lane *lane,
                         const struct passage *passage)
{
    struct capture_counter *counter = &lane->counter[passage->port];
    uint32_t matched = 0, lost = 0;

    capture_count(&counter->seen, passage->count);
    if (lane->refused_batch && passage->direction == CAPTURE_OUT && !passage->batch->altered) {
        return;                    /* they are the bytes that were refused when they came */
    }
    if (capture_match_refuses_all(&capture->match, &lane->refused, passage->batch,
                                  passage->index, passage->count)) {
        lane->refused_batch = passage->whole;
        return;
    }
    for (uint16_t i = 0; i < passage->count; i++) {
        const uint8_t *whole;

        if (shows(capture, lane, passage, i, &whole)) {
            matched++;
            lost += !record_frame(capture, lane, passage, i, whole);
        }
    }
    capture_ring_publish(&lane->ring);
    capture_count(&counter->matched, matched);
    capture_count(&counter->lost, lost);
}

static inline bool watches(const struct watch_entry *entry, const struct passage *passage)
{
    return (entry->port[passage->port / 64] & 1ull << (passage->port % 64)) != 0 &&
           (entry->capture->direction & passage->direction) != 0 &&
           !atomic_load_explicit(&entry->capture->closed, memory_order_relaxed);
}

void capture_see(const struct capture_watch *watch, uint16_t worker, uint16_t port,
                 enum capture_direction direction, const struct frame_batch *batch,
                 const uint8_t *index, uint16_t count, const uint8_t *verdict)
{
    const struct passage passage = {
        .tsc = rte_rdtsc(), .batch = batch, .index = index, .verdict = verdict, .count = count,
        .port = port, .direction = direction,
    };

    for (uint16_t i = 0; i < watch->count; i++) {
        const struct watch_entry *entry = &watch->entry[i];

        if (watches(entry, &passage)) {
            capture_show(entry->capture, &entry->capture->lane[worker], &passage);
        }
    }
}

/* Puts back tags that were taken out.  @return whose, a bit each */
static uint32_t push_tags(struct frame_batch *batch)
{
    uint32_t pushed = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        struct frame *frame = &batch->frame[i];

        if (frame->came_tagged != 0 && frame->tagged == 0) {
            frame_tag_push(frame, frame->tci_in);
            pushed |= 1u << i;
        }
    }
    return pushed;
}

void capture_see_in(const struct capture_watch *watch, uint16_t worker, struct frame_batch *batch)
{
    const struct passage passage = {
        .tsc = rte_rdtsc(), .batch = batch, .count = batch->count, .port = batch->port_in,
        .direction = CAPTURE_IN, .whole = true,
    };
    uint32_t pushed = batch->altered ? push_tags(batch) : 0;

    for (uint16_t i = 0; i < watch->count; i++) {
        const struct watch_entry *entry = &watch->entry[i];
        struct capture_lane *lane = &entry->capture->lane[worker];

        lane->refused_batch = false;
        if (watches(entry, &passage)) {
            capture_show(entry->capture, lane, &passage);
        }
    }
    for (; pushed != 0; pushed &= pushed - 1) {
        (void)frame_tag_pop(&batch->frame[__builtin_ctz(pushed)]);
    }
}
