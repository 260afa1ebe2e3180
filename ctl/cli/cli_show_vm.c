/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VMs: `vm list` and `vm show`.
 */
#include "ctl/cli/cli_show_parts.h"

#include <inttypes.h>

#include "ctl/cli/cli_table.h"
#include "ctl/value.h"

#define MIB (UINT64_C(1) << 20)

/* Prints a size as it was given: "512M", "4G". */
static const char *size_text(json_int_t bytes, char text[VALUE_TEXT_SIZE])
{
    const uint64_t mib = (uint64_t)bytes / MIB;
    const bool whole_gib = mib % 1024 == 0 && mib > 0;

    (void)snprintf(text, VALUE_TEXT_SIZE, "%" PRIu64 "%c", whole_gib ? mib / 1024 : mib,
                   whole_gib ? 'G' : 'M');
    return text;
}

void cli_show_vms(const json_t *result, FILE *out)
{
    static const char *const heads[] = { "NAME", "STATE", ">PID", ">CPUS", ">MEMORY", "~VNICS",
                                         NULL };
    struct cli_table *table = cli_table_create(heads);
    char text[VALUE_TEXT_SIZE];

    for (size_t i = 0; i < json_array_size(result); i++) {
        const json_t *vm = json_array_get(result, i);

        cli_table_json(table, json_object_get(vm, "name"));
        cli_table_json(table, json_object_get(vm, "state"));
        cli_table_json(table, json_object_get(vm, "pid"));
        cli_table_json(table, json_object_get(vm, "cpus"));
        cli_table_text(table, size_text(cli_show_number(vm, "memory_bytes"), text));
        cli_table_json(table, json_object_get(vm, "vnics"));
    }
    cli_table_print(table, "no VMs; `vswitchctl vm run NAME --kernel FILE` starts one", out);
    cli_table_destroy(table);
}

/* Prints "  exits        12 memory, 40 port": those that are not zero. */
static void print_exits(const json_t *exits, FILE *out)
{
    struct cli_show_facts facts = { out, "" };

    cli_show_label("exits", out);
    for (void *at = json_object_iter((json_t *)(uintptr_t)exits); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)exits, at)) {
        const json_t *count = json_object_iter_value(at);

        if (json_integer_value(count) > 0) {
            cli_show_fact_of(&facts, "", count, " ");
            cli_put(json_object_iter_key(at), out);
        }
    }
    (void)fputc('\n', out);
}

void cli_show_vm(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { "VNIC", "vnic" }, { "LINK", "link" }, { "DRIVER", "driver" }, { ">CONNECTS", "connects" },
        { "~REASON", "reason" }, { NULL, NULL }
    };
    const json_int_t uptime_s = cli_show_number(result, "uptime_s");
    char text[VALUE_TEXT_SIZE];

    cli_show_title("vm", result, out);
    cli_show_field(result, "state", "state", "", out);
    cli_show_field(result, "pid", "pid", "", out);
    cli_show_label("up for", out);
    (void)fprintf(out, "%s\n", value_format_seconds(uptime_s > 0 ? (uint64_t)uptime_s : 0, text));
    cli_show_field(result, "cpus", "cpus", "", out);
    cli_show_label("memory", out);
    (void)fprintf(out, "%s\n", size_text(cli_show_number(result, "memory_bytes"), text));
    cli_show_field(result, "kernel", "kernel", "", out);
    cli_show_field(result, "transport", "transport", "", out);
    cli_show_field(result, "resets", "resets", "", out);
    print_exits(json_object_get(result, "exits"), out);
    (void)fputc('\n', out);
    cli_show_list(json_object_get(result, "adapters"), columns, "no network adapters", out);
}
