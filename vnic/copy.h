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

/* A register's worth; not wider, because a machine has to have it. */
typedef uint64_t copy_vector __attribute__((vector_size(16)));

/* Copies the first and the last @p count vectors. */
static inline __attribute__((always_inline)) void copy_ends(uint8_t *to, const uint8_t *from,
                                                            uint32_t len_bytes, unsigned count)
{
    const uint32_t last_off = len_bytes - count * (uint32_t)sizeof(copy_vector);
    copy_vector first[4];
    copy_vector last[4];

    for (unsigned i = 0; i < count; i++) {
        memcpy(&first[i], from + i * sizeof(copy_vector), sizeof(copy_vector));
        memcpy(&last[i], from + last_off + i * sizeof(copy_vector), sizeof(copy_vector));
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(to + i * sizeof(copy_vector), &first[i], sizeof(copy_vector));
        memcpy(to + last_off + i * sizeof(copy_vector), &last[i], sizeof(copy_vector));
    }
}

/*
 * Fetches the line at @p to for writing: the guest has read it, so that its core holds it too, and
 * to fetch it for reading would leave the copy to wait for that core again.  __builtin_prefetch()
 * does that when it is not told of the instruction, which processors without it pass over.
 */
static inline void copy_fetch_own(const uint8_t *to)
{
    __asm__ volatile("prefetchw (%0)" : : "r"(to));
}

#define COPY_PAIR(type)                                                                          \
    do {                                                                                         \
        type first, last;                                                                        \
        memcpy(&first, from, sizeof(first));                                                     \
        memcpy(&last, from + len_bytes - sizeof(last), sizeof(last));                            \
        memcpy(to, &first, sizeof(first));                                                       \
        memcpy(to + len_bytes - sizeof(last), &last, sizeof(last));                              \
    } while (0)

static inline __attribute__((always_inline)) void copy_short(uint8_t *to, const uint8_t *from,
                                                             uint32_t len_bytes)
{
    if (len_bytes > 64) {
        copy_ends(to, from, len_bytes, 4);
    } else if (len_bytes > 32) {
        copy_ends(to, from, len_bytes, 2);
    } else if (len_bytes > 16) {
        COPY_PAIR(copy_vector);
    } else if (len_bytes > 8) {
        COPY_PAIR(uint64_t);
    } else if (len_bytes >= 4) {
        COPY_PAIR(uint32_t);
    } else {
        for (uint32_t i = 0; i < len_bytes; i++) {
            to[i] = from[i];
        }
    }
}

#undef COPY_PAIR

#endif
