/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_message.h"

#include <unistd.h>

#include "vnic/vhost_control_device.h"

#define MEMORY_HEAD_BYTES 8u       /* of SET_MEM_TABLE: the number of regions, and padding */
#define RING_INDEX_MASK   0xffu    /* of SET_VRING_KICK, _CALL, _ERR */
#define RING_NO_FD        0x100u   /* of the same: no descriptor comes with this */

/* What an MTU can be.  Standard: RFC 791, 3.2 (least); virtio 1.2, 5.1.4.1 (most). */
enum { MTU_MIN_BYTES = 68, MTU_MAX_BYTES = 65535 };

/* Which ring a message is about. */
enum ring_field { RING_NONE, RING_IN_STATE, RING_IN_ADDR, RING_IN_U64 };

struct rule {
    bool passes;
    bool changes;                  /* what workers use; retire first */
    uint8_t ring;                  /* enum ring_field */
    uint8_t size_bytes;            /* of the payload, at least */
};

#define WITH_STATE { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) }

static const struct rule rules[MESSAGE_COUNT] = {
    [MESSAGE_GET_FEATURES] = { .passes = true },
    [MESSAGE_SET_FEATURES] = { .passes = true, .changes = true, .size_bytes = 8 },
    [MESSAGE_SET_OWNER] = { .passes = true },
    [MESSAGE_RESET_OWNER] = { .passes = true, .changes = true },
    [MESSAGE_SET_MEM_TABLE] = { true, true, RING_NONE, MEMORY_HEAD_BYTES },
    [MESSAGE_SET_VRING_NUM] = WITH_STATE,
    [MESSAGE_SET_VRING_ADDR] = { true, true, RING_IN_ADDR, sizeof(struct vhost_vring_addr) },
    [MESSAGE_SET_VRING_BASE] = WITH_STATE,
    [MESSAGE_GET_VRING_BASE] = WITH_STATE,
    [MESSAGE_SET_VRING_KICK] = { true, true, RING_IN_U64, 8 },
    [MESSAGE_SET_VRING_CALL] = { true, true, RING_IN_U64, 8 },
    [MESSAGE_SET_VRING_ERR] = { true, false, RING_IN_U64, 8 },
    [MESSAGE_GET_PROTOCOL_FEATURES] = { .passes = true },
    [MESSAGE_SET_PROTOCOL_FEATURES] = { .passes = true, .size_bytes = 8 },
    [MESSAGE_GET_QUEUE_NUM] = { .passes = true },
    [MESSAGE_SET_VRING_ENABLE] = WITH_STATE,
    [MESSAGE_SEND_RARP] = { .passes = true, .size_bytes = 8 },
    [MESSAGE_NET_SET_MTU] = { .passes = true, .size_bytes = 8 },
};

int vhost_message_take_fd(struct vhost_message *m)
{
    return m->fd_count == 0 ? -1 : m->fd[--m->fd_count];
}

void vhost_message_close_fds(struct vhost_message *m)
{
    while (m->fd_count > 0) {
        (void)close(m->fd[--m->fd_count]);
    }
}

uint32_t vhost_message_ring(const struct vhost_message *m)
{
    switch ((enum ring_field)rules[m->request].ring) {
    case RING_IN_STATE:
        return m->payload.state.index;
    case RING_IN_ADDR:
        return m->payload.addr.index;
    case RING_IN_U64:
        return (uint32_t)(m->payload.u64 & RING_INDEX_MASK);
    case RING_NONE:
        break;
    }
    return 0;
}

bool vhost_message_changes(const struct vhost_message *m)
{
    return rules[m->request].changes;
}

/* How many descriptors belong to a message. */
static uint32_t fds_due(const struct vhost_message *m)
{
    if (m->request == MESSAGE_SET_MEM_TABLE) {
        return m->payload.memory.region_count;
    }
    return rules[m->request].ring == RING_IN_U64 && (m->payload.u64 & RING_NO_FD) == 0 ? 1 : 0;
}

static bool is_ring_size(uint32_t entries)
{
    return entries != 0 && entries <= VHOST_RING_MAX_ENTRIES && (entries & (entries - 1)) == 0;
}

static bool table_is_whole(const struct vhost_message *m)
{
    const uint32_t count = m->payload.memory.region_count;

    return count <= GUEST_MEMORY_REGIONS_MAX && m->fd_count == count &&
           m->size_bytes >= MEMORY_HEAD_BYTES + count * sizeof(struct vhost_region);
}

enum vhost_refusal vhost_message_check(const struct vhost_message *m, uint16_t ring_count)
{
    if (m->request >= MESSAGE_COUNT || !rules[m->request].passes ||
        m->size_bytes < rules[m->request].size_bytes) {
        return VHOST_REFUSED_MESSAGE;
    }
    if (m->request == MESSAGE_SET_MEM_TABLE) {
        return table_is_whole(m) ? VHOST_REFUSED_NOT : VHOST_REFUSED_MEMORY;
    }
    if (vhost_message_ring(m) >= ring_count) {
        return VHOST_REFUSED_QUEUES;
    }
    if (m->fd_count != fds_due(m)) {
        return VHOST_REFUSED_MESSAGE;
    }
    if (m->request == MESSAGE_SET_VRING_NUM && !is_ring_size(m->payload.state.num)) {
        return VHOST_REFUSED_RING_SIZE;
    }
    if ((m->request == MESSAGE_SET_VRING_BASE && m->payload.state.num > UINT16_MAX) ||
        (m->request == MESSAGE_NET_SET_MTU && (m->payload.u64 < MTU_MIN_BYTES ||
                                               m->payload.u64 > MTU_MAX_BYTES))) {
        return VHOST_REFUSED_MESSAGE;
    }
    return VHOST_REFUSED_NOT;
}
