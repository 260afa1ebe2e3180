/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual processor's registers: all of them, as KVM hands them over.
 *
 * A vCPU cannot be made anew while its VM lives, so a reset is its state at power-on, kept since
 * and set again.  That includes what a guest asked KVM to write into its memory (kvmclock, steal
 * time): after a reset it must stop.
 */
#ifndef VMM_VCPU_STATE_H
#define VMM_VCPU_STATE_H

#include <linux/kvm.h>

#include "vmm/vcpu.h"

#define VCPU_MSRS_MAX 32u

struct vcpu_state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debugregs;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;
    unsigned msr_count;
    struct kvm_msr_entry msr[VCPU_MSRS_MAX];
    struct kvm_xsave xsave;        /* may have more to it: last */
};

/* All: the vCPU does not run.  @return 0 or -errno.  Thread: any. */

/** What firmware would have set up: interrupt pins, cached memory, fast strings. */
int vcpu_state_init(int vcpu_fd);
/** @return 0, or -ENXIO where there is no such MSR */
int vcpu_state_get_msr(int vcpu_fd, uint32_t index, uint64_t *value);
int vcpu_state_get(int vcpu_fd, struct vcpu_state *state);
int vcpu_state_set(int vcpu_fd, const struct vcpu_state *state);
/** The registers of a boot protocol, on top of the state at power-on. */
int vcpu_state_set_start(int vcpu_fd, const struct vcpu_start *start);

#endif
