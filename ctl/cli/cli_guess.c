/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_guess.h"

#include <stdio.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The edits between two words, by optimal string alignment; words that are longer count as far. */
static size_t edits_between(const char *a, const char *b)
{
    size_t edits[CLI_GUESS_SIZE][CLI_GUESS_SIZE];
    const size_t a_length = strlen(a);
    const size_t b_length = strlen(b);

    if (a_length >= CLI_GUESS_SIZE || b_length >= CLI_GUESS_SIZE) {
        return CLI_GUESS_SIZE;
    }
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                edits[i][j] = i + j;
                continue;
            }
            edits[i][j] = smaller(smaller(edits[i - 1][j], edits[i][j - 1]) + 1,
                                  edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                edits[i][j] = smaller(edits[i][j], edits[i - 2][j - 2] + 1);
            }
        }
    }
    return edits[a_length][b_length];
}

void cli_guess_start(struct cli_guess *guess, const char *typed)
{
    *guess = (struct cli_guess){ .best_edits = CLI_GUESS_SIZE };
    (void)snprintf(guess->typed, sizeof(guess->typed), "%s", typed);
}

void cli_guess_try(struct cli_guess *guess, const char *known)
{
    const size_t edits = edits_between(guess->typed, known);

    if (edits < guess->best_edits && edits <= (strlen(known) + 2) / 3) {
        guess->best_edits = edits;
        (void)snprintf(guess->best, sizeof(guess->best), "%s", known);
    }
}

const char *cli_guess_text(struct cli_guess *guess)
{
    guess->text[0] = '\0';
    if (guess->best[0] != '\0') {
        (void)snprintf(guess->text, sizeof(guess->text), " (did you mean %s?)", guess->best);
    }
    return guess->text;
}
