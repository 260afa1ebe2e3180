/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/work.h"

#include "vmm/guest/answer.h"
#include "vmm/guest/clock.h"
#include "vmm/guest/memory.h"
#include "vmm/guest/nics.h"
#include "vmm/guest/text.h"

#define BURST         32u
#define STUCK_NS      UINT64_C(10000000000)
#define AWAY_NS       UINT64_C(50000)  /* no turn of a loop takes so long by itself */

/* A load's frame: behind the Ethernet header which one it is, then filler. */
#define LOAD_SEQUENCE ETHER_BYTES
#define LOAD_END      (ETHER_BYTES + sizeof(uint64_t))

/* ---- answering ------------------------------------------------------------------------------- */

static void answer(struct nic *nic, const uint8_t *frame, size_t len_bytes)
{
    uint8_t *reply = nic_frame(nic);
    size_t reply_bytes;

    if (reply == NULL) {
        return;                        /* the device takes nothing: neither do our neighbours */
    }
    reply_bytes = answer_frame(&nic->station, frame, len_bytes, reply, NIC_FRAME_BYTES_MAX);
    if (reply_bytes != 0) {
        nic_send(nic, reply_bytes);
    }
}

/* A turn over all NICs; frames of @p own are offered to @p ping first.  Returns frames seen. */
static unsigned take_turn(struct nic *own, struct ping *ping)
{
    unsigned seen = 0;

    for (unsigned i = 0; i < nics_count; i++) {
        struct nic *nic = &nics[i];
        const uint8_t *frame;
        size_t len_bytes;

        for (unsigned n = 0; n < BURST && (frame = nic_receive(nic, &len_bytes)) != NULL; n++) {
            if (nic != own || !ping_take(ping, &nic->station, clock_ns(), frame, len_bytes)) {
                answer(nic, frame, len_bytes);
            }
            nic_release(nic);
            seen++;
        }
        nic_tell(nic);
    }
    if (seen > 0) {
        nics_are_busy();
    }
    return seen;
}

void work_answer(uint64_t until_ns)
{
    while (until_ns == NICS_FOREVER || clock_ns() < until_ns) {
        if (take_turn(NULL, NULL) == 0) {
            nics_idle(until_ns);
        }
    }
}

void work_ping(struct nic *nic, struct ping *ping)
{
    const char *kind = ping->is_ip6 ? "ping6" : "ping";
    uint8_t *frame;

    while (!ping_is_over(ping)) {
        frame = nic_frame(nic);
        if (frame != NULL) {
            const size_t len_bytes = ping_next(ping, &nic->station, clock_ns(), frame);

            if (len_bytes != 0) {
                nic_send(nic, len_bytes);
                nic_tell(nic);
                nics_are_busy();
            }
        }
        if (take_turn(nic, ping) == 0) {
            nics_idle(ping->due_ns);
        }
    }
    if (!ping->is_resolved) {
        say("%s: nobody has that address", kind);
    }
    say("%s sent %lu received %lu mean %lu us max %lu us", kind, ping->sent, ping->received,
        ping->received == 0 ? 0 : ping->round_trips_ns / ping->received / NS_PER_US,
        ping->round_trip_max_ns / NS_PER_US);
}

/* ---- loads ----------------------------------------------------------------------------------- */

static void fill(const struct nic *nic, const struct work_load *load, uint64_t sequence,
                 uint8_t *frame)
{
    uint8_t start[LOAD_END];

    packet_put_ether(start, load->to, nic->station.mac, ETHER_LOAD);
    memcpy(start + LOAD_SEQUENCE, &sequence, sizeof(sequence));
    memory_put(frame, start, sizeof(start));
}

/* What comes meanwhile is not looked at. */
static void discard(struct nic *nic)
{
    size_t len_bytes;

    for (unsigned n = 0; n < BURST && nic_receive_head(nic, &len_bytes) != NULL; n++) {
        nic_release(nic);
    }
}

static uint64_t rate(uint64_t frames, uint64_t ns)
{
    return ns < NS_PER_US ? 0 : frames * NS_PER_MS / (ns / NS_PER_US);
}

/* Gives the device up to @p count frames of a load, from number *sequence on.  It is told of them
 * in strides, and of the rest when there is no room.  Returns how many. */
static uint64_t send_burst(struct nic *nic, const struct work_load *load, uint64_t count,
                           uint64_t *sequence)
{
    uint8_t *frame;
    uint64_t n = 0;

    while (n < BURST && n < count && (frame = nic_frame(nic)) != NULL) {
        fill(nic, load, load->is_same ? 0 : *sequence, frame);
        (*sequence)++;
        nic_send(nic, load->size_bytes);
        n++;
    }
    if (n < BURST) {
        nic_tell(nic);
    }
    discard(nic);
    return n;
}

/* How many frames of those that are left are due. */
static uint64_t due_frames(const struct work_load *load, uint64_t sent, uint64_t due_ns)
{
    const uint64_t left = load->count - sent, now_ns = clock_ns();
    uint64_t due;

    if (load->gap_ns == 0) {
        return left;
    }
    due = now_ns < due_ns ? 0 : (now_ns - due_ns) / load->gap_ns + 1;
    return due < left ? due : left;
}

void work_send(struct nic *nic, const struct work_load *load)
{
    const uint64_t start_ns = clock_ns();
    uint64_t done_ns = start_ns, due_ns = start_ns;
    uint64_t sent = 0;

    while (sent < load->count && nic->works && clock_ns() - done_ns < STUCK_NS) {
        const uint64_t n = send_burst(nic, load, due_frames(load, sent, due_ns), &sent);

        due_ns += n * load->gap_ns;
        if (n > 0) {
            done_ns = clock_ns();
            nics_are_busy();
        } else {
            nics_idle(load->gap_ns == 0 ? done_ns + STUCK_NS : due_ns);
        }
    }
    nic_tell(nic);
    say("nic %u sent %lu of %lu in %lu us, %lu frames/s", nic->number, sent, load->count,
        (done_ns - start_ns) / NS_PER_US, rate(sent, done_ns - start_ns));
}

struct tally {
    uint64_t received, bytes;
    uint64_t missing, late;            /* sequence numbers left out, and of them seen later */
    uint64_t next;                     /* sequence number */
    uint64_t first_ns, last_ns;
};

static void tally_frame(struct tally *tally, const uint8_t *frame, size_t len_bytes)
{
    uint64_t sequence;

    if (len_bytes < LOAD_END || packet_get(frame + ETHER_TYPE) != ETHER_LOAD) {
        return;
    }
    memcpy(&sequence, frame + LOAD_SEQUENCE, sizeof(sequence));
    if (sequence >= tally->next) {
        tally->missing += sequence - tally->next;
        tally->next = sequence + 1;
    } else {
        tally->late++;
    }
    tally->received++;
    tally->bytes += len_bytes;
}

/* Returns frames seen, of the load or not. */
static unsigned tally_burst(struct tally *tally, struct nic *nic)
{
    const uint8_t *frame;
    size_t len_bytes;
    unsigned seen = 0;

    while (seen < BURST && (frame = nic_receive_head(nic, &len_bytes)) != NULL) {
        tally_frame(tally, frame, len_bytes);
        nic_release(nic);
        seen++;
    }
    return seen;
}

void work_count(struct nic *nic, uint64_t count, uint64_t quiet_ns)
{
    struct tally tally = { .last_ns = clock_ns() };

    while (tally.received < count && nic->works) {
        const uint64_t before = tally.received;

        if (tally_burst(&tally, nic) == 0) {
            nic_tell(nic);
            if (clock_ns() - tally.last_ns >= quiet_ns) {
                break;
            }
            nics_idle(tally.last_ns + quiet_ns);
        } else if (tally.received > before) {
            tally.last_ns = clock_ns();
            tally.first_ns = before == 0 ? tally.last_ns : tally.first_ns;
            nics_are_busy();
        }
    }
    nic_tell(nic);
    say("nic %u received %lu bytes %lu missing %lu late %lu in %lu us, %lu frames/s", nic->number,
        tally.received, tally.bytes, tally.missing, tally.late,
        (tally.received == 0 ? 0 : tally.last_ns - tally.first_ns) / NS_PER_US,
        rate(tally.received, tally.last_ns - tally.first_ns));
}

/* Whoever switches learns where @p to is. */
static void announce(struct nic *from, struct nic *to)
{
    struct work_load one = { .count = 1, .size_bytes = LOAD_BYTES_MIN };
    uint64_t sequence = 0;

    memcpy(one.to, from->station.mac, sizeof(one.to));
    (void)send_burst(to, &one, 1, &sequence);
}

void work_loop(struct nic *from, struct nic *to, const struct work_load *load, uint64_t ns)
{
    const uint64_t start_ns = clock_ns();
    struct tally tally = { .received = 0 };
    uint64_t now_ns = start_ns, sent = 0, away_ns = 0;

    announce(from, to);
    while (from->works && to->works &&
           (tally.received > 0 ? now_ns - tally.first_ns < ns : now_ns - start_ns < STUCK_NS)) {
        const uint64_t turn_ns = clock_ns() - now_ns;

        now_ns += turn_ns;
        if (tally.received == 0) {
            tally.first_ns = now_ns;
        } else if (turn_ns > AWAY_NS) {
            away_ns += turn_ns;
        }
        (void)send_burst(from, load, BURST, &sent);
        while (tally_burst(&tally, to) > 0) {
        }
        nic_tell(to);
    }
    say("looped %lu of %lu bytes %lu in %lu us away %lu us", tally.received, sent, tally.bytes,
        (now_ns - tally.first_ns) / NS_PER_US, away_ns / NS_PER_US);
}

/* ---- forwarding ------------------------------------------------------------------------------ */

/* Returns frames forwarded; one that the other device has no room for is lost. */
static unsigned forward_burst(struct nic *from, struct nic *to)
{
    const uint8_t *frame;
    unsigned seen = 0;
    size_t len_bytes;

    while (seen < BURST && (frame = nic_receive(from, &len_bytes)) != NULL) {
        uint8_t *copy = nic_frame(to);

        if (copy != NULL && len_bytes <= NIC_FRAME_BYTES_MAX) {
            memcpy(copy, frame, len_bytes);
            nic_send(to, len_bytes);
            seen++;
        }
        nic_release(from);
    }
    nic_tell(from);
    nic_tell(to);
    return seen;
}

void work_forward(struct nic *a, struct nic *b, uint64_t until_ns)
{
    uint64_t to_b = 0, to_a = 0;

    while (until_ns == NICS_FOREVER || clock_ns() < until_ns) {
        const unsigned there = forward_burst(a, b);
        const unsigned back = forward_burst(b, a);

        to_b += there;
        to_a += back;
        if (there + back > 0) {
            nics_are_busy();
        } else {
            nics_idle(until_ns);
        }
    }
    say("forwarded %lu from nic %u to nic %u, %lu back", to_b, a->number, b->number, to_a);
}
