/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Mux machine: every state against every combination of what it looks at, and what each state
 * does when entered.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 100000u

static struct lacp_port port;

static const uint8_t ours = LACP_STATE_SYNCHRONIZATION | LACP_STATE_COLLECTING |
                            LACP_STATE_DISTRIBUTING;

/* In @p state, with what was done on the way to it. */
static void arrange(enum lacp_mux_state state)
{
    static const uint8_t actor_state[LACP_MUX_STATE_COUNT] = {
        [LACP_MUX_ATTACHED] = LACP_STATE_SYNCHRONIZATION,
        [LACP_MUX_COLLECTING] = LACP_STATE_SYNCHRONIZATION | LACP_STATE_COLLECTING,
        [LACP_MUX_DISTRIBUTING] = LACP_STATE_SYNCHRONIZATION | LACP_STATE_COLLECTING |
                                  LACP_STATE_DISTRIBUTING,
    };

    port = (struct lacp_port){ .link = { .present = true, .up = true }, .mux = state,
                               .actor.state = actor_state[state],
                               .wait_while_timer_ms = LACP_NEVER };
}

static void see(enum lacp_selected selected, bool partner_sync, bool partner_collects)
{
    port.selected = selected;
    lacp_set(&port.partner, LACP_STATE_SYNCHRONIZATION, partner_sync);
    lacp_set(&port.partner, LACP_STATE_COLLECTING, partner_collects);
}

/* ---- transitions ----------------------------------------------------------------------------- */

struct row {
    enum lacp_mux_state from;
    enum lacp_selected selected;
    unsigned sync, collecting, ready;      /* ANY: 0 or 1 */
    enum lacp_mux_state to;                /* where it comes to rest */
    uint8_t actor;                         /* Synchronization, Collecting, Distributing then */
    bool ntt;
};
#define ANY 2u
#define S   LACP_STATE_SYNCHRONIZATION
#define C   LACP_STATE_COLLECTING
#define D   LACP_STATE_DISTRIBUTING
#define ROW(from, selected, sync, collecting, ready, to, actor, ntt)                               \
    { LACP_MUX_##from, LACP_##selected, sync, collecting, ready, LACP_MUX_##to, actor, ntt }

static const struct row table[] = {
    /*  from          Selected    sync coll ready  to            actor      NTT */
    ROW(DETACHED,     UNSELECTED, ANY, ANY, ANY,   DETACHED,     0,         false),
    ROW(DETACHED,     STANDBY,    ANY, ANY, ANY,   WAITING,      0,         false),
    ROW(DETACHED,     SELECTED,   ANY, ANY, 0,     WAITING,      0,         false),
    ROW(DETACHED,     SELECTED,   0,   ANY, 1,     ATTACHED,     S,         true),
    ROW(DETACHED,     SELECTED,   1,   0,   1,     COLLECTING,   S | C,     true),
    ROW(DETACHED,     SELECTED,   1,   1,   1,     DISTRIBUTING, S | C | D, true),
    ROW(WAITING,      UNSELECTED, ANY, ANY, ANY,   DETACHED,     0,         true),
    ROW(WAITING,      STANDBY,    ANY, ANY, ANY,   WAITING,      0,         false),
    ROW(WAITING,      SELECTED,   ANY, ANY, 0,     WAITING,      0,         false),
    ROW(WAITING,      SELECTED,   0,   ANY, 1,     ATTACHED,     S,         true),
    ROW(WAITING,      SELECTED,   1,   0,   1,     COLLECTING,   S | C,     true),
    ROW(WAITING,      SELECTED,   1,   1,   1,     DISTRIBUTING, S | C | D, true),
    ROW(ATTACHED,     UNSELECTED, ANY, ANY, ANY,   DETACHED,     0,         true),
    ROW(ATTACHED,     STANDBY,    ANY, ANY, ANY,   WAITING,      0,         true),
    ROW(ATTACHED,     SELECTED,   0,   ANY, ANY,   ATTACHED,     S,         false),
    ROW(ATTACHED,     SELECTED,   1,   0,   ANY,   COLLECTING,   S | C,     true),
    ROW(ATTACHED,     SELECTED,   1,   1,   ANY,   DISTRIBUTING, S | C | D, true),
    ROW(COLLECTING,   UNSELECTED, ANY, ANY, ANY,   DETACHED,     0,         true),
    ROW(COLLECTING,   STANDBY,    ANY, ANY, ANY,   WAITING,      0,         true),
    ROW(COLLECTING,   SELECTED,   0,   ANY, ANY,   ATTACHED,     S,         true),
    ROW(COLLECTING,   SELECTED,   1,   0,   ANY,   COLLECTING,   S | C,     false),
    ROW(COLLECTING,   SELECTED,   1,   1,   ANY,   DISTRIBUTING, S | C | D, false),
    ROW(DISTRIBUTING, UNSELECTED, ANY, ANY, ANY,   DETACHED,     0,         true),
    ROW(DISTRIBUTING, STANDBY,    ANY, ANY, ANY,   WAITING,      0,         true),
    ROW(DISTRIBUTING, SELECTED,   0,   ANY, ANY,   ATTACHED,     S,         true),
    ROW(DISTRIBUTING, SELECTED,   1,   0,   ANY,   COLLECTING,   S | C,     true),
    ROW(DISTRIBUTING, SELECTED,   1,   1,   ANY,   DISTRIBUTING, S | C | D, false),
};
#define ROWS (sizeof(table) / sizeof(*table))

static bool holds(unsigned wanted, unsigned value)
{
    return wanted == ANY || wanted == value;
}

/* The row of a combination: exactly one. */
static const struct row *row_of(enum lacp_mux_state from, enum lacp_selected selected,
                                unsigned sync, unsigned collecting, unsigned ready)
{
    const struct row *found = NULL;

    for (unsigned i = 0; i < ROWS; i++) {
        const struct row *row = &table[i];

        if (row->from == from && row->selected == selected && holds(row->sync, sync) &&
            holds(row->collecting, collecting) && holds(row->ready, ready)) {
            assert_null(found);
            found = row;
        }
    }
    assert_non_null(found);
    return found;
}

static void test_lacp_mux_goes_by_the_table(void **state)
{
    (void)state;

    for (unsigned i = 0; i < LACP_MUX_STATE_COUNT * 3 * 8; i++) {
        const enum lacp_mux_state from = (enum lacp_mux_state)(i / 24);
        const enum lacp_selected selected = (enum lacp_selected)(i / 8 % 3);
        const unsigned sync = i & 1, collecting = i >> 1 & 1, ready = i >> 2 & 1;
        const struct row *row = row_of(from, selected, sync, collecting, ready);

        arrange(from);
        see(selected, sync, collecting);
        lacp_mux_run(&port, ready, NOW);
        if (port.mux != row->to || (port.actor.state & ours) != row->actor ||
            port.ntt != row->ntt) {
            fail_msg("row %td: in %u, state 0x%02x, NTT %d", row - table, port.mux,
                     port.actor.state, port.ntt);
        }
    }
}

/* ---- one step after another ------------------------------------------------------------------ */

static void test_lacp_mux_begins_detached(void **state)
{
    (void)state;

    arrange(LACP_MUX_DISTRIBUTING);
    lacp_mux_begin(&port);

    assert_int_equal(port.mux, LACP_MUX_DETACHED);
    assert_int_equal(port.actor.state & ours, 0);
    assert_true(port.ntt);
}

static void test_lacp_mux_waits_two_seconds(void **state)
{
    (void)state;

    arrange(LACP_MUX_DETACHED);
    see(LACP_SELECTED, false, false);
    lacp_mux_run(&port, false, NOW);
    assert_int_equal(port.wait_while_timer_ms, NOW + 2000);
    lacp_mux_run(&port, false, NOW + 1999);
    assert_false(port.ready_n);
    lacp_mux_run(&port, false, NOW + 2000);

    assert_true(port.ready_n);
    assert_int_equal(port.wait_while_timer_ms, LACP_NEVER);
    assert_int_equal(port.mux, LACP_MUX_WAITING);
}

static void test_lacp_mux_standby_waits_once_only(void **state)
{
    (void)state;

    arrange(LACP_MUX_DETACHED);
    see(LACP_STANDBY, true, false);
    lacp_mux_run(&port, false, NOW);
    lacp_mux_run(&port, false, NOW + 2000);
    see(LACP_SELECTED, true, false);
    lacp_mux_run(&port, false, NOW + 9000);
    assert_true(port.ready_n);
    lacp_mux_run(&port, true, NOW + 9000);

    assert_int_equal(port.mux, LACP_MUX_COLLECTING);
    assert_false(port.ready_n);
}

static void test_lacp_mux_unselected_wait_starts_again(void **state)
{
    (void)state;

    arrange(LACP_MUX_DETACHED);
    see(LACP_SELECTED, false, false);
    lacp_mux_run(&port, false, NOW);
    see(LACP_UNSELECTED, false, false);
    lacp_mux_run(&port, false, NOW + 1000);
    assert_false(port.ready_n);
    assert_int_equal(port.wait_while_timer_ms, LACP_NEVER);
    see(LACP_SELECTED, false, false);
    lacp_mux_run(&port, false, NOW + 2500);

    assert_false(port.ready_n);
    assert_int_equal(port.wait_while_timer_ms, NOW + 4500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_mux_##name)
        T(goes_by_the_table),
        T(begins_detached),
        T(waits_two_seconds),
        T(standby_waits_once_only),
        T(unselected_wait_starts_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
