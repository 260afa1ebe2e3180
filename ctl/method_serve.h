/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What answers each method: one handler a method, one file a noun, one table for the server.
 *
 * A handler takes params that method_decode() has checked, reads the control's state or commits
 * an edited model, and makes the result.  Its context is the struct control.
 * Thread: the control thread.
 */
#ifndef CTL_METHOD_SERVE_H
#define CTL_METHOD_SERVE_H

#include "ctl/control.h"
#include "ctl/method.h"
#include "ctl/rpc_server.h"

/* By enum method_id; NULL for config.check, which is all the client's. */
extern const rpc_handler method_handlers[METHOD_COUNT];

#define METHOD_HANDLER(name) int name(void *context, struct rpc_call *call, struct error *error)

METHOD_HANDLER(method_switch_add);
METHOD_HANDLER(method_switch_set);
METHOD_HANDLER(method_switch_list);
METHOD_HANDLER(method_switch_show);
METHOD_HANDLER(method_switch_remove);
METHOD_HANDLER(method_vnic_add);
METHOD_HANDLER(method_vnic_set);
METHOD_HANDLER(method_vnic_list);
METHOD_HANDLER(method_vnic_show);
METHOD_HANDLER(method_vnic_remove);
METHOD_HANDLER(method_team_add);
METHOD_HANDLER(method_team_set);
METHOD_HANDLER(method_team_list);
METHOD_HANDLER(method_team_show);
METHOD_HANDLER(method_team_remove);
METHOD_HANDLER(method_mac_show);
METHOD_HANDLER(method_mac_add);
METHOD_HANDLER(method_mac_remove);
METHOD_HANDLER(method_mac_flush);
METHOD_HANDLER(method_stats_show);
METHOD_HANDLER(method_capture_start);
METHOD_HANDLER(method_capture_list);
METHOD_HANDLER(method_capture_stop);
METHOD_HANDLER(method_capture_result);
METHOD_HANDLER(method_config_show);
METHOD_HANDLER(method_daemon_show);
METHOD_HANDLER(method_daemon_set);
METHOD_HANDLER(method_daemon_stop);

/* ---- what a handler takes from its params: the type was checked ------------------------------ */

/** The text under @p key, borrowed; NULL when it was not given. */
const char *method_text(const struct rpc_call *call, const char *key);
/** The number under @p key, or @p preset when it was not given. */
uint64_t method_number(const struct rpc_call *call, const char *key, uint64_t preset);
/** The flag under @p key; false when it was not given. */
bool method_flag(const struct rpc_call *call, const char *key);
/** The switch or flag under @p key, or @p preset when it was not given. */
bool method_onoff(const struct rpc_call *call, const char *key, bool preset);
/** The address under @p key, or @p preset when it was not given. */
uint64_t method_mac(const struct rpc_call *call, const char *key, uint64_t preset);

/** The object under "name".  @return borrowed; NULL with a sentence */
const struct vswitch_switch *method_named_switch(const struct control *control,
                                                 const struct rpc_call *call,
                                                 struct error *error);
const struct vswitch_vnic *method_named_vnic(const struct control *control,
                                             const struct rpc_call *call, struct error *error);

/** Takes @p result for the call.  @return 0, or -ENOMEM and a sentence when it is NULL */
int method_answer(struct rpc_call *call, json_t *result, struct error *error);

#endif
