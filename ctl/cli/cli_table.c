/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define COLUMNS_MAX  16u
#define CUT_MIN      8             /* no column is cut to less */
#define TERMINAL_MAX 10000         /* columns; what claims more is no terminal */

struct cli_table {
    const char *const *heads;
    size_t columns;
    char **cells;                  /* owned; row after row */
    size_t cell_count, cell_size;
};

struct cli_table *cli_table_create(const char *const *heads)
{
    struct cli_table *table = calloc(1, sizeof(*table));

    if (table != NULL) {
        table->heads = heads;
        while (table->columns < COLUMNS_MAX && heads[table->columns] != NULL) {
            table->columns++;
        }
    }
    return table;
}

void cli_table_destroy(struct cli_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

/* Appends a cell, which is taken; NULL is a cell that could not be made. */
static void cell_append(struct cli_table *table, char *cell)
{
    if (table == NULL) {
        free(cell);
        return;
    }
    if (table->cell_count == table->cell_size) {
        const size_t size = table->cell_size == 0 ? 64 : table->cell_size * 2;
        char **larger = realloc(table->cells, size * sizeof(*larger));

        if (larger == NULL) {
            free(cell);
            return;
        }
        table->cells = larger;
        table->cell_size = size;
    }
    table->cells[table->cell_count++] = cell;
}

/* Control characters: those of ASCII, and those that UTF-8 writes as 0xc2 and 0x80 to 0x9f. */
static bool is_control(const char *at)
{
    const unsigned char c = (unsigned char)at[0], next = (unsigned char)at[c != '\0'];

    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

/* What a daemon, or a guest through it, says is not let loose on a terminal. */
static char *make_harmless(char *text)
{
    for (char *c = text; c != NULL && *c != '\0'; c++) {
        if (is_control(c)) {
            *c = '?';
        }
    }
    return text;
}

void cli_put(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        (void)fputc(is_control(text) ? '?' : *text, out);
    }
}

static char *list_text(const json_t *list)
{
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *item = cli_text_of(json_array_get(list, i));

        (void)fprintf(out, "%s%s", i == 0 ? "" : ",", item != NULL ? item : "?");
        free(item);
    }
    (void)fclose(out);
    return text;
}

char *cli_text_of(const json_t *value)
{
    char number[48];

    if (value == NULL || json_is_null(value) ||
        (json_is_array(value) && json_array_size(value) == 0)) {
        return strdup("-");
    }
    if (json_is_string(value)) {
        const char *text = json_string_value(value);

        return make_harmless(strdup(*text != '\0' ? text : "-"));
    }
    if (json_is_boolean(value)) {
        return strdup(json_is_true(value) ? "on" : "off");
    }
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return strdup(number);
    }
    if (json_is_real(value)) {
        (void)snprintf(number, sizeof(number), "%.1f", json_real_value(value));
        return strdup(number);
    }
    if (json_is_array(value)) {
        return list_text(value);
    }
    return make_harmless(json_dumps(value, JSON_COMPACT));
}

void cli_table_text(struct cli_table *table, const char *text)
{
    cell_append(table, make_harmless(strdup(text)));
}

void cli_table_json(struct cli_table *table, const json_t *value)
{
    cell_append(table, cli_text_of(value));
}

/* ---- printing -------------------------------------------------------------------------------- */

static bool is_number_column(const struct cli_table *table, size_t column)
{
    return table->heads[column][0] == '>';
}

static bool may_be_cut(const struct cli_table *table, size_t column)
{
    return table->heads[column][0] == '~';
}

static const char *head_text(const struct cli_table *table, size_t column)
{
    const bool marked = is_number_column(table, column) || may_be_cut(table, column);

    return table->heads[column] + (marked ? 1 : 0);
}

static const char *cell_text(const struct cli_table *table, size_t cell)
{
    return cell < table->cell_count && table->cells[cell] != NULL ? table->cells[cell] : "?";
}

/* The columns of the terminal; 0: it is none, or does not say. */
static int terminal_columns(FILE *out)
{
    const char *text = getenv("COLUMNS");
    const long set = text == NULL ? 0 : strtol(text, NULL, 10);
    struct winsize size = { 0 };

    if (set > 0 && set <= TERMINAL_MAX) {
        return (int)set;
    }
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The widest column that can still be cut, or table->columns for none. */
static size_t widest_to_cut(const struct cli_table *table, const int *widths)
{
    size_t widest = table->columns;

    for (size_t i = 0; i < table->columns; i++) {
        if (may_be_cut(table, i) && widths[i] > CUT_MIN &&
            (widest == table->columns || widths[i] > widths[widest])) {
            widest = i;
        }
    }
    return widest;
}

static void fit_widths(const struct cli_table *table, int columns, int *widths)
{
    int total = -2;                /* there is no gap behind the last */

    for (size_t i = 0; i < table->columns; i++) {
        total += widths[i] + 2;
    }
    for (; total > columns; total--) {
        const size_t widest = widest_to_cut(table, widths);

        if (widest == table->columns) {
            return;
        }
        widths[widest]--;
    }
}

/* Prints a cell; the last one of a row has nothing behind it, and one that is cut has a `~`. */
static void print_cell(const struct cli_table *table, size_t column, int width, const char *text,
                       FILE *out)
{
    const bool last = column + 1 == table->columns;
    const bool cut = (int)strlen(text) > width;

    if (is_number_column(table, column)) {
        (void)fprintf(out, "%*s", width, text);
    } else if (cut) {
        (void)fprintf(out, "%.*s~", width - 1, text);
    } else {
        (void)fprintf(out, "%-*s", last ? 0 : width, text);
    }
    (void)fputs(last ? "\n" : "  ", out);
}

void cli_table_print(const struct cli_table *table, const char *nothing, FILE *out)
{
    int widths[COLUMNS_MAX] = { 0 };
    int columns;

    if (table == NULL || table->cell_count == 0) {
        (void)fprintf(out, "%s\n", table == NULL ? "no memory left for a table" : nothing);
        return;
    }
    for (size_t i = 0; i < table->columns + table->cell_count; i++) {
        const size_t column = i % table->columns;
        const char *text = i < table->columns ? head_text(table, column)
                                              : cell_text(table, i - table->columns);
        const int width = (int)strlen(text);

        widths[column] = width > widths[column] ? width : widths[column];
    }
    columns = terminal_columns(out);
    if (columns > 0) {
        fit_widths(table, columns, widths);
    }
    for (size_t i = 0; i < table->columns; i++) {
        print_cell(table, i, widths[i], head_text(table, i), out);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        const size_t column = i % table->columns;

        print_cell(table, column, widths[column], cell_text(table, i), out);
    }
}
