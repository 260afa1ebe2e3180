/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/virtio_mmio.h>

#include "vmm/acpi.h"
#include "vmm/doorbell.h"

#define MAGIC   0x74726976u        /* "virt" */
#define VERSION 2u
#define VENDOR  0x57535623u        /* of no registry: "#VSW" */

/* A queue's interrupts on their way: from its call eventfd to the status register and the line. */
struct mmio_call {
    struct virtio_mmio *mmio;
    struct event *event;
    int fd;
};

struct virtio_mmio {
    int vm_fd;
    struct bus *bus;
    struct virtio_device *device;
    uint64_t gpa;
    int line_fd;
    _Atomic uint32_t interrupt_status;
    unsigned doorbell_count;
    bool on_bus;
    struct mmio_call call[VIRTIO_QUEUES_MAX];
};

/* ---- interrupts ------------------------------------------------------------------------------ */

/* Any thread. */
static void interrupt(struct virtio_mmio *mmio, uint32_t why)
{
    /* The reason stands in the register before the line rises. */
    atomic_fetch_or(&mmio->interrupt_status, why);
    (void)eventfd_write(mmio->line_fd, 1);
}

static void config_changed(void *transport)
{
    interrupt(transport, VIRTIO_MMIO_INT_CONFIG);
}

static void on_call(evutil_socket_t fd, short what, void *context)
{
    const struct mmio_call *call = context;
    eventfd_t count;

    (void)what;
    if (eventfd_read(fd, &count) == 0) {
        interrupt(call->mmio, VIRTIO_MMIO_INT_VRING);
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

static uint32_t register_read(struct virtio_mmio *mmio, uint64_t offset)
{
    struct virtio_device *device = mmio->device;
    const struct virtio_queue *queue = virtio_device_queue(device);

    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return MAGIC;
    case VIRTIO_MMIO_VERSION:
        return VERSION;
    case VIRTIO_MMIO_DEVICE_ID:
        return device->ops->device_id;
    case VIRTIO_MMIO_VENDOR_ID:
        return VENDOR;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return virtio_device_offered_word(device);
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return queue == NULL ? 0 : queue->size_max;
    case VIRTIO_MMIO_QUEUE_READY:
        return queue != NULL && queue->ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return mmio->interrupt_status;
    case VIRTIO_MMIO_STATUS:
        return device->status;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return device->config_generation;
    case VIRTIO_MMIO_SHM_LEN_LOW:
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH:
        return UINT32_MAX;         /* there is no shared memory region: 4.2.2 */
    }
    return 0;
}

static void reset(struct virtio_mmio *mmio)
{
    virtio_device_reset(mmio->device);
    mmio->interrupt_status = 0;
}

static void register_write(struct virtio_mmio *mmio, uint64_t offset, uint32_t value)
{
    struct virtio_device *device = mmio->device;

    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        device->device_features_select = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        virtio_device_ack_word(device, value);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        device->driver_features_select = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        device->queue_select = value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
        virtio_device_set_queue_size(device, value);
        break;
    case VIRTIO_MMIO_QUEUE_READY:
        virtio_device_set_queue_ready(device, value == 1);
        break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        virtio_device_kick(device, value);
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        atomic_fetch_and(&mmio->interrupt_status, ~value);
        break;
    case VIRTIO_MMIO_STATUS:
        if (value == 0) {
            reset(mmio);
        } else if (value <= UINT8_MAX) {
            virtio_device_set_status(device, (uint8_t)value);
        }
        break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        virtio_device_set_queue_half(device, VIRTIO_DESC, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH,
                                     value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
        virtio_device_set_queue_half(device, VIRTIO_AVAIL, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
                                     value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_LOW:
    case VIRTIO_MMIO_QUEUE_USED_HIGH:
        virtio_device_set_queue_half(device, VIRTIO_USED, offset == VIRTIO_MMIO_QUEUE_USED_HIGH,
                                     value);
        break;
    }
}

/* Registers are read and written as 32 bits, the configuration as a driver likes: 4.2.2.2. */
static void bus_ops_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct virtio_mmio *mmio = context;
    uint32_t value;

    memset(data, 0, len_bytes);
    if (offset >= VIRTIO_MMIO_CONFIG) {
        mmio->device->ops->config_read(mmio->device, (uint32_t)offset - VIRTIO_MMIO_CONFIG, data,
                                       len_bytes);
    } else if (len_bytes == sizeof(value)) {
        value = register_read(mmio, offset);
        memcpy(data, &value, sizeof(value));
    }
}

static void bus_ops_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct virtio_mmio *mmio = context;
    uint32_t value;

    if (offset >= VIRTIO_MMIO_CONFIG) {
        mmio->device->ops->config_write(mmio->device, (uint32_t)offset - VIRTIO_MMIO_CONFIG, data,
                                        len_bytes);
    } else if (len_bytes == sizeof(value)) {
        memcpy(&value, data, sizeof(value));
        register_write(mmio, offset, value);
    }
}

static const struct bus_ops bus_ops = { .read = bus_ops_read, .write = bus_ops_write };

/* ---- plugging -------------------------------------------------------------------------------- */

static int open_calls(struct virtio_mmio *mmio, struct event_base *base, struct error *error)
{
    struct virtio_device *device = mmio->device;

    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        struct mmio_call *call = &mmio->call[i];

        call->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (call->fd >= 0) {
            call->event = event_new(base, call->fd, EV_READ | EV_PERSIST, on_call, call);
        }
        if (call->event == NULL || event_add(call->event, NULL) != 0) {
            return error_set(error, EMFILE,
                             "%s: there is no eventfd for the interrupts of queue %u of %u; raise "
                             "the limit of open files", device->ops->name, i,
                             device->ops->queue_count);
        }
        device->queue[i].call_fd = call->fd;
    }
    return 0;
}

static int add_doorbells(struct virtio_mmio *mmio, struct error *error)
{
    const struct virtio_device *device = mmio->device;

    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        const int result = doorbell_add(mmio->vm_fd, mmio->gpa + VIRTIO_MMIO_QUEUE_NOTIFY, i,
                                        device->queue[i].kick_fd);

        if (result < 0) {
            return error_set(error, -result,
                             "%s: KVM takes no doorbell for queue %u of %u: %s; use fewer queues "
                             "or devices", device->ops->name, i, device->ops->queue_count,
                             strerror(-result));
        }
        mmio->doorbell_count = i + 1;
    }
    return 0;
}

static int plug_in(struct virtio_mmio *mmio, struct irq *irq, struct event_base *base,
                   unsigned slot, struct error *error)
{
    int result;

    mmio->line_fd = irq_line(irq, virtio_mmio_gsi(slot), error);
    if (mmio->line_fd < 0) {
        return -EINVAL;
    }
    result = open_calls(mmio, base, error);
    if (result == 0) {
        result = add_doorbells(mmio, error);
    }
    if (result == 0) {
        result = bus_add(mmio->bus, BUS_MEMORY, mmio->gpa, VIRTIO_MMIO_SIZE_BYTES, &bus_ops, mmio,
                         error);
        mmio->on_bus = result == 0;
    }
    return result;
}

struct virtio_mmio *virtio_mmio_plug(int vm_fd, struct bus *bus, struct irq *irq,
                                     struct event_base *base, unsigned slot,
                                     struct virtio_device *device, struct error *error)
{
    struct virtio_mmio *mmio;

    if (slot >= VIRTIO_MMIO_SLOTS_MAX) {
        error_set(error, ENOSPC,
                  "%s: a VM has at most %u devices by MMIO; use fewer, or PCI", device->ops->name,
                  VIRTIO_MMIO_SLOTS_MAX);
        return NULL;
    }
    mmio = calloc(1, sizeof(*mmio));
    if (mmio == NULL) {
        error_set(error, ENOMEM, "%s: out of memory", device->ops->name);
        return NULL;
    }
    if (virtio_device_open_kicks(device, error) < 0) {
        free(mmio);
        return NULL;
    }
    mmio->vm_fd = vm_fd;
    mmio->bus = bus;
    mmio->device = device;
    mmio->gpa = VIRTIO_MMIO_BASE_GPA + (uint64_t)slot * VIRTIO_MMIO_SIZE_BYTES;
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++) {
        mmio->call[i] = (struct mmio_call){ .mmio = mmio, .fd = -1 };
    }
    device->config_changed = config_changed;
    device->transport = mmio;
    virtio_device_reset(device);
    if (plug_in(mmio, irq, base, slot, error) < 0) {
        virtio_mmio_unplug(mmio);
        return NULL;
    }
    return mmio;
}

void virtio_mmio_unplug(struct virtio_mmio *mmio)
{
    if (mmio == NULL) {
        return;
    }
    if (mmio->on_bus) {
        bus_remove(mmio->bus, BUS_MEMORY, mmio->gpa);
    }
    virtio_mmio_reset(mmio);
    for (unsigned i = 0; i < mmio->doorbell_count; i++) {
        doorbell_remove(mmio->vm_fd, mmio->gpa + VIRTIO_MMIO_QUEUE_NOTIFY, i,
                        mmio->device->queue[i].kick_fd);
    }
    virtio_device_close_kicks(mmio->device);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++) {
        if (mmio->call[i].event != NULL) {
            event_free(mmio->call[i].event);
        }
        if (mmio->call[i].fd >= 0) {
            close(mmio->call[i].fd);
        }
    }
    mmio->device->config_changed = NULL;
    free(mmio);
}

void virtio_mmio_reset(struct virtio_mmio *mmio)
{
    bus_lock(mmio->bus);
    reset(mmio);
    bus_unlock(mmio->bus);
}

/* ---- where a slot is ------------------------------------------------------------------------- */

uint32_t virtio_mmio_gsi(unsigned slot)
{
    const uint32_t gsi = VIRTIO_MMIO_FIRST_GSI + slot;

    return gsi < ACPI_SCI_GSI ? gsi : gsi + 1;
}

int virtio_mmio_cmdline(unsigned count, char *text, unsigned size)
{
    unsigned length = 0;

    if (size > 0) {
        text[0] = '\0';
    }
    for (unsigned slot = 0; slot < count; slot++) {
        const unsigned at = length < size ? length : size;

        length += (unsigned)snprintf(text + at, size - at,
                                     "%svirtio_mmio.device=%u@0x%" PRIx64 ":%" PRIu32,
                                     slot == 0 ? "" : " ", VIRTIO_MMIO_SIZE_BYTES,
                                     VIRTIO_MMIO_BASE_GPA + (uint64_t)slot * VIRTIO_MMIO_SIZE_BYTES,
                                     virtio_mmio_gsi(slot));
    }
    return (int)length;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void virtio_mmio_save(const struct virtio_mmio *mmio, struct virtio_mmio_state *state)
{
    *state = (struct virtio_mmio_state){ .interrupt_status = mmio->interrupt_status };
    virtio_device_save(mmio->device, &state->device);
}

int virtio_mmio_restore(struct virtio_mmio *mmio, const struct virtio_mmio_state *state,
                        struct error *error)
{
    int result;

    bus_lock(mmio->bus);
    mmio->interrupt_status = state->interrupt_status &
                             (VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
    result = virtio_device_restore(mmio->device, &state->device, error);
    if (result < 0) {
        mmio->interrupt_status = 0;
    }
    bus_unlock(mmio->bus);
    return result;
}
