/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnic add, set, list, show, remove.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/report.h"
#include "ctl/value.h"
#include "switch/mac.h"
#include "switch/offload.h"

/* Answers with the vNIC as `vnic show` does, so that whoever adds it learns its socket. */
static int answer_vnic(const struct control *control, struct rpc_call *call, struct error *error)
{
    const struct vswitch_vnic *vnic = method_named_vnic(control, call, error);

    return vnic == NULL ? -ENOENT : method_answer(call, report_vnic_whole(control, vnic), error);
}

/* Reads a list of addresses, or "none", in the place of those there are. */
static int take_allowed(const char *list, struct vswitch_vnic *vnic, struct error *error)
{
    const char *cursor = strcmp(list, "none") == 0 ? NULL : list;
    char item[MAC_TEXT_SIZE];

    memset(vnic->allowed_mac, 0, sizeof(vnic->allowed_mac));
    for (vnic->allowed_mac_count = 0; cursor != NULL; vnic->allowed_mac_count++) {
        if (vnic->allowed_mac_count == VSWITCH_ALLOWED_MACS_MAX) {
            return error_set(error, ERANGE, "vNIC \"%s\": --allow-mac takes %u addresses; use "
                             "--spoof-guard off where it needs more", vnic->name,
                             VSWITCH_ALLOWED_MACS_MAX);
        }
        if (value_list_next(&cursor, item, sizeof(item)) != 0 ||
            mac_parse(item, &vnic->allowed_mac[vnic->allowed_mac_count]) != 0) {
            return error_set(error, EINVAL, "vNIC \"%s\": --allow-mac is a list of addresses with "
                             "commas between, such as 00:15:5d:01:02:03,00:15:5d:01:02:04, or none",
                             vnic->name);
        }
    }
    return 0;
}

/* To the model a MAC of zero is none given, so one that was typed is refused here. */
static int take_mac(const struct rpc_call *call, struct vswitch_vnic *vnic, struct error *error)
{
    if (method_text(call, "mac") != NULL && method_mac(call, "mac", 0) == 0) {
        return error_set(error, EINVAL, "vNIC \"%s\" cannot have 00:00:00:00:00:00, which is no "
                         "adapter's address; choose another, or leave --mac out", vnic->name);
    }
    vnic->mac = method_mac(call, "mac", vnic->mac);
    return 0;
}

static int take_offload(const struct rpc_call *call, struct vswitch_vnic *vnic,
                        struct error *error)
{
    const char *offload = method_text(call, "offload");
    struct error inner = { 0 };

    if (offload != NULL && offload_parse(offload, &vnic->offload, &inner) != 0) {
        return error_set(error, EINVAL, "vNIC \"%s\": %s", vnic->name, inner.text);
    }
    return 0;
}

/*
 * A VM that runs keeps what it negotiated, and has to be offered as much when it comes back after a
 * restart of the daemon: QEMU does not take less.
 */
static void grant_offload(const struct control *control, struct vswitch_vnic *vnic)
{
    struct vhost_status status;
    uint64_t has;

    vhost_control_status(control->resources.endpoint[vnic->port].at, &status);
    has = offload_sound(status.features & OFFLOAD_ALL);
    if (status.granted != 0) {
        vnic->offload_granted = (has & ~vnic->offload) != 0 ? has : 0;
    }
}

/* Changes in @p vnic what is given.  @return 0, or a negative errno and a sentence */
static int take_given(const struct rpc_call *call, struct vswitch_vnic *vnic, struct error *error)
{
    const char *owner = method_text(call, "socket_owner");
    const char *group = method_text(call, "socket_group");
    const char *vlan = method_text(call, "vlan");
    const char *priority = method_text(call, "priority");
    const char *allowed = method_text(call, "allow_mac");
    struct error inner = { 0 };
    int rc = 0;

    vnic->mtu_bytes = (uint32_t)method_number(call, "mtu", vnic->mtu_bytes);
    vnic->spoof_guard = method_onoff(call, "spoof_guard", vnic->spoof_guard);
    vnic->dhcp_guard = method_onoff(call, "dhcp_guard", vnic->dhcp_guard);
    vnic->router_guard = method_onoff(call, "router_guard", vnic->router_guard);
    if (owner != NULL) {
        (void)snprintf(vnic->socket_owner, sizeof(vnic->socket_owner), "%s", owner);
    }
    if (group != NULL) {
        (void)snprintf(vnic->socket_group, sizeof(vnic->socket_group), "%s", group);
    }
    if (priority != NULL) {
        vnic->priority_trust = strcmp(priority, "trust") == 0;
    }
    if (vlan != NULL && vlan_parse(vlan, &vnic->vlan, &inner) != 0) {
        return error_set(error, EINVAL, "vNIC \"%s\": %s", vnic->name, inner.text);
    }
    if (allowed != NULL) {
        rc = take_allowed(allowed, vnic, error);
    }
    if (rc == 0) {
        rc = take_offload(call, vnic, error);
    }
    return rc != 0 ? rc : take_mac(call, vnic, error);
}

int method_vnic_add(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);
    struct vswitch_vnic added = {
        .queues = (uint16_t)method_number(call, "queues", 1), .spoof_guard = true,
        .offload = OFFLOAD_ALL,
    };
    int rc;

    if (wanted == NULL) {
        return -ENOMEM;
    }
    (void)snprintf(added.name, sizeof(added.name), "%s", method_text(call, "name"));
    rc = take_given(call, &added, error);
    if (rc == 0) {
        rc = vswitch_add_vnic(wanted, method_text(call, "switch"), &added, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_vnic(control, call, error);
}

int method_vnic_set(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const struct vswitch_vnic *is = method_named_vnic(control, call, error);
    struct vswitch_model *wanted = is == NULL ? NULL : control_edit(control, error);
    struct vswitch_vnic set;
    int rc;

    if (wanted == NULL) {
        return -error->code;
    }
    set = *is;
    rc = take_given(call, &set, error);
    if (set.offload != is->offload) {
        grant_offload(control, &set);
    }
    if (rc == 0) {
        rc = vswitch_set_vnic(wanted, &set, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_vnic(control, call, error);
}

int method_vnic_list(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const char *name = method_text(call, "switch");
    const struct vswitch_switch *on = name == NULL ? NULL
                                                   : control_find_switch(control, name, error);
    json_t *list;

    if (name != NULL && on == NULL) {
        return -ENOENT;
    }
    list = json_array();
    for (size_t i = 0; i < control->model->vnic_count && list != NULL; i++) {
        const struct vswitch_vnic *vnic = &control->model->vnics[i];

        if ((on == NULL || vnic->switch_id == on->id) &&
            json_array_append_new(list, report_vnic(control, vnic)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return method_answer(call, list, error);
}

int method_vnic_show(void *context, struct rpc_call *call, struct error *error)
{
    return answer_vnic(context, call, error);
}

int method_vnic_remove(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);

    if (wanted == NULL) {
        return -ENOMEM;
    }
    return control_commit(control, wanted,
                          vswitch_remove_vnic(wanted, method_text(call, "name"), error), error);
}
