/* SPDX-License-Identifier: BSD-3-Clause */
/* The capture's clock, given readings by hand: 2 cycles a nanosecond unless said otherwise. */
#include "dataplane/capture_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define UTC0  1700000000000000000ull
#define TSC0  5000000000000ull
#define MS    1000000ull           /* in ns */

/* Both clocks @p ns after the start; the day's clock may have been set by @p set_ns. */
static struct capture_moment moment(uint64_t ns, int64_t set_ns)
{
    return (struct capture_moment){ .tsc = TSC0 + 2 * ns, .utc_ns = UTC0 + ns + (uint64_t)set_ns };
}

static struct capture_clock synced_at(uint64_t ns)
{
    struct capture_clock clock;

    capture_clock_start(&clock, moment(0, 0));
    capture_clock_sync(&clock, moment(ns, 0));
    return clock;
}

static void test_capture_clock_tells_times_before_and_after_the_anchor(void **state)
{
    const struct capture_clock clock = synced_at(10 * MS);
    (void)state;

    assert_int_equal(capture_clock_utc_ns(&clock, moment(10 * MS, 0).tsc), UTC0 + 10 * MS);
    assert_int_equal(capture_clock_utc_ns(&clock, moment(7 * MS, 0).tsc), UTC0 + 7 * MS);
    assert_int_equal(capture_clock_utc_ns(&clock, moment(500 * MS, 0).tsc), UTC0 + 500 * MS);
}

static void test_capture_clock_is_due_at_once_and_then_at_doubling_intervals(void **state)
{
    struct capture_clock clock;
    (void)state;
    capture_clock_start(&clock, moment(0, 0));
    assert_true(capture_clock_due(&clock, moment(0, 0).tsc));

    capture_clock_sync(&clock, moment(10 * MS, 0));
    assert_false(capture_clock_due(&clock, moment(29 * MS, 0).tsc));
    assert_true(capture_clock_due(&clock, moment(31 * MS, 0).tsc));

    capture_clock_sync(&clock, moment(31 * MS, 0));
    assert_false(capture_clock_due(&clock, moment(72 * MS, 0).tsc));
    assert_true(capture_clock_due(&clock, moment(74 * MS, 0).tsc));
}

static void test_capture_clock_interval_stays_at_a_second(void **state)
{
    struct capture_clock clock = synced_at(900 * MS);
    (void)state;

    capture_clock_sync(&clock, moment(1900 * MS, 0));

    assert_false(capture_clock_due(&clock, moment(2899 * MS, 0).tsc));
    assert_true(capture_clock_due(&clock, moment(2901 * MS, 0).tsc));
}

/* A reading is off by 100 ns: what two successive pairs tell of one time differs by little more. */
static void test_capture_clock_jumps_no_more_than_readings_err(void **state)
{
    struct capture_clock clock;
    uint64_t at_ns = 10 * MS, interval_ns = 10 * MS;
    (void)state;
    capture_clock_start(&clock, moment(0, 0));

    for (int i = 0; i < 12; i++) {
        const int64_t err_ns = i % 2 == 0 ? 100 : -100;
        const uint64_t probe_tsc = moment(at_ns, 0).tsc;
        const uint64_t before_ns = i > 0 ? capture_clock_utc_ns(&clock, probe_tsc) : UTC0 + at_ns;

        capture_clock_sync(&clock, moment(at_ns, err_ns));

        assert_true(llabs((long long)(capture_clock_utc_ns(&clock, probe_tsc) - before_ns)) < 700);
        interval_ns = interval_ns * 2 < 1000 * MS ? interval_ns * 2 : 1000 * MS;
        at_ns += interval_ns;
    }
}

static void test_capture_clock_set_forward_moves_times_and_keeps_the_rate(void **state)
{
    struct capture_clock clock = synced_at(10 * MS);
    const int64_t hour_ns = 3600ll * 1000000000;
    (void)state;

    capture_clock_sync(&clock, moment(30 * MS, hour_ns));

    assert_int_equal(capture_clock_utc_ns(&clock, moment(40 * MS, 0).tsc),
                     UTC0 + 40 * MS + (uint64_t)hour_ns);
}

static void test_capture_clock_set_back_moves_times_and_keeps_the_rate(void **state)
{
    struct capture_clock clock = synced_at(10 * MS);
    const int64_t hour_ns = 3600ll * 1000000000;
    (void)state;

    capture_clock_sync(&clock, moment(30 * MS, -hour_ns));

    assert_int_equal(capture_clock_utc_ns(&clock, moment(40 * MS, 0).tsc),
                     UTC0 + 40 * MS - (uint64_t)hour_ns);
}

/* The clock was set between the very first readings: the rate from them is the wrong one. */
static void test_capture_clock_wrong_first_rate_is_corrected(void **state)
{
    struct capture_clock clock;
    const int64_t second_ns = 1000000000;
    (void)state;
    capture_clock_start(&clock, moment(0, 0));
    capture_clock_sync(&clock, moment(10 * MS, second_ns));

    capture_clock_sync(&clock, moment(30 * MS, second_ns));
    capture_clock_sync(&clock, moment(70 * MS, second_ns));

    assert_int_equal(capture_clock_utc_ns(&clock, moment(80 * MS, 0).tsc),
                     UTC0 + 80 * MS + (uint64_t)second_ns);
}

static void test_capture_clock_now_goes_forward(void **state)
{
    const struct capture_moment first = capture_clock_now();
    const struct capture_moment second = capture_clock_now();
    (void)state;

    assert_true(second.tsc > first.tsc);
    assert_true(first.utc_ns > UTC0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_clock_tells_times_before_and_after_the_anchor),
        cmocka_unit_test(test_capture_clock_is_due_at_once_and_then_at_doubling_intervals),
        cmocka_unit_test(test_capture_clock_interval_stays_at_a_second),
        cmocka_unit_test(test_capture_clock_jumps_no_more_than_readings_err),
        cmocka_unit_test(test_capture_clock_set_forward_moves_times_and_keeps_the_rate),
        cmocka_unit_test(test_capture_clock_set_back_moves_times_and_keeps_the_rate),
        cmocka_unit_test(test_capture_clock_wrong_first_rate_is_corrected),
        cmocka_unit_test(test_capture_clock_now_goes_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
