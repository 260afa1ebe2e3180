/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts and doorbells without KVM: a fake vmm/irq and vmm/doorbell, which note what is asked.
 *
 * A program that includes this gets them instead of the real ones.  There is one state for all,
 * which fake_kvm_reset() makes anew.
 */
#ifndef TESTS_SUPPORT_FAKE_KVM_H
#define TESTS_SUPPORT_FAKE_KVM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/doorbell.h"
#include "vmm/irq.h"

struct fake_message {
    bool taken, masked;
    int fd;
    uint64_t address;
    uint32_t data;
    unsigned sets;                 /* calls of irq_message_set() */
};

struct fake_sent {
    uint64_t address;              /* of the last */
    uint32_t data;
    unsigned count;
};

void fake_kvm_reset(void);
/** To be given to what is under test. */
struct irq *fake_kvm_irq(void);
/** Since it was asked last: how often line @p gsi, or message @p message, was interrupted. */
uint64_t fake_kvm_line_count(uint32_t gsi);
uint64_t fake_kvm_message_count(int message);
/** What irq_set_level() said of line @p gsi last. */
int fake_kvm_level(uint32_t gsi);
const struct fake_message *fake_kvm_message(int message);
/** What irq_send() sent since this was asked last. */
struct fake_sent fake_kvm_sent(void);
unsigned fake_kvm_messages_taken(void);
unsigned fake_kvm_doorbells(void);
/** What KVM would do with a guest's write: @return whether there was a doorbell to ring */
bool fake_kvm_ring(uint64_t gpa, uint64_t value);
/** The next doorbell_add() and all after it fail with @p code; 0: none does. */
void fake_kvm_refuse_doorbells(int code);

#endif
