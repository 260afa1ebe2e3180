/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/rates: two readings, and what lies between them. */
#include "ctl/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PORT 7

static int setup(void **state)
{
    *state = rates_create();
    return *state == NULL;
}

static int teardown(void **state)
{
    rates_destroy(*state);
    return 0;
}

/* A reading at @p at_us of a port that sent @p frames of 100 bytes and was sent half of them. */
static void read_port(struct rates *rates, uint64_t at_us, uint64_t frames)
{
    const struct port_counters counters = {
        .from_frames = frames, .from_bytes = frames * 100,
        .to_frames = frames / 2, .to_bytes = frames * 50,
    };

    rates_begin(rates, at_us);
    rates_note(rates, PORT, &counters);
}

static void test_rates_of_two_readings_are_by_the_time_between(void **state)
{
    struct rates *rates = *state;
    struct rate rate;

    read_port(rates, 5000000, 1000);
    read_port(rates, 7000000, 3000);

    assert_true(rates_of_port(rates, PORT, &rate));
    assert_int_equal(rate.from_frames_per_s, 1000);
    assert_int_equal(rate.from_bits_per_s, 800000);
    assert_int_equal(rate.to_frames_per_s, 500);
    assert_int_equal(rate.to_bits_per_s, 400000);
}

static void test_rates_are_of_the_last_two_readings_only(void **state)
{
    struct rates *rates = *state;
    struct rate rate;

    read_port(rates, 1000000, 0);
    read_port(rates, 2000000, 50000);
    read_port(rates, 3000000, 50000);

    assert_true(rates_of_port(rates, PORT, &rate));
    assert_int_equal(rate.from_frames_per_s, 0);
}

static void test_rates_of_a_port_seen_once_are_unknown(void **state)
{
    struct rates *rates = *state;
    struct rate rate = { .from_frames_per_s = 5 };

    assert_false(rates_of_port(rates, PORT, &rate));
    read_port(rates, 1000000, 100);
    assert_false(rates_of_port(rates, PORT, &rate));
    assert_int_equal(rate.from_frames_per_s, 0);
}

static void test_rates_of_a_port_that_went_and_came_are_unknown(void **state)
{
    struct rates *rates = *state;
    struct rate rate;

    read_port(rates, 1000000, 100);
    rates_begin(rates, 2000000);
    read_port(rates, 3000000, 5000);

    assert_false(rates_of_port(rates, PORT, &rate));
}

static void test_rates_of_a_number_given_anew_are_unknown(void **state)
{
    struct rates *rates = *state;
    struct rate rate;

    read_port(rates, 1000000, 5000);
    read_port(rates, 2000000, 10);

    assert_false(rates_of_port(rates, PORT, &rate));
}

static void test_rates_at_one_moment_are_unknown(void **state)
{
    struct rates *rates = *state;
    struct rate rate;

    read_port(rates, 1000000, 10);
    read_port(rates, 1000000, 20);

    assert_false(rates_of_port(rates, PORT, &rate));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rates_of_two_readings_are_by_the_time_between),
        TEST(test_rates_are_of_the_last_two_readings_only),
        TEST(test_rates_of_a_port_seen_once_are_unknown),
        TEST(test_rates_of_a_port_that_went_and_came_are_unknown),
        TEST(test_rates_of_a_number_given_anew_are_unknown),
        TEST(test_rates_at_one_moment_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
