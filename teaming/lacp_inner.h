/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the state machines of LACP share: a port's variables, as the standard names them, and what
 * each machine does with them.  For teaming/lacp*.c and their tests only.
 *
 * A machine is a function that says which state is next, and one that runs a state's actions when
 * it is entered; its run() goes on until no condition holds.  lacp.c has the order in which they
 * run.  Timers are the time at which they expire, LACP_NEVER when they are stopped; a machine that
 * sees one expired stops or restarts it, so that none is left in the past.
 *
 * There is no hardware to be told: Attach_Mux_To_Aggregator(), Enable_Collecting() and their like
 * (6.4.9) are the bits Synchronization, Collecting and Distributing of the actor's state, which
 * lacp_collecting() and lacp_distributing() read.
 *
 * Standard: IEEE 802.1AX-2014; numbers of clauses in teaming/lacp*.c are of that edition.
 */
#ifndef TEAMING_LACP_INNER_H
#define TEAMING_LACP_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "teaming/lacp.h"

#define LACP_PDUS_A_SECOND     3u          /* of a port, 6.4.16 */
#define LACP_MARKERS_A_SECOND  10u         /* of a port, IEEE 802.3, 57A.3 */
#define LACP_MARKERS_KEPT      4u          /* not fetched yet */
#define LACP_GIVE_WAY_MS       5000u       /* a partner who waited and was held back has agreed */
#define LACP_NOT_ALONE         LACP_LINKS_MAX

/* 6.4.12 */
#define LACP_RECEIVE_STATES(X) \
    X(INITIALIZE) X(PORT_DISABLED) X(LACP_DISABLED) X(EXPIRED) X(DEFAULTED) X(CURRENT)
/* 6.4.15, independent control */
#define LACP_MUX_STATES(X) \
    X(DETACHED) X(WAITING) X(ATTACHED) X(COLLECTING) X(DISTRIBUTING)

#define X(name) LACP_RECEIVE_##name,
enum lacp_receive_state { LACP_RECEIVE_STATES(X) LACP_RECEIVE_STATE_COUNT };
#undef X
#define X(name) LACP_MUX_##name,
enum lacp_mux_state { LACP_MUX_STATES(X) LACP_MUX_STATE_COUNT };
#undef X
enum lacp_periodic_state {                 /* 6.4.13 */
    LACP_PERIODIC_NO_PERIODIC,
    LACP_PERIODIC_FAST_PERIODIC,
    LACP_PERIODIC_SLOW_PERIODIC,
    LACP_PERIODIC_PERIODIC_TX
};
enum lacp_churn_state {                    /* 6.4.17, of the actor or of the partner */
    LACP_CHURN_MONITOR,
    LACP_CHURN_NO_CHURN,
    LACP_CHURN_CHURN
};
enum lacp_selected { LACP_UNSELECTED, LACP_SELECTED, LACP_STANDBY };       /* 6.4.8 */

struct lacp_churn {
    enum lacp_churn_state state;
    uint64_t timer_ms;
};

struct lacp_port {
    struct lacp_link link;                 /* link.up is port_enabled */

    /* What both ends say: operational values, 6.4.7. */
    struct lacp_end actor;
    struct lacp_end partner;

    /* What machines say to each other, 6.4.8. */
    enum lacp_selected selected;
    bool ntt;                              /* need to transmit */
    bool port_moved;
    bool ready_n;
    const char *unselected_why;            /* a sentence's middle; set by the selection logic */

    /* Machines and their timers, 6.4.10. */
    enum lacp_receive_state receive;
    uint64_t current_while_timer_ms;
    enum lacp_periodic_state periodic;
    uint64_t periodic_timer_ms;
    enum lacp_mux_state mux;
    uint64_t wait_while_timer_ms;
    struct lacp_churn actor_churn;
    struct lacp_churn partner_churn;

    /* Transmission: of the last frames, when each no longer counts; the oldest one is at _at. */
    uint64_t pdu_free_ms[LACP_PDUS_A_SECOND];
    uint64_t marker_free_ms[LACP_MARKERS_A_SECOND];
    uint8_t pdu_at;
    uint8_t marker_at;
    uint8_t markers_kept;
    struct lacp_marker marker[LACP_MARKERS_KEPT];

    uint64_t pdus_in, pdus_out, pdus_bad, markers_in;
    uint64_t heard_ms;
};

/* The partner whose links go together, or the one link that goes alone. */
struct lacp_choice {
    bool made;
    unsigned alone;                        /* LACP_NOT_ALONE, or that link */
    struct lacp_end partner;               /* its system and key count */
};

struct lacp {
    struct lacp_config config;
    unsigned wanted;
    struct lacp_choice choice;
    struct lacp_port port[LACP_LINKS_MAX]; /* in use where link.present */
};

static inline bool lacp_has(const struct lacp_end *end, uint8_t state_bit)
{
    return (end->state & state_bit) != 0;
}

static inline void lacp_set(struct lacp_end *end, uint8_t state_bit, bool on)
{
    end->state = (uint8_t)(on ? end->state | state_bit : end->state & ~state_bit);
}

/* LACP_Enabled: not where a link is half duplex, whose ends cannot speak at any time. */
static inline bool lacp_enabled(const struct lacp_port *port)
{
    return !port->link.half_duplex;
}

static inline bool lacp_expired(uint64_t timer_ms, uint64_t now_ms)
{
    return timer_ms <= now_ms;
}

/* ---- receive machine, 6.4.12 ----------------------------------------------------------------- */

void lacp_receive_begin(struct lacp_port *port);
void lacp_receive_run(struct lacp_port *port, uint64_t now_ms);
/** CtrlMuxN:M_UNITDATA.indication(LACPDU).  @return whether the machine took it */
bool lacp_receive_pdu(struct lacp_port *port, const struct lacp_pdu *pdu, uint64_t now_ms);

/* ---- periodic transmission machine, 6.4.13 --------------------------------------------------- */

void lacp_periodic_run(struct lacp_port *port, uint64_t now_ms);

/* ---- selection logic, 6.4.14 ----------------------------------------------------------------- */

/** Decides anew about every port.  @return whether Selected of any has changed */
bool lacp_select(struct lacp *lacp, uint64_t now_ms);
/** When it is to decide though nothing has happened; LACP_NEVER. */
uint64_t lacp_select_due_ms(const struct lacp *lacp, uint64_t now_ms);
/** Ready: all ports that are to be attached have waited long enough. */
bool lacp_select_ready(const struct lacp *lacp);

/* ---- mux machine, 6.4.15 --------------------------------------------------------------------- */

void lacp_mux_begin(struct lacp_port *port);
void lacp_mux_run(struct lacp_port *port, bool ready, uint64_t now_ms);

/* ---- transmit machine, 6.4.16, and marker responder, 6.5.4 ----------------------------------- */

/** Takes a frame that is due. */
bool lacp_transmit_fetch(struct lacp_port *port, uint64_t now_ms,
                         uint8_t frame[LACP_PDU_FRAME_BYTES]);
/** When a frame that is held back by the limit will be due; LACP_NEVER. */
uint64_t lacp_transmit_due_ms(const struct lacp_port *port, uint64_t now_ms);
/** A marker is to be answered. */
void lacp_transmit_answer(struct lacp_port *port, const struct lacp_marker *marker,
                          uint64_t now_ms);

/* ---- churn detection machines, 6.4.17 -------------------------------------------------------- */

void lacp_churn_run(struct lacp_churn *churn, bool port_enabled, bool synchronization,
                    uint64_t now_ms);

#endif
