/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16u

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

/* What a daemon, or a guest through it, says is not let loose on a terminal. */
static char *make_harmless(char *text)
{
    for (char *c = text; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    return text;
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

static const char *head_text(const struct cli_table *table, size_t column)
{
    return table->heads[column] + (is_number_column(table, column) ? 1 : 0);
}

static const char *cell_text(const struct cli_table *table, size_t cell)
{
    return cell < table->cell_count && table->cells[cell] != NULL ? table->cells[cell] : "?";
}

/* Prints a cell; the last one of a row has nothing behind it. */
static void print_cell(const struct cli_table *table, size_t column, int width, const char *text,
                       FILE *out)
{
    const bool last = column + 1 == table->columns;

    if (is_number_column(table, column)) {
        (void)fprintf(out, "%*s%s", width, text, last ? "\n" : "  ");
    } else if (last) {
        (void)fprintf(out, "%s\n", text);
    } else {
        (void)fprintf(out, "%-*s  ", width, text);
    }
}

void cli_table_print(const struct cli_table *table, const char *nothing, FILE *out)
{
    int widths[COLUMNS_MAX] = { 0 };

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
    for (size_t i = 0; i < table->columns; i++) {
        print_cell(table, i, widths[i], head_text(table, i), out);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        const size_t column = i % table->columns;

        print_cell(table, column, widths[column], cell_text(table, i), out);
    }
}
