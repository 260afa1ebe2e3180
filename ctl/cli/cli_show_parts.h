/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the renderers of cli_show.h are made of: fields, facts, lists of objects, losses by reason.
 */
#ifndef CTL_CLI_SHOW_PARTS_H
#define CTL_CLI_SHOW_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* One column of a list: its head (see cli_table.h) and the key of its cells. */
struct cli_show_column {
    const char *head, *key;
};

/** Prints the objects of @p list as rows, or @p nothing; @p columns end with a NULL key. */
void cli_show_list(const json_t *list, const struct cli_show_column *columns, const char *nothing,
                   FILE *out);

/** Prints a value as cli_text_of() has it. */
void cli_show_value(const json_t *value, FILE *out);
/** Prints the items of a list with blanks between, or "none". */
void cli_show_words(const json_t *list, FILE *out);
/** Prints "switch lan". */
void cli_show_title(const char *what, const json_t *object, FILE *out);
/** Prints "  label        ", as wide as all of them. */
void cli_show_label(const char *label, FILE *out);
/** Prints "  label        value unit". */
void cli_show_field(const json_t *object, const char *label, const char *key, const char *unit,
                    FILE *out);
/** The same, but nothing where there is no such key, or an empty one. */
void cli_show_field_if_set(const json_t *object, const char *label, const char *key,
                           const char *unit, FILE *out);

/* Facts on one line, joined by commas; begin with { out, "" }. */
struct cli_show_facts {
    FILE *out;
    const char *joint;
};

/** Prints one that is a text of our own. */
void cli_show_fact(struct cli_show_facts *facts, const char *text);
/** Prints @p before, the value and @p after; nothing for a value that is not there or empty. */
void cli_show_fact_of(struct cli_show_facts *facts, const char *before, const json_t *value,
                      const char *after);

/** Whether @p value is something: there, not null, not an empty string or list. */
bool cli_show_is_set(const json_t *value);
/** An integer; 0 when it is none. */
json_int_t cli_show_number(const json_t *object, const char *key);

/** Prints "    12  receiver had no free buffers (web0)" for every reason that is not zero. */
void cli_show_reasons(const json_t *port, bool with_name, FILE *out);
/** Prints what a switch lost, by reason, and which of its ports own how much of it. */
void cli_show_total_reasons(const json_t *result, FILE *out);

/* ---- the renderers that have a file of their own --------------------------------------------- */

void cli_show_switches(const json_t *result, FILE *out);
void cli_show_switch(const json_t *result, FILE *out);
void cli_show_stats(const json_t *result, FILE *out);
void cli_show_vnics(const json_t *result, FILE *out);
void cli_show_vnic(const json_t *result, FILE *out);
void cli_show_added_vnic(const json_t *result, FILE *out);
void cli_show_set_vnic(const json_t *result, FILE *out);
void cli_show_teams(const json_t *result, FILE *out);
void cli_show_team(const json_t *result, FILE *out);
void cli_show_vms(const json_t *result, FILE *out);
void cli_show_vm(const json_t *result, FILE *out);

#endif
