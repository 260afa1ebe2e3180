/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers in the bytes of a frame, at any address.
 *
 * Two ways, and a name says which: fields of headers are got and put in network order, and what is
 * only compared or mixed is loaded as it lies, which spares swapping it.  Each is an instruction or
 * two.
 */
#ifndef SWITCH_BYTES_H
#define SWITCH_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_load_2(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint32_t bytes_load_4(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t bytes_load_8(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint16_t bytes_get_2(const uint8_t *at)
{
    return be16toh(bytes_load_2(at));
}

static inline uint32_t bytes_get_4(const uint8_t *at)
{
    return be32toh(bytes_load_4(at));
}

/** Puts the low two bytes of @p value. */
static inline void bytes_put_2(uint8_t *at, uint32_t value)
{
    const uint16_t stored = htobe16((uint16_t)value);

    memcpy(at, &stored, sizeof(stored));
}

static inline void bytes_put_4(uint8_t *at, uint32_t value)
{
    const uint32_t stored = htobe32(value);

    memcpy(at, &stored, sizeof(stored));
}

#endif
