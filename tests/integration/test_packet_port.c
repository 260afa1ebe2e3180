/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink by packet sockets on a veth, whose other end is the kernel's: what its stack and raw
 * sockets send arrives whole and with the facts, what is sent arrives there, and an interface that
 * goes down or away costs frames and nothing else.
 */
#include "dataplane/packet_port.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/checksum.h"
#include "switch/ether.h"
#include "tests/support/kernel_side.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define UPLINK "wire0"
#define PEER   "peer0"
#define PEER_MAC "02:00:00:00:00:01"
#define A UINT64_C(0x020000000001)     /* the peer's */
#define B UINT64_C(0x020000000002)
#define PORT 7u
#define IP_A UINT32_C(0x0a000001)
#define IP_B UINT32_C(0x0a000002)
#define TCP_CSUM 16u
#define UDP_CSUM 6u
#define RING_SLOTS 504u

struct fixture {
    struct packet_port *port;
    int raw;                           /* at the peer */
    struct frame_batch batch;
    struct frame_batch out;
    struct drop_tally refused;
    struct wire sent;
    struct wire got;
};

static struct fixture fixture;

/* Makes the wire, with the given MTU, and the port at its end. */
static struct fixture *plug(unsigned mtu, uint16_t queues)
{
    struct fixture *f = &fixture;
    struct error error = { 0 };

    kernel_side_need();
    kernel_side_ip("link add %s mtu %u type veth peer name %s mtu %u address %s", UPLINK, mtu,
                   PEER, mtu, PEER_MAC);
    kernel_side_ip("link set %s up", PEER);
    kernel_side_ip("link set %s up", UPLINK);
    f->port = packet_port_create(&(struct packet_port_config){
        .ifindex = (int)if_nametoindex(UPLINK), .name = UPLINK, .port = PORT, .queues = queues },
        &error);
    if (f->port == NULL) {
        fail_msg("%s", error.text);
    }
    f->raw = kernel_side_raw(PEER);
    return f;
}

static int setup(void **state)
{
    (void)state;

    fixture.port = NULL;
    fixture.raw = -1;
    return 0;
}

static int unplug(void **state)
{
    struct shell_outcome gone;
    (void)state;

    if (fixture.port != NULL) {
        packet_port_destroy(fixture.port);
        (void)close(fixture.raw);
        (void)shell_run(&gone, 10, "ip link del %s", UPLINK);
    }
    return 0;
}

/* Waits for the next frames of a queue. */
static uint16_t take(struct fixture *f, uint16_t queue)
{
    struct pollfd ready = { .fd = packet_port_fd(f->port, queue), .events = POLLIN };

    (void)poll(&ready, 1, KERNEL_SIDE_WAIT_MS);
    return packet_port_from_wire(f->port, queue, &f->batch, &f->refused);
}

/* Takes one frame, which has to be the only one, with its bytes in f->got. */
static const struct frame *take_one(struct fixture *f)
{
    const struct frame *frame = &f->batch.frame[0];

    assert_int_equal(take(f, 0), 1);
    assert_int_equal(f->refused.count, 0);
    assert_int_equal(frame->port_in, PORT);
    assert_int_equal(f->batch.port_in, PORT);
    assert_true(frame->hdr_len_bytes <= FRAME_HDR_BYTES && frame->seg_count <= 1);
    assert_int_equal(frame->tagged, 0);
    kernel_side_bytes(&f->batch, frame, &f->got);
    return frame;
}

static void assert_same(const struct wire *a, const struct wire *b)
{
    assert_int_equal(a->len_bytes, b->len_bytes);
    assert_memory_equal(a->data, b->data, a->len_bytes);
}

static void send_sent(struct fixture *f, const struct kernel_side_offload *offload)
{
    kernel_side_send(f->raw, offload, f->sent.data, f->sent.len_bytes);
}

/* A frame of addresses and a local experimental type, to @p len_bytes. */
static void make_plain(struct wire *wire, uint32_t len_bytes)
{
    wire_start(wire, B, A);
    wire_type(wire, 0x88b5);
    wire_fill(wire, len_bytes);
}

static void make_tcp(struct wire *wire, uint16_t tci, uint32_t len_bytes)
{
    wire_start(wire, B, A);
    if (tci != 0) {
        wire_tag(wire, ETHERTYPE_CTAG, tci);
    }
    wire_ipv4(wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    wire_ports(wire, 80, 81);
    wire_fill(wire, len_bytes);
    wire->data[(tci != 0 ? 38 : 34) + 12] = 0x50;
}

/* Internet checksum from @p start to the end of the bytes, with the pseudo-header of UDP or TCP. */
static uint16_t l4_sum(const struct wire *wire, uint32_t l3, uint32_t start)
{
    uint64_t sum = wire->data[l3 + 9] + (wire->len_bytes - start);

    sum = checksum_add(sum, &wire->data[l3 + 12], 8, false);
    return checksum_finish(checksum_add(sum, &wire->data[start], wire->len_bytes - start, false));
}

/* ---- from the wire --------------------------------------------------------------------------- */

static void test_packet_port_frames_arrive_as_they_were_sent(void **state)
{
    static const uint32_t len[] = { 60, FRAME_HDR_BYTES, FRAME_HDR_BYTES + 1, 1514 };
    struct fixture *f = plug(1500, 1);
    (void)state;

    for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
        const struct frame *frame;

        make_plain(&f->sent, len[i]);
        send_sent(f, NULL);
        frame = take_one(f);

        assert_same(&f->got, &f->sent);
        assert_int_equal(frame->csum_state, FRAME_CSUM_AS_IT_IS);
        assert_int_equal(f->batch.offload_count, 0);
        packet_port_return(f->port, 0);
    }
}

static void test_packet_port_tag_is_back_in_the_bytes(void **state)
{
    static const uint16_t tags[][2] = { { ETHERTYPE_CTAG, 0x6064 }, { ETHERTYPE_CTAG, 0 },
                                        { ETHERTYPE_STAG, 0x0fff } };
    struct fixture *f = plug(1500, 1);
    (void)state;

    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        for (unsigned inner = 0; inner < 2; inner++) {
            const struct frame *frame;

            wire_start(&f->sent, B, A);
            wire_tag(&f->sent, tags[i][0], tags[i][1]);
            if (inner != 0) {
                wire_tag(&f->sent, ETHERTYPE_CTAG, 5);
            }
            wire_type(&f->sent, 0x88b5);
            wire_fill(&f->sent, 300);
            send_sent(f, NULL);
            frame = take_one(f);

            assert_same(&f->got, &f->sent);
            assert_int_equal(frame->hdr_len_bytes, FRAME_HDR_BYTES);
            packet_port_return(f->port, 0);
        }
    }
}

/* What the kernel's stack sends of itself: UDP with its checksum left to the receiver. */
static void test_packet_port_partial_checksum_of_the_stack_is_a_fact(void **state)
{
    struct fixture *f = plug(1500, 1);
    char bytes[1000];
    struct frame *frame = &f->batch.frame[0];
    int udp;
    (void)state;

    kernel_side_ip("addr add 10.0.0.1/24 dev %s", PEER);
    kernel_side_ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev %s", PEER);
    udp = kernel_side_udp(PEER, "10.0.0.2", 5000);
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(send(udp, bytes, sizeof(bytes), 0), sizeof(bytes));
    (void)take_one(f);

    assert_int_equal(f->batch.offload_count, 1);
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(frame->csum_start_bytes, 34);
    assert_int_equal(frame->csum_offset_bytes, UDP_CSUM);
    assert_int_equal(frame->gso_type, FRAME_GSO_NONE);
    assert_int_not_equal(l4_sum(&f->got, 14, 34), 0);
    checksum_complete(&f->batch, frame);
    kernel_side_bytes(&f->batch, frame, &f->got);
    assert_int_equal(l4_sum(&f->got, 14, 34), 0);
    packet_port_return(f->port, 0);
    (void)close(udp);
}

static void test_packet_port_segmentation_of_the_stack_is_left_to_us(void **state)
{
    struct fixture *f = plug(1500, 1);
    static char bytes[40000];
    const int size = 1000;
    const struct frame *frame;
    int udp;
    (void)state;

    kernel_side_ip("addr add 10.0.0.1/24 dev %s", PEER);
    kernel_side_ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev %s", PEER);
    udp = kernel_side_udp(PEER, "10.0.0.2", 5000);
    assert_int_equal(setsockopt(udp, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
    assert_int_equal(send(udp, bytes, sizeof(bytes), 0), sizeof(bytes));
    frame = take_one(f);

    assert_int_equal(frame->len_bytes, 42 + sizeof(bytes));
    assert_int_equal(frame->gso_type, FRAME_GSO_UDP);
    assert_int_equal(frame->gso_size_bytes, size);
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
    packet_port_return(f->port, 0);
    (void)close(udp);
}

static void test_packet_port_tcp_of_64_kib_in_a_vlan_is_one_frame(void **state)
{
    struct fixture *f = plug(1500, 1);
    const struct frame *frame;
    (void)state;

    make_tcp(&f->sent, 0x2064, 65535);
    send_sent(f, &(struct kernel_side_offload){ .gso = 1, .gso_size_bytes = 1448,
                                                .csum_start_bytes = 38,
                                                .csum_offset_bytes = TCP_CSUM });
    frame = take_one(f);

    assert_same(&f->got, &f->sent);
    assert_int_equal(frame->gso_type, FRAME_GSO_TCP4);
    assert_int_equal(frame->gso_size_bytes, 1448);
    assert_int_equal(frame->csum_start_bytes, 38);
    assert_int_equal(frame->csum_offset_bytes, TCP_CSUM);
    assert_int_equal(frame->l3_off_bytes, 18);
    assert_int_equal(frame->l4_off_bytes, 38);
    packet_port_return(f->port, 0);
}

static void test_packet_port_lies_are_refused_and_counted(void **state)
{
    static const struct kernel_side_offload lie[] = {
        { .csum_start_bytes = 34, .csum_offset_bytes = 8 },
        { .csum_start_bytes = 54, .csum_offset_bytes = TCP_CSUM },
        { .csum_start_bytes = FRAME_HDR_BYTES, .csum_offset_bytes = 0 },
    };
    struct fixture *f = plug(1500, 1);
    (void)state;

    make_tcp(&f->sent, 0, 1000);
    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        send_sent(f, &lie[i]);
    }

    assert_int_equal(take(f, 0), 0);
    assert_int_equal(f->refused.count, 3);
    assert_int_equal(f->refused.drops[DROP_BAD_OFFLOAD], 3);
    packet_port_return(f->port, 0);
}

/* More than a burst, than a ring: what is over is lost and counted, and the ring goes on. */
static void test_packet_port_full_ring_is_counted_and_recovers(void **state)
{
    struct fixture *f = plug(1500, 1);
    (void)state;

    for (unsigned round = 0; round < 3; round++) {
        uint32_t next = 0;

        for (uint32_t i = 0; i < RING_SLOTS + 10; i++) {
            make_plain(&f->sent, 60);
            memcpy(&f->sent.data[20], &i, sizeof(i));
            send_sent(f, NULL);
        }
        while (take(f, 0) != 0 && next < RING_SLOTS) {
            for (uint16_t i = 0; i < f->batch.count; i++) {
                assert_memory_equal(&f->batch.frame[i].hdr[20], &next, sizeof(next));
                next++;
            }
            packet_port_return(f->port, 0);
        }

        assert_int_equal(next, RING_SLOTS);
        assert_int_equal(packet_port_overruns(f->port), 10 * (round + 1));
    }
}

static void test_packet_port_host_of_the_uplink_is_not_heard(void **state)
{
    (void)state;

    for (uint16_t queues = 1; queues <= 2; queues++) {
        struct fixture *f = plug(1500, queues);
        const int host = kernel_side_raw(UPLINK);

        make_plain(&f->sent, 60);
        kernel_side_send(host, NULL, f->sent.data, f->sent.len_bytes);

        assert_int_equal(kernel_side_receive(f->raw, &f->got, KERNEL_SIDE_WAIT_MS), 1);
        for (uint16_t n = 0; n < queues; n++) {
            assert_int_equal(packet_port_from_wire(f->port, n, &f->batch, &f->refused), 0);
        }
        (void)close(host);
        (void)unplug(NULL);
        (void)setup(NULL);
    }
}

static void test_packet_port_flows_are_shared_and_each_keeps_to_a_queue(void **state)
{
    enum { FLOWS = 64, ROUNDS = 4, QUEUES = 4 };
    struct fixture *f = plug(1500, QUEUES);
    uint32_t queue_of[FLOWS], seen = 0, used = 0;
    (void)state;

    assert_int_equal(packet_port_queues(f->port), QUEUES);
    memset(queue_of, 0xff, sizeof(queue_of));
    for (uint32_t i = 0; i < FLOWS * ROUNDS; i++) {
        wire_start(&f->sent, B, A);
        wire_ipv4(&f->sent, IP_A, IP_B, IP_PROTOCOL_UDP, 0);
        wire_ports(&f->sent, (uint16_t)(i % FLOWS), 9);
        wire_fill(&f->sent, 60);
        send_sent(f, NULL);
    }
    for (uint16_t n = 0; n < QUEUES; n++) {
        uint16_t count;

        while ((count = packet_port_from_wire(f->port, n, &f->batch, &f->refused)) != 0) {
            for (uint16_t i = 0; i < count; i++) {
                const uint32_t flow = f->batch.frame[i].hdr[35];

                assert_true(flow < FLOWS && (queue_of[flow] == UINT32_MAX || queue_of[flow] == n));
                queue_of[flow] = n;
                used |= 1u << n;
                seen++;
            }
            packet_port_return(f->port, n);
        }
    }

    assert_int_equal(seen, FLOWS * ROUNDS);
    assert_true(__builtin_popcount(used) > 1);
}

/* ---- to the wire ----------------------------------------------------------------------------- */

static uint16_t deliver(struct fixture *f, uint8_t verdict[FRAME_BURST])
{
    uint8_t index[FRAME_BURST];

    for (uint8_t i = 0; i < f->out.count; i++) {
        index[i] = i;
    }
    return packet_port_to_wire(f->port, 0, &f->out, index, f->out.count, verdict);
}

static void test_packet_port_sends_pieces_as_one_frame(void **state)
{
    static const uint32_t run_bytes[] = { 0, 1, 7, 700 };
    struct fixture *f = plug(1500, 1);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    make_plain(&f->sent, 1000);
    for (size_t i = 0; i < sizeof(run_bytes) / sizeof(run_bytes[0]); i++) {
        batch_start(&f->out, 0);
        (void)batch_add_wire(&f->out, &f->sent, run_bytes[i]);

        assert_int_equal(deliver(f, verdict), 1);
        assert_int_equal(verdict[0], VNIC_DELIVERED);
        assert_int_equal(kernel_side_receive(f->raw, &f->got, KERNEL_SIDE_WAIT_MS), 1);
        assert_same(&f->got, &f->sent);
    }
    assert_int_equal(packet_port_from_wire(f->port, 0, &f->batch, &f->refused), 0);
}

static void test_packet_port_jumbo_frames_pass_both_ways(void **state)
{
    struct fixture *f = plug(9000, 1);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    make_plain(&f->sent, 9014);
    batch_start(&f->out, 0);
    (void)batch_add_wire(&f->out, &f->sent, 4096);
    assert_int_equal(deliver(f, verdict), 1);
    assert_int_equal(kernel_side_receive(f->raw, &f->got, KERNEL_SIDE_WAIT_MS), 1);
    assert_same(&f->got, &f->sent);

    send_sent(f, NULL);
    (void)take_one(f);
    assert_same(&f->got, &f->sent);
    packet_port_return(f->port, 0);
}

/* The interface's MTU, with and without a tag on top, between frames that are fine. */
static void test_packet_port_mtu_holds_with_a_tag_on_top(void **state)
{
    static const struct { uint32_t len; uint16_t tci; uint8_t verdict; } of[] = {
        { 60, 0, VNIC_DELIVERED },    { 1514, 0, VNIC_DELIVERED }, { 1515, 0, DROP_OVER_MTU },
        { 1518, 5, VNIC_DELIVERED },  { 1519, 5, DROP_OVER_MTU },  { 1520, 0, DROP_OVER_MTU },
        { 1400, 9, VNIC_DELIVERED },
    };
    enum { COUNT = sizeof(of) / sizeof(of[0]) };
    static struct wire wire[COUNT];
    struct fixture *f = plug(1500, 1);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    batch_start(&f->out, 0);
    for (size_t i = 0; i < COUNT; i++) {
        wire_start(&wire[i], A, B);
        if (of[i].tci != 0) {
            wire_tag(&wire[i], ETHERTYPE_CTAG, of[i].tci);
        }
        wire_type(&wire[i], 0x88b5);
        wire_fill(&wire[i], of[i].len);
        (void)batch_add_wire(&f->out, &wire[i], 500);
    }

    assert_int_equal(deliver(f, verdict), 4);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(verdict[i], of[i].verdict);
        if (of[i].verdict == VNIC_DELIVERED) {
            assert_int_equal(kernel_side_receive(f->raw, &f->got, KERNEL_SIDE_WAIT_MS), 1);
            assert_same(&f->got, &wire[i]);
        }
    }
}

/* A guest that took its memory away, and one that sends in crumbs, cost their own frames. */
static void test_packet_port_bad_pieces_cost_their_own_frame(void **state)
{
    struct fixture *f = plug(1500, 1);
    void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t verdict[FRAME_BURST];
    struct frame *frame;
    (void)state;

    assert_true(gone != MAP_FAILED);
    make_plain(&f->sent, FRAME_HDR_BYTES + 1023);
    batch_start(&f->out, 0);
    (void)batch_add(&f->out, A, B);
    (void)batch_add_wire(&f->out, &f->sent, 1);
    (void)batch_add(&f->out, A, B);
    frame = batch_add_wire(&f->out, &f->sent, 0);
    f->out.run[frame->seg_first].data = gone;
    (void)batch_add(&f->out, A, B);

    assert_int_equal(deliver(f, verdict), 3);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(verdict[i], i % 2 != 0 ? DROP_DEVICE_ERROR : VNIC_DELIVERED);
    }
    (void)munmap(gone, 4096);
}

/* ---- the interface's life -------------------------------------------------------------------- */

static void test_packet_port_down_and_up_again(void **state)
{
    struct fixture *f = plug(1500, 1);
    uint8_t verdict[FRAME_BURST];
    struct pollfd ready = { .events = POLLIN };
    (void)state;

    make_plain(&f->sent, 60);
    batch_start(&f->out, 0);
    (void)batch_add_wire(&f->out, &f->sent, 0);
    kernel_side_ip("link set %s down", UPLINK);
    ready.fd = packet_port_fd(f->port, 0);
    assert_int_equal(poll(&ready, 1, 0), 0);                   /* a worker can sleep */
    assert_int_equal(deliver(f, verdict), 0);
    assert_int_equal(verdict[0], DROP_LINK_DOWN);
    assert_int_equal(packet_port_from_wire(f->port, 0, &f->batch, &f->refused), 0);
    kernel_side_ip("link set %s up", UPLINK);

    assert_int_equal(deliver(f, verdict), 1);
    assert_int_equal(kernel_side_receive(f->raw, &f->got, KERNEL_SIDE_WAIT_MS), 1);
    send_sent(f, NULL);
    (void)take_one(f);
    assert_same(&f->got, &f->sent);
    packet_port_return(f->port, 0);
}

/* With frames in the ring, and some of them in use. */
static void test_packet_port_outlives_its_interface(void **state)
{
    struct fixture *f = plug(1500, 1);
    uint8_t verdict[FRAME_BURST];
    struct pollfd ready = { .events = POLLIN };
    (void)state;

    make_plain(&f->sent, 1000);
    for (unsigned i = 0; i < FRAME_BURST + 1; i++) {
        send_sent(f, NULL);
    }
    assert_int_equal(take(f, 0), FRAME_BURST);
    kernel_side_ip("link del %s", UPLINK);
    kernel_side_bytes(&f->batch, &f->batch.frame[31], &f->got);
    assert_same(&f->got, &f->sent);
    packet_port_return(f->port, 0);
    (void)take_one(f);
    packet_port_return(f->port, 0);
    batch_start(&f->out, 0);
    (void)batch_add_wire(&f->out, &f->sent, 0);
    (void)batch_add_wire(&f->out, &f->sent, 0);

    assert_int_equal(packet_port_from_wire(f->port, 0, &f->batch, &f->refused), 0);
    assert_int_equal(deliver(f, verdict), 0);
    assert_int_equal(verdict[0], DROP_LINK_DOWN);
    assert_int_equal(verdict[1], DROP_LINK_DOWN);
    ready.fd = packet_port_fd(f->port, 0);
    assert_int_equal(poll(&ready, 1, 0), 0);
}

static void test_packet_port_promiscuous_mode_ends_with_it(void **state)
{
    struct fixture *f = plug(1500, 2);
    struct shell_outcome outcome;
    (void)state;

    assert_int_equal(shell_run(&outcome, 10, "ip -d link show %s", UPLINK), 0);
    assert_non_null(strstr(outcome.output, "promiscuity 1 "));
    packet_port_destroy(f->port);
    f->port = NULL;
    assert_int_equal(shell_run(&outcome, 10, "ip -d link show %s", UPLINK), 0);
    assert_non_null(strstr(outcome.output, "promiscuity 0 "));
    kernel_side_ip("link del %s", UPLINK);
    (void)close(f->raw);
}

static void test_packet_port_without_interface_is_a_sentence(void **state)
{
    struct error error = { 0 };
    (void)state;

    kernel_side_need();

    assert_null(packet_port_create(&(struct packet_port_config){
        .ifindex = 9999, .name = "eth9", .queues = 1 }, &error));
    assert_int_equal(error.code, ENODEV);
    assert_string_equal(error.text, "The interface \"eth9\" is gone.");
    assert_null(packet_port_create(&(struct packet_port_config){
        .ifindex = 1, .name = "lo", .queues = 17 }, &error));
    assert_int_equal(error.code, EINVAL);
    packet_port_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unplug)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packet_port_frames_arrive_as_they_were_sent),
        TEST(test_packet_port_tag_is_back_in_the_bytes),
        TEST(test_packet_port_partial_checksum_of_the_stack_is_a_fact),
        TEST(test_packet_port_segmentation_of_the_stack_is_left_to_us),
        TEST(test_packet_port_tcp_of_64_kib_in_a_vlan_is_one_frame),
        TEST(test_packet_port_lies_are_refused_and_counted),
        TEST(test_packet_port_full_ring_is_counted_and_recovers),
        TEST(test_packet_port_host_of_the_uplink_is_not_heard),
        TEST(test_packet_port_flows_are_shared_and_each_keeps_to_a_queue),
        TEST(test_packet_port_sends_pieces_as_one_frame),
        TEST(test_packet_port_jumbo_frames_pass_both_ways),
        TEST(test_packet_port_mtu_holds_with_a_tag_on_top),
        TEST(test_packet_port_bad_pieces_cost_their_own_frame),
        TEST(test_packet_port_down_and_up_again),
        TEST(test_packet_port_outlives_its_interface),
        TEST(test_packet_port_promiscuous_mode_ends_with_it),
        TEST(test_packet_port_without_interface_is_a_sentence),
    };

    return cmocka_run_group_tests(tests, kernel_side_enter, NULL);
}
