/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_show_parts.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_table.h"
#include "switch/drop.h"

#define COLUMNS_MAX   12
#define LABEL_COLUMNS 12

void cli_show_value(const json_t *value, FILE *out)
{
    char *text = cli_text_of(value);

    (void)fputs(text != NULL ? text : "?", out);
    free(text);
}

void cli_show_words(const json_t *list, FILE *out)
{
    if (json_array_size(list) == 0) {
        (void)fputs("none", out);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        (void)fputs(i == 0 ? "" : " ", out);
        cli_show_value(json_array_get(list, i), out);
    }
}

bool cli_show_is_set(const json_t *value)
{
    return value != NULL && !json_is_null(value) &&
           !(json_is_string(value) && json_string_length(value) == 0) &&
           !(json_is_array(value) && json_array_size(value) == 0);
}

json_int_t cli_show_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* ---- fields and facts ------------------------------------------------------------------------ */

void cli_show_title(const char *what, const json_t *object, FILE *out)
{
    (void)fprintf(out, "%s ", what);
    cli_show_value(json_object_get(object, "name"), out);
    (void)fputc('\n', out);
}

void cli_show_label(const char *label, FILE *out)
{
    (void)fprintf(out, "  %-*s ", LABEL_COLUMNS, label);
}

void cli_show_field(const json_t *object, const char *label, const char *key, const char *unit,
                    FILE *out)
{
    const json_t *value = json_object_get(object, key);

    cli_show_label(label, out);
    cli_show_value(value, out);
    (void)fprintf(out, "%s\n", json_is_number(value) ? unit : "");
}

void cli_show_field_if_set(const json_t *object, const char *label, const char *key,
                           const char *unit, FILE *out)
{
    if (cli_show_is_set(json_object_get(object, key))) {
        cli_show_field(object, label, key, unit, out);
    }
}

void cli_show_fact(struct cli_show_facts *facts, const char *text)
{
    (void)fprintf(facts->out, "%s%s", facts->joint, text);
    facts->joint = ", ";
}

void cli_show_fact_of(struct cli_show_facts *facts, const char *before, const json_t *value,
                      const char *after)
{
    if (cli_show_is_set(value)) {
        cli_show_fact(facts, before);
        cli_show_value(value, facts->out);
        (void)fputs(after, facts->out);
    }
}

/* ---- lists ----------------------------------------------------------------------------------- */

void cli_show_list(const json_t *list, const struct cli_show_column *columns, const char *nothing,
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

/* ---- losses ---------------------------------------------------------------------------------- */

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

/* What the frames were too long for is asked next; so it is beside the loss. */
static void put_mtu(const json_t *port, const char *reason, const char *joint, FILE *out)
{
    if (strcmp(reason, drop_reason_text(DROP_OVER_MTU)) == 0) {
        (void)fprintf(out, "%sMTU ", joint);
        cli_show_value(json_object_get(port, "mtu"), out);
    }
}

void cli_show_reasons(const json_t *port, bool with_name, FILE *out)
{
    const char *reason;
    json_t *count;

    json_object_foreach(json_object_get(port, "drops"), reason, count) {
        if (json_integer_value(count) == 0) {
            continue;
        }
        (void)fprintf(out, "  %12" JSON_INTEGER_FORMAT "  ", json_integer_value(count));
        cli_put(reason, out);
        if (with_name) {
            (void)fputs(" (", out);
            cli_show_value(json_object_get(port, "name"), out);
        }
        put_mtu(port, reason, ", ", out);
        (void)fputs(with_name ? ")\n" : "\n", out);
    }
}

/* Prints "    12  receiver had no free buffers (web0 7, web1 4, removed ports 1)". */
static void print_total_reason(const json_t *ports, const char *reason, json_int_t total, FILE *out)
{
    const char *joint = " (";
    json_int_t removed = total;

    (void)fprintf(out, "  %12" JSON_INTEGER_FORMAT "  ", total);
    cli_put(reason, out);
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const json_int_t own = cli_show_number(json_object_get(port, "drops"), reason);

        if (own != 0) {
            (void)fputs(joint, out);
            cli_show_value(json_object_get(port, "name"), out);
            (void)fprintf(out, " %" JSON_INTEGER_FORMAT, own);
            put_mtu(port, reason, " at ", out);
            joint = ", ";
            removed -= own;
        }
    }
    if (removed > 0) {
        (void)fprintf(out, "%sremoved ports %" JSON_INTEGER_FORMAT, joint, removed);
    }
    (void)fprintf(out, ")\n");
}

void cli_show_total_reasons(const json_t *result, FILE *out)
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
