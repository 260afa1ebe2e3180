/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time, as KVM tells it: right on every host, and over a pause, without calibrating anything.
 */
#ifndef VMM_GUEST_CLOCK_H
#define VMM_GUEST_CLOCK_H

#include <stdint.h>

#include "vmm/guest/ring0.h"

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u

static inline uint64_t clock_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/** Nanoseconds since the VM was made.  Linux Documentation/virt/kvm/x86/msr.rst. */
static inline uint64_t clock_ns(void)
{
    uint64_t ns;
    uint32_t version;

    do {
        uint64_t ticks;

        version = ring0_clock.version;
        ticks = clock_tsc() - ring0_clock.tsc_at;
        ticks = ring0_clock.shift < 0 ? ticks >> -ring0_clock.shift : ticks << ring0_clock.shift;
        ns = ring0_clock.ns_at +
             (uint64_t)(((unsigned __int128)ticks * ring0_clock.multiplier) >> 32);
    } while ((version & 1) != 0 || version != ring0_clock.version);
    return ns;
}

#endif
