/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending by packet sockets: what is given to the uplink arrives at the other end of its veth, by
 * the ring and by messages, and what does not has the verdict that says why.
 */
#include "dataplane/packet_send.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/packet_lab.h"
#include "tests/support/partial_frame.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define A PACKET_LAB_A
#define B PACKET_LAB_B

static void test_packet_send_makes_one_frame_of_pieces(void **state)
{
    static const uint32_t run_bytes[] = { 0, 1, 7, 700 };
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    packet_lab_plain(&lab->sent, 1000);
    for (size_t i = 0; i < sizeof(run_bytes) / sizeof(run_bytes[0]); i++) {
        batch_start(&lab->out, 0);
        (void)batch_add_wire(&lab->out, &lab->sent, run_bytes[i]);

        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_int_equal(verdict[0], VNIC_DELIVERED);
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        packet_lab_same(&lab->got, &lab->sent);
    }
    assert_int_equal(packet_port_from_wire(lab->port, 0, &lab->batch, &lab->refused), 0);
}

static void test_packet_send_jumbo_frames_pass(void **state)
{
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 9000, 1);
    packet_lab_plain(&lab->sent, 9014);
    batch_start(&lab->out, 0);
    (void)batch_add_wire(&lab->out, &lab->sent, 4096);
    assert_int_equal(packet_lab_deliver(lab, verdict), 1);
    assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
    packet_lab_same(&lab->got, &lab->sent);
}

/* The interface's MTU, with and without a tag on top, between frames that are fine. */
static void test_packet_send_mtu_holds_with_a_tag_on_top(void **state)
{
    static const struct { uint32_t len; uint16_t tci; uint8_t verdict; } of[] = {
        { 60, 0, VNIC_DELIVERED },    { 1514, 0, VNIC_DELIVERED }, { 1515, 0, DROP_OVER_MTU },
        { 1518, 5, VNIC_DELIVERED },  { 1519, 5, DROP_OVER_MTU },  { 1520, 0, DROP_OVER_MTU },
        { 1400, 9, VNIC_DELIVERED },
    };
    enum { COUNT = sizeof(of) / sizeof(of[0]) };
    static struct wire wire[COUNT];
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    batch_start(&lab->out, 0);
    for (size_t i = 0; i < COUNT; i++) {
        wire_start(&wire[i], A, B);
        if (of[i].tci != 0) {
            wire_tag(&wire[i], ETHERTYPE_CTAG, of[i].tci);
        }
        wire_type(&wire[i], 0x88b5);
        wire_fill(&wire[i], of[i].len);
        batch_add_wire(&lab->out, &wire[i], 500)->tagged = of[i].tci != 0;
    }

    assert_int_equal(packet_lab_deliver(lab, verdict), 4);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(verdict[i], of[i].verdict);
        if (of[i].verdict == VNIC_DELIVERED) {
            assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
            packet_lab_same(&lab->got, &wire[i]);
        }
    }
}

/* Also when the port has not been told of the interface's new MTU, or too late. */
static void test_packet_send_follows_the_mtu(void **state)
{
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    shell_must("ip link set %s mtu 4000", PACKET_LAB_PEER);
    shell_must("ip link set %s mtu 4000", PACKET_LAB_UPLINK);
    packet_lab_plain(&lab->sent, 4014);
    for (unsigned told = 0; told < 2; told++) {
        batch_start(&lab->out, 0);
        (void)batch_add_wire(&lab->out, &lab->sent, 0);
        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        packet_lab_same(&lab->got, &lab->sent);
        packet_port_set_mtu(lab->port, 4000);
    }

    shell_must("ip link set %s mtu 1500", PACKET_LAB_UPLINK);
    packet_port_set_mtu(lab->port, 1500);
    assert_int_equal(packet_lab_deliver(lab, verdict), 0);
    assert_int_equal(verdict[0], DROP_OVER_MTU);
}

/* Frame @p number, as a test knows it again. */
static void make_numbered(struct wire *wire, uint32_t number, uint32_t len_bytes)
{
    packet_lab_plain(wire, len_bytes);
    memcpy(&wire->data[20], &number, sizeof(number));
    memcpy(&wire->data[len_bytes - 4], &number, sizeof(number));
}

/* Several times round the ring before anybody reads: what the kernel has got is a copy. */
static void test_packet_send_slots_are_not_lent(void **state)
{
    enum { BATCHES = 20 };
    static struct wire wire[FRAME_BURST];
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    for (uint32_t n = 0; n < BATCHES; n++) {
        batch_start(&lab->out, 0);
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            make_numbered(&wire[i], n * FRAME_BURST + i, 1514);
            (void)batch_add_wire(&lab->out, &wire[i], 0);
        }
        assert_int_equal(packet_lab_deliver(lab, verdict), FRAME_BURST);
    }

    for (uint32_t n = 0; n < BATCHES * FRAME_BURST; n++) {
        make_numbered(&lab->sent, n, 1514);
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        packet_lab_same(&lab->got, &lab->sent);
    }
}

#define SENDERS        2u
#define SENDER_BATCHES 40u
#define SENDER_FRAMES  8u              /* in a batch */

struct sender {
    struct packet_port *port;
    uint32_t number;
    uint32_t delivered;
    struct frame_batch batch;
    struct wire wire[SENDER_FRAMES];
};

static void *send_numbered(void *context)
{
    struct sender *sender = context;
    uint8_t verdict[FRAME_BURST], index[FRAME_BURST];

    for (uint32_t n = 0; n < SENDER_BATCHES; n++) {
        batch_start(&sender->batch, 0);
        for (uint8_t i = 0; i < SENDER_FRAMES; i++) {
            index[i] = i;
            make_numbered(&sender->wire[i], sender->number << 16 | (n * SENDER_FRAMES + i), 200);
            (void)batch_add_wire(&sender->batch, &sender->wire[i], 0);
        }
        sender->delivered += packet_port_to_wire(sender->port, 0, &sender->batch, index,
                                                 SENDER_FRAMES, verdict);
    }
    return NULL;
}

/* One of them has the ring, the other goes by messages: all arrive, in the order of each. */
static void test_packet_send_workers_share_a_queue(void **state)
{
    static struct sender sender[SENDERS];
    struct packet_lab *lab = *state;
    pthread_t thread[SENDERS];
    uint32_t next[SENDERS] = { 0 };

    packet_lab_plug(lab, 1500, 1);
    for (uint32_t i = 0; i < SENDERS; i++) {
        sender[i].port = lab->port;
        sender[i].number = i;
        assert_int_equal(pthread_create(&thread[i], NULL, send_numbered, &sender[i]), 0);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(sender[i].delivered, SENDER_BATCHES * SENDER_FRAMES);
    }

    for (uint32_t n = 0; n < SENDERS * SENDER_BATCHES * SENDER_FRAMES; n++) {
        uint32_t number;

        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        memcpy(&number, &lab->got.data[20], sizeof(number));
        assert_true(number >> 16 < SENDERS);
        assert_int_equal(number & 0xffff, next[number >> 16]++);
        make_numbered(&lab->sent, number, 200);
        packet_lab_same(&lab->got, &lab->sent);
    }
}

/* By the ring, any number of pieces is a frame. */
static void test_packet_send_crumbs_are_a_frame(void **state)
{
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    packet_lab_plain(&lab->sent, FRAME_HDR_BYTES + 1023);
    batch_start(&lab->out, 0);
    (void)batch_add_wire(&lab->out, &lab->sent, 1);

    assert_int_equal(packet_lab_deliver(lab, verdict), 1);
    assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
    packet_lab_same(&lab->got, &lab->sent);
}

/* By messages, because of a frame over the MTU: what cannot be sent costs itself only. */
static void test_packet_send_bad_pieces_cost_their_own_frame(void **state)
{
    static const uint8_t expected[] = { VNIC_DELIVERED, DROP_DEVICE_ERROR, VNIC_DELIVERED,
                                        DROP_DEVICE_ERROR, DROP_OVER_MTU, VNIC_DELIVERED };
    struct packet_lab *lab = *state;
    void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t verdict[FRAME_BURST];
    struct frame *frame;

    packet_lab_plug(lab, 1500, 1);
    assert_true(gone != MAP_FAILED);
    packet_lab_plain(&lab->sent, FRAME_HDR_BYTES + 1023);
    packet_lab_plain(&lab->got, 1515);
    batch_start(&lab->out, 0);
    (void)batch_add(&lab->out, A, B);
    (void)batch_add_wire(&lab->out, &lab->sent, 1);
    (void)batch_add(&lab->out, A, B);
    frame = batch_add_wire(&lab->out, &lab->sent, 0);
    lab->out.run[frame->seg_first].data = gone;
    (void)batch_add_wire(&lab->out, &lab->got, 0);
    (void)batch_add(&lab->out, A, B);

    assert_int_equal(packet_lab_deliver(lab, verdict), 3);
    assert_memory_equal(verdict, expected, sizeof(expected));
    (void)munmap(gone, 4096);
}

/* ---- what is left to the kernel -------------------------------------------------------------- */

#define KINDS      4u
#define VARIANTS   (4u * KINDS)        /* tagged or not; with CWR and extension headers or not */
#define LONG_BYTES 60000u

/* Long frame @p n of all kinds, alone in lab->out.  @return whether the port takes it */
static bool make_long(struct packet_lab *lab, struct long_frame *frame, unsigned n,
                      uint16_t gso_size_bytes)
{
    static const struct { uint8_t type, version; } kinds[KINDS] = {
        { FRAME_GSO_TCP4, 4 }, { FRAME_GSO_TCP6, 6 }, { FRAME_GSO_UDP, 4 }, { FRAME_GSO_UDP, 6 },
    };
    struct frame *added;

    *frame = (struct long_frame){
        .gso_type = kinds[n / 4].type, .ip_version = kinds[n / 4].version,
        .option_words = kinds[n / 4].version == 6 && (n & 2) != 0 ? 2 : 0, .option_seed = n,
        .tags = (n & 1) != 0, .tcp_option_words = 3, .tcp_flags = (n & 2) != 0 ? 0x98 : 0x18,
        .sequence = 0xfffff000, .payload_bytes = LONG_BYTES, .gso_size_bytes = gso_size_bytes,
        .run_bytes = 4000, .trusted_bytes = 120,
    };
    batch_start(&lab->out, 0);
    added = partial_frame_add_long(frame, &lab->out);
    added->tagged = frame->tags != 0;
    return (offload_needs(added) & ~packet_port_takes(lab->port)) == 0;
}

static void interface_goes_without(const char *features)
{
    struct shell_outcome outcome;

    if (shell_run(&outcome, 10, "ethtool -K %s %s", PACKET_LAB_UPLINK, features) != 0) {
        fail_msg("%s", outcome.output);
    }
}

static void test_packet_send_long_frames_arrive_whole(void **state)
{
    static struct long_frame frame;
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    for (unsigned n = 0; n < VARIANTS; n++) {
        static const uint8_t gso[KINDS] = { 1, 4, 5, 5 };
        const struct frame *sent = &lab->out.frame[0];
        struct kernel_side_offload seen;
        bool ecn;

        if (!make_long(lab, &frame, n, 1400)) {
            continue;                          /* UDP before Linux 6.2 */
        }
        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_int_equal(kernel_side_receive_undone(lab->raw, &lab->got, &seen,
                                                    KERNEL_SIDE_WAIT_MS), 1);
        packet_lab_same(&lab->got, &frame.wire);
        ecn = (offload_needs(sent) & OFFLOAD_TAKES_ECN) != 0;
        assert_int_equal(seen.gso, gso[n / 4] | (ecn ? 0x80 : 0));
        assert_int_equal(seen.gso_size_bytes, 1400);
        assert_int_equal(seen.csum_start_bytes, sent->csum_start_bytes);
        assert_int_equal(seen.csum_offset_bytes, sent->csum_offset_bytes);
    }
}

/* Whether the checksums of IP and of what is in it are right, by the definition. */
static void assert_complete(const struct wire *wire, const struct long_frame *frame)
{
    const uint32_t l4_bytes = wire->len_bytes - frame->l4_off_bytes;

    assert_int_equal(checksum_naive(partial_frame_pseudo(frame, l4_bytes),
                                    &wire->data[frame->l4_off_bytes], l4_bytes), 0xffff);
    if (frame->ip_version == 4) {
        assert_int_equal(checksum_naive(0, &wire->data[frame->l3_off_bytes], 20), 0xffff);
    }
}

/* Receives what was made of @p frame: complete segments, in order. */
static void receive_segments(struct packet_lab *lab, const struct long_frame *frame)
{
    const uint32_t header_bytes = frame->header_bytes;
    uint32_t done_bytes = 0;

    while (done_bytes < frame->payload_bytes) {
        struct kernel_side_offload seen;
        uint32_t bytes;

        assert_int_equal(kernel_side_receive_undone(lab->raw, &lab->got, &seen,
                                                    KERNEL_SIDE_WAIT_MS), 1);
        assert_int_equal(seen.gso, 0);
        assert_int_equal(seen.csum_start_bytes, 0);
        assert_complete(&lab->got, frame);
        bytes = lab->got.len_bytes - header_bytes;
        assert_true(bytes <= frame->gso_size_bytes);
        assert_memory_equal(&lab->got.data[header_bytes],
                            &frame->wire.data[header_bytes + done_bytes], bytes);
        done_bytes += bytes;
    }
    assert_int_equal(done_bytes, frame->payload_bytes);
}

/* An interface that does nothing gets what is complete, whether the port knows of that or not. */
static void test_packet_send_kernel_cuts_for_an_interface_that_does_not(void **state)
{
    static struct long_frame frame;
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    interface_goes_without("tx off");
    for (unsigned n = 0; n < 2 * VARIANTS; n++) {
        if (n == VARIANTS) {
            packet_port_set_mtu(lab->port, 1500);
        }
        if (make_long(lab, &frame, n % VARIANTS, 1400)) {
            assert_int_equal(packet_lab_deliver(lab, verdict), 1);
            receive_segments(lab, &frame);
        }
    }
    assert_int_equal(kernel_side_receive(lab->raw, &lab->got, 0), 0);
}

/* Longer than an interface takes in one (gso_max_size), of which it says nothing to us. */
static void test_packet_send_kernel_cuts_the_longest_frame(void **state)
{
    static struct long_frame frame;
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    shell_must("ip link set %s gso_max_size 30000", PACKET_LAB_UPLINK);
    assert_true(make_long(lab, &frame, 0, 1400));
    assert_int_equal(packet_lab_deliver(lab, verdict), 1);

    for (uint32_t done_bytes = 0; done_bytes < LONG_BYTES;) {
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        assert_true(lab->got.len_bytes <= 30000);
        done_bytes += lab->got.len_bytes - frame.header_bytes;
    }
}

/* Between others, and told as theirs: the kernel would not look. */
static void test_packet_send_segments_over_the_mtu_are_dropped(void **state)
{
    static const uint8_t expected[] = { DROP_OVER_MTU, VNIC_DELIVERED };
    static struct long_frame frame;
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 1500, 1);
    for (unsigned tagged = 0; tagged < 2; tagged++) {
        (void)make_long(lab, &frame, tagged, 1448 + 1);        /* 12 bytes of TCP's options */
        (void)batch_add(&lab->out, A, B);
        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_memory_equal(verdict, expected, sizeof(expected));
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);

        (void)make_long(lab, &frame, tagged, 1448);
        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
    }
}

/* A sum at @p start, to be stored 6 bytes further, of a frame in which it can be anywhere. */
static void make_partial(struct packet_lab *lab, uint16_t start, uint32_t len_bytes)
{
    struct frame *frame;

    wire_start(&lab->sent, A, B);
    wire_ipv4(&lab->sent, 1, 2, IP_PROTOCOL_UDP, 0);
    wire_ports(&lab->sent, 4789, 4789);
    wire_fill(&lab->sent, len_bytes);
    batch_start(&lab->out, 0);
    frame = batch_add_wire(&lab->out, &lab->sent, 500);
    frame->csum_state = FRAME_CSUM_PARTIAL;
    frame->csum_start_bytes = start;
    frame->csum_offset_bytes = 6;
    lab->out.offload_count = 1;
}

/* By the ring and, because of their length, by messages; the frame's own, and one in a tunnel. */
static void test_packet_send_partial_checksums_are_left_to_the_kernel(void **state)
{
    static const uint16_t starts[] = { 34, 84 };
    static const uint32_t lens[] = { 130, 1514, 20000 };
    struct packet_lab *lab = *state;
    uint8_t verdict[FRAME_BURST];

    packet_lab_plug(lab, 30000, 1);
    for (unsigned off = 0; off < 2; off++) {
        for (unsigned n = 0; n < 6; n++) {
            const uint16_t start = starts[n % 2];
            struct kernel_side_offload seen;

            make_partial(lab, start, lens[n / 2]);
            assert_int_equal(packet_lab_deliver(lab, verdict), 1);
            assert_int_equal(kernel_side_receive_undone(lab->raw, &lab->got, &seen,
                                                        KERNEL_SIDE_WAIT_MS), 1);
            assert_int_equal(lab->got.len_bytes, lens[n / 2]);
            assert_int_equal(seen.csum_start_bytes, off ? 0 : start);
            if (off != 0) {                    /* what was in the field was part of the sum */
                const uint8_t *field = &lab->sent.data[start + 6];

                assert_int_equal(checksum_naive((uint16_t)(field[0] << 8 | field[1]),
                                                &lab->got.data[start], lens[n / 2] - start),
                                 0xffff);
            } else {
                packet_lab_same(&lab->got, &lab->sent);
            }
        }
        interface_goes_without("tx off");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, packet_lab_setup, packet_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packet_send_makes_one_frame_of_pieces),
        TEST(test_packet_send_jumbo_frames_pass),
        TEST(test_packet_send_mtu_holds_with_a_tag_on_top),
        TEST(test_packet_send_follows_the_mtu),
        TEST(test_packet_send_slots_are_not_lent),
        TEST(test_packet_send_workers_share_a_queue),
        TEST(test_packet_send_crumbs_are_a_frame),
        TEST(test_packet_send_bad_pieces_cost_their_own_frame),
        TEST(test_packet_send_long_frames_arrive_whole),
        TEST(test_packet_send_kernel_cuts_for_an_interface_that_does_not),
        TEST(test_packet_send_kernel_cuts_the_longest_frame),
        TEST(test_packet_send_segments_over_the_mtu_are_dropped),
        TEST(test_packet_send_partial_checksums_are_left_to_the_kernel),
    };

    return cmocka_run_group_tests(tests, kernel_side_enter, NULL);
}
