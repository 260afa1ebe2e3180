#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What `switch show` says at 3 a.m. of an external switch on a real interface: how the uplink stands
# through cable, MTU and card, what passes, and all of it on one screen.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

# Whether the expression holds of `switch show`, as d; of its uplink, as u, and the host's, as h.
holds() {
    vswitchctl --json switch show ext | python3 -c "
import json, sys
d = json.load(sys.stdin)
u, h = d['uplink_status'], d['host']
p = {port['kind']: port for port in d['ports']}
sys.exit(not ($1))"
}

shows() {
    COLUMNS=100 vswitchctl switch show ext | tee "$work/screen" | grep -q -- "$1"
}

# At most 24 lines, of at most 100 columns.
fits_a_screen() {
    COLUMNS=100 vswitchctl switch show ext >"$work/screen"
    cat "$work/screen"
    [ "$(wc -l <"$work/screen")" -le 24 ] && ! grep -qE '^.{101}' "$work/screen"
}

wire_make 9000
outside ip addr add 192.0.2.9/24 dev eth1
must "the daemon starts" daemon_start --no-huge
must "an external switch with a host vNIC is made" vswitchctl switch add ext --type external \
    --uplink eth1 --mtu 9000 --host-vnic on --host-address 192.0.2.1/24
for i in 0 1 2; do
    vswitchctl vnic add "web$i" --switch ext --vlan "access:1$i" >"$work/output"
done

check "the uplink has a driver, a carrier, its MTU and an address" holds \
    "u['driver'] and u['present'] and u['carrier'] and u['mtu'] == 9000 and u['mac']"
check "the host's adapter has its address and MTU" holds \
    "h['present'] and h['up'] and h['mtu'] == 9000 and h['addresses'] == ['192.0.2.1/24']"
check "no MTU disagrees" holds "d['mtu_disagreements'] == []"
check "ports of three kinds are there, the uplink first" holds \
    "[port['kind'] for port in d['ports']] == ['uplink', 'host', 'vnic', 'vnic', 'vnic']"
check "the kernel does checksums and segments of what leaves by either" holds \
    "{'csum', 'tso4', 'tso6', 'ecn'} <= set(u['offloads']) and u['offloads_by'] == 'kernel' and \
     {'csum', 'tso4', 'tso6', 'ecn'} <= set(h['offloads'])"
check "... also in text" shows '^  offloads     csum tso4 tso6 ecn.* by the kernel'
check "it fits one screen" fits_a_screen

check "the other end is reached" eventually 10 outside ping -c 1 -W 1 192.0.2.1
outside_start ping -q -i 0.002 192.0.2.1
check "rates are those of the uplink and the host's adapter" eventually 10 holds \
    "p['uplink']['rates'] and p['uplink']['rates']['from_frames_per_s'] > 0 and \
     p['host']['rates']['to_bits_per_s'] > 0"
kill "$outside_pid"
learned() {
    vswitchctl --json mac show ext | grep -A 3 "\"$outside_mac\"" | grep '"port": "eth1"'
}
outside_mac=$(outside cat /sys/class/net/eth1/address)
check "the other end is learned" learned
check "coalescing is switched off" vswitchctl switch set ext --coalesce off
check "... and shown so" shows 'MTU 9000, coalescing off'
check "... and what was learned is known still" learned
check "coalescing is switched on again" vswitchctl switch set ext --coalesce on
check "... and shown so" shows 'MTU 9000, coalescing on'
check "stats show knows the uplink by its name" vswitchctl stats show eth1

ip link set eth1 mtu 1500
check "an MTU that another program changed is named" eventually 5 holds \
    "[(x['object'], x['mtu'], x['deliberate']) for x in d['mtu_disagreements']] == \
     [('uplink eth1', 1500, False)]"
check "with what sets it back" shows '`ip link set eth1 mtu 9000` sets it back'
ip link set eth1 mtu 9000
check "set back, it is no longer named" eventually 5 holds "d['mtu_disagreements'] == []"
vswitchctl vnic set web1 --mtu 1400
check "an MTU that was given is told apart" shows 'lower MTU    vNIC web1 has 1400'

outside ip link set eth1 down
check "without a carrier it says so" eventually 5 holds \
    "p['uplink']['state'] == 'no carrier' and u['carrier_losses'] == 1"
outside ip link set eth1 up
check "with a carrier again as well" eventually 5 holds "p['uplink']['state'] == 'up'"
wire_cut
check "an uplink that is gone says so" eventually 5 holds \
    "p['uplink']['state'] == 'gone' and not u['present'] and d['uplink'] == 'eth1'"
check "also in text" shows 'eth1: gone'
check "and it fits one screen still" fits_a_screen
tap_end
