/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A doorbell: a guest's write at one address becomes a write of an eventfd, inside KVM.
 *
 * Whoever serves the queue waits for the eventfd, which may be another process; the vCPU goes on
 * at once.  This is the transports' one use of KVM, so their tests run without it.
 *
 * Standard: Linux Documentation/virt/kvm/api.rst (KVM_IOEVENTFD).
 */
#ifndef VMM_DOORBELL_H
#define VMM_DOORBELL_H

#include <stdint.h>

#define DOORBELL_ANY UINT64_MAX    /* a write of any value and any length */

/**
 * @param value  rings only for 32 bits of this value, or DOORBELL_ANY
 * @param fd     an eventfd, borrowed until doorbell_remove() with the same arguments
 * @return 0; -EEXIST when that doorbell is there already; -errno
 * Thread: any.
 */
int doorbell_add(int vm_fd, uint64_t gpa, uint64_t value, int fd);
void doorbell_remove(int vm_fd, uint64_t gpa, uint64_t value, int fd);

#endif
