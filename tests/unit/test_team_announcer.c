/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a team's addresses are announced, and which it knows; how they are sent, tests of whole
 * teams say.
 */
#include "ctl/host/team_announcer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "teaming/team_announce.h"

/* So that what is too much is refused, as it is without a sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static const struct team_plan nobody = { .primary = TEAM_NO_MEMBER };
static const uint64_t all[TEAM_BUCKETS / 64] = { 1 };

static void test_team_announcer_goes_its_rounds_and_ends(void **state)
{
    static const uint64_t due_ms[TEAM_ANNOUNCE_ROUNDS] = { 1000, 1050, 1150, 1250, 1350 };
    const struct team_announcer_way way = { .plan = &nobody };
    struct team_announcer announcer = { 0 };
    bool host_moved = false;
    (void)state;

    assert_true(team_announcer_turn(&announcer, &way, 1000, &host_moved) == UINT64_MAX);
    team_announcer_begin(&announcer, all, 1000);
    for (unsigned i = 0; i < TEAM_ANNOUNCE_ROUNDS; i++) {
        const uint64_t next = team_announcer_turn(&announcer, &way, due_ms[i], &host_moved);

        assert_true(next == (i + 1 < TEAM_ANNOUNCE_ROUNDS ? due_ms[i + 1] : UINT64_MAX));
    }
    assert_false(host_moved);
}

static void test_team_announcer_begins_anew_when_more_has_moved(void **state)
{
    const struct team_announcer_way way = { .plan = &nobody };
    struct team_announcer announcer = { 0 };
    bool host_moved = false;
    (void)state;

    team_announcer_begin(&announcer, all, 1000);
    (void)team_announcer_turn(&announcer, &way, 1000, &host_moved);
    team_announcer_begin(&announcer, all, 1200);

    assert_true(team_announcer_turn(&announcer, &way, 1200, &host_moved) == 1250);
}

/* A vNIC that was known before is freed when the call is over, whatever it said. */
static void test_team_announcer_without_memory_knows_nobody(void **state)
{
    static const struct team_address one = { .mac = 2 };
    struct team_announcer announcer = { 0 };
    (void)state;

    assert_true(team_announcer_know(&announcer, &one, 1));
    assert_int_equal(announcer.address_count, 1);
    assert_false(team_announcer_know(&announcer, &one, SIZE_MAX / 2));

    assert_int_equal(announcer.address_count, 0);
    assert_null(announcer.address);
    assert_true(team_announcer_know(&announcer, NULL, 0));
    team_announcer_free(&announcer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_announcer_goes_its_rounds_and_ends),
        cmocka_unit_test(test_team_announcer_begins_anew_when_more_has_moved),
        cmocka_unit_test(test_team_announcer_without_memory_knows_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
