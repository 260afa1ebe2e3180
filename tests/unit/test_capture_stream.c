/* SPDX-License-Identifier: BSD-3-Clause */
/* How a capture's stream ends, what a slow reader loses, and that the numbers add up each time. */
#include "dataplane/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/capture_rig.h"

static struct capture_rig rig;
static struct pcapng_read stream;
static struct capture_result result;

static const struct capture_config ALL = { .direction = CAPTURE_BOTH };

static int teardown(void **state)
{
    (void)state;
    rig_free(&rig);
    pcapng_read_free(&stream);
    return 0;
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void see_bursts(uint32_t bursts, uint32_t len_bytes)
{
    rig_burst(&rig, len_bytes);
    for (uint32_t i = 0; i < bursts; i++) {
        rig_see(&rig, RIG_PORT_A, CAPTURE_IN);
    }
}

static void test_capture_stream_frame_limit_is_exact(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .frame_limit = 77 };
    (void)state;
    rig_start(&rig, &config);
    see_bursts(20, 60);

    rig_finish(&rig, &stream, &result);

    assert_int_equal(stream.packet_count, 77);
    assert_int_equal(result.written, 77);
    assert_int_equal(result.dropped_by_reader, 0);
    assert_int_equal(result.end, CAPTURE_END_FRAMES);
    assert_int_equal(stream.cut_bytes, 0);
}

static void test_capture_stream_after_its_limit_sees_nothing(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .frame_limit = 1 };
    (void)state;
    rig_start(&rig, &config);
    see_bursts(1, 60);
    assert_true(rig_wait(&rig, CAPTURE_ENDED, 1000));
    see_bursts(1, 60);

    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.seen, FRAME_BURST);
}

static void test_capture_stream_ends_when_its_seconds_are_over(void **state)
{
    const struct capture_config config = { .direction = CAPTURE_BOTH, .seconds_limit = 1 };
    const uint64_t begin_ms = monotonic_ms();
    (void)state;
    rig_start(&rig, &config);
    see_bursts(1, 60);

    assert_true(rig_wait(&rig, CAPTURE_ENDED, 3000));
    assert_true(monotonic_ms() - begin_ms >= 990);
    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.end, CAPTURE_END_SECONDS);
    assert_int_equal(stream.packet_count, FRAME_BURST);
}

static void test_capture_stream_shows_a_frame_within_100_ms(void **state)
{
    uint64_t before;
    uint64_t begin_ms;
    (void)state;
    rig_start(&rig, &ALL);
    rig_read(&rig);
    usleep(100000);
    before = atomic_load(&rig.stream_bytes);
    begin_ms = monotonic_ms();
    see_bursts(1, 60);

    assert_true(rig_wait_bytes(&rig, before + FRAME_BURST * 60, 2000));

    print_message("# measured: a frame was shown after %llu ms\n",
                  (unsigned long long)(monotonic_ms() - begin_ms));
    assert_true(monotonic_ms() - begin_ms < 100);
    capture_end(rig.capture);
    rig_finish(&rig, &stream, &result);
}

/* More than ring, output and socket hold, while nobody reads: then the reader reads all. */
static void test_capture_stream_slow_reader_loses_and_counts(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    for (int i = 0; i < 100; i++) {
        see_bursts(5, 1000);
        usleep(1000);
    }

    capture_end(rig.capture);
    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.matched, 100 * 5 * FRAME_BURST);
    assert_true(result.dropped_by_reader > 0);
    assert_true(result.written > 0);
    assert_int_equal(result.written + result.dropped_by_reader, result.matched);
    assert_int_equal(stream.packet_count, result.written);
    assert_int_equal(stream.interface[0].dropped, result.dropped_by_reader);
    assert_int_equal(stream.cut_bytes, 0);
}

static void test_capture_stream_reader_that_never_reads_is_given_up(void **state)
{
    uint64_t begin_ms;
    (void)state;
    rig_start(&rig, &ALL);
    see_bursts(50, 1000);
    usleep(100000);
    see_bursts(50, 1000);
    capture_end(rig.capture);
    assert_true(rig_wait(&rig, CAPTURE_ENDED, 1000));
    begin_ms = monotonic_ms();

    capture_drain(rig.capture);
    assert_true(rig_wait(&rig, CAPTURE_DONE, 4000));

    assert_in_range(monotonic_ms() - begin_ms, 900, 2500);
    capture_result(rig.capture, &result);
    assert_true(result.written > 0);
    assert_int_equal(result.written + result.dropped_by_reader, result.matched);
    rig_read(&rig);
    pthread_join(rig.reader, NULL);
    rig.reading = false;
    assert_null(pcapng_read(rig.stream, atomic_load(&rig.stream_bytes), &stream));
    assert_int_equal(stream.packet_count, result.written);      /* also when cut in the middle */
}

static void test_capture_stream_reader_that_goes_away_ends_it(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    see_bursts(1, 60);
    close(rig.reader_fd);
    rig.reader_fd = -1;

    assert_true(rig_wait(&rig, CAPTURE_ENDED, 1000));
    capture_drain(rig.capture);
    assert_true(rig_wait(&rig, CAPTURE_DONE, 1000));

    capture_result(rig.capture, &result);
    assert_int_equal(result.end, CAPTURE_END_READER);
    assert_int_equal(result.matched, FRAME_BURST);
    assert_int_equal(result.written + result.dropped_by_reader, result.matched);
}

static void test_capture_stream_reader_that_shuts_down_gets_the_rest(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    see_bursts(3, 60);
    shutdown(rig.reader_fd, SHUT_WR);

    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.end, CAPTURE_END_STOPPED);
    assert_int_equal(stream.packet_count, 3 * FRAME_BURST);
    assert_true(stream.interface[0].has_statistics);
}

/* What is shown after the end and before the grace period is over is written or was not taken. */
static void test_capture_stream_frames_of_the_grace_period_are_accounted(void **state)
{
    (void)state;
    rig_start(&rig, &ALL);
    capture_end(rig.capture);
    see_bursts(10, 60);

    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.written, result.matched);
    assert_int_equal(stream.packet_count, result.matched);
}

static void test_capture_stream_abandoned_tells_nothing_more(void **state)
{
    const uint64_t begin_ms = monotonic_ms();
    (void)state;
    rig_start(&rig, &ALL);
    see_bursts(200, 1000);

    capture_destroy(rig.capture);
    rig.capture = NULL;

    assert_true(monotonic_ms() - begin_ms < 500);
    assert_int_equal(atomic_load(&rig.events), 0);
}

static void test_capture_stream_more_interfaces_than_one_output_holds(void **state)
{
    static char filter[CAPTURE_FILTER_SIZE];
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = filter };
    (void)state;
    memset(filter, ' ', 1800);
    strcpy(filter + 1800, "len > 0");
    rig_start(&rig, &config);
    for (uint16_t port = 0; port < 300; port++) {
        char name[16];

        snprintf(name, sizeof(name), "vnic:%u", port);
        assert_int_equal(capture_watch_add(rig.watch, rig.capture, port, name), 0);
    }
    rig_frame(&rig, 60, 0);
    rig_see(&rig, 299, CAPTURE_OUT);

    capture_end(rig.capture);
    rig_finish(&rig, &stream, &result);

    assert_int_equal(stream.packet_count, 1);
    assert_string_equal(stream.interface[stream.packet[0].interface].name, "vnic:299");
    assert_int_equal(stream.interface_count, 302);      /* with "vnic:a" and "vnic:b" */
    for (size_t i = 0; i < stream.interface_count; i++) {
        assert_true(stream.interface[i].has_statistics);
    }
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_capture_stream_frame_limit_is_exact),
        STREAM_TEST(test_capture_stream_after_its_limit_sees_nothing),
        STREAM_TEST(test_capture_stream_ends_when_its_seconds_are_over),
        STREAM_TEST(test_capture_stream_shows_a_frame_within_100_ms),
        STREAM_TEST(test_capture_stream_slow_reader_loses_and_counts),
        STREAM_TEST(test_capture_stream_reader_that_never_reads_is_given_up),
        STREAM_TEST(test_capture_stream_reader_that_goes_away_ends_it),
        STREAM_TEST(test_capture_stream_reader_that_shuts_down_gets_the_rest),
        STREAM_TEST(test_capture_stream_frames_of_the_grace_period_are_accounted),
        STREAM_TEST(test_capture_stream_abandoned_tells_nothing_more),
        STREAM_TEST(test_capture_stream_more_interfaces_than_one_output_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
