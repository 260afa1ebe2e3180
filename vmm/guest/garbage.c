/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/garbage.h"

#include "vmm/guest/clock.h"
#include "vmm/guest/memory.h"

#define AREA_BYTES 65536u
#define HEADS      8u                  /* given at once */

static uint64_t state = 1;
static uint8_t area[AREA_BYTES];       /* for a device to read and write */

uint32_t garbage_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

void garbage_fill(void *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)garbage_number();
    }
}

void garbage_wait(uint64_t ns)
{
    const uint64_t until_ns = clock_ns() + ns;

    while (clock_ns() < until_ns) {
        __asm__ volatile("pause");
    }
}

void garbage_registers(volatile uint8_t *window, uint32_t len_bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        volatile uint8_t *const at = window + garbage_number() % (len_bytes - 8);

        switch (garbage_number() % 6) {
        case 0:
            *at = (uint8_t)garbage_number();
            break;
        case 1:
            *(volatile uint16_t *)((uintptr_t)at & ~UINT64_C(1)) = (uint16_t)garbage_number();
            break;
        case 2:
            *(volatile uint32_t *)((uintptr_t)at & ~UINT64_C(3)) = garbage_number();
            break;
        case 3:
            *(volatile uint32_t *)at = garbage_number();
            break;
        case 4:
            *(volatile uint64_t *)at = garbage_number();
            break;
        case 5:
            (void)*(volatile uint32_t *)at;
            break;
        }
    }
}

/* Most of them sound by themselves, so that a device goes on to read what they are about. */
static void put_descriptor(volatile struct vring_desc *desc, uint16_t size)
{
    const uint32_t at = garbage_number() % AREA_BYTES;
    const uint32_t kind = garbage_number() % 16;

    desc->addr = (uintptr_t)area + at;
    desc->len = garbage_number() % (AREA_BYTES - at);
    desc->flags = (uint16_t)(garbage_number() % 4);
    desc->next = (uint16_t)(garbage_number() % size);
    if (kind == 0) {
        desc->addr = garbage_number() % 2 == 0 ? GARBAGE_WILD_GPA : GARBAGE_DEVICE_GPA;
    } else if (kind == 1) {
        desc->len = UINT32_MAX - garbage_number() % 16;
    } else if (kind == 2) {
        desc->flags = (uint16_t)garbage_number();
    } else if (kind < 8) {
        desc->len = garbage_number() % 32;
    }
}

void garbage_chains(struct ring *ring)
{
    garbage_fill(area, 256);
    for (unsigned i = 0; i < AREA_BYTES; i += 256) {
        area[i] = (uint8_t)(garbage_number() % 16);    /* small numbers mean something */
    }
    for (uint16_t i = 0; i < ring->size; i++) {
        put_descriptor(&ring->memory->desc[i], ring->size);
    }
    for (unsigned i = 0; i < HEADS; i++) {
        ring_give(ring, (uint16_t)(garbage_number() % ring->size));
    }
    ring_tell(ring);
    ring_kick(ring);
}
