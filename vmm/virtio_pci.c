/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "vmm/doorbell.h"
#include "vmm/virtio_pci_function.h"

#define ISR_CONFIG 2u

struct virtio_pci {
    struct pci_function function;  /* the first */
    int vm_fd;
    struct virtio_device *device;
    struct msix msix;
    struct virtio_pci_places places;
    bool doorbell[VIRTIO_QUEUES_MAX];
    uint16_t queue_vector[VIRTIO_QUEUES_MAX];
    uint16_t config_vector;
    /* What config_changed() needs, on any thread. */
    _Atomic int config_fd;         /* -1: no vector */
    _Atomic uint8_t isr;
};

static struct virtio_pci *pci_of(struct pci_function *function)
{
    return (struct virtio_pci *)function;
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static void config_changed(void *transport)
{
    struct virtio_pci *pci = transport;
    const int fd = pci->config_fd;

    atomic_fetch_or(&pci->isr, ISR_CONFIG);
    if (fd >= 0) {
        (void)eventfd_write(fd, 1);
    }
}

/* What a vector that a driver wrote counts as: one that is none reads back as that, 4.1.5.1.2. */
static uint16_t vector_of(const struct virtio_pci *pci, uint32_t value)
{
    return value < pci->msix.count ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void set_config_vector(struct virtio_pci *pci, uint32_t value)
{
    pci->config_vector = vector_of(pci, value);
    pci->config_fd = msix_fd(&pci->msix, pci->config_vector);
}

static void set_queue_vector(struct virtio_pci *pci, uint16_t queue, uint32_t value)
{
    struct virtio_device *device = pci->device;

    if (queue >= device->ops->queue_count || vector_of(pci, value) == pci->queue_vector[queue]) {
        return;
    }
    pci->queue_vector[queue] = vector_of(pci, value);
    device->queue[queue].call_fd = msix_fd(&pci->msix, pci->queue_vector[queue]);
    if (device->running && device->ops->call_changed != NULL) {
        device->ops->call_changed(device, queue);
    }
}

static void reset_virtio(struct virtio_pci *pci)
{
    virtio_device_reset(pci->device);
    pci->isr = 0;
    set_config_vector(pci, VIRTIO_MSI_NO_VECTOR);
    for (uint16_t i = 0; i < pci->device->ops->queue_count; i++) {
        set_queue_vector(pci, i, VIRTIO_MSI_NO_VECTOR);
    }
}

/* ---- the common registers: virtio 1.2, 4.1.4.3 ----------------------------------------------- */

/* How wide the register at @p offset is; 0: there is none. */
static unsigned common_width(uint32_t offset)
{
    switch (offset) {
    case VIRTIO_PCI_COMMON_STATUS:
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return 1;
    case VIRTIO_PCI_COMMON_MSIX:
    case VIRTIO_PCI_COMMON_NUMQ:
    case VIRTIO_PCI_COMMON_Q_SELECT:
    case VIRTIO_PCI_COMMON_Q_SIZE:
    case VIRTIO_PCI_COMMON_Q_MSIX:
    case VIRTIO_PCI_COMMON_Q_ENABLE:
    case VIRTIO_PCI_COMMON_Q_NOFF:
        return 2;
    case VIRTIO_PCI_COMMON_DFSELECT:
    case VIRTIO_PCI_COMMON_DF:
    case VIRTIO_PCI_COMMON_GFSELECT:
    case VIRTIO_PCI_COMMON_GF:
    case VIRTIO_PCI_COMMON_Q_DESCLO:
    case VIRTIO_PCI_COMMON_Q_DESCHI:
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
    case VIRTIO_PCI_COMMON_Q_USEDLO:
    case VIRTIO_PCI_COMMON_Q_USEDHI:
        return 4;
    }
    return 0;
}

/* The addresses of a queue's parts, in halves, are the last registers, in this order. */
static enum virtio_area area_at(uint32_t offset)
{
    return (enum virtio_area)((offset - VIRTIO_PCI_COMMON_Q_DESCLO) / 8);
}

static bool is_high(uint32_t offset)
{
    return (offset & 4) != 0;
}

static uint32_t common_read(struct virtio_pci *pci, uint32_t offset)
{
    struct virtio_device *device = pci->device;
    const struct virtio_queue *queue = virtio_device_queue(device);

    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        return device->device_features_select;
    case VIRTIO_PCI_COMMON_DF:
        return virtio_device_offered_word(device);
    case VIRTIO_PCI_COMMON_GFSELECT:
        return device->driver_features_select;
    case VIRTIO_PCI_COMMON_GF:
        return virtio_device_acked_word(device);
    case VIRTIO_PCI_COMMON_MSIX:
        return pci->config_vector;
    case VIRTIO_PCI_COMMON_NUMQ:
        return device->ops->queue_count;
    case VIRTIO_PCI_COMMON_STATUS:
        return device->status;
    case VIRTIO_PCI_COMMON_CFGGENERATION:
        return device->config_generation;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        return device->queue_select;
    case VIRTIO_PCI_COMMON_Q_SIZE:
        return queue == NULL ? 0 : queue->size;
    case VIRTIO_PCI_COMMON_Q_MSIX:
        return queue == NULL ? VIRTIO_MSI_NO_VECTOR : pci->queue_vector[device->queue_select];
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        return queue != NULL && queue->ready;
    case VIRTIO_PCI_COMMON_Q_NOFF:
        return queue == NULL ? 0 : device->queue_select;
    }
    return virtio_device_queue_half(device, area_at(offset), is_high(offset));
}

static void common_write(struct virtio_pci *pci, uint32_t offset, uint32_t value)
{
    struct virtio_device *device = pci->device;

    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT:
        device->device_features_select = value;
        break;
    case VIRTIO_PCI_COMMON_GFSELECT:
        device->driver_features_select = value;
        break;
    case VIRTIO_PCI_COMMON_GF:
        virtio_device_ack_word(device, value);
        break;
    case VIRTIO_PCI_COMMON_MSIX:
        set_config_vector(pci, value);
        break;
    case VIRTIO_PCI_COMMON_STATUS:
        if (value == 0) {
            reset_virtio(pci);
        } else {
            virtio_device_set_status(device, (uint8_t)value);
        }
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT:
        device->queue_select = (uint16_t)value;
        break;
    case VIRTIO_PCI_COMMON_Q_SIZE:
        virtio_device_set_queue_size(device, value);
        break;
    case VIRTIO_PCI_COMMON_Q_MSIX:
        set_queue_vector(pci, device->queue_select, value);
        break;
    case VIRTIO_PCI_COMMON_Q_ENABLE:
        if (value == 1) {          /* 0 is not for drivers to write: 4.1.4.3.2 */
            virtio_device_set_queue_ready(device, true);
        }
        break;
    case VIRTIO_PCI_COMMON_DF:
    case VIRTIO_PCI_COMMON_NUMQ:
    case VIRTIO_PCI_COMMON_CFGGENERATION:
    case VIRTIO_PCI_COMMON_Q_NOFF:
        break;
    default:
        virtio_device_set_queue_half(device, area_at(offset), is_high(offset), value);
    }
}

/* ---- the BAR --------------------------------------------------------------------------------- */

static void bar_read(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes)
{
    struct virtio_pci *pci = context;
    const uint32_t at = (uint32_t)offset % VIRTIO_PCI_PAGE_BYTES;
    uint32_t value;

    memset(data, 0, len_bytes);
    switch ((enum virtio_pci_page)(offset / VIRTIO_PCI_PAGE_BYTES)) {
    case VIRTIO_PCI_PAGE_COMMON:
        if (common_width(at) == len_bytes) {
            value = common_read(pci, at);
            memcpy(data, &value, len_bytes);
        }
        break;
    case VIRTIO_PCI_PAGE_ISR:
        if (at == 0 && len_bytes == 1) {
            data[0] = atomic_exchange(&pci->isr, 0);
        }
        break;
    case VIRTIO_PCI_PAGE_DEVICE:
        pci->device->ops->config_read(pci->device, at, data, len_bytes);
        break;
    case VIRTIO_PCI_PAGE_NOTIFY:
        break;
    case VIRTIO_PCI_PAGE_MSIX:
        msix_table_read(&pci->msix, at, data, len_bytes);
        break;
    case VIRTIO_PCI_PAGE_PENDING:
        msix_pending_read(&pci->msix, at, data, len_bytes);
        break;
    }
}

static void bar_write(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes)
{
    struct virtio_pci *pci = context;
    const uint32_t at = (uint32_t)offset % VIRTIO_PCI_PAGE_BYTES;
    uint32_t value = 0;

    switch ((enum virtio_pci_page)(offset / VIRTIO_PCI_PAGE_BYTES)) {
    case VIRTIO_PCI_PAGE_COMMON:
        if (common_width(at) == len_bytes) {
            memcpy(&value, data, len_bytes);
            common_write(pci, at, value);
        }
        break;
    case VIRTIO_PCI_PAGE_DEVICE:
        pci->device->ops->config_write(pci->device, at, data, len_bytes);
        break;
    case VIRTIO_PCI_PAGE_NOTIFY:
        if (at % VIRTIO_PCI_DOORBELL_BYTES == 0) {
            virtio_device_kick(pci->device, at / VIRTIO_PCI_DOORBELL_BYTES);
        }
        break;
    case VIRTIO_PCI_PAGE_MSIX:
        msix_table_write(&pci->msix, at, data, len_bytes);
        break;
    case VIRTIO_PCI_PAGE_ISR:
    case VIRTIO_PCI_PAGE_PENDING:
        break;
    }
}

static const struct bus_ops bar_ops = { .read = bar_read, .write = bar_write };

/* Doorbells go where the BAR goes.  One that KVM does not take rings by way of bar_write(). */
static void bar_moved(struct pci_function *function, unsigned bar, uint64_t from_gpa)
{
    struct virtio_pci *pci = pci_of(function);
    const uint64_t to_gpa = function->bar_gpa[bar];

    for (unsigned i = 0; i < pci->device->ops->queue_count; i++) {
        const uint64_t offset = VIRTIO_PCI_PAGE_NOTIFY * VIRTIO_PCI_PAGE_BYTES +
                                i * VIRTIO_PCI_DOORBELL_BYTES;
        const int fd = pci->device->queue[i].kick_fd;

        if (pci->doorbell[i]) {
            doorbell_remove(pci->vm_fd, from_gpa + offset, DOORBELL_ANY, fd);
        }
        pci->doorbell[i] = to_gpa != 0 &&
                           doorbell_add(pci->vm_fd, to_gpa + offset, DOORBELL_ANY, fd) == 0;
    }
}

/* ---- configuration space --------------------------------------------------------------------- */

/* The window into the BAR that a capability has, for who cannot map it: 4.1.4.9.
 * @return where it is open, of @p len_bytes; NULL when it is not as it must be */
static uint8_t *window(struct virtio_pci *pci, uint32_t *offset, unsigned *len_bytes)
{
    uint8_t *capability = pci->function.config + pci->places.window;
    const uint32_t length = pci_config_get32(capability + VIRTIO_PCI_CAP_LENGTH);

    *offset = pci_config_get32(capability + VIRTIO_PCI_CAP_OFFSET);
    *len_bytes = (unsigned)length;
    if (capability[VIRTIO_PCI_CAP_BAR] != VIRTIO_PCI_BAR ||
        (length != 1 && length != 2 && length != 4) || *offset % length != 0 ||
        *offset >= VIRTIO_PCI_BAR_BYTES) {
        return NULL;
    }
    return capability + sizeof(struct virtio_pci_cap);
}

static bool touches_window(const struct virtio_pci *pci, uint32_t offset, unsigned len_bytes)
{
    return pci_config_touches(offset, len_bytes,
                              pci->places.window + (uint32_t)sizeof(struct virtio_pci_cap), 4);
}

static void config_read(struct pci_function *function, uint32_t offset, unsigned len_bytes)
{
    struct virtio_pci *pci = pci_of(function);
    unsigned window_bytes;
    uint32_t at;
    uint8_t *data;

    if (touches_window(pci, offset, len_bytes) &&
        (data = window(pci, &at, &window_bytes)) != NULL) {
        bar_read(pci, at, data, window_bytes);
    }
}

static void follow_msix_control(struct virtio_pci *pci)
{
    const uint16_t flags = pci_config_get16(pci->function.config + pci->places.msix +
                                            PCI_MSIX_FLAGS);

    msix_control(&pci->msix, (flags & PCI_MSIX_FLAGS_ENABLE) != 0,
                 (flags & PCI_MSIX_FLAGS_MASKALL) != 0);
}

static void config_written(struct pci_function *function, uint32_t offset, unsigned len_bytes)
{
    struct virtio_pci *pci = pci_of(function);
    unsigned window_bytes;
    uint32_t at;
    const uint8_t *data;

    if (pci_config_touches(offset, len_bytes, pci->places.msix + PCI_MSIX_FLAGS, 2)) {
        follow_msix_control(pci);
    }
    if (touches_window(pci, offset, len_bytes) &&
        (data = window(pci, &at, &window_bytes)) != NULL) {
        bar_write(pci, at, data, window_bytes);
    }
}

static void function_reset(struct pci_function *function)
{
    struct virtio_pci *pci = pci_of(function);

    reset_virtio(pci);
    msix_reset(&pci->msix);
}

/* ---- plugging -------------------------------------------------------------------------------- */

struct virtio_pci *virtio_pci_plug(int vm_fd, struct pci_root *root, struct irq *irq, bool hot,
                                   struct virtio_device *device, struct error *error)
{
    struct virtio_pci *pci = calloc(1, sizeof(*pci));

    if (pci == NULL) {
        error_set(error, ENOMEM, "%s: out of memory", device->ops->name);
        return NULL;
    }
    pci->vm_fd = vm_fd;
    pci->device = device;
    if (virtio_device_open_kicks(device, error) < 0) {
        goto no_kicks;
    }
    if (msix_init(&pci->msix, irq, device->ops->queue_count + 1u, error) < 0) {
        goto no_messages;
    }
    virtio_pci_describe(&pci->function, device, hot, &pci->places);
    pci_config_add_bar(&pci->function, VIRTIO_PCI_BAR, VIRTIO_PCI_BAR_BYTES, &bar_ops, pci);
    pci->function.config_read = config_read;
    pci->function.config_written = config_written;
    pci->function.bar_moved = bar_moved;
    pci->function.reset = function_reset;
    device->config_changed = config_changed;
    device->transport = pci;
    function_reset(&pci->function);
    if (pci_root_add(root, &pci->function, hot, error) < 0) {
        goto no_place;
    }
    return pci;

no_place:
    device->config_changed = NULL;
    msix_free(&pci->msix);
no_messages:
    virtio_device_close_kicks(device);
no_kicks:
    free(pci);
    return NULL;
}

void virtio_pci_unplug(struct virtio_pci *pci)
{
    struct pci_root *root;

    if (pci == NULL) {
        return;
    }
    root = pci->function.root;
    pci_root_remove(root, &pci->function);
    pci_lock(root);
    function_reset(&pci->function);
    pci_unlock(root);
    pci->device->config_changed = NULL;
    virtio_device_close_kicks(pci->device);
    msix_free(&pci->msix);
    free(pci);
}

int virtio_pci_ask_out(struct virtio_pci *pci, void (*gone)(void *context), void *context,
                       struct error *error)
{
    return pci_root_ask_out(pci->function.root, &pci->function, gone, context, error);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void virtio_pci_save(const struct virtio_pci *pci, struct virtio_pci_state *state)
{
    memset(state, 0, sizeof(*state));
    virtio_device_save(pci->device, &state->device);
    pci_config_save(&pci->function, &state->config);
    msix_save(&pci->msix, &state->msix);
    memcpy(state->queue_vector, pci->queue_vector, sizeof(state->queue_vector));
    state->config_vector = pci->config_vector;
    state->isr = pci->isr;
}

int virtio_pci_restore(struct virtio_pci *pci, const struct virtio_pci_state *state,
                       struct error *error)
{
    struct pci_root *root = pci->function.root;
    struct pci_config_state before;
    int result;

    pci_lock(root);
    pci_config_save(&pci->function, &before);
    function_reset(&pci->function);
    pci_config_restore(&pci->function, &state->config);
    msix_restore(&pci->msix, &state->msix);
    follow_msix_control(pci);
    pci->isr = state->isr & ISR_CONFIG;
    set_config_vector(pci, state->config_vector);
    for (uint16_t i = 0; i < pci->device->ops->queue_count; i++) {
        set_queue_vector(pci, i, state->queue_vector[i]);
    }
    result = virtio_device_restore(pci->device, &state->device, error);
    if (result < 0) {
        function_reset(&pci->function);
        pci_config_restore(&pci->function, &before);
        follow_msix_control(pci);
    }
    pci_root_map(root, &pci->function);
    pci_unlock(root);
    return result;
}
