/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is there, as JSON: the objects that the results of several methods are made of.
 *
 * The keys are those that scripts rely on: a key is added freely, and never renamed.  Every counter
 * and every reason is always there, zeros too, so that a script needs no case for "not yet".
 *
 * report_port.c has the ports and what they counted, report_switch.c and report_vnic.c what their
 * names say, report_team.c teams, report_mtu.c where MTUs disagree.
 */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include <jansson.h>

#include "ctl/control.h"
#include "ctl/port_reading.h"
#include "dataplane/counters.h"

/* All return owned, or NULL when memory is short; json_pack("o") passes such a NULL on. */

/* ---- ports: report_port.c -------------------------------------------------------------------- */

/**
 * A port of @p of, which is NULL for a member of a team that has no switch: {switch, team, name,
 * kind, state, vlan, mtu, mac, the counters, rates, drops}.
 */
json_t *report_port(const struct vswitch_switch *of, const struct port_reading *reading);
/** {from_frames, from_bytes, ...} */
json_t *report_counters(const struct port_counters *counters);
/** {"receiver had no free buffers": 0, ...} */
json_t *report_drops(const struct port_counters *counters);
/**
 * The traffic of a switch, from readings of all its ports: {ports, counters, drops}, the last two
 * of all that its ports counted, removed ones too; so that ports and totals can be subtracted.
 */
json_t *report_traffic(const struct control *control, const struct vswitch_switch *of,
                       const struct port_reading *readings, size_t count);

/* ---- switches: report_switch.c, report_mtu.c ------------------------------------------------- */

/** What `switch list` says of a switch. */
json_t *report_switch(const struct control *control, const struct vswitch_switch *of);
/** What `switch show` says: that, its uplink, the host's adapter, MTUs, and its traffic. */
json_t *report_switch_whole(const struct control *control, const struct vswitch_switch *of);
/**
 * Where the MTU of something is not that of its switch: a list of {object, mtu, switch_mtu,
 * deliberate, advice}; deliberate is what was configured so.
 */
json_t *report_mtu(const struct vswitch_switch *of, const struct port_reading *readings,
                   size_t count);

/* ---- vNICs: report_vnic.c -------------------------------------------------------------------- */

/** What `vnic list` says of a vNIC. */
json_t *report_vnic(const struct control *control, const struct vswitch_vnic *vnic);
/** What `vnic show` says: that, its policy, the guest's side, counters and drops. */
json_t *report_vnic_whole(const struct control *control, const struct vswitch_vnic *vnic);

/* ---- teams: report_team.c -------------------------------------------------------------------- */

/** What `team list` says of a team. */
json_t *report_team(const struct control *control, const struct vswitch_team *team);
/** What `team show` says: that, its knobs, and its members as they stand. */
json_t *report_team_whole(const struct control *control, const struct vswitch_team *team);
/** The names of its members: those that stand by, or the others. */
json_t *report_members(const struct vswitch_team *team, bool standby);

/* ---- parts of these -------------------------------------------------------------------------- */

/** Adds all of @p more (taken) to @p object (taken).  @return owned, NULL when one was NULL */
json_t *report_join(json_t *object, json_t *more);
/** A string, or null for "". */
json_t *report_text(const char *text);
/** An address as a string, or null for 0. */
json_t *report_mac(uint64_t mac);
/** A mask of enum offload_take as a list of words: ["csum", "tso4"]. */
json_t *report_offloads(uint8_t takes);
/** A VLAN policy as people write it. */
json_t *report_vlan(const struct vlan_policy *policy);

#endif
