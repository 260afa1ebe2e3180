/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/nic.h"

#include <linux/virtio_net.h>

#include "vmm/guest/memory.h"
#include "vmm/guest/text.h"

#define RECEIVE_BUFFER_BYTES 2048u
#define GATHERED_BYTES       (65536u + RECEIVE_BUFFER_BYTES)
#define AHEAD_ENTRIES        8u
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
    for (uint16_t i = 0; i < nic->send.size; i++) {
        nic->memory->send.desc[i].addr = (uintptr_t)nic->memory->send_buffer[i];
        nic->free[i] = i;
    }
    nic->free_next = 0;
    nic->free_count = nic->send.size;
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

/* Several buffers come from the device's core at once then.  Where none has come yet, the entry is
 * an old one, mostly the right one too. */
static void fetch_ahead(const struct nic *nic)
{
    const struct ring *ring = &nic->receive;
    const uint32_t head = ring->memory->used.ring[(ring->used_next + AHEAD_ENTRIES) &
                                                  (ring->size - 1u)].id;

    if (head < ring->size) {
        __builtin_prefetch(nic->memory->receive_buffer[head]);
    }
}

/* The next buffer of a frame.  Returns NULL when there is none. */
static uint8_t *take_buffer(struct nic *nic, uint32_t *len_bytes)
{
    uint16_t head;

    if (!ring_take(&nic->receive, &head, len_bytes)) {
        return NULL;
    }
    if (head >= nic->receive.size || *len_bytes > RECEIVE_BUFFER_BYTES ||
        nic->held_count == nic->receive.size) {
        broke_rules(nic, "a buffer came back that it was not given, or longer");
        return NULL;
    }
    nic->held[nic->held_count++] = head;
    fetch_ahead(nic);
    return nic->memory->receive_buffer[head];
}

/* A frame's buffers but the first, which holds @p *len_bytes of it.  5.1.6.4.1: they come all at
 * once.  Puts them into @p to one behind the other, if that is not NULL. */
static bool take_others(struct nic *nic, unsigned count, uint8_t *to, size_t *len_bytes)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t piece_bytes;
        const uint8_t *piece = take_buffer(nic, &piece_bytes);

        if (piece == NULL || piece_bytes > GATHERED_BYTES - *len_bytes) {
            broke_rules(nic, "a frame's later buffers are missing, or too many");
            return false;
        }
        if (to != NULL) {
            memcpy(to + *len_bytes, piece, piece_bytes);
        }
        *len_bytes += piece_bytes;
    }
    return true;
}

static inline const uint8_t *receive(struct nic *nic, bool whole, size_t *len_bytes)
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
    buffer += HEADER_BYTES;
    *len_bytes = buffer_bytes - HEADER_BYTES;
    if (header->num_buffers == 1) {
        return buffer;
    }
    if (whole) {
        memcpy(gathered, buffer, *len_bytes);
        buffer = gathered;
    }
    return take_others(nic, header->num_buffers - 1u, whole ? gathered : NULL, len_bytes) ? buffer
                                                                                         : NULL;
}

const uint8_t *nic_receive(struct nic *nic, size_t *len_bytes)
{
    return receive(nic, true, len_bytes);
}

const uint8_t *nic_receive_head(struct nic *nic, size_t *len_bytes)
{
    return receive(nic, false, len_bytes);
}

void nic_release(struct nic *nic)
{
    for (uint16_t i = 0; i < nic->held_count; i++) {
        ring_give(&nic->receive, nic->held[i]);
    }
    nic->held_count = 0;
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
        nic->free[(nic->free_next + nic->free_count++) % NIC_SEND_ENTRIES] = head;
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
    return nic->memory->send_buffer[nic->free[nic->free_next]] + HEADER_BYTES;
}

void nic_send(struct nic *nic, size_t len_bytes)
{
    static const struct virtio_net_hdr_v1 plain;
    const uint16_t head = nic->free[nic->free_next];
    const uint32_t sent_bytes = (uint32_t)(HEADER_BYTES + len_bytes);

    nic->free_next = (uint16_t)((nic->free_next + 1) % NIC_SEND_ENTRIES);
    nic->free_count--;
    memory_put(nic->memory->send_buffer[head], &plain, sizeof(plain));
    memory_put(&nic->memory->send.desc[head].len, &sent_bytes, sizeof(sent_bytes));
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
