/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What could be typed next: for the shell's completion, from the method table and the daemon.
 */
#ifndef CTL_CLI_COMPLETE_H
#define CTL_CLI_COMPLETE_H

#include <stdio.h>

/**
 * Prints one candidate a line for the last of @p words, which may be "".  Words that do not begin
 * with what has been typed are left out.  Names of switches and vNICs are asked of the daemon, and
 * are left out when it does not answer at once.
 *
 * @param words  what stands after `vswitchctl` on the line being typed; @p count of them
 */
void cli_complete(int count, char *const *words, FILE *out);

#endif
