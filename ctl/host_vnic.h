/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's own adapter on a switch: a tap device made, named, addressed and brought up.
 *
 * The frames are host_port's business; this is the interface as the host sees it.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_HOST_VNIC_H
#define CTL_HOST_VNIC_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/fabric.h"
#include "switch/vswitch.h"

struct control;
struct host_vnic;

struct host_vnic_status {
    bool present;                  /* nobody has removed it */
    bool up;
    uint32_t mtu_bytes;            /* as the interface has it now */
    uint64_t mac;                  /* as the interface has it now */
};

/** Makes the adapter of @p of, up.  @return owned; NULL, a sentence and nothing made */
struct host_vnic *host_vnic_open(struct control *control, const struct vswitch_switch *of,
                                 struct fabric_endpoint *endpoint, struct error *error);
void host_vnic_close(struct host_vnic *host);                  /* removes it; NULL is fine */

/** Makes MTU, MAC and addresses what @p of says.  @return 0, or a sentence and no change */
int host_vnic_set(struct host_vnic *host, const struct vswitch_switch *of, struct error *error);

void host_vnic_status(struct host_vnic *host, struct host_vnic_status *status);

#endif
