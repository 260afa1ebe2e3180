/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts: one eventfd for each, which KVM turns into an interrupt without this process.
 *
 * A line is a pin of the I/O APIC (and PIC); a message is an MSI, an entry of KVM's routing table.
 * Either way whoever interrupts writes an eventfd, so that the switch itself can, over vhost-user.
 * Only level-triggered lines, which rise and fall with a device's registers, are set by call.
 *
 * A masked message is taken off KVM: then its eventfd keeps what is sent, and KVM sends it on when
 * it gets it back.
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
 * The interrupt controllers and the timer as they were at irq_create(), for a reset; the messages
 * are their devices' to mask.  @return 0 or -errno.  Thread: main, no vCPU runs.
 */
int irq_reset(struct irq *irq);

/**
 * An eventfd that interrupts by line @p gsi, edge-triggered.
 * @return borrowed; -1 with a sentence
 */
int irq_line(struct irq *irq, uint32_t gsi, struct error *error);

/** Sets or clears a level-triggered line.  Thread: any. */
int irq_set_level(struct irq *irq, uint32_t gsi, int level);

/**
 * Sends a message at once, for who alone sends it and keeps its mask: it takes no eventfd, and no
 * entry of the routing table, whose every change KVM makes its caller wait for.  One with an
 * address that is not a local APIC's goes nowhere.  Thread: any.
 */
void irq_send(const struct irq *irq, uint64_t address, uint32_t data);

/**
 * Takes a message, masked and without an address yet.
 * @return its number, for irq_message_set(); -ENOSPC
 */
int irq_message_take(struct irq *irq);
void irq_message_give_back(struct irq *irq, int message);
/**
 * What a guest wrote into its MSI-X entry.  Thread: any.
 * @return 0; -EINVAL for an address that is not a local APIC's, then it stays masked; -errno
 */
int irq_message_set(struct irq *irq, int message, uint64_t address, uint32_t data, int masked);
/** Whether it was sent while masked: its bit in the PBA.  Thread: any. */
int irq_message_is_pending(const struct irq *irq, int message);
/** The eventfd that sends it.  Borrowed. */
int irq_message_fd(const struct irq *irq, int message);

#endif
