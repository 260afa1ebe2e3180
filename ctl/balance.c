/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/balance.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/notices.h"
#include "ctl/publish.h"
#include "dataplane/counters.h"
#include "switch/spread.h"

struct balance {
    struct control *control;       /* borrowed */
    struct fabric_owners owners;
    struct fabric_owners wanted;   /* room to prepare a move in, as the next */
    struct fabric_owners between;
    uint32_t moved_s[FABRIC_MAX_PORTS][FABRIC_PAIRS_MAX];   /* when; 0: never */
    uint32_t generation;           /* the fabric that was there at the last tick; 0: none */
    uint64_t *before;              /* its loads then, by queue */
};

struct balance *balance_create(struct control *control)
{
    struct balance *balance = calloc(1, sizeof(*balance));

    if (balance != NULL) {
        balance->control = control;
    }
    return balance;
}

void balance_destroy(struct balance *balance)
{
    if (balance != NULL) {
        free(balance->before);
        free(balance);
    }
}

const struct fabric_owners *balance_owners(const struct balance *balance)
{
    return &balance->owners;
}

static bool rests(const struct balance *balance, const struct fabric_queue *queue, uint32_t now_s)
{
    const uint32_t moved_s = queue->pair < FABRIC_PAIRS_MAX
                                 ? balance->moved_s[queue->port][queue->pair] : now_s;

    return moved_s != 0 && now_s - moved_s < BALANCE_REST_S;
}

/* Begins anew with a fabric that has been published since the last tick. */
static void begin(struct balance *balance, const struct fabric *fabric)
{
    free(balance->before);
    balance->before = calloc(fabric->queue_count + 1, sizeof(*balance->before));
    balance->generation = balance->before == NULL ? 0 : fabric->generation;
    for (uint32_t i = 0; balance->before != NULL && i < fabric->queue_count; i++) {
        balance->before[i] = counter_read(&fabric->load[i]);
    }
}

/*
 * Reads what every worker did and what every queue gave since the last tick.
 * @return queues by fabric->queues, owned; NULL when memory is short
 */
static struct spread_queue *read_load(struct balance *balance, uint32_t now_s,
                                      struct spread_worker *worker, uint16_t worker_count)
{
    const struct control *control = balance->control;
    const struct fabric *fabric = control->fabric;
    struct spread_queue *queue = calloc(fabric->queue_count, sizeof(*queue));

    for (uint16_t i = 0; queue != NULL && i < worker_count; i++) {
        struct notices_load load;

        notices_load(control->notices, i, &load);
        worker[i] = (struct spread_worker){ .busy_permille = (uint32_t)(10 * load.busy_percent) };
    }
    for (uint32_t i = 0; queue != NULL && i < fabric->queue_count; i++) {
        const struct fabric_queue *at = &fabric->queues[i];
        const uint64_t now = counter_read(&fabric->load[i]);

        queue[i] = (struct spread_queue){ .worker = at->worker, .rests = rests(balance, at, now_s),
                                          .load = now - balance->before[i] };
        balance->before[i] = now;
        if (at->worker < worker_count) {
            worker[at->worker].load += queue[i].load;
        }
    }
    return queue;
}

static void tell(const struct control *control, const struct spread_move *move, uint32_t count)
{
    const struct fabric_queue *queue = &control->fabric->queues[move->queue];
    const struct vswitch_vnic *vnic = vswitch_vnic_by_port(control->model, queue->port);
    struct dataplane_worker_status from, to;

    dataplane_worker_status(control->config.dataplane, queue->worker, &from);
    dataplane_worker_status(control->config.dataplane, move->to, &to);
    if (count == 1) {
        log_info("Core %u is busy: core %u polls queue %u of %s from now on", from.core, to.core,
                 queue->pair, vnic != NULL ? vnic->name : "an uplink");
    } else {
        log_info("Core %u is busy: %u of its queues are polled by others from now on", from.core,
                 count);
    }
}

static void move_queues(struct balance *balance, const struct spread_move *move, uint32_t count,
                        uint32_t now_s)
{
    const struct fabric_queue *queues = balance->control->fabric->queues;
    struct error error;

    balance->wanted = balance->owners;
    balance->between = balance->owners;
    for (uint32_t i = 0; i < count; i++) {
        const struct fabric_queue *queue = &queues[move[i].queue];

        balance->between.owner[queue->port][queue->pair] = FABRIC_OWNED_BY_NONE;
        balance->wanted.owner[queue->port][queue->pair] = (uint8_t)(move[i].to + 1);
        balance->moved_s[queue->port][queue->pair] = now_s;
    }
    tell(balance->control, move, count);
    if (publish_moves(balance->control, &balance->between, &balance->wanted, &error) != 0) {
        log_warning("Queues stay where they are: %s", error.text);
        return;
    }
    balance->owners = balance->wanted;
}

void balance_tick(struct balance *balance, uint32_t now_s)
{
    const struct control *control = balance->control;
    const uint16_t worker_count = dataplane_worker_count(control->config.dataplane);
    const struct fabric *fabric = control->fabric;
    struct spread_worker worker[DATAPLANE_MAX_WORKERS];
    struct spread_move move[SPREAD_MOVES_MAX];
    struct spread_queue *queue;
    uint32_t count = 0;

    if (worker_count < 2 || fabric == NULL) {
        return;
    }
    if (fabric->generation != balance->generation) {
        begin(balance, fabric);                    /* a second of it has to pass first */
        return;
    }
    queue = read_load(balance, now_s, worker, worker_count);
    if (queue != NULL) {
        count = spread_plan(queue, fabric->queue_count, worker, worker_count, move);
    }
    if (count > 0) {
        move_queues(balance, move, count, now_s);
    }
    free(queue);
}
