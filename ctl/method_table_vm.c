/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of the method table that are about VMs.
 */
#include "ctl/method_table.h"

#define KEY_VM_NAME POSITIONAL_NAME("NAME", "name of the VM")

/* A key of `vm run`, which asks nobody: the client starts the VM itself. */
#define RUN_TEXT(key, longest, what, otherwise, text)                                           \
    { .name = (key), .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT, .min = 1,            \
      .max = (longest), .placeholder = (what), .preset = (otherwise), .help = (text) }

const struct method_spec method_row_VM_RUN = {
    ROW(VM_RUN, "vm", "run"),
    .help = "Start a VM; it runs when this returns, and goes on by itself",
    .example = "vswitchctl vm run web --kernel vmlinux --memory 1G --cpus 2 --vnic web0",
    .keys = {
        { .name = "name", .kind = METHOD_KIND_NAME, .side = METHOD_SIDE_CLIENT,
          .positional = true, .required = true, .placeholder = "NAME",
          .help = "name of the new VM" },
        RUN_TEXT("kernel", 4095, "FILE", "the small guest that comes with the switch",
                 "bzImage, or an ELF file such as vmlinux"),
        RUN_TEXT("initrd", 4095, "FILE", "none", "the kernel's first file system"),
        RUN_TEXT("cmdline", 2047, "TEXT", "console=ttyS0", "the kernel's command line"),
        { .name = "cpus", .kind = METHOD_KIND_UINT, .side = METHOD_SIDE_CLIENT, .min = 1,
          .max = 64, .placeholder = "N", .preset = "1", .help = "CPUs the guest has" },
        { .name = "memory", .kind = METHOD_KIND_BYTES, .side = METHOD_SIDE_CLIENT,
          .min = UINT64_C(16) << 20, .max = UINT64_C(1) << 40, .placeholder = "SIZE",
          .preset = "256M", .form = "a size from 16M to 1T, in steps of 2M",
          .help = "memory the guest has, such as 512M or 4G" },
        { .name = "cpu", .kind = METHOD_KIND_ENUM, .side = METHOD_SIDE_CLIENT,
          .words = { "host", "v2", "v3", "v4" }, .placeholder = "MODEL", .preset = "host",
          .help = "the host's CPU, or a level of x86-64 that other hosts have as well" },
        { .name = "disk", .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT,
          .repeated = true, .min = 1, .max = 4095, .placeholder = "FILE[,ro]",
          .preset = "none", .help = "raw image of a disk; with ,ro the guest only reads it" },
        { .name = "vnic", .kind = METHOD_KIND_NAME, .side = METHOD_SIDE_CLIENT,
          .repeated = true, .placeholder = "VNIC", .preset = "none",
          .help = "vNIC of the switch that becomes a network adapter of the guest" },
        RUN_TEXT("console", 4095, "FILE", "none",
                 "where all goes that the guest prints; - is here, as `vm console` does it"),
        { .name = "transport", .kind = METHOD_KIND_ENUM, .side = METHOD_SIDE_CLIENT,
          .words = { "pci", "mmio" }, .placeholder = "pci|mmio", .preset = "pci",
          .help = "how the guest finds its devices; mmio is for kernels without PCI" },
        { .name = "minimal", .kind = METHOD_KIND_FLAG, .side = METHOD_SIDE_CLIENT,
          .help = "no ACPI and no PCI, for the smallest kernels" },
        RUN_TEXT("jail", 4095, "DIR", "none", "empty directory the VM's process is locked in"),
        RUN_TEXT("user", 64, "UID:GID", "as who starts it", "whom the VM's process runs as"),
    },
};

const struct method_spec method_row_VM_LIST = {
    ROW(VM_LIST, "vm", "list"),
    .help = "List the VMs that are there",
    .example = "vswitchctl vm list",
};

const struct method_spec method_row_VM_SHOW = {
    ROW(VM_SHOW, "vm", "show"),
    .help = "Show a VM: its state, its network adapters, why its CPUs left the guest",
    .example = "vswitchctl vm show web",
    .keys = { KEY_VM_NAME },
};

const struct method_spec method_row_VM_CONSOLE = {
    ROW(VM_CONSOLE, "vm", "console"),
    .help = "Be at the VM's serial console, until ~. at the start of a line",
    .example = "vswitchctl vm console web",
    .keys = { KEY_VM_NAME },
};

const struct method_spec method_row_VM_PAUSE = {
    ROW(VM_PAUSE, "vm", "pause"),
    .help = "Stop a VM's CPUs where they are",
    .example = "vswitchctl vm pause web",
    .keys = { KEY_VM_NAME },
};

const struct method_spec method_row_VM_RESUME = {
    ROW(VM_RESUME, "vm", "resume"),
    .help = "Let a paused VM go on",
    .example = "vswitchctl vm resume web",
    .keys = { KEY_VM_NAME },
};

const struct method_spec method_row_VM_STOP = {
    ROW(VM_STOP, "vm", "stop"),
    .help = "Press a VM's power button, and wait until it has ended",
    .example = "vswitchctl vm stop web --timeout 1m",
    .keys = {
        KEY_VM_NAME,
        { .name = "force", .kind = METHOD_KIND_FLAG,
          .help = "end it at once, as pulling the plug would" },
    },
};

const struct method_spec method_row_VM_SET = {
    ROW(VM_SET, "vm", "set"),
    .help = "Plug a vNIC into a running VM, or take one out",
    .example = "vswitchctl vm set web --add-vnic web1",
    .needs_key = true,
    .keys = {
        KEY_VM_NAME,
        { .name = "add_vnic", .kind = METHOD_KIND_NAME, .placeholder = "VNIC",
          .help = "vNIC that becomes another network adapter of the guest" },
        { .name = "remove_vnic", .kind = METHOD_KIND_NAME, .placeholder = "VNIC",
          .help = "vNIC whose adapter the guest is asked to let go" },
        { .name = "force", .kind = METHOD_KIND_FLAG, .help = "take it out without asking" },
        { .name = "socket", .kind = METHOD_KIND_TEXT, .min = 1, .max = 107,
          .placeholder = "PATH", .preset = "what the daemon says",
          .help = "vhost-user socket of the vNIC that is added, if not the daemon's" },
        KEY_MAC(false, "what the daemon says", "address of the adapter that is added"),
        KEY_MTU("what the daemon says"), KEY_QUEUES("what the daemon says"),
    },
};
