/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/msix.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/pci_regs.h>

int msix_init(struct msix *msix, struct irq *irq, unsigned count, struct error *error)
{
    msix->irq = irq;
    msix->count = 0;
    for (unsigned i = 0; i < count; i++) {
        const int message = irq_message_take(irq);

        if (message < 0) {
            msix_free(msix);
            return error_set(error, ENOSPC,
                             "there are no interrupts left for a device with %u; use fewer queues "
                             "or devices", count);
        }
        msix->entry[i] = (struct msix_entry){
            .control = PCI_MSIX_ENTRY_CTRL_MASKBIT,
            .message = message,
        };
        msix->count = i + 1;
    }
    return 0;
}

void msix_free(struct msix *msix)
{
    for (unsigned i = 0; i < msix->count; i++) {
        irq_message_give_back(msix->irq, msix->entry[i].message);
    }
    msix->count = 0;
}

static bool may_send(const struct msix *msix, const struct msix_entry *entry)
{
    return msix->enabled && !msix->all_masked &&
           (entry->control & PCI_MSIX_ENTRY_CTRL_MASKBIT) == 0;
}

/* Tells KVM of an entry.  One that an address is refused for is as a masked one. */
static void route(struct msix *msix, const struct msix_entry *entry)
{
    (void)irq_message_set(msix->irq, entry->message, entry->address, entry->data,
                          !may_send(msix, entry));
}

void msix_control(struct msix *msix, bool enabled, bool all_masked)
{
    const bool could_send = msix->enabled && !msix->all_masked;

    msix->enabled = enabled;
    msix->all_masked = all_masked;
    for (unsigned i = 0; could_send != (enabled && !all_masked) && i < msix->count; i++) {
        if ((msix->entry[i].control & PCI_MSIX_ENTRY_CTRL_MASKBIT) == 0) {
            route(msix, &msix->entry[i]);
        }
    }
}

void msix_reset(struct msix *msix)
{
    msix_control(msix, false, false);
    for (unsigned i = 0; i < msix->count; i++) {
        struct msix_entry *entry = &msix->entry[i];
        eventfd_t sent;

        entry->address = 0;
        entry->data = 0;
        entry->control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
        if (irq_message_is_pending(msix->irq, entry->message)) {
            (void)eventfd_read(irq_message_fd(msix->irq, entry->message), &sent);
        }
    }
}

int msix_fd(const struct msix *msix, unsigned vector)
{
    return vector < msix->count ? irq_message_fd(msix->irq, msix->entry[vector].message) : -1;
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool is_proper(uint32_t offset, unsigned len_bytes)
{
    return (len_bytes == 4 || len_bytes == 8) && offset % len_bytes == 0;
}

static uint32_t word_read(const struct msix *msix, uint32_t offset)
{
    const struct msix_entry *entry;

    if (offset / MSIX_ENTRY_BYTES >= msix->count) {
        return 0;
    }
    entry = &msix->entry[offset / MSIX_ENTRY_BYTES];
    switch (offset % MSIX_ENTRY_BYTES) {
    case PCI_MSIX_ENTRY_LOWER_ADDR:
        return (uint32_t)entry->address;
    case PCI_MSIX_ENTRY_UPPER_ADDR:
        return (uint32_t)(entry->address >> 32);
    case PCI_MSIX_ENTRY_DATA:
        return entry->data;
    }
    return entry->control;
}

static void word_write(struct msix *msix, uint32_t offset, uint32_t value)
{
    struct msix_entry *entry;
    bool could_send;

    if (offset / MSIX_ENTRY_BYTES >= msix->count) {
        return;
    }
    entry = &msix->entry[offset / MSIX_ENTRY_BYTES];
    could_send = may_send(msix, entry);
    switch (offset % MSIX_ENTRY_BYTES) {
    case PCI_MSIX_ENTRY_LOWER_ADDR:
        entry->address = (entry->address & ~(uint64_t)UINT32_MAX) | (value & ~UINT32_C(3));
        break;
    case PCI_MSIX_ENTRY_UPPER_ADDR:
        entry->address = (entry->address & UINT32_MAX) | (uint64_t)value << 32;
        break;
    case PCI_MSIX_ENTRY_DATA:
        entry->data = value;
        break;
    case PCI_MSIX_ENTRY_VECTOR_CTRL:
        entry->control = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
        break;
    }
    if (could_send || may_send(msix, entry)) {
        route(msix, entry);
    }
}

void msix_table_read(const struct msix *msix, uint32_t offset, uint8_t *data, unsigned len_bytes)
{
    memset(data, 0, len_bytes);
    for (unsigned at = 0; is_proper(offset, len_bytes) && at < len_bytes; at += 4) {
        const uint32_t word = word_read(msix, offset + at);

        memcpy(data + at, &word, sizeof(word));
    }
}

void msix_table_write(struct msix *msix, uint32_t offset, const uint8_t *data, unsigned len_bytes)
{
    for (unsigned at = 0; is_proper(offset, len_bytes) && at < len_bytes; at += 4) {
        uint32_t word;

        memcpy(&word, data + at, sizeof(word));
        word_write(msix, offset + at, word);
    }
}

void msix_pending_read(const struct msix *msix, uint32_t offset, uint8_t *data,
                       unsigned len_bytes)
{
    uint64_t bits = 0;

    memset(data, 0, len_bytes);
    if (!is_proper(offset, len_bytes)) {
        return;
    }
    for (unsigned i = 0; i < 8 * len_bytes; i++) {
        const unsigned vector = 8 * offset + i;

        if (vector < msix->count &&
            irq_message_is_pending(msix->irq, msix->entry[vector].message)) {
            bits |= UINT64_C(1) << i;
        }
    }
    memcpy(data, &bits, len_bytes);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

void msix_save(const struct msix *msix, struct msix_state *state)
{
    memset(state, 0, sizeof(*state));
    for (unsigned i = 0; i < msix->count; i++) {
        const struct msix_entry *entry = &msix->entry[i];

        state->entry[i].address = entry->address;
        state->entry[i].data = entry->data;
        state->entry[i].masked = (uint16_t)entry->control;
        state->entry[i].pending = irq_message_is_pending(msix->irq, entry->message) != 0;
    }
}

void msix_restore(struct msix *msix, const struct msix_state *state)
{
    msix_reset(msix);
    for (unsigned i = 0; i < msix->count; i++) {
        struct msix_entry *entry = &msix->entry[i];

        entry->address = state->entry[i].address & ~UINT64_C(3);
        entry->data = state->entry[i].data;
        entry->control = state->entry[i].masked & PCI_MSIX_ENTRY_CTRL_MASKBIT;
        if (state->entry[i].pending != 0) {
            (void)eventfd_write(irq_message_fd(msix->irq, entry->message), 1);
        }
    }
}
