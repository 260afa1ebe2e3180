/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture with everything at once: two workers that see frames, a reader, and control that names
 * ports, asks for numbers and ends it.  Built with the thread sanitizer, it tells of any race.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/capture_rig.h"

#define BURSTS 3000u

struct worker {
    const struct capture_watch *watch;
    uint16_t number;
    uint64_t shown;
    struct frame_batch batch;
    struct wire wire;
};

static void *work(void *arg)
{
    struct worker *worker = arg;

    for (uint32_t i = 0; i < BURSTS; i++) {
        batch_start(&worker->batch, RIG_PORT_A);
        wire_start(&worker->wire, 0x0200000000b0, 0x0200000000a0);
        wire_type(&worker->wire, 0x88b5);
        wire_fill(&worker->wire, 60 + i % 500);
        batch_add_wire(&worker->batch, &worker->wire, 100);
        capture_see(worker->watch, worker->number, RIG_PORT_A, CAPTURE_IN, &worker->batch, NULL,
                    1, NULL);
        capture_see(worker->watch, worker->number, RIG_PORT_B, CAPTURE_OUT, &worker->batch, NULL,
                    1, NULL);
        worker->shown += 2;
        if (i % 64 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void test_capture_between_all_its_threads_accounts_for_every_frame(void **state)
{
    static struct capture_rig rig;
    static struct worker worker[RIG_WORKERS];
    const struct capture_config config = { .direction = CAPTURE_BOTH, .filter = "len >= 60" };
    struct capture_result result;
    struct capture_watch *next;
    pthread_t thread[RIG_WORKERS];
    struct pcapng_read stream;
    (void)state;
    rig_start(&rig, &config);
    rig_read(&rig);
    next = capture_watch_create(1);
    for (uint16_t i = 0; i < RIG_WORKERS; i++) {
        worker[i].watch = rig.watch;
        worker[i].number = i;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
    }

    for (uint16_t port = 10; port < 60; port++) {
        char name[16];

        snprintf(name, sizeof(name), "vnic:%u", port);
        assert_int_equal(capture_watch_add(next, rig.capture, port, name), 0);
        capture_result(rig.capture, &result);
        sched_yield();
    }
    for (uint16_t i = 0; i < RIG_WORKERS; i++) {
        pthread_join(thread[i], NULL);
    }
    capture_end(rig.capture);
    rig_finish(&rig, &stream, &result);

    assert_int_equal(result.seen, worker[0].shown + worker[1].shown);
    assert_int_equal(result.matched, result.seen);
    assert_int_equal(result.written + result.dropped_by_reader, result.matched);
    assert_int_equal(stream.packet_count, result.written);
    pcapng_read_free(&stream);
    capture_watch_destroy(next);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_between_all_its_threads_accounts_for_every_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
