/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_show.h"

#include "ctl/cli/cli_show_parts.h"
#include "ctl/cli/cli_table.h"
#include "ctl/value.h"

/* ---- addresses ------------------------------------------------------------------------------- */

/* An address that is pinned in whatever VLAN has null for it. */
static void show_macs(const json_t *result, FILE *out)
{
    static const char *const heads[] = { "MAC", ">VLAN", "PORT", "KIND", ">AGE S", NULL };
    struct cli_table *table = cli_table_create(heads);

    for (size_t i = 0; i < json_array_size(result); i++) {
        const json_t *entry = json_array_get(result, i);
        const json_t *vlan = json_object_get(entry, "vlan");

        cli_table_json(table, json_object_get(entry, "mac"));
        if (json_is_null(vlan)) {
            cli_table_text(table, "all");
        } else {
            cli_table_json(table, vlan);
        }
        cli_table_json(table, json_object_get(entry, "port"));
        cli_table_json(table, json_object_get(entry, "kind"));
        cli_table_json(table, json_object_get(entry, "age_s"));
    }
    cli_table_print(table, "no addresses are known", out);
    cli_table_destroy(table);
}

/* ---- the other results ----------------------------------------------------------------------- */

static void show_captures(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { ">ID", "id" }, { "ON", "on" }, { ">AGE S", "age_s" }, { ">SEEN", "seen" },
        { ">MATCHED", "matched" }, { ">WRITTEN", "written" },
        { ">DROPPED BY READER", "dropped_by_reader" }, { NULL, NULL }
    };

    cli_show_list(result, columns, "no capture is running", out);
}

/* Prints "1 switch", "2 switches". */
static void print_count(json_int_t count, const char *one, const char *more, FILE *out)
{
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " %s", count, count == 1 ? one : more);
}

static void show_flushed(const json_t *result, FILE *out)
{
    print_count(cli_show_number(result, "flushed"), "learned address", "learned addresses", out);
    (void)fprintf(out, " forgotten\n");
}

static void show_checked(const json_t *result, FILE *out)
{
    (void)fprintf(out, "valid, with ");
    if (cli_show_number(result, "teams") > 0) {
        print_count(cli_show_number(result, "teams"), "team, ", "teams, ", out);
    }
    print_count(cli_show_number(result, "switches"), "switch, ", "switches, ", out);
    print_count(cli_show_number(result, "vnics"), "vNIC and ", "vNICs and ", out);
    print_count(cli_show_number(result, "macs"), "pinned address", "pinned addresses", out);
    (void)fprintf(out, "\n");
}

static void show_json(const json_t *result, FILE *out)
{
    (void)json_dumpf(result, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)fprintf(out, "\n");
}

static void show_daemon(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { ">CORE", "core" }, { ">BUSY %", "busy_percent" }, { ">CYCLES/FRAME", "cycles_per_frame" },
        { ">QUEUES", "queues" }, { NULL, NULL }
    };
    const json_int_t uptime_s = cli_show_number(result, "uptime_s");
    char text[VALUE_TEXT_SIZE];

    (void)fprintf(out, "vswitchd\n");
    cli_show_field(result, "version", "version", "", out);
    cli_show_field(result, "pid", "pid", "", out);
    cli_show_label("up for", out);
    (void)fprintf(out, "%s\n", value_format_seconds(uptime_s > 0 ? (uint64_t)uptime_s : 0, text));
    cli_show_field_if_set(result, "memory", "memory", "", out);
    cli_show_field_if_set(result, "MAC pool", "mac_pool", "", out);
    (void)fprintf(out, "\n");
    cli_show_list(json_object_get(result, "workers"), columns, "no workers", out);
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
        [METHOD_SWITCH_LIST] = cli_show_switches,
        [METHOD_SWITCH_SHOW] = cli_show_switch,
        [METHOD_SWITCH_REMOVE] = show_nothing,
        [METHOD_VNIC_ADD] = cli_show_added_vnic,
        [METHOD_VNIC_SET] = cli_show_set_vnic,
        [METHOD_VNIC_LIST] = cli_show_vnics,
        [METHOD_VNIC_SHOW] = cli_show_vnic,
        [METHOD_VNIC_REMOVE] = show_nothing,
        [METHOD_TEAM_ADD] = show_nothing,
        [METHOD_TEAM_SET] = show_nothing,
        [METHOD_TEAM_LIST] = cli_show_teams,
        [METHOD_TEAM_SHOW] = cli_show_team,
        [METHOD_TEAM_REMOVE] = show_nothing,
        [METHOD_MAC_SHOW] = show_macs,
        [METHOD_MAC_ADD] = show_nothing,
        [METHOD_MAC_REMOVE] = show_nothing,
        [METHOD_MAC_FLUSH] = show_flushed,
        [METHOD_STATS_SHOW] = cli_show_stats,
        [METHOD_CAPTURE_LIST] = show_captures,
        [METHOD_CAPTURE_STOP] = show_nothing,
        [METHOD_VM_RUN] = show_nothing,
        [METHOD_VM_LIST] = cli_show_vms,
        [METHOD_VM_SHOW] = cli_show_vm,
        [METHOD_VM_PAUSE] = show_nothing,
        [METHOD_VM_RESUME] = show_nothing,
        [METHOD_VM_STOP] = show_nothing,
        [METHOD_VM_SET] = show_nothing,
        [METHOD_CONFIG_SHOW] = show_json,
        [METHOD_CONFIG_CHECK] = show_checked,
        [METHOD_DAEMON_SHOW] = show_daemon,
        [METHOD_DAEMON_SET] = show_nothing,
        [METHOD_DAEMON_STOP] = show_nothing,
    };

    if (renderers[spec->id] != NULL) {
        renderers[spec->id](result, out);
    } else {
        show_json(result, out);
    }
}
