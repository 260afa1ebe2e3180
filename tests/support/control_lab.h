/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tests of the control channel share: a lab for each test, something in it, and answers as
 * text.
 */
#ifndef TESTS_SUPPORT_CONTROL_LAB_H
#define TESTS_SUPPORT_CONTROL_LAB_H

#include <jansson.h>

#include "tests/support/lab.h"

/** A cmocka setup and teardown: *state is a struct lab with a daemon that runs. */
int control_lab_setup(void **state);
int control_lab_teardown(void **state);

/** Where a program of the variant under test is; valid until the second next call. */
const char *control_lab_program(const char *name);

/** Two switches, lan with b and d and dmz with c, and 02:00:00:00:00:01 pinned to b. */
void control_lab_fill(struct lab *lab);

/** Fails the test unless @p command is refused with a sentence that has @p sentence in it. */
void control_lab_assert_refused(struct lab *lab, const char *command, const char *sentence);

/** What @p command prints with --json.  @return owned, for free() */
char *control_lab_text(struct lab *lab, const char *command);

/** How long the list is that @p command prints. */
json_int_t control_lab_count(struct lab *lab, const char *command);

#endif
