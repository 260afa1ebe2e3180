#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# VLANs, jumbo frames and long segments through a team: what the wires carry, seen there, and what
# Open vSwitch's bond makes of it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
. tests/support/ovs_bond.sh
scene_begin "$0" "$@"
trap 'ovs_bond_stop; scene_end' EXIT

ours=10.0.0.1 theirs=10.0.0.2

[ -x /usr/lib/openvswitch-switch/ovs-vswitchd ] ||
    scene_skip "$0" "Open vSwitch is not installed (package openvswitch-switch)"

# Neither wire's driver does anything for us: what a veth leaves undone, Open vSwitch passes on as
# if it were done.
wires_make() {
    local i
    for i in 1 2; do
        ip link add "up$i" address "02:00:00:00:01:0$i" type veth peer name "far$i" \
            netns outside || return 1
        ip link set "up$i" up
        outside ip link set "far$i" mtu 9100 up
        ethtool -K "up$i" tx off || return 1
    done
}

pings() {
    ping -q -c 3 -i 0.05 -W 1 "$@" "$theirs"
}

# So many streams that both members have some.
streams() {
    outside_start iperf3 -s -1
    eventually 10 iperf3 -c "$theirs" -P 16 -n 4M "$@"
}

# The same, while both wires are recorded at their other ends.
recorded_streams() {
    local pids=() i
    for i in 1 2; do
        outside_start tshark -q -n -i "far$i" -c 1000 -a duration:20 -w "$work/far$i.pcap"
        pids+=("$outside_pid")
    done
    eventually 10 [ -s "$work/far1.pcap" ] && eventually 10 [ -s "$work/far2.pcap" ] || return 1
    sleep 1
    streams || return 1
    kill -INT "${pids[@]}" 2>/dev/null
    wait "${pids[@]}"
    return 0
}

# on_wire NUMBER FILTER: how many frames of that record match
on_wire() {
    tshark -n -r "$work/far$1.pcap" -Y "$2" 2>/dev/null | grep -c .
}

# none FILTER: no frame that we sent by either wire matches, and by each some were sent
none() {
    local i sent wrong
    for i in 1 2; do
        sent=$(on_wire "$i" "tcp && ip.src == $ours")
        wrong=$(on_wire "$i" "tcp && ip.src == $ours && ($1)")
        echo "far$i: $sent segments of ours, $wrong of them wrong"
        [ "$sent" -gt 0 ] && [ "$wrong" -eq 0 ] || return 1
    done
}

# What the other end's kernel says of the sums of all segments that came to it.
no_wrong_sum() {
    local wrong
    wrong=$(outside awk '/^Tcp:/ { wrong = $NF } END { print wrong }' /proc/net/snmp)
    echo "segments with a wrong checksum: $wrong"
    [ "$wrong" = 0 ]
}

must "there are two wires" wires_make
must "Open vSwitch starts" ovs_bond_start "$work"
must "it makes a bond" ovs_bond_make br0 far1,far2 lacp=active bond_mode=balance-tcp \
    other_config:lacp-time=fast
must "vswitchd starts" daemon_start --no-huge
must "a team is made" vswitchctl team add t0 --members up1,up2 --mode lacp --balance hash \
    --hash l4 --up-delay 100ms
must "both members carry" eventually 20 answers '"active_count":2[,}]' team show t0
must "the team is a switch's uplink" vswitchctl switch add ext --type external \
    --uplink team:t0 --host-vnic on --mtu 9000 --host-vlan access:10
must "the host has an address" ip address add "$ours/24" dev ext
must "the other end is in the VLAN" ovs_bond_vsctl set port br0 tag=10 -- \
    set interface br0 mtu_request=9000
must "... and has an address" outside sh -c "ip address add $theirs/24 dev br0 &&
    ip link set br0 up"

# ---- VLANs and jumbo frames ----------------------------------------------------------------------

check "frames of the VLAN pass" eventually 10 pings
check "... as long as the MTU is" eventually 10 pings -M do -s 8972
check "... and no longer" fails pings -M do -s 8973
must "the other end is in another VLAN" ovs_bond_vsctl set port br0 tag=11
check "... where nothing passes" fails pings
must "it is in the VLAN again" ovs_bond_vsctl set port br0 tag=10
check "... where all passes" eventually 10 pings

# ---- offloads: what the members cannot do is done for them ---------------------------------------

check "streams pass" recorded_streams
check "all that they sent was in the VLAN" none "!vlan || vlan.id != 10"
check "... cut to the MTU" none "frame.len > 9018"
check "... and whole" no_wrong_sum
check "streams pass the other way" streams -R
must "a member goes" vswitchctl team set t0 --remove-member up1
check "frames pass without it" eventually 10 pings
must "it comes back" vswitchctl team set t0 --add-member up1
must "both members carry again" eventually 20 answers '"active_count":2[,}]' team show t0
check "streams pass again" recorded_streams
check "... by both, in the VLAN" none "!vlan || vlan.id != 10"
check "... and whole" no_wrong_sum
tap_end
