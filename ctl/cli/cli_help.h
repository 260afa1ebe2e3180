/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Help, made from the method table: of everything, of a noun, of one command.
 */
#ifndef CTL_CLI_HELP_H
#define CTL_CLI_HELP_H

#include <stdio.h>

#include "ctl/method.h"

/** Lists every command, the options and the exit status. */
void cli_help_all(FILE *out);

/** Lists the commands of @p noun. */
void cli_help_noun(const char *noun, FILE *out);

/**
 * Explains one command: usage, keys with what they accept and what holds without them, an example.
 */
void cli_help_method(const struct method_spec *spec, FILE *out);

#endif
