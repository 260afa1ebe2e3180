/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of at most 128 bytes, the size of nearly every header and of most frames.
 *
 * Two overlapping fixed-size moves cover every length of a class, so that there is one branch per
 * class and no call and no loop.  Never reads or writes a byte outside [0, len): a few stale bytes
 * of private memory written behind a frame would be another guest's data.
 */
#ifndef VNIC_COPY_H
#define VNIC_COPY_H

#include <stdint.h>
#include <string.h>

#define COPY_PAIR(size)                                                                          \
    do {                                                                                         \
        struct { uint8_t b[size]; } first, last;                                                 \
        memcpy(&first, from, size);                                                              \
        memcpy(&last, from + len_bytes - (size), size);                                          \
        memcpy(to, &first, size);                                                                \
        memcpy(to + len_bytes - (size), &last, size);                                            \
    } while (0)

static inline void copy_short(uint8_t *to, const uint8_t *from, uint32_t len_bytes)
{
    if (len_bytes > 64) {
        COPY_PAIR(64);
    } else if (len_bytes > 32) {
        COPY_PAIR(32);
    } else if (len_bytes > 16) {
        COPY_PAIR(16);
    } else if (len_bytes > 8) {
        COPY_PAIR(8);
    } else if (len_bytes >= 4) {
        COPY_PAIR(4);
    } else {
        for (uint32_t i = 0; i < len_bytes; i++) {
            to[i] = from[i];
        }
    }
}

#undef COPY_PAIR

#endif
