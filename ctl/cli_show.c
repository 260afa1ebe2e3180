/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli_show.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/cli_table.h"
#include "ctl/value.h"

#define COLUMNS_MAX  12
#define LABEL_COLUMNS 12

/* One column of a list: its head (see cli_table.h) and the key of its cells. */
struct column {
    const char *head, *key;
};

/* ---- parts ----------------------------------------------------------------------------------- */

/* Prints the objects of @p list as rows. */
static void print_list(const json_t *list, const struct column *columns, const char *nothing,
                       FILE *out)
{
    const char *heads[COLUMNS_MAX + 1] = { NULL };
    struct cli_table *table;

    for (size_t i = 0; columns[i].key != NULL && i < COLUMNS_MAX; i++) {
        heads[i] = columns[i].head;
    }
    table = cli_table_create(heads);
    for (size_t row = 0; row < json_array_size(list); row++) {
        for (size_t i = 0; columns[i].key != NULL; i++) {
            cli_table_json(table, json_object_get(json_array_get(list, row), columns[i].key));
        }
    }
    cli_table_print(table, nothing, out);
    cli_table_destroy(table);
}

static void print_label(const char *label, FILE *out)
{
    (void)fprintf(out, "  %-*s ", LABEL_COLUMNS, label);
}

/* Prints "  label   value unit". */
static void print_field(const json_t *object, const char *label, const char *key, const char *unit,
                        FILE *out)
{
    const json_t *value = json_object_get(object, key);
    char *text = cli_text_of(value);

    print_label(label, out);
    (void)fprintf(out, "%s%s\n", text != NULL ? text : "?", json_is_number(value) ? unit : "");
    free(text);
}

/* The same, but nothing where there is no such key, or an empty one. */
static void print_field_if_set(const json_t *object, const char *label, const char *key,
                               const char *unit, FILE *out)
{
    const json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_null(value) &&
        !(json_is_string(value) && json_string_length(value) == 0)) {
        print_field(object, label, key, unit, out);
    }
}

static json_int_t number_of(const json_t *result, const char *key)
{
    return json_integer_value(json_object_get(result, key));
}

static void print_title(const char *what, const json_t *object, FILE *out)
{
    char *name = cli_text_of(json_object_get(object, "name"));

    (void)fprintf(out, "%s %s\n", what, name != NULL ? name : "?");
    free(name);
}

/* ---- ports ----------------------------------------------------------------------------------- */

const json_t *cli_show_ports(const json_t *result)
{
    return json_is_array(result) ? result : json_object_get(result, "ports");
}

json_int_t cli_show_drops(const json_t *port)
{
    json_t *drops = json_object_get(port, "drops");
    json_int_t sum = 0;
    const char *reason;
    json_t *count;

    json_object_foreach(drops, reason, count) {
        (void)reason;
        sum += json_integer_value(count);
    }
    return sum;
}

/* Prints "    12  receiver had no free buffers (web0)" for every reason that is not zero. */
static void print_reasons(const json_t *port, bool with_name, FILE *out)
{
    char *name = cli_text_of(json_object_get(port, "name"));
    const char *reason;
    json_t *count;

    json_object_foreach(json_object_get(port, "drops"), reason, count) {
        if (json_integer_value(count) == 0) {
            continue;
        }
        (void)fprintf(out, "  %12" JSON_INTEGER_FORMAT "  %s", json_integer_value(count), reason);
        if (with_name) {
            (void)fprintf(out, " (%s)", name != NULL ? name : "?");
        }
        (void)fprintf(out, "\n");
    }
    free(name);
}

/* Prints "    12  receiver had no free buffers (web0 7, web1 4, removed ports 1)". */
static void print_total_reason(const json_t *ports, const char *reason, json_int_t total, FILE *out)
{
    const char *joint = " (";
    json_int_t removed = total;

    (void)fprintf(out, "  %12" JSON_INTEGER_FORMAT "  %s", total, reason);
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const json_int_t own = number_of(json_object_get(port, "drops"), reason);
        char *name = own == 0 ? NULL : cli_text_of(json_object_get(port, "name"));

        if (own != 0) {
            (void)fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, joint, name != NULL ? name : "?", own);
            joint = ", ";
            removed -= own;
        }
        free(name);
    }
    if (removed > 0) {
        (void)fprintf(out, "%sremoved ports %" JSON_INTEGER_FORMAT, joint, removed);
    }
    (void)fprintf(out, ")\n");
}

/* What a switch lost, by reason, and which of its ports own how much of it. */
static void print_total_reasons(const json_t *result, FILE *out)
{
    const char *reason;
    json_t *count;

    if (cli_show_drops(result) > 0) {
        (void)fprintf(out, "\ndropped:\n");
    }
    json_object_foreach(json_object_get(result, "drops"), reason, count) {
        if (json_integer_value(count) > 0) {
            print_total_reason(cli_show_ports(result), reason, json_integer_value(count), out);
        }
    }
}

/* The columns of a port: what it is, then what it counted, then its drops. */
static const char *const port_heads[] = { "SWITCH", "PORT", "KIND", "STATE", "VLAN",
                                          ">FROM FRAMES", ">FROM BYTES", ">TO FRAMES", ">TO BYTES",
                                          ">DROPS", NULL };
static const char *const port_keys[] = { "switch", "name", "kind", "state", "vlan" };
static const char *const port_counts[] = { "from_frames", "from_bytes", "to_frames", "to_bytes" };

/* Appends the cells of what @p counters and the drops of @p owner say. */
static void count_cells(struct cli_table *table, const json_t *counters, const json_t *owner)
{
    json_t *drops = json_integer(cli_show_drops(owner));

    for (size_t i = 0; i < sizeof(port_counts) / sizeof(port_counts[0]); i++) {
        cli_table_json(table, json_object_get(counters, port_counts[i]));
    }
    cli_table_json(table, drops);
    json_decref(drops);
}

static void port_row(struct cli_table *table, const json_t *port, bool with_switch)
{
    for (size_t i = with_switch ? 0 : 1; i < sizeof(port_keys) / sizeof(port_keys[0]); i++) {
        cli_table_json(table, json_object_get(port, port_keys[i]));
    }
    count_cells(table, port, port);
}

/* Prints the ports of many switches, and below what each dropped. */
static void print_ports(const json_t *ports, FILE *out)
{
    struct cli_table *table = cli_table_create(port_heads);
    json_int_t drops = 0;

    for (size_t i = 0; i < json_array_size(ports); i++) {
        port_row(table, json_array_get(ports, i), true);
        drops += cli_show_drops(json_array_get(ports, i));
    }
    cli_table_print(table, "no ports", out);
    cli_table_destroy(table);
    if (drops > 0) {
        (void)fprintf(out, "\ndropped:\n");
    }
    for (size_t i = 0; i < json_array_size(ports); i++) {
        print_reasons(json_array_get(ports, i), true, out);
    }
}

/*
 * Prints the ports of one switch and its totals, which have in them what ports counted that are
 * gone.  No port can be called "(all)".
 */
static void print_switch_ports(const json_t *result, FILE *out)
{
    const json_t *ports = cli_show_ports(result);
    const json_t *counters = json_object_get(result, "counters");
    struct cli_table *table = cli_table_create(port_heads + 1);

    for (size_t i = 0; i < json_array_size(ports); i++) {
        port_row(table, json_array_get(ports, i), false);
    }
    if (json_array_size(ports) > 0 || number_of(counters, "from_frames") > 0 ||
        cli_show_drops(result) > 0) {
        cli_table_text(table, "(all)");
        for (size_t i = 2; i < sizeof(port_keys) / sizeof(port_keys[0]); i++) {
            cli_table_text(table, "");
        }
        count_cells(table, counters, result);
    }
    cli_table_print(table, "no ports", out);
    cli_table_destroy(table);
    print_total_reasons(result, out);
}

/* ---- one renderer for each result ------------------------------------------------------------ */

static void show_switches(const json_t *result, FILE *out)
{
    static const struct column columns[] = {
        { "NAME", "name" }, { "TYPE", "type" }, { ">MTU", "mtu" }, { ">PORTS", "port_count" },
        { ">MACS", "mac_entries" }, { "UPLINK", "uplink" }, { NULL, NULL }
    };

    print_list(result, columns,
               "no switches; `vswitchctl switch add NAME --type private` makes one", out);
}

static void print_ageing(const json_t *result, FILE *out)
{
    if (number_of(result, "mac_ageing_s") != 0) {
        print_field(result, "ageing", "mac_ageing_s", " s", out);
    } else {
        print_label("ageing", out);
        (void)fprintf(out, "never\n");
    }
}

/* A guest at its quota of addresses shows here; mostly nothing does. */
static void print_shortage(const json_t *result, const char *label, const char *key,
                           const char *meaning, FILE *out)
{
    const json_int_t count = number_of(result, key);

    if (count > 0) {
        print_label(label, out);
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT " times %s\n", count, meaning);
    }
}

static void show_switch(const json_t *result, FILE *out)
{
    char *entries = cli_text_of(json_object_get(result, "mac_entries"));
    char *capacity = cli_text_of(json_object_get(result, "mac_capacity"));

    print_title("switch", result, out);
    print_field(result, "type", "type", "", out);
    print_field(result, "mtu", "mtu", " bytes", out);
    print_field(result, "uplink", "uplink", "", out);
    print_field(result, "host vNIC", "host_vnic", "", out);
    print_label("addresses", out);
    (void)fprintf(out, "%s of %s\n", entries != NULL ? entries : "?",
                  capacity != NULL ? capacity : "?");
    print_ageing(result, out);
    print_field_if_set(result, "moves", "mac_moves", "", out);
    print_shortage(result, "refused", "mac_refused",
                   "an address was not learned, as its port had its share of them", out);
    print_shortage(result, "evicted", "mac_evictions",
                   "an address was forgotten early, to make room for another", out);
    (void)fprintf(out, "\n");
    print_switch_ports(result, out);
    free(entries);
    free(capacity);
}

static void show_vnics(const json_t *result, FILE *out)
{
    static const struct column columns[] = {
        { "NAME", "name" }, { "SWITCH", "switch" }, { "STATE", "state" }, { "MAC", "mac" },
        { ">MTU", "mtu" }, { ">QUEUES", "queues" }, { "VLAN", "vlan" }, { "SOCKET", "socket" },
        { NULL, NULL }
    };

    print_list(result, columns, "no vNICs; `vswitchctl vnic add NAME --switch SWITCH` makes one",
               out);
}

/* Both directions of a port's counters, side by side. */
static void print_counters(const json_t *counters, FILE *out)
{
    static const char *const heads[] = { "", ">FROM GUEST", ">TO GUEST", NULL };
    static const struct { const char *label, *from, *to; } rows[] = {
        { "  frames", "from_frames", "to_frames" },
        { "  bytes", "from_bytes", "to_bytes" },
        { "  unicast", "from_unicast", "to_unicast" },
        { "  multicast", "from_multicast", "to_multicast" },
        { "  broadcast", "from_broadcast", "to_broadcast" },
    };
    struct cli_table *table = cli_table_create(heads);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *from = json_object_get(counters, rows[i].from);
        const json_t *to = json_object_get(counters, rows[i].to);

        if (from != NULL || to != NULL) {
            cli_table_text(table, rows[i].label);
            cli_table_json(table, from);
            cli_table_json(table, to);
        }
    }
    cli_table_print(table, "no counters", out);
    cli_table_destroy(table);
}

static void show_vnic(const json_t *result, FILE *out)
{
    const json_t *counters = json_object_get(result, "counters");

    print_title("vnic", result, out);
    print_field(result, "switch", "switch", "", out);
    print_field(result, "state", "state", "", out);
    print_field_if_set(result, "reason", "broken_reason", "", out);
    print_field_if_set(result, "refused", "refused_reason", "", out);
    print_field(result, "mac", "mac", "", out);
    print_field(result, "mtu", "mtu", " bytes", out);
    print_field_if_set(result, "MTU note", "mtu_note", "", out);
    print_field(result, "vlan", "vlan", "", out);
    print_field(result, "queues", "queues", "", out);
    print_field(result, "socket", "socket", "", out);
    print_field(result, "features", "features", "", out);
    (void)fprintf(out, "\n");
    print_counters(counters != NULL ? counters : result, out);
    if (cli_show_drops(result) > 0) {
        (void)fprintf(out, "\ndropped:\n");
        print_reasons(result, false, out);
    }
}

static void show_macs(const json_t *result, FILE *out)
{
    static const struct column columns[] = {
        { "MAC", "mac" }, { ">VLAN", "vlan" }, { "PORT", "port" }, { "KIND", "kind" },
        { ">AGE S", "age_s" }, { NULL, NULL }
    };

    print_list(result, columns, "no addresses are known", out);
}

static void show_stats(const json_t *result, FILE *out)
{
    print_ports(cli_show_ports(result), out);
}

static void show_captures(const json_t *result, FILE *out)
{
    static const struct column columns[] = {
        { ">ID", "id" }, { "ON", "on" }, { ">AGE S", "age_s" }, { ">SEEN", "seen" },
        { ">MATCHED", "matched" }, { ">WRITTEN", "written" },
        { ">DROPPED BY READER", "dropped_by_reader" }, { NULL, NULL }
    };

    print_list(result, columns, "no capture is running", out);
}

/* Prints "1 switch", "2 switches". */
static void print_count(json_int_t count, const char *one, const char *more, FILE *out)
{
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " %s", count, count == 1 ? one : more);
}

static void show_flushed(const json_t *result, FILE *out)
{
    print_count(number_of(result, "flushed"), "learned address", "learned addresses", out);
    (void)fprintf(out, " forgotten\n");
}

static void show_checked(const json_t *result, FILE *out)
{
    (void)fprintf(out, "valid, with ");
    print_count(number_of(result, "switches"), "switch, ", "switches, ", out);
    print_count(number_of(result, "vnics"), "vNIC and ", "vNICs and ", out);
    print_count(number_of(result, "macs"), "pinned address", "pinned addresses", out);
    (void)fprintf(out, "\n");
}

static void show_json(const json_t *result, FILE *out)
{
    (void)json_dumpf(result, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)fprintf(out, "\n");
}

static void show_daemon(const json_t *result, FILE *out)
{
    static const struct column columns[] = {
        { ">CORE", "core" }, { ">BUSY %", "busy_percent" }, { ">CYCLES/FRAME", "cycles_per_frame" },
        { ">QUEUES", "queues" }, { NULL, NULL }
    };
    const json_int_t uptime_s = number_of(result, "uptime_s");
    char text[VALUE_TEXT_SIZE];

    (void)fprintf(out, "vswitchd\n");
    print_field(result, "version", "version", "", out);
    print_field(result, "pid", "pid", "", out);
    print_label("up for", out);
    (void)fprintf(out, "%s\n", value_format_seconds(uptime_s > 0 ? (uint64_t)uptime_s : 0, text));
    print_field_if_set(result, "memory", "memory", "", out);
    (void)fprintf(out, "\n");
    print_list(json_object_get(result, "workers"), columns, "no workers", out);
}

/* What add and set come to: nothing to say but where the guest is to attach. */
static void show_added_vnic(const json_t *result, FILE *out)
{
    if (json_object_get(result, "socket") != NULL) {
        print_title("vnic", result, out);
        print_field(result, "mac", "mac", "", out);
        print_field(result, "socket", "socket", "", out);
    }
}

static void show_nothing(const json_t *result, FILE *out)
{
    (void)result;
    (void)out;
}

void cli_show(const struct method_spec *spec, const json_t *result, FILE *out)
{
    static void (*const renderers[METHOD_COUNT])(const json_t *result, FILE *out) = {
        [METHOD_SWITCH_ADD] = show_nothing,
        [METHOD_SWITCH_SET] = show_nothing,
        [METHOD_SWITCH_LIST] = show_switches,
        [METHOD_SWITCH_SHOW] = show_switch,
        [METHOD_SWITCH_REMOVE] = show_nothing,
        [METHOD_VNIC_ADD] = show_added_vnic,
        [METHOD_VNIC_SET] = show_nothing,
        [METHOD_VNIC_LIST] = show_vnics,
        [METHOD_VNIC_SHOW] = show_vnic,
        [METHOD_VNIC_REMOVE] = show_nothing,
        [METHOD_MAC_SHOW] = show_macs,
        [METHOD_MAC_ADD] = show_nothing,
        [METHOD_MAC_REMOVE] = show_nothing,
        [METHOD_MAC_FLUSH] = show_flushed,
        [METHOD_STATS_SHOW] = show_stats,
        [METHOD_CAPTURE_LIST] = show_captures,
        [METHOD_CAPTURE_STOP] = show_nothing,
        [METHOD_CONFIG_SHOW] = show_json,
        [METHOD_CONFIG_CHECK] = show_checked,
        [METHOD_DAEMON_SHOW] = show_daemon,
        [METHOD_DAEMON_STOP] = show_nothing,
    };

    if (renderers[spec->id] != NULL) {
        renderers[spec->id](result, out);
    } else {
        show_json(result, out);
    }
}
