/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `stats show --watch S`: the rates of every port, again and again, until Ctrl-C.
 *
 * The daemon counts and this program divides: rates are the difference of two readings by the time
 * between them, on this side's own clock, so the daemon keeps no state for a watcher.
 */
#ifndef CTL_CLI_WATCH_H
#define CTL_CLI_WATCH_H

#include <stdio.h>

#include "ctl/cli/cli_words.h"
#include "ctl/client.h"
#include "switch/error.h"

/**
 * Shows, sleeps, shows, until interrupted; with --json each reading is one line, as the daemon sent
 * it.
 *
 * @param client  borrowed, connected
 * @return 0 when interrupted; what client_call() said when the daemon went away; -EIO when @p out
 *         cannot be written to
 */
int cli_watch(struct client *client, const struct cli_command *command, FILE *out,
              struct error *error);

/** Prints the rates between two readings of stats.show, @p seconds apart; @p before may be NULL. */
void cli_watch_print(const json_t *before, const json_t *now, double seconds, FILE *out);

#endif
