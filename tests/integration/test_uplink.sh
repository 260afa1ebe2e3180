#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An external switch and the interface it borrows: what is refused and then has changed nothing,
# what is changed and given back however the daemon ends, and an interface that loses its carrier,
# is set down, renamed, deleted and made again.  The host's own adapter is the peer on this side.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

# ---- helpers -------------------------------------------------------------------------------------

# field NAME PATH: a value of `switch show NAME`, as JSON
field() {
    vswitchctl --json switch show "$1" |
        python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = value[int(key)] if isinstance(value, list) else value[key]
print(json.dumps(value))' "$2"
}
field_is() { [ "$(field "$1" "$2")" = "$3" ] || { field "$1" "$2"; return 1; }; }

# What the host has, as far as the switch could have changed it.
host_state() {
    ip -d link show eth1
    ip -o address show dev eth1 scope global
    ip route show dev eth1
    ip -o link show | cut -d: -f2
}
host_is_as_it_was() {
    host_state | diff "$work/before" - && [ ! -e "$work/state/loans.json" ]
}
# Asks anew whose address it is: a host may have answered by an interface that was not taken yet.
hears() { outside ip neigh flush dev eth1 && outside ping -c 1 -W 1 "$1"; }
logged() { grep -F -- "$1" "$work/vswitchd.log"; }

wire_make 1400
ip address add 192.0.2.1/24 dev eth1
outside ip address add 192.0.2.2/24 dev eth1
ip link set eth1 mtu 1450
eventually 5 hears 192.0.2.1 >/dev/null
host_state >"$work/before"
must "the daemon starts in a namespace of its own" daemon_start --no-huge

# ---- what is refused -----------------------------------------------------------------------------

add="switch add ext --type external"
# shellcheck disable=SC2086
{
check "an interface that is not there is refused by name" refused '"eth9"' $add --uplink eth9
check "the loopback is refused" refused 'loopback' $add --uplink lo
ip link add br0 type bridge
ip link set eth1 master br0
check "a port of a bridge is refused, naming the bridge" \
    refused 'as a port of "br0"' $add --uplink eth1
ip link del br0
ip route add default via 192.0.2.2
check "what carries the default route is refused with the ways out" \
    refused '--move-addresses' $add --uplink eth1
check "... of which one is --force" vswitchctl $add --uplink eth1 --force
check "... and then the host is cut off" fails hears 192.0.2.1
check "... until the switch goes" vswitchctl switch remove ext
check "... and then it is not" hears 192.0.2.1
ip route del default
ip link add link eth1 name mv0 type macvlan
check "an MTU that its driver refuses is refused" \
    refused '"mv0": its MTU cannot be set to 9000' $add --uplink mv0 --mtu 9000
check "... and the interface is left down" shows 'state DOWN' ip link show mv0
ip link del mv0
check "an MTU beyond AF_XDP's is refused, with what it takes" \
    refused 'at most' $add --uplink vdev:net_af_xdp0,iface=eth1 --mtu 9000
check "the daemon's state knows of no switch" fails shows ext vswitchctl switch list
check "the host is as it was after every refusal" host_is_as_it_was
}

# ---- taken and given back ------------------------------------------------------------------------

check "an uplink is taken" vswitchctl $add --uplink eth1 --mtu 1500
check "... by packet sockets, as frames come from a local stack" \
    field_is ext uplink_status.driver '"af_packet"'
check "... and has a carrier" field_is ext uplink_status.carrier true
check "... with the switch's MTU" shows 'mtu 1500' ip link show eth1
check "... promiscuous" shows 'promiscuity 1' ip -d link show eth1
check "... and the host's stack is kept off" field_is ext uplink_status.exclusive true
check "... which hears nothing by it" fails hears 192.0.2.1
check "an interface is one switch's" refused 'switch "ext"' switch add two --type external \
    --uplink eth1
check "removed, it is given back" vswitchctl switch remove ext
check "... as it was" host_is_as_it_was
check "... and heard" hears 192.0.2.1

ip link set eth1 down
host_state >"$work/before"
vswitchctl $add --uplink eth1
check "one that was down is set up" shows ',UP' ip link show eth1
check "... and its carrier is there at once" eventually 3 field_is ext uplink_status.carrier true
check "the daemon ends well" daemon_stop
check "... and has given it back, down" host_is_as_it_was
must "it starts again" daemon_start --no-huge
check "... with the uplink" field_is ext uplink_status.carrier true
daemon_kill
check "killed, it leaves the host changed" fails host_is_as_it_was
must "the next start finds the uplink in use" daemon_start --no-huge
vswitchctl switch remove ext
check "... and gives it back as it was before the first" host_is_as_it_was
vswitchctl $add --uplink eth1 --mtu 2000
daemon_kill
mv "$work/state/config.json" "$work/kept.json"
must "a start that no longer has the switch" daemon_start --no-huge
check "... gives its interface back" host_is_as_it_was
daemon_stop
mv "$work/kept.json" "$work/state/config.json"
mv "$work/state/config.json" "$work/state/config.kept"
echo '{' >"$work/state/config.json"
vswitchctl switch list >/dev/null 2>&1
check "a start that is refused leaves the host as it was" fails daemon_start --no-huge
check "... indeed" host_is_as_it_was
mv "$work/state/config.kept" "$work/state/config.json"
ip link del eth1

# ---- coming and going ----------------------------------------------------------------------------

must "it starts without its interface" daemon_start --no-huge
check "... and says so" logged 'goes on without its uplink eth1'
check "... and shows it" field_is ext uplink_status.present false
vswitchctl switch remove ext
wire_make 1400
outside ip address add 192.0.2.2/24 dev eth1
vswitchctl $add --uplink eth1 --host-vnic on --host-address 192.0.2.1/24
must "the wire reaches the host through the switch" eventually 10 hears 192.0.2.1

outside ip link set eth1 down
check "a lost carrier is seen" eventually 3 field_is ext uplink_status.carrier false
check "... and counted" field_is ext uplink_status.carrier_losses 1
check "... and logged" logged 'has lost its carrier'
outside ip link set eth1 up
check "a carrier that is back is seen" eventually 3 field_is ext uplink_status.carrier true
check "... and frames flow" eventually 5 hears 192.0.2.1

ip link set eth1 down
check "an uplink that somebody sets down is left down" \
    eventually 3 shows 'ip link set eth1 up' field ext uplink_status.note
check "... indeed" shows 'state DOWN' ip link show eth1
ip link set eth1 up
check "... and used again when it is up" eventually 5 hears 192.0.2.1
ip link set eth1 mtu 1300
check "an MTU that somebody changes is shown" field_is ext uplink_status.mtu 1300
check "... and left" shows 'mtu 1300' ip link show eth1
over_mtu() { field ext "drops.longer than the MTU of the receiving port"; }
before=$(over_mtu)
ping -c 3 -i 0.2 -W 1 -s 1350 -M dont 192.0.2.2 >/dev/null
check "... and frames that are longer are lost by name" [ "$(over_mtu)" -eq $((before + 3)) ]
vswitchctl switch set ext --mtu 1400
check "... until the switch's changes" field_is ext uplink_status.mtu 1400
vswitchctl switch set ext --mtu 1500

ip link set eth1 name eth7
check "a renamed uplink is followed" eventually 3 field_is ext uplink_status.device '"eth7"'
check "... and carries frames" eventually 5 hears 192.0.2.1
check "... and the host is kept off it still" field_is ext uplink_status.exclusive true
ip link set eth7 name eth1

outside_start ping -i 0.002 192.0.2.1
for round in 1 2 3; do
    wire_cut
    check "deleted under load, it is gone ($round)" \
        eventually 3 field_is ext uplink_status.present false
    wire_make 1400
    outside ip address add 192.0.2.2/24 dev eth1
    check "... made again, it carries frames ($round)" eventually 10 hears 192.0.2.1
    check "... with the switch's MTU ($round)" shows 'mtu 1500' ip link show eth1
done
kill "$outside_pid" 2>/dev/null
ip link del eth1
wire_make 1400
outside ip address add 192.0.2.2/24 dev eth1
check "deleted and made again at once, it carries frames" eventually 10 hears 192.0.2.1
ip link del eth1
ip link add br0 type bridge
ip link add eth8 type veth peer name far
ip link set eth8 master br0
ip link set eth8 name eth1
check "one that comes back as a bridge's port is not taken" \
    eventually 3 shows 'br0' field ext uplink_status.note
ip link set eth1 nomaster
check "... until it no longer is" eventually 3 field_is ext uplink_status.present true
vswitchctl switch remove ext
ip link del br0
ip link del eth1

# ---- the MTU of everything -----------------------------------------------------------------------

wire_make 1500
vswitchctl $add --uplink eth1 --host-vnic on
check "one command changes the MTU of all" vswitchctl switch set ext --mtu 9000
check "... of the uplink" shows 'mtu 9000' ip link show eth1
check "... and of the host's adapter" shows 'mtu 9000' ip link show ext
check "none disagrees" field_is ext mtu_disagreements '[]'
vswitchctl switch remove ext
ip link add link eth1 name mv0 type macvlan
vswitchctl $add --uplink mv0 --host-vnic on
check "an MTU that the uplink cannot take is refused" \
    refused '"mv0"' switch set ext --mtu 9000
check "... and the uplink keeps its own" shows 'mtu 1500' ip link show mv0
check "... as does the adapter" shows 'mtu 1500' ip link show ext
check "... and the switch" field_is ext mtu 1500
mkdir "$work/state/config.json.new"
ip link add eth2 type veth peer name far2
ip link set far2 up
check "a change of the MTU that cannot be kept is refused" \
    refused 'nothing was changed' switch set ext --mtu 1400
check "... and the uplink keeps its own" shows 'mtu 1500' ip link show mv0
check "... as does the adapter" shows 'mtu 1500' ip link show ext
check "another uplink that cannot be kept is refused" \
    refused 'nothing was changed' switch set ext --uplink eth2
check "... and is given back" shows 'state DOWN' ip link show eth2
check "... and the first stays" field_is ext uplink_status.carrier true
check "a switch that cannot be kept is refused" refused 'nothing was changed' \
    switch add two --type external --uplink eth2 --host-vnic on
check "... and leaves nothing" fails shows two ip link
rmdir "$work/state/config.json.new"
check "an uplink is exchanged for another" vswitchctl switch set ext --uplink eth2
check "... and is given back" shows 'promiscuity 0' ip -d link show mv0
check "... for the other" shows 'promiscuity 1' ip -d link show eth2
check "made internal, the switch lets go of it" vswitchctl switch set ext --type internal
check "... which is given back" shows 'state DOWN' ip link show eth2
check "... and keeps the adapter" shows ',UP' ip link show ext
vswitchctl switch remove ext
check "nothing is left" fails shows ext ip link

check "the daemon ends well at last" daemon_stop
check "nothing is borrowed any more" fails test -e "$work/state/loans.json"
tap_end
