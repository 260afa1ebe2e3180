/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#define DEVICE           "/dev/kvm"
/* Four pages that KVM needs on processors that cannot run real mode: below the firmware's place. */
#define IDENTITY_MAP_GPA UINT64_C(0xfffbc000)
#define TSS_GPA          UINT64_C(0xfffbd000)

static const struct { int capability; const char *what; } needed[] = {
    { KVM_CAP_IRQCHIP, "interrupt controllers" },
    { KVM_CAP_PIT2, "a timer" },
    { KVM_CAP_IRQFD, "interrupts by eventfd" },
    { KVM_CAP_IOEVENTFD, "doorbells by eventfd" },
    { KVM_CAP_IRQ_ROUTING, "interrupt routing" },
    { KVM_CAP_SIGNAL_MSI, "interrupts by message" },
    { KVM_CAP_USER_MEMORY, "memory of ours" },
    { KVM_CAP_IMMEDIATE_EXIT, "a way to stop a vCPU at once" },
};

static int refuse_open(int code, struct error *error)
{
    switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return error_set(error, ENOENT, "this host has no KVM (" DEVICE " is not there): turn on "
                         "virtualization in its firmware and load kvm_intel or kvm_amd; in a VM or "
                         "a container, have it passed in");
    case EACCES:
    case EPERM:
        return error_set(error, EACCES, "you may not use " DEVICE ": become a member of its group, "
                         "mostly kvm, or root");
    default:
        return error_set(error, code, DEVICE " cannot be opened: %s", strerror(code));
    }
}

static int check(const struct kvm *kvm, unsigned cpus, struct error *error)
{
    const int version = ioctl(kvm->kvm_fd, KVM_GET_API_VERSION, 0);
    int most;

    if (version < 0) {
        return refuse_open(ENODEV, error);
    }
    if (version != KVM_API_VERSION) {
        return error_set(error, EOPNOTSUPP, DEVICE " speaks version %d of KVM's interface, and "
                         "this program %d", version, KVM_API_VERSION);
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (ioctl(kvm->kvm_fd, KVM_CHECK_EXTENSION, (long)needed[i].capability) <= 0) {
            return error_set(error, EOPNOTSUPP, "this host's KVM has no %s (capability %d): it is "
                             "too old", needed[i].what, needed[i].capability);
        }
    }
    most = ioctl(kvm->kvm_fd, KVM_CHECK_EXTENSION, (long)KVM_CAP_MAX_VCPUS);
    if (most > 0 && cpus > (unsigned)most) {
        return error_set(error, EINVAL, "this host's KVM gives a VM at most %d CPUs, not %u", most,
                         cpus);
    }
    return 0;
}

/* The parts of a PC that KVM has in itself.  Returns 0 or -errno, and in @p what the part. */
static int furnish(const struct kvm *kvm, const char **what)
{
    const uint64_t identity_map_gpa = IDENTITY_MAP_GPA;
    const struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

    *what = "place for its own pages";
    if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map_gpa) != 0 ||
        ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_GPA) != 0) {
        return -errno;
    }
    *what = "interrupt controllers";
    if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) != 0) {
        return -errno;
    }
    *what = "timer";
    return ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) == 0 ? 0 : -errno;
}

int kvm_open(struct kvm *kvm, unsigned cpus, struct error *error)
{
    const char *what;
    int result;

    *kvm = (struct kvm){ .vm_fd = -1 };
    kvm->kvm_fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    if (kvm->kvm_fd < 0) {
        return refuse_open(errno, error);
    }
    result = check(kvm, cpus, error);
    if (result != 0) {
        return result;
    }
    kvm->run_bytes = ioctl(kvm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    kvm->vm_fd = ioctl(kvm->kvm_fd, KVM_CREATE_VM, 0);
    if (kvm->run_bytes <= 0 || kvm->vm_fd < 0) {
        return error_set(error, errno, "KVM makes no VM: %s; has another hypervisor taken the "
                         "processor?", strerror(errno));
    }
    result = furnish(kvm, &what);
    if (result != 0) {
        return error_set(error, -result, "KVM gives the VM no %s: %s", what, strerror(-result));
    }
    return 0;
}

void kvm_close(struct kvm *kvm)
{
    if (kvm->vm_fd >= 0) {
        (void)close(kvm->vm_fd);
    }
    if (kvm->kvm_fd >= 0) {
        (void)close(kvm->kvm_fd);
    }
    *kvm = (struct kvm){ .kvm_fd = -1, .vm_fd = -1 };
}
