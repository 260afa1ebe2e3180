/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both PDUs fill a frame of the same size, and each of their TLVs stands at one place: offsets are
 * written here as the standard's figures have them, from the first byte of the frame on.
 */
#include "teaming/lacp_pdu.h"

#include <string.h>

#include "switch/bytes.h"
#include "switch/mac.h"

#define AT_SOURCE       6u
#define AT_TYPE         12u
#define AT_SUBTYPE      14u
#define AT_VERSION      15u

/* LACPDU, 6.4.2.3 */
#define SUBTYPE_LACP    1u
#define VERSION         1u
#define AT_ACTOR        16u
#define AT_PARTNER      36u
#define AT_COLLECTOR    56u
#define AT_TERMINATOR   72u
#define TLV_TERMINATOR  0u
#define TLV_ACTOR       1u
#define TLV_PARTNER     2u
#define TLV_COLLECTOR   3u
#define END_BYTES       20u
#define COLLECTOR_BYTES 16u

/* Marker PDU, 6.5.3.3 */
#define SUBTYPE_MARKER  2u
#define AT_MARKER       16u
#define AT_MARKER_END   32u
#define TLV_MARKER      1u
#define TLV_RESPONSE    2u
#define MARKER_BYTES    16u

bool lacp_pdu_is_slow(const uint8_t hdr[14])
{
    return mac_read(hdr) == LACP_PDU_GROUP && bytes_get_2(hdr + AT_TYPE) == LACP_PDU_ETHERTYPE;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_tlv(const uint8_t *tlv, uint8_t type, uint8_t len_bytes)
{
    return tlv[0] == type && tlv[1] == len_bytes;
}

static void read_end(const uint8_t *tlv, struct lacp_end *end)
{
    end->system_priority = bytes_get_2(tlv + 2);
    end->system_mac = mac_read(tlv + 4);
    end->key = bytes_get_2(tlv + 10);
    end->port_priority = bytes_get_2(tlv + 12);
    end->port = bytes_get_2(tlv + 14);
    end->state = tlv[16];
}

static enum lacp_pdu_kind read_lacp(const uint8_t *frame, struct lacp_pdu *pdu)
{
    if (!is_tlv(frame + AT_ACTOR, TLV_ACTOR, END_BYTES) ||
        !is_tlv(frame + AT_PARTNER, TLV_PARTNER, END_BYTES) ||
        !is_tlv(frame + AT_COLLECTOR, TLV_COLLECTOR, COLLECTOR_BYTES)) {
        return LACP_PDU_NONE;
    }
    /* Higher versions have more TLVs before the terminator. */
    if (frame[AT_VERSION] <= VERSION && !is_tlv(frame + AT_TERMINATOR, TLV_TERMINATOR, 0)) {
        return LACP_PDU_NONE;
    }
    read_end(frame + AT_ACTOR, &pdu->actor);
    read_end(frame + AT_PARTNER, &pdu->partner);
    pdu->collector_max_delay_10us = bytes_get_2(frame + AT_COLLECTOR + 2);
    return LACP_PDU_LACP;
}

static enum lacp_pdu_kind read_marker(const uint8_t *frame, struct lacp_marker *marker)
{
    const uint8_t *const tlv = frame + AT_MARKER;
    const bool asks = is_tlv(tlv, TLV_MARKER, MARKER_BYTES);

    if ((!asks && !is_tlv(tlv, TLV_RESPONSE, MARKER_BYTES)) ||
        !is_tlv(frame + AT_MARKER_END, TLV_TERMINATOR, 0)) {
        return LACP_PDU_NONE;
    }
    marker->port = bytes_get_2(tlv + 2);
    marker->system_mac = mac_read(tlv + 4);
    marker->transaction = bytes_get_4(tlv + 10);
    return asks ? LACP_PDU_MARKER : LACP_PDU_MARKER_RESPONSE;
}

enum lacp_pdu_kind lacp_pdu_read(const uint8_t *frame, uint32_t len_bytes, struct lacp_pdu *pdu,
                                 struct lacp_marker *marker)
{
    if (len_bytes < LACP_PDU_FRAME_BYTES || !lacp_pdu_is_slow(frame)) {
        return LACP_PDU_NONE;
    }
    switch (frame[AT_SUBTYPE]) {
    case SUBTYPE_LACP:
        return read_lacp(frame, pdu);
    case SUBTYPE_MARKER:
        return read_marker(frame, marker);
    default:
        return LACP_PDU_NONE;
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_header(uint64_t source, uint8_t subtype, uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    memset(frame, 0, LACP_PDU_FRAME_BYTES);
    mac_write(LACP_PDU_GROUP, frame);
    mac_write(source, frame + AT_SOURCE);
    bytes_put_2(frame + AT_TYPE, LACP_PDU_ETHERTYPE);
    frame[AT_SUBTYPE] = subtype;
    frame[AT_VERSION] = VERSION;
}

static void write_tlv(uint8_t *tlv, uint8_t type, uint8_t len_bytes)
{
    tlv[0] = type;
    tlv[1] = len_bytes;
}

static void write_end(const struct lacp_end *end, uint8_t type, uint8_t *tlv)
{
    write_tlv(tlv, type, END_BYTES);
    bytes_put_2(tlv + 2, end->system_priority);
    mac_write(end->system_mac, tlv + 4);
    bytes_put_2(tlv + 10, end->key);
    bytes_put_2(tlv + 12, end->port_priority);
    bytes_put_2(tlv + 14, end->port);
    tlv[16] = end->state;
}

void lacp_pdu_write(const struct lacp_pdu *pdu, uint64_t source,
                    uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    write_header(source, SUBTYPE_LACP, frame);
    write_end(&pdu->actor, TLV_ACTOR, frame + AT_ACTOR);
    write_end(&pdu->partner, TLV_PARTNER, frame + AT_PARTNER);
    write_tlv(frame + AT_COLLECTOR, TLV_COLLECTOR, COLLECTOR_BYTES);
    bytes_put_2(frame + AT_COLLECTOR + 2, pdu->collector_max_delay_10us);
}

void lacp_pdu_write_response(const struct lacp_marker *marker, uint64_t source,
                             uint8_t frame[LACP_PDU_FRAME_BYTES])
{
    uint8_t *const tlv = frame + AT_MARKER;

    write_header(source, SUBTYPE_MARKER, frame);
    write_tlv(tlv, TLV_RESPONSE, MARKER_BYTES);
    bytes_put_2(tlv + 2, marker->port);
    mac_write(marker->system_mac, tlv + 4);
    bytes_put_4(tlv + 10, marker->transaction);
}
