/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frontend says, and what becomes of it.
 *
 * A message that changes anything a worker uses retires the live device before it is obeyed, and
 * the device is built anew after, whether the message was obeyed or refused.
 *
 * A device runs from when the rings of its first pair are complete and enabled until the frontend
 * asks for a ring's base: that is how a driver's reset and a paused VM reach us.
 */
#include "vnic/vhost_control_device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "switch/mac.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/*
 * What is offered beside offloads.  Buffers are always used in the order they came.  Dirty-page
 * logging is not offered: a VMM refuses to migrate such a VM live rather than to corrupt it.  Nor
 * are packed rings: where one goes on is known to the device alone, so that a guest with one would
 * be cut off when the switch is started anew.
 */
#define OUR_FEATURES                                                                            \
    (FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_ANY_LAYOUT) | FEATURE(VIRTIO_F_IN_ORDER) |  \
     FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |                  \
     FEATURE(VIRTIO_NET_F_MRG_RXBUF) | FEATURE(VIRTIO_NET_F_MQ) | FEATURE(VIRTIO_NET_F_MTU) |   \
     FEATURE(VIRTIO_NET_F_STATUS) | FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) |                      \
     FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_CTRL_RX) |                            \
     FEATURE(VIRTIO_NET_F_CTRL_VLAN) | FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) |                    \
     FEATURE(VHOST_USER_F_PROTOCOL_FEATURES))

#define OUR_PROTOCOL_FEATURES                                                                   \
    (FEATURE(VHOST_PROTOCOL_MQ) | FEATURE(VHOST_PROTOCOL_RARP) |                                \
     FEATURE(VHOST_PROTOCOL_REPLY_ACK) | FEATURE(VHOST_PROTOCOL_NET_MTU))

/* ---- rings ----------------------------------------------------------------------------------- */

static void set_fd(int *kept, int fd)
{
    if (*kept >= 0) {
        (void)close(*kept);
    }
    *kept = fd;
}

/* As it was before the frontend said anything of it. */
static void ring_clear(struct vhost_ring *ring)
{
    set_fd(&ring->call_fd, VHOST_FD_NOT_SET);
    set_fd(&ring->kick_fd, VHOST_FD_NOT_SET);
    *ring = (struct vhost_ring){ .call_fd = VHOST_FD_NOT_SET, .kick_fd = VHOST_FD_NOT_SET };
}

static bool ring_is_ready(const struct vhost_ring *ring)
{
    return ring->size != 0 && ring->placed && ring->enabled &&
           ring->call_fd != VHOST_FD_NOT_SET && ring->kick_fd != VHOST_FD_NOT_SET;
}

static void disable_rings(struct vhost_vnic *device, uint16_t from)
{
    for (uint16_t i = from; i < device->ring_count; i++) {
        device->ring[i].enabled = false;
    }
}

/* ---- the start and the end of a device, of a frontend ---------------------------------------- */

static void start(struct vhost_vnic *device)
{
    device->running = true;
    vhost_device_build(device);
    pthread_mutex_lock(&device->lock);
    device->attached = true;
    device->status.attaches++;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

/* The driver was reset or its frontend left: either way what it did wrong is forgiven. */
static void stop(struct vhost_vnic *device)
{
    if (!device->running) {
        return;
    }
    vhost_device_retire(device);
    device->running = false;
    for (uint16_t i = 0; i < device->ring_count; i++) {
        device->ring[i].fault = VIRTQUEUE_NONE;
    }
    atomic_store_explicit(&device->vnic.fault, VIRTQUEUE_NONE, memory_order_release);
    pthread_mutex_lock(&device->lock);
    device->attached = false;
    device->status.features = 0;
    device->status.pairs_enabled = 0;
    device->status.ring_size = 0;
    device->status.announce_mac = 0;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

/* Forgets what the frontend has set up. */
static void clear(struct vhost_vnic *device)
{
    stop(device);
    for (uint16_t i = 0; i < device->ring_count; i++) {
        ring_clear(&device->ring[i]);
    }
    vhost_ram_unmap(&device->memory);
    device->memory_set = false;
    device->features = 0;
}

/* What the connection has been offered it may ask for as long as it lasts. */
static uint64_t grant(struct vhost_vnic *device)
{
    const uint64_t offered = atomic_load(&device->offered);

    device->granted |= offered;
    pthread_mutex_lock(&device->lock);
    device->status.granted = device->granted;
    pthread_mutex_unlock(&device->lock);
    return offered;
}

void vhost_device_welcome(struct vhost_vnic *device)
{
    (void)grant(device);
}

void vhost_device_leave(struct vhost_vnic *device)
{
    clear(device);
    device->granted = 0;
    atomic_store_explicit(&device->vnic.memory_gone, false, memory_order_relaxed);
    pthread_mutex_lock(&device->lock);
    device->status.granted = 0;
    device->status.guest_mtu_bytes = 0;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);                               /* also when it had not run */
}

void vhost_device_note_refusal(struct vhost_vnic *device, enum vhost_refusal why)
{
    pthread_mutex_lock(&device->lock);
    device->status.refusal = why;
    device->status.refusals++;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* Of a device that runs only the offloads may change: see vhost_control.h. */
static enum vhost_refusal set_features(struct vhost_vnic *device, uint64_t wanted)
{
    if ((wanted & ~(OUR_FEATURES | device->granted)) != 0 ||
        (device->running && ((wanted ^ device->features) & ~OFFLOAD_ALL) != 0)) {
        return VHOST_REFUSED_FEATURES;
    }
    device->features = wanted;
    if ((wanted & FEATURE(VIRTIO_NET_F_MQ)) == 0) {
        disable_rings(device, 2);
    }
    return VHOST_REFUSED_NOT;
}

static enum vhost_refusal set_memory(struct vhost_vnic *device, const struct vhost_message *m)
{
    struct vhost_ram memory;

    if (!vhost_ram_map(&memory, m)) {
        return VHOST_REFUSED_MEMORY;
    }
    vhost_ram_unmap(&device->memory);
    device->memory = memory;
    device->memory_set = true;
    return VHOST_REFUSED_NOT;
}

static void place_ring(struct vhost_ring *ring, const struct vhost_message *m)
{
    ring->desc = m->payload.addr.desc_user_addr;
    ring->avail = m->payload.addr.avail_user_addr;
    ring->used = m->payload.addr.used_user_addr;
    ring->placed = true;
    ring->fresh = true;
}

static void set_kick(struct vhost_vnic *device, struct vhost_ring *ring, int fd)
{
    set_fd(&ring->kick_fd, fd);
    /* Without protocol features a ring is enabled by being started. */
    if ((device->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES)) == 0) {
        ring->enabled = true;
    }
}

/* The frontend takes the ring back, and with it the device. */
static void stop_ring(struct vhost_vnic *device, struct vhost_message *m)
{
    struct vhost_ring *ring = &device->ring[m->payload.state.index];

    stop(device);
    m->payload.state.num = ring->last_avail;
    ring->placed = false;
    set_fd(&ring->call_fd, VHOST_FD_NOT_SET);
    set_fd(&ring->kick_fd, VHOST_FD_NOT_SET);
}

static void note_for_people(struct vhost_vnic *device, const struct vhost_message *m)
{
    pthread_mutex_lock(&device->lock);
    if (m->request == MESSAGE_SEND_RARP) {
        /* Six bytes as on the wire, not a number of the host. */
        device->status.announce_mac = mac_read(m->payload.bytes);
    } else {
        device->status.guest_mtu_bytes = (uint32_t)m->payload.u64;
    }
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

/* Does what a message that passed its check asks for; an answer is left in its payload. */
static enum vhost_refusal obey(struct vhost_vnic *device, struct vhost_message *m)
{
    struct vhost_ring *ring = &device->ring[vhost_message_ring(m)];

    switch ((enum vhost_request)m->request) {
    case MESSAGE_GET_FEATURES:
        m->payload.u64 = OUR_FEATURES | grant(device);
        break;
    case MESSAGE_SET_FEATURES:
        return set_features(device, m->payload.u64);
    case MESSAGE_GET_PROTOCOL_FEATURES:
        m->payload.u64 = OUR_PROTOCOL_FEATURES;
        break;
    case MESSAGE_SET_PROTOCOL_FEATURES:
        return (m->payload.u64 & ~OUR_PROTOCOL_FEATURES) == 0 ? VHOST_REFUSED_NOT
                                                               : VHOST_REFUSED_FEATURES;
    case MESSAGE_GET_QUEUE_NUM:
        m->payload.u64 = device->ring_count / 2u;
        break;
    case MESSAGE_RESET_OWNER:
        clear(device);
        break;
    case MESSAGE_SET_MEM_TABLE:
        return set_memory(device, m);
    case MESSAGE_SET_VRING_NUM:
        ring->size = (uint16_t)m->payload.state.num;
        break;
    case MESSAGE_SET_VRING_ADDR:
        place_ring(ring, m);
        break;
    case MESSAGE_SET_VRING_BASE:
        ring->last_avail = ring->next_used = (uint16_t)m->payload.state.num;
        ring->fresh = true;
        break;
    case MESSAGE_GET_VRING_BASE:
        stop_ring(device, m);
        break;
    case MESSAGE_SET_VRING_KICK:
        set_kick(device, ring, vhost_message_take_fd(m));
        break;
    case MESSAGE_SET_VRING_CALL:
        set_fd(&ring->call_fd, vhost_message_take_fd(m));
        break;
    case MESSAGE_SET_VRING_ENABLE:
        ring->enabled = m->payload.state.num != 0;
        break;
    case MESSAGE_SEND_RARP:
    case MESSAGE_NET_SET_MTU:
        note_for_people(device, m);
        break;
    case MESSAGE_SET_OWNER:
    case MESSAGE_SET_VRING_ERR:
    case MESSAGE_COUNT:
        break;
    }
    return VHOST_REFUSED_NOT;
}

/* The length of the answer that a request always has; 0: it has one only when it asks. */
static uint32_t answer_bytes(uint32_t request)
{
    switch (request) {
    case MESSAGE_GET_FEATURES:
    case MESSAGE_GET_PROTOCOL_FEATURES:
    case MESSAGE_GET_QUEUE_NUM:
        return sizeof(uint64_t);
    case MESSAGE_GET_VRING_BASE:
        return sizeof(struct vhost_vring_state);
    default:
        return 0;
    }
}

static void start_or_build(struct vhost_vnic *device)
{
    if (!device->running && device->memory_set && ring_is_ready(&device->ring[0]) &&
        ring_is_ready(&device->ring[1])) {
        start(device);
    } else {
        vhost_device_build(device);
    }
}

bool vhost_device_obey(struct vhost_vnic *device, struct vhost_connection *connection)
{
    struct vhost_message *m = &connection->channel.message;
    enum vhost_refusal why = vhost_message_check(m, device->ring_count);
    uint32_t len_bytes = 0;

    if (why == VHOST_REFUSED_NOT) {
        if (vhost_message_changes(m)) {
            vhost_device_retire(device);
        }
        why = obey(device, m);
        start_or_build(device);
        len_bytes = answer_bytes(m->request);
    }
    if (why != VHOST_REFUSED_NOT) {
        vhost_device_note_refusal(device, why);
        len_bytes = 0;
    }
    if (len_bytes != 0) {
        return vhost_channel_answer(&connection->channel, len_bytes);
    }
    if ((m->flags & VHOST_FLAG_NEED_REPLY) != 0) {
        m->payload.u64 = why != VHOST_REFUSED_NOT;
        return vhost_channel_answer(&connection->channel, sizeof(m->payload.u64));
    }
    return why == VHOST_REFUSED_NOT;
}
