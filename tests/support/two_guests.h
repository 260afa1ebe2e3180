/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon with one private switch, "lan", and two guests on it, "a" and "b", as the state of a
 * test.
 */
#ifndef TESTS_SUPPORT_TWO_GUESTS_H
#define TESTS_SUPPORT_TWO_GUESTS_H

#include <stdint.h>

#include "tests/support/frontend.h"
#include "tests/support/lab.h"

struct two_guests {
    struct lab lab;
    struct frontend a, b;
};

/** Makes it; @p lan, @p a and @p b go on the commands that add them: "" or " --mtu 600". */
int two_guests_open(void **state, const char *lan, const char *a, const char *b);
/** A test's teardown: the daemon ends by itself. */
int two_guests_close(void **state);

/** Asks by @p words until the number at @p path is @p wanted; the answer is to be released. */
void two_guests_ask_until(struct two_guests *f, const char *words, const char *path,
                          int64_t wanted, struct lab_answer *answer);

#endif
