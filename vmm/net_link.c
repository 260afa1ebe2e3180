/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/net_link.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define BIT(n) (UINT64_C(1) << (n))

static bool has_acked(const struct net_link *link, unsigned feature)
{
    return (link->device->acked & BIT(feature)) != 0;
}

/* Whether ring @p number is the switch's: the queue of that number is none for control, and the
 * driver has made it ready. */
static bool is_ring(const struct net_link *link, uint16_t number)
{
    return number < (has_acked(link, VIRTIO_NET_F_MQ) ? 2 * link->pairs : 2) &&
           link->device->queue[number].ready;
}

/*
 * What the driver goes by.  The rest, what a guest would take undone and then never gets so, is no
 * loss with a switch that does not offer it.
 */
static uint64_t features_needed(const struct net_link *link)
{
    return link->device->acked & NET_LINK_FEATURES_ALL & ~NET_GUEST_OFFLOADS;
}

static uint64_t features_wanted(const struct net_link *link, const struct net_control *wanted)
{
    return features_needed(link) | (wanted->guest_offloads & link->offered);
}

static int refuse(uint64_t lacking, struct error *error)
{
    static const struct {
        unsigned number;
        const char *name;
    } table[] = {
#define X(number, name) { number, #name },
        NET_LINK_FEATURES(X)
#undef X
    };
    char names[256] = "";
    size_t len_bytes = 0;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if ((lacking & BIT(table[i].number)) != 0) {
            len_bytes += (size_t)snprintf(names + len_bytes, sizeof(names) - len_bytes, "%s%s",
                                          len_bytes == 0 ? "" : ", ", table[i].name);
        }
    }
    return error_set(error, ENOTSUP,
                     "the switch does not offer this vNIC %s, which the guest's driver uses: see "
                     "--offload and --queues of `vswitchctl vnic`, or restart the guest", names);
}

static int start_ring(struct net_link *link, uint16_t number, struct error *error)
{
    const struct ram *ram = link->device->ram;
    const struct virtio_queue *queue = &link->device->queue[number];
    /* All three parts lie in memory: a driver with others is not started. */
    const volatile struct vring_used *used = ram_at(ram, queue->used_gpa, sizeof(*used));
    const struct backend_ring set = {
        .size = queue->size,
        .base = used->idx,         /* a guest's word, which is the switch's to check */
        .desc = ram_at(ram, queue->desc_gpa, sizeof(struct vring_desc)),
        .avail = ram_at(ram, queue->avail_gpa, sizeof(struct vring_avail)),
        .used = (const void *)(uintptr_t)used,
        .kick_fd = queue->kick_fd,
        .call_fd = queue->call_fd,
    };

    return backend_start_ring(link->backend, number, &set, error);
}

/* A ring that was only stopped would stay enabled: then the next driver's is served as soon as it
 * has a kick, and what comes while the rest is handed over is lost. */
static int stop_ring(struct net_link *link, uint16_t number, struct error *error)
{
    const int result = backend_enable_ring(link->backend, number, false, error);

    return result < 0 ? result : backend_stop_ring(link->backend, number, error);
}

static int enable_pairs(struct net_link *link, uint16_t pairs, struct error *error)
{
    int result = 0;

    link->told_pairs = pairs;
    for (uint16_t i = 0; i < 2 * link->pairs && result == 0; i++) {
        if (is_ring(link, i)) {
            result = backend_enable_ring(link->backend, i, i < 2 * pairs, error);
        }
    }
    return result;
}

/* Gives the switch all that the driver set up. */
static int hand_over(struct net_link *link, const struct net_control *wanted, struct error *error)
{
    int result;

    link->calls_changed = 0;       /* before the descriptors are read */
    link->told_features = features_wanted(link, wanted);
    result = backend_set_features(link->backend, link->told_features, error);
    if (result == 0 && has_acked(link, VIRTIO_NET_F_MTU)) {
        result = backend_set_mtu(link->backend, link->mtu_bytes, error);
    }
    if (result == 0) {
        result = backend_set_memory(link->backend, link->device->ram, error);
    }
    for (uint16_t i = 0; i < 2 * link->pairs && result == 0; i++) {
        if (is_ring(link, i)) {
            result = start_ring(link, i, error);
        }
    }
    if (result == 0) {
        result = enable_pairs(link, wanted->pairs, error);
    }
    link->served = result == 0;
    return result;
}

static int move_call(struct net_link *link, uint16_t number, struct error *error)
{
    const int call_fd = link->device->queue[number].call_fd;
    const int result = backend_set_call(link->backend, number, call_fd, error);

    if (call_fd >= 0) {
        /* What the switch has said by the old one in the meantime may have been for nobody. */
        (void)eventfd_write(call_fd, 1);
    }
    return result;
}

static int update(struct net_link *link, const struct net_control *wanted, struct error *error)
{
    const uint64_t calls = atomic_exchange(&link->calls_changed, 0);
    int result = 0;

    for (uint16_t i = 0; i < 2 * link->pairs && result == 0; i++) {
        if ((calls & BIT(i)) != 0 && is_ring(link, i)) {
            result = move_call(link, i, error);
        }
    }
    if (result == 0 && link->told_features != features_wanted(link, wanted)) {
        link->told_features = features_wanted(link, wanted);
        result = backend_set_features(link->backend, link->told_features, error);
    }
    if (result == 0 && link->told_pairs != wanted->pairs) {
        result = enable_pairs(link, wanted->pairs, error);
    }
    return result;
}

void net_link_call_changed(struct net_link *link, uint16_t queue)
{
    atomic_fetch_or(&link->calls_changed, BIT(queue));
}

int net_link_settle(struct net_link *link, const struct net_control *wanted, struct error *error)
{
    const uint64_t lacking = features_needed(link) & ~link->offered;

    if (link->served) {
        return update(link, wanted, error);
    }
    return lacking != 0 ? refuse(lacking, error) : hand_over(link, wanted, error);
}

int net_link_take_back(struct net_link *link, struct error *error)
{
    int result = 0;

    for (uint16_t i = 0; link->served && i < 2 * link->pairs && result == 0; i++) {
        if (is_ring(link, i)) {
            result = stop_ring(link, i, error);
        }
    }
    link->served = false;
    return result;
}
