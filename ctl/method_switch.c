/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch add, set, list, show, remove.
 */
#include <errno.h>
#include <stdio.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/persist.h"
#include "ctl/report.h"
#include "switch/mac_table.h"

/* Answers with the switch as `switch show` does. */
static int answer_switch(const struct control *control, struct rpc_call *call, struct error *error)
{
    const struct vswitch_switch *of = method_named_switch(control, call, error);

    return of == NULL ? -ENOENT : method_answer(call, report_switch_whole(control, of), error);
}

int method_switch_add(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);
    struct vswitch_switch added = {
        .mtu_bytes = (uint32_t)method_number(call, "mtu", VSWITCH_MTU_DEFAULT_BYTES),
        .mac_capacity_entries = (uint32_t)method_number(call, "mac_capacity",
                                                        MAC_TABLE_DEFAULT_ENTRIES),
        .mac_ageing_s = (uint32_t)method_number(call, "mac_ageing", MAC_TABLE_DEFAULT_AGEING_S),
    };
    int rc;

    if (wanted == NULL) {
        return -ENOMEM;
    }
    (void)snprintf(added.name, sizeof(added.name), "%s", method_text(call, "name"));
    (void)persist_type_parse(method_text(call, "type"), &added.type);
    rc = control_commit(control, wanted, vswitch_add(wanted, &added, error), error);
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
    set.mtu_bytes = (uint32_t)method_number(call, "mtu", is->mtu_bytes);
    set.mac_capacity_entries = (uint32_t)method_number(call, "mac_capacity",
                                                       is->mac_capacity_entries);
    set.mac_ageing_s = (uint32_t)method_number(call, "mac_ageing", is->mac_ageing_s);
    rc = control_commit(control, wanted, vswitch_set(wanted, &set, error), error);
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
