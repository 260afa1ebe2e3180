/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/vmm_driver.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#define RINGS_GPA   UINT64_C(0x100000)
#define RING_BYTES  UINT64_C(0x10000)
#define AVAIL_BYTES UINT64_C(0x4000)
#define USED_BYTES  UINT64_C(0x8000)
#define WAIT_MS     10000

int vmm_driver_open(struct vmm_driver *driver)
{
    memset(driver, 0, sizeof(*driver));
    return ram_create(&driver->ram, RAM_MIN_BYTES, NULL);
}

void vmm_driver_close(struct vmm_driver *driver)
{
    ram_destroy(&driver->ram);
}

void *vmm_driver_at(struct vmm_driver *driver, uint64_t gpa)
{
    return ram_at(&driver->ram, gpa, 1);
}

static void config_changed(void *transport)
{
    struct vmm_driver *driver = transport;

    driver->config_changes++;
}

void vmm_driver_plug(struct vmm_driver *driver, struct virtio_device *device)
{
    driver->device = device;
    (void)virtio_device_open_kicks(device, NULL);
    device->config_changed = config_changed;
    device->transport = driver;
    virtio_device_reset(device);
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        const uint64_t gpa = RINGS_GPA + i * RING_BYTES;

        driver->ring[i] = (struct vmm_driver_ring){
            .desc = vmm_driver_at(driver, gpa),
            .avail = vmm_driver_at(driver, gpa + AVAIL_BYTES),
            .used = vmm_driver_at(driver, gpa + USED_BYTES),
            .call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        };
        device->queue[i].call_fd = driver->ring[i].call_fd;
    }
}

void vmm_driver_unplug(struct vmm_driver *driver)
{
    virtio_device_reset(driver->device);
    virtio_device_close_kicks(driver->device);
    for (unsigned i = 0; i < driver->device->ops->queue_count; i++) {
        close(driver->ring[i].call_fd);
    }
    driver->device = NULL;
}

void vmm_driver_reset(struct vmm_driver *driver)
{
    virtio_device_set_status(driver->device, 0);
}

static void ack(struct virtio_device *device, uint64_t features)
{
    for (uint32_t i = 0; i < 2; i++) {
        device->driver_features_select = i;
        virtio_device_ack_word(device, (uint32_t)(features >> 32 * i));
    }
}

static void set_up_ring(struct vmm_driver *driver, unsigned i)
{
    struct virtio_device *device = driver->device;
    struct vmm_driver_ring *ring = &driver->ring[i];
    const uint64_t gpa = RINGS_GPA + i * RING_BYTES;

    memset(ring->desc, 0, RING_BYTES);
    device->queue_select = (uint16_t)i;
    ring->size = virtio_device_queue(device)->size_max;
    ring->next_desc = 0;
    ring->next_used = 0;
    virtio_device_set_queue_size(device, ring->size);
    virtio_device_set_queue_half(device, VIRTIO_DESC, false, (uint32_t)gpa);
    virtio_device_set_queue_half(device, VIRTIO_AVAIL, false, (uint32_t)(gpa + AVAIL_BYTES));
    virtio_device_set_queue_half(device, VIRTIO_USED, false, (uint32_t)(gpa + USED_BYTES));
    virtio_device_set_queue_ready(device, true);
}

void vmm_driver_start(struct vmm_driver *driver, uint64_t features)
{
    struct virtio_device *device = driver->device;
    uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;

    vmm_driver_reset(driver);
    virtio_device_set_status(device, status);
    ack(device, features | UINT64_C(1) << VIRTIO_F_VERSION_1);
    status |= VIRTIO_FEATURES_OK;
    virtio_device_set_status(device, status);
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        set_up_ring(driver, i);
    }
    virtio_device_set_status(device, status | VIRTIO_DRIVER_OK);
}

uint16_t vmm_driver_offer(struct vmm_driver *driver, unsigned ring,
                          const struct vmm_driver_piece *piece, unsigned count)
{
    struct vmm_driver_ring *own = &driver->ring[ring];
    const uint16_t head = own->next_desc;

    for (unsigned i = 0; i < count; i++) {
        const uint16_t next = (uint16_t)((own->next_desc + 1) % own->size);

        own->desc[own->next_desc] = (struct vring_desc){
            .addr = piece[i].gpa,
            .len = piece[i].len_bytes,
            .flags = (uint16_t)((piece[i].writable ? VRING_DESC_F_WRITE : 0) |
                                (i + 1 < count ? VRING_DESC_F_NEXT : 0)),
            .next = next,
        };
        own->next_desc = next;
    }
    own->avail->ring[own->avail->idx % own->size] = head;
    __atomic_store_n(&own->avail->idx, (uint16_t)(own->avail->idx + 1), __ATOMIC_RELEASE);
    vmm_driver_kick(driver, ring);
    return head;
}

void vmm_driver_kick(struct vmm_driver *driver, unsigned ring)
{
    virtio_device_kick(driver->device, ring);
}

bool vmm_driver_used(struct vmm_driver *driver, unsigned ring, uint16_t *head, uint32_t *len_bytes)
{
    struct vmm_driver_ring *own = &driver->ring[ring];
    const struct vring_used_elem *entry = &own->used->ring[own->next_used % own->size];

    if (__atomic_load_n(&own->used->idx, __ATOMIC_ACQUIRE) == own->next_used) {
        return false;
    }
    *head = (uint16_t)entry->id;
    *len_bytes = entry->len;
    own->next_used++;
    return true;
}

bool vmm_driver_wait(struct vmm_driver *driver, unsigned ring, uint16_t *head, uint32_t *len_bytes)
{
    struct pollfd call = { .fd = driver->ring[ring].call_fd, .events = POLLIN };

    while (!vmm_driver_used(driver, ring, head, len_bytes)) {
        if (poll(&call, 1, WAIT_MS) != 1) {
            return false;
        }
        (void)vmm_driver_interrupts(driver, ring);
    }
    return true;
}

uint64_t vmm_driver_interrupts(struct vmm_driver *driver, unsigned ring)
{
    eventfd_t count;

    return eventfd_read(driver->ring[ring].call_fd, &count) == 0 ? count : 0;
}
