/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `config check FILE`: whether the daemon would start with a state file.
 *
 * It is asked when the daemon refuses to start, so there is no daemon to ask: the file is read
 * here, by the very loader of the start, into a model that is thrown away.
 */
#ifndef CTL_CLI_CHECK_H
#define CTL_CLI_CHECK_H

#include <jansson.h>

#include "switch/error.h"

/**
 * Loads the file at @p path and forgets what was in it.
 *
 * @param result  returned owned: {"valid": true, "switches", "vnics", "macs"}, these as counts
 * @return 0; or a negative errno and a sentence when it cannot be read or would be refused
 */
int cli_check(const char *path, json_t **result, struct error *error);

#endif
