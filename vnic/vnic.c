/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vnic.h"

void vnic_note_fault(struct vnic *vnic, enum virtqueue_fault fault, uint16_t ring)
{
    unsigned none = VIRTQUEUE_NONE;

    if (atomic_load_explicit(&vnic->fault, memory_order_relaxed) != VIRTQUEUE_NONE) {
        return;
    }
    /* The ring first: who sees the fault (acquire) sees which ring it is of. */
    atomic_store_explicit(&vnic->fault_ring, ring, memory_order_relaxed);
    (void)atomic_compare_exchange_strong_explicit(&vnic->fault, &none, (unsigned)fault,
                                                  memory_order_release, memory_order_relaxed);
}
