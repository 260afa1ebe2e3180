/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the compiler calls on its own and libc is not there for.
 */
#ifndef VMM_GUEST_MEMORY_H
#define VMM_GUEST_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len_bytes);
void *memset(void *to, int byte, size_t len_bytes);
int memcmp(const void *a, const void *b, size_t len_bytes);

/* A freestanding compiler has to be told that they are what it knows: a few bytes are then moved
 * without a call, and "rep movsb" takes longer to begin than a load has for a whole frame. */
#define memcpy(to, from, len_bytes) __builtin_memcpy(to, from, len_bytes)
#define memset(to, byte, len_bytes) __builtin_memset(to, byte, len_bytes)
#define memcmp(a, b, len_bytes) __builtin_memcmp(a, b, len_bytes)

/* Puts a few bytes where the device reads, but not if they are there: a write would have to fetch
 * them from another core first, and that core would have to fetch them back. */
static inline __attribute__((always_inline)) void memory_put(void *to, const void *from,
                                                             size_t len_bytes)
{
    if (memcmp(to, from, len_bytes) != 0) {
        memcpy(to, from, len_bytes);
    }
}

#endif
