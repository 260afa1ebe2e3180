/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a NIC's driver asks for by the control queue: commands in, wishes out.
 *
 * Pure: a command is checked against what was negotiated and changes a wish, nothing else; the NIC
 * passes wishes on to the switch.  Filters (promiscuous mode, lists of addresses) are accepted and
 * make no difference: they may let more through than was asked for, and what reaches a vNIC is the
 * switch's decision.
 *
 * Standard: virtio 1.2, 5.1.6.5.
 */
#ifndef VMM_NET_CONTROL_H
#define VMM_NET_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include "vmm/vmm_queue.h"

/* Not in Linux 6.1's headers; as in virtio 1.3. */
#define NET_F_GUEST_USO4 54u
#define NET_F_GUEST_USO6 55u
#define NET_F_HOST_USO   56u

/* The features that a driver may turn off and on again at run time: 5.1.6.5.6. */
#define NET_GUEST_OFFLOADS                                                                       \
    (UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM | UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4 |           \
     UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO6 | UINT64_C(1) << VIRTIO_NET_F_GUEST_ECN |            \
     UINT64_C(1) << NET_F_GUEST_USO4 | UINT64_C(1) << NET_F_GUEST_USO6)

struct net_control {
    uint64_t acked;                /* features negotiated */
    uint16_t pairs_max;
    /* ---- wishes ---- */
    uint16_t pairs;                /* enabled */
    uint64_t guest_offloads;       /* of those acked */
    bool announced;                /* what VIRTIO_NET_S_ANNOUNCE asks for has been done */
};

/** As after a driver's start: one pair, all offloads that it negotiated. */
void net_control_reset(struct net_control *control, uint64_t acked, uint16_t pairs_max);

/**
 * As net_control_reset(), and then the wishes of a snapshot.
 * @return false for what a driver could not have asked for, and nothing changed
 */
bool net_control_restore(struct net_control *control, uint64_t acked, uint16_t pairs_max,
                         uint64_t pairs, uint64_t guest_offloads);

/** Obeys the command in @p chain.  @return VIRTIO_NET_OK, or VIRTIO_NET_ERR and nothing changed */
uint8_t net_control_run(struct net_control *control, const struct vmm_chain *chain);

#endif
