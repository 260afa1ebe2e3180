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
#include <stdint.h>

#include <linux/kvm.h>

#include "vmm/ram.h"

/** Whether this host emulates ring 0.  Reads /sys: before the sandbox is closed.  Thread: any. */
bool lend_is_needed(void);

/**
 * Does the instruction at which vCPU @p vcpu_fd stopped.
 * @return whether it did; if not, the guest has crashed
 * Thread: the vCPU's.
 */
bool lend_instruction(int vcpu_fd, const struct ram *ram);

/* ---- the pure half, in 64-bit mode ----------------------------------------------------------- */

#define LEND_BYTES_MAX 15u         /* no x86 instruction is longer */

enum lend_kind { LEND_INT3, LEND_POPCNT, LEND_FWAIT, LEND_CLAC, LEND_STAC, LEND_LDMXCSR };

struct lend_decoded {
    enum lend_kind kind;
    unsigned len_bytes;            /* of the instruction */
    unsigned operand_bytes;        /* POPCNT: 4 or 8; LDMXCSR: 4 */
    unsigned target;               /* POPCNT: the register written, 0 (rax) to 15 (r15) */
    bool is_memory;                /* the operand is at address, else in register source */
    unsigned source;
    uint64_t address;              /* linear */
};

/** @return whether @p bytes begin with one of the above; registers are for addresses.  Pure. */
bool lend_decode(const uint8_t *bytes, unsigned len_bytes, const struct kvm_regs *regs,
                 struct lend_decoded *decoded);

#endif
