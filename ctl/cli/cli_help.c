/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_help.h"

#include <string.h>

#include "ctl/cli/cli_words.h"

#define LINE_COLUMNS   96
#define COMMAND_COLUMNS 26     /* "capture start" and a positional fit */

/* Writes " --key VALUE" as the usage shows it; @return how many columns that takes. */
static int print_key_usage(const struct method_key *key, FILE *out)
{
    char option[CLI_OPTION_SIZE];
    const char *open = key->required ? "" : "[";
    const char *close = key->required ? "" : "]";

    if (key->positional) {
        return fprintf(out, " %s%s%s", open, key->placeholder, close);
    }
    (void)cli_option(key, option);
    if (key->kind == METHOD_KIND_FLAG) {
        return fprintf(out, " %s%s%s", open, option, close);
    }
    return fprintf(out, " %s%s %s%s%s", open, option, key->placeholder, close,
                   key->repeated ? "..." : "");
}

/* The columns print_key_usage() is going to take. */
static int key_usage_columns(const struct method_key *key)
{
    const size_t name = key->positional ? 0 : strlen(key->name) + 2;
    const size_t value = key->kind == METHOD_KIND_FLAG ? 0 : strlen(key->placeholder) + 1;

    return (int)(1 + name + value + (key->required ? 0 : 2) + (key->repeated ? 3 : 0));
}

static void print_usage(const struct method_spec *spec, FILE *out)
{
    int columns = fprintf(out, "Usage: vswitchctl %s %s", spec->noun, spec->verb);
    const int indent = columns;

    for (size_t i = 0; i < method_key_count(spec); i++) {
        const struct method_key *key = &spec->keys[i];

        if (columns + key_usage_columns(key) > LINE_COLUMNS) {
            (void)fprintf(out, "\n%*s", indent, "");
            columns = indent;
        }
        columns += print_key_usage(key, out);
    }
    (void)fprintf(out, "\n");
}

static void print_key(const struct method_key *key, FILE *out)
{
    char option[CLI_OPTION_SIZE];
    char expects[160];

    if (key->positional) {
        (void)fprintf(out, "  %s\n", key->placeholder);
    } else if (key->kind == METHOD_KIND_FLAG) {
        (void)fprintf(out, "  %s\n", cli_option(key, option));
    } else {
        (void)fprintf(out, "  %s %s%s\n", cli_option(key, option), key->placeholder,
                      key->repeated ? ", as often as needed" : "");
    }
    (void)fprintf(out, "      %s\n", key->help);
    if (key->kind == METHOD_KIND_FLAG) {
        return;
    }
    const int columns = fprintf(out, "      %s", method_key_expects(key, expects, sizeof(expects)));

    if (key->preset != NULL) {
        const bool fits = columns + (int)strlen("; default: ") + (int)strlen(key->preset) <=
                          LINE_COLUMNS;

        (void)fprintf(out, "%sdefault: %s", fits ? "; " : "\n      ", key->preset);
    }
    (void)fprintf(out, "\n");
}

void cli_help_method(const struct method_spec *spec, FILE *out)
{
    const size_t count = method_key_count(spec);

    print_usage(spec, out);
    (void)fprintf(out, "\n%s.\n%s", spec->help, count > 0 ? "\n" : "");
    for (size_t i = 0; i < count; i++) {
        print_key(&spec->keys[i], out);
    }
    (void)fprintf(out, "\nExample:\n  %s\n", spec->example);
    if (count > 0) {
        (void)fprintf(out, "\nNumbers take k, M, G and T (of 1000; of 1024 where they count "
                      "bytes), times take ms, s, m and h.\n");
    }
}

/* One line: the command with its positional, and what it does. */
static void print_command(const struct method_spec *spec, FILE *out)
{
    const struct method_key *positional = method_positional(spec);
    int columns = fprintf(out, "  %s %s", spec->noun, spec->verb);

    if (positional != NULL) {
        columns += print_key_usage(positional, out);
    }
    (void)fprintf(out, "%*s %s\n", columns < COMMAND_COLUMNS ? COMMAND_COLUMNS - columns : 0, "",
                  spec->help);
}

static void print_commands(const char *noun, FILE *out)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (!spec->hidden && strcmp(spec->noun, noun) == 0) {
            print_command(spec, out);
        }
    }
}

void cli_help_noun(const char *noun, FILE *out)
{
    (void)fprintf(out, "%s: %s.\n\n", noun, method_noun_help(noun));
    print_commands(noun, out);
    (void)fprintf(out, "\n`vswitchctl %s VERB --help` explains one of them.\n", noun);
}

static void print_globals(FILE *out)
{
    const char *placeholder;
    const char *help;
    const char *option;

    for (size_t i = 0; (option = cli_global_option(i, &placeholder, &help)) != NULL; i++) {
        (void)fprintf(out, "  %-10s %-4s           %s\n", option,
                      placeholder != NULL ? placeholder : "", help);
    }
}

void cli_help_all(FILE *out)
{
    const char *noun = "";

    (void)fprintf(out, "Usage: vswitchctl [--run-dir DIR] [--json] [--timeout S] NOUN VERB [NAME] "
                  "[--key value]...\n");
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (strcmp(noun, spec->noun) != 0) {
            noun = spec->noun;
            (void)fprintf(out, "\n%s: %s\n", noun, method_noun_help(noun));
            print_commands(noun, out);
        }
    }
    (void)fprintf(out, "\nOptions of every command:\n");
    print_globals(out);
    (void)fprintf(out, "\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon "
                  "there.\n`vswitchctl NOUN VERB --help` explains a command with an example.\n");
}
