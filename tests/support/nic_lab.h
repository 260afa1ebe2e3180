/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK and a network namespace of its own for a test of nics, and frames to send through them.
 *
 * DPDK starts once in a process, as the daemon starts it, without hugepages; whatever interfaces a
 * test makes end with the process.
 */
#ifndef TESTS_SUPPORT_NIC_LAB_H
#define TESTS_SUPPORT_NIC_LAB_H

#include <stdint.h>

#include "dataplane/nic.h"
#include "switch/error.h"
#include "switch/frame.h"
#include "tests/support/frame_builder.h"

#define NIC_LAB_PORT 7u            /* the switch's number of every nic here */

struct nic_lab {
    struct dataplane *dataplane;
    struct frame_batch sent;
    struct frame_batch got;
    struct drop_tally refused;
    uint8_t verdict[FRAME_BURST];
    struct wire wire[FRAME_BURST];
    uint8_t bytes[FRAME_MAX_BYTES];
};

/** @return owned, for nic_lab_destroy(); NULL, with a line that says why the tests are skipped */
struct nic_lab *nic_lab_create(void);
void nic_lab_destroy(struct nic_lab *lab);

/** A group's setup and teardown: *state is a lab, for nic_lab_of(), which skips without one. */
int nic_lab_setup(void **state);
int nic_lab_teardown(void **state);
struct nic_lab *nic_lab_of(void **state);

/** Makes a nic with one queue for one worker, or fails the test with what it said. */
struct nic *nic_lab_nic(const char *where, uint32_t mtu_bytes);
/** Tries to, and returns the sentence of its refusal: "" when there was none. */
const char *nic_lab_refusal(const char *where, uint32_t mtu_bytes, struct error *error);

/** Puts a frame into lab->sent, of @p len_bytes with a pattern of its own, in runs that long. */
void nic_lab_add(struct nic_lab *lab, uint32_t len_bytes, uint32_t run_bytes);
/** Starts lab->sent over. */
void nic_lab_start(struct nic_lab *lab);
/** Sends all of lab->sent as @p worker.  @return how many were sent */
uint16_t nic_lab_send(struct nic_lab *lab, struct nic *nic, uint16_t worker);
/** Fills lab->got, waiting for at most a second for something.  @return frames in it */
uint16_t nic_lab_receive(struct nic_lab *lab, struct nic *nic);

/** Whether a frame of a batch has exactly these bytes, header first, as a frame is to be. */
int nic_lab_same(struct nic_lab *lab, const struct frame_batch *batch, uint16_t index,
                 const uint8_t *bytes, uint32_t len_bytes);

#endif
