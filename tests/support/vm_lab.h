/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM of the monitor's core parts alone: memory, bus, interrupts, one vCPU, and one device that a
 * guest of a few instructions can talk to.  No boot loader, no virtio.
 *
 * The guest finds itself in 64-bit mode at VM_LAB_CODE_GPA with the first 4 GiB mapped one to one.
 */
#ifndef TESTS_SUPPORT_VM_LAB_H
#define TESTS_SUPPORT_VM_LAB_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/irq.h"
#include "vmm/ram.h"
#include "vmm/vcpu.h"

#define VM_LAB_CODE_GPA   0x10000u
#define VM_LAB_STACK_GPA  0x20000u
#define VM_LAB_DATA_GPA   0x30000u   /* where guests leave what they found */
#define VM_LAB_PORT       0x500u     /* the device's registers, in ports and in memory */
#define VM_LAB_DEVICE_GPA UINT64_C(0xd0000000)
#define VM_LAB_REGISTERS  16u
#define VM_LAB_DONE       15u        /* a guest writes this port to say that it has got there */
#define VM_LAB_LOWER      14u        /* lowers interrupt line VM_LAB_LEVEL_GSI */
#define VM_LAB_LEVEL_GSI  5u

struct vm_lab {
    int kvm_fd, vm_fd;
    struct ram ram;
    struct bus *bus;
    struct irq *irq;
    struct cpuid_table cpuid;
    struct vcpu *vcpu;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint8_t port[VM_LAB_REGISTERS], memory[VM_LAB_REGISTERS];
    unsigned done;                 /* writes to VM_LAB_DONE */
    unsigned ends;
    enum vcpu_end end;
    char why[512];
};

/** Whether there is a /dev/kvm; prints why not. */
bool vm_lab_has_kvm(void);

/** A VM without a program.  @p lab is filled; everything that fails fails the test. */
void vm_lab_create(struct vm_lab *lab);
void vm_lab_destroy(struct vm_lab *lab);
/** One more vCPU, the caller's to destroy, before the lab. */
struct vcpu *vm_lab_vcpu(struct vm_lab *lab, unsigned index);

/** Writes tables and @p code, and has the vCPU start there. */
void vm_lab_load(struct vm_lab *lab, const void *code, const void *code_end, int mode);
void vm_lab_run(struct vm_lab *lab);

/** Wait until it happens, or fail the test after 20 s. */
void vm_lab_await_done(struct vm_lab *lab, unsigned times);
void vm_lab_await_end(struct vm_lab *lab);
void vm_lab_await_word(struct vm_lab *lab, unsigned index, uint64_t at_least);

/** The guest's 64-bit word @p index at VM_LAB_DATA_GPA. */
uint64_t vm_lab_word(const struct vm_lab *lab, unsigned index);
uint64_t vm_lab_exits(const struct vm_lab *lab, enum vcpu_exit exit);

#endif
