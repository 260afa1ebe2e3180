/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Switches and their ports: `switch list`, `switch show`, `stats show`.
 *
 * `switch show` is what is asked for when something is wrong: one screen, with what differs from
 * what was wanted (MTUs, carriers, losses) said only when it does.
 */
#include "ctl/cli/cli_show_parts.h"

#include <string.h>

#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_table.h"
#include "ctl/value.h"
#include "switch/offload.h"

/* ---- the head of a switch -------------------------------------------------------------------- */

static void fact_speed(struct cli_show_facts *facts, json_int_t speed_mbps)
{
    char text[VALUE_TEXT_SIZE];

    if (speed_mbps >= 1000) {
        (void)snprintf(text, sizeof(text), "%.*f Gbit/s", speed_mbps % 1000 == 0 ? 0 : 1,
                       (double)speed_mbps / 1000);
    } else {
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " Mbit/s", speed_mbps);
    }
    if (speed_mbps > 0) {
        cli_show_fact(facts, text);
    }
}

/* What is not done in software of frames that leave there, and who does it. */
static void print_offloads(const json_t *list, const char *by, FILE *out)
{
    enum {
#define X(name, value, word) WORD_##name,
        OFFLOAD_TAKES(X)
#undef X
        WORD_COUNT
    };

    if (!json_is_array(list) || by == NULL) {
        return;
    }
    cli_show_label("offloads", out);
    if (json_array_size(list) == 0) {
        (void)fputs("all in software\n", out);
        return;
    }
    cli_show_words(list, out);
    (void)fputs(" by the ", out);
    cli_put(by, out);
    (void)fputs(json_array_size(list) < WORD_COUNT ? "; the rest in software\n" : "\n", out);
}

/* "2 of 3 carry: eth1 up, eth2 up, eth3 no carrier"; more is for `team show`. */
static void print_team(const json_t *team, FILE *out)
{
    const json_t *members = json_object_get(team, "members");
    struct cli_show_facts facts = { out, ": " };

    if (!json_is_object(team)) {
        return;
    }
    cli_show_label("members", out);
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " of %zu carry",
                  cli_show_number(team, "active_count"), json_array_size(members));
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);

        cli_show_fact_of(&facts, "", json_object_get(member, "name"), " ");
        cli_show_value(json_object_get(member, "state"), out);
        (void)fputs(json_is_true(json_object_get(member, "standby")) ? " (standby)" : "", out);
    }
    (void)fputc('\n', out);
}

/* Without a status, as from an older daemon, it is just named. */
static void print_uplink(const json_t *result, FILE *out)
{
    const json_t *status = json_object_get(result, "uplink_status");
    const char *by = json_string_value(json_object_get(status, "offloads_by"));
    const json_int_t losses = cli_show_number(status, "carrier_losses");
    struct cli_show_facts facts = { out, "" };

    if (!cli_show_is_set(json_object_get(result, "uplink"))) {
        return;
    }
    cli_show_label("uplink", out);
    cli_show_fact_of(&facts, "", json_object_get(result, "uplink"), "");
    if (json_is_object(status)) {
        facts.joint = ": ";
        cli_show_fact(&facts, json_is_false(json_object_get(status, "present")) ? "gone"
                              : json_is_false(json_object_get(status, "carrier")) ? "no carrier"
                                                                                  : "up");
        cli_show_fact_of(&facts, "", json_object_get(status, "driver"), "");
        fact_speed(&facts, cli_show_number(status, "speed_mbps"));
        cli_show_fact_of(&facts, "MTU ", json_object_get(status, "mtu"), "");
        cli_show_fact_of(&facts, "", json_object_get(status, "mac"), "");
        if (losses > 0) {
            cli_show_fact_of(&facts, "", json_object_get(status, "carrier_losses"),
                             losses == 1 ? " carrier loss" : " carrier losses");
        }
    }
    (void)fputc('\n', out);
    print_team(json_object_get(result, "team"), out);
    print_offloads(json_object_get(status, "offloads"), by, out);
    cli_show_field_if_set(status, "uplink note", "note", "", out);
    cli_show_field_if_set(status, "moved", "moved", "", out);
    if (json_is_true(json_object_get(status, "present")) &&
        !json_is_object(json_object_get(result, "team")) &&
        json_is_false(json_object_get(status, "exclusive")) &&
        !cli_show_is_set(json_object_get(status, "moved")) &&
        !cli_show_is_set(json_object_get(status, "note"))) {
        cli_show_label("uplink note", out);
        (void)fprintf(out, "the host's own stack sees its frames as well\n");
    }
}

static void print_host(const json_t *result, FILE *out)
{
    const json_t *host = json_object_get(result, "host");
    struct cli_show_facts facts = { out, "" };

    if (!json_is_object(host)) {
        return;
    }
    cli_show_label("host vNIC", out);
    cli_show_fact_of(&facts, "", json_object_get(host, "name"), "");
    facts.joint = ": ";
    cli_show_fact(&facts, json_is_false(json_object_get(host, "present")) ? "gone"
                          : json_is_false(json_object_get(host, "up")) ? "down" : "up");
    cli_show_fact_of(&facts, "MTU ", json_object_get(host, "mtu"), "");
    cli_show_fact_of(&facts, "", json_object_get(host, "mac"), "");
    cli_show_fact_of(&facts, "VLAN ", json_object_get(host, "vlan"), "");
    cli_show_fact_of(&facts, "", json_object_get(host, "addresses"), "");
    (void)fputc('\n', out);
    print_offloads(json_object_get(host, "offloads"),
                   json_is_true(json_object_get(host, "present")) ? "kernel" : NULL, out);
}

/* Who is in the table, for how long, and whether there was room. */
static void print_addresses(const json_t *result, FILE *out)
{
    struct cli_show_facts facts = { out, "" };

    cli_show_label("addresses", out);
    cli_show_fact_of(&facts, "", json_object_get(result, "mac_entries"), "");
    facts.joint = " of ";
    cli_show_fact_of(&facts, "", json_object_get(result, "mac_capacity"), "");
    facts.joint = ", ";
    if (cli_show_number(result, "mac_ageing_s") != 0) {
        cli_show_fact_of(&facts, "ageing ", json_object_get(result, "mac_ageing_s"), " s");
    } else {
        cli_show_fact(&facts, "never ageing");
    }
    if (cli_show_number(result, "mac_moves") != 0) {
        cli_show_fact_of(&facts, "", json_object_get(result, "mac_moves"), " moves");
    }
    (void)fputc('\n', out);
}

/* A guest at its quota of addresses shows here; mostly nothing does. */
static void print_shortage(const json_t *result, const char *label, const char *key,
                           const char *meaning, FILE *out)
{
    const json_int_t count = cli_show_number(result, key);

    if (count > 0) {
        cli_show_label(label, out);
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT " times %s\n", count, meaning);
    }
}

/* Prints those MTUs that are not the switch's by intent, or those that are by accident. */
static void print_mtus(const json_t *result, bool deliberate, const char *label, FILE *out)
{
    const json_t *list = json_object_get(result, "mtu_disagreements");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        struct cli_show_facts facts = { out, "" };

        if (json_is_true(json_object_get(each, "deliberate")) != deliberate) {
            continue;
        }
        cli_show_label(label, out);
        cli_show_fact_of(&facts, "", json_object_get(each, "object"), "");
        facts.joint = " has ";
        cli_show_fact_of(&facts, "", json_object_get(each, "mtu"), "");
        cli_show_fact_of(&facts, "the switch ", json_object_get(each, "switch_mtu"), "");
        facts.joint = ": ";
        cli_show_fact_of(&facts, "", json_object_get(each, "advice"), "");
        (void)fputc('\n', out);
    }
}

static void print_head(const json_t *result, FILE *out)
{
    struct cli_show_facts facts = { out, "" };

    cli_show_title("switch", result, out);
    cli_show_label("type", out);
    cli_show_fact_of(&facts, "", json_object_get(result, "type"), "");
    cli_show_fact_of(&facts, "MTU ", json_object_get(result, "mtu"), "");
    if (cli_show_is_set(json_object_get(result, "uplink"))) {
        cli_show_fact_of(&facts, "coalescing ", json_object_get(result, "coalesce"), "");
    }
    (void)fputc('\n', out);
    print_uplink(result, out);
    print_host(result, out);
    print_addresses(result, out);
    print_shortage(result, "refused", "mac_refused",
                   "an address was not learned, as its port had its share of them", out);
    print_shortage(result, "evicted", "mac_evictions",
                   "an address was forgotten early, to make room for another", out);
    print_mtus(result, false, "MTU differs", out);
    print_mtus(result, true, "lower MTU", out);
    (void)fputc('\n', out);
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* What a port is; the first only where ports of several switches are together. */
#define PORT_HEADS "~SWITCH", "~PORT", "KIND", "STATE", "~VLAN"

static const char *const rate_heads[] = { PORT_HEADS, ">MTU", ">FROM FR/S", ">FROM BIT/S",
                                          ">TO FR/S", ">TO BIT/S", ">DROPS", NULL };
static const char *const rate_keys[] = { "from_frames_per_s", "from_bits_per_s",
                                         "to_frames_per_s", "to_bits_per_s" };
static const char *const count_heads[] = { PORT_HEADS, ">FROM FRAMES", ">FROM BYTES",
                                           ">TO FRAMES", ">TO BYTES", ">DROPS", NULL };
static const char *const count_keys[] = { "from_frames", "from_bytes", "to_frames", "to_bytes" };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* An uplink is in every VLAN, as its members are, which says less in full. */
static void port_cells(struct cli_table *table, const json_t *port, bool with_switch)
{
    const char *kind = json_string_value(json_object_get(port, "kind"));

    if (with_switch) {
        cli_table_json(table, json_object_get(port, "switch"));
    }
    cli_table_json(table, json_object_get(port, "name"));
    cli_table_json(table, json_object_get(port, "kind"));
    cli_table_json(table, json_object_get(port, "state"));
    if (kind != NULL && (strcmp(kind, "uplink") == 0 || strcmp(kind, "member") == 0)) {
        cli_table_text(table, "all");
    } else {
        cli_table_json(table, json_object_get(port, "vlan"));
    }
}

/* The row of all ports; none can be called "(all)". */
static void all_cells(struct cli_table *table, unsigned empty)
{
    cli_table_text(table, "(all)");
    for (unsigned i = 0; i < empty; i++) {
        cli_table_text(table, "");
    }
}

static void drops_cell(struct cli_table *table, const json_t *owner)
{
    json_t *drops = json_integer(cli_show_drops(owner));

    cli_table_json(table, drops);
    json_decref(drops);
}

static void rate_cell(struct cli_table *table, bool known, json_int_t rate)
{
    char text[VALUE_TEXT_SIZE] = "-";

    if (known) {
        (void)value_format_count((double)rate, text);
    }
    cli_table_text(table, text);
}

static void print_rates(const json_t *result, FILE *out)
{
    const json_t *ports = cli_show_ports(result);
    struct cli_table *table = cli_table_create(rate_heads + 1);
    json_int_t sums[COUNT_OF(rate_keys)] = { 0 };
    bool any = false;

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const json_t *rates = json_object_get(port, "rates");

        port_cells(table, port, false);
        cli_table_json(table, json_object_get(port, "mtu"));
        for (size_t k = 0; k < COUNT_OF(rate_keys); k++) {
            const json_int_t rate = cli_show_number(rates, rate_keys[k]);

            rate_cell(table, json_is_object(rates), rate);
            sums[k] += rate;
        }
        any = any || json_is_object(rates);
        drops_cell(table, port);
    }
    if (json_array_size(ports) > 0 || cli_show_drops(result) > 0) {
        all_cells(table, 4);
        for (size_t k = 0; k < COUNT_OF(rate_keys); k++) {
            rate_cell(table, any, sums[k]);
        }
        drops_cell(table, result);
    }
    cli_table_print(table, "no ports", out);
    cli_table_destroy(table);
}

static void count_cells(struct cli_table *table, const json_t *counters, const json_t *owner)
{
    for (size_t i = 0; i < COUNT_OF(count_keys); i++) {
        cli_table_json(table, json_object_get(counters, count_keys[i]));
    }
    drops_cell(table, owner);
}

/* ---- results --------------------------------------------------------------------------------- */

void cli_show_switches(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { "NAME", "name" }, { "TYPE", "type" }, { ">MTU", "mtu" }, { "~UPLINK", "uplink" },
        { "HOST", "host_vnic" }, { ">PORTS", "port_count" }, { ">MACS", "mac_entries" },
        { NULL, NULL }
    };

    cli_show_list(result, columns,
                  "no switches; `vswitchctl switch add NAME --type private` makes one", out);
}

void cli_show_switch(const json_t *result, FILE *out)
{
    print_head(result, out);
    print_rates(result, out);
    cli_show_total_reasons(result, out);
}

/* With one switch its totals are shown as well: they have in them what removed ports counted. */
void cli_show_stats(const json_t *result, FILE *out)
{
    const json_t *ports = cli_show_ports(result);
    const json_t *switches = json_object_get(result, "switches");
    const json_t *only = json_array_size(switches) == 1 ? json_array_get(switches, 0) : NULL;
    struct cli_table *table = cli_table_create(count_heads);
    json_int_t drops = 0;

    for (size_t i = 0; i < json_array_size(ports); i++) {
        port_cells(table, json_array_get(ports, i), true);
        count_cells(table, json_array_get(ports, i), json_array_get(ports, i));
        drops += cli_show_drops(json_array_get(ports, i));
    }
    if (json_is_object(only)) {
        cli_table_json(table, json_object_get(only, "name"));
        all_cells(table, 3);
        count_cells(table, json_object_get(only, "counters"), only);
    }
    cli_table_print(table, "no ports", out);
    cli_table_destroy(table);
    if (drops > 0) {
        (void)fprintf(out, "\ndropped:\n");
    }
    for (size_t i = 0; i < json_array_size(ports); i++) {
        cli_show_reasons(json_array_get(ports, i), true, out);
    }
}
