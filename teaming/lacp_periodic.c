/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Periodic Transmission machine, 6.4.13: how often the partner wants to hear that nothing has
 * changed.
 */
#include "teaming/lacp_inner.h"

static void enter(struct lacp_port *port, enum lacp_periodic_state state, uint64_t now_ms)
{
    port->periodic = state;
    switch (state) {
    case LACP_PERIODIC_NO_PERIODIC:
        port->periodic_timer_ms = LACP_NEVER;
        break;
    case LACP_PERIODIC_FAST_PERIODIC:
        port->periodic_timer_ms = now_ms + LACP_FAST_PERIODIC_MS;
        break;
    case LACP_PERIODIC_SLOW_PERIODIC:
        port->periodic_timer_ms = now_ms + LACP_SLOW_PERIODIC_MS;
        break;
    case LACP_PERIODIC_PERIODIC_TX:
        port->ntt = true;
        break;
    }
}

/* The same state: none is next. */
static enum lacp_periodic_state next(const struct lacp_port *port, uint64_t now_ms)
{
    const bool is_short = lacp_has(&port->partner, LACP_STATE_SHORT_TIMEOUT);
    const bool expired = lacp_expired(port->periodic_timer_ms, now_ms);

    if (!port->link.up || !lacp_enabled(port) ||
        (!lacp_has(&port->actor, LACP_STATE_ACTIVITY) &&
         !lacp_has(&port->partner, LACP_STATE_ACTIVITY))) {
        return LACP_PERIODIC_NO_PERIODIC;
    }
    switch (port->periodic) {
    case LACP_PERIODIC_NO_PERIODIC:
        break;
    case LACP_PERIODIC_FAST_PERIODIC:
        return !is_short ? LACP_PERIODIC_SLOW_PERIODIC
               : expired ? LACP_PERIODIC_PERIODIC_TX : LACP_PERIODIC_FAST_PERIODIC;
    case LACP_PERIODIC_SLOW_PERIODIC:
        return is_short || expired ? LACP_PERIODIC_PERIODIC_TX : LACP_PERIODIC_SLOW_PERIODIC;
    case LACP_PERIODIC_PERIODIC_TX:
        return is_short ? LACP_PERIODIC_FAST_PERIODIC : LACP_PERIODIC_SLOW_PERIODIC;
    }
    return LACP_PERIODIC_FAST_PERIODIC;
}

void lacp_periodic_run(struct lacp_port *port, uint64_t now_ms)
{
    enum lacp_periodic_state state;

    while ((state = next(port, now_ms)) != port->periodic) {
        enter(port, state, now_ms);
    }
    if (port->periodic == LACP_PERIODIC_NO_PERIODIC) {
        port->ntt = false;             /* 6.4.16: the Transmit machine is to be silent then */
    }
}
