/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NIC whose driver starts, stops and moves interrupts on a vCPU's thread while the main thread
 * meets a switch that comes and goes.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/fake_switch.h"
#include "tests/support/net_driver.h"
#include "tests/support/random.h"

#define STARTS 1500u
#define PAIRS  2u

struct net_race {
    struct fake_switch fake;
    struct event_base *base;
    struct net_driver driver;
    atomic_bool done;
};

/* Asks for pairs, and does not wait for the answer. */
static void ask_for_pairs(struct guest_ring *ring, uint16_t pairs)
{
    const uint16_t head = (uint16_t)guest_ring_take(ring);

    ring->slot[head][0] = VIRTIO_NET_CTRL_MQ;
    ring->slot[head][1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
    ring->slot[head][2] = (uint8_t)pairs;
    ring->slot[head][3] = 0;
    ring->desc[head] = (struct vring_desc){ .addr = ring->slot_gpa[head], .len = 4 };
    guest_ring_publish(ring, head, 1);
}

static void *be_a_vcpu(void *context)
{
    struct net_race *x = context;
    struct virtio_device *device = x->driver.device;
    uint64_t random = 1;

    for (unsigned i = 0; i < STARTS; i++) {
        if (net_driver_start(&x->driver) != 0) {
            break;
        }
        ask_for_pairs(&x->driver.control, PAIRS);
        usleep((useconds_t)random_below(&random, 2000));
        device->queue[1].call_fd = x->driver.guest.ring[i % 2].call_fd;
        device->ops->call_changed(device, 1);
        (void)net_driver_status(&x->driver);
        (void)virtio_device_features(device);
        usleep((useconds_t)random_below(&random, 1000));
        net_driver_reset(&x->driver);
    }
    x->done = true;
    return NULL;
}

static void test_net_driver_and_switch_come_and_go_at_any_time(void **state)
{
    struct net_race *x = calloc(1, sizeof(*x));
    struct virtio_net_status status;
    uint64_t random = 2;
    pthread_t vcpu;

    (void)state;
    assert_non_null(x);
    x->base = event_base_new();
    assert_int_equal(fake_switch_open(&x->fake), 0);
    assert_int_equal(net_driver_open(&x->driver, x->base, &(struct net_driver_config){
        .name = "a", .socket_path = x->fake.path, .mac = 0x020000000001, .pairs = PAIRS }), 0);
    assert_int_equal(pthread_create(&vcpu, NULL, be_a_vcpu, x), 0);

    while (!x->done) {
        assert_int_equal(fake_switch_listen(&x->fake), 0);
        net_driver_run(&x->driver, 50 + (int)random_below(&random, 200));
        fake_switch_kill(&x->fake);
        net_driver_run(&x->driver, (int)random_below(&random, 20));
    }
    pthread_join(vcpu, NULL);

    assert_int_equal(fake_switch_listen(&x->fake), 0);
    assert_int_equal(net_driver_start(&x->driver), 0);
    assert_true(net_driver_await_link(&x->driver, true));
    assert_int_equal(net_driver_set_pairs(&x->driver, PAIRS), VIRTIO_NET_OK);
    virtio_net_status(x->driver.net, &status);
    assert_int_equal(status.pairs_enabled, PAIRS);
    assert_true(status.connects > 1);
    net_driver_close(&x->driver);
    event_base_free(x->base);
    fake_switch_close(&x->fake);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_driver_and_switch_come_and_go_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
