/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet port on one end of a veth, and the kernel at the other: see kernel_side.h.
 */
#ifndef TESTS_SUPPORT_PACKET_LAB_H
#define TESTS_SUPPORT_PACKET_LAB_H

#include <stdint.h>

#include "dataplane/packet_port.h"
#include "tests/support/kernel_side.h"

#define PACKET_LAB_UPLINK "wire0"
#define PACKET_LAB_PEER   "peer0"
#define PACKET_LAB_PORT   7u
#define PACKET_LAB_A      UINT64_C(0x020000000001)     /* the peer's address */
#define PACKET_LAB_B      UINT64_C(0x020000000002)

struct packet_lab {
    struct packet_port *port;
    int raw;                           /* at the peer */
    struct frame_batch batch;          /* from the wire */
    struct frame_batch out;            /* to it */
    struct drop_tally refused;
    struct wire sent;
    struct wire got;
};

/* Of a test, as cmocka wants them; the state is the lab, without a wire. */
int packet_lab_setup(void **state);
int packet_lab_teardown(void **state);

/** Makes the wire, with the given MTU, and the port at its end; skips without a namespace. */
void packet_lab_plug(struct packet_lab *lab, unsigned mtu_bytes, uint16_t queues);
void packet_lab_unplug(struct packet_lab *lab);

/** Waits for the next frames of a queue.  @return how many */
uint16_t packet_lab_take(struct packet_lab *lab, uint16_t queue);
/** Takes one frame, which has to be the only one, with its bytes in lab->got. */
const struct frame *packet_lab_take_one(struct packet_lab *lab);
/** Has the peer send lab->sent.  @param offload  NULL: nothing is left to do of it */
void packet_lab_send(struct packet_lab *lab, const struct kernel_side_offload *offload);
/** Sends lab->out by the first queue.  @return how many went */
uint16_t packet_lab_deliver(struct packet_lab *lab, uint8_t verdict[FRAME_BURST]);

/** A frame of addresses and a local experimental type, to @p len_bytes. */
void packet_lab_plain(struct wire *wire, uint32_t len_bytes);
void packet_lab_same(const struct wire *a, const struct wire *b);

#endif
