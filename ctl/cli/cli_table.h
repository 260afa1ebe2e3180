/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aligned columns for people: numbers to the right, words to the left, as wide as what is in them.
 *
 * A table is collected first and printed once, because a column's width is known at the end only.
 * Memory that is short loses cells, never the command: what cannot be shown is shown as "?".
 *
 * Lines that are longer than the terminal would wrap into each other, so columns of words that can
 * be long by nature are cut there, and nowhere else: a file or a pipe gets all of them.
 */
#ifndef CTL_CLI_TABLE_H
#define CTL_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct cli_table;

/**
 * @param heads  borrowed for the table's life, NULL at the end; a head that begins with `>` is of a
 *               column of numbers, one with `~` of words that may be cut (neither is printed)
 * @return owned, or NULL when memory is short
 */
struct cli_table *cli_table_create(const char *const *heads);
void cli_table_destroy(struct cli_table *table);              /* NULL is fine */

/** Appends the next cell, row by row.  @param table  NULL is fine */
void cli_table_text(struct cli_table *table, const char *text);

/**
 * Appends a cell from a result: strings as they are, numbers exactly, lists joined by commas, "-"
 * for what is not there or null.
 */
void cli_table_json(struct cli_table *table, const json_t *value);

/**
 * Prints heads and rows, or @p nothing when there is no row.  The width of a terminal is that of
 * @p out, or what the environment says in COLUMNS.
 */
void cli_table_print(const struct cli_table *table, const char *nothing, FILE *out);

/**
 * The text of a value as cli_table_json() shows it, without what could move a terminal's cursor.
 * @return returned owned, or NULL when memory is short
 */
char *cli_text_of(const json_t *value);

/** Prints a text from outside, without what could move a terminal's cursor. */
void cli_put(const char *text, FILE *out);

#endif
