/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A coalesce_lab as the state of a test of cmocka, of which the lab, a fuzzer's too, knows nothing.
 */
#ifndef TESTS_SUPPORT_COALESCE_CASE_H
#define TESTS_SUPPORT_COALESCE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/coalesce_lab.h"

#define COALESCE_CASE(test)                                                                      \
    cmocka_unit_test_setup_teardown(test, coalesce_case_setup, coalesce_case_teardown)

static inline int coalesce_case_setup(void **state)
{
    *state = coalesce_lab_create();
    return 0;
}

static inline int coalesce_case_teardown(void **state)
{
    coalesce_lab_destroy(*state);
    return 0;
}

/** Fails the test, with the frames' shape, when the lab finds something wrong. */
static inline void coalesce_case_is_right(struct coalesce_lab *lab)
{
    const char *wrong = coalesce_lab_check(lab);

    if (wrong != NULL) {
        fail_msg("%s: %s", wrong, coalesce_lab_shape(lab));
    }
}

#endif
