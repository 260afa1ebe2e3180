/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/spread.h"

#define NO_QUEUE UINT32_MAX

/* What a queue takes of its worker's time.  In floating point: a product of counters fits none. */
static uint32_t share(const struct spread_queue *queue, const struct spread_worker *worker)
{
    return worker->load == 0
               ? 0
               : (uint32_t)((double)queue->load / (double)worker->load * worker->busy_permille);
}

/* The busiest worker of those that may still give; worker_count when there is none. */
static uint16_t busiest(const struct spread_worker *worker, uint16_t worker_count)
{
    uint16_t hot = worker_count;

    for (uint16_t i = 0; i < worker_count; i++) {
        if (!worker[i].settled &&
            (hot == worker_count || worker[i].busy_permille > worker[hot].busy_permille)) {
            hot = i;
        }
    }
    return hot;
}

static uint16_t idlest(const struct spread_worker *worker, uint16_t worker_count)
{
    uint16_t cold = 0;

    for (uint16_t i = 1; i < worker_count; i++) {
        cold = worker[i].busy_permille < worker[cold].busy_permille ? i : cold;
    }
    return cold;
}

/*
 * The queue of @p hot whose move leaves the busier of the two least busy; the first of equals.
 *
 * @param gain_permille  filled with what it takes off the busier
 */
static uint32_t best_queue(const struct spread_queue *queue, uint32_t queue_count,
                           const struct spread_worker *worker, uint16_t hot, uint16_t cold,
                           uint32_t *gain_permille)
{
    const uint32_t before = worker[hot].busy_permille;
    uint32_t least = before;
    uint32_t best = NO_QUEUE;

    for (uint32_t i = 0; i < queue_count; i++) {
        if (queue[i].worker == hot && !queue[i].rests) {
            const uint32_t moved = share(&queue[i], &worker[hot]);
            const uint32_t there = worker[cold].busy_permille + moved;
            const uint32_t busier = before - moved > there ? before - moved : there;

            if (busier < least) {
                least = busier;
                best = i;
            }
        }
    }
    *gain_permille = before - least;
    return best;
}

static void apply(struct spread_queue *queue, struct spread_worker *from, struct spread_worker *to,
                  uint16_t to_id)
{
    const uint32_t moved = share(queue, from);

    from->busy_permille -= moved;
    from->load -= queue->load;
    to->busy_permille += moved;
    to->load += queue->load;
    queue->worker = to_id;
    queue->rests = true;
}

uint32_t spread_plan(struct spread_queue *queue, uint32_t queue_count,
                     struct spread_worker *worker, uint16_t worker_count,
                     struct spread_move *move)
{
    uint32_t gained_permille = 0;
    uint32_t count = 0;
    uint16_t hot;

    for (uint16_t i = 0; i < worker_count; i++) {
        worker[i].settled = worker[i].busy_permille < SPREAD_HOT_PERMILLE;
    }
    while (count < SPREAD_MOVES_MAX && (hot = busiest(worker, worker_count)) != worker_count) {
        const uint16_t cold = idlest(worker, worker_count);
        uint32_t gain_permille;
        const uint32_t best = best_queue(queue, queue_count, worker, hot, cold, &gain_permille);

        if (gain_permille < SPREAD_MOVE_PERMILLE) {
            worker[hot].settled = true;
            continue;
        }
        move[count++] = (struct spread_move){ .queue = best, .to = cold };
        apply(&queue[best], &worker[hot], &worker[cold], cold);
        gained_permille += gain_permille;
    }
    return gained_permille >= SPREAD_GAIN_PERMILLE ? count : 0;
}
