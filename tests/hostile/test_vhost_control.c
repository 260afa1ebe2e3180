/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frontends that come, change their mind, die and come back, while a worker holds their rings.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/vhost_lab.h"

#define RECONNECTS 300
#define REMOVALS   200
#define PAIRS      2

static struct vhost_lab lab;
static struct frontend a;
static struct frontend b;

static void attach(struct frontend *f, unsigned index, uint16_t pairs)
{
    const int status = frontend_open(f, &(struct frontend_config){ .socket_path = lab.path[index],
                                                                   .queue_pairs = pairs });

    if (status != 0) {
        print_error("%s\n", frontend_error(f));
    }
    assert_int_equal(status, 0);
}

static int setup(void **state)
{
    (void)state;
    return vhost_lab_open(&lab, PAIRS);
}

static int teardown(void **state)
{
    (void)state;
    vhost_lab_close(&lab);
    return 0;
}

static void test_vhost_control_frontend_attaches_and_leaves(void **state)
{
    struct vhost_status status;

    (void)state;
    attach(&a, 0, 1);
    assert_true(vhost_lab_await(&lab, 0, VHOST_ATTACHED, &status));
    assert_int_equal(status.features, a.features);
    assert_int_equal(status.pairs_enabled, 1);
    assert_int_equal(status.ring_size, FRONTEND_DEFAULT_RING_ENTRIES);
    assert_int_equal(status.attaches, 1);
    assert_int_equal(a.queue_pairs_max, PAIRS);

    assert_int_equal(frontend_close(&a), 0);

    assert_true(vhost_lab_await(&lab, 0, VHOST_WAITING, &status));
    assert_int_equal(status.features, 0);
}

static void test_vhost_control_offers_only_what_it_does(void **state)
{
    const uint64_t not_ours = 1ull << VIRTIO_NET_F_GUEST_UFO | 1ull << VIRTIO_NET_F_HOST_UFO |
                              1ull << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS |
                              1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_ACCESS_PLATFORM |
                              1ull << VHOST_F_LOG_ALL;

    (void)state;
    assert_int_equal(frontend_open_unstarted(&a, &(struct frontend_config){
                                                     .socket_path = lab.path[0] }), 0);

    assert_int_equal(a.offered_features & not_ours, 0);
    assert_int_equal(a.offered_features & FRONTEND_FEATURES, FRONTEND_FEATURES);
    assert_true((a.offered_features & 1ull << VIRTIO_F_IN_ORDER) != 0);
    frontend_abandon(&a);
}

static void test_vhost_control_frames_pass_both_ways(void **state)
{
    (void)state;
    attach(&a, 0, 1);
    attach(&b, 1, 1);

    assert_int_equal(vhost_lab_pass(&a, &b, 1000), 1000);
    assert_int_equal(vhost_lab_pass(&b, &a, 1000), 1000);

    assert_int_equal(frontend_close(&a), 0);
    assert_int_equal(frontend_close(&b), 0);
}

static void test_vhost_control_mtu_is_shown_and_forgotten(void **state)
{
    struct vhost_status status;

    (void)state;
    assert_int_equal(frontend_open(&a, &(struct frontend_config){ .socket_path = lab.path[0],
                                                                  .mtu_bytes = 9000 }), 0);
    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.guest_mtu_bytes, 9000);

    frontend_abandon(&a);

    assert_true(vhost_lab_await(&lab, 0, VHOST_WAITING, &status));
    for (int i = 0; i < 1000 && status.guest_mtu_bytes != 0; i++) {
        usleep(1000);
        vhost_control_status(lab.vnic[0], &status);
    }
    assert_int_equal(status.guest_mtu_bytes, 0);
}

static void test_vhost_control_rarp_request_is_recorded(void **state)
{
    const union { uint8_t bytes[8]; uint64_t payload; } mac = {
        .bytes = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 }
    };
    struct vhost_status status;
    unsigned changes;

    (void)state;
    attach(&a, 0, 1);
    changes = atomic_load(&lab.changes);

    assert_int_equal(vhost_user_set_u64(&a.channel, VHOST_USER_SEND_RARP, mac.payload), 0);

    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.announce_mac, 0x021122334455);
    assert_int_equal(atomic_load(&lab.changes), changes + 1);
    assert_int_equal(frontend_close(&a), 0);
}

/* The next guest at this vNIC has not asked for the address of the one before. */
static void test_vhost_control_rarp_request_ends_with_the_guest(void **state)
{
    struct vhost_status status;

    (void)state;
    attach(&a, 0, 1);
    assert_int_equal(vhost_user_set_u64(&a.channel, VHOST_USER_SEND_RARP, 0x554433221102), 0);
    assert_int_equal(frontend_close(&a), 0);

    attach(&a, 0, 1);

    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.announce_mac, 0);
    assert_int_equal(frontend_close(&a), 0);
}

/* A kick for each buffer that a driver posts is an exit of its VM, and nobody listens. */
static void test_vhost_control_receive_ring_asks_for_no_kicks(void **state)
{
    (void)state;
    assert_int_equal(frontend_open(&a, &(struct frontend_config){
        .socket_path = lab.path[0], .without_features = 1ull << VIRTIO_RING_F_EVENT_IDX }), 0);

    assert_true(vhost_lab_await(&lab, 0, VHOST_ATTACHED, &(struct vhost_status){ 0 }));

    assert_int_equal(a.ring[FRONTEND_RX(0)].used->flags, VRING_USED_F_NO_NOTIFY);
    assert_int_equal(frontend_close(&a), 0);
}

/* Every third is killed, every third resets its driver first, every third leaves politely. */
static void test_vhost_control_300_reconnects_lose_nothing(void **state)
{
    struct vhost_status status;
    uint32_t attaches;
    unsigned fds;

    (void)state;
    vhost_control_status(lab.vnic[0], &status);
    attaches = status.attaches;
    attach(&b, 1, 1);
    fds = vhost_lab_open_fds();
    for (int i = 0; i < RECONNECTS; i++) {
        attach(&a, 0, 1);
        if (i % 3 == 1) {
            assert_int_equal(frontend_reset(&a), 0);
        }
        assert_int_equal(vhost_lab_pass(&a, &b, 2), 2);
        assert_int_equal(vhost_lab_pass(&b, &a, 2), 2);
        if (i % 3 == 0) {
            frontend_abandon(&a);
        } else {
            assert_int_equal(frontend_close(&a), 0);
        }
    }

    assert_true(vhost_lab_await(&lab, 0, VHOST_WAITING, &status));
    assert_int_equal(status.attaches - attaches, RECONNECTS + RECONNECTS / 3);
    usleep(100000);
    assert_int_equal(vhost_lab_open_fds(), fds);
    assert_int_equal(frontend_close(&b), 0);
}

/* Frames are on their way while the sender says something; none may be lost, none come twice. */
static void send_and_count(void (*message)(int round), int rounds)
{
    uint8_t frame[100];
    int sent = 0;

    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 16; i++, sent++) {
            memset(frame, sent & 0xff, sizeof(frame));
            assert_int_equal(frontend_send(&a, 0, frame, sizeof(frame)), 0);
        }
        message(round);
        for (int i = 0; i < 16; i++) {
            uint8_t got[100];

            assert_int_equal(frontend_receive(&b, FRONTEND_ANY_QUEUE, got, sizeof(got), 1000),
                             sizeof(got));
            assert_int_equal(got[0], (sent - 16 + i) & 0xff);
        }
    }
    assert_int_equal(frontend_receive(&b, FRONTEND_ANY_QUEUE, NULL, 0, 50), -ETIMEDOUT);
}

static void resend_call_fd(int round)
{
    const union vhost_user_payload tx = { .u64 = FRONTEND_TX(0) };

    (void)round;
    assert_int_equal(vhost_user_set(&a.channel, VHOST_USER_SET_VRING_CALL, &tx, 8,
                                    a.ring[FRONTEND_TX(0)].call_fd), 0);
}

static void resend_kick_fd(int round)
{
    const union vhost_user_payload tx = { .u64 = FRONTEND_TX(0) };

    (void)round;
    assert_int_equal(vhost_user_set(&a.channel, VHOST_USER_SET_VRING_KICK, &tx, 8,
                                    a.ring[FRONTEND_TX(0)].kick_fd), 0);
}

static void resend_memory(int round)
{
    (void)round;
    assert_int_equal(frontend_set_memory(&a), 0);
}

/* A region comes and goes, so that all of them are mapped anew each time. */
static void change_memory(int round)
{
    if (round % 2 == 0) {
        assert_int_equal(guest_ram_add(&a.ram, 0x200000000ull, 1 << 20, false), 0);
    } else {
        a.ram.region_count--;
        (void)close(a.ram.region[a.ram.region_count].fd);
    }
    assert_int_equal(frontend_set_memory(&a), 0);
}

static void toggle_ring(int round)
{
    (void)round;
    assert_int_equal(vhost_user_set_state(&a.channel, VHOST_USER_SET_VRING_ENABLE,
                                          FRONTEND_TX(0), 0), 0);
    assert_int_equal(vhost_user_set_state(&a.channel, VHOST_USER_SET_VRING_ENABLE,
                                          FRONTEND_TX(0), 1), 0);
}

static void pause_and_resume(int round)
{
    (void)round;
    assert_int_equal(frontend_wait_sent(&a, 0), 0);
    assert_int_equal(frontend_stop(&a), 0);
    assert_int_equal(frontend_start(&a), 0);
}

static void under_load(void (*message)(int round))
{
    attach(&a, 0, 1);
    attach(&b, 1, 1);
    send_and_count(message, 50);
    assert_int_equal(frontend_close(&a), 0);
    assert_int_equal(frontend_close(&b), 0);
}

static void test_vhost_control_call_fd_changes_under_load(void **state)
{
    (void)state;
    under_load(resend_call_fd);
}

static void test_vhost_control_kick_fd_changes_under_load(void **state)
{
    (void)state;
    under_load(resend_kick_fd);
}

static void test_vhost_control_same_memory_again_under_load(void **state)
{
    (void)state;
    under_load(resend_memory);
}

static void test_vhost_control_memory_changes_under_load(void **state)
{
    (void)state;
    under_load(change_memory);
}

static void test_vhost_control_ring_toggles_under_load(void **state)
{
    (void)state;
    under_load(toggle_ring);
}

static void test_vhost_control_pause_and_resume_keep_the_indices(void **state)
{
    (void)state;
    under_load(pause_and_resume);
}

/* A receiver that is being changed has no ring: frames are dropped, but none comes twice. */
static void test_vhost_control_receiver_changes_under_load(void **state)
{
    const union vhost_user_payload rx = { .u64 = FRONTEND_RX(0) };
    uint8_t frame[100] = { 1 };

    (void)state;
    attach(&a, 0, 1);
    attach(&b, 1, 1);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 16; i++) {
            assert_int_equal(frontend_send(&a, 0, frame, sizeof(frame)), 0);
        }
        assert_int_equal(vhost_user_set(&b.channel, VHOST_USER_SET_VRING_CALL, &rx, 8,
                                        b.ring[FRONTEND_RX(0)].call_fd), 0);
        assert_int_equal(frontend_set_memory(&b), 0);
        assert_int_equal(frontend_wait_sent(&a, 0), 0);
        assert_in_range(frontend_drain(&b, 1), 0, 16);
        assert_int_equal(vhost_lab_pass(&a, &b, 2), 2);
    }
    assert_int_equal(frontend_close(&a), 0);
    assert_int_equal(frontend_close(&b), 0);
}

static void test_vhost_control_second_frontend_is_sent_away(void **state)
{
    struct vhost_status status;
    struct frontend second;

    (void)state;
    attach(&a, 0, 1);
    attach(&b, 1, 1);
    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.refusals, 0);

    assert_int_not_equal(frontend_open(&second, &(struct frontend_config){
                                                    .socket_path = lab.path[0] }), 0);

    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.refusal, VHOST_REFUSED_SECOND);
    assert_int_not_equal(status.refusals, 0);
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);
    assert_int_equal(frontend_close(&a), 0);
    attach(&second, 0, 1);
    assert_int_equal(vhost_lab_pass(&second, &b, 10), 10);
    assert_int_equal(frontend_close(&second), 0);
    assert_int_equal(frontend_close(&b), 0);
}

static void test_vhost_control_removed_while_attached(void **state)
{
    struct stat found;

    (void)state;
    attach(&a, 0, 1);
    attach(&b, 1, 1);
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);

    vhost_lab_remove(&lab, 0);

    assert_int_not_equal(stat(lab.path[0], &found), 0);
    frontend_abandon(&a);
    assert_int_equal(vhost_lab_add(&lab, 0, PAIRS), 0);
    attach(&a, 0, 1);
    assert_int_equal(vhost_lab_pass(&a, &b, 10), 10);
    assert_int_equal(frontend_close(&a), 0);
    assert_int_equal(frontend_close(&b), 0);
}

static void *ask(void *stop)
{
    uint64_t features;

    while (!atomic_load((atomic_bool *)stop)) {
        if (vhost_user_get_u64(&a.channel, VHOST_USER_GET_FEATURES, &features) != 0) {
            return &a;
        }
    }
    return NULL;
}

/* The thread serves one while control removes the other: neither may wait for ever. */
static void test_vhost_control_removed_while_another_frontend_talks(void **state)
{
    atomic_bool stop = false;
    void *unanswered;
    pthread_t thread;

    (void)state;
    attach(&a, 0, 1);
    assert_int_equal(pthread_create(&thread, NULL, ask, &stop), 0);
    for (int i = 0; i < REMOVALS; i++) {
        attach(&b, 1, 1);
        vhost_lab_remove(&lab, 1);
        frontend_abandon(&b);
        assert_int_equal(vhost_lab_add(&lab, 1, PAIRS), 0);
    }
    atomic_store(&stop, true);

    assert_int_equal(pthread_join(thread, &unanswered), 0);
    assert_null(unanswered);
    assert_int_equal(frontend_close(&a), 0);
}

static void test_vhost_control_two_pairs_start_and_stop(void **state)
{
    struct vhost_status status;

    (void)state;
    attach(&a, 0, 2);
    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.pairs_enabled, 2);

    assert_int_equal(frontend_enable(&a, 1, false), 0);

    vhost_control_status(lab.vnic[0], &status);
    assert_int_equal(status.pairs_enabled, 1);
    assert_int_equal(frontend_close(&a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vhost_control_frontend_attaches_and_leaves),
        cmocka_unit_test(test_vhost_control_offers_only_what_it_does),
        cmocka_unit_test(test_vhost_control_frames_pass_both_ways),
        cmocka_unit_test(test_vhost_control_mtu_is_shown_and_forgotten),
        cmocka_unit_test(test_vhost_control_rarp_request_is_recorded),
        cmocka_unit_test(test_vhost_control_rarp_request_ends_with_the_guest),
        cmocka_unit_test(test_vhost_control_receive_ring_asks_for_no_kicks),
        cmocka_unit_test(test_vhost_control_two_pairs_start_and_stop),
        cmocka_unit_test(test_vhost_control_call_fd_changes_under_load),
        cmocka_unit_test(test_vhost_control_kick_fd_changes_under_load),
        cmocka_unit_test(test_vhost_control_same_memory_again_under_load),
        cmocka_unit_test(test_vhost_control_memory_changes_under_load),
        cmocka_unit_test(test_vhost_control_ring_toggles_under_load),
        cmocka_unit_test(test_vhost_control_pause_and_resume_keep_the_indices),
        cmocka_unit_test(test_vhost_control_receiver_changes_under_load),
        cmocka_unit_test(test_vhost_control_second_frontend_is_sent_away),
        cmocka_unit_test(test_vhost_control_removed_while_attached),
        cmocka_unit_test(test_vhost_control_removed_while_another_frontend_talks),
        cmocka_unit_test(test_vhost_control_300_reconnects_lose_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
