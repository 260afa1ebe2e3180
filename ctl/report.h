/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is there, as JSON: the objects that the results of several methods are made of.
 *
 * The keys are those that scripts rely on: a key is added freely, and never renamed.  Every counter
 * and every reason is always there, zeros too, so that a script needs no case for "not yet".
 */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include <jansson.h>

#include "ctl/control.h"
#include "dataplane/counters.h"

/* All return owned, or NULL when memory is short; json_pack("o") passes such a NULL on. */

/** A port of a switch: {switch, name, kind, state, vlan, the counters, drops}. */
json_t *report_port(const struct control *control, const struct vswitch_vnic *vnic);
/**
 * The traffic of a switch: {ports, counters, drops}, the last two of all that its ports counted,
 * removed ones too; from one reading, so that ports and totals can be subtracted.
 */
json_t *report_traffic(const struct control *control, const struct vswitch_switch *of);

/** What `switch list` says of a switch. */
json_t *report_switch(const struct control *control, const struct vswitch_switch *of);
/** What `switch show` says: that, with its traffic. */
json_t *report_switch_whole(const struct control *control, const struct vswitch_switch *of);

/** What `vnic list` says of a vNIC. */
json_t *report_vnic(const struct control *control, const struct vswitch_vnic *vnic);
/** What `vnic show` says: that, with the guest's side, counters and drops. */
json_t *report_vnic_whole(const struct control *control, const struct vswitch_vnic *vnic);

#endif
