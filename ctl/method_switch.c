/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch add, set, list, show, remove.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/persist.h"
#include "ctl/report.h"
#include "ctl/value.h"
#include "switch/mac_table.h"

/* Answers with the switch as `switch show` does. */
static int answer_switch(const struct control *control, struct rpc_call *call, struct error *error)
{
    const struct vswitch_switch *of = method_named_switch(control, call, error);

    return of == NULL ? -ENOENT : method_answer(call, report_switch_whole(control, of), error);
}

/* ---- what is given --------------------------------------------------------------------------- */

static void copy_text(char *to, size_t to_size, const char *text)
{
    memset(to, 0, to_size);
    (void)snprintf(to, to_size, "%s", text);
}

/*
 * The type, the uplink and whether the host has an adapter hang together: naming an uplink makes a
 * switch external, and another type takes away what it cannot have, unless that is asked for; then
 * it is for the model to refuse.
 */
static void take_type(const struct rpc_call *call, struct vswitch_switch *set)
{
    const char *type = method_text(call, "type"), *uplink = method_text(call, "uplink");
    const bool names_one = uplink != NULL && strcmp(uplink, "none") != 0;

    if (type != NULL) {
        (void)persist_type_parse(type, &set->type);
    } else if (names_one) {
        set->type = VSWITCH_EXTERNAL;
    }
    if (uplink != NULL || set->type != VSWITCH_EXTERNAL) {
        copy_text(set->uplink, sizeof(set->uplink), names_one ? uplink : "");
        set->force = false;
    }
    set->force = method_onoff(call, "force", set->force);
    set->host_vnic = method_onoff(call, "host_vnic",
                                  set->type == VSWITCH_EXTERNAL ? set->host_vnic
                                                                : set->type == VSWITCH_INTERNAL);
    if (set->type != VSWITCH_EXTERNAL || !set->host_vnic) {
        set->move_addresses = false;
    }
    set->move_addresses = method_onoff(call, "move_addresses", set->move_addresses);
    if (!set->host_vnic) {
        set->host_mac = 0;
        set->host_vlan = (struct vlan_policy){ 0 };
        set->host_address_count = 0;
    }
}

static int take_addresses(const char *list, struct vswitch_switch *set, struct error *error)
{
    const char *cursor = strcmp(list, "none") == 0 ? NULL : list;
    char item[VSWITCH_ADDRESS_SIZE];

    memset(set->host_address, 0, sizeof(set->host_address));
    for (set->host_address_count = 0; cursor != NULL; set->host_address_count++) {
        if (set->host_address_count == VSWITCH_HOST_ADDRESSES_MAX) {
            return error_set(error, ERANGE, "switch \"%s\": its host vNIC takes %u addresses from "
                             "--host-address; give it others with ip address add", set->name,
                             VSWITCH_HOST_ADDRESSES_MAX);
        }
        if (value_list_next(&cursor, item, sizeof(item)) != 0) {
            return error_set(error, EINVAL, "switch \"%s\": --host-address is a list of addresses "
                             "with commas between, such as 192.0.2.1/24,2001:db8::1/64, or none",
                             set->name);
        }
        copy_text(set->host_address[set->host_address_count], sizeof(item), item);
    }
    return 0;
}

static int take_host(const struct rpc_call *call, struct vswitch_switch *set, struct error *error)
{
    const char *vlan = method_text(call, "host_vlan"), *list = method_text(call, "host_address");
    struct error inner = { 0 };

    if (vlan != NULL && vlan_parse(vlan, &set->host_vlan, &inner) != 0) {
        return error_set(error, EINVAL, "switch \"%s\": %s", set->name, inner.text);
    }
    if (method_text(call, "host_mac") != NULL && method_mac(call, "host_mac", 0) == 0) {
        return error_set(error, EINVAL, "switch \"%s\": 00:00:00:00:00:00 is no adapter's address; "
                         "choose another, or leave --host-mac out", set->name);
    }
    set->host_mac = method_mac(call, "host_mac", set->host_mac);
    return list == NULL ? 0 : take_addresses(list, set, error);
}

/* Changes in @p set what is given.  @return 0, or a negative errno and a sentence */
static int take_given(const struct rpc_call *call, struct vswitch_switch *set, struct error *error)
{
    set->mtu_bytes = (uint32_t)method_number(call, "mtu", set->mtu_bytes);
    set->mac_capacity_entries = (uint32_t)method_number(call, "mac_capacity",
                                                        set->mac_capacity_entries);
    set->coalesce = method_onoff(call, "coalesce", set->coalesce);
    set->mac_ageing_s = (uint32_t)method_number(call, "mac_ageing", set->mac_ageing_s);
    take_type(call, set);
    return take_host(call, set, error);
}

/* ---- the methods ----------------------------------------------------------------------------- */

int method_switch_add(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);
    struct vswitch_switch added = {
        .mtu_bytes = VSWITCH_MTU_DEFAULT_BYTES,
        .mac_capacity_entries = MAC_TABLE_DEFAULT_ENTRIES,
        .mac_ageing_s = MAC_TABLE_DEFAULT_AGEING_S,
        .coalesce = true,
    };
    int rc;

    if (wanted == NULL) {
        return -ENOMEM;
    }
    copy_text(added.name, sizeof(added.name), method_text(call, "name"));
    rc = take_given(call, &added, error);
    if (rc == 0) {
        rc = vswitch_add(wanted, &added, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_switch(control, call, error);
}

int method_switch_set(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const struct vswitch_switch *is = method_named_switch(control, call, error);
    struct vswitch_model *wanted = is == NULL ? NULL : control_edit(control, error);
    struct vswitch_switch set;
    int rc;

    if (wanted == NULL) {
        return -error->code;
    }
    set = *is;
    rc = take_given(call, &set, error);
    if (rc == 0) {
        rc = vswitch_set(wanted, &set, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_switch(control, call, error);
}

int method_switch_list(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    json_t *list = json_array();

    for (size_t i = 0; i < control->model->switch_count && list != NULL; i++) {
        const struct vswitch_switch *each = &control->model->switches[i];

        if (json_array_append_new(list, report_switch(control, each)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return method_answer(call, list, error);
}

int method_switch_show(void *context, struct rpc_call *call, struct error *error)
{
    return answer_switch(context, call, error);
}

int method_switch_remove(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);

    if (wanted == NULL) {
        return -ENOMEM;
    }
    return control_commit(control, wanted,
                          vswitch_remove(wanted, method_text(call, "name"),
                                         method_flag(call, "force"), error), error);
}
