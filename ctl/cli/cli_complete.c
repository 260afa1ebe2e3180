/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_complete.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/cli/cli_vm.h"
#include "ctl/cli/cli_words.h"
#include "ctl/client.h"

#define DAEMON_TIMEOUT_MS 500

/* The line being typed, as far as it is understood. */
struct line {
    const char *run_dir;
    const char *noun;
    const struct method_spec *spec;
    bool has_positional;
    const struct method_key *open;     /* an option whose value is being typed */
    const char *typed;                 /* the last word */
    FILE *out;
};

static void offer(const struct line *line, const char *prefix, const char *word)
{
    const size_t prefix_length = strlen(prefix);
    const size_t typed_length = strlen(line->typed);

    if (strncmp(line->typed, prefix, typed_length < prefix_length ? typed_length : prefix_length)
            != 0 ||
        (typed_length > prefix_length &&
         strncmp(line->typed + prefix_length, word, typed_length - prefix_length) != 0)) {
        return;
    }
    (void)fprintf(line->out, "%s%s\n", prefix, word);
}

/* Offers what stands under @p member in the objects of a list. */
static void offer_each(const struct line *line, const char *prefix, const json_t *list,
                       const char *member)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), member));

        if (name != NULL) {
            offer(line, prefix, name);
        }
    }
}

/* Offers what stands under @p member in the objects that a list method returns. */
static void offer_members(const struct line *line, const char *prefix, enum method_id list,
                          const char *member)
{
    struct client *client = NULL;
    json_t *result = NULL;

    if (client_connect(line->run_dir, DAEMON_TIMEOUT_MS, &client, NULL) == 0 &&
        client_call(client, method_get(list)->name, NULL, &result, NULL) == 0) {
        offer_each(line, prefix, result, member);
    }
    json_decref(result);
    client_close(client);
}

static void offer_names(const struct line *line, const char *prefix, enum method_id list)
{
    offer_members(line, prefix, list, "name");
}

static void offer_vms(const struct line *line)
{
    json_t *list = cli_vm_list(line->run_dir, DAEMON_TIMEOUT_MS);

    offer_each(line, "", list, "name");
    json_decref(list);
}

/* Offers the names that a key can mean; a new object's name is nobody's to guess. */
static void offer_objects(const struct line *line, const struct method_key *key)
{
    const bool is_new = key->positional && strcmp(key->placeholder, "NAME") == 0 &&
                        (strcmp(line->spec->verb, "add") == 0 ||
                         strcmp(line->spec->verb, "run") == 0);
    const bool either = key->positional && strcmp(line->noun, "stats") == 0;
    const bool is_port = strcmp(key->placeholder, "PORT") == 0;

    if (is_new) {
        return;
    }
    if (either || strcmp(key->placeholder, "SWITCH") == 0 ||
        (key->positional && strcmp(line->noun, "switch") == 0)) {
        offer_names(line, "", METHOD_SWITCH_LIST);
    }
    if (key->positional && strcmp(line->noun, "vm") == 0) {
        offer_vms(line);
    }
    if (either || (key->positional && strcmp(line->noun, "team") == 0)) {
        offer_names(line, "", METHOD_TEAM_LIST);
    }
    if (strcmp(key->name, "uplink") == 0) {
        offer_names(line, "team:", METHOD_TEAM_LIST);
    }
    if (either || is_port || strcmp(key->placeholder, "VNIC") == 0 ||
        (key->positional && strcmp(line->noun, "vnic") == 0)) {
        offer_names(line, "", METHOD_VNIC_LIST);
    }
    if (is_port) {
        offer_members(line, "", METHOD_SWITCH_LIST, "uplink");
    }
}

static void offer_values(const struct line *line, const struct method_key *key)
{
    for (size_t i = 0; i < METHOD_WORDS_MAX && key->words[i] != NULL; i++) {
        char prefix[CLI_OPTION_SIZE];

        if (key->kind != METHOD_KIND_TARGET) {
            offer(line, "", key->words[i]);
            continue;
        }
        (void)snprintf(prefix, sizeof(prefix), "%s:", key->words[i]);
        if (strcmp(key->words[i], "switch") == 0) {
            offer_names(line, prefix, METHOD_SWITCH_LIST);
        } else if (strcmp(key->words[i], "vnic") == 0) {
            offer_names(line, prefix, METHOD_VNIC_LIST);
        } else if (strcmp(key->words[i], "team") == 0) {
            offer_names(line, prefix, METHOD_TEAM_LIST);
        } else if (strcmp(key->words[i], "uplink") == 0) {
            offer_members(line, prefix, METHOD_SWITCH_LIST, "uplink");
        }
    }
    if (key->kind == METHOD_KIND_ONOFF) {
        offer(line, "", "on");
        offer(line, "", "off");
    }
    if (key->kind == METHOD_KIND_NAME || key->kind == METHOD_KIND_TEXT) {
        offer_objects(line, key);
    }
}

static void offer_options(const struct line *line)
{
    const char *placeholder;
    const char *help;
    const char *option;
    char typed[CLI_OPTION_SIZE];

    for (size_t i = 0; line->spec != NULL && i < method_key_count(line->spec); i++) {
        const struct method_key *key = &line->spec->keys[i];

        if (!key->positional) {
            offer(line, "", cli_option(key, typed));
        }
    }
    for (size_t i = 0; (option = cli_global_option(i, &placeholder, &help)) != NULL; i++) {
        offer(line, "", option);
    }
}

/* Offers nouns, or the verbs of the noun; each once. */
static void offer_table(const struct line *line)
{
    const char *last = "";

    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (line->noun == NULL && strcmp(spec->noun, last) != 0) {
            last = spec->noun;
            offer(line, "", spec->noun);
        }
        if (line->noun != NULL && strcmp(spec->noun, line->noun) == 0 && !spec->hidden) {
            offer(line, "", spec->verb);
        }
    }
}

/* Understands one word that has been typed in full.  @return whether the next one is its value */
static bool read_option_word(struct line *line, const char *word, const char *next)
{
    line->open = NULL;
    if (strcmp(word, "--run-dir") == 0 && next != NULL) {
        line->run_dir = next;
    }
    if (strcmp(word, "--run-dir") == 0 || strcmp(word, "--timeout") == 0) {
        return true;
    }
    if (line->spec != NULL) {
        line->open = cli_option_find(line->spec, word);
    }
    return line->open != NULL && line->open->kind != METHOD_KIND_FLAG;
}

static void read_plain_word(struct line *line, const char *word)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        if (line->noun == NULL && strcmp(spec->noun, word) == 0) {
            line->noun = spec->noun;
            return;
        }
        if (line->noun != NULL && line->spec == NULL && strcmp(spec->noun, line->noun) == 0 &&
            strcmp(spec->verb, word) == 0) {
            line->spec = spec;
            return;
        }
    }
    line->has_positional = true;
}

void cli_complete(int count, char *const *words, FILE *out)
{
    const char *run_dir = getenv(CLI_RUN_DIR_ENV);
    struct line line = {
        .run_dir = run_dir != NULL ? run_dir : CLI_RUN_DIR_DEFAULT,
        .typed = count > 0 ? words[count - 1] : "",
        .out = out,
    };
    bool is_value = false;

    for (int i = 0; i + 1 < count; i++) {
        if (is_value) {
            is_value = false;
        } else if (strncmp(words[i], "--", 2) == 0) {
            is_value = read_option_word(&line, words[i], i + 2 < count ? words[i + 1] : NULL);
        } else {
            read_plain_word(&line, words[i]);
        }
    }
    if (is_value) {
        if (line.open != NULL) {
            offer_values(&line, line.open);
        }
    } else if (line.typed[0] == '-') {
        offer_options(&line);
    } else if (line.spec == NULL) {
        offer_table(&line);
    } else if (!line.has_positional && method_positional(line.spec) != NULL) {
        offer_values(&line, method_positional(line.spec));
    } else {
        offer_options(&line);
    }
}
