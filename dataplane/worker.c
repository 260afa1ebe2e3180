/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/worker.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "dataplane/capture.h"
#include "dataplane/egress.h"
#include "dataplane/idle.h"

bool worker_load_fabric(struct worker *worker)
{
    /* Pairs with the release in dataplane_publish(): the arrays are complete before the pointer. */
    const struct fabric *fabric = atomic_load_explicit(&worker->shared->fabric,
                                                       memory_order_acquire);
    uint32_t first = 0;

    if (worker->fabric == fabric && worker->generation == fabric->generation) {
        return false;
    }
    worker->fabric = fabric;
    worker->generation = fabric->generation;
    while (first < fabric->queue_count && fabric->queues[first].worker != worker->id) {
        first++;
    }
    worker->queue = &fabric->queues[first];
    worker->queue_count = 0;
    while (first + worker->queue_count < fabric->queue_count &&
           fabric->queues[first + worker->queue_count].worker == worker->id) {
        worker->queue_count++;
    }
    return true;
}

/* Counts what came in: the frames of the batch and the chains that were none. */
static void count_from(struct worker *worker, const struct forward_classes *classes)
{
    const struct frame_batch *batch = &worker->batch;
    const struct drop_tally *refused = &worker->refused;
    struct port_counters *counters = &worker->counters[batch->port_in];
    uint64_t bytes = 0;

    for (uint16_t i = 0; i < batch->count; i++) {
        bytes += batch->frame[i].len_bytes;
    }
    counter_add(&counters->from_frames, batch->count + refused->count);
    counter_add(&counters->from_bytes, bytes);
    counter_add(&counters->from_broadcast, classes->broadcast_frames);
    counter_add(&counters->from_multicast, classes->multicast_frames);
    if (refused->count != 0) {
        counter_add(&counters->drops[DROP_BAD_DESCRIPTOR], refused->drops[DROP_BAD_DESCRIPTOR]);
        counter_add(&counters->drops[DROP_FRAME_TOO_LONG], refused->drops[DROP_FRAME_TOO_LONG]);
    }
    counter_add(&worker->status.frames, batch->count);
}

/* One batch from one queue.  Returns whether the guest had given anything. */
static bool poll_queue(struct worker *worker, const struct fabric_queue *queue, uint32_t now_s)
{
    struct vnic *vnic = worker->fabric->port[queue->port].endpoint;
    /* Pairs with the release in vhost_control: the device is complete before the pointer. */
    struct vnic_live *live = atomic_load_explicit(&vnic->live, memory_order_acquire);
    struct forward_classes classes;

    if (live == NULL || queue->pair >= live->pair_count) {
        return false;
    }
    if (vnic_from_guest(vnic, live, queue->pair, &worker->batch, &worker->refused) == 0 &&
        worker->refused.count == 0) {
        return false;
    }
    forward_batch(worker->fabric, &worker->batch, now_s, &worker->notes, &classes);
    count_from(worker, &classes);
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see(worker->fabric->watch, worker->id, queue->port, CAPTURE_IN, &worker->batch,
                    NULL, worker->batch.count, NULL);
    }
    egress_batch(worker);
    vnic_return(live, queue->pair);
    if (worker->notes.count > 0) {
        counter_add(&worker->status.notes_lost,
                    punt_notes(&worker->shared->punt, worker->id, &worker->notes));
    }
    return true;
}

static bool turn(struct worker *worker)
{
    const uint32_t now_s = atomic_load_explicit(&worker->shared->now_s, memory_order_relaxed);
    bool moved = false;

    (void)worker_load_fabric(worker);
    for (uint32_t i = 0; i < worker->queue_count; i++) {
        moved |= poll_queue(worker, &worker->queue[i], now_s);
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
        const bool moved = turn(worker);
        const uint64_t now_tsc = rte_rdtsc();

        if (moved) {
            counter_add(&worker->status.busy_tsc, now_tsc - before_tsc);
            last_moved_tsc = now_tsc;
        } else if (now_tsc - last_moved_tsc > worker->spin_tsc) {
            idle_sleep(worker);
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
