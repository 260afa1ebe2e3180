/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that lies about checksums and segments loses the frames it lies about and nothing else,
 * on a real daemon; what it says truly arrives, whole or cut, with checksums that are right.
 *
 * Of the two others one takes everything undone and one nothing.  Frames are broadcast, and so go
 * to both.
 */
#include "switch/frame.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS      3000
#define MSS          1400u
#define LIES         "drops.checksum or segmentation request that the frame belies"
#define RANDOM_FRAMES 20000u
#define SCRIBBLED_FRAMES 5000u
#define TX           FRONTEND_TX(0)

#define SENDS        (1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4 | \
                      1ull << VIRTIO_NET_F_HOST_TSO6)
#define TAKES        (1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_GUEST_TSO4 | \
                      1ull << VIRTIO_NET_F_GUEST_TSO6)

static struct lab lab;
static struct frontend evil;
static struct frontend taker;
static struct frontend other;
static struct long_frame longs;
static uint8_t got[FRAME_MAX_BYTES];

static int attach(struct frontend *f, const char *vnic, uint64_t offloads)
{
    return frontend_open(f, &(struct frontend_config){ .socket_path = lab_socket(&lab, vnic),
                                                       .features = FRONTEND_FEATURES | offloads });
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A TCP segment of @p payload_bytes, its checksum left to others, and what is true of it. */
static struct virtio_net_hdr_mrg_rxbuf make_frame(uint8_t ip_version, uint32_t payload_bytes)
{
    const bool gso = payload_bytes > MSS;
    uint8_t *tcp;
    uint16_t sum;

    longs = (struct long_frame){
        .gso_type = ip_version == 4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6, .ip_version = ip_version,
        .payload_bytes = payload_bytes, .gso_size_bytes = MSS,
    };
    long_frame_write(&longs);
    memset(longs.wire.data, 0xff, 6);
    tcp = &longs.wire.data[longs.l4_off_bytes];
    sum = (uint16_t)(longs.wire.len_bytes - longs.l4_off_bytes);
    sum = ip_version == 4 ? checksum_naive(sum, &longs.wire.data[longs.l3_off_bytes + 12], 8)
                          : checksum_naive(sum, &longs.wire.data[longs.l3_off_bytes + 8], 32);
    sum = checksum_naive(sum, (const uint8_t[]){ 0, 6 }, 2);
    tcp[16] = (uint8_t)(sum >> 8);
    tcp[17] = (uint8_t)sum;
    return (struct virtio_net_hdr_mrg_rxbuf){ .hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = !gso              ? VIRTIO_NET_HDR_GSO_NONE
                    : ip_version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
                                      : VIRTIO_NET_HDR_GSO_TCPV6,
        .hdr_len = longs.header_bytes,
        .gso_size = gso ? MSS : 0,
        .csum_start = longs.l4_off_bytes,
        .csum_offset = 16,
    } };
}

static void send_as(const struct virtio_net_hdr_mrg_rxbuf *header)
{
    evil.sent_header = *header;
    assert_int_equal(frontend_send(&evil, 0, longs.wire.data, longs.wire.len_bytes), 0);
}

/* Whether the TCP checksum of a frame that arrived is right, by whatever lengths it has. */
static bool sum_is_right(const uint8_t *frame, uint32_t len_bytes)
{
    const uint8_t *ip = frame + longs.l3_off_bytes;
    const uint32_t tcp_bytes = len_bytes - longs.l4_off_bytes;
    uint16_t sum = longs.ip_version == 4 ? checksum_naive(0, ip + 12, 8)
                                         : checksum_naive(0, ip + 8, 32);

    sum = checksum_naive(sum, (const uint8_t[]){ 0, 6, (uint8_t)(tcp_bytes >> 8),
                                                 (uint8_t)tcp_bytes }, 4);
    return checksum_naive(sum, frame + longs.l4_off_bytes, tcp_bytes) == 0xffff;
}

/* The frame that was sent arrives as it is where it is taken, and done where it is not. */
static void assert_truth_arrives(void)
{
    uint32_t payload_bytes = 0;

    assert_int_equal(frontend_receive(&taker, 0, got, sizeof(got), WAIT_MS),
                     longs.wire.len_bytes);
    assert_memory_equal(got, longs.wire.data, longs.wire.len_bytes);
    assert_memory_equal(&taker.received_header.hdr.gso_type, &evil.sent_header.hdr.gso_type, 1);
    assert_int_equal(taker.received_header.hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(taker.received_header.hdr.csum_start, longs.l4_off_bytes);

    while (payload_bytes < longs.payload_bytes) {
        const int len_bytes = frontend_receive(&other, 0, got, sizeof(got), WAIT_MS);
        const uint32_t part = (uint32_t)len_bytes - longs.header_bytes;

        assert_in_range(len_bytes, longs.header_bytes + 1, longs.header_bytes + MSS);
        assert_int_equal(other.received_header.hdr.flags, 0);
        assert_int_equal(other.received_header.hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
        assert_true(sum_is_right(got, (uint32_t)len_bytes));
        assert_memory_equal(got + longs.header_bytes,
                            &longs.wire.data[longs.header_bytes + payload_bytes], part);
        payload_bytes += part;
    }
    assert_int_equal(payload_bytes, longs.payload_bytes);
}

static void assert_truth_passes(void)
{
    for (uint8_t version = 4; version <= 6; version += 2) {
        for (uint32_t payload_bytes = 100; payload_bytes < 62000; payload_bytes += 20001) {
            const struct virtio_net_hdr_mrg_rxbuf truth = make_frame(version, payload_bytes);

            send_as(&truth);
            assert_truth_arrives();
        }
    }
    assert_true(lab_alive(&lab));
}

/* ---- what the operator sees ------------------------------------------------------------------ */

static int64_t lies_told(void)
{
    struct lab_answer answer;
    int64_t lies;

    assert_int_equal(lab_ask(&lab, &answer, "vnic show evil"), 0);
    assert_string_equal(json_string_value(lab_value(answer.json, "state")), "attached");
    lies = lab_number(answer.json, LIES);
    lab_answer_release(&answer);
    return lies;
}

/* ---- misdeeds -------------------------------------------------------------------------------- */

static void test_hostile_offload_truth_arrives_as_it_is_taken(void **state)
{
    (void)state;

    assert_truth_passes();
    assert_int_equal(lies_told(), 0);
}

static void test_hostile_offload_lies_are_counted_and_cost_themselves(void **state)
{
    struct virtio_net_hdr_mrg_rxbuf lie[11];
    const int64_t before = lies_told();
    (void)state;

    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        lie[i] = make_frame(4, 30000);
    }
    lie[0].hdr.csum_start = 0xffff;
    lie[1].hdr.csum_start = 0;
    lie[2].hdr.csum_start++;
    lie[3].hdr.csum_offset = 0xffff;
    lie[4].hdr.csum_offset = 4;
    lie[5].hdr.gso_size = 0;
    lie[6].hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    lie[7].hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    lie[8].hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;         /* which it did not negotiate */
    lie[9].hdr.gso_type = 0x7f;
    lie[10].hdr.flags = 0;
    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        send_as(&lie[i]);
        assert_truth_passes();
        (void)make_frame(4, 30000);
    }
    assert_int_equal(frontend_wait_sent(&evil, 0), 0);
    assert_int_equal(lies_told() - before, sizeof(lie) / sizeof(lie[0]));
}

/* More segments than one frame may be cut into, by a guest that wants work done for it. */
static void test_hostile_offload_segments_of_a_byte_are_not_made(void **state)
{
    struct virtio_net_hdr_mrg_rxbuf header = make_frame(4, 60000);
    const int64_t before = lies_told();
    (void)state;

    header.hdr.gso_size = 1;
    send_as(&header);

    assert_int_equal(frontend_receive(&taker, 0, got, sizeof(got), WAIT_MS),
                     longs.wire.len_bytes);
    assert_int_equal(frontend_wait_sent(&evil, 0), 0);
    assert_int_equal(frontend_receive(&other, 0, NULL, 0, 100), -ETIMEDOUT);
    assert_int_equal(lies_told() - before, 1);
    assert_truth_passes();
}

static void drain(void)
{
    assert_true(frontend_drain(&taker, 1) >= 0);
    assert_true(frontend_drain(&other, 1) >= 0);
}

static void test_hostile_offload_random_headers_and_frames(void **state)
{
    uint64_t random = 1948;
    (void)state;

    for (unsigned i = 0; i < RANDOM_FRAMES; i++) {
        struct virtio_net_hdr_mrg_rxbuf header = make_frame(random_below(&random, 2) == 0 ? 4 : 6,
                                                            1 + random_below(&random, 6000));
        uint8_t *bytes = (uint8_t *)&header;

        for (uint32_t n = random_below(&random, 4); n > 0; n--) {
            bytes[random_below(&random, sizeof(header))] = (uint8_t)random_next(&random);
        }
        for (uint32_t n = random_below(&random, 4); n > 0; n--) {
            longs.wire.data[12 + random_below(&random, 60)] = (uint8_t)random_next(&random);
        }
        send_as(&header);
        if (i % 64 == 0) {
            drain();
        }
    }
    assert_int_equal(frontend_wait_sent(&evil, 0), 0);
    (void)frontend_drain(&taker, 50);
    (void)frontend_drain(&other, 50);
    assert_true(lies_told() > 0);
    assert_truth_passes();
}

static atomic_bool scribbling;

/* Writes over the headers of all that waits to be sent. */
static void *scribble(void *unused)
{
    struct guest_ring *ring = &evil.ring[TX];
    uint64_t random = 7;

    (void)unused;
    while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
        volatile uint8_t *at = ring->slot[random_below(&random, ring->size)];

        at[random_below(&random, sizeof(struct virtio_net_hdr))] = (uint8_t)random_next(&random);
    }
    return NULL;
}

static void test_hostile_offload_headers_change_while_they_are_read(void **state)
{
    const struct virtio_net_hdr_mrg_rxbuf truth = make_frame(4, 1800);
    pthread_t thread;
    (void)state;

    atomic_store(&scribbling, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (unsigned i = 0; i < SCRIBBLED_FRAMES; i++) {
        send_as(&truth);
        if (i % 64 == 0) {
            drain();
        }
    }
    assert_int_equal(frontend_wait_sent(&evil, 0), 0);
    atomic_store(&scribbling, false);
    (void)pthread_join(thread, NULL);
    (void)frontend_drain(&taker, 50);
    (void)frontend_drain(&other, 50);
    (void)lies_told();
    assert_truth_passes();
}

/* Without the features all of it is a lie. */
static void test_hostile_offload_of_a_guest_that_negotiated_none(void **state)
{
    struct virtio_net_hdr_mrg_rxbuf header;
    int64_t before;
    (void)state;

    frontend_abandon(&evil);
    assert_int_equal(attach(&evil, "evil", 0), 0);
    before = lies_told();
    header = make_frame(4, 30000);
    send_as(&header);
    header = make_frame(4, 100);
    send_as(&header);
    assert_int_equal(frontend_wait_sent(&evil, 0), 0);
    assert_int_equal(frontend_receive(&taker, 0, NULL, 0, 100), -ETIMEDOUT);
    assert_int_equal(lies_told() - before, 2);

    header.hdr = (struct virtio_net_hdr){ 0 };
    send_as(&header);
    assert_int_equal(frontend_receive(&taker, 0, NULL, 0, WAIT_MS), longs.wire.len_bytes);
}

static void test_hostile_offload_leaves_a_daemon_that_ends_cleanly(void **state)
{
    (void)state;
    frontend_abandon(&evil);
    assert_int_equal(lab_stop(&lab), 0);
}

static int setup(void **state)
{
    (void)state;
    return lab_create(&lab) != 0 || lab_start(&lab, NULL) != 0 ||
                   lab_do(&lab, "switch add s1 --type private") != 0 ||
                   lab_do(&lab, "vnic add evil --switch s1 --mac 02:00:00:00:00:a0") != 0 ||
                   lab_do(&lab, "vnic add taker --switch s1") != 0 ||
                   lab_do(&lab, "vnic add other --switch s1") != 0 ||
                   attach(&evil, "evil", SENDS) != 0 || attach(&taker, "taker", TAKES) != 0 ||
                   attach(&other, "other", 0) != 0
               ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    frontend_abandon(&evil);
    frontend_abandon(&taker);
    frontend_abandon(&other);
    lab_destroy(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_offload_truth_arrives_as_it_is_taken),
        cmocka_unit_test(test_hostile_offload_lies_are_counted_and_cost_themselves),
        cmocka_unit_test(test_hostile_offload_segments_of_a_byte_are_not_made),
        cmocka_unit_test(test_hostile_offload_random_headers_and_frames),
        cmocka_unit_test(test_hostile_offload_headers_change_while_they_are_read),
        cmocka_unit_test(test_hostile_offload_of_a_guest_that_negotiated_none),
        cmocka_unit_test(test_hostile_offload_leaves_a_daemon_that_ends_cleanly),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
