/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending by AF_XDP: what it says it has sent arrives at the other end of a veth, once and in
 * order, and what it says it has not never does, whatever the interface does meanwhile.
 */
#include "dataplane/xdp_send.h"

#include <net/if.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/packet_lab.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define UPLINK     PACKET_LAB_UPLINK
#define PEER       PACKET_LAB_PEER
#define NUMBER_OFF 20u

struct xdp_lab {
    struct packet_lab packet;          /* of which most tests use the wire only */
    struct xdp_sender sender;
    uint32_t next;                     /* number of a frame, so that each is another */
    struct wire wire[FRAME_BURST];
};

static int setup(void **state)
{
    struct xdp_lab *lab = aligned_alloc(64, (sizeof(*lab) + 63) / 64 * 64);

    assert_non_null(lab);
    memset(lab, 0, sizeof(*lab));
    lab->packet.raw = -1;
    lab->sender.fd = -1;
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct xdp_lab *lab = *state;

    xdp_send_close(&lab->sender);
    packet_lab_unplug(&lab->packet);
    free(lab);
    return 0;
}

static int uplink(void)
{
    return (int)if_nametoindex(UPLINK);
}

static void plug(struct xdp_lab *lab)
{
    kernel_side_need();
    shell_must("ip link add %s mtu 2000 type veth peer name %s mtu 2000", UPLINK, PEER);
    shell_must("ip link set %s up", PEER);
    shell_must("ip link set %s up", UPLINK);
    lab->packet.raw = kernel_side_raw(PEER);
    xdp_send_open(&lab->sender, uplink(), 0);
    assert_true(lab->sender.usable);
}

/* Makes a batch of the next numbers. */
static void make_batch(struct xdp_lab *lab, uint8_t *index, uint16_t count, uint32_t len_bytes)
{
    batch_start(&lab->packet.out, 0);
    for (uint16_t i = 0; i < count; i++) {
        const uint32_t number = lab->next++;
        struct wire *wire = &lab->wire[i];

        index[i] = (uint8_t)i;
        packet_lab_plain(wire, len_bytes);
        memcpy(&wire->data[NUMBER_OFF], &number, sizeof(number));
        memcpy(&wire->data[len_bytes - sizeof(number)], &number, sizeof(number));
        (void)batch_add_wire(&lab->packet.out, wire, 0);
    }
}

static uint16_t send_batch(struct xdp_lab *lab, uint16_t count, uint32_t len_bytes)
{
    uint8_t index[FRAME_BURST];

    make_batch(lab, index, count, len_bytes);
    return xdp_send(&lab->sender, &lab->packet.out, index, count);
}

/* @return whether a frame has come, with its number, which is where it was written both times */
static bool receive_number(struct xdp_lab *lab, int wait_ms, uint32_t *number)
{
    struct wire *got = &lab->packet.got;

    if (kernel_side_receive(lab->packet.raw, got, wait_ms) != 1) {
        return false;
    }
    assert_true(got->len_bytes >= NUMBER_OFF + 2 * sizeof(*number));
    memcpy(number, &got->data[NUMBER_OFF], sizeof(*number));
    assert_memory_equal(&got->data[got->len_bytes - sizeof(*number)], number, sizeof(*number));
    return true;
}

/* Frames from @p first on have come, and no others. */
static void expect_numbers(struct xdp_lab *lab, uint32_t first, uint32_t count)
{
    uint32_t number;

    for (uint32_t i = 0; i < count; i++) {
        assert_true(receive_number(lab, KERNEL_SIDE_WAIT_MS, &number));
        assert_int_equal(number, first + i);
    }
    assert_false(receive_number(lab, 0, &number));
}

/* ---- as it should be ------------------------------------------------------------------------- */

/* Several times round before anybody reads: what the kernel has got is a copy. */
static void test_xdp_send_slots_are_not_lent(void **state)
{
    enum { BATCHES = 20 };
    struct xdp_lab *lab = *state;

    plug(lab);
    for (unsigned n = 0; n < BATCHES; n++) {
        assert_int_equal(send_batch(lab, FRAME_BURST, 1514), FRAME_BURST);
    }
    expect_numbers(lab, 0, BATCHES * FRAME_BURST);
}

static void test_xdp_send_slot_is_full_to_the_last_byte(void **state)
{
    struct xdp_lab *lab = *state;

    plug(lab);
    shell_must("ip link set %s mtu 2034", PEER);
    shell_must("ip link set %s mtu 2034", UPLINK);
    for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS / FRAME_BURST; n++) {
        assert_int_equal(send_batch(lab, FRAME_BURST, XDP_SEND_MAX_BYTES), FRAME_BURST);
    }
    expect_numbers(lab, 0, 2 * XDP_SEND_SLOTS);
}

/* ---- a wire that is not ---------------------------------------------------------------------- */

/* More of them than the ring has room for. */
static void test_xdp_send_nothing_while_the_interface_is_down(void **state)
{
    struct xdp_lab *lab = *state;
    uint32_t first;

    plug(lab);
    for (unsigned times = 0; times < 3; times++) {
        shell_must("ip link set %s down", UPLINK);
        for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS / FRAME_BURST; n++) {
            assert_int_equal(send_batch(lab, FRAME_BURST, 60), 0);
        }
        shell_must("ip link set %s up", UPLINK);

        first = lab->next;
        for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS / FRAME_BURST; n++) {
            assert_int_equal(send_batch(lab, FRAME_BURST, 60), FRAME_BURST);
        }
        while (kernel_side_receive(lab->packet.raw, &lab->packet.got, 0) != 1) {
        }                              /* the socket says first that the interface was down */
        expect_numbers(lab, first + 1, 2 * XDP_SEND_SLOTS - 1);
    }
}

/* The kernel takes one frame of each batch, and drops it. */
static void test_xdp_send_nothing_while_there_is_no_carrier(void **state)
{
    struct xdp_lab *lab = *state;
    uint32_t first;

    plug(lab);
    shell_must("ip link set %s down", PEER);
    for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS; n++) {
        assert_int_equal(send_batch(lab, 1 + n % FRAME_BURST, 60), 0);
    }
    shell_must("ip link set %s up", PEER);

    first = lab->next;
    for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS / FRAME_BURST; n++) {
        assert_int_equal(send_batch(lab, FRAME_BURST, 60), FRAME_BURST);
    }
    (void)kernel_side_receive(lab->packet.raw, &lab->packet.got, 0);
    expect_numbers(lab, first, 2 * XDP_SEND_SLOTS);
}

static void test_xdp_send_nothing_when_the_interface_is_gone(void **state)
{
    struct xdp_lab *lab = *state;

    plug(lab);
    shell_must("ip link del %s", UPLINK);
    for (unsigned n = 0; n < 2 * XDP_SEND_SLOTS / FRAME_BURST; n++) {
        assert_int_equal(send_batch(lab, FRAME_BURST, 60), 0);
    }
}

static atomic_bool wire_is_calm;

static void *shake_wire(void *context)
{
    const char *name = context;

    for (unsigned n = 0; n < 20; n++) {
        shell_must("ip link set %s down", name);
        (void)usleep(2000);
        shell_must("ip link set %s up", name);
        (void)usleep(2000);
    }
    atomic_store(&wire_is_calm, true);
    return NULL;
}

/* By all ways of the port: what is delivered by its verdict arrives, and nothing else does. */
static void test_xdp_send_verdicts_hold_while_the_wire_is_shaken(void **state)
{
    enum { AT_MOST = 1 << 17 };
    static bool delivered[AT_MOST], arrived[AT_MOST];
    struct xdp_lab *lab = *state;
    uint8_t index[FRAME_BURST], verdict[FRAME_BURST];
    uint32_t sent = 0, number;
    pthread_t thread;

    packet_lab_plug(&lab->packet, 1500, 1);
    atomic_store(&wire_is_calm, false);
    assert_int_equal(pthread_create(&thread, NULL, shake_wire, (char[]){ UPLINK }), 0);
    while (!atomic_load(&wire_is_calm) && lab->next < AT_MOST - 2 * FRAME_BURST) {
        make_batch(lab, index, FRAME_BURST, 60);
        sent += packet_port_to_wire(lab->packet.port, 0, &lab->packet.out, index, FRAME_BURST,
                                    verdict);
        for (uint32_t i = 0; i < FRAME_BURST; i++) {
            delivered[lab->next - FRAME_BURST + i] = verdict[i] == VNIC_DELIVERED;
        }
        while (receive_number(lab, 0, &number)) {
            assert_true(number < AT_MOST && !arrived[number]);
            arrived[number] = true;
        }
        (void)usleep(100);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    while (receive_number(lab, 100, &number)) {
        assert_true(number < AT_MOST && !arrived[number]);
        arrived[number] = true;
    }

    assert_true(sent > 0 && sent < lab->next);
    assert_memory_equal(arrived, delivered, sizeof(arrived));
}

/* ---- a queue that is not --------------------------------------------------------------------- */

static void test_xdp_send_does_without_a_queue(void **state)
{
    struct xdp_lab *lab = *state;
    struct xdp_sender second;
    uint8_t index[1];

    plug(lab);
    make_batch(lab, index, 1, 60);
    xdp_send_open(&second, uplink(), 0);                       /* another has it */
    assert_int_equal(xdp_send(&second, &lab->packet.out, index, 1), 0);
    xdp_send_close(&second);
    xdp_send_open(&second, uplink(), 1000);                    /* there is none */
    assert_int_equal(xdp_send(&second, &lab->packet.out, index, 1), 0);
    xdp_send_close(&second);
    xdp_send_open(&second, 1000000, 0);
    assert_int_equal(xdp_send(&second, &lab->packet.out, index, 1), 0);
    xdp_send_close(&second);
    assert_int_equal(xdp_send(&lab->sender, &lab->packet.out, index, 1), 1);
    expect_numbers(lab, 0, 1);
}

static void test_xdp_send_queue_is_there_again_at_once(void **state)
{
    struct xdp_lab *lab = *state;

    plug(lab);
    for (unsigned n = 0; n < 20; n++) {
        xdp_send_close(&lab->sender);
        xdp_send_open(&lab->sender, uplink(), 0);
        assert_true(lab->sender.usable);
    }
    assert_int_equal(send_batch(lab, 1, 60), 1);
    expect_numbers(lab, 0, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_xdp_send_slots_are_not_lent),
        TEST(test_xdp_send_slot_is_full_to_the_last_byte),
        TEST(test_xdp_send_nothing_while_the_interface_is_down),
        TEST(test_xdp_send_nothing_while_there_is_no_carrier),
        TEST(test_xdp_send_nothing_when_the_interface_is_gone),
        TEST(test_xdp_send_verdicts_hold_while_the_wire_is_shaken),
        TEST(test_xdp_send_does_without_a_queue),
        TEST(test_xdp_send_queue_is_there_again_at_once),
    };

    return cmocka_run_group_tests(tests, kernel_side_enter, NULL);
}
