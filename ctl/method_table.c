/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of the method table, but for those of teams and of VMs.
 *
 * Data only.  Keys that two commands share are one macro, so that `switch add` and `switch set`
 * cannot come to differ.  A limit that stands here is about the shape of a value; the model checks
 * its own limits again, because a state file does not come this way.
 */
#include "ctl/method_table.h"

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

#define UPLINK_FORM "an interface (eth1), a PCI address (0000:01:00.0), vdev:NAME,ARGUMENTS, or " \
                    "team:NAME"

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

const struct method_noun method_nouns[] = {
    { "switch",  "virtual switches" },
    { "vnic",    "virtual network adapters of VMs, attached over vhost-user" },
    { "team",    "several interfaces as one uplink" },
    { "mac",     "addresses a switch knows, learned and static" },
    { "stats",   "traffic and losses of every port" },
    { "capture", "frames as they pass, in pcapng" },
    { "vm",      "virtual machines of the bundled monitor, vswitch-vm" },
    { "config",  "what has been configured, as it is kept" },
    { "daemon",  "vswitchd itself" },
    { NULL, NULL }
};

const struct method_spec method_row_SWITCH_ADD = {
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
};

const struct method_spec method_row_SWITCH_SET = {
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
};

const struct method_spec method_row_SWITCH_LIST = {
    ROW(SWITCH_LIST, "switch", "list"),
    .help = "List the switches",
    .example = "vswitchctl switch list",
};

const struct method_spec method_row_SWITCH_SHOW = {
    ROW(SWITCH_SHOW, "switch", "show"),
    .help = "Show a switch with its ports, their traffic and their losses",
    .example = "vswitchctl switch show lan",
    .keys = { POSITIONAL_NAME("NAME", "name of the switch") },
};

const struct method_spec method_row_SWITCH_REMOVE = {
    ROW(SWITCH_REMOVE, "switch", "remove"),
    .help = "Remove a switch",
    .example = "vswitchctl switch remove lan --force",
    .keys = {
        POSITIONAL_NAME("NAME", "name of the switch"),
        { .name = "force", .kind = METHOD_KIND_FLAG,
          .help = "remove the vNICs that are on it as well" },
    },
};

const struct method_spec method_row_VNIC_ADD = {
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
};

const struct method_spec method_row_VNIC_SET = {
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
};

const struct method_spec method_row_VNIC_LIST = {
    ROW(VNIC_LIST, "vnic", "list"),
    .help = "List the vNICs",
    .example = "vswitchctl vnic list --switch lan",
    .keys = {
        { .name = "switch", .kind = METHOD_KIND_NAME, .placeholder = "SWITCH",
          .preset = "all", .help = "only those connected to this switch" },
    },
};

const struct method_spec method_row_VNIC_SHOW = {
    ROW(VNIC_SHOW, "vnic", "show"),
    .help = "Show a vNIC: its state, what the guest agreed to, its traffic and losses",
    .example = "vswitchctl vnic show web0",
    .keys = { POSITIONAL_NAME("NAME", "name of the vNIC") },
};

const struct method_spec method_row_VNIC_REMOVE = {
    ROW(VNIC_REMOVE, "vnic", "remove"),
    .help = "Remove a vNIC, detaching the guest that uses it",
    .example = "vswitchctl vnic remove web0",
    .keys = { POSITIONAL_NAME("NAME", "name of the vNIC") },
};

const struct method_spec method_row_MAC_SHOW = {
    ROW(MAC_SHOW, "mac", "show"),
    .help = "Show the addresses a switch knows, and behind which port they are",
    .example = "vswitchctl mac show lan",
    .keys = { POSITIONAL_NAME("SWITCH", "name of the switch") },
};

const struct method_spec method_row_MAC_ADD = {
    ROW(MAC_ADD, "mac", "add"),
    .help = "Pin an address to a port, so that it is never learned elsewhere or aged",
    .example = "vswitchctl mac add lan --mac 00:15:5d:01:02:03 --port web0",
    .keys = {
        POSITIONAL_NAME("SWITCH", "name of the switch"),
        KEY_MAC(true, NULL, "the address"),
        KEY_PORT(true, NULL, "port it is behind"),
        KEY_MAC_VLAN,
    },
};

const struct method_spec method_row_MAC_REMOVE = {
    ROW(MAC_REMOVE, "mac", "remove"),
    .help = "Forget an address, pinned or learned",
    .example = "vswitchctl mac remove lan --mac 00:15:5d:01:02:03",
    .keys = {
        POSITIONAL_NAME("SWITCH", "name of the switch"),
        KEY_MAC(true, NULL, "the address"),
        KEY_MAC_VLAN,
    },
};

const struct method_spec method_row_MAC_FLUSH = {
    ROW(MAC_FLUSH, "mac", "flush"),
    .help = "Forget what was learned; pinned addresses stay",
    .example = "vswitchctl mac flush lan --port web0",
    .keys = {
        POSITIONAL_NAME("SWITCH", "name of the switch"),
        KEY_PORT(false, "all", "only addresses behind this port"),
    },
};

const struct method_spec method_row_STATS_SHOW = {
    ROW(STATS_SHOW, "stats", "show"),
    .help = "Show the traffic and the losses of ports",
    .example = "vswitchctl stats show lan --watch 1",
    .keys = {
        { .name = "name", .kind = METHOD_KIND_TEXT, .positional = true, .min = 1,
          .max = 255, .placeholder = "NAME", .preset = "all",
          .form = "a switch, a vNIC, an uplink, a team, a member or a host's adapter",
          .help = "whose traffic" },
        { .name = "watch", .kind = METHOD_KIND_MS, .side = METHOD_SIDE_CLIENT,
          .min = 100, .max = 86400000, .placeholder = "S",
          .help = "show rates, again after so long, until Ctrl-C" },
    },
};

const struct method_spec method_row_CAPTURE_START = {
    ROW(CAPTURE_START, "capture", "start"),
    .help = "Copy frames, the dropped ones too, to a pcapng file or a pipe, until Ctrl-C",
    .example = "vswitchctl capture start --on switch:lan --write - | tcpdump -n -r -",
    .keys = {
        { .name = "on", .kind = METHOD_KIND_TARGET, .required = true,
          .words = { "vnic", "switch", "uplink", "team", "host" }, .placeholder = "WHERE",
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
};

const struct method_spec method_row_CAPTURE_LIST = {
    ROW(CAPTURE_LIST, "capture", "list"),
    .help = "List the captures that are running",
    .example = "vswitchctl capture list",
};

const struct method_spec method_row_CAPTURE_STOP = {
    ROW(CAPTURE_STOP, "capture", "stop"),
    .help = "Stop a capture; the command that started it ends with its summary",
    .example = "vswitchctl capture stop 1",
    .keys = { KEY_CAPTURE_ID(true) },
};

const struct method_spec method_row_CAPTURE_RESULT = {
    ROW(CAPTURE_RESULT, "capture", "result"),
    .help = "Tell what a capture that has ended came to",
    .example = "vswitchctl capture result 1",
    .hidden = true,
    .keys = { KEY_CAPTURE_ID(true) },
};

const struct method_spec method_row_CONFIG_SHOW = {
    ROW(CONFIG_SHOW, "config", "show"),
    .help = "Show what is kept in the state directory, as it is kept",
    .example = "vswitchctl config show --json",
};

const struct method_spec method_row_CONFIG_CHECK = {
    ROW(CONFIG_CHECK, "config", "check"),
    .help = "Check a state file as the daemon would at its start, changing nothing",
    .example = "vswitchctl config check /var/lib/vswitch/config.json",
    .keys = {
        { .name = "file", .kind = METHOD_KIND_TEXT, .side = METHOD_SIDE_CLIENT,
          .positional = true, .required = true, .min = 1, .max = 4095,
          .placeholder = "FILE", .help = "the file; no daemon need run to have it checked" },
    },
};

const struct method_spec method_row_DAEMON_SHOW = {
    ROW(DAEMON_SHOW, "daemon", "show"),
    .help = "Show the daemon's version and what its workers are doing",
    .example = "vswitchctl daemon show",
};

const struct method_spec method_row_DAEMON_SET = {
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
};

const struct method_spec method_row_DAEMON_STOP = {
    ROW(DAEMON_STOP, "daemon", "stop"),
    .help = "Stop the daemon; guests lose their network until it is back",
    .example = "vswitchctl daemon stop",
};
