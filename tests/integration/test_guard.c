/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that plays DHCP server and router: what of it gets through, what an operator sees of the
 * rest, and that the guards can be set while it does, and outlive the daemon.
 */
#include "tests/support/frame_builder.h"
#include "tests/support/two_guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/mac.h"

#define FRAME_BYTES 200u
#define WAIT_MS     5000

#define MAC_A  UINT64_C(0x020100000001)

#define DHCP_DROPS   "drops.DHCP server message from a port that guards against it"
#define ROUTER_DROPS "drops.router advertisement or redirect from a port that guards against it"

enum what { OFFER, REPLY, ADVERTISEMENT, IPV4_REDIRECT, UNSEEN, DISCOVER };

static int setup(void **state)
{
    return two_guests_open(state, "",
                           " --mac 02:01:00:00:00:01 --dhcp-guard on --router-guard on", "");
}

/* Broadcasts from guest a, in VLAN @p vid unless that is 0. */
static void speak(struct two_guests *f, enum what what, uint16_t vid)
{
    static struct wire wire;

    wire_start(&wire, MAC_BROADCAST, MAC_A);
    if (vid != 0) {
        wire_tag(&wire, ETHERTYPE_CTAG, vid);
    }
    switch (what) {
    case OFFER:
        wire_ipv4(&wire, 1, 2, IP_PROTOCOL_UDP, 0);
        wire_ports(&wire, 67, 68);
        break;
    case REPLY:
        wire_ipv6(&wire, 1, 2, IP_PROTOCOL_UDP);
        wire_ports(&wire, 547, 546);
        break;
    case ADVERTISEMENT:
        wire_ipv6(&wire, 1, 2, IP_PROTOCOL_ICMPV6);
        wire_ports(&wire, 134 << 8, 0);
        break;
    case IPV4_REDIRECT:
        wire_ipv4(&wire, 1, 2, IP_PROTOCOL_ICMP, 0);
        wire_ports(&wire, 5 << 8, 0);
        break;
    case UNSEEN:
        wire_ipv6(&wire, 1, 2, 44);
        wire_fragment(&wire, IP_PROTOCOL_ICMPV6, 1);
        break;
    case DISCOVER:
        wire_ipv4(&wire, 1, 2, IP_PROTOCOL_UDP, 0);
        wire_ports(&wire, 68, 67);
        break;
    }
    wire_fill(&wire, FRAME_BYTES);
    assert_int_equal(frontend_send(&f->a, 0, wire.data, wire.len_bytes), 0);
}

/* Checks that the next frame guest b gets is UDP to @p port, in an untagged frame. */
static void hear_port(struct two_guests *f, uint16_t port)
{
    uint8_t frame[FRAME_BYTES];
    struct ether_info info;
    const int len = frontend_receive(&f->b, FRONTEND_ANY_QUEUE, frame, sizeof(frame), WAIT_MS);

    assert_in_range(len, FRAME_BYTES - 4, FRAME_BYTES);
    assert_true(ether_parse(frame, (uint16_t)len, &info));
    assert_int_equal(info.destination_port, port);
}

static void test_guard_lets_a_client_speak_and_counts_the_rest_by_name(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    speak(f, OFFER, 0);
    speak(f, REPLY, 0);
    speak(f, ADVERTISEMENT, 0);
    speak(f, IPV4_REDIRECT, 0);
    speak(f, UNSEEN, 0);
    speak(f, DISCOVER, 0);

    hear_port(f, 67);
    two_guests_ask_until(f, "vnic show a", "counters.from_frames", 6, &answer);
    assert_int_equal(lab_number(answer.json, DHCP_DROPS), 2);
    assert_int_equal(lab_number(answer.json, ROUTER_DROPS), 3);
    assert_int_equal(lab_number(answer.json, "counters.from_bytes"), 6 * FRAME_BYTES);
    lab_answer_release(&answer);
}

static void test_guard_is_set_while_the_guest_runs(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    assert_int_equal(lab_do(&f->lab, "vnic set a --dhcp-guard off"), 0);
    speak(f, ADVERTISEMENT, 0);
    speak(f, OFFER, 0);
    hear_port(f, 68);
    assert_int_equal(lab_do(&f->lab, "vnic set a --dhcp-guard on --router-guard off"), 0);
    speak(f, OFFER, 0);
    speak(f, DISCOVER, 0);
    hear_port(f, 67);

    two_guests_ask_until(f, "vnic show a", "counters.from_frames", 4, &answer);
    assert_int_equal(lab_number(answer.json, DHCP_DROPS), 1);
    assert_int_equal(lab_number(answer.json, ROUTER_DROPS), 1);
    assert_true(json_is_true(lab_value(answer.json, "dhcp_guard")));
    assert_true(json_is_false(lab_value(answer.json, "router_guard")));
    lab_answer_release(&answer);
}

static void test_guard_looks_into_the_tagged_frames_of_a_trunk(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    assert_int_equal(lab_do(&f->lab, "vnic set a --vlan trunk:10,native:20"), 0);
    assert_int_equal(lab_do(&f->lab, "vnic set b --vlan access:10"), 0);
    speak(f, OFFER, 10);
    speak(f, ADVERTISEMENT, 10);
    speak(f, DISCOVER, 10);

    hear_port(f, 67);
    two_guests_ask_until(f, "vnic show a", "counters.from_frames", 3, &answer);
    assert_int_equal(lab_number(answer.json, DHCP_DROPS), 1);
    assert_int_equal(lab_number(answer.json, ROUTER_DROPS), 1);
    assert_int_equal(lab_number(answer.json, "counters.from_bytes"), 3 * FRAME_BYTES);
    lab_answer_release(&answer);
}

static void test_guard_is_off_by_default_and_outlives_the_daemon(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    lab_kill(&f->lab);
    assert_int_equal(lab_start(&f->lab, NULL), 0);

    assert_int_equal(lab_ask(&f->lab, &answer, "vnic show a"), 0);
    assert_true(json_is_true(lab_value(answer.json, "dhcp_guard")));
    assert_true(json_is_true(lab_value(answer.json, "router_guard")));
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(&f->lab, &answer, "vnic show b"), 0);
    assert_true(json_is_false(lab_value(answer.json, "dhcp_guard")));
    assert_true(json_is_false(lab_value(answer.json, "router_guard")));
    lab_answer_release(&answer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, two_guests_close)
    const struct CMUnitTest tests[] = {
        TEST(test_guard_lets_a_client_speak_and_counts_the_rest_by_name),
        TEST(test_guard_is_set_while_the_guest_runs),
        TEST(test_guard_looks_into_the_tagged_frames_of_a_trunk),
        TEST(test_guard_is_off_by_default_and_outlives_the_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
