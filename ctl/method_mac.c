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

/* The own address of a trunk holds in every VLAN, which is no number. */
static json_t *vlan_to_json(uint16_t vlan)
{
    return vlan == MAC_TABLE_ANY_VLAN ? json_string("any") : json_integer(vlan);
}

static json_t *entry_to_json(const struct control *control, const struct mac_entry *entry)
{
    struct vswitch_port port;
    const bool is_there = vswitch_port_at(control->model, entry->port, &port);
    char text[MAC_TEXT_SIZE];

    return json_pack("{s:s, s:o, s:s, s:s, s:I}", "mac", mac_format(entry->mac, text),
                     "vlan", vlan_to_json(entry->vlan), "port", is_there ? port.name : "",
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

int method_mac_remove(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const struct vswitch_switch *of = method_named_switch(control, call, error);
    const uint64_t mac = method_mac(call, "mac", 0);
    const uint16_t vlan = (uint16_t)method_number(call, "vlan", 0);
    struct vswitch_model *wanted = of == NULL ? NULL : control_edit(control, error);
    char text[MAC_TEXT_SIZE];
    int rc;

    if (wanted == NULL) {
        return -error->code;
    }
    rc = control_commit(control, wanted, vswitch_remove_mac(wanted, of->name, mac, vlan, error),
                        error);
    if (rc != -ENOENT) {
        return rc;
    }
    /* It is not pinned; so it is forgotten, if it was learned. */
    if (mac_table_remove(control->resources.table[of->id], mac,
                         vswitch_fid(control->model, of->id, vlan)) == 0) {
        return 0;
    }
    return error_set(error, ENOENT, "switch \"%s\" does not know %s in VLAN %u; mac show %s lists "
                     "what it knows", of->name, mac_format(mac, text), vlan, of->name);
}

int method_mac_flush(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const struct vswitch_switch *of = method_named_switch(control, call, error);
    const char *port_name = method_text(call, "port");
    struct vswitch_port port = { .number = MAC_TABLE_MISS };
    uint32_t flushed;

    if (of == NULL) {
        return -ENOENT;
    }
    if (port_name != NULL && !vswitch_port_named(control->model, of->id, port_name, &port)) {
        return error_set(error, ENOENT, "switch \"%s\" has no port named \"%s\"; switch show %s "
                         "lists those there are", of->name, port_name, of->name);
    }
    flushed = mac_table_flush(control->resources.table[of->id], port.number);
    return method_answer(call, json_pack("{s:I}", "flushed", (json_int_t)flushed), error);
}
