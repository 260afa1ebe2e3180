/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words of a command line, read by the method table.
 *
 * All of it that is wrong is found here, before a daemon is asked, and told in the words that were
 * typed.  Nothing here knows a command: what words there are is the table's to say.
 */
#ifndef CTL_CLI_WORDS_H
#define CTL_CLI_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "ctl/method.h"
#include "switch/error.h"

#define CLI_RUN_DIR_DEFAULT "/run/vswitch"
#define CLI_RUN_DIR_ENV     "VSWITCH_RUN_DIR"
#define CLI_OPTION_SIZE     48u        /* "--mac-capacity" and its terminator, for every key */

/* What vswitchctl ends with. */
enum cli_status {
    CLI_DONE = 0,
    CLI_REFUSED = 1,                   /* or failed */
    CLI_USAGE = 2,
    CLI_NO_DAEMON = 3,
};

enum cli_action {
    CLI_CALL,                          /* call spec with params */
    CLI_HELP,                          /* of spec, else of noun, else of all */
    CLI_VERSION,
    CLI_COMPLETE,                      /* the words from rest on are being typed */
};

struct cli_command {
    enum cli_action action;
    const char *run_dir;               /* borrowed from the words or the environment */
    bool json;
    uint32_t timeout_ms;
    const char *noun;                  /* borrowed from the table; NULL when none was given */
    const struct method_spec *spec;    /* NULL when no verb was given */
    json_t *params;                    /* owned: what is sent */
    json_t *own;                       /* owned: the keys that stay with the client */
    int rest;                          /* CLI_COMPLETE: index of the first word after it */
};

/**
 * Reads argv[1..argc-1].
 *
 * @param command  filled, and to be cleared also after an error; borrows the words
 * @return 0; -EINVAL with a sentence for a wrong usage; -ENOMEM
 */
int cli_words_parse(int argc, char *const *argv, struct cli_command *command,
                    struct error *error);

void cli_command_clear(struct cli_command *command);

/** Writes @p key as it is typed, "--mac-capacity".  @return @p option */
const char *cli_option(const struct method_key *key, char option[CLI_OPTION_SIZE]);

/** The key of @p spec that is typed as @p option (with its dashes), or NULL. */
const struct method_key *cli_option_find(const struct method_spec *spec, const char *option);

/**
 * The option that stands on every command line, by index; NULL at the end.
 *
 * @param placeholder  set to what its help writes for the value, NULL when it has none
 * @param help         set to its line of help
 */
const char *cli_global_option(size_t i, const char **placeholder, const char **help);

#endif
