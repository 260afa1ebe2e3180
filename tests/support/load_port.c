/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a load: what is done before and after, and the sampling.
 */
#include "tests/support/load_port.h"
#include "tests/support/udp_frame.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 64u
#define MEMORY_SPARE_BYTES (1u << 20)
#define RECEIVE_BUFFER_BYTES (2048u + 128u)    /* as a guest has it that cannot know frame sizes */
/* Coprime to the usual counts of flows and addresses, so that neighbours in time are not neighbours
 * in number, which would be kind to a switch's tables. */
#define SCATTER 7919ull
#define ANNOUNCE_BURST 16u
#define ANNOUNCE_ROUNDS 2u

static uint32_t round_up(uint32_t value, uint32_t to)
{
    return (value + to - 1) / to * to;
}

static uint32_t max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void load_frame_write(uint8_t *frame, const struct load_shape *shape, uint32_t number,
                      unsigned side)
{
    const uint64_t scattered = number * SCATTER;
    const uint32_t flow = (uint32_t)(scattered % shape->flows);
    const uint32_t mac = (uint32_t)(scattered % shape->macs);
    const struct load_payload payload = {LOAD_PAYLOAD_MAGIC, number};
    struct udp_frame fields = {
        .from_ip = (10u << 24 | side << 16) + flow / 60000u,
        .to_ip = 10u << 24 | (1u - side) << 16 | 1u,
        .from_port = (uint16_t)(1024u + flow % 60000u),
        .to_port = 9,
    };

    udp_frame_mac(fields.from, (uint8_t)side, mac);
    udp_frame_mac(fields.to, (uint8_t)(1u - side), mac);
    udp_frame_write(frame, shape->size_bytes, &fields);
    memcpy(frame + UDP_FRAME_HEADERS_BYTES, &payload, sizeof(payload));
}

/* Fills both rings once and for all. */
static void rings_fill(struct load_port *port)
{
    for (uint16_t i = 0; i < LOAD_RING_ENTRIES; i++) {
        port->rx->desc[i] = (struct vring_desc){
            .addr = port->rx->slot_gpa[i],
            .len = port->rx->slot_size_bytes,
            .flags = VRING_DESC_F_WRITE,
        };
        port->rx->avail->ring[i] = i;
        port->tx->desc[i] = (struct vring_desc){
            .addr = port->pool_gpa + (uint64_t)i * port->stride_bytes,
            .len = (uint32_t)(port->f.header_bytes + port->shape.size_bytes),
        };
        port->tx->avail->ring[i] = i;
    }
    port->rx->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    port->tx->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    port->rx_available = LOAD_RING_ENTRIES;
    port->rx_kick_due = true;
    load_release(&port->rx->avail->idx, LOAD_RING_ENTRIES);
    load_kick(port->rx, &port->rx_kick_due);
}

int load_port_open(struct load_port *port, const char *socket_path, const struct load_shape *shape,
                   unsigned side)
{
    const uint32_t with_header_bytes =
        shape->size_bytes + (uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf);
    const uint32_t slot_bytes =
        round_up(max(RECEIVE_BUFFER_BYTES, with_header_bytes), LINE_BYTES);
    const uint32_t stride_bytes = round_up(with_header_bytes, LINE_BYTES);
    const uint32_t pool_frames = round_up(max(shape->flows, shape->macs), LOAD_RING_ENTRIES);
    const uint64_t memory_bytes = 2ull * LOAD_RING_ENTRIES * slot_bytes +
                                  (uint64_t)pool_frames * stride_bytes + MEMORY_SPARE_BYTES;
    const struct frontend_config config = {
        .socket_path = socket_path,
        .ring_entries = LOAD_RING_ENTRIES,
        .slot_bytes = slot_bytes,
        .manual_receive = true,
        .hugepages = true,
        .without_features = 1ull << VIRTIO_RING_F_EVENT_IDX,
        .region_count = 1,
        .region[0] = {.gpa = FRONTEND_DEFAULT_GPA, .size_bytes = memory_bytes},
    };
    int status;

    *port = (struct load_port){
        .shape = *shape, .pool_frames = pool_frames, .stride_bytes = stride_bytes};
    status = frontend_open(&port->f, &config);
    if (status < 0) {
        return status;
    }
    port->rx = &port->f.ring[FRONTEND_RX(0)];
    port->tx = &port->f.ring[FRONTEND_TX(0)];
    port->pool = guest_ram_alloc(&port->f.ram, 0, (size_t)pool_frames * stride_bytes, LINE_BYTES);
    if (port->pool == NULL) {
        frontend_abandon(&port->f);
        return -ENOMEM;
    }
    port->pool_gpa = guest_ram_gpa(&port->f.ram, port->pool);
    for (uint32_t i = 0; i < pool_frames; i++) {
        load_frame_write(port->pool + (size_t)i * stride_bytes + port->f.header_bytes, shape, i,
                         side);
    }
    rings_fill(port);
    return 0;
}

void load_port_close(struct load_port *port)
{
    frontend_abandon(&port->f);
}

struct load_payload load_frame_payload(const uint8_t *frame)
{
    struct load_payload payload;

    memcpy(&payload, frame + UDP_FRAME_HEADERS_BYTES, sizeof(payload));
    return payload;
}

static struct load_payload payload_read(const struct load_port *port, uint16_t used)
{
    return load_frame_payload(port->rx->slot[used % LOAD_RING_ENTRIES] + port->f.header_bytes);
}

void load_port_check(struct load_port *port, uint16_t used)
{
    const uint16_t entry = used % LOAD_RING_ENTRIES;
    const struct vring_used_elem *elem = &port->rx->used->ring[entry];
    const size_t want_bytes = port->f.header_bytes + port->shape.size_bytes;
    const struct virtio_net_hdr_mrg_rxbuf *header = (const void *)port->rx->slot[entry];

    port->checked_frames++;
    port->bad_frames += elem->id != entry || elem->len != want_bytes || header->num_buffers != 1 ||
                        payload_read(port, used).magic != LOAD_PAYLOAD_MAGIC;
}

uint32_t load_port_number(const struct load_port *port, uint16_t used)
{
    return payload_read(port, used).number;
}

int load_ports_announce(struct load_port port[2], int timeout_ms)
{
    const uint32_t frames = round_up(port[0].shape.macs, ANNOUNCE_BURST) * ANNOUNCE_ROUNDS;
    int waited_ms = 0;

    while (port[0].sent_frames < frames || port[1].sent_frames < frames ||
           port[0].received_frames == 0 || port[1].received_frames == 0) {
        for (unsigned side = 0; side < 2; side++) {
            load_port_send(&port[side], 1, ANNOUNCE_BURST);
        }
        usleep(1000);
        for (unsigned side = 0; side < 2; side++) {
            load_port_receive(&port[side]);
        }
        if (++waited_ms > timeout_ms && port[0].sent_frames >= frames) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}
