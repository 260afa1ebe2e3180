/* SPDX-License-Identifier: BSD-3-Clause */
/* The capture's ring between two threads: built with the thread sanitizer, it tells of any race. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/capture_ring.h"

#define RING_BYTES 16384u
#define RECORDS    100000u

static uint32_t len_of(uint32_t number)
{
    return number * 13 % 1500;
}

static void *write_all(void *arg)
{
    struct capture_ring *ring = arg;

    for (uint32_t number = 0; number < RECORDS;) {
        struct capture_record *record = capture_ring_reserve(ring, len_of(number));

        if (record == NULL) {                           /* full: here, and only here, it waits */
            capture_ring_publish(ring);
            sched_yield();
            continue;
        }
        record->tsc = number;
        memset(record->data, (int)(number & 0xff), len_of(number));
        if (++number % 32 == 0) {
            capture_ring_publish(ring);
        }
    }
    capture_ring_publish(ring);
    return NULL;
}

static void test_capture_ring_between_threads_keeps_every_record(void **state)
{
    struct capture_ring ring;
    pthread_t writer;
    uint32_t number = 0;
    bool same = true;
    (void)state;
    assert_int_equal(capture_ring_init(&ring, RING_BYTES), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_all, &ring), 0);

    while (same && number < RECORDS) {
        const struct capture_record *record = capture_ring_peek(&ring);

        if (record == NULL) {
            sched_yield();
            continue;
        }
        same = record->tsc == number && record->captured_bytes == len_of(number);
        for (uint32_t i = 0; same && i < record->captured_bytes; i++) {
            same = record->data[i] == (number & 0xff);
        }
        capture_ring_next(&ring);
        number++;
    }

    assert_true(same);
    pthread_join(writer, NULL);
    assert_null(capture_ring_peek(&ring));
    capture_ring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_ring_between_threads_keeps_every_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
