/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/team_port.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ring_elem.h>

#include "dataplane/capture.h"
#include "dataplane/egress_deliver.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"
#include "switch/mac.h"
#include "switch/offload.h"
#include "teaming/team_admit.h"

#define BOX_FRAMES   16u           /* slow frames of a member that wait; a power of two */
#define SOURCE_AT    6u            /* in an Ethernet header */
#define ADDRESS_BYTES 6u

struct team_port {
    uint16_t workers;
    int fd;
    struct rte_ring *box[TEAM_MEMBERS_MAX];    /* of struct team_port_slow */
    unsigned turn;                 /* whose box is next; the keeper's */
    struct frame_batch *sending;   /* the keeper's */
    /* ---- written by the keeper and read by workers, each number by itself ---- */
    struct team_choice_config choice __attribute__((aligned(64)));
    uint64_t mac[TEAM_MEMBERS_MAX];
    struct team_plan plan;
    /* ---- of the boxes ---- */
    atomic_bool armed __attribute__((aligned(64)));
    uint64_t lost;
    /* ---- each its worker's ---- */
    struct team_flowlets flowlets[] __attribute__((aligned(64)));
};

/* ---- life ------------------------------------------------------------------------------------ */

static struct rte_ring *make_box(void)
{
    const ssize_t size_bytes = rte_ring_get_memsize_elem(sizeof(struct team_port_slow), BOX_FRAMES);
    struct rte_ring *box = NULL;

    if (size_bytes > 0) {
        box = aligned_alloc(64, ((size_t)size_bytes + 63) / 64 * 64);
    }

    if (box != NULL && rte_ring_init(box, "team", BOX_FRAMES, RING_F_SC_DEQ) != 0) {
        free(box);
        return NULL;
    }
    return box;
}

static bool make_boxes(struct team_port *team)
{
    bool made = true;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX && made; i++) {
        team->box[i] = make_box();
        made = team->box[i] != NULL;
    }
    return made;
}

struct team_port *team_port_create(uint16_t workers, struct error *error)
{
    const size_t size_bytes = sizeof(struct team_port) + workers * sizeof(struct team_flowlets);
    struct team_port *team = aligned_alloc(64, (size_bytes + 63) / 64 * 64);

    if (team == NULL) {
        (void)error_set(error, ENOMEM, "there is no memory left for a team");
        return NULL;
    }
    memset(team, 0, size_bytes);
    team->workers = workers;
    team->plan.primary = TEAM_NO_MEMBER;
    memset(team->plan.flow, TEAM_NO_MEMBER, sizeof(team->plan.flow));
    memset(team->plan.own, TEAM_NO_MEMBER, sizeof(team->plan.own));
    atomic_init(&team->armed, true);
    team->sending = aligned_alloc(64, sizeof(*team->sending));
    team->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!make_boxes(team) || team->sending == NULL || team->fd < 0) {
        (void)error_set(error, ENOMEM, "there is no memory or no descriptor left for a team");
        team_port_destroy(team);
        return NULL;
    }
    return team;
}

void team_port_destroy(struct team_port *team)
{
    if (team == NULL) {
        return;
    }
    if (team->fd >= 0) {
        (void)close(team->fd);
    }
    free(team->sending);
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        free(team->box[i]);
    }
    free(team);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

void team_port_set(struct team_port *team, const struct team_setting *setting)
{
    struct team_choice_config *choice = &team->choice;

    __atomic_store_n(&choice->mode, setting->mode, __ATOMIC_RELAXED);
    __atomic_store_n(&choice->balance, setting->balance, __ATOMIC_RELAXED);
    __atomic_store_n(&choice->hash, setting->hash, __ATOMIC_RELAXED);
    __atomic_store_n(&choice->gap_tsc, setting->gap_ms * (rte_get_tsc_hz() / 1000),
                     __ATOMIC_RELAXED);
}

/* A member has an address as long as it may be chosen. */
void team_port_set_plan(struct team_port *team, const struct team_plan *plan,
                        const uint64_t mac[TEAM_MEMBERS_MAX])
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if (mac[i] != 0) {
            __atomic_store_n(&team->mac[i], mac[i], __ATOMIC_RELAXED);
        }
    }
    team_choose_publish(&team->plan, plan);
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        __atomic_store_n(&team->mac[i], mac[i], __ATOMIC_RELAXED);
    }
}

void team_port_sent(const struct team_port *team, uint64_t sent_bytes[TEAM_BUCKETS])
{
    memset(sent_bytes, 0, TEAM_BUCKETS * sizeof(sent_bytes[0]));
    for (uint16_t worker = 0; worker < team->workers; worker++) {
        for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
            sent_bytes[i] += counter_read(&team->flowlets[worker].sent_bytes[i]);
        }
    }
}

int team_port_fd(const struct team_port *team)
{
    return team->fd;
}

/* From one box after the other, so that a full one is no more than its share. */
static bool take_next(struct team_port *team, struct team_port_slow *slow)
{
    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        struct rte_ring *box = team->box[team->turn];

        team->turn = (team->turn + 1) % TEAM_MEMBERS_MAX;
        if (rte_ring_sc_dequeue_elem(box, slow, sizeof(*slow)) == 0) {
            return true;
        }
    }
    return false;
}

/* As in punt.h: one of the two sees the other. */
bool team_port_take(struct team_port *team, struct team_port_slow *slow)
{
    eventfd_t ignored;

    if (take_next(team, slow)) {
        return true;
    }
    (void)eventfd_read(team->fd, &ignored);
    atomic_store_explicit(&team->armed, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!take_next(team, slow)) {
        return false;
    }
    atomic_store_explicit(&team->armed, false, memory_order_relaxed);
    (void)eventfd_write(team->fd, 1);
    return true;
}

uint64_t team_port_slow_lost(const struct team_port *team)
{
    return counter_read(&team->lost);
}

bool team_port_send(struct team_port *team, enum fabric_port_kind kind, void *at,
                    const uint8_t *frame, uint32_t len_bytes)
{
    struct frame_batch *batch = team->sending;
    const uint16_t hdr_len_bytes = (uint16_t)(len_bytes < FRAME_HDR_BYTES ? len_bytes
                                                                          : FRAME_HDR_BYTES);
    const uint8_t index[1] = { 0 };
    uint8_t verdict[1];

    batch->count = 1;
    batch->run_count = len_bytes > hdr_len_bytes;
    batch->port_in = PORT_NONE;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->altered = false;
    memcpy(batch->hdr[0], frame, hdr_len_bytes);
    batch->run[0] = (struct frame_run){
        .data = frame + hdr_len_bytes, .len_bytes = len_bytes - hdr_len_bytes,
    };
    batch->frame[0] = (struct frame){
        .hdr = batch->hdr[0],
        .len_bytes = len_bytes,
        .hdr_len_bytes = hdr_len_bytes,
        .seg_count = batch->run_count,
        .port_in = PORT_NONE,
    };
    if (kind == FABRIC_PORT_PACKET) {
        return packet_port_to_wire(at, 0, batch, index, 1, verdict) == 1;
    }
    return kind == FABRIC_PORT_NIC && nic_to_wire(at, team->workers, batch, index, 1, verdict) == 1;
}

/* ---- what comes by a member ------------------------------------------------------------------ */

static void keep_slow(struct team_port *team, unsigned member, const struct frame *frame)
{
    struct team_port_slow slow = {
        .member = (uint8_t)member,
        .len_bytes = (uint8_t)frame->hdr_len_bytes,
    };

    memcpy(slow.bytes, frame->hdr, frame->hdr_len_bytes);
    if (rte_ring_mp_enqueue_elem(team->box[member], &slow, sizeof(slow)) != 0) {
        (void)__atomic_add_fetch(&team->lost, 1, __ATOMIC_RELAXED);
        return;
    }
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&team->armed, memory_order_relaxed) &&
        atomic_exchange_explicit(&team->armed, false, memory_order_relaxed)) {
        (void)eventfd_write(team->fd, 1);
    }
}

/* Counts a member's batch as it came, and shows it. */
static void count_from(struct worker *worker, uint16_t port, const uint8_t *verdict, uint32_t slow)
{
    struct port_counters *counters = &worker->counters[port];
    struct frame_batch *batch = &worker->batch;
    uint64_t bytes = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        struct frame *frame = &batch->frame[i];
        const uint64_t destination = frame->hdr_len_bytes < FRAME_MIN_BYTES ? 0
                                                                            : mac_read(frame->hdr);

        bytes += frame->len_bytes;
        counter_add(&counters->from_broadcast, destination == MAC_BROADCAST);
        counter_add(&counters->from_multicast, mac_is_group(destination) &&
                                               destination != MAC_BROADCAST);
        frame->drop_reason = verdict[i];
        frame->port_out = verdict[i] == DROP_REASON_COUNT || (slow >> i & 1) != 0 ? PORT_FLOOD
                                                                                  : PORT_NONE;
    }
    counter_add(&counters->from_frames, batch->count + worker->refused.count);
    counter_add(&counters->from_bytes, bytes);
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see_in(worker->fabric->watch, worker->id, batch);
    }
}

/* Moves what is not taken from the batch into the tally, but for @p slow, which is not lost. */
static void refuse(struct worker *worker, const uint8_t *verdict, uint32_t slow)
{
    struct frame_batch *batch = &worker->batch;
    uint16_t kept = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        if (verdict[i] != DROP_REASON_COUNT) {
            const uint32_t lost = (slow >> i & 1) == 0;

            worker->refused.drops[verdict[i]] += lost;
            worker->refused.count += lost;
            batch->offload_count = (uint16_t)(batch->offload_count -
                                              (batch->frame[i].csum_state != FRAME_CSUM_AS_IT_IS));
        } else if (kept++ != i) {
            batch->frame[kept - 1] = batch->frame[i];
        }
    }
    batch->count = kept;
}

uint16_t team_port_from_member(struct worker *worker, uint16_t member_port)
{
    const struct fabric_port *in = &worker->fabric->port[member_port];
    struct port_counters *counters = &worker->counters[member_port];
    struct frame_batch *batch = &worker->batch;
    struct team_port *team = in->team->at;
    uint8_t verdict[FRAME_BURST];
    uint32_t slow = 0;
    const uint16_t taken = team_admit(&team->plan,
                                      __atomic_load_n(&team->choice.mode, __ATOMIC_RELAXED),
                                      in->member, team->mac, batch, verdict, &slow);

    for (uint32_t rest = slow; rest != 0; rest &= rest - 1) {
        keep_slow(team, in->member, &batch->frame[__builtin_ctz(rest)]);
    }
    count_from(worker, member_port, verdict, slow);
    if (taken != batch->count) {
        refuse(worker, verdict, slow);
    }
    for (unsigned i = 0; worker->refused.count != 0 && i < DROP_REASON_COUNT; i++) {
        counter_add(&counters->drops[i], worker->refused.drops[i]);
    }
    if (in->team->port == PORT_NONE) {
        memset(&worker->refused, 0, sizeof(worker->refused));
        return PORT_NONE;
    }
    batch->port_in = in->team->port;
    for (uint16_t i = 0; i < batch->count; i++) {
        batch->frame[i].port_in = batch->port_in;
    }
    return batch->port_in;
}

/* ---- what leaves by members ------------------------------------------------------------------ */

/* Chooses as things stand now.  @return as team_choose() */
static uint32_t choose(struct worker *worker, struct team_port *team,
                       const struct frame_batch *batch, const struct egress_group *group,
                       uint8_t *member)
{
    const struct team_choice_config choice = {
        .mode = __atomic_load_n(&team->choice.mode, __ATOMIC_RELAXED),
        .balance = __atomic_load_n(&team->choice.balance, __ATOMIC_RELAXED),
        .hash = __atomic_load_n(&team->choice.hash, __ATOMIC_RELAXED),
        .gap_tsc = __atomic_load_n(&team->choice.gap_tsc, __ATOMIC_RELAXED),
    };

    return team_choose(&team->plan, &choice, &team->flowlets[worker->id], batch, group->index,
                       group->count, rte_rdtsc(), member);
}

/* Frames in a row for one member, and which of them are to carry its address. */
struct part {
    struct egress_group group;
    uint32_t disguised;            /* a bit each, by their place in the group */
};

/* Takes the frames of @p group that are for @p to. */
static struct part take_part(const struct frame_batch *batch, const struct egress_group *group,
                             const uint8_t *member, uint8_t to, uint32_t disguised,
                             uint32_t *left)
{
    struct part part = { .group.count = 0 };

    for (uint32_t rest = *left; rest != 0; rest &= rest - 1) {
        const unsigned i = (unsigned)__builtin_ctz(rest);

        if (member[i] == to) {
            part.disguised |= (disguised >> i & 1) << part.group.count;
            egress_group_add(&part.group, batch, group->index[i]);
            *left &= ~(1u << i);
        }
    }
    return part;
}

/*
 * Sends a part with the member's address where that is due.  The header is the worker's own, and is
 * as it was again afterwards: the frame may be for other ports too.
 */
static void send_part(struct worker *worker, uint16_t port, uint16_t member_port, uint64_t mac,
                      const struct frame_batch *batch, const struct part *part)
{
    uint8_t source[FRAME_BURST][ADDRESS_BYTES];
    uint8_t verdict[FRAME_BURST];
    uint16_t sent;

    for (uint32_t rest = part->disguised; rest != 0; rest &= rest - 1) {
        const unsigned i = (unsigned)__builtin_ctz(rest);
        uint8_t *at = batch->frame[part->group.index[i]].hdr + SOURCE_AT;

        memcpy(source[i], at, ADDRESS_BYTES);
        mac_write(mac, at);
        worker->batch.altered = true;
    }
    sent = egress_send(worker, member_port, batch, &part->group, verdict);
    egress_settle(worker, member_port, batch, &part->group, verdict, sent);
    for (uint32_t rest = part->disguised; rest != 0; rest &= rest - 1) {
        const unsigned i = (unsigned)__builtin_ctz(rest);

        memcpy(batch->frame[part->group.index[i]].hdr + SOURCE_AT, source[i], ADDRESS_BYTES);
    }
    egress_settle(worker, port, batch, &part->group, verdict, sent);
}

void team_port_deliver(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                       const struct egress_group *group)
{
    const struct fabric_team *team = worker->fabric->port[port].team;
    struct team_port *at = team->at;
    uint8_t member[FRAME_BURST];
    const uint32_t disguised = choose(worker, at, batch, group, member);
    uint32_t left = group->count == FRAME_BURST ? UINT32_MAX : (1u << group->count) - 1;

    while (left != 0) {
        const uint8_t to = member[__builtin_ctz(left)];
        const struct part part = take_part(batch, group, member, to, disguised, &left);

        if (to >= TEAM_MEMBERS_MAX || team->member[to] == PORT_NONE) {
            egress_drop(worker, port, batch, &part.group, DROP_LINK_DOWN);
        } else {
            send_part(worker, port, team->member[to],
                      __atomic_load_n(&at->mac[to], __ATOMIC_RELAXED), batch, &part);
        }
    }
}

uint8_t team_port_takes(const struct worker *worker, uint16_t port)
{
    const struct fabric_team *team = worker->fabric->port[port].team;
    const struct team_port *at = team->at;
    const uint8_t carries = __atomic_load_n(&at->plan.carries, __ATOMIC_RELAXED);
    uint8_t takes = OFFLOAD_TAKES_ALL;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        if ((carries >> i & 1) != 0 && team->member[i] != PORT_NONE) {
            takes &= egress_takes(worker, team->member[i]);
        }
    }
    return takes;
}
