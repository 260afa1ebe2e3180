/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vNICs come and go here, as control sees them; vhost_control_message.c is what happens to them in
 * between.
 */
#include "vnic/vhost_control.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "vnic/vhost_control_device.h"
#include "vnic/vhost_socket.h"

#define FEATURE_NAMES(X)                                                                        \
    X(VIRTIO_NET_F_CSUM, CSUM) X(VIRTIO_NET_F_GUEST_CSUM, GUEST_CSUM)                           \
    X(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, CTRL_GUEST_OFFLOADS) X(VIRTIO_NET_F_MTU, MTU)           \
    X(VIRTIO_NET_F_MAC, MAC) X(VIRTIO_NET_F_GUEST_TSO4, GUEST_TSO4)                             \
    X(VIRTIO_NET_F_GUEST_TSO6, GUEST_TSO6) X(VIRTIO_NET_F_GUEST_ECN, GUEST_ECN)                 \
    X(VIRTIO_NET_F_GUEST_UFO, GUEST_UFO) X(VIRTIO_NET_F_HOST_TSO4, HOST_TSO4)                   \
    X(VIRTIO_NET_F_HOST_TSO6, HOST_TSO6) X(VIRTIO_NET_F_HOST_ECN, HOST_ECN)                     \
    X(VIRTIO_NET_F_HOST_UFO, HOST_UFO) X(VIRTIO_NET_F_MRG_RXBUF, MRG_RXBUF)                     \
    X(VIRTIO_NET_F_STATUS, STATUS) X(VIRTIO_NET_F_CTRL_VQ, CTRL_VQ)                             \
    X(VIRTIO_NET_F_CTRL_RX, CTRL_RX) X(VIRTIO_NET_F_CTRL_VLAN, CTRL_VLAN)                       \
    X(VIRTIO_NET_F_GUEST_ANNOUNCE, GUEST_ANNOUNCE) X(VIRTIO_NET_F_MQ, MQ)                       \
    X(VIRTIO_NET_F_CTRL_MAC_ADDR, CTRL_MAC_ADDR) X(VIRTIO_F_ANY_LAYOUT, ANY_LAYOUT)             \
    X(VIRTIO_RING_F_INDIRECT_DESC, INDIRECT_DESC) X(VIRTIO_RING_F_EVENT_IDX, EVENT_IDX)         \
    X(VHOST_USER_F_PROTOCOL_FEATURES, PROTOCOL_FEATURES) X(VIRTIO_F_VERSION_1, VERSION_1)       \
    X(VIRTIO_F_IN_ORDER, IN_ORDER)                                                              \
    X(54, GUEST_USO4) X(55, GUEST_USO6) X(56, HOST_USO)    /* not in Linux 6.1's headers */

static const struct vhost_control_hooks *hooks;

const char *vhost_feature_name(unsigned bit)
{
    static const char *const names[64] = {
#define X(number, name) [number] = #name,
        FEATURE_NAMES(X)
#undef X
    };

    return bit < 64 ? names[bit] : NULL;
}

const char *vhost_refusal_text(enum vhost_refusal refusal)
{
    static const char *const texts[VHOST_REFUSED_COUNT] = {
#define X(name, text) [VHOST_REFUSED_##name] = text,
        VHOST_REFUSALS(X)
#undef X
    };

    return (unsigned)refusal < VHOST_REFUSED_COUNT ? texts[refusal] : "unknown";
}

/* ---- for the vhost thread's side ------------------------------------------------------------- */

void vhost_hooks_wait(void)
{
    hooks->wait_for_workers(hooks->context);
}

void vhost_hooks_wake(void)
{
    hooks->wake_workers(hooks->context);
}

void vhost_hooks_changed(const struct vhost_vnic *device)
{
    hooks->changed(hooks->context, device->vnic.port);
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

static void offer(struct vhost_vnic *device, uint64_t offload, uint64_t granted)
{
    atomic_store(&device->offered, offload | granted);
    atomic_store_explicit(&device->vnic.leaves, offload_takes(offload), memory_order_relaxed);
}

static struct vhost_vnic *device_create(const struct vhost_control_config *config)
{
    struct vhost_vnic *device = aligned_alloc(_Alignof(struct vhost_vnic), sizeof(*device));

    if (device == NULL) {
        return NULL;
    }
    memset(device, 0, sizeof(*device));
    device->vnic.port = config->port;
    device->vnic.shared = config->shared;
    offer(device, config->offload, config->granted);
    for (unsigned i = 0; i < VNIC_PAIRS_MAX; i++) {
        atomic_flag_clear(&device->vnic.claim[i]);
    }
    memcpy(device->path, config->path, strlen(config->path) + 1);  /* checked: it fits */
    device->ring_count = (uint16_t)(2 * config->pairs);
    for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
        device->ring[i].call_fd = VHOST_FD_NOT_SET;
        device->ring[i].kick_fd = VHOST_FD_NOT_SET;
    }
    pthread_mutex_init(&device->lock, NULL);
    return device;
}

static void device_destroy(struct vhost_vnic *device)
{
    pthread_mutex_destroy(&device->lock);
    free(device);
}

int vhost_control_start(const struct vhost_control_hooks *hooks_to_use, struct error *error)
{
    hooks = hooks_to_use;
    return vhost_server_start(error);
}

void vhost_control_stop(void)
{
    vhost_server_stop();
}

struct vnic *vhost_control_add(const struct vhost_control_config *config, struct error *error)
{
    const int listen_fd = vhost_socket_listen(config->path, config->owner, config->group, error);
    struct vhost_vnic *device;
    int rc;

    if (listen_fd < 0) {
        return NULL;
    }
    device = device_create(config);
    if (device == NULL) {
        vhost_socket_close(listen_fd, config->path);
        (void)error_set(error, ENOMEM, "There is no memory for another vNIC.");
        return NULL;
    }
    device->listen_fd = listen_fd;
    rc = vhost_server_add(device);
    if (rc != 0) {
        vhost_socket_close(listen_fd, config->path);
        device_destroy(device);
        (void)error_set(error, -rc, "The socket %s cannot be watched: %s.", config->path,
                        strerror(-rc));
        return NULL;
    }
    return &device->vnic;
}

void vhost_control_remove(struct vnic *vnic)
{
    struct vhost_vnic *device;

    if (vnic == NULL) {
        return;
    }
    device = vhost_vnic_of(vnic);
    vhost_server_remove(device);
    vhost_socket_close(device->listen_fd, device->path);
    device_destroy(device);
}

int vhost_control_chown(struct vnic *vnic, uid_t owner, gid_t group, struct error *error)
{
    return vhost_socket_chown(vhost_vnic_of(vnic)->path, owner, group, error);
}

void vhost_control_set_offload(struct vnic *vnic, uint64_t features, uint64_t granted)
{
    offer(vhost_vnic_of(vnic), features, granted);
}

void vhost_control_status(const struct vnic *vnic, struct vhost_status *status)
{
    struct vhost_vnic *device = vhost_vnic_of((struct vnic *)(uintptr_t)vnic);
    bool attached;

    pthread_mutex_lock(&device->lock);
    *status = device->status;
    attached = device->attached;
    pthread_mutex_unlock(&device->lock);
    status->fault = vnic_fault(vnic, &status->fault_ring);
    status->state = !attached                          ? VHOST_WAITING
                    : status->fault != VIRTQUEUE_NONE ? VHOST_BROKEN
                                                       : VHOST_ATTACHED;
}
