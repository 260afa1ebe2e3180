/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_device.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#define BIT(n) (UINT64_C(1) << (n))

/* ---- for devices ----------------------------------------------------------------------------- */

void virtio_device_config_changed(struct virtio_device *device)
{
    atomic_fetch_add(&device->config_generation, 1);
    if ((device->status & VIRTIO_DRIVER_OK) != 0 && device->config_changed != NULL) {
        device->config_changed(device->transport);
    }
}

void virtio_device_needs_reset(struct virtio_device *device)
{
    atomic_fetch_or(&device->status, VIRTIO_NEEDS_RESET);
    virtio_device_config_changed(device);
}

/* ---- features -------------------------------------------------------------------------------- */

uint64_t virtio_device_features(struct virtio_device *device)
{
    return device->ops->features(device) | BIT(VIRTIO_F_VERSION_1);
}

static uint32_t word_of(uint64_t bits, uint32_t select)
{
    return select > 1 ? 0 : (uint32_t)(bits >> (32 * select));
}

uint32_t virtio_device_offered_word(struct virtio_device *device)
{
    return word_of(virtio_device_features(device), device->device_features_select);
}

uint32_t virtio_device_acked_word(const struct virtio_device *device)
{
    return word_of(device->acked, device->driver_features_select);
}

void virtio_device_ack_word(struct virtio_device *device, uint32_t word)
{
    const uint32_t select = device->driver_features_select;

    if (select > 1 || (device->status & VIRTIO_FEATURES_OK) != 0) {
        return;
    }
    device->acked &= ~((uint64_t)UINT32_MAX << (32 * select));
    device->acked |= (uint64_t)word << (32 * select);
}

/* ---- status ---------------------------------------------------------------------------------- */

static bool rings_are_sound(const struct virtio_device *device)
{
    const bool event_idx = (device->acked & BIT(VIRTIO_RING_F_EVENT_IDX)) != 0;

    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        const struct virtio_queue *queue = &device->queue[i];

        if (queue->ready && !virtio_queue_is_sound(device->ram, queue, event_idx)) {
            return false;
        }
    }
    return true;
}

static void stop(struct virtio_device *device)
{
    if (device->running) {
        device->running = false;
        device->ops->stop(device);
    }
}

/* What of the @p wanted status bits the driver may have, given those that it has. */
static uint8_t status_granted(struct virtio_device *device, uint8_t has, uint8_t wanted)
{
    const uint64_t offered = virtio_device_features(device);
    const uint8_t begun = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;

    has |= wanted & (begun | VIRTIO_FAILED);
    if ((wanted & VIRTIO_FEATURES_OK) != 0 && (has & begun) == begun &&
        (device->acked & ~offered) == 0 && (device->acked & BIT(VIRTIO_F_VERSION_1)) != 0) {
        has |= VIRTIO_FEATURES_OK;
    }
    if ((wanted & VIRTIO_DRIVER_OK) != 0 && (has & VIRTIO_FEATURES_OK) != 0) {
        has |= VIRTIO_DRIVER_OK;
    }
    return has;
}

void virtio_device_set_status(struct virtio_device *device, uint8_t status)
{
    const uint8_t before = device->status;
    uint8_t after;

    if (status == 0) {
        virtio_device_reset(device);
        return;
    }
    /* No bit is taken back but by a reset (2.1.1). */
    after = status_granted(device, before, status);
    atomic_fetch_or(&device->status, after);
    if ((after & ~before & VIRTIO_DRIVER_OK) == 0) {
        return;
    }
    if (!rings_are_sound(device)) {
        virtio_device_needs_reset(device);
        return;
    }
    device->running = true;
    device->ops->start(device);
}

void virtio_device_reset(struct virtio_device *device)
{
    stop(device);
    device->status = 0;
    device->acked = 0;
    device->device_features_select = 0;
    device->driver_features_select = 0;
    device->queue_select = 0;
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        struct virtio_queue *queue = &device->queue[i];

        queue->size = queue->size_max;
        queue->ready = false;
        queue->desc_gpa = 0;
        queue->avail_gpa = 0;
        queue->used_gpa = 0;
    }
}

/* ---- queues ---------------------------------------------------------------------------------- */

struct virtio_queue *virtio_device_queue(struct virtio_device *device)
{
    return device->queue_select < device->ops->queue_count ? &device->queue[device->queue_select]
                                                           : NULL;
}

/* The selected queue, if its settings can still be changed. */
static struct virtio_queue *queue_to_set(struct virtio_device *device)
{
    struct virtio_queue *queue = virtio_device_queue(device);

    return queue != NULL && !queue->ready && (device->status & VIRTIO_DRIVER_OK) == 0 ? queue
                                                                                      : NULL;
}

static bool size_is_allowed(const struct virtio_queue *queue, uint32_t size)
{
    return size > 0 && size <= queue->size_max && (size & (size - 1)) == 0;
}

void virtio_device_set_queue_size(struct virtio_device *device, uint32_t size)
{
    struct virtio_queue *queue = queue_to_set(device);

    if (queue != NULL && size_is_allowed(queue, size)) {
        queue->size = (uint16_t)size;
    }
}

void virtio_device_set_queue_ready(struct virtio_device *device, bool ready)
{
    struct virtio_queue *queue = virtio_device_queue(device);

    if (queue == NULL || ready == queue->ready) {
        return;
    }
    if ((device->status & VIRTIO_DRIVER_OK) == 0) {
        queue->ready = ready && queue->size_max > 0;
    } else if (!ready) {
        /* To take one queue away needs VIRTIO_F_RING_RESET, which is not offered.  What the driver
         * is about to do with the memory of its ring is safe only with the device stopped. */
        stop(device);
        queue->ready = false;
        virtio_device_needs_reset(device);
    }
}

static uint64_t *area_of(struct virtio_queue *queue, enum virtio_area area)
{
    switch (area) {
    case VIRTIO_DESC:
        return &queue->desc_gpa;
    case VIRTIO_AVAIL:
        return &queue->avail_gpa;
    case VIRTIO_USED:
        return &queue->used_gpa;
    }
    return NULL;
}

void virtio_device_set_queue_half(struct virtio_device *device, enum virtio_area area, bool high,
                                  uint32_t value)
{
    struct virtio_queue *queue = queue_to_set(device);
    uint64_t *gpa;

    if (queue != NULL) {
        gpa = area_of(queue, area);
        *gpa = high ? (*gpa & UINT32_MAX) | (uint64_t)value << 32
                    : (*gpa & ~(uint64_t)UINT32_MAX) | value;
    }
}

uint32_t virtio_device_queue_half(struct virtio_device *device, enum virtio_area area, bool high)
{
    struct virtio_queue *queue = virtio_device_queue(device);

    return queue == NULL ? 0 : (uint32_t)(*area_of(queue, area) >> (high ? 32 : 0));
}

bool virtio_queue_is_sound(const struct ram *ram, const struct virtio_queue *queue, bool event_idx)
{
    /* The event index stands behind either ring. */
    const uint64_t event_bytes = event_idx ? sizeof(uint16_t) : 0;
    const uint64_t desc_bytes = sizeof(struct vring_desc) * queue->size;
    const uint64_t avail_bytes = 4 + sizeof(uint16_t) * queue->size + event_bytes;
    const uint64_t used_bytes = 4 + sizeof(struct vring_used_elem) * queue->size + event_bytes;

    return size_is_allowed(queue, queue->size) && queue->desc_gpa % VRING_DESC_ALIGN_SIZE == 0 &&
           queue->avail_gpa % VRING_AVAIL_ALIGN_SIZE == 0 &&
           queue->used_gpa % VRING_USED_ALIGN_SIZE == 0 &&
           ram_at(ram, queue->desc_gpa, desc_bytes) != NULL &&
           ram_at(ram, queue->avail_gpa, avail_bytes) != NULL &&
           ram_at(ram, queue->used_gpa, used_bytes) != NULL;
}

/* ---- notifications --------------------------------------------------------------------------- */

void virtio_device_kick(struct virtio_device *device, uint32_t queue)
{
    if (queue < device->ops->queue_count) {
        /* Fails only when the counter is full, and then whoever reads it wakes up anyway. */
        (void)eventfd_write(device->queue[queue].kick_fd, 1);
    }
}

int virtio_device_open_kicks(struct virtio_device *device, struct error *error)
{
    const unsigned count = device->ops->queue_count;

    for (unsigned i = 0; i < count; i++) {
        device->queue[i].kick_fd = -1;
        device->queue[i].call_fd = -1;
    }
    for (unsigned i = 0; i < count; i++) {
        device->queue[i].kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (device->queue[i].kick_fd < 0) {
            const int code = errno;

            virtio_device_close_kicks(device);
            return error_set(error, code,
                             "%s: there is no eventfd for queue %u of %u: %s; raise the limit of "
                             "open files", device->ops->name, i, count, strerror(code));
        }
    }
    return 0;
}

void virtio_device_close_kicks(struct virtio_device *device)
{
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        struct virtio_queue *queue = &device->queue[i];

        if (queue->kick_fd >= 0) {
            close(queue->kick_fd);
        }
        queue->kick_fd = -1;
        queue->call_fd = -1;
    }
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void virtio_device_save(struct virtio_device *device, struct virtio_device_state *state)
{
    *state = (struct virtio_device_state){
        .acked = device->acked,
        .config_generation = device->config_generation,
        .device_features_select = device->device_features_select,
        .driver_features_select = device->driver_features_select,
        .queue_select = device->queue_select,
        .status = device->status,
        .version = VIRTIO_DEVICE_STATE_VERSION,
    };
    if (device->running && device->ops->save != NULL) {
        device->ops->save(device, state->own);
    }
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        const struct virtio_queue *queue = &device->queue[i];

        state->queue[i] = (struct virtio_queue_state){
            .size = queue->size,
            .ready = queue->ready,
            .desc_gpa = queue->desc_gpa,
            .avail_gpa = queue->avail_gpa,
            .used_gpa = queue->used_gpa,
        };
    }
}

/* Gives the device the status it had, and starts it if it ran. */
static void resume(struct virtio_device *device, uint8_t status)
{
    const uint8_t lives = status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET);

    device->status = status & (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
                               VIRTIO_NEEDS_RESET | VIRTIO_FAILED);
    if (lives == VIRTIO_DRIVER_OK) {
        virtio_device_set_status(device, status);
    } else {
        device->status |= lives;
    }
    for (unsigned i = 0; device->running && i < device->ops->queue_count; i++) {
        if (device->queue[i].ready) {
            /* It may have been kicked just before the snapshot. */
            virtio_device_kick(device, i);
        }
    }
}

/* What a driver was granted must be what it would be granted here. */
static int check_state(struct virtio_device *device, const struct virtio_device_state *state,
                       struct error *error)
{
    const uint64_t lacking = state->acked & ~virtio_device_features(device);
    const bool negotiated = (state->status & VIRTIO_FEATURES_OK) != 0;

    if (state->version != VIRTIO_DEVICE_STATE_VERSION) {
        return error_set(error, EINVAL,
                         "%s: the snapshot is of version %u, not %u; it was taken by another "
                         "version of vswitch-vm, which can restore it", device->ops->name,
                         state->version, VIRTIO_DEVICE_STATE_VERSION);
    }
    if (negotiated && (lacking != 0 || (state->acked & BIT(VIRTIO_F_VERSION_1)) == 0)) {
        return error_set(error, EINVAL,
                         "%s: the snapshot's driver uses features 0x%" PRIx64 ", which are not "
                         "offered here; start the VM with the devices that it had",
                         device->ops->name, lacking != 0 ? lacking : state->acked);
    }
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        if (device->queue[i].size_max > 0 &&
            !size_is_allowed(&device->queue[i], state->queue[i].size)) {
            return error_set(error, EINVAL,
                             "%s: queue %u of the snapshot has %u entries, here at most %u; start "
                             "the VM with the devices that it had", device->ops->name, i,
                             state->queue[i].size, device->queue[i].size_max);
        }
    }
    return 0;
}

int virtio_device_restore(struct virtio_device *device, const struct virtio_device_state *state,
                          struct error *error)
{
    int result = check_state(device, state, error);

    if (result != 0) {
        return result;
    }
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        const struct virtio_queue_state *from = &state->queue[i];
        struct virtio_queue *queue = &device->queue[i];

        queue->size = from->size;
        queue->ready = from->ready != 0;
        queue->desc_gpa = from->desc_gpa;
        queue->avail_gpa = from->avail_gpa;
        queue->used_gpa = from->used_gpa;
    }
    device->acked = state->acked;
    device->config_generation = state->config_generation;
    device->device_features_select = state->device_features_select;
    device->driver_features_select = state->driver_features_select;
    device->queue_select = state->queue_select;
    resume(device, state->status);
    if (device->running && device->ops->restore != NULL) {
        result = device->ops->restore(device, state->own, error);
    }
    if (result != 0) {
        virtio_device_reset(device);
    }
    return result;
}
