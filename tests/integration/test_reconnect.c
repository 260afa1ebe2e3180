/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's monitor is killed, 300 times in a row, whatever it was doing.
 *
 * The guest is a process of its own that is killed without warning, so that the switch meets what a
 * crash looks like: half a negotiation, memory that goes away under it, frames in both directions.
 * Its neighbour floods it all the time and must not notice.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/random.h"
#include "tests/support/udp_frame.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIVES 300u
#define LONGEST_LIFE_US 40000u
#define FRAME_BYTES 400u
#define CRASHER 0xc0u
#define NEIGHBOUR 0x0eu
#define WAIT_MS 3000

/* What a life came to, in memory that outlives it. */
struct life {
    _Atomic uint64_t sent_frames;
    _Atomic uint64_t received_frames;
};

struct fixture {
    struct lab lab;
    struct frontend neighbour;
    struct life *life;
    uint64_t random;
};

static void frame_between(uint8_t frame[FRAME_BYTES], uint32_t from, uint32_t to)
{
    struct udp_frame fields = {.from_ip = from, .to_ip = to, .from_port = 1, .to_port = 2};

    udp_frame_mac(fields.from, 1, from);
    udp_frame_mac(fields.to, 1, to);
    udp_frame_write(frame, FRAME_BYTES, &fields);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *x = &fixture;

    x->random = 300;
    x->life = mmap(NULL, sizeof(*x->life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    if (x->life == MAP_FAILED || lab_create(&x->lab) != 0 || lab_start(&x->lab, NULL) != 0 ||
        lab_do(&x->lab, "switch add s1 --type private") != 0 ||
        lab_do(&x->lab, "vnic add crasher --switch s1 --queues 2 --mac 02:01:00:00:00:c0") != 0 ||
        lab_do(&x->lab, "vnic add neighbour --switch s1 --mac 02:01:00:00:00:0e") != 0) {
        return -1;
    }
    *state = x;
    if (frontend_open(&x->neighbour, &(struct frontend_config){
            .socket_path = lab_socket(&x->lab, "neighbour")}) != 0) {
        printf("# %s\n", frontend_error(&x->neighbour));
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    if (x != NULL) {
        frontend_abandon(&x->neighbour);
        lab_destroy(&x->lab);
    }
    return 0;
}

/* The life of the crasher: attach and talk until killed. */
static void __attribute__((noreturn)) crasher_main(struct fixture *x, unsigned number)
{
    const struct frontend_config config = {
        .socket_path = lab_socket(&x->lab, "crasher"),
        .queue_pairs = 1 + number % 2,
        .indirect = number % 3 == 0,
        .segment_bytes = number % 5 == 0 ? 100 : 0,
        .without_protocol_features = number % 4 == 0 ? 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK : 0,
    };
    struct frontend f;
    uint8_t frame[FRAME_BYTES];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    frame_between(frame, CRASHER, NEIGHBOUR);
    if (frontend_open(&f, &config) < 0) {
        dprintf(STDOUT_FILENO, "# life %u: %s\n", number, frontend_error(&f));
        _exit(1);
    }
    for (unsigned i = 0;; i++) {
        if (frontend_send(&f, (uint16_t)(i % config.queue_pairs), frame, sizeof(frame)) == 0) {
            atomic_fetch_add(&x->life->sent_frames, 1);
        }
        if (frontend_receive(&f, FRONTEND_ANY_QUEUE, NULL, 0, 0) >= 0) {
            atomic_fetch_add(&x->life->received_frames, 1);
        }
    }
}

/* The neighbour floods the crasher and takes what comes, until @p end_us. */
static void neighbour_run(struct fixture *x, uint64_t end_us)
{
    uint8_t frame[FRAME_BYTES];

    frame_between(frame, NEIGHBOUR, CRASHER);
    do {
        assert_int_equal(frontend_send(&x->neighbour, 0, frame, sizeof(frame)), 0);
        while (frontend_receive(&x->neighbour, 0, NULL, 0, 0) >= 0) {
        }
    } while (now_us() < end_us);
}

static size_t open_files(pid_t pid)
{
    char path[64];
    size_t count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);

    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* One frame each way between the neighbour and a fresh guest. */
static void assert_traffic_flows(struct fixture *x)
{
    struct frontend f;
    uint8_t sent[FRAME_BYTES], got[FRAME_BYTES];

    if (frontend_open(&f, &(struct frontend_config){
            .socket_path = lab_socket(&x->lab, "crasher"), .queue_pairs = 2}) != 0) {
        fail_msg("%s", frontend_error(&f));
    }
    assert_true(frontend_drain(&x->neighbour, 50) >= 0);
    frame_between(sent, CRASHER, NEIGHBOUR);
    assert_int_equal(frontend_send(&f, 0, sent, sizeof(sent)), 0);
    assert_int_equal(frontend_receive(&x->neighbour, 0, got, sizeof(got), WAIT_MS), sizeof(got));
    assert_memory_equal(sent, got, sizeof(got));
    frame_between(sent, NEIGHBOUR, CRASHER);
    assert_true(frontend_drain(&f, 50) >= 0);
    assert_int_equal(frontend_send(&x->neighbour, 0, sent, sizeof(sent)), 0);
    assert_int_equal(frontend_receive(&f, FRONTEND_ANY_QUEUE, got, sizeof(got), WAIT_MS),
                     sizeof(got));
    assert_memory_equal(sent, got, sizeof(got));
    assert_int_equal(frontend_close(&f), 0);
}

static void test_frontend_killed_300_times_under_load_comes_back(void **state)
{
    struct fixture *x = *state;
    unsigned silent = 0;

    for (unsigned number = 0; number < LIVES; number++) {
        const uint64_t sent_before = atomic_load(&x->life->sent_frames);
        const pid_t pid = fork();

        if (pid == 0) {
            crasher_main(x, number);
        }
        assert_true(pid > 0);
        neighbour_run(x, now_us() + random_below(&x->random, LONGEST_LIFE_US));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        silent += atomic_load(&x->life->sent_frames) == sent_before;
        assert_true(lab_alive(&x->lab));
    }

    printf("# measured: of %u lives %u ended before their first frame; the others sent %lu and "
           "received %lu\n", LIVES, silent, (unsigned long)atomic_load(&x->life->sent_frames),
           (unsigned long)atomic_load(&x->life->received_frames));
    assert_true(silent < LIVES * 3 / 4);
    assert_true(atomic_load(&x->life->received_frames) > 0);
    assert_traffic_flows(x);
}

static void test_frontend_closing_and_opening_leaves_no_files_open(void **state)
{
    struct fixture *x = *state;
    size_t before;

    assert_traffic_flows(x);
    usleep(100000);    /* the end of the last one is seen by the daemon */
    before = open_files(x->lab.pid);
    for (unsigned i = 0; i < 20; i++) {
        assert_traffic_flows(x);
    }
    usleep(100000);

    assert_int_equal(open_files(x->lab.pid), before);
}

static void test_frontend_resetting_its_driver_goes_on(void **state)
{
    struct fixture *x = *state;
    uint8_t frame[FRAME_BYTES];

    frame_between(frame, NEIGHBOUR, CRASHER);
    for (unsigned i = 0; i < 50; i++) {
        for (unsigned n = 0; n < 40; n++) {
            assert_int_equal(frontend_send(&x->neighbour, 0, frame, sizeof(frame)), 0);
        }
        if (frontend_reset(&x->neighbour) != 0) {
            fail_msg("%s", frontend_error(&x->neighbour));
        }
    }

    assert_traffic_flows(x);
}

static void test_frontend_paused_goes_on_where_it_stopped(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 0; i < 50; i++) {
        neighbour_run(x, now_us() + 200);
        if (frontend_stop(&x->neighbour) != 0 || frontend_start(&x->neighbour) != 0) {
            fail_msg("%s", frontend_error(&x->neighbour));
        }
    }

    assert_traffic_flows(x);
}

static void test_daemon_after_all_this_ends_cleanly(void **state)
{
    struct fixture *x = *state;
    char *socket = strdup(lab_socket(&x->lab, "neighbour"));

    assert_int_equal(lab_stop(&x->lab), 0);

    assert_int_equal(access(socket, F_OK), -1);
    free(socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frontend_killed_300_times_under_load_comes_back),
        cmocka_unit_test(test_frontend_closing_and_opening_leaves_no_files_open),
        cmocka_unit_test(test_frontend_resetting_its_driver_goes_on),
        cmocka_unit_test(test_frontend_paused_goes_on_where_it_stopped),
        cmocka_unit_test(test_daemon_after_all_this_ends_cleanly),
    };

    return cmocka_run_group_tests_name("reconnect", tests, setup, teardown);
}
