/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The selection logic, 6.4.14, for one aggregator: whose links it has, and which of those.
 *
 * First a partner is chosen among candidates, links that have one; then each of its links is
 * selected, or rests because it is slower than others or stands by.  What rests takes over at once
 * from what has failed, and gives back only to what distributes already, so that there is no gap
 * between them.
 */
#include "teaming/lacp_inner.h"

/* ---- links by themselves --------------------------------------------------------------------- */

static bool is_loop(const struct lacp *lacp, const struct lacp_port *port)
{
    return port->partner.system_mac == lacp->config.system_mac;
}

/* Has a partner, be it one that has been silent for a while. */
static bool is_candidate(const struct lacp *lacp, const struct lacp_port *port)
{
    return port->link.present && !is_loop(lacp, port) &&
           !lacp_has(&port->actor, LACP_STATE_DEFAULTED) &&
           (port->receive == LACP_RECEIVE_CURRENT || port->receive == LACP_RECEIVE_EXPIRED);
}

/* 6.7.1: the end whose system identifier is lower decides which links rest, and the other gives
 * way; so two ends that want different links come to have one. */
static bool has_the_say(const struct lacp *lacp, const struct lacp_port *port)
{
    return lacp->config.system_priority != port->partner.system_priority
               ? lacp->config.system_priority < port->partner.system_priority
               : lacp->config.system_mac < port->partner.system_mac;
}

/* When the partner will have refused for too long, to use other links instead; LACP_NEVER. */
static uint64_t refused_ms(const struct lacp *lacp, const struct lacp_port *port)
{
    const struct lacp_churn *churn = &port->partner_churn;

    if (churn->state == LACP_CHURN_CHURN) {
        return 0;
    }
    if (churn->timer_ms == LACP_NEVER || has_the_say(lacp, port)) {
        return churn->timer_ms;
    }
    return churn->timer_ms - LACP_CHURN_MS + LACP_GIVE_WAY_MS;
}

/* The partner speaks, and has not refused for too long. */
static bool is_promising(const struct lacp *lacp, const struct lacp_port *port, uint64_t now_ms)
{
    return port->receive == LACP_RECEIVE_CURRENT && refused_ms(lacp, port) > now_ms;
}

static bool is_attached(const struct lacp_port *port)
{
    return port->mux >= LACP_MUX_ATTACHED;
}

static bool distributes(const struct lacp_port *port)
{
    return port->mux == LACP_MUX_DISTRIBUTING;
}

/* And is not one that only stands by for @p b. */
static bool is_faster(const struct lacp_port *a, const struct lacp_port *b)
{
    return b->link.speed_mbps != 0 && a->link.speed_mbps > b->link.speed_mbps &&
           (b->link.standby || !a->link.standby);
}

/* ---- the partner ----------------------------------------------------------------------------- */

static struct lacp_choice choice_of(const struct lacp *lacp, unsigned number)
{
    const struct lacp_end *partner = &lacp->port[number].partner;

    return (struct lacp_choice){
        .made = true, .partner = *partner,
        .alone = lacp_has(partner, LACP_STATE_AGGREGATION) ? LACP_NOT_ALONE : number,
    };
}

static bool same_choice(const struct lacp_choice *a, const struct lacp_choice *b)
{
    return a->made && b->made && a->alone == b->alone &&
           a->partner.system_mac == b->partner.system_mac &&
           a->partner.system_priority == b->partner.system_priority &&
           a->partner.key == b->partner.key;
}

static bool is_chosen(const struct lacp *lacp, unsigned number)
{
    const struct lacp_choice choice = choice_of(lacp, number);

    return is_candidate(lacp, &lacp->port[number]) && same_choice(&choice, &lacp->choice);
}

/* More links with synchronisation are better, standby ones only where there are no others; then a
 * partner that aggregates; then the one that has been chosen already. */
static unsigned rank(const struct lacp *lacp, const struct lacp_choice *choice)
{
    unsigned regular = 0;
    unsigned standby = 0;
    unsigned links;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *port = &lacp->port[i];
        const struct lacp_choice its = choice_of(lacp, i);

        if (is_candidate(lacp, port) && same_choice(&its, choice) &&
            lacp_has(&port->partner, LACP_STATE_SYNCHRONIZATION)) {
            regular += !port->link.standby;
            standby += port->link.standby;
        }
    }
    links = regular != 0 ? regular + LACP_LINKS_MAX : standby;
    return (links * 2 + (choice->alone == LACP_NOT_ALONE)) * 2 +
           same_choice(choice, &lacp->choice);
}

static struct lacp_choice choose_partner(const struct lacp *lacp)
{
    struct lacp_choice best = { .made = false };
    unsigned best_rank = 0;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_choice choice = choice_of(lacp, i);

        if (is_candidate(lacp, &lacp->port[i]) &&
            (!best.made || rank(lacp, &choice) > best_rank)) {
            best = choice;
            best_rank = rank(lacp, &choice);
        }
    }
    return best;
}

/* ---- its links ------------------------------------------------------------------------------- */

/* A faster link of the same partner can have its place, or has it. */
static bool is_too_slow(const struct lacp *lacp, unsigned number, uint64_t now_ms)
{
    const struct lacp_port *port = &lacp->port[number];

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *other = &lacp->port[i];

        if (is_chosen(lacp, i) && is_faster(other, port) &&
            is_promising(lacp, other, now_ms) && (!is_attached(port) || distributes(other))) {
            return true;
        }
    }
    return false;
}

/* How many standby links are to be selected, where @p attached have been: as many as are missing
 * for certain, and at most as many as do not distribute. */
static unsigned standby_places(const struct lacp *lacp, unsigned attached, uint64_t now_ms)
{
    unsigned promising = 0;
    unsigned distributing = 0;
    unsigned least, most;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *port = &lacp->port[i];

        if (is_chosen(lacp, i) && !port->link.standby && !is_too_slow(lacp, i, now_ms)) {
            promising += is_promising(lacp, port, now_ms);
            distributing += distributes(port);
        }
    }
    least = lacp->wanted > promising ? lacp->wanted - promising : 0;
    most = lacp->wanted > distributing ? lacp->wanted - distributing : 0;
    return attached < least ? least : attached > most ? most : attached;
}

static const char *why_unselected(const struct lacp *lacp, unsigned number, uint64_t now_ms)
{
    const struct lacp_port *port = &lacp->port[number];

    if (!is_candidate(lacp, port)) {
        return is_loop(lacp, port) ? "hears its own system: its cable leads back here" : "";
    }
    if (!is_chosen(lacp, number)) {
        return lacp_has(&port->partner, LACP_STATE_AGGREGATION)
                   ? "has another partner, or its key, than the links that are used"
                   : "has a partner that does not aggregate";
    }
    return is_too_slow(lacp, number, now_ms) ? "is slower than another link" : "";
}

/* Standby links that have been attached keep their places before others take one. */
static void select_standby(const struct lacp *lacp, enum lacp_selected selected[LACP_LINKS_MAX],
                           uint64_t now_ms)
{
    unsigned attached = 0;
    unsigned places;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        attached += selected[i] == LACP_STANDBY && is_attached(&lacp->port[i]);
    }
    places = standby_places(lacp, attached, now_ms);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < LACP_LINKS_MAX && places > 0; i++) {
            if (selected[i] == LACP_STANDBY && is_attached(&lacp->port[i]) == (turn == 0)) {
                selected[i] = LACP_SELECTED;
                places--;
            }
        }
    }
}

bool lacp_select(struct lacp *lacp, uint64_t now_ms)
{
    enum lacp_selected selected[LACP_LINKS_MAX];
    bool changed = false;

    lacp->choice = choose_partner(lacp);
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        lacp->port[i].unselected_why = why_unselected(lacp, i, now_ms);
        selected[i] = !is_chosen(lacp, i) || is_too_slow(lacp, i, now_ms) ? LACP_UNSELECTED
                      : lacp->port[i].link.standby                        ? LACP_STANDBY
                                                                          : LACP_SELECTED;
    }
    select_standby(lacp, selected, now_ms);
    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        changed = changed || lacp->port[i].selected != selected[i];
        lacp->port[i].selected = selected[i];
    }
    return changed;
}

uint64_t lacp_select_due_ms(const struct lacp *lacp, uint64_t now_ms)
{
    uint64_t due_ms = LACP_NEVER;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *port = &lacp->port[i];

        if (port->link.present && refused_ms(lacp, port) > now_ms &&
            refused_ms(lacp, port) < due_ms) {
            due_ms = refused_ms(lacp, port);
        }
    }
    return due_ms;
}

bool lacp_select_ready(const struct lacp *lacp)
{
    bool any = false;

    for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
        const struct lacp_port *port = &lacp->port[i];

        if (port->mux == LACP_MUX_WAITING && port->selected == LACP_SELECTED) {
            if (!port->ready_n) {
                return false;
            }
            any = true;
        }
    }
    return any;
}
