/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions that a monitor lends a guest on a host that emulates ring 0 (kvm_pvm).
 *
 * Hosts with VMX or SVM never come here.  A host that is a VM itself, without them, may have a
 * /dev/kvm that runs ring 0 in KVM's instruction emulator, which lacks a few that Linux uses: int3,
 * popcnt, fwait, clac, stac, ldmxcsr.  There KVM says "internal error: emulation", and the monitor
 * does the instruction.  One fault of kvm_pvm is mended too: a native SYSCALL that faults on its
 * own target.
 */
#ifndef VMM_LEND_H
#define VMM_LEND_H

#include <stdbool.h>

#include <linux/kvm.h>

#include "vmm/ram.h"

/** Whether this host emulates ring 0.  Thread: any. */
bool lend_is_needed(void);

/**
 * Does the instruction at which vCPU @p vcpu_fd stopped.
 * @return whether it did; if not, the guest has crashed
 * Thread: the vCPU's.
 */
bool lend_instruction(int vcpu_fd, const struct kvm_run *run, const struct ram *ram);

#endif
