/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's own adapter on a switch: a tap device made, named, addressed and brought up.
 *
 * The frames are host_port's business; this is the interface as the host sees it.  What an operator
 * changes of it (up, MTU, addresses of his own) is left as it is; only a change of the switch
 * changes the adapter.  One that is removed by somebody is made again, because the switch has it.
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
    uint8_t offloads;              /* what the host's kernel takes undone: enum offload_take */
};

/**
 * Makes the adapter of @p of, up.
 *
 * @param endpoint  filled with what is to be compiled into the fabric
 * @return owned, for host_vnic_close(); NULL, a sentence and nothing made.  While the state file is
 *         put in force an adapter that cannot be made is absent instead, with a line in the log
 */
struct host_vnic *host_vnic_open(struct control *control, const struct vswitch_switch *of,
                                 struct fabric_endpoint *endpoint, struct error *error);
void host_vnic_close(struct host_vnic *host);                  /* removes it; NULL is fine */

/** Makes MTU, MAC and addresses what @p of says.  @return 0, or a sentence and no change */
int host_vnic_set(struct host_vnic *host, const struct vswitch_switch *of, struct error *error);

void host_vnic_status(struct host_vnic *host, struct host_vnic_status *status);

/* ---- for follow.c ---------------------------------------------------------------------------- */

/** Whether the adapter is interface number @p ifindex, or would be called @p name. */
bool host_vnic_is(const struct host_vnic *host, int ifindex, const char *name);
/**
 * Looks whether it is still there, and makes it again when it can.
 * @param endpoint  filled with what is to be compiled now
 * @return whether that is not what was compiled before: then host_vnic_published() is to follow
 */
bool host_vnic_look(struct host_vnic *host, struct fabric_endpoint *endpoint);
/** No worker uses what was compiled before. */
void host_vnic_published(struct host_vnic *host);

#endif
