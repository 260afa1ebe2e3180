/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vNICs: `vnic list`, `vnic show`, and what `vnic add` answers.
 */
#include "ctl/cli/cli_show_parts.h"

#include <string.h>

#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_table.h"
#include "switch/drop.h"

void cli_show_vnics(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { "NAME", "name" }, { "SWITCH", "switch" }, { "STATE", "state" }, { "MAC", "mac" },
        { ">MTU", "mtu" }, { ">QUEUES", "queues" }, { "~VLAN", "vlan" }, { "SOCKET", "socket" },
        { NULL, NULL }
    };

    cli_show_list(result, columns,
                  "no vNICs; `vswitchctl vnic add NAME --switch SWITCH` makes one", out);
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

/*
 * What the lock on its addresses dropped.  The usual cause is a VMM that was started with another
 * address, so both ways out are said in words that can be typed.
 */
static void print_spoofed(const json_t *result, FILE *out)
{
    const json_int_t count = cli_show_number(json_object_get(result, "drops"),
                                             drop_reason_text(DROP_SPOOFED_SOURCE));
    const json_t *tried = json_object_get(result, "spoof_tried");
    const json_t *allowed = json_object_get(result, "allow_mac");

    if (count <= 0 || !cli_show_is_set(tried) ||
        json_is_false(json_object_get(result, "spoof_guard"))) {
        return;
    }
    cli_show_label("MAC lock", out);
    (void)fprintf(out, "dropped %" JSON_INTEGER_FORMAT " frame%s, the last from ", count,
                  count == 1 ? "" : "s");
    cli_show_value(tried, out);
    (void)fputs(", which is not this vNIC's address:\n", out);
    cli_show_label("", out);
    (void)fputs("start the VM with mac=", out);
    cli_show_value(json_object_get(result, "mac"), out);
    (void)fputs(", or `vswitchctl vnic set ", out);
    cli_show_value(json_object_get(result, "name"), out);
    (void)fputs(" --allow-mac ", out);
    if (cli_show_is_set(allowed)) {
        cli_show_value(allowed, out);
        (void)fputc(',', out);
    }
    cli_show_value(tried, out);
    (void)fputs("`\n", out);
}

/* What may be left undone, and what is: once a guest is there. */
static void print_offload(const json_t *result, FILE *out)
{
    const char *state = json_string_value(json_object_get(result, "state"));

    if (!cli_show_is_set(json_object_get(result, "offload"))) {
        return;
    }
    cli_show_label("offload", out);
    cli_show_value(json_object_get(result, "offload"), out);
    if (state == NULL || strcmp(state, "waiting") != 0) {
        (void)fputs(" (the guest receives ", out);
        cli_show_words(json_object_get(result, "offloads_taken"), out);
        (void)fputs(", sends ", out);
        cli_show_words(json_object_get(result, "offloads_sent"), out);
        (void)fputc(')', out);
    }
    (void)fputc('\n', out);
}

void cli_show_vnic(const json_t *result, FILE *out)
{
    const json_t *counters = json_object_get(result, "counters");

    cli_show_title("vnic", result, out);
    cli_show_field(result, "switch", "switch", "", out);
    cli_show_field(result, "state", "state", "", out);
    cli_show_field_if_set(result, "reason", "broken_reason", "", out);
    cli_show_field_if_set(result, "refused", "refused_reason", "", out);
    cli_show_field(result, "mac", "mac", "", out);
    cli_show_field_if_set(result, "also allowed", "allow_mac", "", out);
    cli_show_field_if_set(result, "spoof guard", "spoof_guard", "", out);
    print_spoofed(result, out);
    cli_show_field_if_set(result, "DHCP guard", "dhcp_guard", "", out);
    cli_show_field_if_set(result, "router guard", "router_guard", "", out);
    cli_show_field(result, "vlan", "vlan", "", out);
    cli_show_field_if_set(result, "priority", "priority", "", out);
    cli_show_field(result, "mtu", "mtu", " bytes", out);
    cli_show_field_if_set(result, "MTU note", "mtu_note", "", out);
    cli_show_field(result, "queues", "queues", "", out);
    cli_show_field(result, "socket", "socket", "", out);
    print_offload(result, out);
    cli_show_field_if_set(result, "offload note", "offload_note", "", out);
    cli_show_field(result, "features", "features", "", out);
    (void)fputc('\n', out);
    print_counters(counters != NULL ? counters : result, out);
    if (cli_show_drops(result) > 0) {
        (void)fprintf(out, "\ndropped:\n");
        cli_show_reasons(result, false, out);
    }
}

/* What set comes to: nothing to say but what does not hold at once. */
void cli_show_set_vnic(const json_t *result, FILE *out)
{
    if (cli_show_is_set(json_object_get(result, "offload_note"))) {
        cli_show_title("vnic", result, out);
        cli_show_field(result, "offload note", "offload_note", "", out);
    }
}

/* What add comes to: nothing to say but where the guest is to attach, and as whom. */
void cli_show_added_vnic(const json_t *result, FILE *out)
{
    if (json_object_get(result, "socket") != NULL) {
        cli_show_title("vnic", result, out);
        cli_show_field(result, "mac", "mac", "", out);
        cli_show_field(result, "socket", "socket", "", out);
    }
}
