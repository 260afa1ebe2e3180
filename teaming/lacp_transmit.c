/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Transmit machine, 6.4.16, and the marker responder, 6.5.4.
 *
 * NTT is not a queue: a PDU is written when it is taken, and says all that has happened until then.
 * So when the limit holds one back, nothing is lost but time.
 */
#include "teaming/lacp_inner.h"

#include <string.h>

#define LIMIT_MS LACP_FAST_PERIODIC_MS     /* the time that limits are for */

bool lacp_transmit_fetch(struct lacp_port *port, uint64_t now_ms,
                         uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    if (port->markers_kept > 0) {
        lacp_pdu_write_response(&port->marker[0], port->link.mac, frame);
        port->markers_kept--;
        memmove(&port->marker[0], &port->marker[1], port->markers_kept * sizeof(port->marker[0]));
        return true;
    }
    if (port->ntt && port->pdu_free_ms[port->pdu_at] <= now_ms) {
        const struct lacp_pdu pdu = { .actor = port->actor, .partner = port->partner };

        lacp_pdu_write(&pdu, port->link.mac, frame);
        port->pdu_free_ms[port->pdu_at] = now_ms + LIMIT_MS;
        port->pdu_at = (uint8_t)((port->pdu_at + 1) % LACP_PDUS_A_SECOND);
        port->ntt = false;
        port->pdus_out++;
        return true;
    }
    return false;
}

uint64_t lacp_transmit_due_ms(const struct lacp_port *port, uint64_t now_ms)
{
    const uint64_t free_ms = port->pdu_free_ms[port->pdu_at];

    return port->ntt && free_ms > now_ms ? free_ms : LACP_NEVER;
}

/* A port that is not attached has no aggregator that could have taken what came before the marker.
 * What exceeds the limits stays unanswered: who asks has a timeout. */
void lacp_transmit_answer(struct lacp_port *port, const struct lacp_marker *marker,
                          uint64_t now_ms)
{
    uint64_t *const free_ms = &port->marker_free_ms[port->marker_at];

    if (port->mux < LACP_MUX_ATTACHED || port->markers_kept == LACP_MARKERS_KEPT ||
        *free_ms > now_ms) {
        return;
    }
    *free_ms = now_ms + LIMIT_MS;
    port->marker_at = (uint8_t)((port->marker_at + 1) % LACP_MARKERS_A_SECOND);
    port->marker[port->markers_kept] = *marker;
    port->markers_kept++;
}
