/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a capture writes: records of all rings merged by time, as blocks, given to the socket.
 *
 * The output is filled only when the reader has taken all of it, so a slow reader is felt in the
 * rings and nowhere else.  What the socket took is told from the blocks themselves, so that a
 * reader that goes away in the middle still leaves exact numbers.
 */
#include "dataplane/capture_output.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <rte_cycles.h>

#include "dataplane/pcapng.h"
#include "switch/drop.h"
#include "vnic/vnic.h"

#define COMMENT_SIZE  128

/* ---- the socket ----------------------------------------------------------------------------- */

bool capture_output_empty(const struct capture *capture)
{
    return capture->output.sent == capture->output.used;
}

/* Counts the packet blocks that are all within the first `sent` bytes. */
static void account(struct capture *capture)
{
    struct capture_output *output = &capture->output;
    uint32_t packets = 0;

    while (output->block < output->sent) {
        uint32_t type;
        const uint32_t length = pcapng_block(output->data + output->block, &type);

        if (length > output->sent - output->block) {
            break;
        }
        output->block += length;
        packets += type == PCAPNG_BLOCK_PACKET;
    }
    capture_count(&capture->written, packets);
}

bool capture_output_flush(struct capture *capture)
{
    struct capture_output *output = &capture->output;
    const uint32_t before = output->sent;

    while (capture->fd >= 0 && !capture_output_empty(capture)) {
        const ssize_t sent = send(capture->fd, output->data + output->sent,
                                  output->used - output->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (sent < 0 && errno != EINTR) {
            capture_reader_gone(capture);
            break;
        }
        output->sent += sent > 0 ? (uint32_t)sent : 0;
    }
    capture_count(&capture->written_bytes, output->sent - before);
    account(capture);
    if (capture_output_empty(capture)) {
        output->used = output->sent = output->block = 0;
        return true;
    }
    return output->sent > before;
}

/* Where the next block goes, and how much room it has. */
static uint8_t *output_at(const struct capture *capture, size_t *room_bytes)
{
    *room_bytes = capture->output.size_bytes - capture->output.used;
    return capture->output.data + capture->output.used;
}

/* ---- blocks --------------------------------------------------------------------------------- */

void capture_output_section(struct capture *capture)
{
    struct utsname host = { 0 };
    char os[sizeof(host.sysname) + sizeof(host.release) + 1];
    size_t room_bytes;
    uint8_t *to = output_at(capture, &room_bytes);

    uname(&host);
    snprintf(os, sizeof(os), "%s %s", host.sysname, host.release);
    capture->output.used += pcapng_section(to, room_bytes, host.machine, os,
                                           "vswitchd " VSWITCH_VERSION);
}

/* Describes the interfaces that the stream does not have yet.  @return false: no room for one */
static bool encode_interfaces(struct capture *capture)
{
    while (capture->described < capture->interface_count) {
        const struct capture_interface *interface = &capture->interface[capture->described];
        size_t room_bytes;
        uint8_t *to = output_at(capture, &room_bytes);
        const size_t used = pcapng_interface(to, room_bytes, interface->name,
                                             capture->snaplen_bytes, capture->filter);

        if (used == 0) {
            return false;
        }
        capture->output.used += used;
        capture->described++;
    }
    return true;
}

/* The interface its port was when the record was made. */
static uint32_t interface_of(const struct capture *capture, const struct capture_record *record)
{
    uint32_t i = capture->latest[record->port];

    while (capture->interface[i].previous != INTERFACE_NONE &&
           (int64_t)(record->tsc - capture->interface[i].since_tsc) < 0) {
        i = capture->interface[i].previous;
    }
    return i;
}

/* @return false: no room for it */
static bool encode_record(struct capture *capture, const struct capture_record *record)
{
    char comment[COMMENT_SIZE] = "";
    struct pcapng_packet packet = {
        .interface = interface_of(capture, record),
        .time_ns = capture_clock_utc_ns(&capture->clock, record->tsc),
        .data = record->data,
        .captured_bytes = record->captured_bytes,
        .original_bytes = record->original_bytes,
        .direction = record->direction == CAPTURE_IN ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
        .comment = comment,
    };
    size_t room_bytes, used;
    uint8_t *to = output_at(capture, &room_bytes);

    if (record->verdict != VNIC_DELIVERED) {
        snprintf(comment, sizeof(comment), "dropped: %s", drop_reason_text(record->verdict));
    }
    used = pcapng_packet(to, room_bytes, &packet);
    capture->output.used += used;
    capture->encoded += used != 0;
    return used != 0;
}

/* The lane with the oldest record that is not after @p horizon_tsc, or NULL. */
static struct capture_lane *lane_oldest(struct capture *capture, uint64_t horizon_tsc)
{
    struct capture_lane *oldest = NULL;
    uint64_t oldest_tsc = horizon_tsc;

    for (uint16_t i = 0; i < capture->workers; i++) {
        const struct capture_record *record = capture_ring_peek(&capture->lane[i].ring);

        if (record != NULL && (int64_t)(record->tsc - oldest_tsc) <= 0) {
            oldest_tsc = record->tsc;
            oldest = &capture->lane[i];
        }
    }
    return oldest;
}

/* Encodes the records of one batch: they have one time.  @return false: no room for one */
static bool encode_batch(struct capture *capture, struct capture_lane *lane)
{
    const struct capture_record *record = capture_ring_peek(&lane->ring);
    const uint64_t tsc = record->tsc;

    while (record != NULL && record->tsc == tsc && capture->encoded < capture->frame_limit) {
        if (!encode_record(capture, record)) {
            return false;
        }
        capture_ring_next(&lane->ring);
        record = capture_ring_peek(&lane->ring);
    }
    return true;
}

bool capture_output_fill(struct capture *capture, uint64_t horizon_tsc)
{
    struct capture_lane *lane = NULL;
    bool room;

    if (!capture_output_empty(capture)) {
        return true;
    }
    if (capture_clock_due(&capture->clock, rte_rdtsc())) {
        capture_clock_sync(&capture->clock, capture_clock_now());
    }
    pthread_mutex_lock(&capture->lock);
    room = encode_interfaces(capture);
    while (room && capture->encoded < capture->frame_limit &&
           (lane = lane_oldest(capture, horizon_tsc)) != NULL) {
        room = encode_batch(capture, lane);
    }
    pthread_mutex_unlock(&capture->lock);
    return !room;
}

uint32_t capture_output_statistics(struct capture *capture, uint32_t first)
{
    const uint64_t now_ns = capture_clock_utc_ns(&capture->clock, rte_rdtsc());
    uint32_t i;

    pthread_mutex_lock(&capture->lock);
    for (i = first; i < capture->described; i++) {
        const struct capture_interface *interface = &capture->interface[i];
        const struct capture_sum end =
            interface->over ? interface->end : capture_sum_port(capture, interface->port);
        const struct pcapng_statistics statistics = {
            .interface = i, .start_ns = capture->begin_ns, .end_ns = now_ns,
            .received = end.seen - interface->begin.seen,
            .accepted = end.matched - interface->begin.matched,
            .dropped = end.lost - interface->begin.lost,
        };
        size_t room_bytes;
        uint8_t *to = output_at(capture, &room_bytes);
        const size_t used = pcapng_statistics(to, room_bytes, &statistics);

        if (used == 0) {
            break;
        }
        capture->output.used += used;
    }
    pthread_mutex_unlock(&capture->lock);
    return i;
}
