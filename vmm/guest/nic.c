/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/nic.h"

#include <linux/virtio_net.h>

#include "vmm/guest/memory.h"
#include "vmm/guest/text.h"

#define RECEIVE_BUFFER_BYTES 2048u
#define GATHERED_BYTES       (65536u + RECEIVE_BUFFER_BYTES)
#define TELL_ENTRIES         32u       /* given back to the device at once */
#define HEADER_BYTES         sizeof(struct virtio_net_hdr_v1)

#define RECEIVE_QUEUE 0u
#define SEND_QUEUE    1u

#define FEATURES (VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_MTU) | \
                  VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF))

struct nic_memory {
    struct ring_memory receive, send;
    uint8_t receive_buffer[VIRTIO_RING_ENTRIES][RECEIVE_BUFFER_BYTES];
    uint8_t send_buffer[NIC_SEND_ENTRIES][HEADER_BYTES + NIC_FRAME_BYTES_MAX];
};

static struct nic_memory memory[NIC_MAX];
static uint8_t gathered[GATHERED_BYTES];       /* the last frame of more than one buffer */

static bool has(const struct nic *nic, unsigned feature)
{
    return (nic->device.features & VIRTIO_FEATURE(feature)) != 0;
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool link_is_up(const struct nic *nic)
{
    const volatile uint8_t *status = nic->device.config +
                                     offsetof(struct virtio_net_config, status);

    return !has(nic, VIRTIO_NET_F_STATUS) ||
           (*(const volatile uint16_t *)status & VIRTIO_NET_S_LINK_UP) != 0;
}

static void read_config(struct nic *nic)
{
    const volatile uint8_t *config = nic->device.config;

    for (unsigned i = 0; i < 6; i++) {
        nic->station.mac[i] = config[offsetof(struct virtio_net_config, mac) + i];
    }
    nic->mtu_bytes = 0;
    if (has(nic, VIRTIO_NET_F_MTU)) {
        nic->mtu_bytes = *(const volatile uint16_t *)(config +
                                                      offsetof(struct virtio_net_config, mtu));
    }
    nic->link_is_up = link_is_up(nic);
}

static void give_all(struct nic *nic)
{
    for (uint16_t i = 0; i < nic->receive.size; i++) {
        nic->memory->receive.desc[i] = (struct vring_desc){
            .addr = (uintptr_t)nic->memory->receive_buffer[i],
            .len = RECEIVE_BUFFER_BYTES,
            .flags = VRING_DESC_F_WRITE,
        };
        ring_give(&nic->receive, i);
    }
    nic->held_count = 0;
    nic->free_count = 0;
    for (uint16_t i = nic->send.size; i > 0; i--) {
        nic->memory->send.desc[i - 1].addr = (uintptr_t)nic->memory->send_buffer[i - 1];
        nic->free[nic->free_count++] = (uint16_t)(i - 1);
    }
}

bool nic_start_quietly(struct nic *nic)
{
    nic->memory = &memory[nic->number];
    nic->works = virtio_start(&nic->device, FEATURES | nic->wanted) &&
                 ring_start(&nic->receive, &nic->device, RECEIVE_QUEUE, VIRTIO_RING_ENTRIES,
                            &nic->memory->receive) &&
                 ring_start(&nic->send, &nic->device, SEND_QUEUE, NIC_SEND_ENTRIES,
                            &nic->memory->send);
    if (nic->works) {
        read_config(nic);
        give_all(nic);
        virtio_start_end(&nic->device);
        ring_tell(&nic->receive);
    }
    return nic->works;
}

void nic_start(struct nic *nic)
{
    char mac[TEXT_MAC_SIZE];

    if (!nic_start_quietly(nic)) {
        say("nic %u does not start: its device refuses", nic->number);
        return;
    }
    say("nic %u %s mac %s mtu %u link %s features 0x%lx", nic->number,
        nic->device.is_pci ? "pci" : "mmio", text_mac(nic->station.mac, mac), nic->mtu_bytes,
        nic->link_is_up ? "up" : "down", nic->device.features);
}

void nic_look_at_link(struct nic *nic)
{
    const bool is_up = link_is_up(nic);

    if (is_up != nic->link_is_up) {
        nic->link_is_up = is_up;
        say("nic %u link %s", nic->number, is_up ? "up" : "down");
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

static const uint8_t *broke_rules(struct nic *nic, const char *how)
{
    nic->works = false;
    say("nic %u broke the rules: %s", nic->number, how);
    return NULL;
}

/* The next buffer of a frame.  Returns NULL when there is none. */
static uint8_t *take_buffer(struct nic *nic, uint32_t *len_bytes)
{
    uint16_t head;

    if (!ring_take(&nic->receive, &head, len_bytes)) {
        return NULL;
    }
    if (head >= nic->receive.size || *len_bytes > RECEIVE_BUFFER_BYTES) {
        broke_rules(nic, "a buffer came back that it was not given, or longer");
        return NULL;
    }
    nic->held[nic->held_count++] = head;
    return nic->memory->receive_buffer[head];
}

/* A frame of @p count buffers, @p first the first of them.  5.1.6.4.1: they come all at once. */
static const uint8_t *gather(struct nic *nic, const uint8_t *first, uint32_t first_bytes,
                             unsigned count, size_t *len_bytes)
{
    size_t sum_bytes = first_bytes - HEADER_BYTES;

    memcpy(gathered, first + HEADER_BYTES, sum_bytes);
    for (unsigned i = 1; i < count; i++) {
        uint32_t piece_bytes;
        const uint8_t *piece = take_buffer(nic, &piece_bytes);

        if (piece == NULL || piece_bytes > sizeof(gathered) - sum_bytes) {
            return broke_rules(nic, "a frame's later buffers are missing, or too many");
        }
        memcpy(gathered + sum_bytes, piece, piece_bytes);
        sum_bytes += piece_bytes;
    }
    *len_bytes = sum_bytes;
    return gathered;
}

const uint8_t *nic_receive(struct nic *nic, size_t *len_bytes)
{
    const struct virtio_net_hdr_v1 *header;
    const uint8_t *buffer;
    uint32_t buffer_bytes;

    if (!nic->works) {
        return NULL;
    }
    buffer = take_buffer(nic, &buffer_bytes);
    if (buffer == NULL) {
        return NULL;
    }
    header = (const struct virtio_net_hdr_v1 *)buffer;
    if (buffer_bytes < HEADER_BYTES || header->num_buffers == 0) {
        return broke_rules(nic, "a frame came without a header");
    }
    nic->received++;
    if (header->num_buffers > 1) {
        return gather(nic, buffer, buffer_bytes, header->num_buffers, len_bytes);
    }
    *len_bytes = buffer_bytes - HEADER_BYTES;
    return buffer + HEADER_BYTES;
}

void nic_release(struct nic *nic)
{
    while (nic->held_count > 0) {
        ring_give(&nic->receive, nic->held[--nic->held_count]);
    }
    if ((uint16_t)(nic->receive.avail_next - nic->receive.avail_told) >= TELL_ENTRIES) {
        ring_tell(&nic->receive);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static void reclaim(struct nic *nic)
{
    uint32_t written_bytes;
    uint16_t head;

    while (ring_take(&nic->send, &head, &written_bytes)) {
        if (head >= nic->send.size || nic->free_count == nic->send.size) {
            broke_rules(nic, "a sent buffer came back that it was not given");
            return;
        }
        nic->free[nic->free_count++] = head;
    }
}

uint8_t *nic_frame(struct nic *nic)
{
    if (nic->free_count == 0) {
        reclaim(nic);
    }
    if (!nic->works || nic->free_count == 0) {
        return NULL;
    }
    return nic->memory->send_buffer[nic->free[nic->free_count - 1]] + HEADER_BYTES;
}

void nic_send(struct nic *nic, size_t len_bytes)
{
    const uint16_t head = nic->free[--nic->free_count];

    memset(nic->memory->send_buffer[head], 0, HEADER_BYTES);
    nic->memory->send.desc[head].len = (uint32_t)(HEADER_BYTES + len_bytes);
    ring_give(&nic->send, head);
    nic->sent++;
    if ((uint16_t)(nic->send.avail_next - nic->send.avail_told) >= TELL_ENTRIES) {
        ring_tell(&nic->send);
    }
}

void nic_tell(struct nic *nic)
{
    if (nic->works) {
        ring_tell(&nic->send);
        ring_tell(&nic->receive);
    }
}
