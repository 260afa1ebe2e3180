/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM as KVM has it: /dev/kvm, and a new machine with its interrupt controllers and timer.
 *
 * What KVM must be able to do is asked here, once, so that a host which cannot run VMs is told so
 * in one sentence before anything else is made.
 *
 * Standard: Linux Documentation/virt/kvm/api.rst.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include "switch/error.h"

struct kvm {
    int kvm_fd;
    int vm_fd;
    int run_bytes;                 /* of each vCPU's struct kvm_run */
};

/**
 * @param kvm   filled; kvm_close() is due in any case
 * @param cpus  how many vCPUs the VM will have
 * @return 0; -ENOENT, -EACCES, -EOPNOTSUPP, -errno with a sentence.  Thread: main.
 */
int kvm_open(struct kvm *kvm, unsigned cpus, struct error *error);
void kvm_close(struct kvm *kvm);

#endif
