/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Teams: `team list`, `team show`.
 *
 * `team show` is what is asked for when a team does not do as it should: one screen that says who
 * carries and how much, and of each who does not, why.
 */
#include "ctl/cli/cli_show_parts.h"

#include <string.h>

#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_table.h"
#include "ctl/value.h"

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* ---- the head -------------------------------------------------------------------------------- */

static void print_lacp_setting(const json_t *result, FILE *out)
{
    const char *mode = json_string_value(json_object_get(result, "mode"));
    struct cli_show_facts facts = { out, "" };

    if (mode == NULL || strcmp(mode, "lacp") != 0) {
        return;
    }
    cli_show_label("LACP", out);
    cli_show_fact_of(&facts, "", json_object_get(result, "lacp_activity"), "");
    cli_show_fact_of(&facts, "", json_object_get(result, "lacp_rate"), "");
    (void)fputc('\n', out);
}

static void print_balance(const json_t *result, FILE *out)
{
    const char *balance = json_string_value(json_object_get(result, "balance"));
    struct cli_show_facts facts = { out, "" };

    cli_show_label("balance", out);
    cli_show_fact_of(&facts, "", json_object_get(result, "balance"), "");
    if (balance != NULL && strcmp(balance, "port") != 0) {
        cli_show_fact_of(&facts, "flows by ", json_object_get(result, "hash"), "");
        cli_show_fact_of(&facts, "flowlet gap ", json_object_get(result, "flowlet_gap_ms"), " ms");
    }
    if (balance != NULL && strcmp(balance, "dynamic") == 0) {
        cli_show_fact_of(&facts, "rebalanced each ", json_object_get(result, "rebalance_ms"),
                         " ms");
        facts.joint = " ";
        cli_show_fact_of(&facts, "when ", json_object_get(result, "imbalance_percent"),
                         " % over");
    }
    (void)fputc('\n', out);
}

/* "2 of 3 carry, primary eth1, 1 failover". */
static void print_carriers(const json_t *result, FILE *out)
{
    const json_int_t failovers = cli_show_number(result, "failovers");
    struct cli_show_facts facts = { out, ", " };

    cli_show_label("members", out);
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " of %zu carry",
                  cli_show_number(result, "active_count"),
                  json_array_size(json_object_get(result, "members")));
    cli_show_fact_of(&facts, "primary ", json_object_get(result, "primary"), "");
    if (failovers > 0) {
        cli_show_fact_of(&facts, "", json_object_get(result, "failovers"),
                         failovers == 1 ? " failover" : " failovers");
    }
    if (cli_show_number(result, "lost_pdus") > 0) {
        cli_show_fact_of(&facts, "", json_object_get(result, "lost_pdus"),
                         " LACP frames that came too fast");
    }
    (void)fputs("\n\n", out);
}

static void print_head(const json_t *result, FILE *out)
{
    const json_t *of = json_object_get(result, "uplink_of");

    cli_show_title("team", result, out);
    cli_show_label("uplink of", out);
    if (cli_show_is_set(of)) {
        (void)fputs("switch ", out);
        cli_show_value(of, out);
    } else {
        (void)fputs("no switch", out);
    }
    (void)fputs(", MTU ", out);
    cli_show_value(json_object_get(result, "mtu"), out);
    (void)fputc('\n', out);
    cli_show_field(result, "mode", "mode", "", out);
    print_lacp_setting(result, out);
    print_balance(result, out);
    cli_show_field(result, "up-delay", "up_delay_ms", " ms", out);
    print_carriers(result, out);
}

/* ---- members --------------------------------------------------------------------------------- */

static void count_cell(struct cli_table *table, bool known, double count)
{
    char text[VALUE_TEXT_SIZE] = "-";

    if (known) {
        (void)value_format_count(count, text);
    }
    cli_table_text(table, text);
}

static void member_cells(struct cli_table *table, const json_t *member)
{
    static const char *const rate_keys[] = { "from_frames_per_s", "from_bits_per_s",
                                             "to_frames_per_s", "to_bits_per_s" };
    const json_t *rates = json_object_get(member, "rates");
    const json_int_t speed_mbps = cli_show_number(member, "speed_mbps");
    json_t *drops = json_integer(cli_show_drops(member));

    cli_table_json(table, json_object_get(member, "name"));
    cli_table_text(table, is_true(member, "standby") ? "standby" : "active");
    cli_table_json(table, json_object_get(member, "state"));
    cli_table_text(table, is_true(member, "active") ? "yes" : "no");
    cli_table_json(table, json_object_get(member, "share_percent"));
    count_cell(table, speed_mbps > 0, (double)speed_mbps * 1e6);
    for (size_t i = 0; i < sizeof(rate_keys) / sizeof(rate_keys[0]); i++) {
        count_cell(table, json_is_object(rates), (double)cli_show_number(rates, rate_keys[i]));
    }
    cli_table_json(table, drops);
    json_decref(drops);
}

static void print_members(const json_t *members, FILE *out)
{
    static const char *const heads[] = {
        "~MEMBER", "ROLE", "STATE", "CARRIES", ">SHARE %", ">SPEED", ">FROM FR/S", ">FROM BIT/S",
        ">TO FR/S", ">TO BIT/S", ">DROPS", NULL
    };
    struct cli_table *table = cli_table_create(heads);

    for (size_t i = 0; i < json_array_size(members); i++) {
        member_cells(table, json_array_get(members, i));
    }
    cli_table_print(table, "no members", out);
    cli_table_destroy(table);
}

/* Who does not carry and why, and what else there is to say of an interface. */
static void print_reasons(const json_t *members, FILE *out)
{
    const char *before = "\n";

    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        const json_t *lines[] = { json_object_get(member, "why"), json_object_get(member, "note") };

        for (size_t k = 0; k < 2; k++) {
            if (!cli_show_is_set(lines[k])) {
                continue;
            }
            (void)fprintf(out, "%s  ", before);
            cli_show_value(json_object_get(member, "name"), out);
            (void)fputs(k == 0 ? " does not carry: " : ": ", out);
            cli_show_value(lines[k], out);
            (void)fputc('\n', out);
            before = "";
        }
    }
}

/* ---- LACP ------------------------------------------------------------------------------------ */

static void lacp_cells(struct cli_table *table, const json_t *member)
{
    const json_t *lacp = json_object_get(member, "lacp");
    const json_t *partner = json_object_get(lacp, "partner");

    cli_table_json(table, json_object_get(member, "name"));
    cli_table_json(table, json_object_get(lacp, "receive"));
    cli_table_json(table, json_object_get(lacp, "mux"));
    cli_table_json(table, json_object_get(partner, "system"));
    cli_table_json(table, json_object_get(partner, "key"));
    cli_table_json(table, json_object_get(partner, "port"));
    cli_table_json(table, json_object_get(lacp, "pdus_in"));
    cli_table_json(table, json_object_get(lacp, "pdus_out"));
    cli_table_json(table, json_object_get(lacp, "pdus_bad"));
}

static void print_lacp(const json_t *members, FILE *out)
{
    static const char *const heads[] = {
        "~MEMBER", "RECEIVE", "MUX", "PARTNER", ">KEY", ">PORT", ">PDUS IN", ">OUT", ">BAD", NULL
    };
    struct cli_table *table = cli_table_create(heads);
    bool any = false;

    for (size_t i = 0; i < json_array_size(members); i++) {
        if (json_is_object(json_object_get(json_array_get(members, i), "lacp"))) {
            lacp_cells(table, json_array_get(members, i));
            any = true;
        }
    }
    if (any) {
        (void)fputc('\n', out);
        cli_table_print(table, "", out);
    }
    cli_table_destroy(table);
}

/* ---- results --------------------------------------------------------------------------------- */

void cli_show_teams(const json_t *result, FILE *out)
{
    static const struct cli_show_column columns[] = {
        { "NAME", "name" }, { "MODE", "mode" }, { "BALANCE", "balance" },
        { "~MEMBERS", "members" }, { "~STANDBY", "standby" }, { "UPLINK OF", "uplink_of" },
        { NULL, NULL }
    };

    cli_show_list(result, columns,
                  "no teams; `vswitchctl team add NAME --members IF,IF` makes one", out);
}

void cli_show_team(const json_t *result, FILE *out)
{
    const json_t *members = json_object_get(result, "members");
    json_int_t drops = 0;

    print_head(result, out);
    print_members(members, out);
    print_reasons(members, out);
    print_lacp(members, out);
    for (size_t i = 0; i < json_array_size(members); i++) {
        drops += cli_show_drops(json_array_get(members, i));
    }
    if (drops > 0) {
        (void)fprintf(out, "\ndropped:\n");
    }
    for (size_t i = 0; i < json_array_size(members); i++) {
        cli_show_reasons(json_array_get(members, i), true, out);
    }
}
