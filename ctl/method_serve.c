/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/method_serve.h"

#include <errno.h>

#include "switch/mac.h"

const rpc_handler method_handlers[METHOD_COUNT] = {
    [METHOD_SWITCH_ADD]     = method_switch_add,
    [METHOD_SWITCH_SET]     = method_switch_set,
    [METHOD_SWITCH_LIST]    = method_switch_list,
    [METHOD_SWITCH_SHOW]    = method_switch_show,
    [METHOD_SWITCH_REMOVE]  = method_switch_remove,
    [METHOD_VNIC_ADD]       = method_vnic_add,
    [METHOD_VNIC_SET]       = method_vnic_set,
    [METHOD_VNIC_LIST]      = method_vnic_list,
    [METHOD_VNIC_SHOW]      = method_vnic_show,
    [METHOD_VNIC_REMOVE]    = method_vnic_remove,
    [METHOD_TEAM_ADD]       = method_team_add,
    [METHOD_TEAM_SET]       = method_team_set,
    [METHOD_TEAM_LIST]      = method_team_list,
    [METHOD_TEAM_SHOW]      = method_team_show,
    [METHOD_TEAM_REMOVE]    = method_team_remove,
    [METHOD_MAC_SHOW]       = method_mac_show,
    [METHOD_MAC_ADD]        = method_mac_add,
    [METHOD_MAC_REMOVE]     = method_mac_remove,
    [METHOD_MAC_FLUSH]      = method_mac_flush,
    [METHOD_STATS_SHOW]     = method_stats_show,
    [METHOD_CAPTURE_START]  = method_capture_start,
    [METHOD_CAPTURE_LIST]   = method_capture_list,
    [METHOD_CAPTURE_STOP]   = method_capture_stop,
    [METHOD_CAPTURE_RESULT] = method_capture_result,
    [METHOD_CONFIG_SHOW]    = method_config_show,
    [METHOD_DAEMON_SHOW]    = method_daemon_show,
    [METHOD_DAEMON_SET]     = method_daemon_set,
    [METHOD_DAEMON_STOP]    = method_daemon_stop,
};

const char *method_text(const struct rpc_call *call, const char *key)
{
    return json_string_value(json_object_get(call->params, key));
}

uint64_t method_number(const struct rpc_call *call, const char *key, uint64_t preset)
{
    const json_t *value = json_object_get(call->params, key);

    return value == NULL ? preset : (uint64_t)json_integer_value(value);
}

bool method_flag(const struct rpc_call *call, const char *key)
{
    return json_is_true(json_object_get(call->params, key));
}

bool method_onoff(const struct rpc_call *call, const char *key, bool preset)
{
    const json_t *value = json_object_get(call->params, key);

    return value == NULL ? preset : json_is_true(value);
}

uint64_t method_mac(const struct rpc_call *call, const char *key, uint64_t preset)
{
    const char *text = method_text(call, key);
    uint64_t mac = preset;

    if (text != NULL) {
        (void)mac_parse(text, &mac);
    }
    return mac;
}

const struct vswitch_switch *method_named_switch(const struct control *control,
                                                 const struct rpc_call *call,
                                                 struct error *error)
{
    return control_find_switch(control, method_text(call, "name"), error);
}

const struct vswitch_vnic *method_named_vnic(const struct control *control,
                                             const struct rpc_call *call, struct error *error)
{
    return control_find_vnic(control, method_text(call, "name"), error);
}

int method_answer(struct rpc_call *call, json_t *result, struct error *error)
{
    if (result == NULL) {
        return error_set(error, ENOMEM, "There is no memory left for the answer.");
    }
    call->result = result;
    return 0;
}
