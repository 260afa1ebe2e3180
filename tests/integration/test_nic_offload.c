/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and segments at nics.  On net_ring, which does nothing of the kind and gives back the
 * very buffers that it was sent, are seen: what is completed within the copy; and, where the nic is
 * told that its device does it all, what the device is asked for.
 */
#include "dataplane/nic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cmocka.h>

#include "dataplane/nic_device.h"
#include "dataplane/nic_offload.h"
#include "switch/bytes.h"
#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/long_frame.h"
#include "tests/support/nic_lab.h"
#include "tests/support/partial_frame.h"
#include "tests/support/random.h"
#include "vnic/vnic.h"

#define MTU         9600u
#define ROUNDS      200u
#define EVERYTHING  (OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4 | OFFLOAD_TAKES_TSO6)
#define TCP_FIELD   16u            /* of a checksum: RFC 9293, 3.1; RFC 768 */
#define UDP_FIELD   6u
#define CWR         0x80u

static struct long_frame frames[FRAME_BURST];

/* A nic on net_ring that believes that its device does what @p offloads say. */
static struct nic *ring(uint8_t offloads)
{
    struct nic *nic = nic_lab_nic("net_ring0", MTU);

    nic->offloads = offloads;
    nic->ip_sums = true;
    return nic;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void random_plain(struct long_frame *long_frame, uint64_t *random)
{
    long_frame_random(long_frame, random);
    long_frame->payload_bytes = random_below(random, random_below(random, 4) == 0 ? 9000 : 1400);
    if (long_frame->run_bytes != 0) {
        long_frame->run_bytes = 1 + random_below(random, 3000);
        long_frame->run_bytes += long_frame->payload_bytes / 30;
    }
}

static struct long_frame tcp(uint8_t ip_version, uint32_t payload_bytes)
{
    return (struct long_frame){
        .gso_type = ip_version == 4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6, .ip_version = ip_version,
        .payload_bytes = payload_bytes, .gso_size_bytes = 1448, .trusted_bytes = FRAME_HDR_BYTES,
        .tcp_option_words = 3
    };
}

/* ---- what came back -------------------------------------------------------------------------- */

/* Sends all of lab->sent, which comes back. */
static void send_back(struct nic_lab *lab, struct nic *nic)
{
    assert_int_equal(nic_lab_send(lab, nic, 0), lab->sent.count);
    assert_int_equal(nic_lab_receive(lab, nic), lab->sent.count);
    for (uint16_t i = 0; i < lab->sent.count; i++) {
        assert_int_equal(lab->verdict[i], VNIC_DELIVERED);
    }
}

/* Whether what came back is what was sent, with its checksum completed. */
static bool came_complete(struct nic_lab *lab, uint16_t index, const struct long_frame *sent)
{
    (void)nic_lab_same(lab, &lab->got, index, sent->wire.data, sent->wire.len_bytes);
    return partial_frame_complete(sent, lab->bytes);
}

static void test_nic_completes_checksums_within_the_copy(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(0);
    uint64_t random = 1;

    assert_int_equal(nic_takes(nic), OFFLOAD_TAKES_CSUM);
    for (unsigned round = 0; round < ROUNDS; round++) {
        nic_lab_start(lab);
        for (unsigned i = 0; i < FRAME_BURST; i++) {
            random_plain(&frames[i], &random);
            (void)partial_frame_add(&frames[i], &lab->sent);
        }
        send_back(lab, nic);
        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            assert_true(came_complete(lab, i, &frames[i]));
            assert_int_equal(nic->from[0].held[i]->ol_flags, 0);
        }
        nic_return(nic, 0);
    }
    nic_destroy(nic);
}

static void test_nic_leaves_other_frames_of_a_batch_as_they_are(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);
    struct frame *frame;

    nic_lab_start(lab);
    frames[0] = tcp(4, 1000);
    frame = partial_frame_add(&frames[0], &lab->sent);
    frame->csum_state = FRAME_CSUM_AS_IT_IS;
    frame = partial_frame_add(&frames[0], &lab->sent);
    frame->csum_state = FRAME_CSUM_CHECKED;
    send_back(lab, nic);

    for (uint16_t i = 0; i < 2; i++) {
        assert_true(nic_lab_same(lab, &lab->got, i, frames[0].wire.data, frames[0].wire.len_bytes));
        assert_int_equal(nic->from[0].held[i]->ol_flags, 0);
    }
    nic_return(nic, 0);
    nic_destroy(nic);
}

static void test_nic_completes_the_checksum_inside_a_tunnel(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);      /* whose device does not find it */
    uint64_t random = 2;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct frame *frame;
        uint32_t at;
        uint16_t sum;

        nic_lab_start(lab);
        random_plain(&frames[0], &random);
        frames[0].gso_type = FRAME_GSO_UDP;
        frames[0].payload_bytes += 100;
        frames[0].option_words = 0;
        frames[0].trusted_bytes = FRAME_HDR_BYTES;
        frame = partial_frame_add(&frames[0], &lab->sent);
        frame->csum_start_bytes = (uint16_t)(frame->l4_off_bytes + 28 + round % 3);
        frame->csum_offset_bytes = round % 2 == 0 ? TCP_FIELD : UDP_FIELD;
        at = (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;
        sum = checksum_naive(0, &frames[0].wire.data[frame->csum_start_bytes],
                             frame->len_bytes - frame->csum_start_bytes);
        send_back(lab, nic);

        bytes_put_2(&frames[0].wire.data[at],
                    checksum_naive_stored(sum, frame->csum_offset_bytes));
        assert_true(nic_lab_same(lab, &lab->got, 0, frames[0].wire.data, frames[0].wire.len_bytes));
        nic_return(nic, 0);
    }
    nic_destroy(nic);
}

static void test_nic_never_stores_a_zero_of_udp(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(0);
    struct long_frame *udp = &frames[0];
    uint8_t *last;
    uint16_t sum;

    *udp = (struct long_frame){ .gso_type = FRAME_GSO_UDP, .ip_version = 4, .payload_bytes = 600,
                                .trusted_bytes = FRAME_HDR_BYTES };
    nic_lab_start(lab);
    (void)partial_frame_add(udp, &lab->sent);
    last = &udp->wire.data[udp->wire.len_bytes - 2];
    bytes_put_2(last, 0);
    sum = checksum_naive(0, &udp->wire.data[udp->l4_off_bytes],
                         udp->wire.len_bytes - udp->l4_off_bytes);
    bytes_put_2(last, 0xffffu - sum);
    send_back(lab, nic);

    assert_true(came_complete(lab, 0, udp));
    assert_memory_equal(&lab->bytes[partial_frame_field(udp)], "\xff\xff", 2);
    nic_return(nic, 0);
    nic_destroy(nic);
}

/* ---- what a device is asked for -------------------------------------------------------------- */

static void test_nic_asks_the_device_for_checksums(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(OFFLOAD_TAKES_CSUM);
    uint64_t random = 3;

    for (unsigned round = 0; round < ROUNDS; round++) {
        nic_lab_start(lab);
        for (unsigned i = 0; i < FRAME_BURST; i++) {
            random_plain(&frames[i], &random);
            (void)partial_frame_add(&frames[i], &lab->sent);
        }
        send_back(lab, nic);
        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            const struct rte_mbuf *mbuf = nic->from[0].held[i];
            const struct long_frame *sent = &frames[i];
            const bool udp = sent->gso_type == FRAME_GSO_UDP;

            if (sent->ip_version == 6 && sent->option_words > 0) {
                assert_int_equal(mbuf->ol_flags, 0);
                assert_true(came_complete(lab, i, sent));
                continue;
            }
            assert_int_equal(mbuf->ol_flags,
                             (sent->ip_version == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
                             (udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM));
            assert_int_equal(rte_validate_tx_offload(mbuf), 0);
            assert_int_equal(mbuf->l2_len, sent->l3_off_bytes);
            assert_int_equal(mbuf->l3_len, sent->l4_off_bytes - sent->l3_off_bytes);
            assert_int_equal(mbuf->l4_len, udp ? 8 : 20);
            assert_true(nic_lab_same(lab, &lab->got, i, sent->wire.data, sent->wire.len_bytes));
        }
        nic_return(nic, 0);
    }
    nic_destroy(nic);
}

static void test_nic_asks_no_device_for_a_header_that_is_cut_off(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);
    struct frame *frame;

    nic_lab_start(lab);
    frames[0] = tcp(4, 0);
    frames[0].tcp_option_words = 0;
    frame = partial_frame_add(&frames[0], &lab->sent);
    frame->len_bytes -= 2;                   /* all but the urgent pointer, which a driver needs */
    frame->hdr_len_bytes = (uint16_t)(frame->hdr_len_bytes - 2);
    send_back(lab, nic);

    assert_int_equal(nic->from[0].held[0]->ol_flags, 0);
    nic_return(nic, 0);
    nic_destroy(nic);
}

/* Cuts @p sent, and checks how the device was asked to. */
static void check_cut(struct nic_lab *lab, struct nic *nic, struct long_frame *sent)
{
    const uint64_t flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG |
                           (sent->ip_version == 4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM
                                                  : RTE_MBUF_F_TX_IPV6);
    const struct rte_mbuf *mbuf;

    nic_lab_start(lab);
    (void)partial_frame_add_long(sent, &lab->sent);
    send_back(lab, nic);
    mbuf = nic->from[0].held[0];

    assert_int_equal(mbuf->ol_flags, flags);
    assert_int_equal(rte_validate_tx_offload(mbuf), 0);
    assert_int_equal(mbuf->l2_len, sent->l3_off_bytes);
    assert_int_equal(mbuf->l3_len, sent->l4_off_bytes - sent->l3_off_bytes);
    assert_int_equal(mbuf->l4_len, 20 + 4 * sent->tcp_option_words);
    assert_int_equal(mbuf->tso_segsz, sent->gso_size_bytes);
    assert_true(rte_pktmbuf_data_len(mbuf) >= sent->header_bytes);
    /* What is to be in the fields; all else is as it was. */
    bytes_put_2(&sent->wire.data[partial_frame_field(sent)], partial_frame_pseudo(sent, 0));
    if (sent->ip_version == 4) {
        bytes_put_2(&sent->wire.data[sent->l3_off_bytes + 10], 0);
    }
    assert_true(nic_lab_same(lab, &lab->got, 0, sent->wire.data, sent->wire.len_bytes));
    nic_return(nic, 0);
}

static void test_nic_has_the_device_cut_long_frames(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);

    for (uint8_t tags = 0; tags < 3; tags++) {
        for (uint8_t ip_version = 4; ip_version <= 6; ip_version = (uint8_t)(ip_version + 2)) {
            frames[0] = tcp(ip_version, tags == 0 ? 65000 : 20001);
            frames[0].tags = tags;
            frames[0].run_bytes = 4096;
            check_cut(lab, nic, &frames[0]);
        }
    }
    frames[0] = tcp(4, 30000);
    frames[0].option_words = 5;              /* of IPv4, which drivers do know */
    check_cut(lab, nic, &frames[0]);
    nic_destroy(nic);
}

static void test_nic_leaves_the_ipv4_checksum_to_devices_that_have_it(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);

    nic->ip_sums = false;
    nic_lab_start(lab);
    frames[0] = tcp(4, 5000);
    (void)partial_frame_add_long(&frames[0], &lab->sent);
    send_back(lab, nic);

    assert_int_equal(nic->from[0].held[0]->ol_flags & RTE_MBUF_F_TX_IP_CKSUM, 0);
    bytes_put_2(&frames[0].wire.data[partial_frame_field(&frames[0])],
                partial_frame_pseudo(&frames[0], 0));
    assert_true(nic_lab_same(lab, &lab->got, 0, frames[0].wire.data, frames[0].wire.len_bytes));
    nic_return(nic, 0);
    nic_destroy(nic);
}

/* @return the verdict on the only frame of lab->sent, which does not go */
static uint8_t refusal(struct nic_lab *lab, struct nic *nic)
{
    assert_int_equal(nic_lab_send(lab, nic, 0), 0);
    assert_int_equal(nic_from_wire(nic, 0, &lab->got, &lab->refused), 0);
    return lab->verdict[0];
}

static void test_nic_sends_no_long_frame_that_the_device_does_not_cut(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    const struct long_frame bad[] = {
        tcp(4, 3000),
        { .gso_type = FRAME_GSO_UDP, .ip_version = 4, .payload_bytes = 3000,
          .gso_size_bytes = 1200, .trusted_bytes = FRAME_HDR_BYTES },
        { .gso_type = FRAME_GSO_TCP4, .ip_version = 4, .payload_bytes = 3000, .tcp_flags = CWR,
          .gso_size_bytes = 1200, .trusted_bytes = FRAME_HDR_BYTES },
        { .gso_type = FRAME_GSO_TCP6, .ip_version = 6, .payload_bytes = 3000, .option_words = 1,
          .gso_size_bytes = 1200, .trusted_bytes = FRAME_HDR_BYTES },
    };

    for (unsigned i = 0; i < 4; i++) {
        struct nic *nic = ring(i == 0 ? OFFLOAD_TAKES_CSUM : EVERYTHING);

        nic_lab_start(lab);
        frames[0] = bad[i];
        (void)partial_frame_add_long(&frames[0], &lab->sent);
        assert_true((offload_needs(&lab->sent.frame[0]) & ~nic_takes(nic)) != 0);
        assert_int_equal(refusal(lab, nic), DROP_OVER_MTU);
        assert_int_equal(rte_mempool_in_use_count(nic->pool), 0);
        nic_destroy(nic);
    }
}

/* A driver that does not do what it is asked for every other frame. */
static uint16_t refuse_every_other(void *queue, struct rte_mbuf **mbuf, uint16_t count)
{
    static unsigned asked;

    (void)queue;
    (void)mbuf;
    for (uint16_t i = 0; i < count; i++) {
        if (asked++ % 2 == 0) {
            rte_errno = EINVAL;
            return i;
        }
    }
    return count;
}

static void test_nic_names_what_a_driver_refuses_and_sends_the_rest(void **state)
{
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(EVERYTHING);

    rte_eth_fp_ops[nic->port_id].tx_pkt_prepare = refuse_every_other;
    nic_lab_start(lab);
    for (uint32_t i = 0; i < FRAME_BURST; i++) {
        frames[i] = tcp(4, 100 + i);
        (void)partial_frame_add(&frames[i], &lab->sent);
    }
    assert_int_equal(nic_lab_send(lab, nic, 0), FRAME_BURST / 2);
    assert_int_equal(nic_lab_receive(lab, nic), FRAME_BURST / 2);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        assert_int_equal(lab->verdict[i], i % 2 == 0 ? DROP_DEVICE_ERROR : VNIC_DELIVERED);
        if (i % 2 == 1) {
            assert_true(nic_lab_same(lab, &lab->got, i / 2, frames[i].wire.data,
                                     frames[i].wire.len_bytes));
        }
    }
    nic_return(nic, 0);
    assert_int_equal(rte_mempool_in_use_count(nic->pool), 0);
    nic_destroy(nic);
}

/* ---- what a device says ---------------------------------------------------------------------- */

static void test_nic_believes_a_checksum_checked_of_tcp_and_udp_only(void **state)
{
    static const struct {
        uint64_t flags;
        uint32_t type;
        uint8_t state;
    } said[] = {
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP, FRAME_CSUM_CHECKED },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_UDP, FRAME_CSUM_CHECKED },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_PTYPE_L4_TCP,
          FRAME_CSUM_CHECKED },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L4_FRAG, FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L4_SCTP, FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L2_ETHER_ARP, FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_PTYPE_L4_UDP | RTE_PTYPE_TUNNEL_VXLAN,
          FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_PTYPE_L4_TCP, FRAME_CSUM_AS_IT_IS },
        { RTE_MBUF_F_RX_L4_CKSUM_NONE, RTE_PTYPE_L4_TCP, FRAME_CSUM_AS_IT_IS },
        { 0, RTE_PTYPE_L4_TCP, FRAME_CSUM_AS_IT_IS },
    };
    const uint16_t count = sizeof(said) / sizeof(said[0]);
    struct nic_lab *lab = nic_lab_of(state);
    struct nic *nic = ring(0);

    for (unsigned checks = 0; checks < 2; checks++) {
        nic->checks = checks != 0;
        for (uint16_t i = 0; i < count; i++) {
            struct rte_mbuf *mbuf = rte_pktmbuf_alloc(nic->pool);

            memset(rte_pktmbuf_append(mbuf, 100), 1, 100);
            mbuf->ol_flags |= said[i].flags;
            mbuf->packet_type = said[i].type;
            assert_int_equal(rte_eth_tx_burst(nic->port_id, 0, &mbuf, 1), 1);
        }
        assert_int_equal(nic_lab_receive(lab, nic), count);
        assert_int_equal(lab->got.offload_count, checks == 0 ? 0 : 3);
        for (uint16_t i = 0; i < count; i++) {
            assert_int_equal(lab->got.frame[i].csum_state,
                             checks == 0 ? FRAME_CSUM_AS_IT_IS : said[i].state);
        }
        nic_return(nic, 0);
    }
    nic_destroy(nic);
}

static void test_nic_offload_chooses_by_what_a_device_can(void **state)
{
    const uint64_t sums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    const uint64_t all = sums | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
                         RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    const uint64_t checks = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    const struct {
        const char *driver;
        uint64_t to;
        uint64_t from;
        uint16_t seg_max;
        uint16_t mtu_seg_max;
        bool chains;
        uint8_t offloads;
        bool checks;
    } device[] = {
        { "net_ice", all, checks | RTE_ETH_RX_OFFLOAD_TCP_LRO, 0, 0, true, EVERYTHING, true },
        { "net_i40e", all, checks, 255, 8, true, EVERYTHING, true },
        { "net_ixgbe", all, checks, 40, 40, true, EVERYTHING, true },
        { "net_short", all, checks, 32, 40, true, OFFLOAD_TAKES_CSUM, true },
        { "net_narrow", all, checks, 40, 6, true, OFFLOAD_TAKES_CSUM, true },
        { "net_whole", all, checks, 0, 0, false, OFFLOAD_TAKES_CSUM, true },
        { "net_virtio_user", all & ~RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, checks, 0, 0, true, EVERYTHING,
          false },
        { "net_vhost", sums, checks, 0, 0, true, OFFLOAD_TAKES_CSUM, false },
        { "net_tap", all, checks, 0, 0, true, OFFLOAD_TAKES_CSUM, true },
        { "net_half", all & ~RTE_ETH_TX_OFFLOAD_UDP_CKSUM, RTE_ETH_RX_OFFLOAD_TCP_CKSUM, 0, 0,
          true, 0, false },
        { "net_null", 0, 0, 0, 0, false, 0, false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(device) / sizeof(device[0]); i++) {
        struct nic nic = { .chains = device[i].chains, .room_bytes = 2048, .max_mtu_bytes = 9700 };
        const struct rte_eth_dev_info info = {
            .driver_name = device[i].driver, .tx_offload_capa = device[i].to,
            .rx_offload_capa = device[i].from,
            .tx_desc_lim = { .nb_seg_max = device[i].seg_max,
                             .nb_mtu_seg_max = device[i].mtu_seg_max },
        };
        struct rte_eth_conf conf = { 0 };

        nic_offload_choose(&nic, &info, &conf);

        assert_int_equal(nic.offloads, device[i].offloads);
        assert_int_equal(nic.checks, device[i].checks);
        assert_int_equal(conf.txmode.offloads & ~info.tx_offload_capa, 0);
        assert_int_equal(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_TSO, 0);
        assert_int_equal((conf.txmode.offloads & sums) == sums, nic.offloads != 0);
        assert_int_equal((conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0,
                         nic.offloads == EVERYTHING);
        assert_int_equal((conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0, nic.ip_sums);
        assert_int_equal(conf.rxmode.offloads, nic.checks ? checks : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nic_completes_checksums_within_the_copy),
        cmocka_unit_test(test_nic_leaves_other_frames_of_a_batch_as_they_are),
        cmocka_unit_test(test_nic_completes_the_checksum_inside_a_tunnel),
        cmocka_unit_test(test_nic_never_stores_a_zero_of_udp),
        cmocka_unit_test(test_nic_asks_the_device_for_checksums),
        cmocka_unit_test(test_nic_asks_no_device_for_a_header_that_is_cut_off),
        cmocka_unit_test(test_nic_has_the_device_cut_long_frames),
        cmocka_unit_test(test_nic_leaves_the_ipv4_checksum_to_devices_that_have_it),
        cmocka_unit_test(test_nic_sends_no_long_frame_that_the_device_does_not_cut),
        cmocka_unit_test(test_nic_names_what_a_driver_refuses_and_sends_the_rest),
        cmocka_unit_test(test_nic_believes_a_checksum_checked_of_tcp_and_udp_only),
        cmocka_unit_test(test_nic_offload_chooses_by_what_a_device_can),
    };

    return cmocka_run_group_tests_name("nic_offload", tests, nic_lab_setup, nic_lab_teardown);
}
