/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NICs of the monitor on a real switch, without KVM: frames, queues, offloads, and a switch that is
 * killed, stopped, or has its vNICs taken away while a guest uses them.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "tests/support/lab.h"
#include "tests/support/net_driver.h"
#include "tests/support/udp_frame.h"
#include "vmm/net_link.h"

#define BIT(n)      (UINT64_C(1) << (n))
#define FRAME_BYTES 1400u
#define LONG_BYTES  9014u          /* of an MTU of 9000 */
#define PAIRS       4u
#define WAIT_MS     5000
#define QUIET_MS    20
#define FLOWS       64u

enum { A, B, GUESTS };             /* vNIC "a" has PAIRS queues, "b" has one */

struct net_lab {
    struct lab lab;
    struct event_base *base;
    struct net_driver guest[GUESTS];
};

static uint64_t mac_of(unsigned guest)
{
    return UINT64_C(0x020100000000) | (0xa0 + guest);
}

static int add_vnics(struct net_lab *x)
{
    return lab_do(&x->lab, "vnic add a --switch s --queues %u --mac 02:01:00:00:00:a0", PAIRS) |
           lab_do(&x->lab, "vnic add b --switch s --mac 02:01:00:00:00:a1") |
           lab_do(&x->lab, "vnic add c --switch s --mac 02:01:00:00:00:a2");
}

static int lab_setup(void **state)
{
    struct net_lab *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    *state = x;
    x->base = event_base_new();
    assert_int_equal(lab_create(&x->lab), 0);
    assert_int_equal(lab_start(&x->lab, NULL), 0);
    assert_int_equal(lab_do(&x->lab, "switch add s --type private --mtu 9000"), 0);
    assert_int_equal(add_vnics(x), 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        const char *name = i == A ? "a" : "b";
        const struct net_driver_config config = {
            .name = name,
            .socket_path = lab_socket(&x->lab, name),
            .mac = mac_of(i),
            .pairs = i == A ? PAIRS : 1,
            .mtu_bytes = 9000,
        };

        assert_int_equal(net_driver_open(&x->guest[i], x->base, &config), 0);
        assert_int_equal(net_driver_start(&x->guest[i]), 0);
        assert_true(net_driver_await_link(&x->guest[i], true));
    }
    return 0;
}

static int lab_teardown(void **state)
{
    struct net_lab *x = *state;

    for (unsigned i = 0; i < GUESTS; i++) {
        net_driver_close(&x->guest[i]);
    }
    event_base_free(x->base);
    assert_true(lab_alive(&x->lab));
    assert_int_equal(lab_stop(&x->lab), 0);
    lab_destroy(&x->lab);
    free(x);
    return 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void frame_of_flow(uint8_t *frame, size_t len_bytes, unsigned from, unsigned to,
                          unsigned flow)
{
    struct udp_frame fields = {
        .from_ip = 0x0a000000 + from,
        .to_ip = 0x0a000000 + to,
        .from_port = (uint16_t)(1000 + flow),
        .to_port = 7,
    };

    udp_frame_mac(fields.from, 1, 0xa0 + from);
    udp_frame_mac(fields.to, 1, 0xa0 + to);
    udp_frame_write(frame, len_bytes, &fields);
}

static void pass(struct frontend *from, unsigned from_number, struct frontend *to,
                 unsigned to_number, size_t len_bytes)
{
    uint8_t sent[LONG_BYTES], got[LONG_BYTES];

    frame_of_flow(sent, len_bytes, from_number, to_number, 0);
    assert_true(frontend_drain(to, QUIET_MS) >= 0);
    assert_int_equal(frontend_send(from, 0, sent, len_bytes), 0);
    assert_int_equal(frontend_receive(to, FRONTEND_ANY_QUEUE, got, sizeof(got), WAIT_MS),
                     (int)len_bytes);
    assert_memory_equal(sent, got, len_bytes);
}

static void pass_both_ways(struct net_lab *x)
{
    pass(&x->guest[A].guest, A, &x->guest[B].guest, B, FRAME_BYTES);
    pass(&x->guest[B].guest, B, &x->guest[A].guest, A, FRAME_BYTES);
}

/* What `vnic show` of @p vnic says under @p key must have @p text in it, as JSON without blanks. */
static void assert_shows(struct net_lab *x, const char *vnic, const char *key, const char *text)
{
    struct lab_answer answer;
    char *is;

    assert_int_equal(lab_ask(&x->lab, &answer, "vnic show %s", vnic), 0);
    is = json_dumps(lab_value(answer.json, key), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(is);
    if (strstr(is, text) == NULL) {
        fail_msg("\"%s\" of %s is %s, which has no %s", key, vnic, is, text);
    }
    free(is);
    lab_answer_release(&answer);
}

static bool has_joined_again(struct net_driver *driver)
{
    struct virtio_net_status status;

    virtio_net_status(driver->net, &status);
    return status.connects >= 2 && status.link_up;
}

static void await_return(struct net_lab *x)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_true(net_driver_await(&x->guest[i], has_joined_again));
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_nics_pass_frames_to_each_other_and_to_any_guest(void **state)
{
    struct net_lab *x = *state;
    struct frontend other;

    pass_both_ways(x);
    pass(&x->guest[A].guest, A, &x->guest[B].guest, B, LONG_BYTES);

    assert_int_equal(frontend_open(&other, &(struct frontend_config){
        .socket_path = lab_socket(&x->lab, "c") }), 0);
    pass(&other, 2, &x->guest[A].guest, A, FRAME_BYTES);
    pass(&x->guest[A].guest, A, &other, 2, FRAME_BYTES);
    frontend_close(&other);
}

static void test_nic_is_what_the_switch_says_it_is(void **state)
{
    struct net_lab *x = *state;

    assert_shows(x, "a", "state", "\"attached\"");
    assert_shows(x, "a", "guest_mtu", "9000");
    assert_shows(x, "a", "mtu_note", "null");
    assert_shows(x, "a", "ring_size", "128");
    assert_shows(x, "a", "queues_enabled", "1");
    assert_shows(x, "a", "refused_reason", "null");
}

static unsigned queues_used(struct net_lab *x)
{
    uint8_t frame[FRAME_BYTES];
    unsigned used = 0;

    assert_true(frontend_drain(&x->guest[A].guest, QUIET_MS) >= 0);
    for (unsigned flow = 0; flow < FLOWS; flow++) {
        frame_of_flow(frame, sizeof(frame), B, A, flow);
        assert_int_equal(frontend_send(&x->guest[B].guest, 0, frame, sizeof(frame)), 0);
        assert_int_equal(frontend_receive(&x->guest[A].guest, FRONTEND_ANY_QUEUE, NULL, 0, WAIT_MS),
                         sizeof(frame));
        used |= 1u << x->guest[A].guest.last_queue;
    }
    return (unsigned)__builtin_popcount(used);
}

static void test_nic_queues_are_used_as_the_driver_enables_them(void **state)
{
    struct net_lab *x = *state;
    uint8_t frame[FRAME_BYTES];

    pass(&x->guest[A].guest, A, &x->guest[B].guest, B, FRAME_BYTES);
    assert_int_equal(queues_used(x), 1);
    assert_int_equal(net_driver_set_pairs(&x->guest[A], PAIRS), VIRTIO_NET_OK);
    assert_shows(x, "a", "queues_enabled", "4");
    assert_true(queues_used(x) > 1);

    for (uint16_t queue = 0; queue < PAIRS; queue++) {
        frame_of_flow(frame, sizeof(frame), A, B, queue);
        assert_int_equal(frontend_send(&x->guest[A].guest, queue, frame, sizeof(frame)), 0);
        assert_int_equal(frontend_receive(&x->guest[B].guest, 0, NULL, 0, WAIT_MS), sizeof(frame));
    }
    assert_int_equal(net_driver_set_pairs(&x->guest[A], 1), VIRTIO_NET_OK);
    assert_shows(x, "a", "queues_enabled", "1");
    assert_int_equal(queues_used(x), 1);
}

static void test_nic_offloads_are_those_of_the_switch(void **state)
{
    const uint64_t csum = BIT(VIRTIO_NET_F_GUEST_CSUM);
    struct net_lab *x = *state;

    assert_true((x->guest[A].guest.features & NET_LINK_FEATURES_ALL) == NET_LINK_FEATURES_ALL);
    assert_shows(x, "a", "offloads_taken",
                 "[\"csum\",\"tso4\",\"tso6\",\"ecn\",\"uso4\",\"uso6\"]");
    assert_shows(x, "a", "offloads_sent",
                 "[\"csum\",\"tso4\",\"tso6\",\"ecn\",\"uso4\",\"uso6\"]");

    assert_int_equal(net_driver_command(&x->guest[A], VIRTIO_NET_CTRL_GUEST_OFFLOADS,
                                        VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &csum, sizeof(csum)),
                     VIRTIO_NET_OK);
    assert_shows(x, "a", "offloads_taken", "[\"csum\"]");
    pass_both_ways(x);
}

static void test_nic_without_offloads_offers_none(void **state)
{
    struct net_lab *x = *state;

    net_driver_close(&x->guest[B]);
    assert_int_equal(lab_do(&x->lab, "vnic set b --offload off"), 0);
    assert_int_equal(net_driver_open(&x->guest[B], x->base, &(struct net_driver_config){
        .name = "b", .socket_path = lab_socket(&x->lab, "b"), .mac = mac_of(B) }), 0);
    assert_int_equal(net_driver_start(&x->guest[B]), 0);
    assert_true(net_driver_await_link(&x->guest[B], true));

    assert_true((x->guest[B].guest.features & (NET_GUEST_OFFLOADS | BIT(VIRTIO_NET_F_CSUM))) == 0);
    pass_both_ways(x);
}

static void test_nic_driver_may_start_anew_under_load(void **state)
{
    struct net_lab *x = *state;
    uint8_t frame[FRAME_BYTES];

    frame_of_flow(frame, sizeof(frame), A, B, 0);
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned n = 0; n < 100; n++) {
            assert_int_equal(frontend_send(&x->guest[A].guest, 0, frame, sizeof(frame)), 0);
        }
        net_driver_reset(&x->guest[i % GUESTS]);
        assert_int_equal(net_driver_start(&x->guest[i % GUESTS]), 0);
        assert_true(net_driver_await_link(&x->guest[i % GUESTS], true));
    }
    pass_both_ways(x);
}

static void test_nic_goes_on_after_the_switch_was_killed(void **state)
{
    struct net_lab *x = *state;
    uint8_t frame[FRAME_BYTES];

    assert_int_equal(net_driver_set_pairs(&x->guest[A], PAIRS), VIRTIO_NET_OK);
    for (unsigned round = 0; round < 3; round++) {
        const unsigned interrupts = x->guest[A].config_changes;

        /* With frames on their way. */
        frame_of_flow(frame, sizeof(frame), A, B, 0);
        for (unsigned n = 0; n < 50; n++) {
            assert_int_equal(frontend_send(&x->guest[A].guest, (uint16_t)(n % PAIRS), frame,
                                           sizeof(frame)), 0);
        }
        lab_kill(&x->lab);
        for (unsigned i = 0; i < GUESTS; i++) {
            assert_true(net_driver_await_link(&x->guest[i], false));
        }
        assert_int_equal(lab_start(&x->lab, NULL), 0);
        await_return(x);

        assert_int_equal(x->guest[A].config_changes, interrupts + 2);
        assert_true((net_driver_status(&x->guest[A]) & VIRTIO_NET_S_ANNOUNCE) != 0);
        assert_int_equal(net_driver_command(&x->guest[A], VIRTIO_NET_CTRL_ANNOUNCE,
                                            VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0), VIRTIO_NET_OK);
        assert_shows(x, "a", "queues_enabled", "4");
        pass_both_ways(x);
    }
}

static bool is_apart(struct net_driver *driver)
{
    struct virtio_net_status status;

    virtio_net_status(driver->net, &status);
    return !status.connected;
}

static void test_nic_comes_back_when_its_vnic_does(void **state)
{
    struct net_lab *x = *state;

    assert_int_equal(lab_do(&x->lab, "vnic remove b"), 0);
    assert_true(net_driver_await(&x->guest[B], is_apart));
    assert_false(net_driver_link_is_up(&x->guest[B]));
    assert_int_equal(lab_do(&x->lab, "vnic add b --switch s --mac 02:01:00:00:00:a1"), 0);

    assert_true(net_driver_await(&x->guest[B], has_joined_again));
    pass_both_ways(x);
}

static void test_nic_whose_vnic_is_taken_says_so_and_waits(void **state)
{
    struct net_lab *x = *state;
    const struct net_driver_config config = {
        .name = "a", .socket_path = lab_socket(&x->lab, "a"), .mac = mac_of(A),
    };
    struct net_driver second;
    struct virtio_net_status status;

    assert_int_equal(net_driver_open(&second, x->base, &config), 0);
    assert_int_equal(net_driver_start(&second), 0);
    net_driver_run(&second, 50);
    virtio_net_status(second.net, &status);
    assert_false(status.link_up);
    assert_non_null(strstr(status.why, "another VM is attached"));
    pass_both_ways(x);

    net_driver_close(&x->guest[A]);
    assert_true(net_driver_await_link(&second, true));
    x->guest[A] = (struct net_driver){ 0 };
    x->guest[A].guest.channel.fd = -1;
    x->guest[A].ram.fd = -1;
    pass(&second.guest, A, &x->guest[B].guest, B, FRAME_BYTES);
    net_driver_close(&second);
}

static void test_nic_of_a_stopped_switch_lets_its_driver_go(void **state)
{
    struct net_lab *x = *state;

    assert_int_equal(kill(x->lab.pid, SIGSTOP), 0);
    net_driver_reset(&x->guest[A]);            /* hangs up when the deadline has passed */
    assert_int_equal(net_driver_start(&x->guest[A]), 0);
    assert_true(net_driver_await(&x->guest[A], is_apart));
    assert_false(net_driver_link_is_up(&x->guest[A]));

    assert_int_equal(kill(x->lab.pid, SIGCONT), 0);
    assert_true(net_driver_await(&x->guest[A], has_joined_again));
    pass_both_ways(x);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nics_pass_frames_to_each_other_and_to_any_guest),
        TEST(test_nic_is_what_the_switch_says_it_is),
        TEST(test_nic_queues_are_used_as_the_driver_enables_them),
        TEST(test_nic_offloads_are_those_of_the_switch),
        TEST(test_nic_without_offloads_offers_none),
        TEST(test_nic_driver_may_start_anew_under_load),
        TEST(test_nic_goes_on_after_the_switch_was_killed),
        TEST(test_nic_comes_back_when_its_vnic_does),
        TEST(test_nic_whose_vnic_is_taken_says_so_and_waits),
        TEST(test_nic_of_a_stopped_switch_lets_its_driver_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
