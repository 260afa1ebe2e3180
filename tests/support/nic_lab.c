/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/nic_lab.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/dataplane.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "tests/support/shell.h"
#include "vnic/vnic.h"

#define TYPE_EXPERIMENTAL 0x88b5u

struct nic_lab *nic_lab_create(void)
{
    static const uint16_t core = 0;
    const struct dataplane_config config = { .cores = &core, .core_count = 1, .no_huge = true };
    struct nic_lab *lab = aligned_alloc(64, sizeof(*lab));
    struct error error = { 0 };
    struct error note;

    if (lab == NULL) {
        return NULL;
    }
    memset(lab, 0, sizeof(*lab));
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
        printf("# skip: only root may make a network namespace\n");
        free(lab);
        return NULL;
    }
    shell_must("ip link set lo up");
    lab->dataplane = dataplane_start(&config, &note, &error);
    if (lab->dataplane == NULL) {
        print_error("%s\n", error.text);
    }
    assert_non_null(lab->dataplane);
    return lab;
}

void nic_lab_destroy(struct nic_lab *lab)
{
    if (lab != NULL) {
        dataplane_stop(lab->dataplane);
        free(lab);
    }
}

int nic_lab_setup(void **state)
{
    *state = nic_lab_create();
    return 0;
}

int nic_lab_teardown(void **state)
{
    nic_lab_destroy(*state);
    return 0;
}

struct nic_lab *nic_lab_of(void **state)
{
    if (*state == NULL) {
        skip();
    }
    return *state;
}

struct nic *nic_lab_nic(const char *where, uint32_t mtu_bytes)
{
    const struct nic_config config = {
        .where = where, .port = NIC_LAB_PORT, .queues = 1, .workers = 1, .mtu_bytes = mtu_bytes
    };
    struct error error = { 0 };
    struct nic *nic = nic_create(&config, &error);

    if (nic == NULL) {
        print_error("%s: %s\n", where, error.text);
    }
    assert_non_null(nic);
    return nic;
}

const char *nic_lab_refusal(const char *where, uint32_t mtu_bytes, struct error *error)
{
    const struct nic_config config = {
        .where = where, .port = NIC_LAB_PORT, .queues = 1, .workers = 1, .mtu_bytes = mtu_bytes
    };

    *error = (struct error){ 0 };
    nic_destroy(nic_create(&config, error));
    return error->text;
}

void nic_lab_start(struct nic_lab *lab)
{
    batch_start(&lab->sent, 0);
}

void nic_lab_add(struct nic_lab *lab, uint32_t len_bytes, uint32_t run_bytes)
{
    struct wire *wire = &lab->wire[lab->sent.count];

    wire_start(wire, 0x020000000001 + lab->sent.count, 0x020000000100);
    wire_type(wire, TYPE_EXPERIMENTAL);
    wire_fill(wire, len_bytes);
    for (uint32_t i = FRAME_MIN_BYTES; i < wire->len_bytes; i++) {
        wire->data[i] = (uint8_t)(wire->data[i] + len_bytes + lab->sent.count + i / 251);
    }
    (void)batch_add_wire(&lab->sent, wire, run_bytes);
}

uint16_t nic_lab_send(struct nic_lab *lab, struct nic *nic, uint16_t worker)
{
    uint8_t index[FRAME_BURST];

    for (uint8_t i = 0; i < FRAME_BURST; i++) {
        index[i] = i;
    }
    return nic_to_wire(nic, worker, &lab->sent, index, lab->sent.count, lab->verdict);
}

uint16_t nic_lab_receive(struct nic_lab *lab, struct nic *nic)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (nic_from_wire(nic, 0, &lab->got, &lab->refused) > 0 || lab->refused.count > 0) {
            break;
        }
        nic_return(nic, 0);
        (void)usleep(1000);
    }
    return lab->got.count;
}

int nic_lab_same(struct nic_lab *lab, const struct frame_batch *batch, uint16_t index,
                 const uint8_t *bytes, uint32_t len_bytes)
{
    const struct frame *frame = &batch->frame[index];
    struct gather from = gather_start(batch, frame);
    uint32_t listed_bytes = frame->hdr_len_bytes;

    for (uint16_t i = 0; i < frame->seg_count; i++) {
        listed_bytes += batch->run[frame->seg_first + i].len_bytes;
    }
    if (frame->len_bytes != len_bytes || listed_bytes != len_bytes || frame->tagged != 0 ||
        frame->hdr_len_bytes != (len_bytes < FRAME_HDR_BYTES ? len_bytes : FRAME_HDR_BYTES)) {
        print_error("frame %u: %u bytes, %u listed, %u trusted; to be %u\n", index,
                    frame->len_bytes, listed_bytes, frame->hdr_len_bytes, len_bytes);
        return 0;
    }
    gather_copy(&from, lab->bytes, len_bytes);
    /* Every source leaves room for a tag. */
    memset(frame->hdr - FRAME_TAG_BYTES, 0xa5, FRAME_TAG_BYTES);
    return memcmp(lab->bytes, bytes, len_bytes) == 0;
}
