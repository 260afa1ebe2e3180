/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An announcement, byte by byte as RFC 903 has it, with a tag and without.
 */
#include "teaming/team_announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STATION UINT64_C(0x00155d0102fe)

static void test_team_announce_is_a_reverse_request_for_oneself(void **state)
{
    static const uint8_t wanted[42] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x15, 0x5d, 0x01, 0x02, 0xfe, 0x80, 0x35,
        0, 1, 8, 0, 6, 4, 0, 3,
        0x00, 0x15, 0x5d, 0x01, 0x02, 0xfe, 0, 0, 0, 0,
        0x00, 0x15, 0x5d, 0x01, 0x02, 0xfe, 0, 0, 0, 0,
    };
    uint8_t frame[TEAM_ANNOUNCE_BYTES_MAX];

    (void)state;
    assert_int_equal(team_announce_write(STATION, 0, frame), 60);
    assert_memory_equal(frame, wanted, sizeof(wanted));
    for (unsigned i = sizeof(wanted); i < 60; i++) {
        assert_int_equal(frame[i], 0);
    }
}

static void test_team_announce_has_the_tag_that_its_vlan_has_outside(void **state)
{
    uint8_t plain[TEAM_ANNOUNCE_BYTES_MAX], tagged[TEAM_ANNOUNCE_BYTES_MAX];

    (void)state;
    (void)team_announce_write(STATION, 0, plain);
    assert_int_equal(team_announce_write(STATION, 0x6064, tagged), 64);
    assert_memory_equal(tagged, plain, 12);
    assert_memory_equal(tagged + 12, "\x81\x00\x60\x64", 4);
    assert_memory_equal(tagged + 16, plain + 12, 48);
}

static void test_team_announce_priority_alone_is_no_tag(void **state)
{
    uint8_t plain[TEAM_ANNOUNCE_BYTES_MAX], marked[TEAM_ANNOUNCE_BYTES_MAX];

    (void)state;
    (void)team_announce_write(STATION, 0, plain);
    assert_int_equal(team_announce_write(STATION, 0xe000, marked), 60);
    assert_memory_equal(marked, plain, sizeof(plain));
}

static void test_team_announce_rounds_come_from_50_ms_in_steps_of_100(void **state)
{
    (void)state;
    assert_int_equal(team_announce_due_ms(1), 50);
    assert_int_equal(team_announce_due_ms(2), 150);
    assert_int_equal(team_announce_due_ms(4), 350);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_announce_is_a_reverse_request_for_oneself),
        cmocka_unit_test(test_team_announce_has_the_tag_that_its_vlan_has_outside),
        cmocka_unit_test(test_team_announce_priority_alone_is_no_tag),
        cmocka_unit_test(test_team_announce_rounds_come_from_50_ms_in_steps_of_100),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
