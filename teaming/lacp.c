/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The face of LACP, and the order in which its machines run.
 *
 * Whatever has happened, all machines of all links run until nothing changes: there are at most
 * eight, and no order of events has to be thought of.
 */
#include "teaming/lacp.h"

#include <assert.h>
#include <stdlib.h>

#include "teaming/lacp_inner.h"

#define PORT_PRIORITY 0x8000u      /* the standard's default */

#define X(name) #name,
static const char *const receive_names[] = { LACP_RECEIVE_STATES(X) };
static const char *const mux_names[] = { LACP_MUX_STATES(X) };
#undef X

/* ---- machines -------------------------------------------------------------------------------- */

/* Attached are those that have waited, and together: the second look knows that all have. */
static void run_mux(struct lacp *lacp, uint64_t now_ms)
{
    bool ready = false;

    for (unsigned look = 0; look < 2; look++) {
        for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
            if (lacp->port[i].link.present) {
                lacp_mux_run(&lacp->port[i], ready, now_ms);
            }
        }
        ready = lacp_select_ready(lacp);
    }
}

static void run_churn(struct lacp *lacp, uint64_t now_ms)
{
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        struct lacp_port *port = &lacp->port[i];

        if (port->link.present) {
            lacp_churn_run(&port->actor_churn, port->link.up,
                           lacp_has(&port->actor, LACP_STATE_SYNCHRONIZATION), now_ms);
            lacp_churn_run(&port->partner_churn, port->link.up,
                           lacp_has(&port->partner, LACP_STATE_SYNCHRONIZATION), now_ms);
        }
    }
}

/*
 * The mux runs before the selection, so that a port that was unselected is detached before it is
 * selected anew.  The loop ends: what is selected depends, beside what was received, on who is
 * attached and distributes; the ports that come to be so only let others rest, which none of them
 * depends on.
 */
static void run(struct lacp *lacp, uint64_t now_ms)
{
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        if (lacp->port[i].link.present) {
            lacp_receive_run(&lacp->port[i], now_ms);
        }
    }
    do {
        run_mux(lacp, now_ms);
        run_churn(lacp, now_ms);
    } while (lacp_select(lacp, now_ms));
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        if (lacp->port[i].link.present) {
            lacp_periodic_run(&lacp->port[i], now_ms);
        }
    }
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* What the configuration has this end say on link @p number. */
static void set_actor(struct lacp *lacp, unsigned number)
{
    const struct lacp_config *config = &lacp->config;
    struct lacp_port *port = &lacp->port[number];
    struct lacp_end *actor = &port->actor;

    actor->system_mac = config->system_mac;
    actor->system_priority = config->system_priority;
    actor->key = config->key;
    actor->port_priority = PORT_PRIORITY;
    actor->port = (uint16_t)(number + 1);
    lacp_set(actor, LACP_STATE_ACTIVITY, !config->passive);
    lacp_set(actor, LACP_STATE_SHORT_TIMEOUT, !config->slow);
    lacp_set(actor, LACP_STATE_AGGREGATION, lacp_enabled(port));
}

/* BEGIN of all machines, 6.4.8. */
static void begin(struct lacp *lacp, unsigned number)
{
    struct lacp_port *port = &lacp->port[number];

    *port = (struct lacp_port){ .link.present = true, .unselected_why = "",
                                .periodic = LACP_PERIODIC_NO_PERIODIC,
                                .periodic_timer_ms = LACP_NEVER, .heard_ms = LACP_NEVER };
    lacp_receive_begin(port);
    lacp_mux_begin(port);
    lacp_churn_run(&port->actor_churn, false, false, 0);
    lacp_churn_run(&port->partner_churn, false, false, 0);
}

/*
 * 6.4.8: port_moved.  The partner of a link that is down is known, and is heard on another: a cable
 * was replugged, and the old port is not to wait for it.
 */
static void note_moved(struct lacp *lacp, const struct lacp_port *heard, uint64_t now_ms)
{
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        struct lacp_port *port = &lacp->port[i];

        if (port->link.present && port != heard && port->receive == LACP_RECEIVE_PORT_DISABLED &&
            port->partner.system_mac == heard->partner.system_mac &&
            port->partner.system_priority == heard->partner.system_priority &&
            port->partner.port == heard->partner.port) {
            port->port_moved = true;
            lacp_receive_run(port, now_ms);
        }
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct lacp *lacp_create(const struct lacp_config *config, uint64_t now_ms)
{
    struct lacp *lacp = calloc(1, sizeof(*lacp));

    (void)now_ms;
    if (lacp != NULL) {
        lacp->config = *config;
    }
    return lacp;
}

void lacp_destroy(struct lacp *lacp)
{
    free(lacp);
}

void lacp_configure(struct lacp *lacp, const struct lacp_config *config, uint64_t now_ms)
{
    const struct lacp_config was = lacp->config;
    const bool other_lag = was.system_mac != config->system_mac || was.key != config->key ||
                           was.system_priority != config->system_priority;

    lacp->config = *config;
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        struct lacp_port *port = &lacp->port[i];

        if (!port->link.present) {
            continue;
        }
        set_actor(lacp, i);
        if (other_lag) {
            port->selected = LACP_UNSELECTED;
        }
        port->ntt = port->ntt || other_lag || was.passive != config->passive ||
                    was.slow != config->slow;
        /* A partner that was last heard under the long timeout answers to the short one, too. */
        if (was.slow && !config->slow && port->current_while_timer_ms != LACP_NEVER &&
            port->current_while_timer_ms > now_ms + LACP_SHORT_TIMEOUT_MS) {
            port->current_while_timer_ms = now_ms + LACP_SHORT_TIMEOUT_MS;
        }
    }
    run(lacp, now_ms);
}

void lacp_want(struct lacp *lacp, unsigned wanted, uint64_t now_ms)
{
    lacp->wanted = wanted;
    run(lacp, now_ms);
}

void lacp_set_link(struct lacp *lacp, unsigned number, const struct lacp_link *link,
                   uint64_t now_ms)
{
    struct lacp_port *port;
    bool was_up;

    assert(number < LACP_LINKS_MAX);
    port = &lacp->port[number];
    if (!link->present) {
        *port = (struct lacp_port){ .link.present = false };
        run(lacp, now_ms);
        return;
    }
    if (!port->link.present) {
        begin(lacp, number);
    }
    was_up = port->link.up;
    port->link = *link;
    set_actor(lacp, number);
    if (link->up && !was_up) {
        port->ntt = true;          /* a second sooner than the periodic machine has it */
    }
    if (!link->up) {
        port->markers_kept = 0;
    }
    run(lacp, now_ms);
}

void lacp_receive(struct lacp *lacp, unsigned number, const uint8_t *frame, uint32_t len_bytes,
                  uint64_t now_ms)
{
    struct lacp_port *port;
    struct lacp_pdu pdu;
    struct lacp_marker marker;

    assert(number < LACP_LINKS_MAX);
    port = &lacp->port[number];
    if (!port->link.present) {
        return;
    }
    switch (lacp_pdu_read(frame, len_bytes, &pdu, &marker)) {
    case LACP_PDU_NONE:
        port->pdus_bad++;
        break;
    case LACP_PDU_LACP:
        port->pdus_in++;
        if (lacp_receive_pdu(port, &pdu, now_ms)) {
            port->heard_ms = now_ms;
            note_moved(lacp, port, now_ms);
            run(lacp, now_ms);
        }
        break;
    case LACP_PDU_MARKER:
        port->markers_in++;
        lacp_transmit_answer(port, &marker, now_ms);
        break;
    case LACP_PDU_MARKER_RESPONSE:
        break;                     /* to somebody else: we ask none */
    }
}

uint64_t lacp_tick(struct lacp *lacp, uint64_t now_ms)
{
    uint64_t next_ms;

    run(lacp, now_ms);
    next_ms = lacp_select_due_ms(lacp, now_ms);
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *port = &lacp->port[i];
        const uint64_t timer_ms[] = {
            port->current_while_timer_ms, port->periodic_timer_ms, port->wait_while_timer_ms,
            port->actor_churn.timer_ms, port->partner_churn.timer_ms,
            lacp_transmit_due_ms(port, now_ms),
        };

        for (unsigned t = 0; port->link.present && t < sizeof(timer_ms) / sizeof(*timer_ms); t++) {
            next_ms = timer_ms[t] < next_ms ? timer_ms[t] : next_ms;
        }
    }
    return next_ms;
}

bool lacp_fetch(struct lacp *lacp, uint64_t now_ms, unsigned *number,
                uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        if (lacp->port[i].link.present && lacp_transmit_fetch(&lacp->port[i], now_ms, frame)) {
            *number = i;
            return true;
        }
    }
    return false;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static uint8_t links_with(const struct lacp *lacp, uint8_t state_bit)
{
    uint8_t links = 0;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        if (lacp->port[i].link.present && lacp_has(&lacp->port[i].actor, state_bit)) {
            links |= (uint8_t)(1u << i);
        }
    }
    return links;
}

uint8_t lacp_distributing(const struct lacp *lacp)
{
    return links_with(lacp, LACP_STATE_DISTRIBUTING);
}

uint8_t lacp_collecting(const struct lacp *lacp)
{
    return links_with(lacp, LACP_STATE_COLLECTING);
}

/* What keeps a port that has carrier from distributing, the first thing first. */
static const char *why_not(const struct lacp_port *port)
{
    if (!lacp_enabled(port)) {
        return "is half duplex";
    }
    if (port->receive == LACP_RECEIVE_EXPIRED && port->heard_ms != LACP_NEVER) {
        return "has not heard its partner for a while";
    }
    if (port->receive != LACP_RECEIVE_CURRENT) {
        return "has heard no partner";
    }
    switch (port->selected) {
    case LACP_UNSELECTED:
        return port->unselected_why;
    case LACP_STANDBY:
        return "stands by";
    case LACP_SELECTED:
        break;
    }
    switch (port->mux) {
    case LACP_MUX_DETACHED:
    case LACP_MUX_WAITING:
        return "waits a moment for links to join together";
    case LACP_MUX_ATTACHED:
        return "waits for its partner to agree";
    case LACP_MUX_COLLECTING:
        return "waits for its partner to take frames";
    case LACP_MUX_DISTRIBUTING:
    case LACP_MUX_STATE_COUNT:
        break;
    }
    return "";
}

void lacp_status(const struct lacp *lacp, unsigned number, struct lacp_status *status)
{
    const struct lacp_port *port;

    assert(number < LACP_LINKS_MAX);
    port = &lacp->port[number];
    if (!port->link.present) {
        *status = (struct lacp_status){ .receive = "", .mux = "", .why = "is no member",
                                        .heard_ms = LACP_NEVER };
        return;
    }
    *status = (struct lacp_status){
        .receive = receive_names[port->receive], .mux = mux_names[port->mux],
        .why = port->link.up ? why_not(port) : "has no carrier",
        .collecting = lacp_has(&port->actor, LACP_STATE_COLLECTING),
        .distributing = lacp_has(&port->actor, LACP_STATE_DISTRIBUTING),
        .actor_churn = port->actor_churn.state == LACP_CHURN_CHURN,
        .partner_churn = port->partner_churn.state == LACP_CHURN_CHURN,
        .actor = port->actor, .partner = port->partner,
        .pdus_in = port->pdus_in, .pdus_out = port->pdus_out, .pdus_bad = port->pdus_bad,
        .markers_in = port->markers_in, .heard_ms = port->heard_ms,
    };
}
