/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which queue moves to which worker, and when none does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/spread.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct spread_move move[SPREAD_MOVES_MAX];

#define BUSY(permille, taken) { .busy_permille = (permille), .load = (taken) }
#define PLAN(queues, workers) spread_plan(queues, COUNT(queues), workers, COUNT(workers), move)

static void assert_one_move(uint32_t count, uint32_t queue, uint16_t to)
{
    assert_int_equal(count, 1);
    assert_int_equal(move[0].queue, queue);
    assert_int_equal(move[0].to, to);
}

static void test_spread_two_equal_queues_part(void **state)
{
    struct spread_queue queues[] = { { 0, false, 500 }, { 0, false, 500 } };
    struct spread_worker workers[] = { BUSY(1000, 1000), BUSY(0, 0) };

    (void)state;
    assert_one_move(PLAN(queues, workers), 0, 1);
    assert_int_equal(workers[0].busy_permille, 500);
    assert_int_equal(workers[1].busy_permille, 500);
}

static void test_spread_the_queue_that_evens_best_goes(void **state)
{
    struct spread_queue queues[] = { { 1, false, 700 }, { 1, false, 40 }, { 1, false, 260 },
                                     { 0, false, 9 } };
    struct spread_worker workers[] = { BUSY(500, 9), BUSY(1000, 1000), BUSY(900, 0) };

    (void)state;
    assert_one_move(PLAN(queues, workers), 2, 0);
}

static void test_spread_a_whole_load_stays(void **state)
{
    struct spread_queue queues[] = { { 0, false, 1000 }, { 0, false, 0 } };
    struct spread_worker workers[] = { BUSY(1000, 1000), BUSY(0, 0) };

    (void)state;
    assert_int_equal(PLAN(queues, workers), 0);
}

/* The first cannot be helped, the second can. */
static void test_spread_the_next_busiest_is_relieved(void **state)
{
    struct spread_queue queues[] = { { 0, false, 1000 }, { 1, false, 50 }, { 1, false, 50 } };
    struct spread_worker workers[] = { BUSY(1000, 1000), BUSY(990, 100), BUSY(0, 0) };

    (void)state;
    assert_one_move(PLAN(queues, workers), 1, 2);
}

static void test_spread_workers_with_time_are_left_alone(void **state)
{
    struct spread_queue queues[] = { { 0, false, 5 }, { 0, false, 5 } };
    struct spread_worker workers[] = { BUSY(SPREAD_HOT_PERMILLE - 1, 10), BUSY(0, 0) };

    (void)state;
    assert_int_equal(PLAN(queues, workers), 0);
}

static void test_spread_a_small_gain_is_none(void **state)
{
    struct spread_queue queues[] = { { 0, false, 91 }, { 0, false, 9 } };
    struct spread_worker workers[] = { BUSY(1000, 100), BUSY(0, 0) };

    (void)state;
    assert_int_equal(PLAN(queues, workers), 0);
}

/* None of them would be worth it alone. */
static void test_spread_small_queues_move_together(void **state)
{
    struct spread_queue queues[20];
    struct spread_worker workers[] = { BUSY(1000, 0), BUSY(0, 0) };

    (void)state;
    for (unsigned i = 0; i < COUNT(queues); i++) {
        queues[i] = (struct spread_queue){ .load = 50 };
        workers[0].load += 50;
    }

    assert_int_equal(PLAN(queues, workers), 10);
    assert_int_equal(workers[0].busy_permille, 500);
}

static void test_spread_busy_workers_all_have_enough(void **state)
{
    struct spread_queue queues[] = { { 0, false, 5 }, { 0, false, 5 },
                                     { 1, false, 5 }, { 1, false, 5 } };
    struct spread_worker workers[] = { BUSY(1000, 10), BUSY(980, 10) };

    (void)state;
    assert_int_equal(PLAN(queues, workers), 0);
}

static void test_spread_what_rests_is_left_alone(void **state)
{
    struct spread_queue queues[] = { { 0, true, 50 }, { 0, false, 30 }, { 0, true, 20 } };
    struct spread_worker workers[] = { BUSY(1000, 100), BUSY(0, 0) };

    (void)state;
    assert_one_move(PLAN(queues, workers), 1, 1);
}

static void test_spread_one_worker_has_nowhere_to_move_to(void **state)
{
    struct spread_queue queues[] = { { 0, false, 5 }, { 0, false, 5 } };
    struct spread_worker workers[] = { BUSY(1000, 10) };

    (void)state;
    assert_int_equal(PLAN(queues, workers), 0);
}

static void test_spread_without_queues_nothing_moves(void **state)
{
    struct spread_worker workers[] = { BUSY(1000, 0), BUSY(0, 0) };

    (void)state;
    assert_int_equal(spread_plan(NULL, 0, workers, COUNT(workers), move), 0);
}

static void test_spread_counters_of_any_size_do(void **state)
{
    struct spread_queue queues[] = { { 0, false, UINT64_MAX / 2 }, { 0, false, UINT64_MAX / 2 } };
    struct spread_worker workers[] = { BUSY(1000, UINT64_MAX - 1), BUSY(100, 3) };

    (void)state;
    assert_one_move(PLAN(queues, workers), 0, 1);
}

/* A host full of small guests, all on one worker of four. */
static void test_spread_evens_a_crowd_out(void **state)
{
    struct spread_queue queues[200];
    struct spread_worker workers[4] = { BUSY(1000, 0) };
    uint32_t count;

    (void)state;
    for (unsigned i = 0; i < COUNT(queues); i++) {
        queues[i] = (struct spread_queue){ .load = 100 + i * i % 37 };
        workers[0].load += queues[i].load;
    }

    count = PLAN(queues, workers);

    assert_in_range(count, 100, 180);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(queues[move[i].queue].worker, move[i].to);
        assert_true(queues[move[i].queue].rests);
    }
    for (unsigned i = 0; i < COUNT(workers); i++) {
        assert_in_range(workers[i].busy_permille, 100, 400);
    }
}

static void test_spread_moves_are_bounded(void **state)
{
    static struct spread_queue queues[2 * SPREAD_MOVES_MAX + 100];
    struct spread_worker workers[] = { BUSY(20000, 0), BUSY(0, 0) };

    (void)state;
    for (unsigned i = 0; i < COUNT(queues); i++) {
        queues[i] = (struct spread_queue){ .load = 1 };
        workers[0].load += 1;
    }

    assert_int_equal(PLAN(queues, workers), SPREAD_MOVES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread_two_equal_queues_part),
        cmocka_unit_test(test_spread_the_queue_that_evens_best_goes),
        cmocka_unit_test(test_spread_a_whole_load_stays),
        cmocka_unit_test(test_spread_the_next_busiest_is_relieved),
        cmocka_unit_test(test_spread_workers_with_time_are_left_alone),
        cmocka_unit_test(test_spread_a_small_gain_is_none),
        cmocka_unit_test(test_spread_small_queues_move_together),
        cmocka_unit_test(test_spread_busy_workers_all_have_enough),
        cmocka_unit_test(test_spread_what_rests_is_left_alone),
        cmocka_unit_test(test_spread_one_worker_has_nowhere_to_move_to),
        cmocka_unit_test(test_spread_without_queues_nothing_moves),
        cmocka_unit_test(test_spread_counters_of_any_size_do),
        cmocka_unit_test(test_spread_evens_a_crowd_out),
        cmocka_unit_test(test_spread_moves_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
