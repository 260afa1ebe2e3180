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
#include "tests/support/packet_lab.h"
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
    kernel_side_ip("link set %s mtu 4000", PACKET_LAB_PEER);
    kernel_side_ip("link set %s mtu 4000", PACKET_LAB_UPLINK);
    packet_lab_plain(&lab->sent, 4014);
    for (unsigned told = 0; told < 2; told++) {
        batch_start(&lab->out, 0);
        (void)batch_add_wire(&lab->out, &lab->sent, 0);
        assert_int_equal(packet_lab_deliver(lab, verdict), 1);
        assert_int_equal(kernel_side_receive(lab->raw, &lab->got, KERNEL_SIDE_WAIT_MS), 1);
        packet_lab_same(&lab->got, &lab->sent);
        packet_port_set_mtu(lab->port, 4000);
    }

    kernel_side_ip("link set %s mtu 1500", PACKET_LAB_UPLINK);
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
    };

    return cmocka_run_group_tests(tests, kernel_side_enter, NULL);
}
