/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LACP for one team: the receive, periodic, selection, mux, transmit and churn machines of each of
 * its links, and the choice of the partner that all of them must have in common.
 *
 * There is one aggregator, because a team is one port of a switch.  When links have several
 * partners (system and key), those of one go together: of the partner that most links with
 * synchronisation have, counting standby ones only where there are no others; between equals, of
 * one that aggregates, then of the one that has been chosen already, then of the lowest link.  A
 * partner that does not aggregate has one link.  The others wait, and say so.
 *
 * Pure: time is an argument and never goes back, frames come in by lacp_receive() and are fetched
 * by lacp_fetch().  Transitions follow the tables of the standard; where a state machine says
 * "wait", lacp_tick() says until when.  A frame is written when it is fetched, so that it tells the
 * newest state, at most 3 a second and link.
 *
 * A link takes part only when it is up, full duplex, hears another system than its own, and is of
 * the fastest speed among its partner's links that can be had.  A standby link is selected while
 * fewer than lacp_want() others can be had: those whose partner speaks and has not refused for
 * LACP_CHURN_MS, or for some seconds when its system identifier is the lower one.  What has taken a
 * failed one's place keeps it until that distributes again.
 *
 * Standard: IEEE 802.1AX-2020, 6.4; clauses are numbered as in the edition of 2014.
 * Thread: one at a time, any.
 */
#ifndef TEAMING_LACP_H
#define TEAMING_LACP_H

#include <stdbool.h>
#include <stdint.h>

#include "teaming/lacp_pdu.h"

#define LACP_LINKS_MAX          8u
#define LACP_FAST_PERIODIC_MS   1000u      /* 6.4.4 */
#define LACP_SLOW_PERIODIC_MS   30000u
#define LACP_SHORT_TIMEOUT_MS   3000u
#define LACP_LONG_TIMEOUT_MS    90000u
#define LACP_CHURN_MS           60000u
#define LACP_AGGREGATE_WAIT_MS  2000u
#define LACP_NEVER              UINT64_MAX

struct lacp_config {
    uint64_t system_mac;           /* of this end */
    uint16_t system_priority;
    uint16_t key;
    bool passive;                  /* speaks only when spoken to; else active, the default */
    bool slow;                     /* asks the partner for a PDU each 30 s instead of each second */
};

/* What is known of a link, below the protocol. */
struct lacp_link {
    bool present;                  /* a member has this number */
    bool standby;                  /* to be selected only in place of another */
    bool up;                       /* carrier */
    bool half_duplex;
    uint32_t speed_mbps;           /* 0: unknown, taken for equal to any */
    uint64_t mac;                  /* source of its frames */
};

/* What an operator asks of a link. */
struct lacp_status {
    const char *receive, *mux;     /* state machines' states: "CURRENT", "DISTRIBUTING" */
    const char *why;               /* it does not distribute, a sentence's middle; "": it does */
    bool collecting, distributing;
    bool actor_churn, partner_churn;
    struct lacp_end actor, partner;
    uint64_t pdus_in, pdus_out, pdus_bad, markers_in;
    uint64_t heard_ms;             /* the last good PDU; LACP_NEVER: none yet */
};

struct lacp;

/** @return owned, with no link present; NULL when memory is short */
struct lacp *lacp_create(const struct lacp_config *config, uint64_t now_ms);
void lacp_destroy(struct lacp *lacp);                          /* NULL is fine */
/** Links keep what they have agreed on unless what they say has changed. */
void lacp_configure(struct lacp *lacp, const struct lacp_config *config, uint64_t now_ms);
/** Another number of @p wanted links that are not standby is to be had before standby ones rest. */
void lacp_want(struct lacp *lacp, unsigned wanted, uint64_t now_ms);

/** What is known of link @p number, below LACP_LINKS_MAX, has changed; equal facts are nothing. */
void lacp_set_link(struct lacp *lacp, unsigned number, const struct lacp_link *link,
                   uint64_t now_ms);
/** A frame of a slow protocol came by link @p number; whatever its bytes are. */
void lacp_receive(struct lacp *lacp, unsigned number, const uint8_t *frame, uint32_t len_bytes,
                  uint64_t now_ms);
/**
 * Does what time has come for.
 * @return when to call again at the latest, later than @p now_ms; LACP_NEVER.  It may be earlier
 *         after any of the calls above: ask again
 */
uint64_t lacp_tick(struct lacp *lacp, uint64_t now_ms);
/**
 * Takes a frame that is due, after any of the calls above.
 * @param number  the link that it is to leave by
 * @return whether there was one
 */
bool lacp_fetch(struct lacp *lacp, uint64_t now_ms, unsigned *number,
                uint8_t frame[LACP_PDU_FRAME_BYTES]);

/** Links that frames may be sent on, a bit each. */
uint8_t lacp_distributing(const struct lacp *lacp);
/** Links that frames are taken from. */
uint8_t lacp_collecting(const struct lacp *lacp);
void lacp_status(const struct lacp *lacp, unsigned number, struct lacp_status *status);

#endif
