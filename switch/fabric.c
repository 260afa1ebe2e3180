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
#include <string.h>

#include "switch/fabric_inner.h"
#include "switch/frame.h"
#include "switch/mac_table_lookup.h"
#include "switch/vswitch.h"

static_assert(FABRIC_MAX_PORTS <= MAC_TABLE_PORTS, "every port can be learned");
static_assert(VSWITCH_ALLOWED_MACS_MAX <= UINT8_MAX, "fabric_port counts them in a byte");

struct fabric_block {
    struct fabric_block *next;
    max_align_t memory[];
};

/* What is known of the model's ports while they are compiled. */
struct compilation {
    struct fabric *fabric;
    const struct vswitch_model *model;
    const struct fabric_binding *binding;
    uint16_t index_of[FABRIC_MAX_SWITCHES];   /* by switch id */
    uint16_t queues[FABRIC_MAX_PORTS];        /* by port number */
    const struct fabric_team *team[VSWITCH_MAX_TEAMS];   /* by team id */
};

void *fabric_alloc(struct fabric *fabric, size_t count, size_t size_bytes)
{
    struct fabric_block *block = calloc(1, sizeof(*block) + count * size_bytes);

    if (block == NULL) {
        return NULL;
    }
    block->next = fabric->blocks;
    fabric->blocks = block;
    return block->memory;
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* What stands behind @p port: as it is bound, or as the model has it. */
static struct fabric_endpoint endpoint_of(const struct compilation *compilation,
                                          const struct vswitch_port *port)
{
    const struct fabric_binding *binding = compilation->binding;
    static const enum fabric_port_kind kinds[] = {
        [VSWITCH_PORT_VNIC] = FABRIC_PORT_VNIC,
        [VSWITCH_PORT_HOST] = FABRIC_PORT_HOST,
        [VSWITCH_PORT_UPLINK] = FABRIC_PORT_PACKET,
        [VSWITCH_PORT_MEMBER] = FABRIC_PORT_PACKET,
    };
    struct fabric_endpoint endpoint = { NULL, kinds[port->kind], port->queues };

    if (port->kind == VSWITCH_PORT_UPLINK && port->team != NULL) {
        endpoint.at = compilation->team[port->team->id]->at;
        endpoint.kind = endpoint.at != NULL ? FABRIC_PORT_TEAM : FABRIC_PORT_ABSENT;
        endpoint.queues = 0;       /* which are its members' */
    } else if (binding->endpoint != NULL) {
        endpoint = binding->endpoint[port->number];
    }
    if (endpoint.kind == FABRIC_PORT_UNUSED || endpoint.kind == FABRIC_PORT_ABSENT) {
        endpoint.kind = FABRIC_PORT_ABSENT;
        endpoint.queues = 0;
    }
    return endpoint;
}

/* @p on may be NULL for a member, which is of no switch. */
static uint8_t flags_of(const struct vswitch_switch *on, const struct vswitch_port *port,
                        const struct vlan_facts *facts)
{
    const bool outside = port->kind == VSWITCH_PORT_UPLINK;

    return (uint8_t)((facts->tags ? FABRIC_PORT_TAGS : 0) |
                     (port->locked ? FABRIC_PORT_LOCKED : 0) |
                     (port->priority_trust ? FABRIC_PORT_TRUSTED : 0) |
                     (outside ? FABRIC_PORT_OUTSIDE : 0) |
                     (outside && on->coalesce ? FABRIC_PORT_COALESCE : 0) |
                     (port->kind == VSWITCH_PORT_MEMBER ? FABRIC_PORT_MEMBER : 0) |
                     (port->dhcp_guard ? FABRIC_PORT_DHCP_GUARD : 0) |
                     (port->router_guard ? FABRIC_PORT_ROUTER_GUARD : 0));
}

/* Copies @p size_bytes of the model's, which does not live as long; NULL for nothing of it. */
static bool keep(struct fabric *fabric, const void *what, size_t size_bytes, const void **kept)
{
    void *copy = NULL;

    if (size_bytes != 0) {
        copy = fabric_alloc(fabric, 1, size_bytes);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, what, size_bytes);
    }
    *kept = copy;
    return true;
}

static bool compile_port(struct compilation *compilation, const struct vswitch_port *port)
{
    const bool is_member = port->kind == VSWITCH_PORT_MEMBER;
    const uint16_t index = is_member ? FABRIC_NO_SWITCH : compilation->index_of[port->switch_id];
    const struct fabric_endpoint endpoint = endpoint_of(compilation, port);
    struct fabric *fabric = compilation->fabric;
    const void *allowed, *others;
    struct vlan_facts facts;

    vlan_facts(port->vlan, &facts);
    if (!keep(fabric, port->allowed_mac, port->allowed_mac_count * sizeof(uint64_t), &allowed) ||
        !keep(fabric, &facts.others, facts.has_others ? sizeof(facts.others) : 0, &others)) {
        return false;
    }
    compilation->queues[port->number] = endpoint.queues;
    fabric->queue_count += endpoint.queues;
    fabric->port[port->number] = (struct fabric_port){
        .endpoint = endpoint.at,
        .others = others,
        .team = port->team != NULL ? compilation->team[port->team->id] : NULL,
        .allowed_mac = allowed,
        .mac = port->mac,
        .max_frame_bytes = port->mtu_bytes + FABRIC_FRAME_OVERHEAD_BYTES,
        .switch_index = index,
        .vlan_in = facts.in,
        .vlan_out = facts.out,
        .kind = (uint8_t)endpoint.kind,
        .flags = flags_of(is_member ? NULL : &compilation->model->switches[index], port, &facts),
        .allowed_mac_count = (uint8_t)port->allowed_mac_count,
    };
    return true;
}

/* ---- teams ----------------------------------------------------------------------------------- */

static bool compile_member(struct compilation *compilation, const struct vswitch_team *team,
                           uint8_t number)
{
    struct vswitch_port port;

    (void)vswitch_port_at(compilation->model, team->member[number].port, &port);
    if (!compile_port(compilation, &port)) {
        return false;
    }
    compilation->fabric->port[port.number].member = number;
    return true;
}

/* The team itself, and its members; its port is its switch's. */
static bool compile_team(struct compilation *compilation, const struct vswitch_team *team)
{
    const struct vswitch_switch *of = vswitch_of_team(compilation->model, team);
    void *const *at = compilation->binding->team;
    struct fabric_team *made = fabric_alloc(compilation->fabric, 1, sizeof(*made));
    bool done = made != NULL;

    if (!done) {
        return false;
    }
    made->at = at != NULL ? at[team->id] : NULL;
    made->port = of != NULL ? of->uplink_port : PORT_NONE;
    made->reflects = team->setting.mode == TEAM_INDEPENDENT;
    compilation->team[team->id] = made;
    for (uint8_t i = 0; i < TEAM_MEMBERS_MAX && done; i++) {
        const bool is_there = team->member[i].where[0] != '\0';

        made->member[i] = is_there ? team->member[i].port : PORT_NONE;
        done = !is_there || compile_member(compilation, team, i);
    }
    return done;
}

/* ---- switches -------------------------------------------------------------------------------- */

static bool is_private(const struct vlan_policy *policy)
{
    return policy->mode == VLAN_ISOLATED || policy->mode == VLAN_COMMUNITY ||
           policy->mode == VLAN_PROMISCUOUS;
}

/* The map of filtering ids, as vswitch_fid() has them, if the switch has private VLANs. */
static bool compile_fids(struct compilation *compilation, struct fabric_switch *on)
{
    struct vswitch_port port;
    uint16_t *fid = NULL;
    size_t cursor = 0;

    while (vswitch_port_next(compilation->model, (uint16_t)on->id, &cursor, &port)) {
        if (!is_private(port.vlan)) {
            continue;
        }
        if (fid == NULL) {
            fid = fabric_alloc(compilation->fabric, VLAN_COUNT, sizeof(*fid));
            if (fid == NULL) {
                return false;
            }
            for (uint16_t vid = 0; vid < VLAN_COUNT; vid++) {
                fid[vid] = vid;
            }
        }
        for (uint16_t vid = 1; vid <= VLAN_MAX; vid++) {
            if (vid == port.vlan->secondary || vlan_set_has(&port.vlan->others, vid)) {
                fid[vid] = port.vlan->vid;
            }
        }
    }
    on->fid = fid;
    return true;
}

/* Ports are walked by number, so that a flood reaches them in an order that edits do not change. */
static bool compile_switch(struct compilation *compilation, uint16_t index)
{
    struct fabric *fabric = compilation->fabric;
    struct fabric_switch *on = &fabric->switches[index];
    uint16_t member[FABRIC_MAX_PORTS];

    if (!compile_fids(compilation, on)) {
        return false;
    }
    for (uint16_t number = 0; number < FABRIC_MAX_PORTS; number++) {
        struct fabric_port *port = &fabric->port[number];

        if (port->kind != FABRIC_PORT_UNUSED && port->switch_index == index) {
            port->fid_in = on->fid != NULL ? on->fid[port->vlan_in] : port->vlan_in;
            on->outside |= (port->flags & FABRIC_PORT_OUTSIDE) != 0;
            member[on->member_count++] = number;
        }
    }
    return fabric_flood_compile(fabric, on, member, on->member_count);
}

/* Whether a switch's table has addresses in MAC_TABLE_ANY_VLAN: the model says where it pins. */
static bool compile_wildcards(struct compilation *compilation)
{
    const size_t count = vswitch_pins(compilation->model, NULL, 0);
    struct vswitch_pin *pins = calloc(count + 1, sizeof(*pins));

    if (pins == NULL) {
        return false;
    }
    (void)vswitch_pins(compilation->model, pins, count);
    for (size_t i = 0; i < count; i++) {
        if (pins[i].fid == MAC_TABLE_ANY_VLAN) {
            compilation->fabric->switches[compilation->index_of[pins[i].switch_id]].wildcard = true;
        }
    }
    free(pins);
    return true;
}

/* ---- queues ---------------------------------------------------------------------------------- */

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

static uint16_t worker_of(const struct fabric_binding *binding, uint16_t port, uint16_t pair)
{
    const uint8_t owner = binding->owners != NULL && pair < FABRIC_PAIRS_MAX
                              ? binding->owners->owner[port][pair] : 0;

    if (owner == FABRIC_OWNED_BY_NONE) {
        return FABRIC_NO_WORKER;
    }
    if (owner != 0 && owner <= binding->worker_count) {
        return (uint16_t)(owner - 1u);
    }
    return (uint16_t)(((uint32_t)port + pair) % binding->worker_count);
}

static bool compile_queues(struct compilation *compilation)
{
    struct fabric *fabric = compilation->fabric;
    struct fabric_queue *next = fabric_alloc(fabric, fabric->queue_count, sizeof(*next));

    fabric->queues = next;
    fabric->load = fabric_alloc(fabric, fabric->queue_count, sizeof(*fabric->load));
    if (next == NULL || fabric->load == NULL) {
        return false;
    }
    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        for (uint16_t pair = 0; pair < compilation->queues[port]; pair++) {
            *next++ = (struct fabric_queue){
                .port = port,
                .pair = pair,
                .worker = worker_of(compilation->binding, port, pair),
            };
        }
    }
    qsort(fabric->queues, fabric->queue_count, sizeof(*fabric->queues), queue_order);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool compile(struct compilation *compilation)
{
    const struct vswitch_model *model = compilation->model;
    struct mac_table *const *table = compilation->binding->table;
    struct fabric *fabric = compilation->fabric;
    struct vswitch_port port;
    size_t cursor = 0;

    fabric->switch_count = (uint32_t)model->switch_count;
    fabric->switches = fabric_alloc(fabric, model->switch_count, sizeof(*fabric->switches));
    if (fabric->switches == NULL) {
        return false;
    }
    for (uint16_t i = 0; i < model->switch_count; i++) {
        const uint16_t id = model->switches[i].id;

        compilation->index_of[id] = i;
        fabric->switches[i].id = id;
        fabric->switches[i].table = table != NULL ? table[id] : NULL;
    }
    for (size_t i = 0; i < model->team_count; i++) {
        if (!compile_team(compilation, &model->teams[i])) {
            return false;
        }
    }
    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        if (!compile_port(compilation, &port)) {
            return false;
        }
    }
    for (uint16_t i = 0; i < model->switch_count; i++) {
        if (!compile_switch(compilation, i)) {
            return false;
        }
    }
    return compile_wildcards(compilation) && compile_queues(compilation);
}

struct fabric *fabric_compile(const struct vswitch_model *model,
                              const struct fabric_binding *binding, uint32_t generation)
{
    struct compilation compilation = {
        .fabric = calloc(1, sizeof(struct fabric)), .model = model, .binding = binding,
    };

    if (compilation.fabric == NULL) {
        return NULL;
    }
    compilation.fabric->generation = generation;
    if (!compile(&compilation)) {
        fabric_destroy(compilation.fabric);
        return NULL;
    }
    return compilation.fabric;
}

void fabric_destroy(struct fabric *fabric)
{
    if (fabric == NULL) {
        return;
    }
    for (struct fabric_block *block = fabric->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(fabric);
}
