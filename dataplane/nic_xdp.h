/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets that DPDK's AF_XDP driver forgets.
 *
 * When a device is closed, the driver of DPDK 22.11 takes its program off the interface but leaves
 * its sockets open, one a queue.  An open one keeps its queue, so that the interface could not be
 * an uplink again, nor anybody else's, before the daemon ends.  So each socket is noted as its
 * device's when that has started, and closed after the driver if it is still there.
 *
 * The note is in the socket itself, in an option that means nothing to AF_XDP: a descriptor's
 * number says little, because what it was may be closed and something else have it.
 *
 * Thread: control, for everything here.
 */
#ifndef DATAPLANE_NIC_XDP_H
#define DATAPLANE_NIC_XDP_H

#include <stdint.h>

/** Notes every AF_XDP socket that is nobody's yet as that of device @p port_id. */
void nic_xdp_note(uint16_t port_id);
/** Closes those of device @p port_id, which is closed, and gives the kernel time for it. */
void nic_xdp_close(uint16_t port_id);

#endif
