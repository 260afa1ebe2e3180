/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling a model into what workers read.
 *
 * The model was checked when it was edited, so nothing is checked again here and only memory can be
 * short.  Every order (members, queues) follows from the model alone, so that the same model always
 * compiles to the same fabric.
 */
#include "switch/fabric.h"

#include <assert.h>
#include <stdlib.h>

#include "switch/mac_table_lookup.h"
#include "switch/vswitch.h"

static_assert(FABRIC_MAX_PORTS <= MAC_TABLE_PORTS, "every port can be learned");

static int queue_order(const void *a, const void *b)
{
    const struct fabric_queue *left = a;
    const struct fabric_queue *right = b;

    if (left->worker != right->worker) {
        return left->worker < right->worker ? -1 : 1;
    }
    if (left->port != right->port) {
        return left->port < right->port ? -1 : 1;
    }
    return left->pair < right->pair ? -1 : left->pair > right->pair;
}

static void compile_queues(struct fabric *fabric, const struct vswitch_model *model,
                           uint32_t worker_count)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &model->vnics[i];

        for (uint16_t pair = 0; pair < vnic->queues; pair++) {
            fabric->queues[fabric->queue_count++] = (struct fabric_queue){
                .port = vnic->port,
                .pair = pair,
                .worker = (uint16_t)(((uint32_t)vnic->port + pair) % worker_count),
            };
        }
    }
    qsort(fabric->queues, fabric->queue_count, sizeof(*fabric->queues), queue_order);
}

static void compile_port(struct fabric *fabric, const struct vswitch_model *model,
                         const struct fabric_binding *binding, const struct vswitch_vnic *vnic,
                         uint16_t switch_index)
{
    fabric->port[vnic->port] = (struct fabric_port){
        .endpoint = binding->endpoint != NULL ? binding->endpoint[vnic->port].at : NULL,
        .max_frame_bytes = vswitch_vnic_mtu(model, vnic) + FABRIC_FRAME_OVERHEAD_BYTES,
        .switch_index = switch_index,
        .kind = FABRIC_PORT_VNIC,
    };
}

/* Ports are walked by number, so that a flood reaches them in an order that edits do not change. */
static void compile_members(struct fabric *fabric, uint16_t switch_index, uint16_t *member)
{
    struct fabric_switch *into = &fabric->switches[switch_index];
    struct fabric_flood *flood = &fabric->floods[switch_index];

    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        if (fabric->port[port].kind != FABRIC_PORT_UNUSED &&
            fabric->port[port].switch_index == switch_index) {
            member[into->member_count++] = port;
        }
    }
    *flood = (struct fabric_flood){ member, into->member_count, into->member_count };
    into->flood = flood;
}

static void compile_switches(struct fabric *fabric, const struct vswitch_model *model,
                             const struct fabric_binding *binding)
{
    uint16_t *member = fabric->members;

    for (uint16_t i = 0; i < model->switch_count; i++) {
        const uint16_t id = model->switches[i].id;

        fabric->switches[i].id = id;
        fabric->switches[i].table = binding->table != NULL ? binding->table[id] : NULL;
        for (size_t v = 0; v < model->vnic_count; v++) {
            if (model->vnics[v].switch_id == id) {
                compile_port(fabric, model, binding, &model->vnics[v], i);
            }
        }
        compile_members(fabric, i, member);
        member += fabric->switches[i].member_count;
    }
    fabric->switch_count = (uint32_t)model->switch_count;
}

struct fabric *fabric_compile(const struct vswitch_model *model,
                              const struct fabric_binding *binding, uint32_t generation)
{
    struct fabric *fabric = calloc(1, sizeof(*fabric));
    size_t queues = 0;

    if (fabric == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < model->vnic_count; i++) {
        queues += model->vnics[i].queues;
    }
    /* One more than needed, because what calloc() says to a count of zero is not defined. */
    fabric->switches = calloc(model->switch_count + 1, sizeof(*fabric->switches));
    fabric->queues = calloc(queues + 1, sizeof(*fabric->queues));
    fabric->members = calloc(model->vnic_count + 1, sizeof(*fabric->members));
    fabric->floods = calloc(model->switch_count + 1, sizeof(*fabric->floods));
    if (fabric->switches == NULL || fabric->queues == NULL || fabric->members == NULL ||
        fabric->floods == NULL) {
        fabric_destroy(fabric);
        return NULL;
    }

    fabric->generation = generation;
    compile_switches(fabric, model, binding);
    compile_queues(fabric, model, binding->worker_count);
    return fabric;
}

void fabric_destroy(struct fabric *fabric)
{
    if (fabric == NULL) {
        return;
    }
    free(fabric->switches);
    free(fabric->queues);
    free(fabric->members);
    free(fabric->floods);
    free(fabric);
}
