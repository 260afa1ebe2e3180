/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/worker.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "dataplane/capture.h"
#include "dataplane/egress.h"
#include "dataplane/egress_deliver.h"
#include "dataplane/host_port.h"
#include "dataplane/idle.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"
#include "dataplane/team_port.h"
#include "switch/coalesce.h"
#include "switch/offload.h"
#include "switch/spread.h"

bool worker_load_fabric(struct worker *worker)
{
    /* Pairs with the release in dataplane_publish(): the arrays are complete before the pointer. */
    const struct fabric *fabric = atomic_load_explicit(&worker->shared->fabric,
                                                       memory_order_acquire);
    uint32_t first = 0;

    if (worker->fabric == fabric && fabric->generation ==
        atomic_load_explicit(&worker->generation, memory_order_relaxed)) {
        return false;
    }
    worker->fabric = fabric;
    /* Pairs with the acquire in wait_awake(): the worker has left what it slept on. */
    atomic_store_explicit(&worker->generation, fabric->generation, memory_order_release);
    while (first < fabric->queue_count && fabric->queues[first].worker != worker->id) {
        first++;
    }
    worker->queue = &fabric->queues[first];
    worker->queue_count = 0;
    while (first + worker->queue_count < fabric->queue_count &&
           fabric->queues[first + worker->queue_count].worker == worker->id) {
        worker->queue_count++;
    }
    worker->loud_count = 0;
    worker->slice_first = 0;
    worker->all_turns = 0;
    return true;
}

/* ---- a batch --------------------------------------------------------------------------------- */

/* What was taken from a queue and is no frame, under its reasons. */
static void count_refused(struct port_counters *counters, struct drop_tally *refused)
{
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
        counter_add(&counters->drops[reason], refused->drops[reason]);
        refused->drops[reason] = 0;
    }
    counter_add(&counters->from_frames, refused->count);
    refused->count = 0;
}

/* Counts what came in, as it came: bytes with the tags that were taken out since. */
static void count_from(struct worker *worker, struct port_counters *counters,
                       const struct forward_classes *classes)
{
    const struct frame_batch *batch = &worker->batch;
    const uint64_t bytes = classes->bytes + classes->untagged_bytes;

    counter_add(&counters->from_frames, batch->count);
    counter_add(&counters->from_bytes, bytes);
    counter_add(&counters->from_broadcast, classes->broadcast_frames);
    counter_add(&counters->from_multicast, classes->multicast_frames);
    if (__builtin_expect(classes->spoofed_mac != 0, 0)) {
        __atomic_store_n(&counters->spoofed_mac, classes->spoofed_mac, __ATOMIC_RELAXED);
    }
    counter_add(&worker->status.frames, batch->count);
    worker->batch_load = batch->count + bytes / SPREAD_FRAME_BYTES;
}

/* Merges segments for destinations that take long frames. */
static void coalesce(struct worker *worker, struct forward_classes *classes)
{
    struct frame_batch *batch = &worker->batch;
    uint16_t port = PORT_NONE;
    uint8_t port_takes = 0;
    uint8_t any_takes = 0;
    uint8_t takes[FRAME_BURST];

    for (uint16_t i = 0; i < batch->count; i++) {
        if (batch->frame[i].port_out != port) {
            port = batch->frame[i].port_out;
            port_takes = port < FABRIC_MAX_PORTS ? egress_takes(worker, port) : 0;
            any_takes |= port_takes;
        }
        takes[i] = port_takes;
    }
    if ((any_takes & (OFFLOAD_TAKES_TSO4 | OFFLOAD_TAKES_TSO6)) != 0) {
        counter_add(&worker->counters[batch->port_in].coalesced, coalesce_batch(batch, takes));
        forward_measure(batch, classes);
    }
}

/* Carries what a queue of @p port gave to where it goes.  @return whether it had given anything */
static bool carry(struct worker *worker, uint16_t port, uint32_t now_s)
{
    struct port_counters *counters;
    struct forward_classes classes;

    if (worker->batch.count == 0 && worker->refused.count == 0) {
        return false;
    }
    if (__builtin_expect((worker->fabric->port[port].flags & FABRIC_PORT_MEMBER) != 0, 0)) {
        port = team_port_from_member(worker, port);
        if (port == PORT_NONE) {
            worker->batch_load = 0;
            return true;
        }
    }
    counters = &worker->counters[port];
    if (__builtin_expect(worker->refused.count != 0, 0)) {
        count_refused(counters, &worker->refused);
    }
    forward_batch(worker->fabric, &worker->batch, now_s, &worker->notes, &classes);
    count_from(worker, counters, &classes);
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see_in(worker->fabric->watch, worker->id, &worker->batch);
    }
    if ((worker->fabric->port[port].flags & FABRIC_PORT_COALESCE) != 0 &&
        worker->batch.count > 1) {
        coalesce(worker, &classes);
    }
    egress_batch(worker, &classes);
    if (worker->notes.count > 0) {
        counter_add(&worker->status.notes_lost,
                    punt_notes(&worker->shared->punt, worker->id, &worker->notes));
    }
    return true;
}

/* ---- queues ---------------------------------------------------------------------------------- */

static bool poll_vnic(struct worker *worker, const struct fabric_queue *queue, uint32_t now_s)
{
    struct vnic *vnic = worker->fabric->port[queue->port].endpoint;
    /* Pairs with the release in vhost_control: the device is complete before the pointer. */
    struct vnic_live *live = atomic_load_explicit(&vnic->live, memory_order_acquire);

    if (live == NULL || queue->pair >= live->pair_count) {
        return false;
    }
    (void)vnic_from_guest(vnic, live, queue->pair, &worker->batch, &worker->refused);
    if (!carry(worker, queue->port, now_s)) {
        return false;
    }
    vnic_return(live, queue->pair);
    return true;
}

/* One batch from one queue.  @return whether it had anything */
static bool poll_queue(struct worker *worker, const struct fabric_queue *queue, uint32_t now_s)
{
    const struct fabric_port *port = &worker->fabric->port[queue->port];
    bool moved = false;

    switch ((enum fabric_port_kind)port->kind) {
    case FABRIC_PORT_VNIC:
        moved = poll_vnic(worker, queue, now_s);
        break;
    case FABRIC_PORT_HOST:
        (void)host_port_from_host(port->endpoint, queue->pair, &worker->batch, &worker->refused);
        moved = carry(worker, queue->port, now_s);
        break;
    case FABRIC_PORT_PACKET:
        (void)packet_port_from_wire(port->endpoint, queue->pair, &worker->batch, &worker->refused);
        moved = carry(worker, queue->port, now_s);
        packet_port_return(port->endpoint, queue->pair);
        break;
    case FABRIC_PORT_NIC:
        (void)nic_from_wire(port->endpoint, queue->pair, &worker->batch, &worker->refused);
        moved = carry(worker, queue->port, now_s);
        nic_return(port->endpoint, queue->pair);
        break;
    case FABRIC_PORT_TEAM:         /* whose queues are its members' */
    case FABRIC_PORT_UNUSED:
    case FABRIC_PORT_ABSENT:
        break;
    }
    if (moved) {
        counter_add(&worker->fabric->load[queue - worker->fabric->queues], worker->batch_load);
    }
    return moved;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool visit_all(struct worker *worker, uint32_t now_s)
{
    bool moved = false;

    for (uint32_t i = 0; i < worker->queue_count; i++) {
        moved |= poll_queue(worker, &worker->queue[i], now_s);
    }
    return moved;
}

static bool visit_loud(struct worker *worker, uint32_t now_s)
{
    bool moved = false;

    for (uint32_t i = 0; i < worker->loud_count;) {
        struct worker_loud *loud = &worker->loud[i];

        if (poll_queue(worker, &worker->queue[loud->queue], now_s)) {
            moved = true;
            loud->empty = 0;
            i++;
        } else if (++loud->empty < WORKER_EMPTY_MAX) {
            i++;
        } else {
            *loud = worker->loud[--worker->loud_count];
        }
    }
    return moved;
}

static void note_loud(struct worker *worker, uint32_t queue)
{
    for (uint32_t i = 0; i < worker->loud_count; i++) {
        if (worker->loud[i].queue == queue) {
            return;
        }
    }
    if (worker->loud_count == WORKER_LOUD_MAX) {
        worker->loud_count = 0;
        worker->all_turns = WORKER_ALL_TURNS;
    } else {
        worker->loud[worker->loud_count++] = (struct worker_loud){ .queue = queue };
    }
}

/*
 * Which of the @p count queues at @p queue have something, as far as a look can tell, a bit each.
 *
 * Nearly all of a crowd are quiet, and to see that of one takes four reads, each of where the next
 * is to be made.  They are made for all queues at once, so that their cache misses overlap.
 */
static uint32_t look_at(const struct worker *worker, const struct fabric_queue *queue,
                        uint32_t count)
{
    struct vnic *vnic[WORKER_SLICE];
    const struct virtqueue *ring[WORKER_SLICE];
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct fabric_port *port = &worker->fabric->port[queue[i].port];

        vnic[i] = port->kind == FABRIC_PORT_VNIC ? port->endpoint : NULL;
        if (vnic[i] != NULL) {
            __builtin_prefetch(&vnic[i]->live);
        } else {
            found |= 1u << i;      /* who polls it will see */
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct vnic_live *live =
            vnic[i] != NULL ? atomic_load_explicit(&vnic[i]->live, memory_order_acquire) : NULL;

        ring[i] = live != NULL ? &live->from_guest[queue[i].pair] : NULL;
        __builtin_prefetch(ring[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ring[i] != NULL && ring[i]->size == 0) {
            ring[i] = NULL;
        }
        if (ring[i] != NULL) {
            __builtin_prefetch((const void *)(uintptr_t)ring[i]->avail);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ring[i] != NULL && (ring[i]->fault != VIRTQUEUE_NONE || virtqueue_has_more(ring[i]))) {
            found |= 1u << i;
        }
    }
    return found;
}

/* Visits queues in a row.  @return whether any had something */
static bool visit_row(struct worker *worker, uint32_t first, uint32_t count, uint32_t now_s)
{
    uint32_t found = look_at(worker, &worker->queue[first], count);
    bool moved = false;

    for (; found != 0; found &= found - 1) {
        const uint32_t queue = first + (uint32_t)__builtin_ctz(found);

        if (poll_queue(worker, &worker->queue[queue], now_s)) {
            moved = true;
            note_loud(worker, queue);
        }
    }
    return moved;
}

/* Visits the next @p count queues, by turns. */
static bool visit_slice(struct worker *worker, uint32_t count, uint32_t now_s)
{
    const uint32_t first = worker->slice_first;
    const uint32_t left = worker->queue_count - first;

    if (count < left) {
        worker->slice_first = first + count;
        return visit_row(worker, first, count, now_s);
    }
    worker->slice_first = 0;
    return visit_row(worker, first, left, now_s);
}

bool worker_turn(struct worker *worker)
{
    const uint32_t now_s = atomic_load_explicit(&worker->shared->now_s, memory_order_relaxed);
    bool moved;

    (void)worker_load_fabric(worker);
    if (worker->queue_count <= WORKER_SLICE) {
        moved = visit_all(worker, now_s);
    } else if (worker->all_turns > 0) {
        worker->all_turns--;
        moved = visit_all(worker, now_s);
    } else {
        moved = visit_loud(worker, now_s);
        moved |= visit_slice(worker, moved ? WORKER_SLICE_BUSY : WORKER_SLICE, now_s);
    }
    rte_rcu_qsbr_quiescent(worker->shared->qsbr, worker->id);
    return moved;
}

int worker_run(void *context)
{
    struct worker *worker = context;
    struct worker_shared *shared = worker->shared;
    uint64_t before_tsc = rte_rdtsc();
    uint64_t last_moved_tsc = before_tsc;

    atomic_store(&worker->thread, pthread_self());
    (void)rte_rcu_qsbr_thread_register(shared->qsbr, worker->id);
    rte_rcu_qsbr_thread_online(shared->qsbr, worker->id);
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        const bool moved = worker_turn(worker);
        const uint64_t now_tsc = rte_rdtsc();

        if (moved) {
            counter_add(&worker->status.busy_tsc, now_tsc - before_tsc);
            last_moved_tsc = now_tsc;
            worker->nap_us = 0;
        } else if (now_tsc - last_moved_tsc > worker->spin_tsc && idle_sleep(worker)) {
            last_moved_tsc = rte_rdtsc();
        }
        before_tsc = moved ? now_tsc : rte_rdtsc();
    }
    rte_rcu_qsbr_thread_offline(shared->qsbr, worker->id);
    (void)rte_rcu_qsbr_thread_unregister(shared->qsbr, worker->id);
    free(worker->sleeping);
    worker->sleeping = NULL;
    return 0;
}
