/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How captures end, by whom, and what guests notice of a reader that stands still: nothing.
 */
#include "tests/support/capture_lab.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- how it ends ---------------------------------------------------------------------------- */

static void test_capture_ends_after_its_seconds(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;
    const uint64_t begin_ms = clab_ms();

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl --json capture start --on switch:lan --seconds 1 --write"
               " $DIR/file >$DIR/summary");
    clab_talk(lab, CLAB_PORT);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_in_range(clab_ms() - begin_ms, 990, 3000);
    assert_int_equal(clab_number(lab, "summary", "written"), 2);
    clab_await_running(lab, 0);
}

static void test_capture_interrupted_is_a_whole_file(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "exec $BIN/vswitchctl --json capture start --on switch:lan --write"
               " $DIR/file >$DIR/summary");
    clab_talk(lab, CLAB_PORT);
    pipeline_signal(&pipeline, SIGINT);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.packet_count, 2);
    assert_int_equal(lab->stream.cut_bytes, 0);
    assert_true(lab->stream.interface[0].has_statistics);
    assert_int_equal(clab_number(lab, "summary", "written"), 2);
    clab_await_running(lab, 0);
}

static void test_capture_stopped_by_number_is_a_whole_file(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --write $DIR/file"
               " >$DIR/summary");
    clab_talk(lab, CLAB_PORT);
    clab_stop(lab);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    clab_read(lab, "file");
    assert_int_equal(lab->stream.packet_count, 2);
    assert_int_equal(lab->stream.cut_bytes, 0);
}

static void test_capture_whose_reader_is_killed_ends(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --write - 2>/dev/null | cat"
               " >/dev/null");
    pipeline_signal(&pipeline, SIGKILL);
    pipeline_wait(&pipeline, CLAB_END_MS);
    clab_talk(lab, CLAB_PORT);

    clab_await_running(lab, 0);
    clab_talk(lab, CLAB_PORT);
    assert_true(lab_alive(&lab->lab));
}

static void test_capture_with_a_bad_filter_is_refused_and_leaves_no_file(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    assert_int_equal(pipeline_start(&pipeline, "$BIN/vswitchctl capture start --on switch:lan"
                                               " --filter 'tcp porrt 80' --write $DIR/none"
                                               " >$DIR/out 2>$DIR/errors"), 0);

    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 1);
    assert_non_null(strstr(clab_text(lab, "errors"), "syntax error"));
    assert_int_equal(clab_size(lab, "none"), -1);
    assert_int_equal(clab_running(lab), 0);
}

/* ---- under load ----------------------------------------------------------------------------- */

#define BURST_FRAMES 32u

/* Bursts from a to b, each waited for, and a pause.  @return frames a second */
static double load(struct capture_lab *lab, uint32_t bursts, useconds_t pause_us)
{
    const uint64_t begin_ms = clab_ms();
    uint8_t frame[CLAB_FRAME_BYTES];
    double seconds;

    clab_frame(frame, 1, 2, CLAB_PORT);
    for (uint32_t i = 0; i < bursts; i++) {
        for (uint32_t k = 0; k < BURST_FRAMES; k++) {
            assert_int_equal(frontend_send(&lab->a, 0, frame, sizeof(frame)), 0);
        }
        for (uint32_t k = 0; k < BURST_FRAMES; k++) {
            assert_int_equal(frontend_receive(&lab->b, 0, NULL, 0, 2000), CLAB_FRAME_BYTES);
        }
        if (pause_us > 0) {
            usleep(pause_us);
        }
    }
    seconds = (double)(clab_ms() - begin_ms + 1) / 1000;
    return bursts * BURST_FRAMES / seconds;
}

/* load() fails when a single frame does not arrive. */
static void test_capture_with_a_reader_that_stands_still_disturbs_nobody(void **state)
{
    struct capture_lab *lab = *state;
    const uint32_t bursts = 30000;
    struct pipeline pipeline;
    double before, during;
    int64_t written, lost;

    before = load(lab, bursts, 0);
    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl --json capture start --on switch:lan --write -"
               " 2>$DIR/summary | (sleep 3; cat >$DIR/out)");

    during = load(lab, bursts, 0);
    sleep(3);
    assert_int_equal(clab_running(lab), 1);
    clab_stop(lab);
    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    print_message("# measured: %.0f frames/s without, %.0f with a capture nobody reads (%.2f)\n",
                  before, during, during / before);
    written = clab_number(lab, "summary", "written");
    lost = clab_number(lab, "summary", "dropped_by_reader");
    print_message("# measured: %lld frames written, %lld lost by the reader\n", (long long)written,
                  (long long)lost);
    assert_true(lost > 0);
    assert_int_equal(clab_number(lab, "summary", "seen"), 2 * BURST_FRAMES * bursts);
    assert_int_equal(written + lost, 2 * BURST_FRAMES * bursts);
    clab_await_running(lab, 0);
}

static void test_capture_that_is_read_loses_nothing(void **state)
{
    struct capture_lab *lab = *state;
    const uint32_t bursts = 1000;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "exec $BIN/vswitchctl --json capture start --on switch:lan --snaplen 64"
               " --write $DIR/file >$DIR/summary");

    load(lab, bursts, 500);
    pipeline_signal(&pipeline, SIGINT);
    assert_int_equal(pipeline_wait(&pipeline, CLAB_END_MS), 0);

    assert_int_equal(clab_number(lab, "summary", "written"), 2 * BURST_FRAMES * bursts);
    assert_int_equal(clab_number(lab, "summary", "dropped_by_reader"), 0);
    clab_await_running(lab, 0);
}

static void test_capture_and_the_daemon_ends(void **state)
{
    struct capture_lab *lab = *state;
    struct pipeline pipeline;

    clab_start(lab, &pipeline, 1,
               "$BIN/vswitchctl capture start --on switch:lan --write $DIR/file"
               " >$DIR/summary 2>$DIR/errors");
    clab_talk(lab, CLAB_PORT);

    assert_int_equal(lab_stop(&lab->lab), 0);

    assert_int_not_equal(pipeline_wait(&pipeline, CLAB_END_MS), -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_ends_after_its_seconds),
        cmocka_unit_test(test_capture_interrupted_is_a_whole_file),
        cmocka_unit_test(test_capture_stopped_by_number_is_a_whole_file),
        cmocka_unit_test(test_capture_whose_reader_is_killed_ends),
        cmocka_unit_test(test_capture_with_a_bad_filter_is_refused_and_leaves_no_file),
        cmocka_unit_test(test_capture_with_a_reader_that_stands_still_disturbs_nobody),
        cmocka_unit_test(test_capture_that_is_read_loses_nothing),
        cmocka_unit_test(test_capture_and_the_daemon_ends),
    };

    return cmocka_run_group_tests(tests, clab_setup, clab_teardown);
}
