/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The little that runs in ring 0, and how ring 3 calls it.
 *
 * Where /dev/kvm emulates ring 0, it is thousands of times slower than ring 3; so the guest lives
 * in ring 3, polls its devices there, and interrupts stay off.  What ring 3 may not do is asked for
 * by UD2: neither SYSCALL nor INT gets from ring 3 to ring 0 on every host, an exception does.
 * Ports are reached so too, since I/O privilege does not reach ring 3 on every host either.
 *
 * Interrupts only end a wait.  All queues have one vector, and who waited looks at every one; what
 * rarely happens (to a link, in a slot) has another, since looking at registers is slow.
 */
#ifndef VMM_GUEST_RING0_H
#define VMM_GUEST_RING0_H

#define INTERRUPT_VECTOR 0x20
#define CHANGE_VECTOR    0x21
#define SPURIOUS_VECTOR  0x2f
#define GATE_COUNT       0x30

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

enum ring0_call {
    CALL_OUT_BYTES,                /* port, bytes, count: one after the other to the same port */
    CALL_OUT_WORD,                 /* port, value */
    CALL_WAIT,                     /* ns: until an interrupt, at most so long; 0: for ever */
    CALL_STOP,                     /* never returns */
    CALL_TRIPLE_FAULT,             /* never returns; a PC starts anew */
    CALL_COUNT,
};

static inline void ring0_call(enum ring0_call call, uint64_t a, uint64_t b, uint64_t c)
{
    __asm__ volatile("ud2" : : "a"((uint64_t)call), "D"(a), "S"(b), "d"(c) : "memory");
}

/* Kept current by KVM: the time in ns.  Linux Documentation/virt/kvm/x86/msr.rst. */
struct ring0_clock {
    uint32_t version;              /* odd while it is being written */
    uint32_t pad;
    uint64_t tsc_at;
    uint64_t ns_at;
    uint32_t multiplier;           /* of ticks, to 1/2^32 ns */
    int8_t shift;
    uint8_t flags;
    uint8_t pad2[2];
};
extern volatile struct ring0_clock ring0_clock;

/* Set when CHANGE_VECTOR came. */
extern volatile bool ring0_changed;

#define MSI_GPA 0xfee00000u            /* a message there interrupts the first processor */

/* ---- between entry.S and the two rings ------------------------------------------------------- */

struct trap {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/** Ring 0, first.  @p start_info is PVH's.  @return the command line */
const char *ring0_start(const void *start_info);
/** Ring 0: an exception. */
void ring0_trap(struct trap *trap);
/** Ring 3, first; never returns. */
void guest_main(const char *command_line);
/** Ring 3, instead of going on after a fault there; never returns. */
void guest_fault(uint64_t vector, uint64_t rip, uint64_t address);

#endif
#endif
