/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_interface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "dataplane/host_port.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"
#include "switch/checksum.h"
#include "switch/gather.h"
#include "switch/offload.h"

struct fake_interface *fake_interface_create(uint16_t port)
{
    struct fake_interface *fake = calloc(1, sizeof(*fake));

    assert_non_null(fake);
    fake->fd = -1;
    fake->port = port;
    fake->room_frames = UINT32_MAX;
    fake->takes = OFFLOAD_TAKES_CSUM;
    fake->takes_notes = true;
    return fake;
}

/* ---- from it --------------------------------------------------------------------------------- */

/* Readable again as long as something waits, as an interface's descriptor is. */
static uint16_t give(struct fake_interface *fake, struct frame_batch *batch,
                     struct drop_tally *refused)
{
    const int drained = fake->fd >= 0 ? eventfd_read(fake->fd, &(eventfd_t){ 0 }) : 0;
    const unsigned waiting = atomic_load(&fake->waiting_frames);
    const uint16_t count = (uint16_t)(waiting < FRAME_BURST ? waiting : FRAME_BURST);

    if (drained == 0 && fake->fd >= 0 && waiting > count) {
        (void)eventfd_write(fake->fd, 1);
    }
    *batch = (struct frame_batch){ .count = count, .port_in = fake->port };
    for (uint16_t i = 0; i < count; i++) {
        memcpy(batch->hdr[i], fake->frame, sizeof(fake->frame));
        batch->frame[i] = (struct frame){
            .hdr = batch->hdr[i], .len_bytes = sizeof(fake->frame),
            .hdr_len_bytes = sizeof(fake->frame), .port_in = fake->port,
        };
        if (fake->fill != NULL) {
            fake->fill(fake->test, batch, &batch->frame[i]);
        }
    }
    atomic_fetch_sub(&fake->waiting_frames, count);
    refused->count = atomic_exchange(&fake->waiting_refused, 0);
    refused->drops[DROP_BAD_OFFLOAD] = refused->count;
    return count;
}

uint16_t host_port_from_host(struct host_port *port, uint16_t queue, struct frame_batch *batch,
                             struct drop_tally *refused)
{
    (void)queue;
    return give((struct fake_interface *)port, batch, refused);
}

uint16_t packet_port_from_wire(struct packet_port *port, uint16_t queue, struct frame_batch *batch,
                               struct drop_tally *refused)
{
    (void)queue;
    return give((struct fake_interface *)port, batch, refused);
}

void packet_port_return(struct packet_port *port, uint16_t queue)
{
    (void)port;
    (void)queue;
}

uint16_t nic_from_wire(struct nic *nic, uint16_t queue, struct frame_batch *batch,
                       struct drop_tally *refused)
{
    (void)queue;
    return give((struct fake_interface *)nic, batch, refused);
}

void nic_return(struct nic *nic, uint16_t queue)
{
    (void)nic;
    (void)queue;
}

/* ---- to it ----------------------------------------------------------------------------------- */

static void take_note(struct fake_interface *fake, const struct frame_batch *batch,
                      const struct frame *frame)
{
    struct fake_note *note = &fake->note[fake->note_count++];
    const uint16_t start_bytes = frame->csum_start_bytes;
    struct gather gather = gather_start(batch, frame);

    assert_true(fake->note_count <= FAKE_NOTES_MAX);
    assert_int_equal(offload_needs(frame) & ~fake->takes, 0);
    note->len_bytes = frame->len_bytes;
    note->csum_state = frame->csum_state;
    gather_copy(&gather, note->data,
                frame->len_bytes < FAKE_NOTE_BYTES ? frame->len_bytes : FAKE_NOTE_BYTES);
    if (frame->csum_state == FRAME_CSUM_PARTIAL && frame->len_bytes <= FAKE_NOTE_BYTES) {
        checksum_store(&note->data[start_bytes + frame->csum_offset_bytes], frame,
                       checksum_add(0, &note->data[start_bytes], frame->len_bytes - start_bytes,
                                    false));
    }
}

static uint16_t take(struct fake_interface *fake, uint16_t queue, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict,
                     enum drop_reason when_full)
{
    uint16_t taken = 0;

    if (fake->takes_notes) {
        fake->queue = queue;
        fake->calls++;
    }
    for (uint16_t i = 0; i < count; i++) {
        verdict[i] = (uint8_t)(taken < fake->room_frames ? VNIC_DELIVERED : when_full);
        if (verdict[i] == VNIC_DELIVERED) {
            taken++;
        }
        if (verdict[i] == VNIC_DELIVERED && fake->look != NULL) {
            fake->look(fake->test, batch, &batch->frame[index[i]]);
        }
        if (verdict[i] == VNIC_DELIVERED && fake->takes_notes) {
            take_note(fake, batch, &batch->frame[index[i]]);
        }
    }
    if (fake->takes_notes) {
        fake->room_frames -= taken;
    }
    return taken;
}

uint16_t host_port_to_host(struct host_port *port, uint16_t queue, const struct frame_batch *batch,
                           const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    return take((struct fake_interface *)port, queue, batch, index, count, verdict,
                DROP_DEVICE_ERROR);
}

uint16_t packet_port_to_wire(struct packet_port *port, uint16_t queue,
                             const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                             uint8_t *verdict)
{
    return take((struct fake_interface *)port, queue, batch, index, count, verdict,
                DROP_DEVICE_BUSY);
}

uint16_t nic_to_wire(struct nic *nic, uint16_t worker, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    return take((struct fake_interface *)nic, worker, batch, index, count, verdict,
                DROP_DEVICE_BUSY);
}

/* ---- asking it ------------------------------------------------------------------------------- */

uint8_t host_port_takes(const struct host_port *port)
{
    return ((const struct fake_interface *)port)->takes;
}

uint8_t packet_port_takes(const struct packet_port *port)
{
    return ((const struct fake_interface *)port)->takes;
}

uint8_t nic_takes(const struct nic *nic)
{
    return ((const struct fake_interface *)nic)->takes;
}

uint16_t host_port_queues(const struct host_port *port)
{
    (void)port;
    return FAKE_QUEUES;
}

uint16_t packet_port_queues(const struct packet_port *port)
{
    (void)port;
    return FAKE_QUEUES;
}

int host_port_fd(const struct host_port *port, uint16_t queue)
{
    (void)queue;
    return ((const struct fake_interface *)port)->fd;
}

int packet_port_fd(const struct packet_port *port, uint16_t queue)
{
    (void)queue;
    return ((const struct fake_interface *)port)->fd;
}

int nic_fd(const struct nic *nic, uint16_t queue)
{
    (void)queue;
    return ((const struct fake_interface *)nic)->fd;
}

void nic_arm(struct nic *nic, uint16_t queue, bool on)
{
    struct fake_interface *fake = (struct fake_interface *)nic;

    (void)queue;
    fake->armed = on;
    fake->times_armed += on;
}

bool nic_has_more(struct nic *nic, uint16_t queue)
{
    (void)queue;
    return ((const struct fake_interface *)nic)->has_more;
}
