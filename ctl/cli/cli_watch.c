/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_watch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "ctl/cli/cli_interrupt.h"
#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_table.h"
#include "ctl/value.h"

static double now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    const char *a_text = json_string_value(json_object_get(a, key));
    const char *b_text = json_string_value(json_object_get(b, key));

    return a_text == b_text || (a_text != NULL && b_text != NULL && strcmp(a_text, b_text) == 0);
}

/* The same port in another reading.  Mostly it is at the same place; a name may be of two kinds. */
static const json_t *find_port(const json_t *ports, const json_t *port, size_t place)
{
    const size_t count = json_array_size(ports);

    for (size_t i = 0; i < count; i++) {
        const json_t *other = json_array_get(ports, (place + i) % count);

        if (same_text(other, port, "name") && same_text(other, port, "switch") &&
            same_text(other, port, "kind")) {
            return other;
        }
    }
    return NULL;
}

/* Appends a rate; "-" while there is nothing to compare with, or after the port was made anew. */
static void rate_cell(struct cli_table *table, bool known, json_int_t difference, double scale)
{
    char text[VALUE_TEXT_SIZE] = "-";

    if (known && difference >= 0) {
        (void)value_format_count((double)difference * scale, text);
    }
    cli_table_text(table, text);
}

static json_int_t difference_of(const json_t *before, const json_t *now, const char *key)
{
    return json_integer_value(json_object_get(now, key)) -
           json_integer_value(json_object_get(before, key));
}

void cli_watch_print(const json_t *before, const json_t *now, double seconds, FILE *out)
{
    static const char *const heads[] = { "~SWITCH", "~PORT", "STATE", ">FROM FRAMES/S",
                                         ">FROM BIT/S", ">TO FRAMES/S", ">TO BIT/S", ">DROPS/S",
                                         NULL };
    const json_t *ports = cli_show_ports(now);
    struct cli_table *table = cli_table_create(heads);
    const double scale = seconds > 0 ? 1 / seconds : 0;

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const json_t *old = find_port(cli_show_ports(before), port, i);
        const bool known = old != NULL && seconds > 0;

        cli_table_json(table, json_object_get(port, "switch"));
        cli_table_json(table, json_object_get(port, "name"));
        cli_table_json(table, json_object_get(port, "state"));
        rate_cell(table, known, difference_of(old, port, "from_frames"), scale);
        rate_cell(table, known, difference_of(old, port, "from_bytes"), 8 * scale);
        rate_cell(table, known, difference_of(old, port, "to_frames"), scale);
        rate_cell(table, known, difference_of(old, port, "to_bytes"), 8 * scale);
        rate_cell(table, known, cli_show_drops(port) - cli_show_drops(old), scale);
    }
    cli_table_print(table, "no ports", out);
    cli_table_destroy(table);
    (void)fprintf(out, "\n");
}

int cli_watch(struct client *client, const struct cli_command *command, FILE *out,
              struct error *error)
{
    const json_int_t pause_ms = json_integer_value(json_object_get(command->own, "watch"));
    const struct timespec pause = {
        .tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000,
    };
    json_t *before = NULL;
    double before_s = 0;
    int rc = 0;

    cli_interrupt_catch();
    while (rc == 0 && cli_interrupt_count() == 0) {
        json_t *now = NULL;
        const double now_s = now_seconds();

        rc = client_call(client, command->spec->name, command->params, &now, error);
        if (rc != 0) {
            break;
        }
        if (command->json) {
            (void)json_dumpf(now, out, JSON_COMPACT | JSON_ENCODE_ANY);
            (void)fprintf(out, "\n");
        } else {
            cli_watch_print(before, now, before != NULL ? now_s - before_s : 0, out);
        }
        if (fflush(out) != 0) {
            rc = error_set(error, EIO, "The output cannot be written: %s.", strerror(errno));
        }
        json_decref(before);
        before = now;
        before_s = now_s;
        cli_interrupt_sleep(&pause);
    }
    json_decref(before);
    return cli_interrupt_count() > 0 ? 0 : rc;
}
