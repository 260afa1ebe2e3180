/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Churn detection: every state against every combination of what it looks at.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 100000u

struct row {
    enum lacp_churn_state from;
    bool enabled, sync, expired;
    enum lacp_churn_state to;
    uint64_t timer_ms;
};
#define ROW(from, enabled, sync, expired, to, timer)                                               \
    { LACP_CHURN_##from, enabled, sync, expired, LACP_CHURN_##to, timer }

static const struct row table[] = {
    /*  from      enabled sync   expired to        timer */
    ROW(MONITOR,  false,  false, true,   MONITOR,  LACP_NEVER),
    ROW(MONITOR,  false,  true,  false,  MONITOR,  LACP_NEVER),
    ROW(MONITOR,  true,   false, false,  MONITOR,  NOW + 1),
    ROW(MONITOR,  true,   false, true,   CHURN,    LACP_NEVER),
    ROW(MONITOR,  true,   true,  false,  NO_CHURN, LACP_NEVER),
    ROW(MONITOR,  true,   true,  true,   NO_CHURN, LACP_NEVER),
    ROW(NO_CHURN, false,  true,  false,  MONITOR,  LACP_NEVER),
    ROW(NO_CHURN, true,   true,  false,  NO_CHURN, LACP_NEVER),
    ROW(NO_CHURN, true,   false, false,  MONITOR,  NOW + 60000),
    ROW(CHURN,    false,  false, false,  MONITOR,  LACP_NEVER),
    ROW(CHURN,    true,   false, false,  CHURN,    LACP_NEVER),
    ROW(CHURN,    true,   true,  false,  NO_CHURN, LACP_NEVER),
};

static void test_lacp_churn_goes_by_the_table(void **state)
{
    (void)state;

    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const struct row *row = &table[i];
        struct lacp_churn churn = { .state = row->from, .timer_ms = LACP_NEVER };

        if (row->from == LACP_CHURN_MONITOR) {
            churn.timer_ms = row->expired ? NOW : NOW + 1;
        }
        lacp_churn_run(&churn, row->enabled, row->sync, NOW);
        if (churn.state != row->to || churn.timer_ms != row->timer_ms) {
            fail_msg("row %u: in %u", i, churn.state);
        }
    }
}

static void test_lacp_churn_time_begins_when_the_port_is_enabled(void **state)
{
    struct lacp_churn churn = { .state = LACP_CHURN_CHURN };
    (void)state;

    lacp_churn_run(&churn, false, false, 1);
    lacp_churn_run(&churn, true, false, NOW);
    assert_int_equal(churn.timer_ms, NOW + 60000);
    lacp_churn_run(&churn, true, false, NOW + 59999);
    assert_int_equal(churn.state, LACP_CHURN_MONITOR);
    lacp_churn_run(&churn, true, false, NOW + 60000);

    assert_int_equal(churn.state, LACP_CHURN_CHURN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_churn_##name)
        T(goes_by_the_table),
        T(time_begins_when_the_port_is_enabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
