/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiled for general registers only, and with few instructions on any path: see ring0.h.
 *
 * Standard: Intel SDM 3, 10.5.4 (APIC timer), 10.12 (x2APIC); 8259A data sheet (OCW1).
 */
#include "vmm/guest/ring0.h"

#include <stddef.h>

#define EXCEPTION_UD 6u
#define UD2_BYTES    2u

#define MSR_APIC_BASE        0x1bu
#define MSR_X2APIC_SPURIOUS  0x80fu
#define MSR_X2APIC_LVT_TIMER 0x832u
#define MSR_X2APIC_LVT_LINT0 0x835u
#define MSR_X2APIC_COUNT     0x838u
#define MSR_X2APIC_DIVIDE    0x83eu
#define MSR_KVM_CLOCK        0x4b564d01u
#define APIC_BASE_X2APIC     0xc00u
#define APIC_ENABLED         0x100u
#define APIC_MASKED          0x10000u
#define APIC_DIVIDE_BY_1     0xbu
#define PIC_MASKS_FIRST      0x21u
#define PIC_MASKS_SECOND     0xa1u

/* PVH's start of day structure: the part that is of use here. */
struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules_gpa, command_line_gpa;
};

volatile bool ring0_changed;
volatile struct ring0_clock ring0_clock __attribute__((aligned(64)));

static void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void out_bytes(uint16_t port, const void *bytes, uint64_t count)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static void out_byte(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void out_word(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "d"(port));
}

const char *ring0_start(const void *start_info)
{
    const struct start_info *start = start_info;

    out_byte(PIC_MASKS_FIRST, 0xff);       /* the I/O APIC has the same lines */
    out_byte(PIC_MASKS_SECOND, 0xff);
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    write_msr(MSR_X2APIC_SPURIOUS, APIC_ENABLED | SPURIOUS_VECTOR);
    write_msr(MSR_X2APIC_LVT_LINT0, APIC_MASKED);
    write_msr(MSR_X2APIC_DIVIDE, APIC_DIVIDE_BY_1);
    write_msr(MSR_X2APIC_LVT_TIMER, INTERRUPT_VECTOR);
    write_msr(MSR_KVM_CLOCK, (uintptr_t)&ring0_clock | 1);
    return (const char *)(uintptr_t)start->command_line_gpa;
}

/* KVM's APIC counts ns; where another's bus clock is faster, the wait is shorter than asked for. */
static void wait_ns(uint64_t ns)
{
    write_msr(MSR_X2APIC_COUNT, ns > UINT32_MAX ? UINT32_MAX : ns);
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void triple_fault(void)
{
    static const struct __attribute__((packed)) { uint16_t limit; uint64_t base; } no_gates;

    __asm__ volatile("lidt %0; ud2" : : "m"(no_gates));
}

static void serve(const struct trap *trap)
{
    switch ((enum ring0_call)trap->rax) {
    case CALL_OUT_BYTES:
        out_bytes((uint16_t)trap->rdi, (const void *)trap->rsi, trap->rdx);
        break;
    case CALL_OUT_WORD:
        out_word((uint16_t)trap->rdi, (uint16_t)trap->rsi);
        break;
    case CALL_WAIT:
        wait_ns(trap->rdi);
        break;
    case CALL_STOP:
        stop();
        break;
    case CALL_TRIPLE_FAULT:
    case CALL_COUNT:
        triple_fault();
        break;
    }
}

void ring0_trap(struct trap *trap)
{
    if ((trap->cs & 3) == 0) {
        triple_fault();                    /* a fault of ours in ring 0: nothing is left to say */
    }
    if (trap->vector == EXCEPTION_UD && trap->rax < CALL_COUNT) {
        serve(trap);
        trap->rip += UD2_BYTES;
        return;
    }
    trap->rdi = trap->vector;
    trap->rsi = trap->rip;
    __asm__ volatile("mov %%cr2, %0" : "=r"(trap->rdx));
    trap->rip = (uintptr_t)guest_fault;
    trap->rsp = (trap->rsp & ~UINT64_C(15)) - 8;
}
