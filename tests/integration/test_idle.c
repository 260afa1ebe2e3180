/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch that nobody uses costs nothing, and wakes at once: what the daemon spends while guests
 * are attached and silent, and how long a frame takes that ends the silence.
 *
 * The share of a core is a promise and is checked.  The time is printed and not judged, because on
 * a shared machine it measures the machine as well.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GUESTS        4u
#define SILENCE_S     5u
#define MOST_PERCENT  2.0
#define WAKES         201u
#define ASLEEP_US     20000u       /* far longer than a worker looks on before it sleeps */
#define FRAME_BYTES   60u

struct fixture {
    struct lab lab;
    struct frontend guest[GUESTS];
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    assert_int_equal(lab_do(&f->lab, "switch add lan --type private"), 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "g%u", i);
        assert_int_equal(lab_do(&f->lab, "vnic add %s --switch lan --mac 02:00:00:00:00:%02x",
                                name, i + 1), 0);
        assert_int_equal(frontend_open(&f->guest[i], &(struct frontend_config){
                             .socket_path = lab_socket(&f->lab, name) }), 0);
    }
    *state = f;
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < GUESTS; i++) {
        frontend_abandon(&f->guest[i]);
    }
    lab_destroy(&f->lab);
    free(f);
    return 0;
}

/* A frame from guest @p from to guest @p to. */
static void make_frame(uint8_t frame[FRAME_BYTES], unsigned from, unsigned to)
{
    memset(frame, 0, FRAME_BYTES);
    frame[0] = frame[6] = 0x02;
    frame[5] = (uint8_t)(to + 1);
    frame[11] = (uint8_t)(from + 1);
    frame[12] = 0x88;
    frame[13] = 0xb5;                               /* for local experiments, IEEE 802 */
}

/* Lets the switch learn the first two guests. */
static void make_known(struct fixture *f)
{
    uint8_t frame[FRAME_BYTES];

    for (unsigned i = 0; i < 4; i++) {
        make_frame(frame, i % 2, 1 - i % 2);
        assert_int_equal(frontend_send(&f->guest[i % 2], 0, frame, sizeof(frame)), 0);
        assert_true(frontend_receive(&f->guest[1 - i % 2], 0, NULL, 0, 1000) > 0);
        (void)usleep(ASLEEP_US);
    }
}

/* Clock ticks the daemon has used so far, in all of its threads. */
static unsigned long ticks_used(pid_t pid)
{
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    (void)fclose(file);
    assert_int_equal(sscanf(strrchr(line, ')') + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
                     2);
    return user + system;
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void test_idle_switch_with_attached_guests_uses_less_than_two_percent(void **state)
{
    struct fixture *f = *state;
    unsigned long before, used;
    double percent;

    make_known(f);
    before = ticks_used(f->lab.pid);
    (void)sleep(SILENCE_S);
    used = ticks_used(f->lab.pid) - before;
    percent = 100.0 * (double)used / (double)sysconf(_SC_CLK_TCK) / SILENCE_S;

    printf("# measured: %u silent guests for %u s cost %.2f %% of one core\n", GUESTS, SILENCE_S,
           percent);
    assert_true(percent < MOST_PERCENT);
}

static int order(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void test_idle_frame_that_ends_the_sleep_is_delivered(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[FRAME_BYTES];
    double took_us[WAKES];

    make_known(f);
    make_frame(frame, 0, 1);
    for (unsigned i = 0; i < WAKES; i++) {
        double start;

        (void)usleep(ASLEEP_US);
        start = now_us();
        assert_int_equal(frontend_send(&f->guest[0], 0, frame, sizeof(frame)), 0);
        assert_int_equal(frontend_receive(&f->guest[1], 0, NULL, 0, 1000), FRAME_BYTES);
        took_us[i] = now_us() - start;
    }
    qsort(took_us, WAKES, sizeof(took_us[0]), order);

    printf("# measured: a frame that ends the sleep takes %.0f us (median), %.0f us (99 %%), from "
           "send to call\n", took_us[WAKES / 2], took_us[WAKES * 99 / 100]);
}

static void test_idle_worker_sleeps_again_after_each_frame(void **state)
{
    struct fixture *f = *state;
    struct lab_answer before, after;

    assert_int_equal(lab_ask(&f->lab, &before, "daemon show"), 0);
    make_known(f);
    assert_int_equal(lab_ask(&f->lab, &after, "daemon show"), 0);

    assert_true(json_integer_value(json_object_get(json_array_get(
                    lab_value(after.json, "workers"), 0), "sleeps")) >=
                json_integer_value(json_object_get(json_array_get(
                    lab_value(before.json, "workers"), 0), "sleeps")) + 3);
    lab_answer_release(&before);
    lab_answer_release(&after);
}

int main(void)
{
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FIXTURE(test_idle_switch_with_attached_guests_uses_less_than_two_percent),
        FIXTURE(test_idle_frame_that_ends_the_sleep_is_delivered),
        FIXTURE(test_idle_worker_sleeps_again_after_each_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
