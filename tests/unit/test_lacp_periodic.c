/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Periodic Transmission machine: every state against every combination of what it looks at.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 100000u

static struct lacp_port port;

static void arrange(enum lacp_periodic_state state, bool partner_short, bool expired)
{
    port = (struct lacp_port){ .link = { .present = true, .up = true }, .periodic = state,
                               .actor.state = LACP_STATE_ACTIVITY,
                               .periodic_timer_ms = state == LACP_PERIODIC_NO_PERIODIC ? LACP_NEVER
                                                    : expired ? NOW : NOW + 1 };
    lacp_set(&port.partner, LACP_STATE_SHORT_TIMEOUT, partner_short);
}

struct row {
    enum lacp_periodic_state from;
    bool partner_short, expired;
    enum lacp_periodic_state to;           /* where it comes to rest */
    bool ntt;                              /* it was in PERIODIC_TX */
    uint64_t timer_ms;
};
#define ROW(from, is_short, expired, to, ntt, timer)                                               \
    { LACP_PERIODIC_##from, is_short, expired, LACP_PERIODIC_##to, ntt, timer }

static const struct row table[] = {
    /*  from           short  expired to             NTT    timer */
    ROW(NO_PERIODIC,   true,  false,  FAST_PERIODIC, false, NOW + 1000),
    ROW(NO_PERIODIC,   false, false,  SLOW_PERIODIC, false, NOW + 30000),
    ROW(FAST_PERIODIC, true,  false,  FAST_PERIODIC, false, NOW + 1),
    ROW(FAST_PERIODIC, true,  true,   FAST_PERIODIC, true,  NOW + 1000),
    ROW(FAST_PERIODIC, false, false,  SLOW_PERIODIC, false, NOW + 30000),
    ROW(FAST_PERIODIC, false, true,   SLOW_PERIODIC, false, NOW + 30000),
    ROW(SLOW_PERIODIC, false, false,  SLOW_PERIODIC, false, NOW + 1),
    ROW(SLOW_PERIODIC, false, true,   SLOW_PERIODIC, true,  NOW + 30000),
    ROW(SLOW_PERIODIC, true,  false,  FAST_PERIODIC, true,  NOW + 1000),
    ROW(SLOW_PERIODIC, true,  true,   FAST_PERIODIC, true,  NOW + 1000),
    ROW(PERIODIC_TX,   true,  false,  FAST_PERIODIC, false, NOW + 1000),
    ROW(PERIODIC_TX,   false, false,  SLOW_PERIODIC, false, NOW + 30000),
};

static void test_lacp_periodic_goes_by_the_table(void **state)
{
    (void)state;

    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const struct row *row = &table[i];

        arrange(row->from, row->partner_short, row->expired);
        lacp_periodic_run(&port, NOW);
        if (port.periodic != row->to || port.ntt != row->ntt ||
            port.periodic_timer_ms != row->timer_ms) {
            fail_msg("row %u: in %u, NTT %d", i, port.periodic, port.ntt);
        }
    }
}

/* The global transition, from all states, by each of its reasons. */
static void test_lacp_periodic_is_silent_when_it_has_to_be(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 12; i++) {
        arrange((enum lacp_periodic_state)(i / 3), true, true);
        port.ntt = true;
        port.link.up = i % 3 != 0;
        port.link.half_duplex = i % 3 == 1;
        lacp_set(&port.actor, LACP_STATE_ACTIVITY, i % 3 != 2);
        lacp_periodic_run(&port, NOW);
        assert_int_equal(port.periodic, LACP_PERIODIC_NO_PERIODIC);
        assert_int_equal(port.periodic_timer_ms, LACP_NEVER);
        assert_false(port.ntt);
    }
}

static void test_lacp_periodic_passive_end_speaks_to_an_active_one(void **state)
{
    (void)state;

    arrange(LACP_PERIODIC_NO_PERIODIC, true, false);
    port.actor.state = 0;
    port.ntt = true;
    lacp_set(&port.partner, LACP_STATE_ACTIVITY, true);
    lacp_periodic_run(&port, NOW);

    assert_int_equal(port.periodic, LACP_PERIODIC_FAST_PERIODIC);
    assert_true(port.ntt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_periodic_##name)
        T(goes_by_the_table),
        T(is_silent_when_it_has_to_be),
        T(passive_end_speaks_to_an_active_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
