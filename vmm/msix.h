/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MSI-X: a function's table of messages, and which of them are pending.
 *
 * An entry that may be sent is KVM's: writing its eventfd interrupts the guest.  One that may not,
 * by its own mask, the function's, or because MSI-X is off, keeps what is sent until it may.
 *
 * Standard: PCI 3.0, 6.8.2.
 */
#ifndef VMM_MSIX_H
#define VMM_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/irq.h"

#define MSIX_ENTRIES_MAX 34u       /* a device's queues, and its configuration */
#define MSIX_ENTRY_BYTES 16u

struct msix_entry {
    uint64_t address;
    uint32_t data;
    uint32_t control;              /* bit 0: masked */
    int message;                   /* of irq */
};

struct msix {
    struct irq *irq;
    unsigned count;
    bool enabled, all_masked;
    struct msix_entry entry[MSIX_ENTRIES_MAX];
};

/** @return 0; -ENOSPC with a sentence when there are no interrupts left, with none taken */
int msix_init(struct msix *msix, struct irq *irq, unsigned count, struct error *error);
void msix_free(struct msix *msix);

/* All below: under the bus's lock. */

/** As after power-on: all masked, off, and nothing pending. */
void msix_reset(struct msix *msix);
/** What the capability says. */
void msix_control(struct msix *msix, bool enabled, bool all_masked);
/** Accesses of 4 or 8 aligned bytes; others read 0 and write nothing. */
void msix_table_read(const struct msix *msix, uint32_t offset, uint8_t *data, unsigned len_bytes);
void msix_table_write(struct msix *msix, uint32_t offset, const uint8_t *data,
                      unsigned len_bytes);
void msix_pending_read(const struct msix *msix, uint32_t offset, uint8_t *data,
                       unsigned len_bytes);
/** The eventfd that sends @p vector; -1 when there is no such. */
int msix_fd(const struct msix *msix, unsigned vector);

struct msix_state {
    struct {
        uint64_t address;
        uint32_t data;
        uint16_t masked;
        uint16_t pending;
    } entry[MSIX_ENTRIES_MAX];
};

/** The capability's part is with the configuration space, and comes by msix_control() after. */
void msix_save(const struct msix *msix, struct msix_state *state);
void msix_restore(struct msix *msix, const struct msix_state *state);

#endif
