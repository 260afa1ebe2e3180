/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An Ethernet address as a number.
 *
 * Addresses are compared and hashed far more often than they are printed, so inside the switch an
 * address is the 48-bit number whose most significant byte is the first on the wire.
 */
#ifndef SWITCH_MAC_H
#define SWITCH_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/bytes.h"

#define MAC_TEXT_SIZE  18u                      /* "00:15:5d:01:02:03" and its terminator */
#define MAC_BROADCAST  UINT64_C(0xffffffffffff)
#define MAC_GROUP_BIT  UINT64_C(0x010000000000)  /* IEEE 802-2014, 8.2.2: the I/G bit */

/** Reads the six bytes at @p bytes; never past them. */
static inline uint64_t mac_read(const uint8_t *bytes)
{
    return (uint64_t)bytes_get_4(bytes) << 16 | bytes_get_2(bytes + 4);
}

static inline bool mac_is_group(uint64_t mac)
{
    return (mac & MAC_GROUP_BIT) != 0;
}

/** A unicast address that is not all zero: what a station may have and send from. */
static inline bool mac_is_station(uint64_t mac)
{
    return mac != 0 && !mac_is_group(mac) && mac <= MAC_BROADCAST;
}

/** Writes @p mac as six bytes. */
void mac_write(uint64_t mac, uint8_t bytes[6]);

/** Writes "00:15:5d:01:02:03" into @p text and returns it. */
const char *mac_format(uint64_t mac, char text[MAC_TEXT_SIZE]);

/**
 * Reads an address written with ':' or '-' between two-digit bytes, in any case.
 * @return 0, or -EINVAL when @p text is anything else
 */
int mac_parse(const char *text, uint64_t *mac);

#endif
