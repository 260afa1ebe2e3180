/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums at nics whose other end is the kernel: net_tap, whose driver does both ways what
 * hardware does, and net_af_packet, whose does nothing.
 */
#include "dataplane/nic.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "switch/offload.h"
#include "tests/support/nic_lab.h"
#include "tests/support/partial_frame.h"
#include "tests/support/random.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define MTU        1500u
#define ROUNDS     30u
#define FRAMES     12u             /* a round: fewer than a socket or a ring holds */
#define ADDRESSES  12u             /* bytes before a tag */
#define TAG        4u
#define UDP_PORT   5201            /* as long_frame has it */

static struct long_frame frames[FRAME_BURST];

/* ---- the other end --------------------------------------------------------------------------- */

/* A packet socket on @p interface, which sends and receives whole frames, but for a tag. */
static int wire_socket(const char *interface)
{
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(interface)
    };
    const struct timeval patience = { .tv_sec = 2 };
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

/* What the kernel itself sends through an interface is none of a test's. */
static void quiet(const char *interface)
{
    shell_must("sh -c 'echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6'", interface);
    shell_must("ip link set %s up", interface);
}

static struct nic *quiet_tap(void)
{
    struct nic *nic = nic_lab_nic("net_tap0,iface=stack,mac=02:00:00:00:00:b0", MTU);
    struct nic_status status;

    quiet("stack");
    nic_status(nic, &status);
    assert_true(status.carrier);
    assert_int_equal(status.offloads, OFFLOAD_TAKES_CSUM);
    assert_int_equal(nic_takes(nic), OFFLOAD_TAKES_CSUM);
    return nic;
}

static void random_frame(struct long_frame *frame, uint64_t *random)
{
    long_frame_random(frame, random);
    frame->tags = frame->tags % 2;           /* the kernel's socket gives back one at most */
    frame->payload_bytes = random_below(random, MTU - 160);
    frame->run_bytes = random_below(random, 2) * (1 + random_below(random, 700));
    frame->run_bytes += frame->run_bytes != 0 ? 40 : 0;
}

/* ---- to the wire ----------------------------------------------------------------------------- */

/* Sends partial checksums of all kinds, which arrive complete. */
static void check_sent(struct nic_lab *lab, struct nic *nic, int far)
{
    static uint8_t got[4096];
    uint64_t random = 5;

    for (unsigned round = 0; round < ROUNDS; round++) {
        nic_lab_start(lab);
        for (unsigned i = 0; i < FRAMES; i++) {
            random_frame(&frames[i], &random);
            (void)partial_frame_add(&frames[i], &lab->sent);
        }
        assert_int_equal(nic_lab_send(lab, nic, 0), FRAMES);
        for (unsigned i = 0; i < FRAMES; i++) {
            const uint32_t tag_bytes = frames[i].tags * TAG;
            const uint8_t *wire = frames[i].wire.data;

            assert_int_equal(recv(far, got + tag_bytes, sizeof(got) - tag_bytes, 0),
                             frames[i].wire.len_bytes - tag_bytes);
            memmove(got, got + tag_bytes, ADDRESSES);
            memcpy(got + ADDRESSES, wire + ADDRESSES, tag_bytes);
            assert_true(partial_frame_complete(&frames[i], got));
        }
    }
}

static void test_nic_has_a_device_complete_checksums(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = quiet_tap();
    const int far = wire_socket("stack");

    check_sent(lab, nic, far);
    (void)close(far);
    nic_destroy(nic);
}

static void test_nic_completes_checksums_for_a_device_that_does_not(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic_status status;
    struct nic *nic;
    int far;

    shell_must("ip link add near type veth peer name far");
    quiet("near");
    quiet("far");
    nic = nic_lab_nic("net_af_packet0,iface=near", MTU);
    nic_status(nic, &status);
    assert_int_equal(status.offloads, 0);
    assert_int_equal(nic_takes(nic), OFFLOAD_TAKES_CSUM);
    far = wire_socket("far");
    check_sent(lab, nic, far);
    (void)close(far);
    nic_destroy(nic);
    shell_must("ip link del near");
}

/* The kernel's stack, which drops what has a wrong checksum. */
static void test_nic_sends_datagrams_that_the_kernel_finds_right(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_tap0,iface=stack,mac=02:00:00:00:00:b0", MTU);
    const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_port = htons(UDP_PORT) };
    const struct timeval patience = { .tv_sec = 2 };
    uint8_t got[2048];

    shell_must("ip addr add 198.51.100.2/24 dev stack");
    shell_must("ip addr add 2001:db8:ffff::fedc:ba98:7654:3210/64 dev stack nodad");
    shell_must("sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter;"
               " echo 0 >/proc/sys/net/ipv4/conf/stack/rp_filter'");
    shell_must("ip link set stack up");
    shell_must("ip route add default dev stack");
    shell_must("ip -6 route add default dev stack");
    assert_int_equal(bind(fd, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);

    nic_lab_start(lab);
    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        frames[i] = (struct long_frame){
            .gso_type = FRAME_GSO_UDP, .ip_version = i % 2 == 0 ? 4 : 6,
            .payload_bytes = 1 + i * 41, .trusted_bytes = FRAME_HDR_BYTES
        };
        (void)partial_frame_add(&frames[i], &lab->sent);
    }
    assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST);

    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        assert_int_equal(recv(fd, got, sizeof(got), 0), frames[i].payload_bytes);
        assert_memory_equal(got, &frames[i].wire.data[frames[i].header_bytes],
                            frames[i].payload_bytes);
    }
    (void)close(fd);
    nic_destroy(nic);
}

/* ---- from the wire --------------------------------------------------------------------------- */

static void test_nic_takes_over_which_checksums_its_device_found_right(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = quiet_tap();
    const int far = wire_socket("stack");
    uint64_t random = 6;
    unsigned checked = 0;

    for (unsigned round = 0; round < ROUNDS * FRAMES; round++) {
        struct long_frame *sent = &frames[0];
        const bool right = round % 3 != 0;
        const struct frame *frame = &lab->got.frame[0];

        random_frame(sent, &random);
        sent->payload_bytes |= 64;           /* to 60 bytes a wire would pad it */
        sent->option_words = 0;
        partial_frame_write_complete(sent, right);
        assert_int_equal(send(far, sent->wire.data, sent->wire.len_bytes, 0),
                         sent->wire.len_bytes);
        assert_int_equal(nic_lab_receive(lab, nic), 1);
        assert_true(nic_lab_same(lab, &lab->got, 0, sent->wire.data, sent->wire.len_bytes));
        assert_int_equal(frame->csum_state, right ? FRAME_CSUM_CHECKED : FRAME_CSUM_AS_IT_IS);
        assert_int_equal(lab->got.offload_count, right);
        nic_return(nic, 0);
        checked += right;
    }
    assert_true(checked > ROUNDS);
    (void)close(far);
    nic_destroy(nic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nic_has_a_device_complete_checksums),
        cmocka_unit_test(test_nic_completes_checksums_for_a_device_that_does_not),
        cmocka_unit_test(test_nic_sends_datagrams_that_the_kernel_finds_right),
        cmocka_unit_test(test_nic_takes_over_which_checksums_its_device_found_right),
    };

    return cmocka_run_group_tests_name("nic_offload_kernel", tests, nic_lab_setup,
                                       nic_lab_teardown);
}
