/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A poll worker: one thread on one core, taking batches from its queues and delivering them.
 *
 * A turn loads the fabric once, visits queues, and reports a quiescent state; pointers read in a
 * turn are not kept past it.  Which queues: all, as long as they are few.  Of many, most are quiet
 * most of the time, and each visit to one is a cache line of its guest's: so a turn visits those
 * that gave something lately, and a slice of the others, by turns.  When too many are loud for that
 * to pay, all are visited again.
 *
 * The path of a batch is straight: take, decide, deliver, give back (worker, forward, egress,
 * worker), and each step is one call a batch.  By which code a queue is polled is a switch over the
 * kind of its port, once a batch.
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
#define WORKER_SLICE     32u       /* quiet queues that a turn visits */
#define WORKER_SLICE_BUSY 8u       /* ... when a loud one gave: each costs a frame's time */
#define WORKER_LOUD_MAX  64u
#define WORKER_EMPTY_MAX 64u       /* visits without anything that make a loud queue a quiet one */
#define WORKER_ALL_TURNS 256u      /* that visit all queues, once too many were loud */

struct worker_loud {
    uint32_t queue;                /* its index in worker->queue */
    uint32_t empty;                /* visits since it gave something */
};

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
    struct worker_loud loud[WORKER_LOUD_MAX];   /* queues that gave something lately */
    uint32_t loud_count;
    uint32_t slice_first;          /* where the slice of the next turn begins */
    uint32_t all_turns;            /* so many turns from now on visit all queues */
    struct forward_notes notes;
    struct drop_tally refused;
    struct frame_batch batch;
    uint64_t batch_load;           /* of what the last queue gave: see spread.h */
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
 * One turn: visits queues, as the head of this file says.
 * @return whether any had something
 * Thread: the worker, online.
 */
bool worker_turn(struct worker *worker);

/** The body of a worker's thread; ends when shared->stop is set.  @p worker is a struct worker. */
int worker_run(void *worker);

#endif
