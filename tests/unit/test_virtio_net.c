/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NIC, between a driver and a switch that is there, is not, is stuck, or lacks something.
 */
#include "vmm/virtio_net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/fake_switch.h"
#include "tests/support/net_driver.h"
#include "vmm/net_link.h"

#define BIT(n) (UINT64_C(1) << (n))
#define MAC    UINT64_C(0x00155d010203)
#define PAIRS  4u

struct net_lab {
    struct fake_switch fake;
    struct event_base *base;
    struct net_driver driver;
};

static int lab_setup(void **state)
{
    struct net_lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    assert_int_equal(fake_switch_open(&lab->fake), 0);
    lab->base = event_base_new();
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct net_lab *lab = *state;

    net_driver_close(&lab->driver);
    event_base_free(lab->base);
    assert_false(lab->fake.confused);
    fake_switch_close(&lab->fake);
    free(lab);
    return 0;
}

static void plug(struct net_lab *lab, uint16_t pairs)
{
    const struct net_driver_config config = {
        .name = "a",
        .socket_path = lab->fake.path,
        .mac = MAC,
        .pairs = pairs,
        .mtu_bytes = 2000,
    };

    assert_int_equal(net_driver_open(&lab->driver, lab->base, &config), 0);
}

/* A switch that listens, a NIC on it, a driver that runs, and all of it settled. */
static void run_driver(struct net_lab *lab, uint16_t pairs)
{
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, pairs);
    assert_int_equal(net_driver_start(&lab->driver), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
}

static struct virtio_net_status status_of(struct net_lab *lab)
{
    struct virtio_net_status status;

    virtio_net_status(lab->driver.net, &status);
    return status;
}

static int rings_started(struct net_lab *lab)
{
    int count = 0;

    fake_switch_lock(&lab->fake);
    for (unsigned i = 0; i < FAKE_SWITCH_RINGS; i++) {
        count += lab->fake.ring[i].started;
    }
    fake_switch_unlock(&lab->fake);
    return count;
}

static int rings_enabled(struct net_lab *lab)
{
    int count = 0;

    fake_switch_lock(&lab->fake);
    for (unsigned i = 0; i < FAKE_SWITCH_RINGS; i++) {
        count += lab->fake.ring[i].enabled != 0;
    }
    fake_switch_unlock(&lab->fake);
    return count;
}

static uint64_t features_set(struct net_lab *lab)
{
    uint64_t features;

    fake_switch_lock(&lab->fake);
    features = lab->fake.features_set;
    fake_switch_unlock(&lab->fake);
    return features & ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
}

/* ---- what a driver sees ---------------------------------------------------------------------- */

static void test_net_offers_what_the_switch_does(void **state)
{
    struct net_lab *lab = *state;
    uint64_t offered;

    lab->fake.features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_MQ) |
                         BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_NET_F_CTRL_VLAN);
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, PAIRS);
    offered = virtio_device_features(lab->driver.device);

    assert_true((offered & NET_LINK_FEATURES_ALL) ==
                (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_MQ)));
    assert_true((offered & ~NET_LINK_FEATURES_ALL) ==
                (BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MTU) |
                 BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
                 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)));
}

static void test_net_offers_all_before_its_first_switch(void **state)
{
    struct net_lab *lab = *state;

    plug(lab, PAIRS);

    assert_true((virtio_device_features(lab->driver.device) & NET_LINK_FEATURES_ALL) ==
                NET_LINK_FEATURES_ALL);
    assert_false(net_driver_link_is_up(&lab->driver));
    assert_non_null(strstr(status_of(lab).why, lab->fake.path));
}

static void test_net_offers_no_queues_that_the_switch_has_not(void **state)
{
    struct net_lab *lab = *state;

    lab->fake.pairs_max = PAIRS - 1;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, PAIRS);

    assert_true((virtio_device_features(lab->driver.device) & BIT(VIRTIO_NET_F_MQ)) == 0);
}

static void test_net_config_space_is_what_was_asked_for(void **state)
{
    static const uint8_t expected[16] = {
        0x00, 0x15, 0x5d, 0x01, 0x02, 0x03, VIRTIO_NET_S_LINK_UP, 0, PAIRS, 0, 0xd0, 0x07,
    };
    struct net_lab *lab = *state;
    const struct virtio_ops *ops;
    uint8_t config[16];

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, PAIRS);
    ops = lab->driver.device->ops;
    memset(config, 0xff, sizeof(config));
    ops->config_write(lab->driver.device, 0, config, 8);
    for (unsigned i = 0; i < sizeof(config); i += 8) {
        ops->config_read(lab->driver.device, i, &config[i], 8);
    }
    assert_memory_equal(config, expected, sizeof(config));
    ops->config_read(lab->driver.device, UINT32_MAX - 3, config, 8);
    assert_int_equal(config[0] | config[7], 0);
}

/* ---- handing over ---------------------------------------------------------------------------- */

/* Where the NIC has mapped what the guest has at @p part. */
static uint64_t address_of(struct net_lab *lab, const void *part)
{
    return (uintptr_t)ram_at(&lab->driver.ram, guest_ram_gpa(&lab->driver.guest.ram, part), 1);
}

static void test_net_start_hands_rings_and_descriptors_over(void **state)
{
    struct net_lab *lab = *state;
    const struct guest_ring *ring;
    const struct fake_switch_ring *told = &lab->fake.ring[1];
    eventfd_t count = 0;

    run_driver(lab, PAIRS);
    ring = &lab->driver.guest.ring[1];

    assert_int_equal(rings_started(lab), 2 * PAIRS);
    assert_int_equal(rings_enabled(lab), 2);
    fake_switch_lock(&lab->fake);
    assert_int_equal(lab->fake.mtu_bytes, 2000);
    assert_int_equal(told->size, ring->size);
    assert_int_equal(told->base, 0);
    assert_true(told->address.desc_user_addr == address_of(lab, ring->desc));
    assert_true(told->address.avail_user_addr == address_of(lab, ring->avail));
    assert_true(told->address.used_user_addr == address_of(lab, ring->used));
    assert_int_equal(eventfd_write(told->call_fd, 5), 0);
    assert_int_equal(eventfd_write(lab->driver.device->queue[1].kick_fd, 3), 0);
    assert_int_equal(eventfd_read(told->kick_fd, &count), 0);
    fake_switch_unlock(&lab->fake);
    assert_true(count >= 3);
    assert_int_equal(eventfd_read(ring->call_fd, &count), 0);
    assert_int_equal(count, 5);
    assert_int_equal(status_of(lab).pairs_enabled, 1);
    assert_string_equal(status_of(lab).why, "");
}

static void test_net_start_tells_the_features_that_are_the_switch_s(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, 1);

    assert_true(features_set(lab) == (NET_LINK_FEATURES_ALL & ~BIT(VIRTIO_NET_F_MQ)));
    assert_true(status_of(lab).features == lab->driver.guest.features);
}

static void test_net_driver_without_mq_has_its_control_queue_third(void **state)
{
    struct net_lab *lab = *state;
    const uint8_t on = 1;

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, PAIRS);
    lab->driver.config.without_features = BIT(VIRTIO_NET_F_MQ);
    assert_int_equal(net_driver_start(&lab->driver), 0);
    assert_true(net_driver_await_link(&lab->driver, true));

    assert_int_equal(lab->driver.control_queue, 2);
    assert_int_equal(rings_started(lab), 2);
    assert_int_equal(net_driver_command(&lab->driver, VIRTIO_NET_CTRL_RX,
                                        VIRTIO_NET_CTRL_RX_PROMISC, &on, 1), VIRTIO_NET_OK);
    assert_int_equal(net_driver_set_pairs(&lab->driver, 2), VIRTIO_NET_ERR);
}

static void test_net_reset_takes_the_rings_back_and_another_start_works(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, PAIRS);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(net_driver_set_pairs(&lab->driver, PAIRS), VIRTIO_NET_OK);
        assert_int_equal(rings_enabled(lab), 2 * PAIRS);

        net_driver_reset(&lab->driver);
        assert_int_equal(rings_started(lab), 0);
        assert_int_equal(rings_enabled(lab), 0);

        assert_int_equal(net_driver_start(&lab->driver), 0);
        assert_true(net_driver_await_link(&lab->driver, true));
        assert_int_equal(rings_started(lab), 2 * PAIRS);
        assert_int_equal(rings_enabled(lab), 2);
    }
    assert_int_equal(status_of(lab).connects, 1);
}

static void test_net_call_changed_reaches_the_switch(void **state)
{
    struct net_lab *lab = *state;
    const int call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    eventfd_t count;

    run_driver(lab, 1);
    lab->driver.device->queue[0].call_fd = call_fd;
    lab->driver.device->ops->call_changed(lab->driver.device, 0);
    lab->driver.device->queue[1].call_fd = -1;
    lab->driver.device->ops->call_changed(lab->driver.device, 1);
    net_driver_run(&lab->driver, 1);

    /* What may have been said by the old one is said again. */
    assert_int_equal(eventfd_read(call_fd, &count), 0);
    fake_switch_lock(&lab->fake);
    assert_int_equal(eventfd_write(lab->fake.ring[0].call_fd, 7), 0);
    assert_int_equal(lab->fake.ring[1].call_fd, -1);
    fake_switch_unlock(&lab->fake);
    assert_int_equal(eventfd_read(call_fd, &count), 0);
    assert_int_equal(count, 7);
    close(call_fd);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void test_net_pairs_are_enabled_and_disabled(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, PAIRS);

    assert_int_equal(net_driver_set_pairs(&lab->driver, PAIRS), VIRTIO_NET_OK);
    assert_int_equal(rings_enabled(lab), 2 * PAIRS);
    assert_int_equal(net_driver_set_pairs(&lab->driver, 2), VIRTIO_NET_OK);
    assert_int_equal(rings_enabled(lab), 4);
    assert_int_equal(net_driver_set_pairs(&lab->driver, 0), VIRTIO_NET_ERR);
    assert_int_equal(net_driver_set_pairs(&lab->driver, PAIRS + 1), VIRTIO_NET_ERR);
    assert_int_equal(rings_enabled(lab), 4);
    assert_int_equal(status_of(lab).pairs_enabled, 2);
}

static int set_guest_offloads(struct net_lab *lab, uint64_t offloads)
{
    return net_driver_command(&lab->driver, VIRTIO_NET_CTRL_GUEST_OFFLOADS,
                              VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &offloads, sizeof(offloads));
}

static void test_net_guest_offloads_are_set_at_run_time(void **state)
{
    const uint64_t few = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(NET_F_GUEST_USO6);
    struct net_lab *lab = *state;
    uint64_t all;

    run_driver(lab, 1);
    all = features_set(lab);

    assert_int_equal(set_guest_offloads(lab, few), VIRTIO_NET_OK);
    assert_true(features_set(lab) == ((all & ~NET_GUEST_OFFLOADS) | few));
    assert_int_equal(set_guest_offloads(lab, few | BIT(VIRTIO_NET_F_CSUM)), VIRTIO_NET_ERR);
    assert_true(features_set(lab) == ((all & ~NET_GUEST_OFFLOADS) | few));
    assert_int_equal(set_guest_offloads(lab, NET_GUEST_OFFLOADS), VIRTIO_NET_OK);
    assert_true(features_set(lab) == all);
}

static void test_net_commands_are_accepted_as_negotiated(void **state)
{
    static const struct {
        uint8_t class, number;
        uint32_t len_bytes;
        int answer;
    } rows[] = {
        { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1, VIRTIO_NET_OK },
        { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1, VIRTIO_NET_OK },
        { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0, VIRTIO_NET_ERR },
        { VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI, 1, VIRTIO_NET_ERR },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 8 + 64 * 6, VIRTIO_NET_OK },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 6, VIRTIO_NET_ERR },
        { VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 2, VIRTIO_NET_ERR },
        { VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, 0, VIRTIO_NET_OK },
        { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1, VIRTIO_NET_ERR },
        { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, 64, VIRTIO_NET_ERR },
        { 0xff, 0xff, 0, VIRTIO_NET_ERR },
    };
    static const uint8_t data[512];
    struct net_lab *lab = *state;

    run_driver(lab, PAIRS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(net_driver_command(&lab->driver, rows[i].class, rows[i].number, data,
                                            rows[i].len_bytes), rows[i].answer);
    }
}

static bool needs_reset(struct net_driver *driver)
{
    return (driver->device->status & VIRTIO_NEEDS_RESET) != 0;
}

static void test_net_broken_control_queue_needs_a_reset_and_nothing_else(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, PAIRS);
    lab->driver.control.avail->idx = 1000;
    guest_ring_kick(&lab->driver.control);
    assert_true(net_driver_await(&lab->driver, needs_reset));
    assert_int_equal(rings_started(lab), 2 * PAIRS);

    assert_int_equal(net_driver_start(&lab->driver), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_int_equal(net_driver_set_pairs(&lab->driver, PAIRS), VIRTIO_NET_OK);
}

/* ---- a switch that goes, comes, is stuck ----------------------------------------------------- */

static void test_net_waits_for_its_first_switch(void **state)
{
    struct net_lab *lab = *state;

    plug(lab, 1);
    assert_int_equal(net_driver_start(&lab->driver), 0);
    net_driver_run(&lab->driver, 150);
    assert_false(net_driver_link_is_up(&lab->driver));

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_int_equal(rings_started(lab), 2);
}

static void test_net_gives_a_switch_that_is_back_all_it_has(void **state)
{
    const uint64_t few = BIT(VIRTIO_NET_F_GUEST_CSUM);
    const uint8_t mac[6] = { 0x00, 0x15, 0x5d, 0x01, 0x02, 0x03 };
    struct net_lab *lab = *state;
    uint64_t features;
    unsigned interrupts;

    run_driver(lab, PAIRS);
    assert_int_equal(net_driver_set_pairs(&lab->driver, 2), VIRTIO_NET_OK);
    assert_int_equal(set_guest_offloads(lab, few), VIRTIO_NET_OK);
    features = features_set(lab);
    interrupts = lab->driver.config_changes;

    fake_switch_kill(&lab->fake);
    assert_true(net_driver_await_link(&lab->driver, false));
    assert_int_equal(lab->driver.config_changes, interrupts + 1);
    assert_false(status_of(lab).connected);
    lab->driver.guest.ring[1].used->idx = 0xfff0;

    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_int_equal(lab->driver.config_changes, interrupts + 2);
    assert_int_equal(status_of(lab).connects, 2);
    assert_int_equal(rings_started(lab), 2 * PAIRS);
    assert_int_equal(rings_enabled(lab), 4);
    assert_true(features_set(lab) == features);
    fake_switch_lock(&lab->fake);
    assert_int_equal(lab->fake.ring[0].base, 0);
    assert_int_equal(lab->fake.ring[1].base, 0xfff0);
    assert_memory_equal(&lab->fake.rarp, mac, sizeof(mac));
    fake_switch_unlock(&lab->fake);

    assert_true((net_driver_status(&lab->driver) & VIRTIO_NET_S_ANNOUNCE) != 0);
    assert_int_equal(net_driver_command(&lab->driver, VIRTIO_NET_CTRL_ANNOUNCE,
                                        VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0), VIRTIO_NET_OK);
    assert_int_equal(net_driver_status(&lab->driver), VIRTIO_NET_S_LINK_UP);
}

static void test_net_gives_a_switch_the_wishes_of_a_snapshot(void **state)
{
    const uint64_t few = BIT(VIRTIO_NET_F_GUEST_CSUM);
    struct net_lab *lab = *state;
    struct virtio_device_state saved;
    struct error error = { 0 };
    uint64_t features;

    run_driver(lab, PAIRS);
    assert_int_equal(net_driver_set_pairs(&lab->driver, 3), VIRTIO_NET_OK);
    assert_int_equal(set_guest_offloads(lab, few), VIRTIO_NET_OK);
    features = features_set(lab);
    virtio_device_save(lab->driver.device, &saved);
    net_driver_close(&lab->driver);
    plug(lab, PAIRS);
    assert_int_equal(virtio_device_restore(lab->driver.device, &saved, &error), 0);
    assert_true(net_driver_await_link(&lab->driver, true));

    assert_int_equal(rings_started(lab), 2 * PAIRS);
    assert_int_equal(rings_enabled(lab), 6);
    assert_true(features_set(lab) == features);
    assert_int_equal(status_of(lab).pairs_enabled, 3);
}

static bool is_connected_again(struct net_driver *driver)
{
    struct virtio_net_status status;

    virtio_net_status(driver->net, &status);
    return status.connected && status.connects == 2;
}

static void test_net_without_what_its_driver_uses_has_no_link(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, PAIRS);
    fake_switch_kill(&lab->fake);
    lab->fake.features = ~(BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_MQ));
    assert_int_equal(fake_switch_listen(&lab->fake), 0);

    assert_true(net_driver_await(&lab->driver, is_connected_again));
    assert_false(net_driver_link_is_up(&lab->driver));
    assert_non_null(strstr(status_of(lab).why, "HOST_TSO4, MQ,"));
    assert_int_equal(rings_started(lab), 0);

    /* A driver that starts anew takes what there is. */
    assert_int_equal(net_driver_start(&lab->driver), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_string_equal(status_of(lab).why, "");
}

static void test_net_without_what_its_guest_would_receive_has_a_link(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, 1);
    fake_switch_kill(&lab->fake);
    lab->fake.features = ~NET_GUEST_OFFLOADS;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);

    assert_true(net_driver_await_link(&lab->driver, false));
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_true((features_set(lab) & NET_GUEST_OFFLOADS) == 0);
}

static void test_net_switch_that_turns_up_in_negotiation_breaks_it_not(void **state)
{
    const uint8_t begun = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
    struct net_lab *lab = *state;
    struct virtio_device *device;

    plug(lab, 1);
    device = lab->driver.device;
    virtio_device_set_status(device, begun);
    for (uint32_t word = 0; word < 2; word++) {
        device->driver_features_select = device->device_features_select = word;
        virtio_device_ack_word(device, virtio_device_offered_word(device));
    }
    lab->fake.features = ~BIT(VIRTIO_NET_F_GUEST_TSO4);
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    assert_true(net_driver_await_link(&lab->driver, true));

    virtio_device_set_status(device, begun | VIRTIO_FEATURES_OK);
    assert_true((device->status & VIRTIO_FEATURES_OK) != 0);
}

static void test_net_silent_switch_holds_nobody_up(void **state)
{
    struct net_lab *lab = *state;

    lab->fake.fault = FAKE_SWITCH_SILENT;
    lab->fake.fault_at = VHOST_USER_GET_FEATURES;
    assert_int_equal(fake_switch_listen(&lab->fake), 0);
    plug(lab, 1);
    assert_int_equal(net_driver_start(&lab->driver), 0);
    (void)event_base_loop(lab->base, EVLOOP_NONBLOCK);
    net_driver_reset(&lab->driver);

    assert_false(net_driver_link_is_up(&lab->driver));
    assert_non_null(strstr(status_of(lab).why, "not answered yet"));
}

static void test_net_stop_hangs_up_on_a_silent_switch(void **state)
{
    struct net_lab *lab = *state;

    run_driver(lab, 1);
    lab->fake.fault = FAKE_SWITCH_SILENT;
    lab->fake.fault_at = VHOST_USER_GET_VRING_BASE;
    net_driver_reset(&lab->driver);

    assert_true(net_driver_await_link(&lab->driver, false));
    assert_non_null(strstr(status_of(lab).why, "GET_VRING_BASE"));
    assert_int_equal(net_driver_start(&lab->driver), 0);
    assert_true(net_driver_await_link(&lab->driver, true));
    assert_int_equal(status_of(lab).connects, 2);
    lab->fake.fault = FAKE_SWITCH_HONEST;
}

static void test_net_switch_that_fails_is_tried_again(void **state)
{
    static const struct {
        enum fake_switch_fault fault;
        uint32_t at;
    } rows[] = {
        { FAKE_SWITCH_HANGS_UP, VHOST_USER_GET_PROTOCOL_FEATURES },
        { FAKE_SWITCH_REFUSES, VHOST_USER_SET_MEM_TABLE },
        { FAKE_SWITCH_OTHER_SIZE, VHOST_USER_SET_VRING_ENABLE },
        { FAKE_SWITCH_TRUNCATES, VHOST_USER_SEND_RARP },
    };
    struct net_lab *lab = *state;

    plug(lab, 1);
    assert_int_equal(net_driver_start(&lab->driver), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lab->fake.fault = rows[i].fault;
        lab->fake.fault_at = rows[i].at;
        assert_int_equal(fake_switch_listen(&lab->fake), 0);
        net_driver_run(&lab->driver, 300);
        assert_false(net_driver_link_is_up(&lab->driver));
        assert_true(status_of(lab).why[0] != '\0');

        lab->fake.fault = FAKE_SWITCH_HONEST;
        assert_true(net_driver_await_link(&lab->driver, true));
        fake_switch_kill(&lab->fake);
        assert_true(net_driver_await_link(&lab->driver, false));
    }
}

static void test_net_of_too_many_queues_is_refused(void **state)
{
    struct net_lab *lab = *state;
    const struct virtio_net_options options = {
        .name = "a", .socket_path = lab->fake.path, .pairs = VIRTIO_NET_PAIRS_MAX + 1,
    };
    struct error error;

    plug(lab, 1);
    assert_null(virtio_net_create(&lab->driver.ram, lab->base, &options, &error));
    assert_int_equal(error.code, EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_net_offers_what_the_switch_does),
        TEST(test_net_offers_all_before_its_first_switch),
        TEST(test_net_offers_no_queues_that_the_switch_has_not),
        TEST(test_net_config_space_is_what_was_asked_for),
        TEST(test_net_start_hands_rings_and_descriptors_over),
        TEST(test_net_start_tells_the_features_that_are_the_switch_s),
        TEST(test_net_driver_without_mq_has_its_control_queue_third),
        TEST(test_net_reset_takes_the_rings_back_and_another_start_works),
        TEST(test_net_call_changed_reaches_the_switch),
        TEST(test_net_pairs_are_enabled_and_disabled),
        TEST(test_net_guest_offloads_are_set_at_run_time),
        TEST(test_net_commands_are_accepted_as_negotiated),
        TEST(test_net_broken_control_queue_needs_a_reset_and_nothing_else),
        TEST(test_net_waits_for_its_first_switch),
        TEST(test_net_gives_a_switch_that_is_back_all_it_has),
        TEST(test_net_gives_a_switch_the_wishes_of_a_snapshot),
        TEST(test_net_without_what_its_driver_uses_has_no_link),
        TEST(test_net_without_what_its_guest_would_receive_has_a_link),
        TEST(test_net_switch_that_turns_up_in_negotiation_breaks_it_not),
        TEST(test_net_silent_switch_holds_nobody_up),
        TEST(test_net_stop_hangs_up_on_a_silent_switch),
        TEST(test_net_switch_that_fails_is_tried_again),
        TEST(test_net_of_too_many_queues_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
