/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens when the memory behind a guest goes away under us.
 *
 * A VMM shares its guest's memory by a file descriptor, and unless it sealed the file it can
 * truncate it at any moment; the next access from here raises SIGBUS.  One guest must not end the
 * switch, so the handler looks whose memory the address is, lays private zero pages over that whole
 * region, notes VIRTQUEUE_MEMORY_GONE for the vNIC and lets the access run again: it finds zeroes,
 * the chains it reads are malformed or empty, and the vNIC is broken until its frontend comes back
 * with memory that exists.  Any other SIGBUS ends the process as it would have.
 *
 * The table of regions is fixed in size and written with atomic stores, because a signal handler
 * can take no lock.
 */
#ifndef VNIC_GUEST_FAULT_H
#define VNIC_GUEST_FAULT_H

#include "vnic/vnic.h"

/** Installs the handler.  @return 0 or a negative errno.  Thread: main, before the first vNIC. */
int guest_fault_start(void);

/**
 * Watches the regions of @p memory on behalf of @p vnic.  Call before a vnic_live is published;
 * replaces what was watched for that vNIC.  Thread: the vhost thread.
 */
void guest_fault_watch(struct vnic *vnic, const struct guest_memory *memory);

/** Forgets them: before they are unmapped, after the grace period.  Thread: the vhost thread. */
void guest_fault_forget(struct vnic *vnic);

#endif
