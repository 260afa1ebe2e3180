/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which queues a turn visits, for guests that are loud, quiet, or all loud at once: seen by whose
 * descriptors are given back.
 */
#include "dataplane/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_guest.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"

#define GUESTS      100u
#define FRAME_BYTES 60u

/* Until every one was visited; the latter beside a loud one. */
#define ROUND_TURNS      ((GUESTS + WORKER_SLICE - 1) / WORKER_SLICE)
#define BUSY_ROUND_TURNS ((GUESTS + WORKER_SLICE_BUSY - 1) / WORKER_SLICE_BUSY)

struct rig {
    struct forward_lab *lab;
    struct worker_shared shared;
    struct worker *worker;
    struct fake_guest *guest[GUESTS];
};

static void *zeroed(size_t bytes)
{
    void *at = aligned_alloc(64, (bytes + 63) / 64 * 64);

    assert_non_null(at);
    return memset(at, 0, bytes);
}

static uint16_t port_of(const struct rig *rig, uint32_t guest)
{
    char name[VSWITCH_NAME_SIZE];

    snprintf(name, sizeof(name), "v%u", guest);
    return vswitch_find_vnic(rig->lab->model, name)->port;
}

/* Compiles the model and shows the worker what it is now. */
static void publish(struct rig *rig, uint32_t guests)
{
    forward_lab_compile(rig->lab);
    rig->lab->fabric->generation = FORWARD_LAB_GENERATION + guests;
    for (uint32_t i = 0; i < guests; i++) {
        rig->lab->fabric->port[port_of(rig, i)].endpoint = &rig->guest[i]->vnic;
        rig->guest[i]->vnic.port = port_of(rig, i);
    }
    atomic_store(&rig->shared.fabric, rig->lab->fabric);
}

static int setup(void **state)
{
    struct rig *rig = zeroed(sizeof(*rig));
    void *lab;

    assert_int_equal(forward_lab_setup(&lab), 0);
    rig->lab = lab;
    forward_lab_switch(rig->lab, "lan", NULL);
    for (uint32_t i = 0; i < GUESTS; i++) {
        const struct fake_guest_config config = { .ring_entries = 16 };
        const struct vswitch_vnic like = { .mac = MAC(i), .spoof_guard = true };
        char name[VSWITCH_NAME_SIZE];

        snprintf(name, sizeof(name), "v%u", i);
        (void)forward_lab_vnic(rig->lab, "lan", name, "none", &like);
        rig->guest[i] = fake_guest_create(&config);
    }
    rig->worker = zeroed(sizeof(*rig->worker));
    rig->worker->shared = &rig->shared;
    rig->shared.qsbr = zeroed(rte_rcu_qsbr_get_memsize(1));
    assert_int_equal(rte_rcu_qsbr_init(rig->shared.qsbr, 1), 0);
    assert_int_equal(rte_rcu_qsbr_thread_register(rig->shared.qsbr, 0), 0);
    rte_rcu_qsbr_thread_online(rig->shared.qsbr, 0);
    publish(rig, GUESTS);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    void *lab = rig->lab;

    for (uint32_t i = 0; i < GUESTS; i++) {
        fake_guest_destroy(rig->guest[i]);
    }
    free(rig->shared.qsbr);
    free(rig->worker);
    free(rig);
    return forward_lab_teardown(&lab);
}

/* One frame to the neighbour, who has no buffers. */
static void send_one(struct rig *rig, uint32_t from)
{
    struct fake_ring *ring = &rig->guest[from]->from;
    uint8_t *frame = fake_guest_at(rig->guest[from], FAKE_GPA) + FAKE_HEADER_BYTES;
    struct wire wire;

    wire_start(&wire, MAC((from + 1) % GUESTS), MAC(from));
    wire_type(&wire, 0x88b5);
    wire_fill(&wire, FRAME_BYTES);
    memcpy(frame, wire.data, FRAME_BYTES);
    fake_ring_offer_buffer(ring, ring->offered % ring->size, FAKE_GPA,
                           FAKE_HEADER_BYTES + FRAME_BYTES, 0);
}

/* Whether what the guest sent was taken, all of it. */
static bool was_served(struct rig *rig, uint32_t guest)
{
    struct fake_ring *ring = &rig->guest[guest]->from;
    uint32_t head, len_bytes;

    while (fake_ring_used(ring, &head, &len_bytes)) {
    }
    return ring->seen == ring->offered;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_worker_quiet_queues_are_served_within_a_round(void **state)
{
    struct rig *rig = *state;

    for (uint32_t i = 0; i < GUESTS; i++) {
        for (unsigned turn = 0; turn < 3; turn++) {            /* at any place in the round */
            (void)worker_turn(rig->worker);
        }
        send_one(rig, i);
        for (unsigned turn = 0; turn < ROUND_TURNS; turn++) {
            (void)worker_turn(rig->worker);
        }
        assert_true(was_served(rig, i));
    }
}

static void test_worker_quiet_queues_are_served_beside_a_loud_one(void **state)
{
    struct rig *rig = *state;

    for (unsigned turn = 0; turn < ROUND_TURNS; turn++) {
        send_one(rig, 77);
        (void)worker_turn(rig->worker);
    }
    for (uint32_t i = 0; i < 77; i += 5) {
        send_one(rig, i);
        for (unsigned turn = 0; turn < BUSY_ROUND_TURNS; turn++) {
            send_one(rig, 77);
            (void)worker_turn(rig->worker);
            assert_true(was_served(rig, 77));
        }
        assert_true(was_served(rig, i));
    }
}

static void test_worker_loud_queue_is_served_each_turn(void **state)
{
    struct rig *rig = *state;

    send_one(rig, 77);
    for (unsigned turn = 0; turn < ROUND_TURNS; turn++) {
        (void)worker_turn(rig->worker);
    }
    for (unsigned turn = 0; turn < 3 * WORKER_EMPTY_MAX; turn++) {
        send_one(rig, 77);
        assert_true(worker_turn(rig->worker));
        assert_true(was_served(rig, 77));
        assert_int_equal(rig->worker->loud_count, 1);
    }
}

static void test_worker_queue_that_falls_silent_is_a_quiet_one(void **state)
{
    struct rig *rig = *state;

    send_one(rig, 5);
    send_one(rig, 6);
    for (unsigned turn = 0; turn < ROUND_TURNS; turn++) {
        (void)worker_turn(rig->worker);
    }
    assert_int_equal(rig->worker->loud_count, 2);
    for (unsigned turn = 0; turn < WORKER_EMPTY_MAX; turn++) {
        assert_false(worker_turn(rig->worker));
    }
    assert_int_equal(rig->worker->loud_count, 0);
}

static void test_worker_when_too_many_are_loud_all_are_served_each_turn(void **state)
{
    struct rig *rig = *state;

    for (unsigned turn = 0; turn < BUSY_ROUND_TURNS; turn++) {
        for (uint32_t i = 0; i < GUESTS; i++) {
            send_one(rig, i);
        }
        (void)worker_turn(rig->worker);
    }
    for (unsigned turn = 0; turn < WORKER_ALL_TURNS - BUSY_ROUND_TURNS; turn++) {
        for (uint32_t i = 0; i < GUESTS; i++) {
            send_one(rig, i);
        }
        assert_true(worker_turn(rig->worker));
        for (uint32_t i = 0; i < GUESTS; i++) {
            assert_true(was_served(rig, i));
        }
    }
}

/* What a worker knew of its queues is worth nothing when another fabric names others. */
static void test_worker_forgets_loud_queues_with_their_fabric(void **state)
{
    struct rig *rig = *state;
    struct error error;

    send_one(rig, GUESTS - 1);
    for (unsigned turn = 0; turn < ROUND_TURNS; turn++) {
        (void)worker_turn(rig->worker);
    }
    assert_int_equal(rig->worker->loud_count, 1);
    for (uint32_t i = 1; i < GUESTS; i++) {
        char name[VSWITCH_NAME_SIZE];

        snprintf(name, sizeof(name), "v%u", i);
        assert_int_equal(vswitch_remove_vnic(rig->lab->model, name, &error), 0);
    }
    publish(rig, 1);
    send_one(rig, 0);

    assert_true(worker_turn(rig->worker));
    assert_true(was_served(rig, 0));
    assert_int_equal(rig->worker->queue_count, 1);
    assert_int_equal(rig->worker->loud_count, 0);
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_worker_quiet_queues_are_served_within_a_round),
        WORKER_TEST(test_worker_quiet_queues_are_served_beside_a_loud_one),
        WORKER_TEST(test_worker_loud_queue_is_served_each_turn),
        WORKER_TEST(test_worker_queue_that_falls_silent_is_a_quiet_one),
        WORKER_TEST(test_worker_when_too_many_are_loud_all_are_served_each_turn),
        WORKER_TEST(test_worker_forgets_loud_queues_with_their_fabric),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
