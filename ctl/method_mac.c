/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mac show, add, remove, flush.
 *
 * Pinned addresses are part of the model; what was learned is only in the table, and forgetting it
 * changes no state that is kept.
 */
#include <errno.h>
#include <stdlib.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "switch/mac.h"
#include "switch/mac_table.h"

/* ---- show ------------------------------------------------------------------------------------ */

static json_t *entry_to_json(const struct control *control, const struct mac_entry *entry)
{
    const struct vswitch_vnic *vnic = vswitch_vnic_by_port(control->model, entry->port);
    char text[MAC_TEXT_SIZE];

    return json_pack("{s:s, s:i, s:s, s:s, s:I}", "mac", mac_format(entry->mac, text),
                     "vlan", (int)entry->vlan, "port", vnic != NULL ? vnic->name : "",
                     "kind", entry->kind == MAC_STATIC ? "static" : "learned",
                     "age_s", (json_int_t)entry->age_s);
}

static int order_of_entries(const void *a, const void *b)
{
    const struct mac_entry *left = a, *right = b;

    if (left->vlan != right->vlan) {
        return left->vlan < right->vlan ? -1 : 1;
    }
    return left->mac < right->mac ? -1 : left->mac > right->mac;
}

/* All entries in order.  @return owned, or NULL when memory is short */
static struct mac_entry *list_table(const struct mac_table *table, size_t *count)
{
    struct mac_table_stats stats;
    struct mac_entry *entries;
    const uint32_t now_s = control_now_s();
    size_t cursor = 0, n;

    mac_table_stats(table, &stats);
    entries = calloc((size_t)stats.entries + 1, sizeof(*entries));
    *count = 0;
    if (entries == NULL) {
        return NULL;
    }
    do {
        n = mac_table_list(table, now_s, &cursor, entries + *count, stats.entries - *count);
        *count += n;
    } while (n > 0 && *count < stats.entries);
    qsort(entries, *count, sizeof(*entries), order_of_entries);
    return entries;
}

int method_mac_show(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const struct vswitch_switch *of = method_named_switch(control, call, error);
    struct mac_entry *entries;
    json_t *list = json_array();
    size_t count = 0;

    if (of == NULL) {
        json_decref(list);
        return -ENOENT;
    }
    entries = list_table(control->resources.table[of->id], &count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, entry_to_json(control, &entries[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    if (entries == NULL) {
        json_decref(list);
        list = NULL;
    }
    free(entries);
    return method_answer(call, list, error);
}

/* ---- change ---------------------------------------------------------------------------------- */

int method_mac_add(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);
    const uint16_t vlan = (uint16_t)method_number(call, "vlan", 0);
    int rc;

    if (wanted == NULL) {
        return -ENOMEM;
    }
    rc = vswitch_add_mac(wanted, method_text(call, "name"), method_mac(call, "mac", 0), vlan,
                         method_text(call, "port"), error);
    return control_commit(control, wanted, rc, error);
}

static bool is_pinned(const struct vswitch_model *model, uint16_t switch_id, uint64_t mac,
                      uint16_t vlan)
{
    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *pin = &model->macs[i];

        if (pin->switch_id == switch_id && pin->mac == mac && pin->vlan == vlan) {
            return true;
        }
    }
    return false;
}

int method_mac_remove(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const struct vswitch_switch *of = method_named_switch(control, call, error);
    const uint64_t mac = method_mac(call, "mac", 0);
    const uint16_t vlan = (uint16_t)method_number(call, "vlan", 0);
    struct vswitch_model *wanted;
    char text[MAC_TEXT_SIZE];

    if (of == NULL) {
        return -ENOENT;
    }
    if (!is_pinned(control->model, of->id, mac, vlan)) {
        if (mac_table_remove(control->resources.table[of->id], mac, vlan) == 0) {
            return 0;
        }
        return error_set(error, ENOENT, "switch \"%s\" does not know %s; mac show %s lists what it "
                         "knows", of->name, mac_format(mac, text), of->name);
    }
    wanted = control_edit(control, error);
    if (wanted == NULL) {
        return -ENOMEM;
    }
    return control_commit(control, wanted,
                          vswitch_remove_mac(wanted, of->name, mac, vlan, error), error);
}

int method_mac_flush(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const struct vswitch_switch *of = method_named_switch(control, call, error);
    const char *port_name = method_text(call, "port");
    const struct vswitch_vnic *vnic = NULL;
    uint32_t flushed;

    if (of == NULL) {
        return -ENOENT;
    }
    if (port_name != NULL) {
        vnic = control_find_vnic(control, port_name, error);
        if (vnic == NULL) {
            return -ENOENT;
        }
        if (vnic->switch_id != of->id) {
            return error_set(error, EINVAL, "vNIC \"%s\" is not on switch \"%s\" but on \"%s\"; "
                             "flush that one", port_name, of->name,
                             vswitch_by_id(control->model, vnic->switch_id)->name);
        }
    }
    flushed = mac_table_flush(control->resources.table[of->id],
                              vnic != NULL ? vnic->port : MAC_TABLE_MISS);
    return method_answer(call, json_pack("{s:I}", "flushed", (json_int_t)flushed), error);
}
