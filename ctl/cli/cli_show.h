/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results for people: what `list`, `show` and the rest print without --json.
 *
 * A renderer believes nothing about a result but that it is JSON: a key that is not there is shown
 * as "-", so that this program and a daemon of another version still get along.
 */
#ifndef CTL_CLI_SHOW_H
#define CTL_CLI_SHOW_H

#include <stdio.h>

#include <jansson.h>

#include "ctl/method.h"

/** Prints the result of @p spec. */
void cli_show(const struct method_spec *spec, const json_t *result, FILE *out);

/** The ports in a result of switch.show or stats.show: an array, borrowed, or NULL. */
const json_t *cli_show_ports(const json_t *result);

/** The sum of a port's drops. */
json_int_t cli_show_drops(const json_t *port);

#endif
