/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A poll worker: one thread on one core, taking batches from its queues and delivering them.
 *
 * A turn loads the fabric once, visits each of the worker's queues once, and reports a quiescent
 * state; pointers read in a turn are not kept past it.  The path of a batch is straight: take,
 * decide, deliver, give back (worker, forward, egress, worker), and each step is one call a batch.
 * By which code a queue is polled is a switch over the kind of its port, once a batch.
 *
 * When no queue has given anything for WORKER_SPIN_US, the worker asks all its guests to kick, goes
 * offline for the grace-period machinery, and sleeps until a queue has something: see idle.h.
 */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "dataplane/counters.h"
#include "dataplane/punt.h"
#include "switch/fabric.h"
#include "switch/forward.h"
#include "switch/frame.h"
#include "vnic/vnic.h"

#define WORKER_SPIN_US   60u       /* longer than a busy guest pauses, too short to be a cost */

/* What all workers share; one cache line that changes about once a second. */
struct worker_shared {
    _Atomic(struct fabric *) fabric;
    atomic_uint now_s;
    atomic_bool stop;
    struct rte_rcu_qsbr *qsbr;
    struct punt punt;
};

struct worker {
    /* ---- constant while it runs ---- */
    struct worker_shared *shared;
    uint16_t id;
    uint16_t core;
    int wake_fd;                   /* an eventfd: something was published, or it is time to stop */
    uint64_t spin_tsc;
    _Atomic pthread_t thread;      /* set when it runs; 0: not yet */
    /* ---- the worker's alone ---- */
    const struct fabric *fabric;   /* of this turn */
    const struct fabric_queue *queue;   /* its slice of fabric->queues */
    uint32_t queue_count;
    struct forward_notes notes;
    struct drop_tally refused;
    struct frame_batch batch;
    struct frame_batch segments;   /* what a frame of it was cut into: see egress_finish.c */
    uint32_t mark[FABRIC_MAX_PORTS];   /* frames for a port: see egress.c; zero between batches */
    struct pollfd *sleeping;       /* see idle.c */
    uint32_t sleeping_size;
    uint32_t nap_us;               /* how long the last nap was; 0: frames came since */
    /* ---- written by the worker, read by control ---- */
    atomic_uint generation;        /* the fabric's: an address can come again, a generation not */
    struct {
        uint64_t busy_tsc;
        uint64_t frames;
        uint64_t sleeps;
        uint64_t notes_lost;
        uint64_t start_tsc;
    } status __attribute__((aligned(64)));
    struct port_counters counters[FABRIC_MAX_PORTS];
};

/**
 * Loads the published fabric for the turn that begins.
 * @return whether it is another one than in the turn before
 * Thread: the worker, online.
 */
bool worker_load_fabric(struct worker *worker);

/**
 * One turn: visits each of the worker's queues once.
 * @return whether any had something
 * Thread: the worker, online.
 */
bool worker_turn(struct worker *worker);

/** The body of a worker's thread; ends when shared->stop is set.  @p worker is a struct worker. */
int worker_run(void *worker);

#endif
