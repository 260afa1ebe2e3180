/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The selection logic: teams in all situations as a table, then handovers between two ends.
 */
#include "teaming/lacp_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/lacp_lab.h"
#include "tests/support/random.h"

#define OUR_SYSTEM 0x00155d0000aau
#define NOW        100000u
#define NOBODY     LACP_LINKS_MAX

/*
 * A link's first letter is its partner: A, B, C are systems; a is A with another key, p is A with
 * another priority, 0 is our own system, '.' is nobody.  What follows: + it has synchronisation,
 * s we have it stand by, i it does not aggregate, x it is silent, c it churns, f the link is fast,
 * u its speed is unknown, t we are attached, d we distribute.
 */
static void arrange(struct lacp *lacp, unsigned number, const char *text)
{
    struct lacp_port *port = &lacp->port[number];
    const bool nobody = text[0] == '.';
    const bool of_a = text[0] == 'a' || text[0] == 'p';

    *port = (struct lacp_port){
        .link = { .present = true, .up = true, .standby = strchr(text, 's') != NULL,
                  .speed_mbps = strchr(text, 'u') != NULL ? 0
                                : strchr(text, 'f') != NULL ? 25000 : 10000 },
        .receive = strchr(text, 'x') != NULL ? LACP_RECEIVE_EXPIRED
                   : nobody                  ? LACP_RECEIVE_DEFAULTED : LACP_RECEIVE_CURRENT,
        .mux = strchr(text, 'd') != NULL   ? LACP_MUX_DISTRIBUTING
               : strchr(text, 't') != NULL ? LACP_MUX_ATTACHED : LACP_MUX_DETACHED,
        .partner_churn = { .state = strchr(text, 'c') != NULL ? LACP_CHURN_CHURN
                                                              : LACP_CHURN_NO_CHURN,
                           .timer_ms = LACP_NEVER },
    };
    lacp_set(&port->actor, LACP_STATE_DEFAULTED, nobody);
    if (!nobody) {
        port->partner = (struct lacp_end){
            .system_mac = text[0] == '0' ? OUR_SYSTEM : of_a ? 'A' : (uint64_t)text[0],
            .system_priority = text[0] == 'p' ? 1 : 32768, .key = text[0] == 'a' ? 2 : 1,
            .port = (uint16_t)(1 + number),
        };
        lacp_set(&port->partner, LACP_STATE_AGGREGATION, strchr(text, 'i') == NULL);
        lacp_set(&port->partner, LACP_STATE_SYNCHRONIZATION, strchr(text, '+') != NULL);
    }
}

struct row {
    const char *links[LACP_LINKS_MAX];
    unsigned wanted;
    unsigned chosen;               /* the link whose partner has been, or NOBODY */
    const char *selected;          /* S selected, B standby, . unselected */
};

static const struct row table[] = {
    /* One partner. */
    { { "A", "A", "A" },               3, NOBODY, "SSS" },
    { { ".", "A" },                    2, NOBODY, ".S" },
    { { ".x" },                        1, NOBODY, "." },
    { { "Axt", "At+" },                2, 0,      "SS" },
    { { "Ax", "Ax" },                  2, NOBODY, "SS" },
    /* Several: most links with synchronisation, then the one there is, then the lowest link. */
    { { "A", "B", "B" },               3, NOBODY, "S.." },
    { { "A", "B", "B" },               3, 2,      ".SS" },
    { { "A+", "B+", "B+" },            3, NOBODY, ".SS" },
    { { "A+d", "B+", "B+" },           3, 0,      ".SS" },
    { { "A+", "B+" },                  2, NOBODY, "S." },
    { { "A+", "B+" },                  2, 1,      ".S" },
    { { "A", "B+" },                   2, 0,      ".S" },
    { { ".", "B" },                    2, 0,      ".S" },
    { { "A", "C+", "B+", "C+", "B+" }, 5, NOBODY, ".S.S." },
    { { "A", "C+", "B+", "C+", "B+" }, 5, 4,      "..S.S" },
    { { "A+", "a+", "A+" },            3, NOBODY, "S.S" },
    { { "a+", "A+", "A+" },            3, 0,      ".SS" },
    { { "p+", "A+", "A+" },            3, 0,      ".SS" },
    /* Ourselves. */
    { { "0+" },                        1, NOBODY, "." },
    { { "0+", "0+", "A" },             3, NOBODY, "..S" },
    /* Partners that do not aggregate. */
    { { "Ai+" },                       1, NOBODY, "S" },
    { { "Ai+", "Ai+" },                2, NOBODY, "S." },
    { { "Ai+", "Ai+" },                2, 1,      ".S" },
    { { "Ai+", "Bi+" },                2, 1,      ".S" },
    { { "Ai", "B" },                   2, 0,      ".S" },
    { { "Ai+", "B" },                  2, NOBODY, "S." },
    { { "Ai+d", "B+" },                2, 0,      ".S" },
    { { "Ai+", "A+" },                 2, 0,      ".S" },
    /* Speeds: the fastest of those that can be had. */
    { { "A", "Af" },                   2, NOBODY, ".S" },
    { { "A", "Afx" },                  2, NOBODY, "SS" },
    { { "A", "Afc" },                  2, NOBODY, "SS" },
    { { "At", "Af" },                  2, 0,      "SS" },
    { { "Ad", "Aft" },                 2, 0,      "SS" },
    { { "Ad", "Afd" },                 2, 0,      ".S" },
    { { "A+", "Bf" },                  2, NOBODY, "S." },
    { { "Au", "Af", "A" },             3, NOBODY, "SS." },
    /* Standby: while fewer than wanted can be had. */
    { { "A+", "As+" },                 1, NOBODY, "SB" },
    { { "As+", "A+" },                 1, NOBODY, "BS" },
    { { "A+", "As+" },                 2, NOBODY, "SS" },
    { { "As+", "As+" },                1, NOBODY, "SB" },
    { { ".", "As+" },                  1, NOBODY, ".S" },
    { { "Axt", "As+" },                1, 0,      "SS" },
    { { "Ac", "As+" },                 1, 0,      "SS" },
    { { "At+", "Asd+" },               1, 0,      "SS" },
    { { "Ad+", "Asd+" },               1, 0,      "SB" },
    { { "A+", "As+", "As+" },          2, 0,      "SSB" },
    { { "A+", "As+", "Ast+" },         2, 0,      "SBS" },
    { { "Ad+", "At+", "Asd+", "As+" }, 2, 0,      "SSSB" },
    { { "Ad+", "Ad+", "Asd+", "As+" }, 2, 0,      "SSBB" },
    { { "A+", "Bs+", "Bs+" },          1, 0,      "S.." },
    { { "A", "Bs+", "Bs+" },           1, 0,      ".SB" },
    { { "A+", "As+" },                 0, 0,      "SB" },
    /* Both: who stands by takes nobody's place, and slow ones are of no use to fast ones. */
    { { "Af+", "As+" },                2, 0,      "S." },
    { { "A+", "Asf+" },                1, 0,      "SB" },
    { { "Afx", "As+" },                1, 0,      "SS" },
    { { "Ad", "Afd", "As", "Asf" },    2, 0,      ".S.S" },
};

static void arrange_row(struct lacp *lacp, const struct row *row)
{
    *lacp = (struct lacp){ .config.system_mac = OUR_SYSTEM, .wanted = row->wanted };
    for (unsigned i = 0; i < LACP_LINKS_MAX && row->links[i] != NULL; i++) {
        arrange(lacp, i, row->links[i]);
    }
    if (row->chosen != NOBODY) {
        const struct lacp_end *partner = &lacp->port[row->chosen].partner;

        lacp->choice = (struct lacp_choice){
            .made = true, .partner = *partner,
            .alone = lacp_has(partner, LACP_STATE_AGGREGATION) ? LACP_NOT_ALONE : row->chosen,
        };
    }
}

static void test_lacp_select_goes_by_the_table(void **state)
{
    static const char letter[] = {
        [LACP_UNSELECTED] = '.', [LACP_SELECTED] = 'S', [LACP_STANDBY] = 'B'
    };
    struct lacp lacp;
    (void)state;

    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
        char selected[LACP_LINKS_MAX + 1] = "";

        arrange_row(&lacp, &table[i]);
        (void)lacp_select(&lacp, NOW);
        for (unsigned link = 0; link < strlen(table[i].selected); link++) {
            selected[link] = letter[lacp.port[link].selected];
        }
        if (strcmp(selected, table[i].selected) != 0) {
            fail_msg("row %u: %s, not %s", i, selected, table[i].selected);
        }
        assert_false(lacp_select(&lacp, NOW));  /* once is enough */
    }
}

static void test_lacp_select_says_why_not(void **state)
{
    const struct row row = { { "A+", "B", "0", "As", "Af" }, 1, 0, "" };
    struct lacp lacp;
    (void)state;

    arrange_row(&lacp, &row);
    (void)lacp_select(&lacp, NOW);

    assert_string_equal(lacp.port[0].unselected_why, "is slower than another link");
    assert_string_equal(lacp.port[1].unselected_why,
                        "has another partner, or its key, than the links that are used");
    assert_string_equal(lacp.port[2].unselected_why,
                        "hears its own system: its cable leads back here");
    assert_string_equal(lacp.port[4].unselected_why, "");
}

/* Ready: of those that are to be attached all have waited; who stands by delays nobody. */
static void test_lacp_select_ready_when_all_have_waited(void **state)
{
    struct lacp lacp = { .wanted = 0 };
    (void)state;

    assert_false(lacp_select_ready(&lacp));
    for (unsigned i = 0; i < 3; i++) {
        lacp.port[i] = (struct lacp_port){ .link.present = true, .mux = LACP_MUX_WAITING,
                                           .selected = i < 2 ? LACP_SELECTED : LACP_STANDBY };
    }
    lacp.port[3].mux = LACP_MUX_DISTRIBUTING;
    lacp.port[3].selected = LACP_SELECTED;
    lacp.port[0].ready_n = true;
    assert_false(lacp_select_ready(&lacp));
    lacp.port[1].ready_n = true;
    assert_true(lacp_select_ready(&lacp));
    lacp.port[0].selected = lacp.port[1].selected = LACP_STANDBY;

    assert_false(lacp_select_ready(&lacp));
}

/* ---- handovers ------------------------------------------------------------------------------- */

static struct lacp_lab lab;

/* Links 0 and 1 of both ends; end 0 has the second one stand by. */
static int setup(void **state)
{
    (void)state;
    lacp_lab_start(&lab);
    lacp_lab_connect(&lab, 2);
    lab.end[0].link[1].standby = true;
    lacp_lab_set(&lab, 0, 1);
    lacp_want(lab.end[0].lacp, 1, lab.now_ms);
    assert_int_not_equal(lacp_lab_until(&lab, 0x01, 10000), LACP_NEVER);
    lacp_lab_pass(&lab, 5000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lacp_lab_stop(&lab);
    return 0;
}

/* Until the standby link is given back; there is always one that distributes. */
static void assert_returns_without_a_gap(void)
{
    for (unsigned i = 0; i < 10000; i++) {
        lacp_lab_pass(&lab, 1);
        assert_int_not_equal(lacp_distributing(lab.end[0].lacp), 0);
        assert_int_not_equal(lacp_distributing(lab.end[1].lacp), 0);
    }
    assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x01);
    assert_string_equal(lacp_lab_status(&lab, 0, 1).why, "stands by");
}

static void test_lacp_select_standby_rests_while_it_is_not_needed(void **state)
{
    (void)state;

    assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x01);
    assert_string_equal(lacp_lab_status(&lab, 0, 1).why, "stands by");
    assert_string_equal(lacp_lab_status(&lab, 0, 1).mux, "WAITING");
    assert_string_equal(lacp_lab_status(&lab, 1, 1).why, "waits for its partner to agree");
}

static void test_lacp_select_standby_takes_over_when_carrier_is_lost(void **state)
{
    uint64_t took_ms;
    (void)state;

    lacp_lab_carrier(&lab, 0, false);
    took_ms = lacp_lab_until(&lab, 0x02, 10000);
    print_message("# measured: a standby link distributes %u ms after carrier loss (wires: 1 ms)\n",
                  (unsigned)took_ms);
    assert_in_range(took_ms, 1, 10);
    lacp_lab_pass(&lab, 5000);
    lacp_lab_carrier(&lab, 0, true);

    assert_returns_without_a_gap();
}

static void test_lacp_select_standby_takes_over_when_a_partner_is_silent(void **state)
{
    uint64_t took_ms;
    (void)state;

    lab.end[0].wire[0].cut = lab.end[1].wire[0].cut = true;
    took_ms = lacp_lab_until(&lab, 0x02, 10000);
    print_message("# measured: a standby link distributes %u ms after the last PDU of another\n",
                  (unsigned)(lab.now_ms - lacp_lab_status(&lab, 0, 0).heard_ms));
    assert_in_range(took_ms, 2000, 3200);
    lacp_lab_pass(&lab, 1500);
    lab.end[0].wire[0].cut = lab.end[1].wire[0].cut = false;
    assert_returns_without_a_gap();
    lab.end[0].wire[0].cut = lab.end[1].wire[0].cut = true;
    lacp_lab_pass(&lab, 20000);
    lab.end[0].wire[0].cut = lab.end[1].wire[0].cut = false;

    assert_returns_without_a_gap();
}

static void test_lacp_select_standby_comes_when_more_are_wanted(void **state)
{
    (void)state;

    lacp_want(lab.end[0].lacp, 2, lab.now_ms);
    assert_in_range(lacp_lab_until(&lab, 0x03, 10000), 0, 1010);
    lacp_want(lab.end[0].lacp, 1, lab.now_ms);

    assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x01);
}

/* Each end has another link stand by: the one with the lower system identifier has its will. */
static void test_lacp_select_ends_that_want_different_links_agree(void **state)
{
    (void)state;

    lab.end[1].link[0].standby = true;
    lacp_want(lab.end[1].lacp, 1, lab.now_ms);
    for (unsigned i = 0; i < 2; i++) {
        lab.end[i].config.slow = true;     /* nothing else has them look */
        lacp_lab_configure(&lab, i);
        lacp_lab_carrier(&lab, i, false);
    }
    lacp_lab_pass(&lab, 10000);
    for (unsigned i = 0; i < 2; i++) {
        lacp_lab_carrier(&lab, i, true);
    }

    assert_in_range(lacp_lab_until(&lab, 0x01, 10000), 5000, 5100);
    lacp_lab_pass(&lab, 300000);
    assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x01);
    assert_int_equal(lacp_distributing(lab.end[1].lacp), 0x01);
}

/* The partner's time to agree: the end with the lower system identifier waits for longer. */
static void test_lacp_select_standby_comes_when_a_partner_refuses(void **state)
{
    const struct row row = { { "A", "As+" }, 1, 0, "" };
    struct lacp lacp;
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        const bool ours = i % 2 == 0;
        const uint64_t wait_ms = ours ? 60000 : 5000;

        arrange_row(&lacp, &row);
        lacp.config.system_priority = i < 2 ? 32768 : ours ? 32767 : 32769;
        lacp.port[0].partner.system_mac = lacp.port[1].partner.system_mac =
            i < 2 && !ours ? OUR_SYSTEM - 1 : OUR_SYSTEM + 1;
        lacp.port[0].partner_churn = (struct lacp_churn){ .state = LACP_CHURN_MONITOR,
                                                          .timer_ms = NOW + 60000 };
        (void)lacp_select(&lacp, NOW + wait_ms - 1);
        assert_int_equal(lacp.port[1].selected, LACP_STANDBY);
        assert_int_equal(lacp_select_due_ms(&lacp, NOW + wait_ms - 1), NOW + wait_ms);
        (void)lacp_select(&lacp, NOW + wait_ms);
        assert_int_equal(lacp.port[1].selected, LACP_SELECTED);
        assert_int_equal(lacp_select_due_ms(&lacp, NOW + wait_ms), LACP_NEVER);
    }
}

/* Somebody else on one link, who says that he agrees, does not disturb the others. */
static void test_lacp_select_stranger_waits(void **state)
{
    struct lacp_pdu pdu = { .actor = { .system_mac = 5, .key = 2, .port = 9, .state = 0x3f } };
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    (void)state;

    lab.end[0].link[4] = lab.end[0].link[0];
    lacp_lab_set(&lab, 0, 4);
    for (unsigned i = 0; i < 10; i++) {
        pdu.partner = lab.end[0].said[4].actor;
        lacp_pdu_write(&pdu, 1, frame);
        lacp_lab_give(&lab, 0, 4, frame, sizeof(frame));
        lacp_lab_pass(&lab, 1000);
        assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x01);
    }
    assert_string_equal(lacp_lab_status(&lab, 0, 4).why,
                        "has another partner, or its key, than the links that are used");
    assert_true(lacp_lab_status(&lab, 0, 4).partner.state & LACP_STATE_SYNCHRONIZATION);

    lacp_lab_carrier(&lab, 0, false);      /* he is chosen when he is the only regular one */
    for (unsigned i = 0; i < 5; i++) {
        lacp_lab_give(&lab, 0, 4, frame, sizeof(frame));
        lacp_lab_pass(&lab, 1000);
    }
    assert_int_equal(lacp_distributing(lab.end[0].lacp), 0x10);
}

/* A cable moves from one port to another: the old one does not remember who was there. */
static void test_lacp_select_moved_partner_leaves_no_trace(void **state)
{
    (void)state;

    lacp_lab_carrier(&lab, 0, false);
    assert_int_equal(lacp_lab_status(&lab, 0, 0).partner.port, 1);
    lab.end[1].wire[0].number = 3;
    lab.end[0].wire[3].number = 0;
    lab.end[0].link[3] = lab.end[0].link[0];
    lab.end[0].link[3].up = lab.end[1].link[0].up = true;
    lacp_lab_set(&lab, 0, 3);
    lacp_lab_set(&lab, 1, 0);
    lacp_lab_pass(&lab, 10);

    assert_int_equal(lacp_lab_status(&lab, 0, 3).partner.port, 1);
    assert_int_equal(lacp_lab_status(&lab, 0, 0).partner.system_mac, 0);
    assert_string_equal(lacp_lab_status(&lab, 0, 0).receive, "PORT_DISABLED");
}

/* ---- anything -------------------------------------------------------------------------------- */

static void test_lacp_select_random_teams_have_one_partner(void **state)
{
    static const char partners[] = "ABa0.";
    static const char facts[] = "+sixcfutd";
    uint64_t seed = 5;
    (void)state;

    for (unsigned turn = 0; turn < 20000; turn++) {
        char text[LACP_LINKS_MAX][8] = { "" };
        struct row row = { .wanted = random_below(&seed, 9), .chosen = NOBODY };
        struct lacp lacp;
        unsigned alone = 0, regular = 0, standby = 0;

        for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
            text[i][0] = partners[random_below(&seed, sizeof(partners) - 1)];
            for (unsigned j = 1; j < 4; j++) {
                text[i][j] = facts[random_below(&seed, sizeof(facts) - 1)];
            }
            row.links[i] = text[i];
        }
        arrange_row(&lacp, &row);
        (void)lacp_select(&lacp, NOW);
        assert_false(lacp_select(&lacp, NOW));
        for (unsigned i = 0; i < LACP_LINKS_MAX; i++) {
            const struct lacp_port *port = &lacp.port[i];

            if (port->selected == LACP_SELECTED) {
                assert_int_equal(port->partner.system_mac, lacp.choice.partner.system_mac);
                assert_int_equal(port->partner.key, lacp.choice.partner.key);
                alone += !lacp_has(&port->partner, LACP_STATE_AGGREGATION);
                regular += !port->link.standby;
                standby += port->link.standby;
            }
        }
        assert_true(alone == 0 || regular + standby == 1);
        assert_true(standby <= row.wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_select_##name)
#define H(name) cmocka_unit_test_setup_teardown(test_lacp_select_##name, setup, teardown)
        T(goes_by_the_table),
        T(says_why_not),
        T(ready_when_all_have_waited),
        H(standby_rests_while_it_is_not_needed),
        H(standby_takes_over_when_carrier_is_lost),
        H(standby_takes_over_when_a_partner_is_silent),
        H(standby_comes_when_more_are_wanted),
        H(ends_that_want_different_links_agree),
        T(standby_comes_when_a_partner_refuses),
        H(stranger_waits),
        H(moved_partner_leaves_no_trace),
        T(random_teams_have_one_partner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
