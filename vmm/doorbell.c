/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/doorbell.h"

#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

static int doorbell_set(int vm_fd, uint64_t gpa, uint64_t value, int fd, uint32_t flags)
{
    struct kvm_ioeventfd set = {
        .addr = gpa,
        .fd = fd,
        .flags = flags,
    };

    if (value != DOORBELL_ANY) {
        set.datamatch = value;
        set.len = sizeof(uint32_t);
        set.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
    }
    return ioctl(vm_fd, KVM_IOEVENTFD, &set) < 0 ? -errno : 0;
}

int doorbell_add(int vm_fd, uint64_t gpa, uint64_t value, int fd)
{
    return doorbell_set(vm_fd, gpa, value, fd, 0);
}

void doorbell_remove(int vm_fd, uint64_t gpa, uint64_t value, int fd)
{
    doorbell_set(vm_fd, gpa, value, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
