/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Receive machine: every state against every event, then what each state does when entered,
 * then the functions of 6.4.9, field by field.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW 100000u

static const struct lacp_end us = {
    .system_mac = 0x00155d0000aa, .system_priority = 32768, .key = 1, .port_priority = 32768,
    .port = 1, .state = LACP_STATE_ACTIVITY | LACP_STATE_SHORT_TIMEOUT | LACP_STATE_AGGREGATION
};
static const struct lacp_end them = {
    .system_mac = 0x00155d0000bb, .system_priority = 100, .key = 9, .port_priority = 128,
    .port = 4, .state = LACP_STATE_ACTIVITY | LACP_STATE_AGGREGATION | LACP_STATE_SYNCHRONIZATION
};

static struct lacp_port port;
static struct lacp_pdu pdu;

/* A port with a partner, in @p state; and a PDU of that partner, with which nothing is new. */
static void arrange(enum lacp_receive_state state)
{
    port = (struct lacp_port){ .link = { .present = true, .up = true }, .actor = us,
                               .partner = them, .selected = LACP_SELECTED, .receive = state,
                               .current_while_timer_ms = LACP_NEVER };
    pdu = (struct lacp_pdu){ .actor = them, .partner = us };
}

/* ---- transitions ----------------------------------------------------------------------------- */

enum event {
    NOTHING,
    DOWN,                          /* port_enabled is FALSE */
    HALF,                          /* LACP_Enabled is FALSE */
    DOWN_AND_MOVED,                /* port_moved is TRUE */
    EXPIRED,                       /* current_while_timer */
    PDU,
    EVENTS
};

#define ROW(from, nothing, down, half, moved, expired, pdu_taken)                                  \
    [LACP_RECEIVE_##from] = { LACP_RECEIVE_##nothing, LACP_RECEIVE_##down, LACP_RECEIVE_##half,    \
                              LACP_RECEIVE_##moved, LACP_RECEIVE_##expired,                        \
                              LACP_RECEIVE_##pdu_taken }

/* What holds after INITIALIZE and PORT_DISABLED have been left, where their conditions say so. */
static const enum lacp_receive_state table[LACP_RECEIVE_STATE_COUNT][EVENTS] = {
    /*   from           nothing        down           half           moved          expired
         PDU */
    ROW(INITIALIZE,    EXPIRED,       PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, EXPIRED,
        INITIALIZE),
    ROW(PORT_DISABLED, EXPIRED,       PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, EXPIRED,
        PORT_DISABLED),
    ROW(LACP_DISABLED, EXPIRED,       PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, EXPIRED,
        LACP_DISABLED),
    ROW(EXPIRED,       EXPIRED,       PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, DEFAULTED,
        CURRENT),
    ROW(DEFAULTED,     DEFAULTED,     PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, DEFAULTED,
        CURRENT),
    ROW(CURRENT,       CURRENT,       PORT_DISABLED, LACP_DISABLED, PORT_DISABLED, EXPIRED,
        CURRENT),
};

static void happen(enum event event)
{
    bool taken;

    port.link.up = event != DOWN && event != DOWN_AND_MOVED;
    port.link.half_duplex = event == HALF;
    port.port_moved = event == DOWN_AND_MOVED;
    port.current_while_timer_ms = event == EXPIRED ? NOW : NOW + 1;
    if (event == PDU) {
        taken = lacp_receive_pdu(&port, &pdu, NOW);
        assert_int_equal(taken, port.receive == LACP_RECEIVE_CURRENT);
    } else {
        lacp_receive_run(&port, NOW);
    }
}

static void test_lacp_receive_goes_by_the_table(void **state)
{
    (void)state;

    for (unsigned from = 0; from < LACP_RECEIVE_STATE_COUNT; from++) {
        for (unsigned event = 0; event < EVENTS; event++) {
            arrange((enum lacp_receive_state)from);
            happen((enum event)event);
            if (port.receive != table[from][event]) {
                fail_msg("from %u by %u to %u, not %u", from, event, port.receive,
                         table[from][event]);
            }
            assert_int_equal(port.port_moved, false);
        }
    }
}

/* ---- actions --------------------------------------------------------------------------------- */

static void assert_partner_is_nobody(void)
{
    assert_int_equal(port.partner.system_mac, 0);
    assert_int_equal(port.partner.key, 0);
    assert_int_equal(port.partner.port, 0);
    assert_int_equal(port.partner.state, LACP_STATE_SHORT_TIMEOUT);
    assert_true(lacp_has(&port.actor, LACP_STATE_DEFAULTED));
    assert_false(lacp_has(&port.actor, LACP_STATE_EXPIRED));
}

static void test_lacp_receive_initialize_forgets_the_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    port.port_moved = true;
    lacp_set(&port.actor, LACP_STATE_EXPIRED, true);
    lacp_receive_begin(&port);

    assert_int_equal(port.receive, LACP_RECEIVE_INITIALIZE);
    assert_int_equal(port.selected, LACP_UNSELECTED);
    assert_partner_is_nobody();
    assert_false(port.port_moved);
    assert_int_equal(port.current_while_timer_ms, LACP_NEVER);
}

static void test_lacp_receive_port_disabled_doubts_the_partner_only(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    happen(DOWN);

    assert_false(lacp_has(&port.partner, LACP_STATE_SYNCHRONIZATION));
    assert_int_equal(port.partner.system_mac, them.system_mac);
    assert_int_equal(port.selected, LACP_SELECTED);
    assert_int_equal(port.current_while_timer_ms, LACP_NEVER);
}

static void test_lacp_receive_moved_port_forgets_the_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_PORT_DISABLED);
    happen(DOWN_AND_MOVED);

    assert_int_equal(port.selected, LACP_UNSELECTED);
    assert_partner_is_nobody();
}

static void test_lacp_receive_lacp_disabled_has_an_individual_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    happen(HALF);

    assert_int_equal(port.selected, LACP_UNSELECTED);
    assert_partner_is_nobody();
    assert_false(lacp_has(&port.partner, LACP_STATE_AGGREGATION));
}

static void test_lacp_receive_expired_hurries_and_keeps_the_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    happen(EXPIRED);

    assert_false(lacp_has(&port.partner, LACP_STATE_SYNCHRONIZATION));
    assert_true(lacp_has(&port.partner, LACP_STATE_SHORT_TIMEOUT));
    assert_true(lacp_has(&port.actor, LACP_STATE_EXPIRED));
    assert_false(lacp_has(&port.actor, LACP_STATE_DEFAULTED));
    assert_int_equal(port.current_while_timer_ms, NOW + 3000);
    assert_int_equal(port.partner.system_mac, them.system_mac);
    assert_int_equal(port.selected, LACP_SELECTED);
}

static void test_lacp_receive_defaulted_forgets_the_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_EXPIRED);
    lacp_set(&port.actor, LACP_STATE_EXPIRED, true);
    happen(EXPIRED);

    assert_int_equal(port.selected, LACP_UNSELECTED);
    assert_partner_is_nobody();
    assert_int_equal(port.current_while_timer_ms, LACP_NEVER);
}

/* update_Default_Selected(): nothing is lost where nobody was. */
static void test_lacp_receive_defaulted_leaves_selected_what_had_no_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_EXPIRED);
    port.partner = (struct lacp_end){ .state = LACP_STATE_SHORT_TIMEOUT };
    happen(EXPIRED);

    assert_int_equal(port.selected, LACP_SELECTED);
}

static void test_lacp_receive_current_records_the_partner(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_DEFAULTED);
    port.partner = (struct lacp_end){ .state = 0 };
    lacp_set(&port.actor, LACP_STATE_DEFAULTED, true);
    lacp_set(&port.actor, LACP_STATE_EXPIRED, true);
    happen(PDU);

    assert_memory_equal(&port.partner, &them, sizeof(them));
    assert_false(lacp_has(&port.actor, LACP_STATE_DEFAULTED));
    assert_false(lacp_has(&port.actor, LACP_STATE_EXPIRED));
    assert_int_equal(port.current_while_timer_ms, NOW + 3000);
}

static void test_lacp_receive_current_lasts_as_long_as_we_ask_for(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    lacp_set(&port.actor, LACP_STATE_SHORT_TIMEOUT, false);
    happen(PDU);

    assert_int_equal(port.current_while_timer_ms, NOW + 90000);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* What update_Selected(), update_NTT() and choose_Matched() compare: one field is another. */
static void change(struct lacp_end *end, unsigned field)
{
    end->system_mac ^= field == 0;
    end->system_priority ^= field == 1;
    end->key ^= field == 2;
    end->port_priority ^= field == 3;
    end->port ^= field == 4;
    end->state ^= field == 5 ? LACP_STATE_AGGREGATION : 0;
}

static void test_lacp_receive_pdu_with_nothing_new_changes_nothing(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    happen(PDU);

    assert_int_equal(port.selected, LACP_SELECTED);
    assert_false(port.ntt);
    assert_true(lacp_has(&port.partner, LACP_STATE_SYNCHRONIZATION));
}

static void test_lacp_receive_update_selected_compares_who_the_partner_is(void **state)
{
    (void)state;

    for (unsigned field = 0; field < 6; field++) {
        arrange(LACP_RECEIVE_CURRENT);
        change(&pdu.actor, field);
        happen(PDU);
        assert_int_equal(port.selected, LACP_UNSELECTED);
        assert_false(port.ntt);
    }
    for (unsigned bit = 1; bit < 256; bit <<= 1) {
        arrange(LACP_RECEIVE_CURRENT);
        pdu.actor.state ^= (uint8_t)bit;
        happen(PDU);
        assert_int_equal(port.selected,
                         bit == LACP_STATE_AGGREGATION ? LACP_UNSELECTED : LACP_SELECTED);
    }
}

static void test_lacp_receive_update_ntt_compares_what_the_partner_knows(void **state)
{
    const unsigned told = LACP_STATE_ACTIVITY | LACP_STATE_SHORT_TIMEOUT |
                          LACP_STATE_AGGREGATION | LACP_STATE_SYNCHRONIZATION;
    (void)state;

    for (unsigned field = 0; field < 6; field++) {
        arrange(LACP_RECEIVE_CURRENT);
        change(&pdu.partner, field);
        happen(PDU);
        assert_true(port.ntt);
        assert_int_equal(port.selected, LACP_SELECTED);
    }
    for (unsigned bit = 1; bit < 256; bit <<= 1) {
        arrange(LACP_RECEIVE_CURRENT);
        pdu.partner.state ^= (uint8_t)bit;
        happen(PDU);
        assert_int_equal(port.ntt, (bit & told) != 0);
    }
}

static bool synchronized_after_pdu(void)
{
    happen(PDU);
    return lacp_has(&port.partner, LACP_STATE_SYNCHRONIZATION);
}

static void test_lacp_receive_partner_is_in_sync_when_it_means_us(void **state)
{
    (void)state;

    for (unsigned field = 0; field < 6; field++) {
        arrange(LACP_RECEIVE_CURRENT);
        change(&pdu.partner, field);
        assert_false(synchronized_after_pdu());
    }
    arrange(LACP_RECEIVE_CURRENT);
    lacp_set(&pdu.actor, LACP_STATE_SYNCHRONIZATION, false);
    assert_false(synchronized_after_pdu());
}

static void test_lacp_receive_individual_partner_need_not_mean_us(void **state)
{
    (void)state;

    arrange(LACP_RECEIVE_CURRENT);
    lacp_set(&pdu.actor, LACP_STATE_AGGREGATION, false);
    change(&pdu.partner, 2);

    assert_true(synchronized_after_pdu());
}

/* Each row: we are active, the partner is, and the partner knows that we are. */
static void test_lacp_receive_partner_is_in_sync_when_one_end_keeps_it_so(void **state)
{
    (void)state;

    for (unsigned row = 0; row < 8; row++) {
        const bool we = row & 1, they = row & 2, known = row & 4;

        arrange(LACP_RECEIVE_CURRENT);
        lacp_set(&port.actor, LACP_STATE_ACTIVITY, we);
        lacp_set(&pdu.actor, LACP_STATE_ACTIVITY, they);
        lacp_set(&pdu.partner, LACP_STATE_ACTIVITY, known);
        assert_int_equal(synchronized_after_pdu(), they || (we && known));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_receive_##name)
        T(goes_by_the_table),
        T(initialize_forgets_the_partner),
        T(port_disabled_doubts_the_partner_only),
        T(moved_port_forgets_the_partner),
        T(lacp_disabled_has_an_individual_partner),
        T(expired_hurries_and_keeps_the_partner),
        T(defaulted_forgets_the_partner),
        T(defaulted_leaves_selected_what_had_no_partner),
        T(current_records_the_partner),
        T(current_lasts_as_long_as_we_ask_for),
        T(pdu_with_nothing_new_changes_nothing),
        T(update_selected_compares_who_the_partner_is),
        T(update_ntt_compares_what_the_partner_knows),
        T(partner_is_in_sync_when_it_means_us),
        T(individual_partner_need_not_mean_us),
        T(partner_is_in_sync_when_one_end_keeps_it_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
