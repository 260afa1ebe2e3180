/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Mux machine, 6.4.15, with independent control: a port collects before its partner is asked to
 * send, and sends when its partner collects, so that no frame is lost when a link joins.
 */
#include "teaming/lacp_inner.h"

static void enter(struct lacp_port *port, enum lacp_mux_state state, uint64_t now_ms)
{
    port->mux = state;
    port->ready_n = false;
    port->wait_while_timer_ms = LACP_NEVER;
    switch (state) {
    case LACP_MUX_DETACHED:
        lacp_set(&port->actor, LACP_STATE_SYNCHRONIZATION, false);
        lacp_set(&port->actor, LACP_STATE_DISTRIBUTING, false);
        lacp_set(&port->actor, LACP_STATE_COLLECTING, false);
        port->ntt = true;
        break;
    case LACP_MUX_WAITING:
        port->wait_while_timer_ms = now_ms + LACP_AGGREGATE_WAIT_MS;
        break;
    case LACP_MUX_ATTACHED:
        lacp_set(&port->actor, LACP_STATE_SYNCHRONIZATION, true);
        lacp_set(&port->actor, LACP_STATE_COLLECTING, false);
        port->ntt = true;
        break;
    case LACP_MUX_COLLECTING:
        lacp_set(&port->actor, LACP_STATE_DISTRIBUTING, false);
        lacp_set(&port->actor, LACP_STATE_COLLECTING, true);
        port->ntt = true;
        break;
    case LACP_MUX_DISTRIBUTING:
        lacp_set(&port->actor, LACP_STATE_DISTRIBUTING, true);
        break;
    case LACP_MUX_STATE_COUNT:
        break;
    }
}

/* The same state: none is next. */
static enum lacp_mux_state next(const struct lacp_port *port, bool ready)
{
    const bool selected = port->selected == LACP_SELECTED;
    const bool both = selected && lacp_has(&port->partner, LACP_STATE_SYNCHRONIZATION);
    const bool partner_collects = lacp_has(&port->partner, LACP_STATE_COLLECTING);

    switch (port->mux) {
    case LACP_MUX_DETACHED:
        return port->selected != LACP_UNSELECTED ? LACP_MUX_WAITING : LACP_MUX_DETACHED;
    case LACP_MUX_WAITING:
        return port->selected == LACP_UNSELECTED ? LACP_MUX_DETACHED
               : selected && ready ? LACP_MUX_ATTACHED : LACP_MUX_WAITING;
    case LACP_MUX_ATTACHED:
        return !selected ? LACP_MUX_DETACHED : both ? LACP_MUX_COLLECTING : LACP_MUX_ATTACHED;
    case LACP_MUX_COLLECTING:
        return !both ? LACP_MUX_ATTACHED
               : partner_collects ? LACP_MUX_DISTRIBUTING : LACP_MUX_COLLECTING;
    case LACP_MUX_DISTRIBUTING:
        return both && partner_collects ? LACP_MUX_DISTRIBUTING : LACP_MUX_COLLECTING;
    case LACP_MUX_STATE_COUNT:
        break;
    }
    return port->mux;
}

void lacp_mux_begin(struct lacp_port *port)
{
    enter(port, LACP_MUX_DETACHED, 0);
}

void lacp_mux_run(struct lacp_port *port, bool ready, uint64_t now_ms)
{
    enum lacp_mux_state state;

    while ((state = next(port, ready)) != port->mux) {
        enter(port, state, now_ms);
    }
    if (lacp_expired(port->wait_while_timer_ms, now_ms)) {
        port->wait_while_timer_ms = LACP_NEVER;
        port->ready_n = true;
    }
}
