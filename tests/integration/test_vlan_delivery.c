/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every VLAN mode against every other, through a daemon and a wire: who gets a broadcast, and with
 * which tag.  The table says what has to come of it; it was written from the rules of private VLANs
 * (RFC 5517) and of IEEE 802.1Q, not from what the switch did.
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

#define UN STATION_UNTAGGED
#define NO 0xfffeu                     /* does not get it */

/* The wire is last; all others are vNICs but the host's adapter. */
enum who { NONE1, NONE2, ACC10A, ACC10B, ACC20, TRUNK, ISO1, ISO2, COM1, COM2, COMX, PROM, HOST,
           WIRE, STATIONS };

static const struct {
    const char *name;
    const char *vlan;
} station_of[STATIONS] = {
    [NONE1] = { "none1", "none" },            [NONE2] = { "none2", "none" },
    [ACC10A] = { "acc10a", "access:10" },     [ACC10B] = { "acc10b", "access:10" },
    [ACC20] = { "acc20", "access:20" },
    [TRUNK] = { "trunk", "trunk:20,30-39,native:10" },
    [ISO1] = { "iso1", "isolated:100,201" },  [ISO2] = { "iso2", "isolated:100,201" },
    [COM1] = { "com1", "community:100,202" }, [COM2] = { "com2", "community:100,202" },
    [COMX] = { "comx", "community:100,203" },
    [PROM] = { "prom", "promiscuous:100,201-203" },
    [HOST] = { "ext", "access:20" },
    [WIRE] = { "far", NULL },
};

/* Who sends with which tag, and how each gets it; the sender's own column is not looked at. */
static const struct {
    enum who from;
    uint16_t tci;
    uint16_t to[STATIONS];
} table[] = {
    /*                none1 none2 10a 10b 20  trunk iso1 iso2 com1 com2 comx prom host wire */
    { NONE1,  UN,   { NO,  UN,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  UN } },
    { NONE1,  0,    { NO,  UN,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  UN } },
    { NONE1,  10,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { ACC10A, UN,   { NO,  NO,  NO, UN, NO, UN,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  10 } },
    { ACC10A, 10,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { ACC10A, 20,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { ACC20,  UN,   { NO,  NO,  NO, NO, NO, 20,   NO,  NO,  NO,  NO,  NO,  NO,  UN,  20 } },
    { TRUNK,  UN,   { NO,  NO,  UN, UN, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  10 } },
    { TRUNK,  20,   { NO,  NO,  NO, NO, UN, NO,   NO,  NO,  NO,  NO,  NO,  NO,  UN,  20 } },
    { TRUNK,  35,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  35 } },
    { TRUNK,  40,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { ISO1,   UN,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  UN,  NO,  201 } },
    { COM1,   UN,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  UN,  NO,  UN,  NO,  202 } },
    { COMX,   UN,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  UN,  NO,  203 } },
    { PROM,   UN,   { NO,  NO,  NO, NO, NO, NO,   UN,  UN,  UN,  UN,  UN,  NO,  NO,  100 } },
    { HOST,   UN,   { NO,  NO,  NO, NO, UN, 20,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  20 } },
    { HOST,   20,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { WIRE,   UN,   { UN,  UN,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { WIRE,   10,   { NO,  NO,  UN, UN, NO, UN,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { WIRE,   20,   { NO,  NO,  NO, NO, UN, 20,   NO,  NO,  NO,  NO,  NO,  NO,  UN,  NO } },
    { WIRE,   39,   { NO,  NO,  NO, NO, NO, 39,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { WIRE,   40,   { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO } },
    { WIRE,   100,  { NO,  NO,  NO, NO, NO, NO,   UN,  UN,  UN,  UN,  UN,  UN,  NO,  NO } },
    { WIRE,   201,  { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  NO,  NO,  NO,  UN,  NO,  NO } },
    { WIRE,   202,  { NO,  NO,  NO, NO, NO, NO,   NO,  NO,  UN,  UN,  NO,  UN,  NO,  NO } },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

struct fixture {
    struct lab lab;
    struct station station[STATIONS];
    unsigned opened;
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct shell_outcome wire;

    assert_non_null(f);
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    assert_int_equal(shell_run(&wire, 5, "ip link add near type veth peer name far && "
                               "ip link set near up && ip link set far up"), 0);
    assert_int_equal(lab_do(&f->lab, "switch add ext --type external --uplink near "
                            "--host-vnic on --host-vlan %s", station_of[HOST].vlan), 0);
    for (unsigned i = 0; i < STATIONS; i++) {
        const uint8_t mac[6] = { 0x02, 0x00, 0x00, 0x00, 0x02, (uint8_t)i };

        if (i == HOST || i == WIRE) {
            assert_int_equal(station_open(&f->station[i], station_of[i].name, mac), 0);
        } else {
            assert_int_equal(lab_do(&f->lab, "vnic add %s --switch ext --vlan %s "
                                    "--mac 02:00:00:00:02:%02x", station_of[i].name,
                                    station_of[i].vlan, i), 0);
            assert_int_equal(station_attach(&f->station[i], &f->lab, station_of[i].name, mac), 0);
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

static void tag_text(uint16_t tci, char text[32])
{
    if (tci == NO) {
        (void)snprintf(text, 32, "nothing");
    } else if (tci == UN) {
        (void)snprintf(text, 32, "it untagged");
    } else {
        (void)snprintf(text, 32, "it with tag %u", tci);
    }
}

static void test_a_broadcast_reaches_whom_the_table_says_with_the_tag_it_says(void **state)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct fixture *f = *state;
    uint16_t got[ROWS][STATIONS];
    unsigned wrong = 0;
    struct station_got frame;

    for (unsigned row = 0; row < ROWS; row++) {
        for (unsigned i = 0; i < STATIONS; i++) {
            got[row][i] = NO;
        }
        assert_int_equal(station_send(&f->station[table[row].from], everybody, table[row].tci,
                                      row), 0);
    }
    for (unsigned to = 0; to < STATIONS; to++) {
        while (station_next(&f->station[to], &frame)) {
            assert_true(frame.mark < ROWS);
            assert_int_equal(got[frame.mark][to], NO);         /* once, not twice */
            got[frame.mark][to] = frame.tci;
        }
    }

    for (unsigned row = 0; row < ROWS; row++) {
        for (unsigned to = 0; to < STATIONS; to++) {
            char is[32], should[32], sent[32];

            if (to == table[row].from || got[row][to] == table[row].to[to]) {
                continue;
            }
            wrong++;
            tag_text(got[row][to], is);
            tag_text(table[row].to[to], should);
            tag_text(table[row].tci, sent);
            printf("# %s sends %s: %s gets %s, and should get %s\n",
                   station_of[table[row].from].name, sent, station_of[to].name, is, should);
        }
    }
    assert_int_equal(wrong, 0);
}

/* A promiscuous port answers in the primary VLAN whom it has heard in a secondary one. */
static void test_private_vlans_learn_together(void **state)
{
    struct fixture *f = *state;
    struct station_got frame;
    unsigned heard = 0;

    assert_int_equal(station_send(&f->station[PROM], f->station[ISO1].mac, UN, 1), 0);
    assert_int_equal(station_send(&f->station[ISO1], f->station[PROM].mac, UN, 2), 0);
    assert_int_equal(station_send(&f->station[ISO1], f->station[ISO2].mac, UN, 3), 0);

    assert_true(station_next(&f->station[ISO1], &frame));
    assert_int_equal(frame.mark, 1);
    assert_true(station_next(&f->station[PROM], &frame));
    assert_int_equal(frame.mark, 2);
    assert_false(station_next(&f->station[ISO2], &frame));
    while (station_next(&f->station[WIRE], &frame)) {
        heard++;
    }
    assert_int_equal(heard, 0);        /* all three were for addresses that are known */
}

/* Bits of priority that a guest sets are reset, and kept of a port that is trusted. */
static void test_priority_is_reset_unless_trusted(void **state)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct fixture *f = *state;
    struct station_got frame;

    assert_int_equal(station_send(&f->station[TRUNK], everybody, 5u << 13 | 35, 1), 0);
    assert_true(station_next(&f->station[WIRE], &frame));
    assert_int_equal(frame.tci, 35);

    assert_int_equal(lab_do(&f->lab, "vnic set trunk --priority trust"), 0);
    assert_int_equal(station_send(&f->station[TRUNK], everybody, 5u << 13 | 35, 2), 0);
    assert_true(station_next(&f->station[WIRE], &frame));
    assert_int_equal(frame.tci, 5u << 13 | 35);
    assert_int_equal(lab_do(&f->lab, "vnic set trunk --priority reset"), 0);
}

/* The rules hold for a port whose mode changes while it is attached. */
static void test_a_mode_changes_while_the_guest_is_attached(void **state)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct fixture *f = *state;
    struct station_got frame;

    assert_int_equal(lab_do(&f->lab, "vnic set none1 --vlan access:77"), 0);
    assert_int_equal(station_send(&f->station[NONE1], everybody, UN, 1), 0);
    assert_true(station_next(&f->station[WIRE], &frame));
    assert_int_equal(frame.tci, 77);
    assert_int_equal(station_send(&f->station[WIRE], f->station[NONE1].mac, 77, 2), 0);
    assert_true(station_next(&f->station[NONE1], &frame));
    assert_int_equal(frame.mark, 2);
    assert_int_equal(frame.tci, UN);
    assert_int_equal(station_send(&f->station[WIRE], f->station[NONE1].mac, UN, 3), 0);
    assert_false(station_next(&f->station[NONE1], &frame));
    assert_int_equal(lab_do(&f->lab, "vnic set none1 --vlan none"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broadcast_reaches_whom_the_table_says_with_the_tag_it_says),
        cmocka_unit_test(test_private_vlans_learn_together),
        cmocka_unit_test(test_priority_is_reset_unless_trusted),
        cmocka_unit_test(test_a_mode_changes_while_the_guest_is_attached),
    };

    if (geteuid() != 0 || station_leave_host() != 0) {
        printf("# skip: network namespaces need root\n1..1\nok 1 - vlan delivery # SKIP\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
