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

/* What ports are called, by number: looked up once, as a table may have a million entries. */
struct port_names {
    const char *name[FABRIC_MAX_PORTS];
};

static void name_ports(const struct vswitch_model *model, uint16_t id, struct port_names *names)
{
    struct vswitch_port port;
    size_t cursor = 0;

    while (vswitch_port_next(model, id, &cursor, &port)) {
        names->name[port.number] = port.name;
    }
}

/* What is in the table by `mac add` is static; the other fixed ones are ports' own: pinned. */
static const char *kind_word(const struct vswitch_model *model, uint16_t id,
                             const struct mac_entry *entry)
{
    if (entry->kind == MAC_LEARNED) {
        return "learned";
    }
    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *each = &model->macs[i];

        if (each->switch_id == id && each->mac == entry->mac &&
            vswitch_fid(model, id, each->vlan) == entry->vlan) {
            return "static";
        }
    }
    return "pinned";
}

/* The own address of a trunk holds in every VLAN, which is no number. */
static json_t *entry_to_json(const struct vswitch_model *model, uint16_t id,
                             const struct port_names *names, const struct mac_entry *entry)
{
    const char *port = entry->port < FABRIC_MAX_PORTS ? names->name[entry->port] : NULL;
    char text[MAC_TEXT_SIZE];

    return json_pack("{s:s, s:o, s:s, s:s, s:I}", "mac", mac_format(entry->mac, text),
                     "vlan", entry->vlan == MAC_TABLE_ANY_VLAN ? json_null()
                                                               : json_integer(entry->vlan),
                     "port", port != NULL ? port : "", "kind", kind_word(model, id, entry),
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
    struct port_names names = { { NULL } };
    struct mac_entry *entries;
    json_t *list = json_array();
    size_t count = 0;

    if (of == NULL) {
        json_decref(list);
        return -ENOENT;
    }
    name_ports(control->model, of->id, &names);
    entries = list_table(control->resources.table[of->id], &count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        json_t *entry = entry_to_json(control->model, of->id, &names, &entries[i]);

        if (json_array_append_new(list, entry) != 0) {
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
