/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frontend that would hold the switch by what it shares with it: an eventfd that blocks, memory
 * whose pages another process has to bring.
 *
 * Two honest guests send to each other through the daemon's one worker all the while; what is
 * measured is how long they had to wait.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/udp_frame.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_BYTES 100u
#define HELD_MAX_MS 3000
#define EVIL_PAIRS 8u
#define LEARN_US 50000
#define EVENTFD_FULL UINT64_C(0xfffffffffffffffe)

enum { HONEST_A, HONEST_B, EVIL, GUESTS };

struct fixture {
    struct lab lab;
    struct frontend guest[GUESTS];
};

static const char *const names[GUESTS] = { "a", "b", "evil" };

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static int send_to(struct fixture *x, unsigned from, unsigned to)
{
    struct udp_frame fields = { .from_ip = 1, .to_ip = 2, .from_port = 3, .to_port = 4 };
    uint8_t frame[FRAME_BYTES];

    udp_frame_mac(fields.from, 1, from);
    udp_frame_mac(fields.to, 1, to);
    udp_frame_write(frame, sizeof(frame), &fields);
    return frontend_send(&x->guest[from], 0, frame, sizeof(frame));
}

/* Sends from a to b.  @return how long it took in ms, or -1 when nothing came in HELD_MAX_MS */
static long pass(struct fixture *x)
{
    const long begin_ms = now_ms();

    assert_int_equal(send_to(x, HONEST_A, HONEST_B), 0);
    return frontend_receive(&x->guest[HONEST_B], 0, NULL, 0, HELD_MAX_MS) == FRAME_BYTES
               ? now_ms() - begin_ms : -1;
}

/* Attaches a guest and has the switch learn it. */
static int guest_open(struct fixture *x, unsigned number)
{
    int status = frontend_open(&x->guest[number], &(struct frontend_config){
        .socket_path = lab_socket(&x->lab, names[number]),
        .queue_pairs = number == EVIL ? EVIL_PAIRS : 1,
        .without_features = 1ull << VIRTIO_RING_F_EVENT_IDX,
    });

    if (status == 0 && x->guest[HONEST_A].started) {
        status = send_to(x, number, HONEST_A);
        usleep(LEARN_US);
    }
    return status;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *x = &fixture;

    if (lab_create(&x->lab) != 0 || lab_start(&x->lab, NULL) != 0 ||
        lab_do(&x->lab, "switch add s1 --type private") != 0) {
        return -1;
    }
    *state = x;
    for (unsigned i = 0; i < GUESTS; i++) {
        if (lab_do(&x->lab, "vnic add %s --switch s1 --queues %u --mac 02:01:00:00:00:%02x",
                   names[i], i == EVIL ? EVIL_PAIRS : 1, i) != 0 || guest_open(x, i) != 0) {
            return -1;
        }
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 0; x != NULL && i < GUESTS; i++) {
        frontend_abandon(&x->guest[i]);
    }
    if (x != NULL) {
        lab_destroy(&x->lab);
    }
    return 0;
}

/* Asks for notifications of a ring, and makes the next of them wait. */
static void fill_and_block(struct guest_ring *ring)
{
    const uint64_t full = EVENTFD_FULL;
    eventfd_t ignored;

    ring->avail->flags = 0;
    (void)eventfd_read(ring->call_fd, &ignored);
    assert_int_equal(write(ring->call_fd, &full, sizeof(full)), sizeof(full));
    assert_int_equal(fcntl(ring->call_fd, F_SETFL, 0), 0);
}

static void assert_broken_for_holding(struct fixture *x)
{
    struct lab_answer answer;
    char *text;

    assert_int_equal(lab_ask(&x->lab, &answer, "vnic show evil"), 0);
    text = json_dumps(answer.json, 0);
    lab_answer_release(&answer);
    if (strstr(text, "notification descriptor blocked") == NULL) {
        print_message("# %s\n", text);
        fail();
    }
    free(text);
}

static void test_call_descriptor_that_blocks_holds_the_worker_once_and_briefly(void **state)
{
    struct fixture *x = *state;
    long held_ms;

    assert_in_range(pass(x), 0, 500);
    fill_and_block(&x->guest[EVIL].ring[FRONTEND_RX(0)]);

    assert_int_equal(send_to(x, HONEST_A, EVIL), 0);
    held_ms = pass(x);

    assert_in_range(held_ms, 0, HELD_MAX_MS);
    printf("# measured: a frontend held the worker of all for %ld ms, once\n", held_ms);
    assert_broken_for_holding(x);
    assert_int_equal(lab_do(&x->lab, "vnic add other --switch s1"), 0);
}

/* Eight rings are not eight times: after the first the switch notifies none of them any more. */
static void test_many_call_descriptors_that_block_hold_the_worker_once(void **state)
{
    struct fixture *x = *state;

    for (unsigned pair = 0; pair < EVIL_PAIRS; pair++) {
        fill_and_block(&x->guest[EVIL].ring[FRONTEND_TX(pair)]);
    }
    for (unsigned pair = 0; pair < EVIL_PAIRS; pair++) {
        struct guest_ring *ring = &x->guest[EVIL].ring[FRONTEND_TX(pair)];

        ring->desc[0] = (struct vring_desc){ .addr = ring->slot_gpa[0], .len = FRAME_BYTES };
        guest_ring_publish(ring, 0, 1);                        /* of zeroes: dropped, and used */
    }
    usleep(LEARN_US);
    assert_in_range(pass(x), 0, HELD_MAX_MS);

    assert_in_range(pass(x), 0, 500);
    assert_broken_for_holding(x);
}

/* A page of a file that is not memory can take its file system, or its owner, any time to bring. */
static void test_memory_of_a_file_that_is_not_memory_is_refused(void **state)
{
    struct fixture *x = *state;
    struct frontend *evil = &x->guest[EVIL];
    const struct guest_ram_region *ram = &evil->ram.region[0];
    char name[] = "guest-memory-XXXXXX";
    const int fd = mkstemp(name);
    struct statfs system;

    assert_true(fd >= 0);
    (void)unlink(name);
    assert_int_equal(fstatfs(fd, &system), 0);
    if (system.f_type == TMPFS_MAGIC) {
        printf("# skip: the working directory is in memory\n");
        (void)close(fd);
        skip();
    }
    assert_int_equal(ftruncate(fd, (off_t)ram->size_bytes), 0);
    assert_true(dup2(fd, ram->fd) >= 0);
    (void)close(fd);

    assert_int_not_equal(frontend_set_memory(evil), 0);
    assert_in_range(pass(x), 0, 500);
}

/* Again and again it could hold everybody for a second each; so it may not come again. */
static void test_frontend_that_held_a_worker_is_served_after_remove_and_add_only(void **state)
{
    struct fixture *x = *state;

    fill_and_block(&x->guest[EVIL].ring[FRONTEND_RX(0)]);
    assert_int_equal(send_to(x, HONEST_A, EVIL), 0);
    assert_in_range(pass(x), 0, HELD_MAX_MS);

    frontend_abandon(&x->guest[EVIL]);
    assert_int_equal(guest_open(x, EVIL), 0);
    assert_broken_for_holding(x);

    frontend_abandon(&x->guest[EVIL]);
    assert_int_equal(lab_do(&x->lab, "vnic remove evil"), 0);
    assert_int_equal(lab_do(&x->lab, "vnic add evil --switch s1 --queues %u "
                            "--mac 02:01:00:00:00:%02x", EVIL_PAIRS, EVIL), 0);
    assert_int_equal(guest_open(x, EVIL), 0);
    assert_int_equal(send_to(x, HONEST_A, EVIL), 0);
    assert_int_equal(frontend_receive(&x->guest[EVIL], 0, NULL, 0, HELD_MAX_MS), FRAME_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        FIXTURE(test_call_descriptor_that_blocks_holds_the_worker_once_and_briefly),
        FIXTURE(test_many_call_descriptors_that_block_hold_the_worker_once),
        FIXTURE(test_memory_of_a_file_that_is_not_memory_is_refused),
        FIXTURE(test_frontend_that_held_a_worker_is_served_after_remove_and_add_only),
#undef FIXTURE
    };

    return cmocka_run_group_tests_name("vhost held", tests, NULL, NULL);
}
