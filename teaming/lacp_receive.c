/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Receive machine, 6.4.12: what is believed of the partner, and for how long.
 *
 * When a port loses its carrier what is known of its partner stays, and is doubted: the port comes
 * back as EXPIRED, and has its partner again at the first PDU, unless that is another.
 */
#include "teaming/lacp_inner.h"

#include <stddef.h>

/* Partner_Admin: nobody.  Who may appear there is to hear of us soon, hence the short timeout. */
static const struct lacp_end partner_admin = { .state = LACP_STATE_SHORT_TIMEOUT };

/* ---- functions, 6.4.9 ------------------------------------------------------------------------ */

/* Whether two say the same of what an end is. */
static bool same_end(const struct lacp_end *a, const struct lacp_end *b)
{
    return a->system_mac == b->system_mac && a->system_priority == b->system_priority &&
           a->key == b->key && a->port == b->port && a->port_priority == b->port_priority &&
           lacp_has(a, LACP_STATE_AGGREGATION) == lacp_has(b, LACP_STATE_AGGREGATION);
}

static void recordDefault(struct lacp_port *port)
{
    port->partner = partner_admin;
    lacp_set(&port->actor, LACP_STATE_DEFAULTED, true);
}

static void update_Default_Selected(struct lacp_port *port)
{
    if (!same_end(&partner_admin, &port->partner)) {
        port->selected = LACP_UNSELECTED;
    }
}

static void update_Selected(struct lacp_port *port, const struct lacp_pdu *pdu)
{
    if (!same_end(&pdu->actor, &port->partner)) {
        port->selected = LACP_UNSELECTED;
    }
}

static void update_NTT(struct lacp_port *port, const struct lacp_pdu *pdu)
{
    const uint8_t told = LACP_STATE_ACTIVITY | LACP_STATE_SHORT_TIMEOUT |
                         LACP_STATE_SYNCHRONIZATION | LACP_STATE_AGGREGATION;

    if (!same_end(&pdu->partner, &port->actor) ||
        ((pdu->partner.state ^ port->actor.state) & told) != 0) {
        port->ntt = true;
    }
}

/* Whether the partner means us, and one of both ends will keep the link's state alive. */
static bool choose_Matched(const struct lacp_port *port, const struct lacp_pdu *pdu)
{
    const bool maintained = lacp_has(&pdu->actor, LACP_STATE_ACTIVITY) ||
                            (lacp_has(&port->actor, LACP_STATE_ACTIVITY) &&
                             lacp_has(&pdu->partner, LACP_STATE_ACTIVITY));

    return maintained && (same_end(&pdu->partner, &port->actor) ||
                          !lacp_has(&pdu->actor, LACP_STATE_AGGREGATION));
}

static void recordPDU(struct lacp_port *port, const struct lacp_pdu *pdu)
{
    port->partner = pdu->actor;
    lacp_set(&port->partner, LACP_STATE_SYNCHRONIZATION,
             lacp_has(&pdu->actor, LACP_STATE_SYNCHRONIZATION) && choose_Matched(port, pdu));
    lacp_set(&port->actor, LACP_STATE_DEFAULTED, false);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void start_current_while(struct lacp_port *port, bool is_short, uint64_t now_ms)
{
    port->current_while_timer_ms =
        now_ms + (is_short ? LACP_SHORT_TIMEOUT_MS : LACP_LONG_TIMEOUT_MS);
}

/* @param pdu  on the way to CURRENT only */
static void enter(struct lacp_port *port, enum lacp_receive_state state,
                  const struct lacp_pdu *pdu, uint64_t now_ms)
{
    port->receive = state;
    port->current_while_timer_ms = LACP_NEVER;
    switch (state) {
    case LACP_RECEIVE_INITIALIZE:
        port->selected = LACP_UNSELECTED;
        recordDefault(port);
        lacp_set(&port->actor, LACP_STATE_EXPIRED, false);
        port->port_moved = false;
        break;
    case LACP_RECEIVE_PORT_DISABLED:
        lacp_set(&port->partner, LACP_STATE_SYNCHRONIZATION, false);
        break;
    case LACP_RECEIVE_LACP_DISABLED:
        port->selected = LACP_UNSELECTED;
        recordDefault(port);
        lacp_set(&port->partner, LACP_STATE_AGGREGATION, false);
        lacp_set(&port->actor, LACP_STATE_EXPIRED, false);
        break;
    case LACP_RECEIVE_EXPIRED:
        lacp_set(&port->partner, LACP_STATE_SYNCHRONIZATION, false);
        lacp_set(&port->partner, LACP_STATE_SHORT_TIMEOUT, true);
        start_current_while(port, true, now_ms);
        lacp_set(&port->actor, LACP_STATE_EXPIRED, true);
        break;
    case LACP_RECEIVE_DEFAULTED:
        update_Default_Selected(port);
        recordDefault(port);
        lacp_set(&port->actor, LACP_STATE_EXPIRED, false);
        break;
    case LACP_RECEIVE_CURRENT:
        update_Selected(port, pdu);
        update_NTT(port, pdu);
        recordPDU(port, pdu);
        start_current_while(port, lacp_has(&port->actor, LACP_STATE_SHORT_TIMEOUT), now_ms);
        lacp_set(&port->actor, LACP_STATE_EXPIRED, false);
        break;
    case LACP_RECEIVE_STATE_COUNT:
        break;
    }
}

/* Without a PDU; the same state: none is next.  A port whose LACP is switched off while it runs
 * goes by PORT_DISABLED, from where LACP_DISABLED is reached. */
static enum lacp_receive_state next(const struct lacp_port *port, uint64_t now_ms)
{
    const bool expired = lacp_expired(port->current_while_timer_ms, now_ms);
    const bool runs = port->link.up && lacp_enabled(port);

    switch (port->receive) {
    case LACP_RECEIVE_INITIALIZE:
        return LACP_RECEIVE_PORT_DISABLED;
    case LACP_RECEIVE_PORT_DISABLED:
        if (port->port_moved) {
            return LACP_RECEIVE_INITIALIZE;
        }
        return !port->link.up ? LACP_RECEIVE_PORT_DISABLED
               : runs         ? LACP_RECEIVE_EXPIRED
                              : LACP_RECEIVE_LACP_DISABLED;
    case LACP_RECEIVE_LACP_DISABLED:
        return runs || !port->link.up ? LACP_RECEIVE_PORT_DISABLED : LACP_RECEIVE_LACP_DISABLED;
    case LACP_RECEIVE_EXPIRED:
        return !runs ? LACP_RECEIVE_PORT_DISABLED
               : expired ? LACP_RECEIVE_DEFAULTED : LACP_RECEIVE_EXPIRED;
    case LACP_RECEIVE_DEFAULTED:
        return !runs ? LACP_RECEIVE_PORT_DISABLED : LACP_RECEIVE_DEFAULTED;
    case LACP_RECEIVE_CURRENT:
        return !runs ? LACP_RECEIVE_PORT_DISABLED
               : expired ? LACP_RECEIVE_EXPIRED : LACP_RECEIVE_CURRENT;
    case LACP_RECEIVE_STATE_COUNT:
        break;
    }
    return port->receive;
}

void lacp_receive_begin(struct lacp_port *port)
{
    enter(port, LACP_RECEIVE_INITIALIZE, NULL, 0);
}

void lacp_receive_run(struct lacp_port *port, uint64_t now_ms)
{
    enum lacp_receive_state state;

    while ((state = next(port, now_ms)) != port->receive) {
        enter(port, state, NULL, now_ms);
    }
}

bool lacp_receive_pdu(struct lacp_port *port, const struct lacp_pdu *pdu, uint64_t now_ms)
{
    switch (port->receive) {
    case LACP_RECEIVE_EXPIRED:
    case LACP_RECEIVE_DEFAULTED:
    case LACP_RECEIVE_CURRENT:
        enter(port, LACP_RECEIVE_CURRENT, pdu, now_ms);
        return true;
    case LACP_RECEIVE_INITIALIZE:
    case LACP_RECEIVE_PORT_DISABLED:
    case LACP_RECEIVE_LACP_DISABLED:
    case LACP_RECEIVE_STATE_COUNT:
        break;
    }
    return false;
}
