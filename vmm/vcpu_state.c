/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of setting matters: the mode (sregs) before the local APIC, whose registers it moves,
 * and the APIC before the MSRs, of which one is its deadline.
 */
#include "vmm/vcpu_state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <asm/kvm_para.h>

/* Intel SDM 4, table 2-2; AMD APM 2, appendix A. */
#define MSR_TSC_ADJUST       0x3bu
#define MSR_SYSENTER_CS      0x174u
#define MSR_SYSENTER_ESP     0x175u
#define MSR_SYSENTER_EIP     0x176u
#define MSR_MISC_ENABLE      0x1a0u
#define MSR_PAT              0x277u
#define MSR_MTRR_DEF_TYPE    0x2ffu
#define MSR_TSC_DEADLINE     0x6e0u
#define MSR_XSS              0xda0u
#define MSR_SPEC_CTRL        0x48u
#define MSR_STAR             0xc0000081u
#define MSR_LSTAR            0xc0000082u
#define MSR_CSTAR            0xc0000083u
#define MSR_SYSCALL_MASK     0xc0000084u
#define MSR_KERNEL_GS_BASE   0xc0000102u
#define MSR_TSC_AUX          0xc0000103u

#define MISC_ENABLE_FAST_STRINGS UINT64_C(1)
#define MTRR_ENABLED_WRITE_BACK  UINT64_C(0x806)

/* Local APIC: Intel SDM 3, 10.5.1. */
#define APIC_LVT_LINT0       0x350u
#define APIC_LVT_LINT1       0x360u
#define APIC_DELIVERY_NMI    0x400u
#define APIC_DELIVERY_EXTINT 0x700u

#define CR0_PE       UINT64_C(0x1)
#define CR0_MP       UINT64_C(0x2)
#define CR0_ET       UINT64_C(0x10)
#define CR0_NE       UINT64_C(0x20)
#define CR0_WP       UINT64_C(0x10000)
#define CR0_PG       UINT64_C(0x80000000)
#define CR4_PAE      UINT64_C(0x20)
#define EFER_LME     UINT64_C(0x100)
#define EFER_LMA     UINT64_C(0x400)
#define RFLAGS_FIXED UINT64_C(0x2)

#define SELECTOR_CODE 0x10u
#define SELECTOR_DATA 0x18u
#define GDT_LIMIT     (4u * 8u - 1u)

/* What software sets and a reset clears.  A host knows most of them; the others are left out. */
static const uint32_t msr_index[] = {
    MSR_TSC_ADJUST, MSR_SPEC_CTRL, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
    MSR_MISC_ENABLE, MSR_PAT, MSR_MTRR_DEF_TYPE, MSR_XSS, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
    MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_TSC_DEADLINE,
    MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_ASYNC_PF_EN, MSR_KVM_STEAL_TIME,
    MSR_KVM_PV_EOI_EN, MSR_KVM_POLL_CONTROL, MSR_KVM_ASYNC_PF_INT,
};
_Static_assert(sizeof(msr_index) / sizeof(msr_index[0]) <= VCPU_MSRS_MAX, "all have room");

union one_msr {
    struct kvm_msrs head;
    uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

int vcpu_state_get_msr(int vcpu_fd, uint32_t index, uint64_t *value)
{
    union one_msr msr = { .head.nmsrs = 1 };

    msr.head.entries[0].index = index;
    if (ioctl(vcpu_fd, KVM_GET_MSRS, &msr) != 1) {
        return -ENXIO;
    }
    *value = msr.head.entries[0].data;
    return 0;
}

static int msr_set(int vcpu_fd, uint32_t index, uint64_t value)
{
    union one_msr msr = { .head.nmsrs = 1 };

    msr.head.entries[0] = (struct kvm_msr_entry){ .index = index, .data = value };
    return ioctl(vcpu_fd, KVM_SET_MSRS, &msr) == 1 ? 0 : -ENXIO;
}

static void lapic_write(struct kvm_lapic_state *lapic, unsigned offset, uint32_t value)
{
    memcpy(&lapic->regs[offset], &value, sizeof(value));
}

int vcpu_state_init(int vcpu_fd)
{
    struct kvm_lapic_state lapic;
    uint64_t misc_enable = 0;

    if (ioctl(vcpu_fd, KVM_GET_LAPIC, &lapic) != 0) {
        return -errno;
    }
    lapic_write(&lapic, APIC_LVT_LINT0, APIC_DELIVERY_EXTINT);
    lapic_write(&lapic, APIC_LVT_LINT1, APIC_DELIVERY_NMI);
    if (ioctl(vcpu_fd, KVM_SET_LAPIC, &lapic) != 0) {
        return -errno;
    }
    /* A processor that has not got these is as good as set up. */
    (void)vcpu_state_get_msr(vcpu_fd, MSR_MISC_ENABLE, &misc_enable);
    (void)msr_set(vcpu_fd, MSR_MISC_ENABLE, misc_enable | MISC_ENABLE_FAST_STRINGS);
    (void)msr_set(vcpu_fd, MSR_MTRR_DEF_TYPE, MTRR_ENABLED_WRITE_BACK);
    return 0;
}

int vcpu_state_get(int vcpu_fd, struct vcpu_state *state)
{
    *state = (struct vcpu_state){ 0 };
    if (ioctl(vcpu_fd, KVM_GET_MP_STATE, &state->mp) != 0 ||
        ioctl(vcpu_fd, KVM_GET_REGS, &state->regs) != 0 ||
        ioctl(vcpu_fd, KVM_GET_SREGS, &state->sregs) != 0 ||
        ioctl(vcpu_fd, KVM_GET_LAPIC, &state->lapic) != 0 ||
        ioctl(vcpu_fd, KVM_GET_XCRS, &state->xcrs) != 0 ||
        ioctl(vcpu_fd, KVM_GET_XSAVE, &state->xsave) != 0 ||
        ioctl(vcpu_fd, KVM_GET_DEBUGREGS, &state->debugregs) != 0 ||
        ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &state->events) != 0) {
        return -errno;
    }
    for (size_t i = 0; i < sizeof(msr_index) / sizeof(msr_index[0]); i++) {
        struct kvm_msr_entry *msr = &state->msr[state->msr_count];

        if (vcpu_state_get_msr(vcpu_fd, msr_index[i], (uint64_t *)&msr->data) == 0) {
            msr->index = msr_index[i];
            state->msr_count++;
        }
    }
    return 0;
}

int vcpu_state_set(int vcpu_fd, const struct vcpu_state *state)
{
    if (ioctl(vcpu_fd, KVM_SET_MP_STATE, &state->mp) != 0 ||
        ioctl(vcpu_fd, KVM_SET_SREGS, &state->sregs) != 0 ||
        ioctl(vcpu_fd, KVM_SET_LAPIC, &state->lapic) != 0 ||
        ioctl(vcpu_fd, KVM_SET_XCRS, &state->xcrs) != 0 ||
        ioctl(vcpu_fd, KVM_SET_XSAVE, &state->xsave) != 0 ||
        ioctl(vcpu_fd, KVM_SET_DEBUGREGS, &state->debugregs) != 0) {
        return -errno;
    }
    for (unsigned i = 0; i < state->msr_count; i++) {
        uint64_t now;

        /* Some may be read but not written, or only with what they hold. */
        if (vcpu_state_get_msr(vcpu_fd, state->msr[i].index, &now) == 0 &&
            now == state->msr[i].data) {
            continue;
        }
        if (msr_set(vcpu_fd, state->msr[i].index, state->msr[i].data) != 0) {
            return -ENXIO;
        }
    }
    if (ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &state->events) != 0 ||
        ioctl(vcpu_fd, KVM_SET_REGS, &state->regs) != 0) {
        return -errno;
    }
    return 0;
}

/* ---- boot protocols -------------------------------------------------------------------------- */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_long)
{
    return (struct kvm_segment){
        .limit = 0xffffffff,
        .selector = selector,
        .type = type,
        .present = 1,
        .db = !is_long,
        .s = 1,
        .l = is_long,
        .g = 1,
    };
}

int vcpu_state_set_start(int vcpu_fd, const struct vcpu_start *start)
{
    const bool is_long = start->mode == VCPU_START_LONG;
    const struct kvm_segment data = segment(SELECTOR_DATA, 0x3, false);
    const struct kvm_regs regs = {
        .rip = start->rip, .rsi = start->rsi, .rbx = start->rbx, .rsp = start->rsp,
        .rflags = RFLAGS_FIXED,
    };
    struct kvm_sregs sregs;

    if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) != 0) {
        return -errno;
    }
    sregs.cs = segment(SELECTOR_CODE, 0xb, is_long);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.gdt = (struct kvm_dtable){ .base = start->gdt_gpa, .limit = GDT_LIMIT };
    sregs.idt = (struct kvm_dtable){ 0 };
    sregs.cr0 = CR0_PE | CR0_ET;
    if (is_long) {
        sregs.cr0 |= CR0_MP | CR0_NE | CR0_WP | CR0_PG;
        sregs.cr3 = start->page_tables_gpa;
        sregs.cr4 = CR4_PAE;
        sregs.efer = EFER_LME | EFER_LMA;
    }
    if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) != 0 || ioctl(vcpu_fd, KVM_SET_REGS, &regs) != 0) {
        return -errno;
    }
    return 0;
}
