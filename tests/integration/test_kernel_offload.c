/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP of two Linux stacks through the two ports that end in the kernel, with nothing between them
 * that could do a checksum or a segment: what one port gives, the other takes as it is.
 *
 * One stack is the host's, behind the tap device; the other is at the far end of the uplink's veth,
 * in a namespace of its own.  Each is asked to leave its offloads to others, and not to; and where
 * the wire does none, every frame on it is complete, by the definition of the checksum.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/host_port.h"
#include "dataplane/packet_port.h"
#include "switch/ether.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/kernel_side.h"
#include "tests/support/shell.h"

#define HOST           "lan0"
#define UPLINK         "wire0"
#define PEER           "peer0"
#define TCP_PORT       7000u
#define STREAM_BYTES   (12u << 20)
#define PATTERN_BYTES  (64u * 1024u + 251u)    /* out of step with segments of any size */
#define ROUNDS_MAX     400000u
#define IDLE_MS        5000

struct fixture {
    int here;                          /* namespaces: the host's */
    int there;                         /* and the peer's */
    struct host_port *host;
    struct packet_port *uplink;
    int raw;                           /* sees what comes to the peer */
    uint32_t longest_out;              /* frame of the host's, as it was read */
    uint32_t longest_in;
    uint32_t longest_seen;             /* by the peer */
    uint64_t complete;                 /* frames of TCP that the peer saw, needing nothing */
    uint64_t undone;
    struct frame_batch batch;
    struct wire wire;
};

static struct fixture fixture;
static uint8_t pattern[2 * PATTERN_BYTES];

/* ---- two namespaces -------------------------------------------------------------------------- */

static int open_namespace(void)
{
    const int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void enter(int namespace)
{
    assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

static void address(const char *name, unsigned number)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    file = fopen(path, "w");
    if (file != NULL) {
        assert_true(fputs("0", file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    shell_must("ip addr add 10.0.0.%u/24 dev %s", number, name);
    shell_must("ip addr add fd00::%u/64 dev %s nodad", number, name);
    shell_must("ip link set %s up", name);
}

static void plug(struct fixture *f)
{
    struct error error = { 0 };

    f->here = open_namespace();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    f->there = open_namespace();
    enter(f->here);
    shell_must("ip link add %s type veth peer name %s netns /proc/%d/fd/%d", UPLINK, PEER,
               (int)getpid(), f->there);
    enter(f->there);
    address(PEER, 2);
    f->raw = kernel_side_raw(PEER);
    enter(f->here);
    shell_must("ip link set %s up", UPLINK);
    f->host = host_port_create(&(struct host_port_config){ .name = HOST, .queues = 1 }, &error);
    if (f->host == NULL) {
        fail_msg("%s", error.text);
    }
    address(HOST, 1);
    f->uplink = packet_port_create(&(struct packet_port_config){
        .ifindex = (int)if_nametoindex(UPLINK), .name = UPLINK, .queues = 1 }, &error);
    if (f->uplink == NULL) {
        fail_msg("%s", error.text);
    }
}

static int setup(void **state)
{
    (void)state;

    fixture = (struct fixture){ .here = -1, .there = -1, .raw = -1 };
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i % PATTERN_BYTES * 31 / 7);
    }
    return 0;
}

static int teardown(void **state)
{
    const int fds[] = { fixture.here, fixture.there, fixture.raw };
    struct shell_outcome gone;
    (void)state;

    host_port_destroy(fixture.host);
    packet_port_destroy(fixture.uplink);
    if (fixture.here >= 0) {
        (void)shell_run(&gone, 10, "ip link del %s", UPLINK);
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return 0;
}

static void go_without(int namespace, const char *name)
{
    struct shell_outcome outcome;

    enter(namespace);
    if (shell_run(&outcome, 10, "ethtool -K %s tx off", name) != 0) {
        fail_msg("%s", outcome.output);
    }
    enter(fixture.here);
}

/* ---- between the ports ----------------------------------------------------------------------- */

static uint8_t index_of[FRAME_BURST];

static void note_longest(const struct frame_batch *batch, uint32_t *longest)
{
    for (uint16_t i = 0; i < batch->count; i++) {
        index_of[i] = (uint8_t)i;
        *longest = batch->frame[i].len_bytes > *longest ? batch->frame[i].len_bytes : *longest;
    }
}

/* Carries what there is, all of which arrives. */
static void carry(struct fixture *f)
{
    uint8_t verdict[FRAME_BURST];
    struct drop_tally refused;
    uint16_t count = host_port_from_host(f->host, 0, &f->batch, &refused);

    note_longest(&f->batch, &f->longest_out);
    assert_int_equal(refused.count, 0);
    assert_int_equal(packet_port_to_wire(f->uplink, 0, &f->batch, index_of, count, verdict), count);
    count = packet_port_from_wire(f->uplink, 0, &f->batch, &refused);
    note_longest(&f->batch, &f->longest_in);
    assert_int_equal(refused.count, 0);
    assert_int_equal(host_port_to_host(f->host, 0, &f->batch, index_of, count, verdict), count);
    packet_port_return(f->uplink, 0);
}

/* Sleeps until a port or a socket has something. */
static void wait_for_any(struct fixture *f, int from, int to)
{
    struct pollfd ready[] = {
        { .fd = host_port_fd(f->host, 0), .events = POLLIN },
        { .fd = packet_port_fd(f->uplink, 0), .events = POLLIN },
        { .fd = to, .events = POLLIN },
        { .fd = from, .events = POLLOUT },
    };

    assert_true(poll(ready, from >= 0 ? 4 : 3, IDLE_MS) > 0);
}

/* ---- what the peer is given ------------------------------------------------------------------ */

/* TCP's checksum by the definition; headers have no options but TCP's. */
static void assert_sums(const struct wire *wire, bool v4)
{
    const uint32_t l4_off = v4 ? 34 : 54;
    const uint32_t l4_bytes = v4 ? (uint32_t)(wire->data[16] << 8 | wire->data[17]) - 20
                                 : (uint32_t)(wire->data[18] << 8 | wire->data[19]);
    const uint8_t rest[] = { 0, IP_PROTOCOL_TCP, (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes };
    uint16_t sum = checksum_naive(0, &wire->data[v4 ? 26 : 22], v4 ? 8 : 32);

    assert_true(l4_off + l4_bytes <= wire->len_bytes);
    sum = checksum_naive(checksum_naive(sum, rest, sizeof(rest)), &wire->data[l4_off], l4_bytes);
    assert_int_equal(sum, 0xffff);
    if (v4) {
        assert_int_equal(checksum_naive(0, &wire->data[14], 20), 0xffff);
    }
}

static void look(struct fixture *f)
{
    struct kernel_side_offload seen;

    while (kernel_side_receive_undone(f->raw, &f->wire, &seen, 0) == 1) {
        const bool v4 = f->wire.data[12] == 0x08 && f->wire.data[13] == 0;
        const bool v6 = f->wire.data[12] == 0x86 && f->wire.data[13] == 0xdd;

        if ((!v4 && !v6) || f->wire.data[v4 ? 23 : 20] != IP_PROTOCOL_TCP) {
            continue;
        }
        if (f->wire.len_bytes > f->longest_seen) {
            f->longest_seen = f->wire.len_bytes;
        }
        if (seen.gso != 0 || seen.csum_start_bytes != 0) {
            f->undone++;
        } else {
            assert_sums(&f->wire, v4);
            f->complete++;
        }
    }
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static int tcp_socket(int family)
{
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static socklen_t address_of(int family, unsigned number, struct sockaddr_storage *address)
{
    char text[32];

    *address = (struct sockaddr_storage){ .ss_family = (sa_family_t)family };
    (void)snprintf(text, sizeof(text), family == AF_INET ? "10.0.0.%u" : "fd00::%u", number);
    if (family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)address;

        v4->sin_port = htons(TCP_PORT);
        assert_int_equal(inet_pton(family, text, &v4->sin_addr), 1);
        return sizeof(*v4);
    }
    ((struct sockaddr_in6 *)address)->sin6_port = htons(TCP_PORT);
    assert_int_equal(inet_pton(family, text, &((struct sockaddr_in6 *)address)->sin6_addr), 1);
    return sizeof(struct sockaddr_in6);
}

/* A connection of the host to the peer. */
static void connect_both(struct fixture *f, int family, int *host, int *peer)
{
    struct sockaddr_storage address;
    const socklen_t size = address_of(family, 2, &address);
    const int on = 1;
    int listener;

    enter(f->there);
    listener = tcp_socket(family);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    enter(f->here);
    *host = tcp_socket(family);
    assert_int_equal(connect(*host, (const struct sockaddr *)&address, size), -1);
    assert_int_equal(errno, EINPROGRESS);
    *peer = -1;
    for (unsigned i = 0; i < ROUNDS_MAX && *peer < 0; i++) {
        wait_for_any(f, -1, listener);
        carry(f);
        *peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    assert_true(*peer >= 0);
    (void)close(listener);
}

static uint32_t send_some(int fd, uint32_t sent_bytes)
{
    const uint32_t at = sent_bytes % PATTERN_BYTES;
    uint32_t len_bytes = PATTERN_BYTES;
    ssize_t sent;

    if (len_bytes > STREAM_BYTES - sent_bytes) {
        len_bytes = STREAM_BYTES - sent_bytes;
    }
    sent = len_bytes == 0 ? 0 : send(fd, &pattern[at], len_bytes, 0);
    assert_true(sent >= 0 || errno == EAGAIN);
    return sent > 0 ? (uint32_t)sent : 0;
}

static uint32_t receive_some(int fd, uint32_t got_bytes)
{
    static uint8_t bytes[PATTERN_BYTES];
    const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

    assert_true(got > 0 || errno == EAGAIN);
    if (got <= 0) {
        return 0;
    }
    assert_memory_equal(bytes, &pattern[got_bytes % PATTERN_BYTES], (size_t)got);
    return (uint32_t)got;
}

static void stream(struct fixture *f, int from, int to)
{
    uint32_t sent_bytes = 0;
    uint32_t got_bytes = 0;

    for (unsigned i = 0; i < ROUNDS_MAX && got_bytes < STREAM_BYTES; i++) {
        sent_bytes += send_some(from, sent_bytes);
        wait_for_any(f, sent_bytes < STREAM_BYTES ? from : -1, to);
        carry(f);
        look(f);
        got_bytes += receive_some(to, got_bytes);
    }
    assert_int_equal(got_bytes, STREAM_BYTES);
}

/* Both ways, by IPv4 and IPv6; what is noted is of all four. */
static void streams(struct fixture *f)
{
    static const int families[] = { AF_INET, AF_INET6 };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        int host;
        int peer;

        connect_both(f, families[i], &host, &peer);
        stream(f, host, peer);
        stream(f, peer, host);
        (void)close(host);
        (void)close(peer);
    }
}

static void test_kernel_offload_streams_go_in_long_frames_both_ways(void **state)
{
    struct fixture *f = &fixture;
    (void)state;

    kernel_side_need();
    plug(f);
    streams(f);

    assert_true(f->longest_out > 30000);
    assert_true(f->longest_in > 30000);
    assert_true(f->longest_seen > 30000);
}

/* The peer's stack gets what it could get by a cable. */
static void test_kernel_offload_wire_without_offloads_gets_complete_frames(void **state)
{
    struct fixture *f = &fixture;
    (void)state;

    kernel_side_need();
    plug(f);
    go_without(f->here, UPLINK);
    streams(f);

    assert_true(f->longest_out > 30000);
    assert_int_equal(f->longest_seen, 1514);
    assert_int_equal(f->undone, 0);
    assert_true(f->complete > 2 * STREAM_BYTES / 1500);
}

/* Nobody leaves anything to anybody, and what is complete stays as it is. */
static void test_kernel_offload_stacks_without_offloads_send_complete_frames(void **state)
{
    struct fixture *f = &fixture;
    (void)state;

    kernel_side_need();
    plug(f);
    go_without(f->here, HOST);
    go_without(f->there, PEER);
    streams(f);

    assert_int_equal(f->longest_out, 1514);
    assert_int_equal(f->longest_in, 1514);
    assert_int_equal(f->undone, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kernel_offload_streams_go_in_long_frames_both_ways),
        TEST(test_kernel_offload_wire_without_offloads_gets_complete_frames),
        TEST(test_kernel_offload_stacks_without_offloads_send_complete_frames),
    };

    return cmocka_run_group_tests_name("kernel offloads", tests, kernel_side_enter, NULL);
}
