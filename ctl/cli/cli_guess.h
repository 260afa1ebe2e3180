/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Did you mean": the known word that is nearest to one that was mistyped.
 *
 * Near is few edits (a letter put in, left out, exchanged, or two neighbours swapped), at most a
 * third of the word: a guess that is wrong is worse than none.
 */
#ifndef CTL_CLI_GUESS_H
#define CTL_CLI_GUESS_H

#include <stddef.h>

#define CLI_GUESS_SIZE 48u

struct cli_guess {
    char typed[CLI_GUESS_SIZE];
    char best[CLI_GUESS_SIZE];      /* "" while there is none */
    size_t best_edits;
    char text[CLI_GUESS_SIZE + 24];
};

void cli_guess_start(struct cli_guess *guess, const char *typed);

/** Offers a known word. */
void cli_guess_try(struct cli_guess *guess, const char *known);

/** " (did you mean NAME?)", or "" when nothing is near; valid as long as @p guess. */
const char *cli_guess_text(struct cli_guess *guess);

#endif
