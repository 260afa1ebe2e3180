/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual machine: all of it, from its configuration to its end.
 *
 * machine_create() makes everything that can fail, in order, and says which part did; after
 * machine_start() the guest runs, and all else happens on the main thread's event loop.  A reset
 * stops the vCPUs, resets the devices, loads the kernel again and goes on in the same process, with
 * the same NICs attached.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/cpuid.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_net.h"

#define MACHINE_CPUS_MAX   64u
#define MACHINE_NICS_MAX   32u
#define MACHINE_DISKS_MAX  8u
#define MACHINE_NAME_SIZE  64u     /* of a VM's or a vNIC's name, with its end */

struct machine_disk {
    const char *path;
    bool read_only;
};

struct machine_config {
    const char *name;
    const char *kernel, *initrd, *cmdline;
    unsigned cpus;
    uint64_t memory_bytes;
    enum cpu_model cpu;
    bool minimal;                  /* no ACPI, no PCI */
    bool mmio;                     /* virtio by MMIO instead of PCI */
    unsigned disk_count;
    struct machine_disk disk[MACHINE_DISKS_MAX];
    unsigned nic_count;
    struct virtio_net_options nic[MACHINE_NICS_MAX];
    const char *console_file;      /* NULL: none */
    int console_fd;                /* somebody's at the console from the start; 0: nobody's */
    struct sandbox_config sandbox;
};

enum machine_state { MACHINE_STARTING, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDED };

struct machine_status {
    enum machine_state state;
    const char *why_ended;         /* a sentence; "" while it runs, or when it powered off */
    uint64_t exits[VCPU_EXIT_COUNT];
    uint32_t resets;
    bool huge_pages;
    unsigned nic_count;
    struct machine_nic {
        char name[MACHINE_NAME_SIZE];
        struct virtio_net_status net;
    } nic[MACHINE_NICS_MAX];
};

struct event_base;
struct machine;

/*
 * All of it is for the main thread.  Sentences come with every error.
 */

/**
 * @param config  borrowed while the machine lives
 * @param ended   called once, from the event loop, when the guest has powered off or crashed; then
 *                machine_destroy() is due
 * @return owned; NULL
 */
struct machine *machine_create(struct event_base *base, const struct machine_config *config,
                               void (*ended)(void *context), void *context, struct error *error);
/** Closes the process in (see sandbox.h) and lets the guest run.  @return 0 or -errno */
int machine_start(struct machine *machine, struct error *error);
/** NULL is fine. */
void machine_destroy(struct machine *machine);

/* -EALREADY when it is paused, or runs, already. */
int machine_pause(struct machine *machine, struct error *error);
int machine_resume(struct machine *machine, struct error *error);
/** @return 0, or -EOPNOTSUPP with a sentence when the guest does not listen to its button */
int machine_press_power(struct machine *machine, struct error *error);
/** @param nic  copied.  @return 0; -EEXIST, -ENOSPC; -EOPNOTSUPP without PCI */
int machine_add_nic(struct machine *machine, const struct virtio_net_options *nic,
                    struct error *error);
/**
 * Asks the guest to let go of it; it is gone when machine_status() has it no more.
 * @param force  it is not asked, and gone at once
 */
int machine_remove_nic(struct machine *machine, const char *name, bool force,
                       struct error *error);
/** @param fd  taken */
void machine_attach_console(struct machine *machine, int fd);
void machine_status(const struct machine *machine, struct machine_status *status);

#endif
