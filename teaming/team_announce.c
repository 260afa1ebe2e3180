/* SPDX-License-Identifier: BSD-3-Clause */
#include "teaming/team_announce.h"

#include <stdbool.h>
#include <string.h>

#include "switch/mac.h"

#define FRAME_BYTES   60u          /* the least that Ethernet carries, without the FCS */
#define VID_MASK      0x0fffu

uint32_t team_announce_write(uint64_t mac, uint16_t tci, uint8_t frame[TEAM_ANNOUNCE_BYTES_MAX])
{
    static const uint8_t request[] = {
        0x80, 0x35,                /* RARP */
        0, 1, 8, 0, 6, 4, 0, 3,    /* Ethernet, IPv4, request reverse */
    };
    const bool tagged = (tci & VID_MASK) != 0;
    uint8_t *at = frame;

    memset(frame, 0, TEAM_ANNOUNCE_BYTES_MAX);
    mac_write(MAC_BROADCAST, at);
    mac_write(mac, at + 6);
    at += 12;
    if (tagged) {
        at[0] = 0x81;
        at[2] = (uint8_t)(tci >> 8);
        at[3] = (uint8_t)tci;
        at += 4;
    }
    memcpy(at, request, sizeof(request));
    at += sizeof(request);
    mac_write(mac, at);            /* who asks, for whom: itself; neither has an IPv4 address */
    mac_write(mac, at + 10);
    return FRAME_BYTES + (tagged ? 4 : 0);
}
