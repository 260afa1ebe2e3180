/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts: one eventfd for each, which KVM turns into an interrupt without this process.
 *
 * A line is a pin of the I/O APIC (and PIC); a message is an MSI, an entry of KVM's routing table.
 * Either way whoever interrupts writes an eventfd, so that the switch itself can, over vhost-user.
 * Level-triggered lines are pulsed through a resample eventfd, so that a device that still has
 * something to say says it again.
 *
 * Standard: PCI 3.0, 6.8 (MSI), Linux Documentation/virt/kvm/api.rst (KVM_IRQFD,
 * KVM_SET_GSI_ROUTING).
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdint.h>

#include "switch/error.h"

#define IRQ_LINES      24u         /* of the I/O APIC */
#define IRQ_MESSAGES   1024u

struct irq;

/** @param vm_fd  borrowed, with KVM's in-kernel irqchip.  @return owned; NULL with a sentence */
struct irq *irq_create(int vm_fd, struct error *error);
void irq_destroy(struct irq *irq);

/**
 * An eventfd that interrupts by line @p gsi, edge-triggered.
 * @return borrowed; -1 with a sentence
 */
int irq_line(struct irq *irq, uint32_t gsi, struct error *error);

/** Sets or clears a level-triggered line.  Thread: any. */
int irq_set_level(struct irq *irq, uint32_t gsi, int level);

/**
 * Takes a message, masked and without an address yet.
 * @return its number, for irq_message_set(); -ENOSPC
 */
int irq_message_take(struct irq *irq);
void irq_message_give_back(struct irq *irq, int message);
/** What a guest wrote into its MSI-X entry; a masked one is kept pending by KVM's irqfd. */
int irq_message_set(struct irq *irq, int message, uint64_t address, uint32_t data, int masked);
/** The eventfd that sends it.  Borrowed. */
int irq_message_fd(const struct irq *irq, int message);

#endif
