/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's adapter: a tap device with the kernel's stack behind it, in a namespace of its own.
 * What the host sends is read as it was sent, what is delivered reaches a socket of the host, and
 * an adapter that is down or gone costs frames and nothing else.
 */
#include "dataplane/host_port.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/kernel_frame.h"
#include "switch/checksum.h"
#include "switch/ether.h"
#include "switch/segment.h"
#include "tests/support/frame_complete.h"
#include "tests/support/kernel_side.h"
#include "tests/support/long_frame.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define NAME "lan0"
#define HOST_MAC "02:00:00:00:00:01"
#define HOST UINT64_C(0x020000000001)
#define GUEST UINT64_C(0x020000000002)
#define HOST_IP UINT32_C(0x0a000001)
#define GUEST_IP UINT32_C(0x0a000002)
#define UDP_PORT 5000u
#define PORT 9u
#define TCP_CSUM 16u
#define UDP_CSUM 6u

struct fixture {
    struct host_port *port;
    int udp;                           /* the host's, with the guest as its peer */
    struct frame_batch batch;
    struct drop_tally refused;
    struct wire sent;
    struct wire got;
};

static struct fixture fixture;

/* Makes the adapter, up, with an address, and a socket of the host's behind it. */
static struct fixture *start(unsigned mtu, uint16_t queues)
{
    struct fixture *f = &fixture;
    struct error error = { 0 };

    kernel_side_need();
    f->port = host_port_create(&(struct host_port_config){ .name = NAME, .port = PORT,
                                                           .queues = queues }, &error);
    if (f->port == NULL) {
        fail_msg("%s", error.text);
    }
    shell_must("ip link set %s address %s mtu %u up", NAME, HOST_MAC, mtu);
    shell_must("ip addr add 10.0.0.1/24 dev %s", NAME);
    shell_must("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev %s", NAME);
    f->udp = kernel_side_udp(NAME, "10.0.0.2", UDP_PORT);
    return f;
}

static int setup(void **state)
{
    (void)state;

    fixture.port = NULL;
    fixture.udp = -1;
    return 0;
}

static int stop(void **state)
{
    (void)state;

    if (fixture.udp >= 0) {
        (void)close(fixture.udp);
    }
    host_port_destroy(fixture.port);
    return 0;
}

static bool exists(const char *name)
{
    struct shell_outcome outcome;

    return shell_run(&outcome, 10, "ip link show %s", name) == 0;
}

/* Waits for the next frames of a queue. */
static uint16_t take(struct fixture *f, uint16_t queue)
{
    struct pollfd ready = { .fd = host_port_fd(f->port, queue), .events = POLLIN };

    (void)poll(&ready, 1, KERNEL_SIDE_WAIT_MS);
    return host_port_from_host(f->port, queue, &f->batch, &f->refused);
}

/* A UDP datagram from the guest to the host's socket; no checksum, which IPv4 allows. */
static void make_udp(struct wire *wire, uint32_t payload_bytes)
{
    const uint32_t ip_bytes = 28 + payload_bytes;
    uint16_t sum;

    wire_start(wire, HOST, GUEST);
    wire_ipv4(wire, GUEST_IP, HOST_IP, IP_PROTOCOL_UDP, 0);
    wire_ports(wire, UDP_PORT, UDP_PORT);
    wire_fill(wire, 42 + payload_bytes);
    wire->data[16] = (uint8_t)(ip_bytes >> 8);
    wire->data[17] = (uint8_t)ip_bytes;
    sum = checksum_finish(checksum_add(0, &wire->data[14], 20, false));
    wire->data[24] = (uint8_t)(sum >> 8);
    wire->data[25] = (uint8_t)sum;
    wire->data[38] = (uint8_t)((ip_bytes - 20) >> 8);
    wire->data[39] = (uint8_t)(ip_bytes - 20);
    wire->data[40] = wire->data[41] = 0;
}

static uint16_t deliver(struct fixture *f, uint16_t queue, uint8_t verdict[FRAME_BURST])
{
    uint8_t index[FRAME_BURST];

    for (uint8_t i = 0; i < f->batch.count; i++) {
        index[i] = i;
    }
    return host_port_to_host(f->port, queue, &f->batch, index, f->batch.count, verdict);
}

/* The host's socket gets the payload of f->sent. */
/* A batch of nothing but f->sent. */
static void add_alike(struct fixture *f, uint16_t count)
{
    batch_start(&f->batch, 0);
    for (uint16_t i = 0; i < count; i++) {
        (void)batch_add_wire(&f->batch, &f->sent, 0);
    }
}

static void assert_host_gets(struct fixture *f)
{
    static uint8_t bytes[65536];
    struct pollfd ready = { .fd = f->udp, .events = POLLIN };

    assert_int_equal(poll(&ready, 1, KERNEL_SIDE_WAIT_MS), 1);
    assert_int_equal(recv(f->udp, bytes, sizeof(bytes), 0), f->sent.len_bytes - 42);
    assert_memory_equal(bytes, &f->sent.data[42], f->sent.len_bytes - 42);
}

/* ---- making and removing --------------------------------------------------------------------- */

static void test_host_port_device_lives_as_long_as_the_port(void **state)
{
    struct fixture *f = &fixture;
    (void)state;

    kernel_side_need();
    for (uint16_t queues = 1; queues <= 3; queues += 2) {
        struct shell_outcome link;

        f->port = host_port_create(&(struct host_port_config){ .name = NAME, .queues = queues },
                                   NULL);
        assert_non_null(f->port);
        assert_int_equal(host_port_queues(f->port), queues);
        assert_int_equal(shell_run(&link, 10, "ip link show %s", NAME), 0);
        assert_non_null(strstr(link.output, "state DOWN"));
        host_port_destroy(f->port);
        f->port = NULL;
        assert_false(exists(NAME));
    }
}

static void test_host_port_existing_interface_is_refused_and_kept(void **state)
{
    struct error error;
    (void)state;

    kernel_side_need();
    shell_must("ip tuntap add %s mode tap", NAME);

    assert_null(host_port_create(&(struct host_port_config){ .name = NAME, .queues = 1 }, &error));
    assert_int_equal(error.code, EBUSY);
    assert_non_null(strstr(error.text, "\"" NAME "\""));
    assert_true(exists(NAME));
    shell_must("ip link del %s", NAME);
}

static void test_host_port_bad_names_and_queues_are_sentences(void **state)
{
    static const char *const bad[] = { "sixteen-letters0", "tap%d", "a/b", "a b", ".", "" };
    struct error error;
    (void)state;

    kernel_side_need();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error.text[0] = '\0';
        assert_null(host_port_create(&(struct host_port_config){ .name = bad[i], .queues = 1 },
                                     &error));
        assert_int_equal(error.code, EINVAL);
        assert_non_null(strstr(error.text, bad[i]));
    }
    assert_null(host_port_create(&(struct host_port_config){ .name = NAME, .queues = 0 }, &error));
    assert_null(host_port_create(&(struct host_port_config){ .name = NAME, .queues = 17 }, &error));
    assert_false(exists(NAME));
}

/* ---- from the host --------------------------------------------------------------------------- */

static void test_host_port_hosts_checksums_are_left_to_us(void **state)
{
    static const uint32_t payload[] = { 1, 60, 82, 83, 1472 };
    struct fixture *f = start(1500, 1);
    uint8_t bytes[1472];
    (void)state;

    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < sizeof(payload) / sizeof(payload[0]); i++) {
        struct frame *frame = &f->batch.frame[0];
        uint64_t sum;

        assert_int_equal(send(f->udp, bytes, payload[i], 0), payload[i]);
        assert_int_equal(take(f, 0), 1);
        assert_int_equal(f->refused.count, 0);
        assert_int_equal(f->batch.offload_count, 1);
        assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
        assert_int_equal(frame->csum_start_bytes, 34);
        assert_int_equal(frame->csum_offset_bytes, UDP_CSUM);
        frame_complete(&f->batch, frame);
        kernel_side_bytes(&f->batch, frame, &f->got);
        sum = IP_PROTOCOL_UDP + 8 + payload[i];
        sum = checksum_add(sum, &f->got.data[26], 8 + 8 + payload[i], false);

        assert_int_equal(frame->len_bytes, 42 + payload[i]);
        assert_int_equal(frame->port_in, PORT);
        assert_true(frame->hdr_len_bytes <= FRAME_HDR_BYTES);
        assert_memory_equal(&f->got.data[42], bytes, payload[i]);
        assert_int_equal(checksum_finish(sum), 0);
    }
}

static void test_host_port_jumbo_frames_pass_both_ways(void **state)
{
    struct fixture *f = start(9000, 1);
    static uint8_t bytes[8972];
    uint8_t verdict[FRAME_BURST];
    (void)state;

    assert_int_equal(send(f->udp, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_int_equal(take(f, 0), 1);
    assert_int_equal(f->batch.frame[0].len_bytes, 9014);

    make_udp(&f->sent, sizeof(bytes));
    batch_start(&f->batch, 0);
    (void)batch_add_wire(&f->batch, &f->sent, 4096);
    assert_int_equal(deliver(f, 0, verdict), 1);
    assert_host_gets(f);
}

static void test_host_port_tagged_frames_of_the_host_keep_their_tag(void **state)
{
    struct fixture *f = start(1500, 1);
    const int raw = kernel_side_raw(NAME);
    (void)state;

    wire_start(&f->sent, GUEST, HOST);
    wire_tag(&f->sent, ETHERTYPE_CTAG, 0x6064);
    wire_type(&f->sent, 0x88b5);
    wire_fill(&f->sent, 1518);
    kernel_side_send(raw, NULL, f->sent.data, f->sent.len_bytes);
    assert_int_equal(take(f, 0), 1);
    kernel_side_bytes(&f->batch, &f->batch.frame[0], &f->got);

    assert_int_equal(f->got.len_bytes, f->sent.len_bytes);
    assert_memory_equal(f->got.data, f->sent.data, f->sent.len_bytes);
    assert_int_equal(f->batch.frame[0].tagged, 0);
    (void)close(raw);
}

/* TCP of the host, 20,000 bytes to be cut by 1,000, as a raw socket sends it. */
static void send_long(struct fixture *f, uint16_t tci)
{
    const uint16_t l3 = tci != 0 ? 18 : 14;
    const int raw = kernel_side_raw(NAME);

    wire_start(&f->sent, GUEST, HOST);
    if (tci != 0) {
        wire_tag(&f->sent, ETHERTYPE_CTAG, tci);
    }
    wire_ipv4(&f->sent, HOST_IP, GUEST_IP, IP_PROTOCOL_TCP, 0);
    wire_ports(&f->sent, 80, 81);
    wire_fill(&f->sent, l3 + 40u + 20000u);
    f->sent.data[l3 + 32] = 0x50;
    f->sent.data[l3 + 33] = 0x90;              /* ACK, and CWR, which asks for ECN */
    kernel_side_send(raw, &(struct kernel_side_offload){
        .gso = 0x81, .gso_size_bytes = 1000, .csum_start_bytes = (uint16_t)(l3 + 20),
        .csum_offset_bytes = TCP_CSUM }, f->sent.data, f->sent.len_bytes);
    (void)close(raw);
}

static void test_host_port_long_frames_of_the_host_come_whole(void **state)
{
    static const uint16_t tci[] = { 0, 0x2064 };
    struct fixture *f = start(1500, 1);
    (void)state;

    for (size_t i = 0; i < sizeof(tci) / sizeof(tci[0]); i++) {
        const struct frame *frame = &f->batch.frame[0];

        send_long(f, tci[i]);
        assert_int_equal(take(f, 0), 1);
        kernel_side_bytes(&f->batch, frame, &f->got);

        assert_int_equal(f->got.len_bytes, f->sent.len_bytes);
        assert_memory_equal(f->got.data, f->sent.data, f->sent.len_bytes);
        assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
        assert_int_equal(frame->gso_type, FRAME_GSO_TCP4);
        assert_int_equal(frame->gso_size_bytes, 1000);
        assert_int_equal(frame->csum_start_bytes, tci[i] != 0 ? 38 : 34);
        assert_int_equal(f->batch.offload_count, 1);
    }
}

/* What the operator takes from the adapter by ethtool, the kernel does before we read. */
static void test_host_port_long_frames_come_cut_when_the_operator_says_so(void **state)
{
    static const struct { const char *features; uint8_t csum_state; } off[] = {
        { "tso off", FRAME_CSUM_PARTIAL }, { "tx off", FRAME_CSUM_AS_IT_IS },
    };
    struct fixture *f = start(1500, 1);
    (void)state;

    for (size_t n = 0; n < sizeof(off) / sizeof(off[0]); n++) {
        struct shell_outcome outcome;
        uint32_t payload_bytes = 0;

        assert_int_equal(shell_run(&outcome, 10, "ethtool -K %s %s", NAME, off[n].features), 0);
        send_long(f, 0);
        assert_int_equal(take(f, 0), 20);
        for (uint16_t i = 0; i < f->batch.count; i++) {
            assert_int_equal(f->batch.frame[i].csum_state, off[n].csum_state);
            assert_int_equal(f->batch.frame[i].gso_type, FRAME_GSO_NONE);
            payload_bytes += f->batch.frame[i].len_bytes - 54;
        }
        assert_int_equal(payload_bytes, 20000);
    }
    assert_int_equal(host_port_takes(f->port) & OFFLOAD_TAKES_TSO4, OFFLOAD_TAKES_TSO4);
}

/* What a turn of the worker costs all others is bounded by what frames come to. */
static void test_host_port_batch_ends_when_its_segments_are_many(void **state)
{
    enum { SENT = 20, EACH = 20 };
    struct fixture *f = start(1500, 1);
    (void)state;

    for (unsigned i = 0; i < SENT; i++) {
        send_long(f, 0);
    }
    assert_int_equal(take(f, 0), SEGMENT_MAX_BATCH / EACH + 1);
    assert_int_equal(take(f, 0), SENT - SEGMENT_MAX_BATCH / EACH - 1);
}

static void test_host_port_more_than_a_burst_comes_in_order(void **state)
{
    struct fixture *f = start(1500, 1);
    uint32_t next = 0;
    (void)state;

    for (uint32_t i = 0; i < 3 * FRAME_BURST + 5; i++) {
        assert_int_equal(send(f->udp, &i, sizeof(i), 0), sizeof(i));
    }
    while (next < 3 * FRAME_BURST + 5 && take(f, 0) > 0) {
        for (uint16_t i = 0; i < f->batch.count; i++) {
            assert_memory_equal(&f->batch.frame[i].hdr[42], &next, sizeof(next));
            next++;
        }
    }

    assert_int_equal(next, 3 * FRAME_BURST + 5);
    assert_int_equal(host_port_from_host(f->port, 0, &f->batch, &f->refused), 0);
}

static void test_host_port_queues_share_what_the_host_sends(void **state)
{
    enum { FLOWS = 32, QUEUES = 4 };
    struct fixture *f = start(1500, QUEUES);
    uint32_t seen = 0;
    (void)state;

    for (uint16_t i = 0; i < FLOWS; i++) {
        const int udp = kernel_side_udp(NAME, "10.0.0.2", (uint16_t)(6000 + i));

        assert_int_equal(send(udp, "x", 1, 0), 1);
        (void)close(udp);
    }
    for (uint16_t n = 0; n < QUEUES; n++) {
        seen += host_port_from_host(f->port, n, &f->batch, &f->refused);
        assert_true(host_port_fd(f->port, n) >= 0);
    }

    assert_int_equal(seen, FLOWS);
}

/* ---- to the host ----------------------------------------------------------------------------- */

static void test_host_port_pieces_reach_a_socket_of_the_host(void **state)
{
    static const uint32_t run_bytes[] = { 0, 1, 7, 700 };
    struct fixture *f = start(1500, 2);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    make_udp(&f->sent, 1000);
    for (uint16_t i = 0; i < sizeof(run_bytes) / sizeof(run_bytes[0]); i++) {
        batch_start(&f->batch, 0);
        (void)batch_add_wire(&f->batch, &f->sent, run_bytes[i]);

        assert_int_equal(deliver(f, i % 2, verdict), 1);
        assert_int_equal(verdict[0], VNIC_DELIVERED);
        assert_host_gets(f);
    }
}

/* A datagram whose checksum is left to the host, who takes it as right. */
static void test_host_port_partial_checksums_reach_a_socket_of_the_host(void **state)
{
    struct fixture *f = start(1500, 1);
    uint8_t verdict[FRAME_BURST];
    struct frame *frame;
    (void)state;

    make_udp(&f->sent, 1000);
    f->sent.data[40] = 0x12;                   /* not the checksum of anything */
    batch_start(&f->batch, 0);
    frame = batch_add_wire(&f->batch, &f->sent, 300);
    frame->csum_state = FRAME_CSUM_PARTIAL;
    frame->csum_start_bytes = 34;
    frame->csum_offset_bytes = UDP_CSUM;
    f->batch.offload_count = 1;

    assert_int_equal(deliver(f, 0, verdict), 1);
    assert_host_gets(f);
}

/* Long frames of every kind that it takes, with and without tags, are the host's as they are. */
static void test_host_port_long_frames_reach_the_host_whole(void **state)
{
    static const struct { uint8_t type, version, gso; } kinds[] = {
        { FRAME_GSO_TCP4, 4, 1 }, { FRAME_GSO_TCP6, 6, 4 }, { FRAME_GSO_UDP, 4, 5 },
        { FRAME_GSO_UDP, 6, 5 },
    };
    struct fixture *f = start(1500, 1);
    const int raw = kernel_side_raw(NAME);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    for (unsigned n = 0; n < 4 * sizeof(kinds) / sizeof(kinds[0]); n++) {
        struct long_frame long_one = {
            .gso_type = kinds[n / 4].type, .ip_version = kinds[n / 4].version,
            .tags = n & 1, .tcp_option_words = 3, .tcp_flags = n & 2 ? 0x90 : 0x10,
            .payload_bytes = 60000, .gso_size_bytes = 1400, .run_bytes = 4000,
            .trusted_bytes = 120,
        };
        struct kernel_side_offload seen;
        const struct frame *frame;
        const bool ecn = kinds[n / 4].type != FRAME_GSO_UDP && (n & 2) != 0;

        long_frame_write(&long_one);
        batch_start(&f->batch, 0);
        frame = long_frame_add(&long_one, &f->batch);
        if ((offload_needs(frame) & ~host_port_takes(f->port)) != 0) {
            continue;                          /* UDP before Linux 6.2 */
        }
        assert_int_equal(deliver(f, 0, verdict), 1);
        assert_int_equal(kernel_side_receive_undone(raw, &f->got, &seen, KERNEL_SIDE_WAIT_MS), 1);
        assert_int_equal(f->got.len_bytes, long_one.wire.len_bytes);
        assert_memory_equal(f->got.data, long_one.wire.data, f->got.len_bytes);
        assert_int_equal(seen.gso, kinds[n / 4].gso | (ecn ? 0x80 : 0));
        assert_int_equal(seen.gso_size_bytes, 1400);
        assert_int_equal(seen.csum_start_bytes, frame->csum_start_bytes);
        assert_int_equal(seen.csum_offset_bytes, frame->csum_offset_bytes);
    }
    (void)close(raw);
}

/*
 * A guest that took its memory away, and one that sends in crumbs, cost their own frames, in a
 * batch that goes frame by frame because of a long one.
 */
static void test_host_port_bad_pieces_cost_their_own_frame(void **state)
{
    struct fixture *f = start(1500, 1);
    void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t verdict[FRAME_BURST];
    struct frame *frame;
    (void)state;

    assert_true(gone != MAP_FAILED);
    make_udp(&f->sent, FRAME_HDR_BYTES - 42 + 1023);
    batch_start(&f->batch, 0);
    (void)batch_add_wire(&f->batch, &f->sent, 1);
    frame = batch_add_wire(&f->batch, &f->sent, 0);
    f->batch.run[frame->seg_first].data = gone;
    (void)batch_add_wire(&f->batch, &f->sent, 0);
    make_udp(&f->got, 4000);
    (void)batch_add_wire(&f->batch, &f->got, 0);

    assert_int_equal(deliver(f, 0, verdict), 2);
    assert_int_equal(verdict[0], DROP_DEVICE_ERROR);
    assert_int_equal(verdict[1], DROP_DEVICE_ERROR);
    assert_int_equal(verdict[2], VNIC_DELIVERED);
    assert_int_equal(verdict[3], VNIC_DELIVERED);
    assert_host_gets(f);
    (void)munmap(gone, 4096);
}

/* As long as goes together, and one byte more; each frame is another. */
static void test_host_port_batches_reach_the_host_in_order(void **state)
{
    static const uint32_t lengths[] = { 100, 1472, 1996, 1997 };
    static struct wire wire[FRAME_BURST];
    struct fixture *f = start(4000, 1);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    for (unsigned n = 0; n < 4 * sizeof(lengths) / sizeof(lengths[0]); n++) {
        batch_start(&f->batch, 0);
        for (uint8_t i = 0; i < FRAME_BURST; i++) {
            make_udp(&wire[i], lengths[n / 4]);
            wire[i].data[60] = i;
            wire[i].data[wire[i].len_bytes - 1] = (uint8_t)(n + i);
            (void)batch_add_wire(&f->batch, &wire[i], i % 2 == 0 ? 0 : 300);
        }

        assert_int_equal(deliver(f, 0, verdict), FRAME_BURST);
        for (unsigned i = 0; i < FRAME_BURST; i++) {
            assert_int_equal(verdict[i], VNIC_DELIVERED);
            f->sent = wire[i];
            assert_host_gets(f);
        }
    }
}

/* ---- the adapter's life ---------------------------------------------------------------------- */

static void test_host_port_down_and_up_again(void **state)
{
    static const uint16_t counts[] = { 1, 2, FRAME_BURST };
    struct fixture *f = start(1500, 1);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    make_udp(&f->sent, 100);
    for (unsigned n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
        add_alike(f, counts[n]);
        shell_must("ip link set %s down", NAME);
        assert_int_equal(deliver(f, 0, verdict), 0);
        for (unsigned i = 0; i < counts[n]; i++) {
            assert_int_equal(verdict[i], DROP_LINK_DOWN);
        }
        assert_int_equal(host_port_from_host(f->port, 0, &f->batch, &f->refused), 0);
        shell_must("ip link set %s up", NAME);

        add_alike(f, counts[n]);
        assert_int_equal(deliver(f, 0, verdict), counts[n]);
        for (unsigned i = 0; i < counts[n]; i++) {
            assert_host_gets(f);
        }
    }
}

static void test_host_port_outlives_its_device(void **state)
{
    struct fixture *f = start(1500, 2);
    uint8_t verdict[FRAME_BURST];
    (void)state;

    shell_must("ip link del %s", NAME);

    for (uint16_t n = 0; n < 2; n++) {
        assert_int_equal(host_port_from_host(f->port, n, &f->batch, &f->refused), 0);
        assert_int_equal(f->refused.count, 0);
        batch_start(&f->batch, 0);
        (void)batch_add(&f->batch, HOST, GUEST);
        assert_int_equal(deliver(f, n, verdict), 0);
        assert_int_equal(verdict[0], DROP_LINK_DOWN);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_host_port_device_lives_as_long_as_the_port),
        TEST(test_host_port_existing_interface_is_refused_and_kept),
        TEST(test_host_port_bad_names_and_queues_are_sentences),
        TEST(test_host_port_hosts_checksums_are_left_to_us),
        TEST(test_host_port_jumbo_frames_pass_both_ways),
        TEST(test_host_port_tagged_frames_of_the_host_keep_their_tag),
        TEST(test_host_port_long_frames_of_the_host_come_whole),
        TEST(test_host_port_long_frames_come_cut_when_the_operator_says_so),
        TEST(test_host_port_batch_ends_when_its_segments_are_many),
        TEST(test_host_port_more_than_a_burst_comes_in_order),
        TEST(test_host_port_queues_share_what_the_host_sends),
        TEST(test_host_port_pieces_reach_a_socket_of_the_host),
        TEST(test_host_port_partial_checksums_reach_a_socket_of_the_host),
        TEST(test_host_port_long_frames_reach_the_host_whole),
        TEST(test_host_port_batches_reach_the_host_in_order),
        TEST(test_host_port_bad_pieces_cost_their_own_frame),
        TEST(test_host_port_down_and_up_again),
        TEST(test_host_port_outlives_its_device),
    };

    return cmocka_run_group_tests(tests, kernel_side_enter, NULL);
}
