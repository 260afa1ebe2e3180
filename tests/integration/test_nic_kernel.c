/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nics on devices that end in the kernel: net_tap, whose other end is the kernel's own stack, and
 * net_af_packet and net_af_xdp on a veth, whose other end is a packet socket.
 */
#include "dataplane/nic.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "tests/support/nic_lab.h"
#include "tests/support/shell.h"
#include "tests/support/udp_frame.h"
#include "vnic/vnic.h"

#define MTU        1500u
#define MANY       10000u          /* frames: more than any pool here has buffers */
#define TAP_IP     0xc0000201u     /* 192.0.2.1, the kernel's; .2 is the test's */
#define OTHER_IP   0xc0000202u
#define UDP_PORT   4000u
#define PAYLOAD    100u
#define LINK_MS    2000            /* for a word of the driver's; never waited for in whole */

/* ---- the kernel's own stack ------------------------------------------------------------------ */

static int udp_socket(void)
{
    const struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(TAP_IP)
    };
    const struct timeval patience = { .tv_sec = 2 };
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static struct nic *tap_with_address(void)
{
    struct nic *nic = nic_lab_nic("net_tap0,iface=stack,mac=02:00:00:00:00:aa", MTU);

    shell_must("ip addr add 192.0.2.1/24 dev stack");
    shell_must("ip link set stack up");
    shell_must("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:bb dev stack");
    return nic;
}

static void test_nic_tap_carries_datagrams_to_the_host(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = tap_with_address();
    const struct udp_frame fields = {
        .to = { 2, 0, 0, 0, 0, 0xaa }, .from = { 2, 0, 0, 0, 0, 0xbb },
        .to_ip = TAP_IP, .from_ip = OTHER_IP, .to_port = UDP_PORT, .from_port = UDP_PORT
    };
    const int fd = udp_socket();
    uint8_t got[2048];

    nic_lab_start(lab);
    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        lab->wire[i].len_bytes = UDP_FRAME_HEADERS_BYTES + 1 + i * 46;
        udp_frame_write(lab->wire[i].data, lab->wire[i].len_bytes, &fields);
        (void)batch_add_wire(&lab->sent, &lab->wire[i], 200);
    }
    assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST);

    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        const ssize_t len = recv(fd, got, sizeof(got), 0);

        assert_int_equal(len, 1 + i * 46);
        assert_memory_equal(got, lab->wire[i].data + UDP_FRAME_HEADERS_BYTES, (size_t)len);
    }
    (void)close(fd);
    nic_destroy(nic);
}

static void test_nic_tap_carries_datagrams_from_the_host(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = tap_with_address();
    const struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(OTHER_IP)
    };
    const int fd = udp_socket();
    struct pollfd readable = { .fd = nic_fd(nic, 0), .events = POLLIN };
    uint8_t payload[PAYLOAD];
    unsigned next = 0;

    assert_true(readable.fd >= 0);
    for (unsigned i = 0; i < PAYLOAD; i++) {
        memset(payload, (int)i, sizeof(payload));
        assert_int_equal(sendto(fd, payload, sizeof(payload), 0, (const struct sockaddr *)&there,
                                sizeof(there)), sizeof(payload));
    }
    nic_arm(nic, 0, true);
    assert_int_equal(poll(&readable, 1, 2000), 1);
    nic_arm(nic, 0, false);

    while (next < PAYLOAD && nic_lab_receive(lab, nic) > 0) {
        for (uint16_t i = 0; i < lab->got.count; i++) {
            const struct frame *frame = &lab->got.frame[i];

            if (frame->len_bytes == UDP_FRAME_HEADERS_BYTES + PAYLOAD &&
                mac_read(frame->hdr) == UINT64_C(0x0200000000bb)) {
                assert_int_equal(frame->hdr[UDP_FRAME_HEADERS_BYTES], next);
                next++;
            }
        }
        nic_return(nic, 0);
    }
    assert_int_equal(next, PAYLOAD);
    (void)close(fd);
    nic_destroy(nic);
}

/* The driver hears of its interface on a thread of its own. */
static void await_carrier(struct nic *nic, bool carrier)
{
    struct nic_status status;

    for (unsigned i = 0; i < LINK_MS; i++) {
        nic_status(nic, &status);
        if (status.carrier == carrier) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the carrier is not %s", carrier ? "there" : "gone");
}

static void test_nic_sees_its_link_go_and_come(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_tap0,iface=wire", MTU);

    nic_lab_start(lab);
    nic_lab_add(lab, 60, 0);
    shell_must("ip link set wire down");
    await_carrier(nic, false);
    assert_int_equal(nic_lab_send(lab, nic, 0), 0);
    assert_int_equal(lab->verdict[0], DROP_LINK_DOWN);

    shell_must("ip link set wire up");
    await_carrier(nic, true);
    assert_int_equal(nic_lab_send(lab, nic, 0), 1);
    nic_destroy(nic);
}

/* ---- a veth ---------------------------------------------------------------------------------- */

/* A packet socket on @p interface, which sends and receives whole frames. */
static int wire_socket(const char *interface)
{
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(interface)
    };
    const struct packet_mreq everything = {
        .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC
    };
    const struct timeval patience = { .tv_sec = 2 };
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything,
                                sizeof(everything)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void make_veth(void)
{
    shell_must("ip link add near type veth peer name far");
    shell_must("sh -c 'for end in near far; do"
               " echo 1 >/proc/sys/net/ipv6/conf/$end/disable_ipv6; done'");
    shell_must("ip link set near up");
    shell_must("ip link set far up");
}

static void remove_veth(void)
{
    shell_must("ip link del near");
}

/* Frames of many lengths both ways, MANY in all, so that every buffer is used more than once. */
static void exchange(struct nic_lab *lab, struct nic *nic, int far, uint32_t longest_bytes)
{
    uint8_t got[4096];

    for (unsigned done = 0; done < MANY; done += FRAME_BURST) {
        nic_lab_start(lab);
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            nic_lab_add(lab, 60 + (done * 7 + i * 41) % (longest_bytes - 59), i * 50);
        }
        assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST);
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            assert_int_equal(recv(far, got, sizeof(got), 0), lab->wire[i].len_bytes);
            assert_memory_equal(got, lab->wire[i].data, lab->wire[i].len_bytes);
        }
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            assert_int_equal(send(far, lab->wire[i].data, lab->wire[i].len_bytes, 0),
                             lab->wire[i].len_bytes);
        }
        for (uint32_t i = 0; i < FRAME_BURST;) {
            assert_true(nic_lab_receive(lab, nic) > 0);
            for (uint16_t n = 0; n < lab->got.count; n++, i++) {
                assert_true(nic_lab_same(lab, &lab->got, n, lab->wire[i].data,
                                         lab->wire[i].len_bytes));
            }
            nic_return(nic, 0);
        }
    }
    assert_int_equal(nic_overruns(nic), 0);
}

static void test_nic_af_packet_exchanges_frames(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct shell_outcome shown;
    struct nic *nic;
    int far;

    make_veth();
    nic = nic_lab_nic("net_af_packet0,iface=near", MTU);
    far = wire_socket("far");
    exchange(lab, nic, far, MTU + 14);
    (void)close(far);
    nic_destroy(nic);
    (void)shell_run(&shown, 10, "ip -d link show near");
    assert_non_null(strstr(shown.output, "promiscuity 0"));
    remove_veth();
}

/* AF_XDP needs a kernel that has it, and a driver of the interface that takes a program. */
static struct nic *xdp_or_skip(uint32_t mtu_bytes)
{
    const struct nic_config config = {
        .where = "net_af_xdp0,iface=near", .port = NIC_LAB_PORT, .queues = 2, .workers = 2,
        .mtu_bytes = mtu_bytes
    };
    struct error error = { 0 };
    struct nic *nic = nic_create(&config, &error);

    if (nic == NULL) {
        printf("# skip: AF_XDP on a veth: %s\n", error.text);
        remove_veth();
        skip();
    }
    return nic;
}

static void test_nic_af_xdp_exchanges_frames(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct shell_outcome shown;
    struct nic *nic;
    int far;

    make_veth();
    nic = xdp_or_skip(MTU);
    far = wire_socket("far");
    exchange(lab, nic, far, MTU + 14);
    (void)close(far);
    nic_destroy(nic);
    (void)shell_run(&shown, 10, "ip -d link show near");
    assert_null(strstr(shown.output, "xdp"));
    assert_non_null(strstr(shown.output, "promiscuity 0"));
    remove_veth();
}

static void test_nic_af_xdp_takes_what_a_page_holds(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic_status status;
    struct error error;
    struct nic *nic;
    int far;

    make_veth();
    nic = xdp_or_skip(MTU);
    nic_status(nic, &status);
    nic_destroy(nic);
    printf("# measured: AF_XDP takes an MTU of at most %u bytes\n", status.max_mtu_bytes);
    assert_true(status.max_mtu_bytes > 3000);
    assert_non_null(strstr(nic_lab_refusal("net_af_xdp0,iface=near", status.max_mtu_bytes + 1,
                                           &error), "can have an MTU of at most"));

    shell_must("ip link set far mtu %u", status.max_mtu_bytes);
    nic = xdp_or_skip(status.max_mtu_bytes);
    far = wire_socket("far");
    exchange(lab, nic, far, status.max_mtu_bytes + 14);
    (void)close(far);
    nic_destroy(nic);
    remove_veth();
}

static void test_nic_af_xdp_can_be_made_again(void **state)
{
    (void)nic_lab_of(state);
    make_veth();
    for (unsigned life = 0; life < 5; life++) {
        struct nic *nic = xdp_or_skip(MTU);

        assert_int_equal(nic_queues(nic), 1);
        nic_destroy(nic);
    }
    remove_veth();
}

/* A nic whose interface is deleted moves nothing and says nothing; it can be destroyed. */
static void lose_interface(struct nic_lab *lab, struct nic *nic)
{
    nic_lab_start(lab);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        nic_lab_add(lab, 1000, 0);
    }
    assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST);
    remove_veth();
    for (unsigned i = 0; i < 1000; i++) {
        (void)nic_lab_send(lab, nic, 0);
        assert_int_equal(nic_from_wire(nic, 0, &lab->got, &lab->refused), 0);
        nic_return(nic, 0);
    }
    (void)nic_overruns(nic);
    nic_destroy(nic);
}

static void test_nic_survives_its_interface(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);

    for (unsigned life = 0; life < 3; life++) {
        make_veth();
        lose_interface(lab, nic_lab_nic("net_af_packet0,iface=near", MTU));
        make_veth();
        lose_interface(lab, xdp_or_skip(MTU));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nic_tap_carries_datagrams_to_the_host),
        cmocka_unit_test(test_nic_tap_carries_datagrams_from_the_host),
        cmocka_unit_test(test_nic_sees_its_link_go_and_come),
        cmocka_unit_test(test_nic_af_packet_exchanges_frames),
        cmocka_unit_test(test_nic_af_xdp_exchanges_frames),
        cmocka_unit_test(test_nic_af_xdp_takes_what_a_page_holds),
        cmocka_unit_test(test_nic_af_xdp_can_be_made_again),
        cmocka_unit_test(test_nic_survives_its_interface),
    };

    return cmocka_run_group_tests_name("nic_kernel", tests, nic_lab_setup, nic_lab_teardown);
}
