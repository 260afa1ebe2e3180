/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum as RFC 1071, 1 defines it, word by word: what the fast one is held against.
 */
#ifndef TESTS_SUPPORT_CHECKSUM_NAIVE_H
#define TESTS_SUPPORT_CHECKSUM_NAIVE_H

#include <stddef.h>
#include <stdint.h>

/** Adds @p len_bytes to @p sum by one's complement addition; 0xffff says that a field was right. */
static inline uint16_t checksum_naive(uint16_t sum, const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i += 2) {
        const uint32_t low = i + 1 < len_bytes ? bytes[i + 1] : 0;
        const uint32_t wide = sum + ((uint32_t)bytes[i] << 8 | low);

        sum = (uint16_t)(wide > 0xffff ? wide - 0xffff : wide);
    }
    return sum;
}

/** What is stored of a sum whose field is @p field_off behind its start: 0 of TCP only, at 16. */
static inline uint16_t checksum_naive_stored(uint16_t sum, uint32_t field_off)
{
    return sum == 0xffff && field_off != 16 ? 0xffff : (uint16_t)~sum;
}

#endif
