/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Around every message of a frontend: what librte_vhost calls.
 *
 * A message that changes anything a worker uses retires the live device before the library acts
 * and builds it anew after.  When the library refuses the message there is no call after it; then
 * the next message, whatever it is, builds.
 *
 * A vNIC has one frontend.  A connection becomes it when it says its first word and no other one is
 * up: a predecessor that died may have left messages which the library has yet to read before it
 * sees the end; it is replaced, while a second live frontend is sent away.
 */
#include "vnic/vhost_control_device.h"

#include <linux/virtio_net.h>
#include <string.h>

#include <rte_vhost.h>

#include "switch/mac.h"
#include "vnic/guest_fault.h"
#include "vnic/vhost_message.h"
#include "vnic/vhost_socket.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/*
 * Held in every callback.  They come from the library's one thread, and from control while it
 * removes a vNIC: then another connection to the same socket may be speaking.  The library holds a
 * lock of all its sockets around the latter, so what asks it of a socket by its path
 * (rte_vhost_driver_*) must not be called under this one.
 */
static pthread_mutex_t callback_lock = PTHREAD_MUTEX_INITIALIZER;

/* Whose connection a number of the library's is; under the lock. */
static struct vhost_vnic *owners[RTE_MAX_VHOST_DEVICE];

static struct vhost_vnic *owner_of(int vid)
{
    return vid >= 0 && vid < RTE_MAX_VHOST_DEVICE ? owners[vid] : NULL;
}

void vhost_connections_forget(const struct vhost_vnic *device)
{
    pthread_mutex_lock(&callback_lock);
    for (int vid = 0; vid < RTE_MAX_VHOST_DEVICE; vid++) {
        if (owners[vid] == device) {
            owners[vid] = NULL;
        }
    }
    pthread_mutex_unlock(&callback_lock);
}

/* ---- the end of a device, the end of a frontend ---------------------------------------------- */

static void enable_rings(struct vhost_vnic *device, uint16_t from, uint16_t to, bool enabled)
{
    for (uint16_t i = from; i < to; i++) {
        device->ring[i].enabled = enabled;
    }
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

static void leave(struct vhost_vnic *device)
{
    stop(device);
    device->vid = -1;
    device->memory_set = false;
    device->acked = 0;
    device->granted = 0;
    enable_rings(device, 0, device->ring_count, false);
    atomic_store_explicit(&device->vnic.memory_gone, false, memory_order_relaxed);
    pthread_mutex_lock(&device->lock);
    device->status.granted = 0;
    device->status.guest_mtu_bytes = 0;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);                               /* also when it had not run */
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

/* Whether connection @p vid is, or now becomes, the frontend. */
static bool is_frontend(struct vhost_vnic *device, int vid)
{
    if (device->vid != vid && device->vid >= 0 && vhost_socket_live_peers(device->path) < 2) {
        leave(device);
    }
    if (device->vid < 0) {
        device->vid = vid;
        (void)grant(device);
    }
    return device->vid == vid;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* Fails the message: the library then says so, or closes the connection when nobody asked. */
static enum rte_vhost_msg_result refuse(struct vhost_vnic *device, struct vhost_message *m,
                                        enum vhost_refusal why)
{
    vhost_message_close_fds(m);
    if (device != NULL) {
        pthread_mutex_lock(&device->lock);
        device->status.refusal = why;
        device->status.refusals++;
        pthread_mutex_unlock(&device->lock);
        vhost_hooks_changed(device);
    }
    return RTE_VHOST_MSG_RESULT_ERR;
}

static enum rte_vhost_msg_result answer(struct vhost_message *m, uint64_t value)
{
    vhost_message_close_fds(m);
    m->payload.u64 = value;
    m->size_bytes = sizeof(m->payload.u64);
    return RTE_VHOST_MSG_RESULT_REPLY;
}

/* Leaves to the library the features that are its business: see vhost_control.h. */
static bool part_features(struct vhost_vnic *device, struct vhost_message *m)
{
    const uint64_t wanted = m->payload.u64;

    if ((wanted & ~(device->features | device->granted)) != 0) {
        return false;
    }
    device->asked = wanted & OFFLOAD_ALL;
    m->payload.u64 = wanted & ~OFFLOAD_ALL;
    return true;
}

static enum rte_vhost_msg_result look_before(struct vhost_vnic *device, int vid,
                                             struct vhost_message *m)
{
    enum vhost_refusal why;

    if (device == NULL || !is_frontend(device, vid)) {
        return refuse(device, m, VHOST_REFUSED_SECOND);
    }
    why = vhost_message_check(m, device->ring_count);
    if (why != VHOST_REFUSED_NOT) {
        return refuse(device, m, why);
    }
    if (m->request == MESSAGE_SET_FEATURES && !part_features(device, m)) {
        return refuse(device, m, VHOST_REFUSED_FEATURES);
    }
    guest_fault_blame(&device->vnic);
    if (vhost_message_changes(m)) {
        vhost_device_retire(device);
    }
    if (m->request == MESSAGE_SET_MEM_TABLE || m->request == MESSAGE_RESET_OWNER) {
        device->memory_set = false;
    }
    if (m->request == MESSAGE_GET_QUEUE_NUM) {
        /* The library would offer as many as it can, not as many as this vNIC has. */
        return answer(m, device->ring_count / 2u);
    }
    if (m->request == MESSAGE_GET_FEATURES) {
        return answer(m, device->features | grant(device));
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Keeps what the library does not tell: which rings are enabled, and what is for people to read. */
static void note_message(struct vhost_vnic *device, const struct vhost_message *m)
{
    uint64_t features = 0;

    switch ((enum vhost_request)m->request) {
    case MESSAGE_SET_MEM_TABLE:
        device->memory_set = true;
        break;
    case MESSAGE_SET_VRING_ENABLE:
        device->ring[m->payload.state.index].enabled = m->payload.state.num != 0;
        break;
    case MESSAGE_SET_VRING_KICK:
        /* Without protocol features a ring is enabled by being started. */
        (void)rte_vhost_get_negotiated_features(device->vid, &features);
        if ((features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES)) == 0) {
            device->ring[vhost_message_ring(m)].enabled = true;
        }
        break;
    case MESSAGE_SET_FEATURES:
        device->acked = device->asked;
        if ((m->payload.u64 & FEATURE(VIRTIO_NET_F_MQ)) == 0) {
            enable_rings(device, 2, device->ring_count, false);
        }
        break;
    case MESSAGE_RESET_OWNER:
        device->acked = 0;
        enable_rings(device, 0, device->ring_count, false);
        break;
    case MESSAGE_SEND_RARP:
    case MESSAGE_NET_SET_MTU:
        pthread_mutex_lock(&device->lock);
        if (m->request == MESSAGE_SEND_RARP) {
            /* Six bytes as on the wire, not a number of the host. */
            device->status.announce_mac = mac_read((const uint8_t *)&m->payload.u64);
        } else {
            device->status.guest_mtu_bytes = (uint32_t)m->payload.u64;
        }
        pthread_mutex_unlock(&device->lock);
        vhost_hooks_changed(device);
        break;
    case MESSAGE_GET_FEATURES:
    case MESSAGE_SET_OWNER:
    case MESSAGE_SET_VRING_NUM:
    case MESSAGE_SET_VRING_ADDR:
    case MESSAGE_SET_VRING_BASE:
    case MESSAGE_GET_VRING_BASE:
    case MESSAGE_SET_VRING_CALL:
    case MESSAGE_SET_VRING_ERR:
    case MESSAGE_GET_PROTOCOL_FEATURES:
    case MESSAGE_SET_PROTOCOL_FEATURES:
    case MESSAGE_GET_QUEUE_NUM:
    case MESSAGE_COUNT:
        break;
    }
}

static enum rte_vhost_msg_result before_message(int vid, void *raw)
{
    enum rte_vhost_msg_result result;

    pthread_mutex_lock(&callback_lock);
    result = look_before(owner_of(vid), vid, raw);
    pthread_mutex_unlock(&callback_lock);
    return result;
}

static enum rte_vhost_msg_result after_message(int vid, void *raw)
{
    struct vhost_vnic *device;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        note_message(device, raw);
        vhost_device_build(device);
        guest_fault_blame(NULL);
    }
    pthread_mutex_unlock(&callback_lock);
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* ---- devices and connections ----------------------------------------------------------------- */

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

static int device_started(int vid)
{
    struct vhost_vnic *device;
    bool started;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    started = device != NULL && device->vid == vid;
    if (started) {
        start(device);
    }
    pthread_mutex_unlock(&callback_lock);
    return started ? 0 : -1;
}

static void device_stopped(int vid)
{
    struct vhost_vnic *device;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        stop(device);
    }
    pthread_mutex_unlock(&callback_lock);
}

static int connection_opened(int vid)
{
    static struct rte_vhost_user_extern_ops hooks = {
        .pre_msg_handle = before_message, .post_msg_handle = after_message,
    };
    char path[sizeof(((struct vhost_vnic *)0)->path)] = "";
    struct vhost_vnic *device;

    if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE ||
        rte_vhost_get_ifname(vid, path, sizeof(path)) != 0) {
        return -1;
    }
    device = vhost_vnic_find(path);
    if (device == NULL || rte_vhost_extern_callback_register(vid, &hooks, NULL) != 0) {
        return -1;
    }
    vhost_socket_limit(path);
    pthread_mutex_lock(&callback_lock);
    owners[vid] = device;
    pthread_mutex_unlock(&callback_lock);
    return 0;
}

static void connection_closed(int vid)
{
    struct vhost_vnic *device;

    guest_fault_blame(NULL);
    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        leave(device);
    }
    if (device != NULL) {
        owners[vid] = NULL;
    }
    pthread_mutex_unlock(&callback_lock);
}

const struct rte_vhost_device_ops vhost_callbacks = {
    .new_device = device_started,
    .destroy_device = device_stopped,
    .new_connection = connection_opened,
    .destroy_connection = connection_closed,
};
