/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/virtio_pci_function.h"

#include <string.h>

#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#define VENDOR_VIRTIO    0x1af4u
#define DEVICE_VIRTIO    0x1040u   /* and the virtio device's number */
#define SUBSYSTEM_VIRTIO 0x0040u
#define REVISION_MODERN  1u
#define EXPRESS_BYTES    0x3cu

static uint32_t class_of(uint16_t device_id)
{
    switch (device_id) {
    case VIRTIO_ID_NET:
        return 0x020000;           /* Ethernet controller */
    case VIRTIO_ID_BLOCK:
        return 0x010000;           /* SCSI: what drivers of disks look for */
    case VIRTIO_ID_CONSOLE:
        return 0x078000;           /* other communication controller */
    }
    return 0xff0000;               /* of no class */
}

static void add_express(struct pci_function *function, bool hot)
{
    const uint8_t at = pci_config_add_capability(function, PCI_CAP_ID_EXP, EXPRESS_BYTES);

    pci_config_put16(function->config + at + PCI_EXP_FLAGS,
                     2 | (hot ? PCI_EXP_TYPE_ENDPOINT : PCI_EXP_TYPE_RC_END) << 4);
    pci_config_put32(function->config + at + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
    pci_config_put16(function->writable + at + PCI_EXP_DEVCTL, 0x7fff);
}

static uint8_t add_msix(struct pci_function *function, unsigned vectors)
{
    const uint8_t at = pci_config_add_capability(function, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
    uint8_t *capability = function->config + at;

    pci_config_put16(capability + PCI_MSIX_FLAGS, (uint16_t)(vectors - 1));
    pci_config_put16(function->writable + at + PCI_MSIX_FLAGS,
                     PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_config_put32(capability + PCI_MSIX_TABLE,
                     VIRTIO_PCI_PAGE_MSIX * VIRTIO_PCI_PAGE_BYTES | VIRTIO_PCI_BAR);
    pci_config_put32(capability + PCI_MSIX_PBA,
                     VIRTIO_PCI_PAGE_PENDING * VIRTIO_PCI_PAGE_BYTES | VIRTIO_PCI_BAR);
    return at;
}

/* A capability that points at @p len_bytes of a page.  @return where it is */
static uint8_t add_pointer(struct pci_function *function, uint8_t type, uint8_t extra_bytes,
                           enum virtio_pci_page page, uint32_t len_bytes)
{
    const uint8_t size_bytes = (uint8_t)(sizeof(struct virtio_pci_cap) + extra_bytes);
    const uint8_t at = pci_config_add_capability(function, PCI_CAP_ID_VNDR, size_bytes);
    uint8_t *capability = function->config + at;

    capability[VIRTIO_PCI_CAP_LEN] = size_bytes;
    capability[VIRTIO_PCI_CAP_CFG_TYPE] = type;
    capability[VIRTIO_PCI_CAP_BAR] = VIRTIO_PCI_BAR;
    pci_config_put32(capability + VIRTIO_PCI_CAP_OFFSET, page * VIRTIO_PCI_PAGE_BYTES);
    pci_config_put32(capability + VIRTIO_PCI_CAP_LENGTH, len_bytes);
    return at;
}

void virtio_pci_describe(struct pci_function *function, const struct virtio_device *device,
                         bool hot, struct virtio_pci_places *places)
{
    const uint16_t device_id = device->ops->device_id;
    const unsigned queues = device->ops->queue_count;
    const struct pci_identity identity = {
        .vendor = VENDOR_VIRTIO,
        .device = (uint16_t)(DEVICE_VIRTIO + device_id),
        .subsystem_vendor = VENDOR_VIRTIO,
        .subsystem = (uint16_t)(SUBSYSTEM_VIRTIO + device_id),
        .revision = REVISION_MODERN,
        .class_code = class_of(device_id),
    };
    uint8_t at;

    function->name = device->ops->name;
    pci_config_init(function, &identity);
    add_express(function, hot);
    places->msix = add_msix(function, queues + 1);
    add_pointer(function, VIRTIO_PCI_CAP_COMMON_CFG, 0, VIRTIO_PCI_PAGE_COMMON,
                sizeof(struct virtio_pci_common_cfg));
    add_pointer(function, VIRTIO_PCI_CAP_ISR_CFG, 0, VIRTIO_PCI_PAGE_ISR, 1);
    add_pointer(function, VIRTIO_PCI_CAP_DEVICE_CFG, 0, VIRTIO_PCI_PAGE_DEVICE,
                VIRTIO_PCI_PAGE_BYTES);
    at = add_pointer(function, VIRTIO_PCI_CAP_NOTIFY_CFG, 4, VIRTIO_PCI_PAGE_NOTIFY,
                     queues * VIRTIO_PCI_DOORBELL_BYTES);
    pci_config_put32(function->config + at + VIRTIO_PCI_NOTIFY_CAP_MULT,
                     VIRTIO_PCI_DOORBELL_BYTES);
    /* The window: bar, offset and length are the guest's, and 4 bytes of data after them. */
    places->window = add_pointer(function, VIRTIO_PCI_CAP_PCI_CFG, 4, VIRTIO_PCI_PAGE_COMMON, 0);
    function->writable[places->window + VIRTIO_PCI_CAP_BAR] = 0xff;
    memset(function->writable + places->window + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);
}
