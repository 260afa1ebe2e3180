#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A switch that changes its type while it exists: what comes, what goes, what stays, and that all of
# it is there again after a crash.  No frame is sent: delivery has tests of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

# ---- helpers -------------------------------------------------------------------------------------

# is KIND UPLINK HOST_VNIC PORT...: what `switch show lan` says, the ports by name in their order
is() {
    vswitchctl --json switch show lan | python3 -c 'import json, sys
shown = json.load(sys.stdin)
is_now = [shown["type"], shown["uplink"] or "none", "on" if shown["host_vnic"] else "off",
          *(port["name"] for port in shown["ports"])]
print(*is_now)
sys.exit(is_now != sys.argv[1:])' "$@"
}
# vlan_of PORT: its VLAN, as text
vlan_of() {
    vswitchctl --json switch show lan | python3 -c 'import json, sys
print(*(port["vlan"] for port in json.load(sys.stdin)["ports"]
        if port["name"] == sys.argv[1]))' "$1"
}
pinned() { vswitchctl mac show lan | grep -E "^$1 +$2 +$3 "; }     # pinned MAC VLAN PORT
config() { vswitchctl --json config show; }
both_are_pinned() { pinned 02:00:00:00:00:03 20 eth1 && pinned 02:00:00:00:00:04 0 lan; }
all_is_back() { config | diff "$work/before" - && is external eth1 on eth1 lan web; }
shows_mac() { vswitchctl mac show "$1" | grep "$2"; }          # shows_mac SWITCH MAC
there() { ip link show "$1"; }
host_has() { ip -o address show dev lan | grep -F " $1 "; }

wire_make
must "the daemon starts" daemon_start --no-huge

# ---- private, internal, external, and back -------------------------------------------------------
must "a private switch is made" vswitchctl switch add lan --type private
must "it has a vNIC" vswitchctl vnic add web --switch lan --mac 02:00:00:00:00:01
check "there is nothing else on it" is private none off web
check "the host is not on a private switch" refused "is private, which has no host vNIC" \
    switch set lan --host-vnic on

must "it becomes internal" vswitchctl switch set lan --type internal \
    --host-mac 02:00:00:00:00:02 --host-vlan access:10 --host-address 192.0.2.1/24,2001:db8::1/64
check "then the host has an adapter on it" is internal none on lan web
check "the adapter is an interface of the switch's name" there lan
check "it has the IPv4 address" host_has 192.0.2.1/24
check "it has the IPv6 address" host_has 2001:db8::1/64
check "it is in its VLAN" [ "$(vlan_of lan)" = access:10 ]
check "its address is pinned there" pinned 02:00:00:00:00:02 10 lan
check "an internal switch is not without it" refused "always has a host vNIC" \
    switch set lan --host-vnic off

must "naming an uplink makes it external" vswitchctl switch set lan --uplink eth1
check "and the host stays on it" is external eth1 on eth1 lan web
check "with its address" host_has 192.0.2.1/24
must "an address is pinned to the uplink" \
    vswitchctl mac add lan --mac 02:00:00:00:00:03 --port eth1 --vlan 20
must "one is pinned to the host" vswitchctl mac add lan --mac 02:00:00:00:00:04 --port lan
check "both are in the table" both_are_pinned
check "an external switch is not without an uplink" refused "needs an uplink" \
    switch set lan --uplink none
check "nobody else gets that uplink" refused "that of switch \"lan\"" \
    switch add two --type external --uplink eth1
config >"$work/before"
must "the daemon crashes and starts" daemon_crashes
check "all of it is back" all_is_back

must "the host leaves" vswitchctl switch set lan --host-vnic off
check "its interface is gone" fails there lan
check "and what was pinned to it" fails pinned 02:00:00:00:00:04 0 lan
check "the uplink stays" is external eth1 off eth1 web
check "and what is pinned to that" pinned 02:00:00:00:00:03 20 eth1
must "it becomes private again" vswitchctl switch set lan --type private
check "then it has its vNIC and nothing else" is private none off web
check "nothing is pinned but the vNIC's own" \
    [ "$(vswitchctl --json mac show lan | grep -c '"mac"')" = 1 ]
check "the uplink is free for another" vswitchctl switch add two --type external --uplink eth1

# ---- addresses -----------------------------------------------------------------------------------
check "an address of a vNIC's is refused to a host" refused \
    'port "three" may not use MAC 02:00:00:00:00:01, it belongs to port "web" of switch "lan"' \
    switch add three --type internal --host-mac 02:00:00:00:00:01
check "its own address is not unpinned" refused "own address" mac remove lan --mac 02:00:00:00:00:01
must "the pool is chosen" \
    vswitchctl daemon set --mac-pool 02:00:00:00:00:01-02:00:00:00:00:06
must "the host's adapter is given the first that is free" \
    vswitchctl switch add three --type internal
check "which is this" shows_mac three 02:00:00:00:00:02
check "the daemon ends" daemon_stop
check "no adapter is left behind" fails there three
tap_end
