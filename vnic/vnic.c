/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vnic.h"

/* The fault in the lower half of a word, its ring in the upper: they are noted and read as one. */
#define FAULT_BITS 16u

void vnic_note_fault(struct vnic *vnic, enum virtqueue_fault fault, uint16_t ring)
{
    unsigned none = VIRTQUEUE_NONE;

    (void)atomic_compare_exchange_strong_explicit(&vnic->fault, &none,
                                                  (unsigned)fault | (unsigned)ring << FAULT_BITS,
                                                  memory_order_relaxed, memory_order_relaxed);
}

enum virtqueue_fault vnic_fault(const struct vnic *vnic, uint16_t *ring)
{
    const unsigned word = atomic_load_explicit(&vnic->fault, memory_order_relaxed);

    *ring = (uint16_t)(word >> FAULT_BITS);
    return (enum virtqueue_fault)(word & ((1u << FAULT_BITS) - 1));
}
