/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the project's guest answers and what it asks.  Two stations talk: what one asks, the other
 * answers, and a checksum of the tests' own says whether it is right.
 */
#include "vmm/guest/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/checksum_naive.h"
#include "vmm/guest/packet.h"
#include "vmm/guest/ping.h"

#define ECHO_PORT 7u
#define SIZE      2048u
#define NOW_NS    UINT64_C(1000000000)

static const struct station asker = {
    .mac = { 2, 0, 0, 0, 0, 0xa }, .has_ip = true, .has_ip6 = true, .ip = { 10, 0, 0, 1 },
    .ip6 = { 0xfd, [15] = 1 },
};
static const struct station answerer = {
    .mac = { 2, 0, 0, 0, 0, 0xb }, .has_ip = true, .has_ip6 = true, .ip = { 10, 0, 0, 2 },
    .ip6 = { 0xfd, [15] = 2 },
};

struct talk {
    struct ping ping;
    uint8_t frame[SIZE], reply[SIZE];
    size_t frame_bytes, reply_bytes;
};

static struct talk talk_of(bool is_ip6)
{
    struct talk talk = { .ping = { .is_ip6 = is_ip6, .count = 1, .size_bytes = 57 } };

    memcpy(talk.ping.ip, answerer.ip, sizeof(talk.ping.ip));
    memcpy(talk.ping.ip6, answerer.ip6, sizeof(talk.ping.ip6));
    return talk;
}

/* The asker's next frame. */
static void ask(struct talk *talk)
{
    talk->frame_bytes = ping_next(&talk->ping, &asker, NOW_NS, talk->frame);
}

static void answer(struct talk *talk)
{
    talk->reply_bytes = answer_frame(&answerer, talk->frame, talk->frame_bytes, talk->reply, SIZE);
}

static bool take(struct talk *talk)
{
    return ping_take(&talk->ping, &asker, NOW_NS + 5, talk->reply, talk->reply_bytes);
}

/* An echo that awaits its answer, the address found. */
static struct talk talk_at_echo(bool is_ip6)
{
    struct talk talk = talk_of(is_ip6);

    ask(&talk);
    answer(&talk);
    assert_true(take(&talk));
    ask(&talk);
    return talk;
}

/* UDP to the echo service, of @p data_bytes. */
static struct talk talk_by_udp(bool is_ip6, size_t data_bytes)
{
    struct talk talk = { .frame_bytes = 0 };
    uint8_t *const frame = talk.frame;
    uint8_t *const udp = frame + (is_ip6 ? IP6_END : IP_END);
    const size_t udp_bytes = UDP_END + data_bytes;

    packet_put_ether(frame, answerer.mac, asker.mac, is_ip6 ? ETHER_IP6 : ETHER_IP);
    if (is_ip6) {
        packet_put_ip6(frame, PROTOCOL_UDP, TTL, asker.ip6, answerer.ip6, udp_bytes);
    } else {
        packet_put_ip(frame, PROTOCOL_UDP, asker.ip, answerer.ip, udp_bytes);
    }
    packet_put(udp + UDP_FROM, 5000);
    packet_put(udp + UDP_TO, ECHO_PORT);
    packet_put(udp + UDP_LENGTH, (unsigned)udp_bytes);
    memset(udp + UDP_END, 'x', data_bytes);
    packet_put(udp + UDP_CHECKSUM,
               is_ip6 ? packet_checksum(udp, udp_bytes,
                                        packet_pseudo_sum(frame, PROTOCOL_UDP, udp_bytes)) : 0);
    talk.frame_bytes = (size_t)(udp - frame) + udp_bytes;
    return talk;
}

/* What a checksum over a message and the addresses above it comes to; 0xffff when it is right. */
static uint16_t sum_ip6(const uint8_t *frame, size_t frame_bytes, uint16_t protocol)
{
    const uint16_t message_bytes = (uint16_t)(frame_bytes - IP6_END);
    const uint8_t rest[4] = { (uint8_t)(message_bytes >> 8), (uint8_t)message_bytes,
                              (uint8_t)(protocol >> 8), (uint8_t)protocol };
    const uint16_t addresses = checksum_naive(0, frame + IP6_FROM, 32);

    return checksum_naive(checksum_naive(addresses, rest, sizeof(rest)), frame + IP6_END,
                          message_bytes);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void test_answer_arp_request_tells_the_address(void **state)
{
    struct talk talk = talk_of(false);

    (void)state;
    ask(&talk);
    answer(&talk);

    assert_int_equal(talk.reply_bytes, ARP_END);
    assert_memory_equal(talk.reply, asker.mac, 6);
    assert_memory_equal(talk.reply + 6, answerer.mac, 6);
    assert_memory_equal(talk.reply + ARP_FROM_MAC, answerer.mac, 6);
    assert_memory_equal(talk.reply + ARP_FROM_IP, answerer.ip, 4);
    assert_memory_equal(talk.reply + ARP_TO_MAC, asker.mac, 6);
    assert_memory_equal(talk.reply + ARP_TO_IP, asker.ip, 4);
}

static void test_answer_arp_for_another_is_silent(void **state)
{
    struct talk talk = talk_of(false);

    (void)state;
    talk.ping.ip[3] = 77;
    ask(&talk);
    answer(&talk);

    assert_int_equal(talk.reply_bytes, 0);
}

static void test_answer_solicitation_tells_the_address(void **state)
{
    struct talk talk = talk_of(true);

    (void)state;
    ask(&talk);
    answer(&talk);

    assert_int_equal(talk.reply_bytes, IP6_END + ND_END);
    assert_memory_equal(talk.reply, asker.mac, 6);
    assert_memory_equal(talk.reply + IP6_TO, asker.ip6, 16);
    assert_int_equal(talk.reply[IP6_HOPS], 255);
    assert_memory_equal(talk.reply + IP6_END + ND_TARGET, answerer.ip6, 16);
    assert_memory_equal(talk.reply + IP6_END + ND_OPTION + 2, answerer.mac, 6);
    assert_int_equal(sum_ip6(talk.frame, talk.frame_bytes, PROTOCOL_ICMP6), 0xffff);
    assert_int_equal(sum_ip6(talk.reply, talk.reply_bytes, PROTOCOL_ICMP6), 0xffff);
}

static void test_answer_probe_for_duplicates_tells_all(void **state)
{
    static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    struct talk talk = talk_of(true);

    (void)state;
    ask(&talk);
    memset(talk.frame + IP6_FROM, 0, 16);
    packet_put_icmp6_checksum(talk.frame, ND_END);
    answer(&talk);

    assert_memory_equal(talk.reply, all_nodes_mac, 6);
    assert_int_equal(talk.reply[IP6_END + ND_FLAGS] & 0x40, 0);      /* nobody solicited it */
    assert_int_equal(sum_ip6(talk.reply, talk.reply_bytes, PROTOCOL_ICMP6), 0xffff);
}

static void test_answer_solicitation_from_afar_is_silent(void **state)
{
    struct talk talk = talk_of(true);

    (void)state;
    ask(&talk);
    talk.frame[IP6_HOPS] = 254;
    answer(&talk);

    assert_int_equal(talk.reply_bytes, 0);
}

/* ---- echoes ---------------------------------------------------------------------------------- */

static void test_answer_echo_comes_back_whole(void **state)
{
    struct talk talk = talk_at_echo(false);

    (void)state;
    answer(&talk);

    assert_int_equal(talk.reply_bytes, talk.frame_bytes);
    assert_int_equal(talk.reply[IP_END + ICMP_TYPE], ICMP_ECHO_REPLY);
    assert_int_equal(checksum_naive(0, talk.reply + ETHER_BYTES, IP_END - ETHER_BYTES), 0xffff);
    assert_int_equal(checksum_naive(0, talk.reply + IP_END, talk.reply_bytes - IP_END), 0xffff);
    assert_true(take(&talk));
    assert_true(ping_is_over(&talk.ping));
    assert_int_equal(talk.ping.received, 1);
}

static void test_answer_echo_over_ip6_comes_back_whole(void **state)
{
    struct talk talk = talk_at_echo(true);

    (void)state;
    answer(&talk);

    assert_int_equal(talk.reply_bytes, talk.frame_bytes);
    assert_int_equal(talk.reply[IP6_END + ICMP_TYPE], ICMP6_ECHO_REPLY);
    assert_int_equal(sum_ip6(talk.reply, talk.reply_bytes, PROTOCOL_ICMP6), 0xffff);
    assert_true(take(&talk));
    assert_int_equal(talk.ping.received, 1);
}

static void test_answer_padded_frame_answers_the_packet_only(void **state)
{
    struct talk talk = talk_at_echo(false);
    const size_t packet_bytes = talk.frame_bytes;

    (void)state;
    talk.frame_bytes += 6;
    answer(&talk);

    assert_int_equal(talk.reply_bytes, packet_bytes);
}

static void test_answer_damaged_echo_is_silent(void **state)
{
    (void)state;
    for (unsigned is_ip6 = 0; is_ip6 < 2; is_ip6++) {
        struct talk talk = talk_at_echo(is_ip6);

        talk.frame[talk.frame_bytes - 3] ^= 1;
        answer(&talk);

        assert_int_equal(talk.reply_bytes, 0);
    }
}

static void test_answer_frame_for_another_station_is_silent(void **state)
{
    struct talk talk = talk_at_echo(false);

    (void)state;
    talk.frame[5] ^= 1;
    answer(&talk);

    assert_int_equal(talk.reply_bytes, 0);
}

/* Any front part of a good frame: nothing behind its end is read (the sanitizer looks), and what
 * is not whole is not answered. */
static void test_answer_cut_frame_is_silent(void **state)
{
    (void)state;
    for (unsigned is_ip6 = 0; is_ip6 < 2; is_ip6++) {
        const struct talk whole = talk_at_echo(is_ip6);

        for (size_t len_bytes = 0; len_bytes < whole.frame_bytes; len_bytes++) {
            uint8_t *cut = test_malloc(len_bytes + 1);
            uint8_t reply[SIZE];

            memcpy(cut + 1, whole.frame, len_bytes);
            assert_int_equal(answer_frame(&answerer, cut + 1, len_bytes, reply, SIZE), 0);
            test_free(cut);
        }
    }
}

static void test_answer_reply_without_room_is_silent(void **state)
{
    struct talk talk = talk_at_echo(false);

    (void)state;
    assert_int_equal(answer_frame(&answerer, talk.frame, talk.frame_bytes, talk.reply,
                                  talk.frame_bytes - 1), 0);
}

static void test_answer_udp_echo_turns_around(void **state)
{
    (void)state;
    for (unsigned is_ip6 = 0; is_ip6 < 2; is_ip6++) {
        struct talk talk = talk_by_udp(is_ip6, 33);
        const size_t udp = is_ip6 ? IP6_END : IP_END;

        answer(&talk);

        assert_int_equal(talk.reply_bytes, talk.frame_bytes);
        assert_int_equal(packet_get(talk.reply + udp + UDP_FROM), ECHO_PORT);
        assert_int_equal(packet_get(talk.reply + udp + UDP_TO), 5000);
        if (is_ip6) {
            assert_int_equal(sum_ip6(talk.reply, talk.reply_bytes, PROTOCOL_UDP), 0xffff);
        }
    }
}

static void test_answer_udp_over_ip6_without_checksum_is_silent(void **state)
{
    struct talk talk = talk_by_udp(true, 33);

    (void)state;
    packet_put(talk.frame + IP6_END + UDP_CHECKSUM, 0);
    answer(&talk);

    assert_int_equal(talk.reply_bytes, 0);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void test_ping_changed_echo_is_not_received(void **state)
{
    struct talk talk = talk_at_echo(false);

    (void)state;
    answer(&talk);
    talk.reply[IP_END + ICMP_END + 2] ^= 1;
    packet_put_icmp_checksum(talk.reply, talk.reply_bytes - IP_END);

    assert_false(take(&talk));
    assert_int_equal(talk.ping.received, 0);
}

static void test_ping_lost_echo_is_asked_again_after_its_time(void **state)
{
    struct talk talk = talk_at_echo(false);

    (void)state;
    talk.ping.count = 2;

    assert_int_equal(ping_next(&talk.ping, &asker, NOW_NS + PING_TIMEOUT_NS - 1, talk.frame), 0);
    assert_int_not_equal(ping_next(&talk.ping, &asker, NOW_NS + PING_TIMEOUT_NS, talk.frame), 0);
    assert_int_equal(talk.ping.sent, 2);
}

static void test_ping_nobody_there_gives_up(void **state)
{
    struct talk talk = talk_of(true);
    uint64_t now_ns = NOW_NS;
    unsigned asked = 0;

    (void)state;
    for (; !ping_is_over(&talk.ping) && asked <= PING_ASKS_MAX; now_ns += PING_ASK_NS) {
        asked += ping_next(&talk.ping, &asker, now_ns, talk.frame) != 0;
    }

    assert_int_equal(asked, PING_ASKS_MAX);
    assert_int_equal(talk.ping.sent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_arp_request_tells_the_address),
        cmocka_unit_test(test_answer_arp_for_another_is_silent),
        cmocka_unit_test(test_answer_solicitation_tells_the_address),
        cmocka_unit_test(test_answer_probe_for_duplicates_tells_all),
        cmocka_unit_test(test_answer_solicitation_from_afar_is_silent),
        cmocka_unit_test(test_answer_echo_comes_back_whole),
        cmocka_unit_test(test_answer_echo_over_ip6_comes_back_whole),
        cmocka_unit_test(test_answer_padded_frame_answers_the_packet_only),
        cmocka_unit_test(test_answer_damaged_echo_is_silent),
        cmocka_unit_test(test_answer_frame_for_another_station_is_silent),
        cmocka_unit_test(test_answer_cut_frame_is_silent),
        cmocka_unit_test(test_answer_reply_without_room_is_silent),
        cmocka_unit_test(test_answer_udp_echo_turns_around),
        cmocka_unit_test(test_answer_udp_over_ip6_without_checksum_is_silent),
        cmocka_unit_test(test_ping_changed_echo_is_not_received),
        cmocka_unit_test(test_ping_lost_echo_is_asked_again_after_its_time),
        cmocka_unit_test(test_ping_nobody_there_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
