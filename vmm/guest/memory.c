/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/memory.h"

void *(memcpy)(void *restrict to, const void *restrict from, size_t len_bytes)
{
    void *const start = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len_bytes) : : "memory");
    return start;
}

void *(memset)(void *to, int byte, size_t len_bytes)
{
    void *const start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len_bytes) : "a"(byte) : "memory");
    return start;
}

int (memcmp)(const void *a, const void *b, size_t len_bytes)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < len_bytes; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}
