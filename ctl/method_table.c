/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of the method table.
 *
 * Data only.  Keys that two commands share are one macro, so that `switch add` and `switch set`
 * cannot come to differ.  A limit that stands here is about the shape of a value; the model checks
 * its own limits again, because a state file does not come this way.
 */
#include "ctl/method_table.h"

#include "ctl/value.h"

#define POSITIONAL_NAME(what, text)                                                             \
    { .name = "name", .kind = METHOD_KIND_NAME, .positional = true, .required = true,           \
      .placeholder = (what), .help = (text) }

#define KEY_MTU(otherwise)                                                                      \
    { .name = "mtu", .kind = METHOD_KIND_BYTES, .min = 576, .max = 9600,                        \
      .placeholder = "BYTES", .preset = (otherwise),                                            \
      .help = "largest payload of a frame, as `ip link` says it" }

#define KEY_MAC_CAPACITY(otherwise)                                                             \
    { .name = "mac_capacity", .kind = METHOD_KIND_UINT, .min = 1, .max = 1000000,               \
      .placeholder = "N", .preset = (otherwise), .help = "addresses the switch can know at once" }

#define KEY_MAC_AGEING(otherwise)                                                               \
    { .name = "mac_ageing", .kind = METHOD_KIND_SECONDS, .min = 0, .max = 1000000,              \
      .placeholder = "S", .preset = (otherwise),                                                \
      .help = "how long a silent address is kept; 0 keeps it for ever" }

#define KEY_SOCKET_OWNER                                                                        \
    { .name = "socket_owner", .kind = METHOD_KIND_TEXT, .min = 1, .max = 32,                    \
      .placeholder = "USER", .preset = "the daemon's user",                                     \
      .help = "user who owns the vNIC's socket, as the VM's monitor runs" }

#define KEY_SOCKET_GROUP                                                                        \
    { .name = "socket_group", .kind = METHOD_KIND_TEXT, .min = 1, .max = 32,                    \
      .placeholder = "GROUP", .preset = "the daemon's --group",                                 \
      .help = "group that may open the vNIC's socket" }

#define KEY_MAC(is_required, otherwise, text)                                                   \
    { .name = "mac", .kind = METHOD_KIND_MAC, .required = (is_required), .placeholder = "MAC",  \
      .preset = (otherwise), .help = (text) }

#define KEY_MAC_VLAN                                                                            \
    { .name = "vlan", .kind = METHOD_KIND_UINT, .min = 0, .max = 4094, .placeholder = "V",      \
      .preset = "0", .help = "VLAN of the address; 0 is untagged" }

#define KEY_PORT(is_required, otherwise, text)                                                  \
    { .name = "port", .kind = METHOD_KIND_TEXT, .required = (is_required), .min = 1,            \
      .max = 255, .placeholder = "PORT", .preset = (otherwise),                                 \
      .form = "a vNIC, the switch's uplink, or the host's adapter on it", .help = (text) }

#define KEY_TYPE(is_required, otherwise)                                                        \
    { .name = "type", .kind = METHOD_KIND_ENUM, .required = (is_required),                      \
      .words = { "private", "internal", "external" }, .placeholder = "TYPE",                    \
      .preset = (otherwise),                                                                    \
      .help = "who is on it: VMs only, also the host, also the physical network" }

#define UPLINK_FORM "an interface (eth1), a PCI address (0000:01:00.0), or vdev:NAME,ARGUMENTS"

#define KEY_UPLINK(otherwise, form_)                                                            \
    { .name = "uplink", .kind = METHOD_KIND_TEXT, .min = 1, .max = 255,                         \
      .placeholder = "WHERE", .preset = (otherwise), .form = form_,                             \
      .help = "what connects an external switch to the network" }

#define KEY_HOST_VNIC(otherwise)                                                                \
    { .name = "host_vnic", .kind = METHOD_KIND_ONOFF, .placeholder = "on|off",                  \
      .preset = (otherwise),                                                                    \
      .help = "whether the host has an adapter on an external switch" }

#define KEY_MOVE_ADDRESSES                                                                      \
    { .name = "move_addresses", .kind = METHOD_KIND_FLAG,                                       \
      .help = "carry the uplink's addresses and routes over to the host vNIC, and back" }

#define KEY_FORCE_UPLINK                                                                        \
    { .name = "force", .kind = METHOD_KIND_FLAG,                                                \
      .help = "take the uplink even if the host's default route is on it" }

#define KEY_HOST_VLAN(otherwise)                                                                \
    { .name = "host_vlan", .kind = METHOD_KIND_TEXT, .min = 4, .max = 16,                       \
      .placeholder = "VLAN", .preset = (otherwise), .form = "none or one such as access:10",    \
      .help = "VLAN the host vNIC is in" }

#define KEY_HOST_MAC(otherwise)                                                                 \
    { .name = "host_mac", .kind = METHOD_KIND_MAC, .placeholder = "MAC",                        \
      .preset = (otherwise), .help = "address of the host vNIC" }

#define KEY_HOST_ADDRESS(otherwise)                                                             \
    { .name = "host_address", .kind = METHOD_KIND_TEXT, .min = 1, .max = 1023,                  \
      .placeholder = "A/B,...", .preset = (otherwise),                                          \
      .form = "none, or addresses such as 192.0.2.1/24,2001:db8::1/64",                         \
      .help = "IP addresses the host vNIC is given" }

#define KEY_VLAN(otherwise)                                                                     \
    { .name = "vlan", .kind = METHOD_KIND_TEXT, .min = 4, .max = 511,                           \
      .placeholder = "VLAN", .preset = (otherwise),                                             \
      .form = "none, access:10, trunk:1,20-29,native:1, isolated:9,21, community:9,22 or "      \
              "promiscuous:9,21-29",                                                            \
      .help = "VLANs it is in" }

#define KEY_PRIORITY(otherwise)                                                                 \
    { .name = "priority", .kind = METHOD_KIND_ENUM, .words = { "trust", "reset" },              \
      .placeholder = "trust|reset", .preset = (otherwise),                                      \
      .help = "whether the 802.1p priority of its frames is kept or set to 0" }

#define KEY_SPOOF_GUARD(otherwise)                                                              \
    { .name = "spoof_guard", .kind = METHOD_KIND_ONOFF, .placeholder = "on|off",                \
      .preset = (otherwise),                                                                    \
      .help = "let it send only from its own address and those of --allow-mac" }

#define KEY_ALLOW_MAC(otherwise)                                                                \
    { .name = "allow_mac", .kind = METHOD_KIND_TEXT, .min = 1, .max = 575,                      \
      .placeholder = "MAC,...", .preset = (otherwise),                                          \
      .form = "none, or up to 32 addresses such as 00:15:5d:01:02:03",                          \
      .help = "addresses it may send from besides its own, instead of those it had" }

#define KEY_DHCP_GUARD(otherwise)                                                               \
    { .name = "dhcp_guard", .kind = METHOD_KIND_ONOFF, .placeholder = "on|off",                 \
      .preset = (otherwise), .help = "drop what a DHCP server would send, coming from it" }

#define KEY_ROUTER_GUARD(otherwise)                                                             \
    { .name = "router_guard", .kind = METHOD_KIND_ONOFF, .placeholder = "on|off",               \
      .preset = (otherwise), .help = "drop router advertisements and redirects coming from it" }

#define KEY_OFFLOAD(otherwise)                                                                  \
    { .name = "offload", .kind = METHOD_KIND_TEXT, .min = 2, .max = 255,                        \
      .words = { "on", "off", "tx", "rx", "tso", "uso" }, .placeholder = "on|off|LIST",         \
      .preset = (otherwise),                                                                    \
      .form = "on, off, or words with commas: tx, rx, csum, tso, ecn, uso, or one such as "     \
              "guest_tso4",                                                                     \
      .help = "checksums and segmentation that guest and switch may leave to each other" }

#define KEY_COALESCE(otherwise)                                                                 \
    { .name = "coalesce", .kind = METHOD_KIND_ONOFF, .placeholder = "on|off",                   \
      .preset = (otherwise),                                                                    \
      .help = "merge TCP segments from the uplink for ports that take long ones" }

#define KEY_CAPTURE_ID(is_positional)                                                           \
    { .name = "id", .kind = METHOD_KIND_UINT, .positional = (is_positional), .required = true,  \
      .min = 1, .max = UINT32_MAX, .placeholder = "ID",                                         \
      .help = "number of the capture, from `capture list`" }

#define KEY_VM_NAME POSITIONAL_NAME("NAME", "name of the VM")

#define KEY_QUEUES(otherwise)                                                                   \
    { .name = "queues", .kind = METHOD_KIND_UINT, .min = 1, .max = 16, .placeholder = "N",      \
      .preset = (otherwise),                                                                    \
      .help = "queue pairs the guest may use, at most one for each of its CPUs" }

/* A key of `vm run`, which asks nobody: the client starts the VM itself. */
#define RUN_TEXT(key, longest, what, otherwise, text)                                           \
    { .name = (key), .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT, .min = 1,            \
      .max = (longest), .placeholder = (what), .preset = (otherwise), .help = (text) }

const struct method_noun method_nouns[] = {
    { "switch",  "virtual switches" },
    { "vnic",    "virtual network adapters of VMs, attached over vhost-user" },
    { "mac",     "addresses a switch knows, learned and static" },
    { "stats",   "traffic and losses of every port" },
    { "capture", "frames as they pass, in pcapng" },
    { "vm",      "virtual machines of the bundled monitor, vswitch-vm" },
    { "config",  "what has been configured, as it is kept" },
    { "daemon",  "vswitchd itself" },
    { NULL, NULL }
};

#define ROW(method, noun_, verb_)                                                               \
    .id = METHOD_##method, .noun = noun_, .verb = verb_, .name = noun_ "." verb_

const struct method_spec method_table[METHOD_COUNT] = {
    [METHOD_SWITCH_ADD] = {
        ROW(SWITCH_ADD, "switch", "add"),
        .help = "Make a switch",
        .example = "vswitchctl switch add lan --type external --uplink eth1 --mtu 9000",
        .keys = {
            POSITIONAL_NAME("NAME", "name of the new switch"),
            KEY_TYPE(true, NULL), KEY_UPLINK(NULL, UPLINK_FORM), KEY_HOST_VNIC("off"),
            KEY_MTU("1500"), KEY_MAC_CAPACITY("8192"), KEY_MAC_AGEING("300"), KEY_COALESCE("on"),
            KEY_HOST_VLAN("none"), KEY_HOST_MAC("the next free of the pool"),
            KEY_HOST_ADDRESS("none"), KEY_MOVE_ADDRESSES, KEY_FORCE_UPLINK,
        },
    },
    [METHOD_SWITCH_SET] = {
        ROW(SWITCH_SET, "switch", "set"),
        .help = "Change a switch while it runs",
        .example = "vswitchctl switch set lan --mac-ageing 2m",
        .needs_key = true,
        .keys = {
            POSITIONAL_NAME("NAME", "name of the switch"),
            KEY_TYPE(false, "as it is; external when an uplink is named"),
            KEY_UPLINK("as it is", "none, " UPLINK_FORM), KEY_HOST_VNIC("as it is"),
            KEY_MTU("as it is"), KEY_MAC_CAPACITY("as it is"), KEY_MAC_AGEING("as it is"),
            KEY_COALESCE("as it is"),
            KEY_HOST_VLAN("as it is"), KEY_HOST_MAC("as it is"), KEY_HOST_ADDRESS("as it is"),
            KEY_MOVE_ADDRESSES, KEY_FORCE_UPLINK,
        },
    },
    [METHOD_SWITCH_LIST] = {
        ROW(SWITCH_LIST, "switch", "list"),
        .help = "List the switches",
        .example = "vswitchctl switch list",
    },
    [METHOD_SWITCH_SHOW] = {
        ROW(SWITCH_SHOW, "switch", "show"),
        .help = "Show a switch with its ports, their traffic and their losses",
        .example = "vswitchctl switch show lan",
        .keys = { POSITIONAL_NAME("NAME", "name of the switch") },
    },
    [METHOD_SWITCH_REMOVE] = {
        ROW(SWITCH_REMOVE, "switch", "remove"),
        .help = "Remove a switch",
        .example = "vswitchctl switch remove lan --force",
        .keys = {
            POSITIONAL_NAME("NAME", "name of the switch"),
            { .name = "force", .kind = METHOD_KIND_FLAG,
              .help = "remove the vNICs that are on it as well" },
        },
    },
    [METHOD_VNIC_ADD] = {
        ROW(VNIC_ADD, "vnic", "add"),
        .help = "Make a vNIC: a socket that a VM's monitor attaches to",
        .example = "vswitchctl vnic add web0 --switch lan --queues 4",
        .keys = {
            POSITIONAL_NAME("NAME", "name of the new vNIC; its socket is RUN/vnic/NAME.sock"),
            { .name = "switch", .kind = METHOD_KIND_NAME, .required = true,
              .placeholder = "SWITCH", .help = "switch it is connected to" },
            KEY_MAC(false, "the next free of the pool",
                    "address of the VM's adapter; give the VM's monitor the same"),
            KEY_QUEUES("1"), KEY_MTU("the switch's"), KEY_VLAN("none"), KEY_PRIORITY("reset"),
            KEY_SPOOF_GUARD("on"), KEY_ALLOW_MAC("none"), KEY_DHCP_GUARD("off"),
            KEY_ROUTER_GUARD("off"), KEY_OFFLOAD("on"), KEY_SOCKET_OWNER, KEY_SOCKET_GROUP,
        },
    },
    [METHOD_VNIC_SET] = {
        ROW(VNIC_SET, "vnic", "set"),
        .help = "Change a vNIC; a guest that is attached sees it when it attaches anew",
        .example = "vswitchctl vnic set web0 --vlan access:10",
        .needs_key = true,
        .keys = {
            POSITIONAL_NAME("NAME", "name of the vNIC"),
            KEY_MAC(false, "as it is",
                    "address of the VM's adapter; give the VM's monitor the same"),
            KEY_MTU("as it is"), KEY_VLAN("as it is"), KEY_PRIORITY("as it is"),
            KEY_SPOOF_GUARD("as it is"), KEY_ALLOW_MAC("as it is"), KEY_DHCP_GUARD("as it is"),
            KEY_ROUTER_GUARD("as it is"), KEY_OFFLOAD("as it is"), KEY_SOCKET_OWNER,
            KEY_SOCKET_GROUP,
        },
    },
    [METHOD_VNIC_LIST] = {
        ROW(VNIC_LIST, "vnic", "list"),
        .help = "List the vNICs",
        .example = "vswitchctl vnic list --switch lan",
        .keys = {
            { .name = "switch", .kind = METHOD_KIND_NAME, .placeholder = "SWITCH",
              .preset = "all", .help = "only those connected to this switch" },
        },
    },
    [METHOD_VNIC_SHOW] = {
        ROW(VNIC_SHOW, "vnic", "show"),
        .help = "Show a vNIC: its state, what the guest agreed to, its traffic and losses",
        .example = "vswitchctl vnic show web0",
        .keys = { POSITIONAL_NAME("NAME", "name of the vNIC") },
    },
    [METHOD_VNIC_REMOVE] = {
        ROW(VNIC_REMOVE, "vnic", "remove"),
        .help = "Remove a vNIC, detaching the guest that uses it",
        .example = "vswitchctl vnic remove web0",
        .keys = { POSITIONAL_NAME("NAME", "name of the vNIC") },
    },
    [METHOD_MAC_SHOW] = {
        ROW(MAC_SHOW, "mac", "show"),
        .help = "Show the addresses a switch knows, and behind which port they are",
        .example = "vswitchctl mac show lan",
        .keys = { POSITIONAL_NAME("SWITCH", "name of the switch") },
    },
    [METHOD_MAC_ADD] = {
        ROW(MAC_ADD, "mac", "add"),
        .help = "Pin an address to a port, so that it is never learned elsewhere or aged",
        .example = "vswitchctl mac add lan --mac 00:15:5d:01:02:03 --port web0",
        .keys = {
            POSITIONAL_NAME("SWITCH", "name of the switch"),
            KEY_MAC(true, NULL, "the address"),
            KEY_PORT(true, NULL, "port it is behind"),
            KEY_MAC_VLAN,
        },
    },
    [METHOD_MAC_REMOVE] = {
        ROW(MAC_REMOVE, "mac", "remove"),
        .help = "Forget an address, pinned or learned",
        .example = "vswitchctl mac remove lan --mac 00:15:5d:01:02:03",
        .keys = {
            POSITIONAL_NAME("SWITCH", "name of the switch"),
            KEY_MAC(true, NULL, "the address"),
            KEY_MAC_VLAN,
        },
    },
    [METHOD_MAC_FLUSH] = {
        ROW(MAC_FLUSH, "mac", "flush"),
        .help = "Forget what was learned; pinned addresses stay",
        .example = "vswitchctl mac flush lan --port web0",
        .keys = {
            POSITIONAL_NAME("SWITCH", "name of the switch"),
            KEY_PORT(false, "all", "only addresses behind this port"),
        },
    },
    [METHOD_STATS_SHOW] = {
        ROW(STATS_SHOW, "stats", "show"),
        .help = "Show the traffic and the losses of ports",
        .example = "vswitchctl stats show lan --watch 1",
        .keys = {
            { .name = "name", .kind = METHOD_KIND_TEXT, .positional = true, .min = 1,
              .max = 255, .placeholder = "NAME", .preset = "all",
              .form = "a switch, a vNIC, an uplink or a host's adapter",
              .help = "whose traffic" },
            { .name = "watch", .kind = METHOD_KIND_MS, .side = METHOD_SIDE_CLIENT,
              .min = 100, .max = 86400000, .placeholder = "S",
              .help = "show rates, again after so long, until Ctrl-C" },
        },
    },
    [METHOD_CAPTURE_START] = {
        ROW(CAPTURE_START, "capture", "start"),
        .help = "Copy frames, the dropped ones too, to a pcapng file or a pipe, until Ctrl-C",
        .example = "vswitchctl capture start --on switch:lan --write - | tcpdump -n -r -",
        .keys = {
            { .name = "on", .kind = METHOD_KIND_TARGET, .required = true,
              .words = { "vnic", "switch", "uplink", "host" }, .placeholder = "WHERE",
              .help = "the port, or the switch with all of its ports" },
            { .name = "write", .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT,
              .min = 1, .max = 4095, .placeholder = "FILE|-",
              .preset = "-, unless standard output is a terminal",
              .help = "where the capture goes; - is standard output" },
            { .name = "filter", .kind = METHOD_KIND_TEXT, .min = 1, .max = 2047,
              .placeholder = "EXPR", .preset = "every frame",
              .help = "which frames, in the language of pcap-filter(7)" },
            { .name = "direction", .kind = METHOD_KIND_ENUM, .words = { "in", "out", "both" },
              .placeholder = "DIR", .preset = "both",
              .help = "in is from a port into the switch, out is from the switch to a port" },
            { .name = "snaplen", .kind = METHOD_KIND_BYTES, .min = 14, .max = 262144,
              .placeholder = "BYTES", .preset = "whole frames",
              .help = "keep at most so much of each frame" },
            { .name = "frames", .kind = METHOD_KIND_UINT, .min = 1, .max = 1000000000000,
              .placeholder = "N", .help = "stop after so many frames" },
            { .name = "seconds", .kind = METHOD_KIND_SECONDS, .min = 1, .max = 31536000,
              .placeholder = "S", .help = "stop after so long" },
            { .name = "drops", .kind = METHOD_KIND_FLAG,
              .help = "only frames that were dropped; the comment of each says why" },
        },
    },
    [METHOD_CAPTURE_LIST] = {
        ROW(CAPTURE_LIST, "capture", "list"),
        .help = "List the captures that are running",
        .example = "vswitchctl capture list",
    },
    [METHOD_CAPTURE_STOP] = {
        ROW(CAPTURE_STOP, "capture", "stop"),
        .help = "Stop a capture; the command that started it ends with its summary",
        .example = "vswitchctl capture stop 1",
        .keys = { KEY_CAPTURE_ID(true) },
    },
    [METHOD_CAPTURE_RESULT] = {
        ROW(CAPTURE_RESULT, "capture", "result"),
        .help = "Tell what a capture that has ended came to",
        .example = "vswitchctl capture result 1",
        .hidden = true,
        .keys = { KEY_CAPTURE_ID(true) },
    },
    [METHOD_VM_RUN] = {
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
              .preset = "256M", .help = "memory the guest has, such as 512M or 4G" },
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
    },
    [METHOD_VM_LIST] = {
        ROW(VM_LIST, "vm", "list"),
        .help = "List the VMs that are there",
        .example = "vswitchctl vm list",
    },
    [METHOD_VM_SHOW] = {
        ROW(VM_SHOW, "vm", "show"),
        .help = "Show a VM: its state, its network adapters, why its CPUs left the guest",
        .example = "vswitchctl vm show web",
        .keys = { KEY_VM_NAME },
    },
    [METHOD_VM_CONSOLE] = {
        ROW(VM_CONSOLE, "vm", "console"),
        .help = "Be at the VM's serial console, until ~. at the start of a line",
        .example = "vswitchctl vm console web",
        .keys = { KEY_VM_NAME },
    },
    [METHOD_VM_PAUSE] = {
        ROW(VM_PAUSE, "vm", "pause"),
        .help = "Stop a VM's CPUs where they are",
        .example = "vswitchctl vm pause web",
        .keys = { KEY_VM_NAME },
    },
    [METHOD_VM_RESUME] = {
        ROW(VM_RESUME, "vm", "resume"),
        .help = "Let a paused VM go on",
        .example = "vswitchctl vm resume web",
        .keys = { KEY_VM_NAME },
    },
    [METHOD_VM_STOP] = {
        ROW(VM_STOP, "vm", "stop"),
        .help = "Press a VM's power button, and wait until it has ended",
        .example = "vswitchctl vm stop web --timeout 1m",
        .keys = {
            KEY_VM_NAME,
            { .name = "force", .kind = METHOD_KIND_FLAG,
              .help = "end it at once, as pulling the plug would" },
        },
    },
    [METHOD_VM_SET] = {
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
    },
    [METHOD_CONFIG_SHOW] = {
        ROW(CONFIG_SHOW, "config", "show"),
        .help = "Show what is kept in the state directory, as it is kept",
        .example = "vswitchctl config show --json",
    },
    [METHOD_CONFIG_CHECK] = {
        ROW(CONFIG_CHECK, "config", "check"),
        .help = "Check a state file as the daemon would at its start, changing nothing",
        .example = "vswitchctl config check /var/lib/vswitch/config.json",
        .keys = {
            { .name = "file", .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT,
              .positional = true, .required = true, .min = 1, .max = 4095,
              .placeholder = "FILE", .help = "the file; no daemon need run to have it checked" },
        },
    },
    [METHOD_DAEMON_SHOW] = {
        ROW(DAEMON_SHOW, "daemon", "show"),
        .help = "Show the daemon's version and what its workers are doing",
        .example = "vswitchctl daemon show",
    },
    [METHOD_DAEMON_SET] = {
        ROW(DAEMON_SET, "daemon", "set"),
        .help = "Change what holds for all switches",
        .example = "vswitchctl daemon set --mac-pool 00:15:5d:0a:00:00-00:15:5d:0a:03:ff",
        .needs_key = true,
        .keys = {
            { .name = "mac_pool", .kind = METHOD_KIND_TEXT, .min = 35, .max = 35,
              .placeholder = "FIRST-LAST", .preset = "as it is",
              .form = "two addresses, such as 00:15:5d:0a:00:00-00:15:5d:0a:03:ff",
              .help = "addresses that vNICs and host vNICs are given from" },
        },
    },
    [METHOD_DAEMON_STOP] = {
        ROW(DAEMON_STOP, "daemon", "stop"),
        .help = "Stop the daemon; guests lose their network until it is back",
        .example = "vswitchctl daemon stop",
    },
};
