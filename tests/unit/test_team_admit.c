/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames that come by a member are taken.
 */
#include "teaming/team_admit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "teaming/lacp_pdu.h"
#include "tests/support/frame_builder.h"

#define PEER      UINT64_C(0x001b21000001)
#define GUEST     UINT64_C(0x00155d000002)
#define GROUP     UINT64_C(0x01005e000001)
#define MEMBER_0  UINT64_C(0x001b21aa0000)
#define MEMBER_5  UINT64_C(0x001b21aa0005)
#define TAKEN     DROP_REASON_COUNT

static const uint64_t mac[TEAM_MEMBERS_MAX] = { MEMBER_0, [5] = MEMBER_5 };
static struct team_plan plan;
static struct frame_batch batch;
static struct wire wire;
static uint8_t verdict[FRAME_BURST];
static uint32_t slow;

/* Members 0 and 5 are taken from, 0 is the primary one. */
static int setup(void **state)
{
    (void)state;
    plan = (struct team_plan){ .carries = 0x21, .takes = 0x21, .primary = 0 };
    batch_start(&batch, 3);
    memset(verdict, 0x55, sizeof(verdict));
    slow = 0x55;
    return 0;
}

static uint16_t admit(enum team_mode mode, unsigned member)
{
    return team_admit(&plan, mode, member, mac, &batch, verdict, &slow);
}

static void add_slow(void)
{
    wire_start(&wire, LACP_PDU_GROUP, PEER);
    wire_type(&wire, LACP_PDU_ETHERTYPE);
    wire_fill(&wire, LACP_PDU_FRAME_BYTES);
    batch_add_wire(&batch, &wire, 0);
}

static void test_team_admit_unicast_is_taken_from_every_member(void **state)
{
    (void)state;

    batch_add(&batch, GUEST, PEER);
    for (unsigned mode = 0; mode < TEAM_MODE_COUNT; mode++) {
        for (unsigned member = 0; member <= 5; member += 5) {
            assert_int_equal(admit(mode, member), 1);
            assert_int_equal(verdict[0], TAKEN);
            assert_int_equal(slow, 0);
        }
    }
}

static void test_team_admit_group_frames_are_taken_once(void **state)
{
    (void)state;

    batch_add(&batch, MAC_BROADCAST, PEER);
    batch_add(&batch, GROUP, PEER);

    assert_int_equal(admit(TEAM_INDEPENDENT, 0), 2);
    assert_int_equal(admit(TEAM_INDEPENDENT, 5), 0);
    assert_int_equal(verdict[0], DROP_TEAM_DUPLICATE);
    assert_int_equal(verdict[1], DROP_TEAM_DUPLICATE);
    assert_int_equal(admit(TEAM_STATIC, 5), 2);
    assert_int_equal(admit(TEAM_LACP, 5), 2);
}

static void test_team_admit_group_frames_follow_the_primary(void **state)
{
    (void)state;

    plan.primary = 5;
    batch_add(&batch, MAC_BROADCAST, PEER);

    assert_int_equal(admit(TEAM_INDEPENDENT, 5), 1);
    assert_int_equal(admit(TEAM_INDEPENDENT, 0), 0);
}

static void test_team_admit_reflections_are_named(void **state)
{
    (void)state;

    batch_add(&batch, GUEST, MEMBER_0);
    batch_add(&batch, MAC_BROADCAST, MEMBER_5);

    assert_int_equal(admit(TEAM_INDEPENDENT, 0), 0);
    assert_int_equal(verdict[0], DROP_TEAM_REFLECTED);
    assert_int_equal(verdict[1], DROP_TEAM_REFLECTED);
    assert_int_equal(admit(TEAM_INDEPENDENT, 5), 0);
    assert_int_equal(verdict[0], DROP_TEAM_REFLECTED);
}

static void test_team_admit_no_member_is_no_address(void **state)
{
    (void)state;

    batch_add(&batch, GUEST, 0);

    assert_int_equal(admit(TEAM_INDEPENDENT, 0), 1);
}

/* The set that is asked first says yes to some who are not in it. */
static void test_team_admit_strangers_are_no_reflections(void **state)
{
    (void)state;

    for (uint64_t i = 0; i < 4096; i++) {
        batch_start(&batch, 3);
        batch_add(&batch, GUEST, PEER + i);
        assert_int_equal(admit(TEAM_INDEPENDENT, 0), 1);
    }
}

static void test_team_admit_member_that_rests_says_nothing(void **state)
{
    (void)state;

    batch_add(&batch, GUEST, PEER);
    for (unsigned mode = 0; mode < TEAM_MODE_COUNT; mode++) {
        assert_int_equal(admit(mode, 3), 0);
        assert_int_equal(verdict[0], DROP_TEAM_MEMBER_RESTS);
    }
}

static void test_team_admit_slow_protocols_go_to_control(void **state)
{
    (void)state;

    for (unsigned mode = 0; mode < TEAM_MODE_COUNT; mode++) {
        for (unsigned member = 0; member < TEAM_MEMBERS_MAX; member++) {
            batch_start(&batch, 3);
            batch_add(&batch, GUEST, PEER);
            add_slow();
            (void)admit(mode, member);
            assert_int_equal(verdict[1], DROP_RESERVED_GROUP);
            assert_int_equal(slow, 2);
        }
    }
}

static void test_team_admit_short_frames_are_left_to_the_switch(void **state)
{
    (void)state;

    batch_add(&batch, GUEST, PEER)->hdr_len_bytes = 13;

    assert_int_equal(admit(TEAM_INDEPENDENT, 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(test_team_admit_##name, setup)
        T(unicast_is_taken_from_every_member),
        T(group_frames_are_taken_once),
        T(group_frames_follow_the_primary),
        T(reflections_are_named),
        T(no_member_is_no_address),
        T(strangers_are_no_reflections),
        T(member_that_rests_says_nothing),
        T(slow_protocols_go_to_control),
        T(short_frames_are_left_to_the_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
