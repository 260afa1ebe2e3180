/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual processor: one thread that runs the guest until it exits to us, and answers.
 *
 * Why a vCPU leaves the guest is counted by kind; what it wants from devices goes to the bus.  A
 * pause is a signal with KVM's immediate_exit set, so that it is never missed between a check and
 * the ioctl.  An exit that the guest brought about and nobody can serve ends its own VM, with a
 * sentence that names it.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/ram.h"

/* Why a vCPU came out of the guest. */
#define VCPU_EXITS(X)                                                                            \
    X(MEMORY, "memory")  X(PORT, "port")  X(HALT, "halt")  X(SIGNAL, "signal")                  \
    X(SHUTDOWN, "shutdown")  X(SYSTEM, "system")  X(LENT, "lent")  X(OTHER, "other")

enum vcpu_exit {
#define X(name, text) VCPU_EXIT_##name,
    VCPU_EXITS(X)
#undef X
    VCPU_EXIT_COUNT
};

/* What a vCPU tells the machine, once, from its thread. */
enum vcpu_end { VCPU_END_RESET, VCPU_END_POWER_OFF, VCPU_END_CRASH };

struct vcpu;

struct vcpu_config {
    int vm_fd;
    int run_bytes;                 /* KVM_GET_VCPU_MMAP_SIZE, of /dev/kvm */
    unsigned index;
    struct bus *bus;
    const struct ram *ram;
    const struct cpuid_table *cpuid;
    /* Ends the VM.  @p why: a sentence, for CRASH; from the vCPU's thread. */
    void (*ended)(void *context, enum vcpu_end end, const char *why);
    void *context;
};

/* The descriptor table that a boot protocol writes to memory: code at 0x10, data at 0x18. */
#define VCPU_GDT_LONG { 0, 0, UINT64_C(0x00af9b000000ffff), UINT64_C(0x00cf93000000ffff) }
#define VCPU_GDT_PROTECTED { 0, 0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00cf93000000ffff) }

/* Registers a boot protocol starts the first vCPU with; the others wait for INIT and SIPI. */
struct vcpu_start {
    enum { VCPU_START_LONG, VCPU_START_PROTECTED } mode;   /* 64-bit boot protocol, or PVH */
    uint64_t rip, rsi, rbx, rsp;
    uint64_t page_tables_gpa;      /* LONG: of the identity map */
    uint64_t gdt_gpa;              /* of VCPU_GDT_* above */
};

/** @return owned; NULL with a sentence.  Thread: main. */
struct vcpu *vcpu_create(const struct vcpu_config *config, struct error *error);
/** Its thread has ended.  NULL is fine. */
void vcpu_destroy(struct vcpu *vcpu);

/**
 * Back to its state at power-on: the first vCPU is then due vcpu_set_start(), the others wait.
 * @return 0 or -errno with a sentence.  Thread: main, while it is stopped.
 */
int vcpu_reset(struct vcpu *vcpu, struct error *error);
/**
 * Sets the first vCPU's registers, right after vcpu_create() or vcpu_reset().
 * @return 0 or -errno with a sentence
 */
int vcpu_set_start(struct vcpu *vcpu, const struct vcpu_start *start, struct error *error);
/**
 * Starts the thread; @p enter runs first in it (the sandbox).
 * @return 0; -errno with a sentence, then of @p enter's as well, and the guest has not run
 */
int vcpu_run(struct vcpu *vcpu, int (*enter)(void *context), void *context, struct error *error);
/**
 * Asks it to leave the guest and wait; returns when it does.  KVM then has finished the last access
 * to a device, so that the registers can be read.  Thread: main, without the bus's lock.
 */
void vcpu_pause(struct vcpu *vcpu);
void vcpu_resume(struct vcpu *vcpu);
/** Ends the thread and waits for that; vcpu_run() may start it again.  Thread: main. */
void vcpu_stop(struct vcpu *vcpu);

/** Exits so far, by kind.  Thread: any. */
void vcpu_exits(const struct vcpu *vcpu, uint64_t exits[VCPU_EXIT_COUNT]);
const char *vcpu_exit_text(enum vcpu_exit exit);

#endif
