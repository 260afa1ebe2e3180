/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pci_config.h"

#include <string.h>

#include <linux/pci_regs.h>

#define FIRST_CAPABILITY 0x40u

void pci_config_put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

void pci_config_put32(uint8_t *bytes, uint32_t value)
{
    pci_config_put16(bytes, (uint16_t)value);
    pci_config_put16(bytes + 2, (uint16_t)(value >> 16));
}

uint16_t pci_config_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t pci_config_get32(const uint8_t *bytes)
{
    return pci_config_get16(bytes) | (uint32_t)pci_config_get16(bytes + 2) << 16;
}

void pci_config_init(struct pci_function *function, const struct pci_identity *identity)
{
    uint8_t *config = function->config;

    pci_config_put16(config + PCI_VENDOR_ID, identity->vendor);
    pci_config_put16(config + PCI_DEVICE_ID, identity->device);
    pci_config_put32(config + PCI_CLASS_REVISION,
                     identity->class_code << 8 | identity->revision);
    pci_config_put16(config + PCI_SUBSYSTEM_VENDOR_ID, identity->subsystem_vendor);
    pci_config_put16(config + PCI_SUBSYSTEM_ID, identity->subsystem);
    pci_config_put16(function->writable + PCI_COMMAND,
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
                     PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
    function->writable[PCI_CACHE_LINE_SIZE] = 0xff;
    function->writable[PCI_INTERRUPT_LINE] = 0xff;
    function->capabilities_end = FIRST_CAPABILITY;
}

void pci_config_add_bar(struct pci_function *function, unsigned bar, uint64_t bytes,
                        const struct bus_ops *ops, void *context)
{
    const uint32_t at = PCI_BASE_ADDRESS_0 + 4 * bar;

    function->bar_bytes[bar] = bytes;
    function->bar_ops[bar] = ops;
    function->context = context;
    /* What a guest reads after writing all ones is the size, since that is all that sticks. */
    pci_config_put32(function->writable + at, ~(uint32_t)(bytes - 1));
}

uint8_t pci_config_add_capability(struct pci_function *function, uint8_t id, uint8_t len_bytes)
{
    const uint8_t at = function->capabilities_end;
    uint8_t *config = function->config;

    config[at + PCI_CAP_LIST_ID] = id;
    config[at + PCI_CAP_LIST_NEXT] = config[PCI_CAPABILITY_LIST];
    config[PCI_CAPABILITY_LIST] = at;
    config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    function->capabilities_end = (uint8_t)(at + ((len_bytes + 3u) & ~3u));
    return at;
}

/* ---- a guest's accesses ---------------------------------------------------------------------- */

static bool is_proper(uint32_t offset, unsigned len_bytes)
{
    return (len_bytes == 1 || len_bytes == 2 || len_bytes == 4) && offset % len_bytes == 0;
}

void pci_config_read(struct pci_function *function, uint32_t offset, uint8_t *data,
                     unsigned len_bytes)
{
    if (!is_proper(offset, len_bytes)) {
        memset(data, 0xff, len_bytes);
    } else if (offset >= PCI_CONFIG_BYTES) {
        memset(data, 0, len_bytes);
    } else {
        if (function->config_read != NULL) {
            function->config_read(function, offset, len_bytes);
        }
        memcpy(data, function->config + offset, len_bytes);
    }
}

void pci_config_write(struct pci_function *function, uint32_t offset, const uint8_t *data,
                      unsigned len_bytes)
{
    if (!is_proper(offset, len_bytes) || offset >= PCI_CONFIG_BYTES) {
        return;
    }
    for (unsigned i = 0; i < len_bytes; i++) {
        uint8_t *byte = &function->config[offset + i];
        const uint8_t mask = function->writable[offset + i];

        *byte = (uint8_t)((*byte & ~mask) | (data[i] & mask));
        *byte &= (uint8_t)~(data[i] & function->clearable[offset + i]);
    }
    if (function->config_written != NULL) {
        function->config_written(function, offset, len_bytes);
    }
}

bool pci_config_touches(uint32_t offset, unsigned len_bytes, uint32_t at, unsigned size_bytes)
{
    return offset < at + size_bytes && at < offset + len_bytes;
}

uint64_t pci_config_bar(const struct pci_function *function, unsigned bar)
{
    const uint16_t command = pci_config_get16(function->config + PCI_COMMAND);

    if (function->bar_bytes[bar] == 0 || (command & PCI_COMMAND_MEMORY) == 0) {
        return 0;
    }
    return pci_config_get32(function->config + PCI_BASE_ADDRESS_0 + 4 * bar) &
           PCI_BASE_ADDRESS_MEM_MASK & UINT32_MAX;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void pci_config_save(const struct pci_function *function, struct pci_config_state *state)
{
    memcpy(state->config, function->config, sizeof(state->config));
}

void pci_config_restore(struct pci_function *function, const struct pci_config_state *state)
{
    for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++) {
        const uint8_t mask = function->writable[i] | function->clearable[i];

        function->config[i] = (uint8_t)((function->config[i] & ~mask) |
                                        (state->config[i] & mask));
    }
}
