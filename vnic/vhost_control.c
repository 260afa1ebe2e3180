/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of vNICs come and go here; vhost_control_message.c is what happens on them.
 *
 * What is offered to a guest is a list of what we do, taken out of what the library could do: a
 * feature that a later release of it learns is not offered before we have it.  Dirty-page logging
 * is not on the list, so a VMM refuses to migrate such a VM live rather than to corrupt it.
 */
#include "vnic/vhost_control.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_log.h>
#include <rte_vhost.h>

#include "vnic/vhost_control_device.h"
#include "vnic/vhost_socket.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* The library polls at most 1,024 descriptors: one of its own, and two for each attached vNIC. */
#define VNICS_MAX 511u

/* Of what the process makes, only the library's socket has no mode of its own: this leaves 0660. */
#define SOCKET_UMASK (S_IXUSR | S_IXGRP | S_IRWXO)

#define OUR_FEATURES                                                                            \
    (FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_ANY_LAYOUT) |                               \
     FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |                  \
     FEATURE(VIRTIO_NET_F_MRG_RXBUF) | FEATURE(VIRTIO_NET_F_MQ) | FEATURE(VIRTIO_NET_F_MTU) |   \
     FEATURE(VIRTIO_NET_F_STATUS) | FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) |                      \
     FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_CTRL_RX) |                            \
     FEATURE(VIRTIO_NET_F_CTRL_VLAN) | FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) |                    \
     FEATURE(VHOST_USER_F_PROTOCOL_FEATURES))

static_assert((OUR_FEATURES & OFFLOAD_ALL) == 0, "the library is told of no offload");

#define OUR_PROTOCOL_FEATURES                                                                   \
    (FEATURE(VHOST_USER_PROTOCOL_F_MQ) | FEATURE(VHOST_USER_PROTOCOL_F_RARP) |                  \
     FEATURE(VHOST_USER_PROTOCOL_F_REPLY_ACK) | FEATURE(VHOST_USER_PROTOCOL_F_NET_MTU))

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
    X(54, GUEST_USO4) X(55, GUEST_USO6) X(56, HOST_USO)    /* not in Linux 6.1's headers */

static const struct vhost_control_hooks *hooks;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vhost_vnic *list;                                /* under the lock */
static unsigned list_count;

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

/* ---- for the library's side ------------------------------------------------------------------ */

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

struct vhost_vnic *vhost_vnic_find(const char *path)
{
    struct vhost_vnic *device;

    pthread_mutex_lock(&list_lock);
    for (device = list; device != NULL && strcmp(device->path, path) != 0;) {
        device = device->next;
    }
    pthread_mutex_unlock(&list_lock);
    return device;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void list_add(struct vhost_vnic *device)
{
    pthread_mutex_lock(&list_lock);
    device->next = list;
    list = device;
    list_count++;
    pthread_mutex_unlock(&list_lock);
}

static void list_take(const struct vhost_vnic *device)
{
    pthread_mutex_lock(&list_lock);
    for (struct vhost_vnic **at = &list; *at != NULL; at = &(*at)->next) {
        if (*at == device) {
            *at = device->next;
            list_count--;
            break;
        }
    }
    pthread_mutex_unlock(&list_lock);
}

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
    device->vid = -1;
    pthread_mutex_init(&device->lock, NULL);
    return device;
}

static void device_destroy(struct vhost_vnic *device)
{
    pthread_mutex_destroy(&device->lock);
    free(device);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* Offers what we do and listens; the socket file has its mode from the first moment on. */
static int socket_open(struct vhost_vnic *device, struct error *error)
{
    const char *path = device->path;
    uint64_t known = 0;
    mode_t umask_before;
    int status;

    if (rte_vhost_driver_register(path, 0) != 0) {
        return error_set(error, ENOMEM, "librte_vhost does not take the socket %s; the log has its "
                         "reason.", path);
    }
    if (rte_vhost_driver_get_features(path, &known) != 0 ||
        rte_vhost_driver_disable_features(path, known & ~OUR_FEATURES) != 0 ||
        rte_vhost_driver_set_protocol_features(path, OUR_PROTOCOL_FEATURES) != 0 ||
        rte_vhost_driver_callback_register(path, &vhost_callbacks) != 0) {
        (void)rte_vhost_driver_unregister(path);
        return error_set(error, EIO, "librte_vhost cannot be set up for %s.", path);
    }
    device->features = known & OUR_FEATURES;
    umask_before = umask(SOCKET_UMASK);
    status = rte_vhost_driver_start(path);
    (void)umask(umask_before);
    if (status != 0) {
        (void)rte_vhost_driver_unregister(path);
        return error_set(error, EIO, "librte_vhost cannot listen on %s; the log has its reason.",
                         path);
    }
    return 0;
}

void vhost_control_start(const struct vhost_control_hooks *hooks_to_use)
{
    hooks = hooks_to_use;
    /* A frontend can make the library say anything but an error as often as it likes. */
    (void)rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_ERR);
}

struct vnic *vhost_control_add(const struct vhost_control_config *config, struct error *error)
{
    struct vhost_vnic *device;

    if (list_count >= VNICS_MAX) {
        (void)error_set(error, ENOSPC, "There are %u vNICs, and librte_vhost cannot serve more in "
                        "one process; remove one first.", list_count);
        return NULL;
    }
    if (vhost_socket_prepare(config->path, error) != 0) {
        return NULL;
    }
    device = device_create(config);
    if (device == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory for another vNIC.");
        return NULL;
    }
    list_add(device);
    if (socket_open(device, error) != 0) {
        list_take(device);
        device_destroy(device);
        return NULL;
    }
    if (vhost_socket_chown(config->path, config->owner, config->group, error) != 0) {
        vhost_control_remove(&device->vnic);
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
    /* Ends the connections, with our callbacks on this thread, and removes the socket. */
    (void)rte_vhost_driver_unregister(device->path);
    list_take(device);
    vhost_connections_forget(device);
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
