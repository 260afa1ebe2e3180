/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What processor a guest sees: the host's, filtered, at one of four levels.
 *
 * "host" passes on what KVM supports.  The levels are those of the x86-64 psABI: v2, v3 and v4 have
 * the features of the level and no others that programs choose code by, so that a VM can go to
 * another host of that level.  What tells of the machine around a processor (topology, who shares
 * caches, power, performance counters, its own virtualization) is made for the VM, or left out.
 *
 * Standard: x86-64 psABI, 3.1.1 (micro-architecture levels); Intel SDM 2A and AMD APM 3, CPUID.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdint.h>

#include <linux/kvm.h>

#include "switch/error.h"

#define CPUID_ENTRIES_MAX 256u

enum cpu_model { CPU_HOST, CPU_V2, CPU_V3, CPU_V4, CPU_MODEL_COUNT };

struct cpuid_table {
    uint32_t count;
    struct kvm_cpuid_entry2 entry[CPUID_ENTRIES_MAX];
};

/** What KVM offers, and what its in-kernel APIC makes.  @return 0; -errno with a sentence */
int cpuid_ask(int kvm_fd, struct cpuid_table *supported, struct error *error);
/**
 * The table that all vCPUs of a VM with @p cpus share.  Pure.
 * @return 0, or -EINVAL with a sentence that says which level the host has
 */
int cpuid_make(const struct cpuid_table *supported, enum cpu_model model, unsigned cpus,
               struct cpuid_table *table, struct error *error);
/** The table of vCPU @p index: its APIC id filled in.  Pure. */
void cpuid_for(const struct cpuid_table *table, unsigned index, struct cpuid_table *own);
/** "host", "v2", ...  @return CPU_MODEL_COUNT for a word that is none */
enum cpu_model cpu_model_of(const char *word);

#endif
