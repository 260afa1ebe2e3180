/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which queues should another worker poll: the load of cores, evened out.
 *
 * A worker that is nearly always busy loses frames, while another may have time.  What a queue
 * costs is not measured on the way of its frames: its share of its worker's busy time is its share
 * of what the worker took, frames and bytes weighed as they weigh in instructions.  So moves can be
 * foreseen, and are made only when together they are worth the trouble: a queue that is all of its
 * worker's load stays, and so do queues of workers that all have enough to do.
 *
 * Pure: numbers in, moves out.  While a queue moves nobody polls it for a moment, so the caller
 * lets what it moved rest.
 */
#ifndef SWITCH_SPREAD_H
#define SWITCH_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#define SPREAD_HOT_PERMILLE  700u  /* a worker that is less busy needs no relief */
#define SPREAD_GAIN_PERMILLE 100u  /* of a core: what moves must be worth together */
#define SPREAD_FRAME_BYTES   2048u /* bytes that cost as much as a frame does */

#define SPREAD_MOVE_PERMILLE 1u    /* of a core: what one move must take off the busier */
#define SPREAD_MOVES_MAX     512u  /* at a time */

struct spread_queue {
    uint16_t worker;               /* that polls it */
    bool rests;                    /* was moved lately: not a candidate */
    uint64_t load;                 /* taken in the time looked at: see SPREAD_FRAME_BYTES */
};

/* How busy each worker is, in permille of the time, and what was taken from all of its queues. */
struct spread_worker {
    uint32_t busy_permille;
    uint64_t load;
    bool settled;                  /* used inside: nothing of it is worth a move */
};

struct spread_move {
    uint32_t queue;                /* its index */
    uint16_t to;
};

/**
 * Plans moves, each from the worker that is then the busiest to the one that has most time.
 *
 * @param queue   all queues that workers poll; changed to what they are after the moves
 * @param worker  changed likewise
 * @param move    filled, room for SPREAD_MOVES_MAX
 * @return how many; 0 when they would not be worth it
 * Thread: any.
 */
uint32_t spread_plan(struct spread_queue *queue, uint32_t queue_count,
                     struct spread_worker *worker, uint16_t worker_count,
                     struct spread_move *move);

#endif
