/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli/cli_guess.h"
#include "ctl/client.h"
#include "ctl/value.h"

#define TIMEOUT_MAX_MS (24u * 60 * 60 * 1000)

/* Where the parser is. */
struct cli_words {
    int argc;
    char *const *argv;
    int at;                            /* the word being read */
    bool has_positional;
    struct cli_command *command;
    struct error *error;
};

enum global {
    GLOBAL_RUN_DIR,
    GLOBAL_JSON,
    GLOBAL_TIMEOUT,
    GLOBAL_HELP,
    GLOBAL_VERSION,
    GLOBAL_COUNT
};

static const struct { const char *option, *placeholder, *help; } globals[GLOBAL_COUNT] = {
    [GLOBAL_RUN_DIR] = { "--run-dir", "DIR", "the daemon's run directory (" CLI_RUN_DIR_ENV
                         ", else " CLI_RUN_DIR_DEFAULT ")" },
    [GLOBAL_JSON]    = { "--json", NULL, "print one JSON value and nothing else" },
    [GLOBAL_TIMEOUT] = { "--timeout", "S", "how long to wait for the daemon (10s)" },
    [GLOBAL_HELP]    = { "--help", NULL, "explain a command, a noun, or all" },
    [GLOBAL_VERSION] = { "--version", NULL, "print the version" },
};

const char *cli_global_option(size_t i, const char **placeholder, const char **help)
{
    if (i >= GLOBAL_COUNT) {
        return NULL;
    }
    *placeholder = globals[i].placeholder;
    *help = globals[i].help;
    return globals[i].option;
}

const char *cli_option(const struct method_key *key, char option[CLI_OPTION_SIZE])
{
    (void)snprintf(option, CLI_OPTION_SIZE, "--%s", key->name);
    for (char *c = option; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    return option;
}

const struct method_key *cli_option_find(const struct method_spec *spec, const char *option)
{
    char typed[CLI_OPTION_SIZE];

    for (size_t i = 0; i < method_key_count(spec); i++) {
        const struct method_key *key = &spec->keys[i];

        if (!key->positional && strcmp(cli_option(key, typed), option) == 0) {
            return key;
        }
    }
    return NULL;
}

/* ---- sentences ------------------------------------------------------------------------------- */

static int unknown_option(const struct cli_words *words, const char *option)
{
    const struct method_spec *spec = words->command->spec;
    struct cli_guess guess;
    char typed[CLI_OPTION_SIZE];
    char quoted[VALUE_QUOTE_SIZE];

    cli_guess_start(&guess, option);
    for (size_t i = 0; i < GLOBAL_COUNT; i++) {
        cli_guess_try(&guess, globals[i].option);
    }
    for (size_t i = 0; spec != NULL && i < method_key_count(spec); i++) {
        if (!spec->keys[i].positional) {
            cli_guess_try(&guess, cli_option(&spec->keys[i], typed));
        }
    }
    (void)value_quote(option, quoted);
    if (spec == NULL) {
        return error_set(words->error, EINVAL, "%s is no option that stands before the noun and "
                         "the verb%s; `vswitchctl --help` shows those.", quoted,
                         cli_guess_text(&guess));
    }
    return error_set(words->error, EINVAL, "`%s %s` has no option %s%s; `vswitchctl %s %s --help` "
                     "shows what it has.", spec->noun, spec->verb, quoted, cli_guess_text(&guess),
                     spec->noun, spec->verb);
}

static int unknown_noun(const struct cli_words *words, const char *word)
{
    struct cli_guess guess;
    char quoted[VALUE_QUOTE_SIZE];

    cli_guess_start(&guess, word);
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        cli_guess_try(&guess, method_get((enum method_id)i)->noun);
    }
    return error_set(words->error, EINVAL, "There is no noun %s%s; `vswitchctl --help` lists them.",
                     value_quote(word, quoted), cli_guess_text(&guess));
}

/* Writes "add, set, list, show or remove". */
static void list_verbs(const char *noun, char *text, size_t text_size)
{
    size_t used = 0;
    const char *verbs[METHOD_COUNT];
    size_t count = 0;

    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (strcmp(spec->noun, noun) == 0 && !spec->hidden) {
            verbs[count++] = spec->verb;
        }
    }
    for (size_t i = 0; i < count && used < text_size; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " or " : ", ";

        used += (size_t)snprintf(text + used, text_size - used, "%s%s", joint, verbs[i]);
    }
}

static int unknown_verb(const struct cli_words *words, const char *word)
{
    const char *noun = words->command->noun;
    struct cli_guess guess;
    char verbs[96] = "";
    char quoted[VALUE_QUOTE_SIZE];

    list_verbs(noun, verbs, sizeof(verbs));
    if (word == NULL) {
        return error_set(words->error, EINVAL, "What about it? `%s` goes on with %s; `vswitchctl "
                         "%s --help` explains them.", noun, verbs, noun);
    }
    cli_guess_start(&guess, word);
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (strcmp(spec->noun, noun) == 0 && !spec->hidden) {
            cli_guess_try(&guess, spec->verb);
        }
    }
    return error_set(words->error, EINVAL, "`%s` has no verb %s%s; it goes on with %s.", noun,
                     value_quote(word, quoted), cli_guess_text(&guess), verbs);
}

/* Names the options of a command that needs one of them. */
static int missing_key(const struct cli_words *words)
{
    const struct method_spec *spec = words->command->spec;
    const size_t count = method_key_count(spec);
    char option[CLI_OPTION_SIZE];
    char options[METHOD_KEYS_MAX * (CLI_OPTION_SIZE + 4)] = "";
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        const char *joint = used == 0 ? "" : i + 1 == count ? " or " : ", ";

        if (!spec->keys[i].positional) {
            used += (size_t)snprintf(options + used, sizeof(options) - used, "%s%s", joint,
                                     cli_option(&spec->keys[i], option));
        }
    }
    return error_set(words->error, EINVAL, "What is to be changed? `%s %s` needs %s; `vswitchctl "
                     "%s %s --help` explains them.", spec->noun, spec->verb, options, spec->noun,
                     spec->verb);
}

/* ---- options --------------------------------------------------------------------------------- */

/* Sets *value to what stands behind `=`, or to the next word; NULL where neither does. */
static void take_value(struct cli_words *words, const char *behind, const char **value)
{
    *value = behind;
    if (behind == NULL && words->at + 1 < words->argc &&
        strncmp(words->argv[words->at + 1], "--", 2) != 0) {
        *value = words->argv[++words->at];
    }
}

static int read_timeout(struct cli_words *words, const char *value)
{
    uint64_t ms = 0;
    char quoted[VALUE_QUOTE_SIZE];

    if (value_parse_time(value, &ms) != 0 || ms == 0 || ms > TIMEOUT_MAX_MS) {
        return error_set(words->error, EINVAL, "--timeout must be a time such as 5s or 300ms, at "
                         "most a day, not %s.", value_quote(value, quoted));
    }
    words->command->timeout_ms = (uint32_t)ms;
    return 0;
}

static int read_global(struct cli_words *words, enum global global, const char *behind)
{
    const char *value = NULL;

    if (globals[global].placeholder == NULL) {
        if (behind != NULL) {
            return error_set(words->error, EINVAL, "%s stands alone and takes no value.",
                             globals[global].option);
        }
    } else {
        take_value(words, behind, &value);
        if (value == NULL || *value == '\0') {
            return error_set(words->error, EINVAL, "%s needs a value: %s.", globals[global].option,
                             globals[global].help);
        }
    }
    switch (global) {
    case GLOBAL_RUN_DIR:
        words->command->run_dir = value;
        break;
    case GLOBAL_JSON:
        words->command->json = true;
        break;
    case GLOBAL_TIMEOUT:
        return read_timeout(words, value);
    case GLOBAL_HELP:
        words->command->action = CLI_HELP;
        break;
    case GLOBAL_VERSION:
        words->command->action = CLI_VERSION;
        break;
    case GLOBAL_COUNT:
        break;
    }
    return 0;
}

/* Puts one more value into the list under @p key; takes it. */
static int append_value(json_t *values, const struct method_key *key, json_t *value)
{
    json_t *list = json_object_get(values, key->name);

    if (list == NULL) {
        list = json_array();
        if (json_object_set_new(values, key->name, list) != 0) {
            json_decref(value);
            return -ENOMEM;
        }
    }
    return json_array_append_new(list, value) == 0 ? 0 : -ENOMEM;
}

/* Puts what was given for @p key where it belongs. */
static int set_key(struct cli_words *words, const struct method_key *key, const char *text)
{
    json_t *values = key->side == METHOD_SIDE_CLIENT ? words->command->own : words->command->params;
    json_t *value = NULL;
    char option[CLI_OPTION_SIZE];
    int rc;

    if (!key->repeated && json_object_get(values, key->name) != NULL) {
        return error_set(words->error, EINVAL, "%s is given twice; which one is meant?",
                         cli_option(key, option));
    }
    rc = method_encode_text(key, text, &value, words->error);
    if (rc != 0) {
        return rc;
    }
    rc = key->repeated ? append_value(values, key, value)
                       : json_object_set_new_nocheck(values, key->name, value);
    return rc == 0 ? 0 : error_set(words->error, ENOMEM, "No memory left.");
}

static int read_option(struct cli_words *words)
{
    const char *word = words->argv[words->at];
    const char *behind = strchr(word, '=');
    const size_t length = behind != NULL ? (size_t)(behind - word) : strlen(word);
    const struct method_key *key = NULL;
    const char *value = NULL;
    char option[CLI_OPTION_SIZE];

    behind = behind != NULL ? behind + 1 : NULL;
    if (length >= sizeof(option)) {
        return unknown_option(words, word);
    }
    memcpy(option, word, length);
    option[length] = '\0';
    for (size_t i = 0; i < GLOBAL_COUNT; i++) {
        if (strcmp(option, globals[i].option) == 0) {
            return read_global(words, (enum global)i, behind);
        }
    }
    if (words->command->spec != NULL) {
        key = cli_option_find(words->command->spec, option);
    }
    if (key == NULL) {
        return unknown_option(words, option);
    }
    if (key->kind == METHOD_KIND_FLAG) {
        value = behind;
    } else {
        take_value(words, behind, &value);
    }
    return set_key(words, key, value);
}

/* ---- words that are no options --------------------------------------------------------------- */

static int read_noun(struct cli_words *words, const char *word)
{
    if (strcmp(word, "help") == 0 && words->command->action == CLI_CALL) {
        words->command->action = CLI_HELP;
        return 0;
    }
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const char *noun = method_get((enum method_id)i)->noun;

        if (strcmp(noun, word) == 0) {
            words->command->noun = noun;
            return 0;
        }
    }
    return unknown_noun(words, word);
}

static int read_verb(struct cli_words *words, const char *word)
{
    if (strcmp(word, "help") == 0) {
        words->command->action = CLI_HELP;
        return 0;
    }
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (strcmp(spec->noun, words->command->noun) == 0 && strcmp(spec->verb, word) == 0) {
            words->command->spec = spec;
            return 0;
        }
    }
    return unknown_verb(words, word);
}

static int read_positional(struct cli_words *words, const char *word)
{
    const struct method_spec *spec = words->command->spec;
    const struct method_key *key = method_positional(spec);
    char quoted[VALUE_QUOTE_SIZE];

    if (key == NULL || words->has_positional) {
        return error_set(words->error, EINVAL, "`%s %s` has no use for the word %s; `vswitchctl "
                         "%s %s --help` shows what it takes.", spec->noun, spec->verb,
                         value_quote(word, quoted), spec->noun, spec->verb);
    }
    words->has_positional = true;
    return set_key(words, key, word);
}

static int read_word(struct cli_words *words)
{
    const char *word = words->argv[words->at];

    if (strcmp(word, "-h") == 0) {
        words->command->action = CLI_HELP;
        return 0;
    }
    if (strncmp(word, "--", 2) == 0) {
        return read_option(words);
    }
    if (words->command->noun == NULL) {
        return read_noun(words, word);
    }
    if (words->command->spec == NULL) {
        return read_verb(words, word);
    }
    return read_positional(words, word);
}

/* A command that is to be run needs its noun, its verb and the keys it cannot do without. */
static int check_complete(const struct cli_words *words)
{
    const struct cli_command *command = words->command;
    char option[CLI_OPTION_SIZE];
    char expects[160];

    if (command->noun == NULL) {
        return error_set(words->error, EINVAL, "What is to be done? Say it as `vswitchctl NOUN "
                         "VERB ...`, such as `vswitchctl switch list`; `vswitchctl --help` lists "
                         "all.");
    }
    if (command->spec == NULL) {
        return unknown_verb(words, NULL);
    }
    for (size_t i = 0; i < method_key_count(command->spec); i++) {
        const struct method_key *key = &command->spec->keys[i];
        const json_t *values = key->side == METHOD_SIDE_CLIENT ? command->own : command->params;

        if (key->required && json_object_get(values, key->name) == NULL) {
            return error_set(words->error, EINVAL, "`%s %s` needs %s%s%s: %s (%s).",
                             command->spec->noun, command->spec->verb,
                             key->positional ? "" : cli_option(key, option),
                             key->positional ? "" : " ", key->placeholder, key->help,
                             method_key_expects(key, expects, sizeof(expects)));
        }
    }
    return method_has_needed_key(command->spec, command->params) ? 0 : missing_key(words);
}

int cli_words_parse(int argc, char *const *argv, struct cli_command *command, struct error *error)
{
    struct cli_words words = { .argc = argc, .argv = argv, .command = command, .error = error };
    const char *run_dir = getenv(CLI_RUN_DIR_ENV);
    int rc = 0;

    *command = (struct cli_command){
        .run_dir = run_dir != NULL && *run_dir != '\0' ? run_dir : CLI_RUN_DIR_DEFAULT,
        .timeout_ms = CLIENT_TIMEOUT_DEFAULT_MS,
        .params = json_object(),
        .own = json_object(),
    };
    for (words.at = 1; words.at < argc && rc == 0; words.at++) {
        if (command->noun == NULL && strcmp(argv[words.at], "--complete") == 0) {
            command->action = CLI_COMPLETE;
            command->rest = words.at + 1;
            return 0;
        }
        rc = read_word(&words);
    }
    return rc == 0 && command->action == CLI_CALL ? check_complete(&words) : rc;
}

void cli_command_clear(struct cli_command *command)
{
    json_decref(command->params);
    json_decref(command->own);
    *command = (struct cli_command){ 0 };
}
