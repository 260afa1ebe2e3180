/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nics on devices that need no hardware: net_ring, which gives back what it was sent, for what is
 * exact about frames; net_pcap, for frames that outlive the process; net_null.
 */
#include "dataplane/nic.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <cmocka.h>

#include "tests/support/bench.h"
#include "tests/support/nic_lab.h"
#include "vnic/vnic.h"

#define MTU         1500u
#define JUMBO_MTU   9600u
#define LIVES       20u
#define LEARNT      3u             /* lives after which nothing is allocated for the first time */
#define ROUNDS      20000u

/* DPDK's number of a device, for what a test does behind the nic's back. */
static uint16_t port_of(const char *name)
{
    uint16_t port_id = UINT16_MAX;

    assert_int_equal(rte_eth_dev_get_port_by_name(name, &port_id), 0);
    return port_id;
}

static struct rte_mempool *pool_of(const char *name)
{
    char text[32];
    struct rte_mempool *pool;

    (void)snprintf(text, sizeof(text), "nic%u", port_of(name));
    pool = rte_mempool_lookup(text);
    assert_non_null(pool);
    return pool;
}

/* Sends what is in lab->sent through a nic that gives it back, and compares. */
static void check_back(struct nic_lab *lab, struct nic *nic)
{
    assert_int_equal(nic_lab_send(lab, nic, 0), lab->sent.count);
    assert_int_equal(nic_lab_receive(lab, nic), lab->sent.count);
    assert_int_equal(lab->refused.count, 0);
    assert_int_equal(lab->got.port_in, NIC_LAB_PORT);
    for (uint16_t i = 0; i < lab->sent.count; i++) {
        assert_int_equal(lab->verdict[i], VNIC_DELIVERED);
        assert_true(nic_lab_same(lab, &lab->got, i, lab->wire[i].data, lab->wire[i].len_bytes));
    }
    nic_return(nic, 0);
}

static void test_nic_carries_every_length(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);

    for (uint32_t len = FRAME_MIN_BYTES; len <= MTU + 18; len += FRAME_BURST) {
        nic_lab_start(lab);
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            nic_lab_add(lab, len + i, i * 7);
        }
        check_back(lab, nic);
    }
    assert_int_equal(rte_mempool_in_use_count(pool_of("net_ring0")), 0);
    nic_destroy(nic);
}

static void test_nic_carries_jumbo_frames_in_pieces(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", JUMBO_MTU);
    const uint32_t lens[] = { 2047, 2048, 2049, 4096, 4097, 9000, JUMBO_MTU + 14, JUMBO_MTU + 18 };

    nic_lab_start(lab);
    for (unsigned i = 0; i < 8; i++) {
        nic_lab_add(lab, lens[i], i * 100);
    }
    check_back(lab, nic);
    assert_int_equal(lab->got.frame[7].seg_count, 5);
    assert_int_equal(rte_mempool_in_use_count(pool_of("net_ring0")), 0);
    nic_destroy(nic);
}

/* A frame of pieces as no driver here makes them. */
static struct rte_mbuf *pieces(const struct wire *wire, const uint32_t *len_bytes, unsigned count)
{
    struct rte_mempool *pool = pool_of("net_ring0");
    struct rte_mbuf *first = NULL;
    uint32_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *piece = rte_pktmbuf_alloc(pool);

        assert_non_null(piece);
        memcpy(rte_pktmbuf_append(piece, (uint16_t)len_bytes[i]), wire->data + at, len_bytes[i]);
        at += len_bytes[i];
        if (first == NULL) {
            first = piece;
        } else {
            assert_int_equal(rte_pktmbuf_chain(first, piece), 0);
        }
    }
    return first;
}

static void put(struct rte_mbuf *mbuf)
{
    assert_int_equal(rte_eth_tx_burst(port_of("net_ring0"), 0, &mbuf, 1), 1);
}

static void test_nic_trusts_a_whole_header_however_it_is_cut(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);
    const uint32_t cuts[3][5] = { { 10, 1, 300, 20, 9 }, { 124, 216 }, { 100, 0, 24, 0, 216 } };
    const unsigned counts[3] = { 5, 2, 5 };

    nic_lab_start(lab);
    nic_lab_add(lab, 340, 0);
    for (unsigned i = 0; i < 3; i++) {
        put(pieces(&lab->wire[0], cuts[i], counts[i]));
        assert_int_equal(nic_lab_receive(lab, nic), 1);
        assert_true(nic_lab_same(lab, &lab->got, 0, lab->wire[0].data, 340));
        nic_return(nic, 0);
    }
    nic_destroy(nic);
}

static void test_nic_makes_room_for_a_tag_where_a_device_left_none(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);
    const uint32_t whole = 340;
    struct rte_mbuf *mbuf;

    nic_lab_start(lab);
    nic_lab_add(lab, whole, 0);
    mbuf = pieces(&lab->wire[0], &whole, 1);
    memmove((uint8_t *)mbuf->buf_addr + 3, rte_pktmbuf_mtod(mbuf, uint8_t *), whole);
    mbuf->data_off = 3;
    put(mbuf);

    assert_int_equal(nic_lab_receive(lab, nic), 1);
    assert_true(nic_lab_same(lab, &lab->got, 0, lab->wire[0].data, whole));
    nic_return(nic, 0);
    nic_destroy(nic);
}

static void test_nic_refuses_what_a_device_says_wrong(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);
    const uint32_t two[2] = { 200, 140 };
    struct rte_mbuf *wrong[5];

    nic_lab_start(lab);
    nic_lab_add(lab, 340, 0);
    for (unsigned i = 0; i < 5; i++) {
        wrong[i] = pieces(&lab->wire[0], two, 2);
    }
    wrong[0]->pkt_len = 341;
    wrong[1]->nb_segs = 3;
    wrong[2]->next->data_len = 139;
    wrong[3]->next->data_off = (uint16_t)(wrong[3]->next->buf_len + 1);
    wrong[4]->data_len = 65535;
    for (unsigned i = 0; i < 5; i++) {
        put(wrong[i]);
    }
    put(pieces(&lab->wire[0], two, 2));

    assert_int_equal(nic_lab_receive(lab, nic), 1);
    assert_int_equal(lab->refused.count, 5);
    assert_int_equal(lab->refused.drops[DROP_BAD_DESCRIPTOR], 5);
    assert_true(nic_lab_same(lab, &lab->got, 0, lab->wire[0].data, 340));
    nic_return(nic, 0);
    assert_int_equal(rte_mempool_in_use_count(pool_of("net_ring0")), 0);
    nic_destroy(nic);
}

static void test_nic_keeps_short_frames_and_refuses_endless_ones(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);
    const uint32_t tiny = 5;
    uint32_t endless[33];

    nic_lab_start(lab);
    nic_lab_add(lab, FRAME_MAX_BYTES, 0);
    for (unsigned i = 0; i < 33; i++) {
        endless[i] = 1986;         /* together 65,538 bytes */
    }
    put(pieces(&lab->wire[0], &tiny, 1));
    put(pieces(&lab->wire[0], endless, 33));
    assert_int_equal(nic_lab_receive(lab, nic), 2);
    assert_true(nic_lab_same(lab, &lab->got, 0, lab->wire[0].data, tiny));
    assert_true(nic_lab_same(lab, &lab->got, 1, lab->wire[0].data, 33 * 1986));
    nic_return(nic, 0);

    endless[0] += 25;              /* one more than FRAME_MAX_BYTES */
    lab->wire[0].len_bytes = 33 * 1986;
    put(pieces(&lab->wire[0], endless, 33));
    assert_int_equal(nic_lab_receive(lab, nic), 0);
    assert_int_equal(lab->refused.count, 1);
    assert_int_equal(lab->refused.drops[DROP_FRAME_TOO_LONG], 1);
    nic_return(nic, 0);
    assert_int_equal(rte_mempool_in_use_count(pool_of("net_ring0")), 0);
    nic_destroy(nic);
}

static void test_nic_says_busy_when_the_device_takes_no_more(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_ring0", MTU);
    uint32_t sent = 0;
    uint32_t back = 0;
    uint16_t last;

    nic_lab_start(lab);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        nic_lab_add(lab, 100, 0);
    }
    do {
        last = nic_lab_send(lab, nic, 0);
        sent += last;
    } while (last == FRAME_BURST && sent < 100000);
    assert_true(last < FRAME_BURST);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        assert_int_equal(lab->verdict[i], i < last ? VNIC_DELIVERED : DROP_DEVICE_BUSY);
    }
    while (nic_from_wire(nic, 0, &lab->got, &lab->refused) > 0) {
        back += lab->got.count;
        nic_return(nic, 0);
    }
    assert_int_equal(back, sent);
    assert_int_equal(rte_mempool_in_use_count(pool_of("net_ring0")), 0);
    nic_destroy(nic);
}

static void test_nic_drops_what_is_longer_than_a_buffer_without_chains(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = nic_lab_nic("net_null0,no-rx=1", MTU);

    nic_lab_start(lab);
    nic_lab_add(lab, 2048, 0);
    nic_lab_add(lab, 2049, 0);
    nic_lab_add(lab, 60, 0);
    assert_int_equal(nic_lab_send(lab, nic, 0), 2);
    assert_int_equal(lab->verdict[0], VNIC_DELIVERED);
    assert_int_equal(lab->verdict[1], DROP_OVER_MTU);
    assert_int_equal(lab->verdict[2], VNIC_DELIVERED);
    nic_destroy(nic);
}

static void test_nic_sends_what_a_file_keeps(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    char path[] = "/tmp/test_nic.XXXXXX";
    char where[128];
    struct nic *nic;
    uint16_t i = 0;

    (void)close(mkstemp(path));
    (void)snprintf(where, sizeof(where), "net_pcap0,tx_pcap=%s", path);
    nic = nic_lab_nic(where, 9000);
    nic_lab_start(lab);
    for (uint32_t len = 60; lab->sent.count < FRAME_BURST; len += 288) {
        nic_lab_add(lab, len, 1000);
    }
    assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST);
    nic_destroy(nic);

    (void)snprintf(where, sizeof(where), "net_pcap0,rx_pcap=%s", path);
    nic = nic_lab_nic(where, 9000);
    while (i < FRAME_BURST && nic_lab_receive(lab, nic) > 0) {
        for (uint16_t n = 0; n < lab->got.count; n++, i++) {
            assert_true(nic_lab_same(lab, &lab->got, n, lab->wire[i].data,
                                     lab->wire[i].len_bytes));
        }
        nic_return(nic, 0);
    }
    assert_int_equal(i, FRAME_BURST);
    nic_destroy(nic);
    (void)unlink(path);
}

static void test_nic_gives_each_worker_a_queue_or_shares(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    const struct nic_config config = {
        .where = "net_ring0", .port = NIC_LAB_PORT, .queues = 2, .workers = 64, .mtu_bytes = MTU
    };
    struct error error = { 0 };
    struct nic *nic = nic_create(&config, &error);

    assert_string_equal(error.text, "");
    assert_int_equal(nic_queues(nic), 2);
    nic_lab_start(lab);
    nic_lab_add(lab, 100, 0);
    /* The device has 16 transmit queues, and gives back on receive queue n what went by n. */
    assert_int_equal(nic_lab_send(lab, nic, 1), 1);
    assert_int_equal(nic_lab_send(lab, nic, 16), 1);
    assert_int_equal(nic_lab_send(lab, nic, 48), 1);
    assert_int_equal(nic_from_wire(nic, 1, &lab->got, &lab->refused), 1);
    nic_return(nic, 1);
    assert_int_equal(nic_from_wire(nic, 0, &lab->got, &lab->refused), 2);
    nic_return(nic, 0);
    nic_destroy(nic);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void test_nic_leaves_nothing_behind(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct rte_malloc_socket_stats before = { 0 };
    struct rte_malloc_socket_stats after = { 0 };
    unsigned descriptors = 0;

    for (unsigned life = 0; life < LIVES; life++) {
        struct nic *ring = nic_lab_nic("net_ring0", JUMBO_MTU);
        struct nic *tap = nic_lab_nic("net_tap0,iface=life", MTU);

        nic_lab_start(lab);
        nic_lab_add(lab, 6000, 0);
        check_back(lab, ring);
        nic_lab_start(lab);
        nic_lab_add(lab, 60, 0);
        assert_int_equal(nic_lab_send(lab, tap, 0), 1);
        nic_destroy(ring);
        nic_destroy(tap);
        if (life == LEARNT) {
            assert_int_equal(rte_malloc_get_socket_stats(0, &before), 0);
            descriptors = open_descriptors();
        }
    }
    assert_int_equal(rte_malloc_get_socket_stats(0, &after), 0);
    assert_int_equal(after.heap_allocsz_bytes, before.heap_allocsz_bytes);
    assert_int_equal(open_descriptors(), descriptors);
}

static void test_nic_says_what_it_is(void **state)
{
    struct nic *nic = (nic_lab_of(state), nic_lab_nic("net_ring0", MTU));
    struct nic_status status;

    nic_status(nic, &status);
    assert_string_equal(status.driver, "net_ring");
    assert_string_equal(status.name, "net_ring0");
    assert_true(status.carrier);
    assert_int_equal(status.mtu_bytes, MTU);
    assert_true(status.max_mtu_bytes >= JUMBO_MTU);
    assert_int_equal(nic_overruns(nic), 0);
    assert_int_equal(nic_fd(nic, 0), -1);
    assert_false(nic_has_more(nic, 0));
    nic_arm(nic, 0, true);
    nic_arm(nic, 0, false);
    nic_destroy(nic);
}

static void test_nic_changes_its_mtu_or_says_that_it_cannot(void **state)
{
    struct nic *ring = (nic_lab_of(state), nic_lab_nic("net_ring0", MTU));
    struct nic *null = nic_lab_nic("net_null0,no-rx=1", MTU);
    struct error error = { 0 };
    struct nic_status status;

    assert_int_equal(nic_set_mtu(ring, 9000, &error), 0);
    nic_status(ring, &status);
    assert_int_equal(status.mtu_bytes, 9000);
    assert_int_equal(nic_set_mtu(null, 1600, &error), 0);
    assert_int_equal(nic_set_mtu(null, 9000, &error), -EBUSY);
    assert_non_null(strstr(error.text, "only when it is started anew"));
    nic_status(null, &status);
    assert_int_equal(status.mtu_bytes, 1600);
    nic_destroy(ring);
    nic_destroy(null);
}

static void test_nic_refuses_with_a_sentence(void **state)
{
    static const struct {
        const char *where;
        uint32_t mtu_bytes;
        int code;
        const char *says;
    } cases[] = {
        { "0fff:00:00.0", MTU, ENODEV, "PCI device 0fff:00:00.0 is not on this host" },
        { "net_none0", MTU, ENODEV, "device \"net_none0\" is one that DPDK has no driver for" },
        { "eth1", MTU, ENODEV, "no driver" },
        { "", MTU, ENODEV, "no driver" },
        { "net_af_packet0", MTU, EIO, "could not be made" },
        { "net_pcap0,rx_pcap=/nowhere/x", MTU, EIO, "could not be made" },
        { "net_af_packet0,iface=nowhere", MTU, EIO, "could not be made" },
        { "net_tap0,iface=small", 9000, ERANGE, "can have an MTU of at most 1504, and" },
    };
    struct error error;

    (void)nic_lab_of(state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *said = nic_lab_refusal(cases[i].where, cases[i].mtu_bytes, &error);

        printf("# said: %s\n", said);
        assert_non_null(strstr(said, cases[i].says));
        assert_int_equal(error.code, cases[i].code);
    }
}

/* Any device of this host that the kernel drives; it is only looked at. */
static void test_nic_leaves_the_kernel_its_devices(void **state)
{
    DIR *devices = (nic_lab_of(state), opendir("/sys/bus/pci/devices"));
    const struct dirent *entry;
    char path[sizeof("/sys/bus/pci/devices//driver") + sizeof(entry->d_name)];
    struct error error = { 0 };

    while (devices != NULL && (entry = readdir(devices)) != NULL) {
        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", entry->d_name);
        if (entry->d_name[0] != '.' && access(path, F_OK) == 0 &&
            strstr(nic_lab_refusal(entry->d_name, MTU, &error), "bound to the kernel's driver")) {
            break;
        }
    }
    if (devices != NULL) {
        (void)closedir(devices);
    }
    if (error.code == 0) {
        printf("# skip: no PCI device here has a driver of the kernel's\n");
        skip();
    }
    printf("# said: %s\n", error.text);
    assert_int_equal(error.code, EBUSY);
    assert_non_null(strstr(error.text, "dpdk-devbind.py -b vfio-pci"));
}

static void test_nic_refuses_a_second_use(void **state)
{
    struct nic *nic = (nic_lab_of(state), nic_lab_nic("net_ring0", MTU));
    struct error error;

    assert_non_null(strstr(nic_lab_refusal("net_ring0", MTU, &error), "in use already"));
    assert_int_equal(error.code, EBUSY);
    nic_destroy(nic);
    nic_destroy(nic_lab_nic("net_ring0", MTU));
}

static void test_nic_says_when_memory_is_short(void **state)
{
    struct error error;
    char where[32];
    struct nic *made[16];
    unsigned count = 0;

    (void)nic_lab_of(state);
    for (error.code = 0; error.code == 0 && count < 16;) {
        const struct nic_config config = {
            .where = where, .port = NIC_LAB_PORT, .queues = 16, .workers = 64,
            .mtu_bytes = JUMBO_MTU
        };

        (void)snprintf(where, sizeof(where), "net_null%u,no-rx=1", count);
        made[count] = nic_create(&config, &error);
        count += made[count] != NULL;
    }
    printf("# said after %u: %s\n", count, error.text);
    assert_int_equal(error.code, ENOMEM);
    assert_non_null(strstr(error.text, "--memory"));
    while (count > 0) {
        nic_destroy(made[--count]);
    }
}

/* What a frame costs there and back, net_ring's own share (a ring of pointers) among it. */
static void measure(struct nic_lab *lab, uint32_t len_bytes)
{
    struct nic *nic = nic_lab_nic("net_ring0", JUMBO_MTU);
    uint64_t to_ns = 0;
    uint64_t from_ns = 0;
    uint64_t frames = 0;

    nic_lab_start(lab);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        nic_lab_add(lab, len_bytes, 0);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        const uint64_t start_ns = bench_now_ns();
        const uint16_t sent = nic_lab_send(lab, nic, 0);
        const uint64_t sent_ns = bench_now_ns();

        (void)nic_from_wire(nic, 0, &lab->got, &lab->refused);
        nic_return(nic, 0);
        from_ns += bench_now_ns() - sent_ns;
        to_ns += sent_ns - start_ns;
        frames += sent;
    }
    assert_int_equal(frames, (uint64_t)ROUNDS * FRAME_BURST);
    printf("# measured: %u bytes: to the wire %.1f ns, from it %.1f ns a frame\n", len_bytes,
           (double)to_ns / (double)frames, (double)from_ns / (double)frames);
    nic_destroy(nic);
}

static void test_nic_cost(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);

    measure(lab, 64);
    measure(lab, 1514);
    measure(lab, 9014);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nic_carries_every_length),
        cmocka_unit_test(test_nic_carries_jumbo_frames_in_pieces),
        cmocka_unit_test(test_nic_trusts_a_whole_header_however_it_is_cut),
        cmocka_unit_test(test_nic_makes_room_for_a_tag_where_a_device_left_none),
        cmocka_unit_test(test_nic_refuses_what_a_device_says_wrong),
        cmocka_unit_test(test_nic_keeps_short_frames_and_refuses_endless_ones),
        cmocka_unit_test(test_nic_says_busy_when_the_device_takes_no_more),
        cmocka_unit_test(test_nic_drops_what_is_longer_than_a_buffer_without_chains),
        cmocka_unit_test(test_nic_sends_what_a_file_keeps),
        cmocka_unit_test(test_nic_gives_each_worker_a_queue_or_shares),
        cmocka_unit_test(test_nic_leaves_nothing_behind),
        cmocka_unit_test(test_nic_says_what_it_is),
        cmocka_unit_test(test_nic_changes_its_mtu_or_says_that_it_cannot),
        cmocka_unit_test(test_nic_refuses_with_a_sentence),
        cmocka_unit_test(test_nic_leaves_the_kernel_its_devices),
        cmocka_unit_test(test_nic_refuses_a_second_use),
        cmocka_unit_test(test_nic_says_when_memory_is_short),
        cmocka_unit_test(test_nic_cost),
    };

    return cmocka_run_group_tests_name("nic", tests, nic_lab_setup, nic_lab_teardown);
}
