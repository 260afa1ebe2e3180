/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/packet_lab.h"

#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/shell.h"

int packet_lab_setup(void **state)
{
    struct packet_lab *lab = aligned_alloc(64, sizeof(*lab));

    assert_non_null(lab);
    lab->port = NULL;
    lab->raw = -1;
    *state = lab;
    return 0;
}

int packet_lab_teardown(void **state)
{
    packet_lab_unplug(*state);
    free(*state);
    return 0;
}

void packet_lab_plug(struct packet_lab *lab, unsigned mtu_bytes, uint16_t queues)
{
    struct packet_port_config config = { .name = PACKET_LAB_UPLINK, .port = PACKET_LAB_PORT,
                                         .queues = queues };
    struct error error = { 0 };

    kernel_side_need();
    shell_must("ip link add %s mtu %u type veth peer name %s mtu %u address 02:00:00:00:00:01",
               PACKET_LAB_UPLINK, mtu_bytes, PACKET_LAB_PEER, mtu_bytes);
    shell_must("ip link set %s up", PACKET_LAB_PEER);
    shell_must("ip link set %s up", PACKET_LAB_UPLINK);
    config.ifindex = (int)if_nametoindex(PACKET_LAB_UPLINK);
    lab->port = packet_port_create(&config, &error);
    if (lab->port == NULL) {
        fail_msg("%s", error.text);
    }
    lab->raw = kernel_side_raw(PACKET_LAB_PEER);
}

void packet_lab_unplug(struct packet_lab *lab)
{
    struct shell_outcome gone;

    packet_port_destroy(lab->port);
    lab->port = NULL;
    if (lab->raw >= 0) {
        (void)close(lab->raw);
        lab->raw = -1;
        (void)shell_run(&gone, 10, "ip link del %s", PACKET_LAB_UPLINK);
    }
}

uint16_t packet_lab_take(struct packet_lab *lab, uint16_t queue)
{
    struct pollfd ready = { .fd = packet_port_fd(lab->port, queue), .events = POLLIN };

    (void)poll(&ready, 1, KERNEL_SIDE_WAIT_MS);
    return packet_port_from_wire(lab->port, queue, &lab->batch, &lab->refused);
}

const struct frame *packet_lab_take_one(struct packet_lab *lab)
{
    const struct frame *frame = &lab->batch.frame[0];

    assert_int_equal(packet_lab_take(lab, 0), 1);
    assert_int_equal(lab->refused.count, 0);
    assert_int_equal(frame->port_in, PACKET_LAB_PORT);
    assert_int_equal(lab->batch.port_in, PACKET_LAB_PORT);
    assert_true(frame->hdr_len_bytes <= FRAME_HDR_BYTES && frame->seg_count <= 1);
    assert_int_equal(frame->tagged, 0);
    kernel_side_bytes(&lab->batch, frame, &lab->got);
    return frame;
}

void packet_lab_send(struct packet_lab *lab, const struct kernel_side_offload *offload)
{
    kernel_side_send(lab->raw, offload, lab->sent.data, lab->sent.len_bytes);
}

uint16_t packet_lab_deliver(struct packet_lab *lab, uint8_t verdict[FRAME_BURST])
{
    uint8_t index[FRAME_BURST];

    for (uint8_t i = 0; i < lab->out.count; i++) {
        index[i] = i;
    }
    return packet_port_to_wire(lab->port, 0, &lab->out, index, lab->out.count, verdict);
}

void packet_lab_plain(struct wire *wire, uint32_t len_bytes)
{
    wire_start(wire, PACKET_LAB_B, PACKET_LAB_A);
    wire_type(wire, 0x88b5);
    wire_fill(wire, len_bytes);
}

void packet_lab_same(const struct wire *a, const struct wire *b)
{
    assert_int_equal(a->len_bytes, b->len_bytes);
    assert_memory_equal(a->data, b->data, a->len_bytes);
}
