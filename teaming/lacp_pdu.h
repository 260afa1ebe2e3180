/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What LACP says on a link, and the marker protocol beside it: bytes to facts and back.
 *
 * The parser is strict, because a peer on the wire is not believed: a PDU is taken only when
 * subtype, TLV types and TLV lengths are those of the standard and every byte of it is there.  A
 * higher version is taken, as the standard asks; reserved bytes are not looked at.
 *
 * Standard: IEEE 802.1AX-2020, 6.4.2 (LACPDUs), 6.5.3 (Marker PDUs); IEEE 802.3, annex 57A (Slow
 * Protocols).
 */
#ifndef TEAMING_LACP_PDU_H
#define TEAMING_LACP_PDU_H

#include <stdbool.h>
#include <stdint.h>

#define LACP_PDU_ETHERTYPE      0x8809u
#define LACP_PDU_GROUP          UINT64_C(0x0180c2000002)   /* destination of both protocols */
#define LACP_PDU_FRAME_BYTES    124u       /* of both: Ethernet header and PDU, without the FCS */

/* Bits of a port's state.  6.4.2.3 m). */
#define LACP_STATE_ACTIVITY         0x01u
#define LACP_STATE_SHORT_TIMEOUT    0x02u
#define LACP_STATE_AGGREGATION      0x04u
#define LACP_STATE_SYNCHRONIZATION  0x08u
#define LACP_STATE_COLLECTING       0x10u
#define LACP_STATE_DISTRIBUTING     0x20u
#define LACP_STATE_DEFAULTED        0x40u
#define LACP_STATE_EXPIRED          0x80u

/* One end of a link, as it describes itself. */
struct lacp_end {
    uint64_t system_mac;
    uint16_t system_priority;      /* lower is better */
    uint16_t key;                  /* links with another key do not go together */
    uint16_t port_priority;
    uint16_t port;                 /* from 1 */
    uint8_t state;                 /* LACP_STATE_ bits */
};

struct lacp_pdu {
    struct lacp_end actor;         /* who sends it */
    struct lacp_end partner;       /* whom it takes its partner for */
    uint16_t collector_max_delay_10us;
};

struct lacp_marker {
    uint64_t system_mac;           /* of who asks */
    uint32_t transaction;
    uint16_t port;
};

enum lacp_pdu_kind {
    LACP_PDU_NONE,                 /* neither, or malformed: to be counted and forgotten */
    LACP_PDU_LACP,
    LACP_PDU_MARKER,               /* a question, to be answered */
    LACP_PDU_MARKER_RESPONSE
};

/** Whether a frame is of the slow protocols, by its first 14 bytes: it is never forwarded. */
bool lacp_pdu_is_slow(const uint8_t hdr[14]);

/**
 * Reads a frame, from its destination address on, untagged.
 * @param pdu     filled when it is LACP_PDU_LACP
 * @param marker  filled when it is one of the markers
 * Thread: any, as all of this.
 */
enum lacp_pdu_kind lacp_pdu_read(const uint8_t *frame, uint32_t len_bytes, struct lacp_pdu *pdu,
                                 struct lacp_marker *marker);

/** Writes a whole frame with source address @p source. */
void lacp_pdu_write(const struct lacp_pdu *pdu, uint64_t source,
                    uint8_t frame[LACP_PDU_FRAME_BYTES]);
/** The answer to @p marker. */
void lacp_pdu_write_response(const struct lacp_marker *marker, uint64_t source,
                             uint8_t frame[LACP_PDU_FRAME_BYTES]);

#endif
