/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing but what a switch's type allows gets out of it: every kind of port on every type of
 * switch, with a daemon that runs them all, sends to every other.
 */
#include "tests/support/control_lab.h"
#include "tests/support/shell.h"
#include "tests/support/station.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STATIONS 12u
#define TRIES    100u
#define PAUSE_US 50000u

enum what { A_GUEST, THE_HOST, THE_WIRE };

/* Who is where.  Two switches of each type, so that types are told from switches. */
static const struct {
    const char *at;                    /* vNIC or interface */
    const char *on;                    /* the switch */
    enum what what;
} place[STATIONS] = {
    { "p1", "priv", A_GUEST },   { "p2", "priv", A_GUEST },
    { "q1", "priv2", A_GUEST },
    { "i1", "int", A_GUEST },    { "i2", "int", A_GUEST },  { "int", "int", THE_HOST },
    { "j1", "int2", A_GUEST },   { "int2", "int2", THE_HOST },
    { "e1", "ext", A_GUEST },    { "ext", "ext", THE_HOST }, { "far1", "ext", THE_WIRE },
    { "far2", "ext2", THE_WIRE },
};

struct fixture {
    struct lab lab;
    struct station station[STATIONS];
    unsigned opened;
};

static void station_mac(unsigned number, uint8_t mac[6])
{
    const uint8_t own[6] = { 0x02, 0x00, 0x00, 0x00, 0x01, (uint8_t)number };

    memcpy(mac, own, sizeof(own));
}

static void make_switches(struct lab *lab)
{
    struct shell_outcome wire;

    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(shell_run(&wire, 5, "ip link add near%u type veth peer name far%u && "
                                   "ip link set near%u up && ip link set far%u up",
                                   i, i, i, i), 0);
    }
    assert_int_equal(lab_do(lab, "switch add priv --type private"), 0);
    assert_int_equal(lab_do(lab, "switch add priv2 --type private"), 0);
    assert_int_equal(lab_do(lab, "switch add int --type internal"), 0);
    assert_int_equal(lab_do(lab, "switch add int2 --type internal"), 0);
    assert_int_equal(lab_do(lab, "switch add ext --type external --uplink near1 --host-vnic on"),
                     0);
    assert_int_equal(lab_do(lab, "switch add ext2 --type external --uplink near2"), 0);
}

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    make_switches(&f->lab);
    for (unsigned i = 0; i < STATIONS; i++) {
        uint8_t mac[6];

        station_mac(i, mac);
        if (place[i].what == A_GUEST) {
            assert_int_equal(lab_do(&f->lab, "vnic add %s --switch %s --mac 02:00:00:00:01:%02x",
                                    place[i].at, place[i].on, i), 0);
            assert_int_equal(station_attach(&f->station[i], &f->lab, place[i].at, mac), 0);
        } else {
            assert_int_equal(station_open(&f->station[i], place[i].at, mac), 0);
        }
        f->opened = i + 1;
    }
    *state = f;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < f->opened; i++) {
        station_close(&f->station[i]);
    }
    assert_int_equal(lab_stop(&f->lab), 0);
    lab_destroy(&f->lab);
    free(f);
    return 0;
}

/* got[to][from]: how often @p to has got what @p from sent since the last call. */
static void collect(struct fixture *f, unsigned got[STATIONS][STATIONS])
{
    struct station_got frame;

    memset(got, 0, sizeof(unsigned[STATIONS][STATIONS]));
    for (unsigned to = 0; to < STATIONS; to++) {
        while (station_next(&f->station[to], &frame)) {
            assert_true(frame.mark < STATIONS);
            got[to][frame.mark]++;
        }
    }
}

static bool together(unsigned a, unsigned b)
{
    return strcmp(place[a].on, place[b].on) == 0;
}

/* Until every address is known: what is unknown is flooded, and rightly so. */
static void wait_until_known(struct fixture *f, unsigned number)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct lab_answer answer;
        char mac[24];
        bool known = false;
        size_t at;
        json_t *each;

        (void)snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", number);
        assert_int_equal(lab_ask(&f->lab, &answer, "mac show %s", place[number].on), 0);
        json_array_foreach(answer.json, at, each) {
            known |= strcmp(json_string_value(json_object_get(each, "mac")), mac) == 0;
        }
        lab_answer_release(&answer);
        if (known) {
            return;
        }
        (void)usleep(PAUSE_US);
    }
    fail_msg("%s is not known", place[number].at);
}

static void test_a_broadcast_reaches_its_switch_and_nothing_else(void **state)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct fixture *f = *state;
    unsigned got[STATIONS][STATIONS];

    for (unsigned from = 0; from < STATIONS; from++) {
        assert_int_equal(station_send(&f->station[from], everybody, STATION_UNTAGGED, from), 0);
    }
    collect(f, got);

    for (unsigned from = 0; from < STATIONS; from++) {
        for (unsigned to = 0; to < STATIONS; to++) {
            const unsigned expected = from != to && together(from, to) ? 1 : 0;

            if (got[to][from] != expected) {
                fail_msg("%s has got %u broadcasts of %s, not %u", place[to].at, got[to][from],
                         place[from].at, expected);
            }
        }
    }
}

static void test_a_unicast_reaches_its_station_only_on_its_own_switch(void **state)
{
    struct fixture *f = *state;
    unsigned got[STATIONS][STATIONS];

    for (unsigned i = 0; i < STATIONS; i++) {
        wait_until_known(f, i);
    }
    for (unsigned to = 0; to < STATIONS; to++) {
        for (unsigned from = 0; from < STATIONS; from++) {
            if (from != to) {
                assert_int_equal(station_send(&f->station[from], f->station[to].mac,
                                              STATION_UNTAGGED, from), 0);
            }
        }
    }
    collect(f, got);

    for (unsigned from = 0; from < STATIONS; from++) {
        for (unsigned to = 0; to < STATIONS; to++) {
            /* A wire hears what is for nobody known: it may be behind it. */
            const bool hears_more = place[to].what != A_GUEST && together(from, to);
            const unsigned least = from != to && together(from, to) ? 1 : 0;
            const unsigned most = hears_more ? STATIONS : least;

            if (got[to][from] < least || got[to][from] > most) {
                fail_msg("%s has got %u frames of %s, not %u to %u", place[to].at, got[to][from],
                         place[from].at, least, most);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broadcast_reaches_its_switch_and_nothing_else),
        cmocka_unit_test(test_a_unicast_reaches_its_station_only_on_its_own_switch),
    };

    if (geteuid() != 0 || station_leave_host() != 0) {
        printf("# skip: network namespaces need root\n1..1\nok 1 - isolation # SKIP\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
