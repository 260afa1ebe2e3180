#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# switch add --move-addresses: the host is reached over the very interface that becomes an uplink,
# before, meanwhile and after, whatever goes wrong.  "outside" is the host's gateway.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

reaches() { ping -c 1 -W 1 192.0.2.2 && ping -6 -c 1 -W 1 2001:db8::2; }
addresses_of() {                                       # addresses_of INTERFACE: and routes
    ip -o address show dev "$1" scope global | sed "s/^[0-9]*: *$1 *//; s/ *$1\\\\.*//; s/\\\\.*//"
    ip route show dev "$1"
    ip -6 route show dev "$1" | grep -v '^fe80'
}
are_on() { addresses_of "$1" | diff "$work/before" -; }
has_none() { [ -z "$(ip -o address show dev "$1" scope global)" ]; }
moved() { vswitchctl --json switch show ext | grep '"moved"'; }

wire_make 1500
outside ip address add 192.0.2.2/24 dev eth1
outside ip address add 2001:db8::2/64 dev eth1 nodad
ip address add 192.0.2.1/24 broadcast 192.0.2.255 dev eth1
ip address add 2001:db8::1/64 dev eth1 nodad
ip route add default via 192.0.2.2 metric 50
ip route add 203.0.113.0/24 via 192.0.2.2
ip -6 route add default via 2001:db8::2
must "the host reaches its gateway" eventually 5 reaches
addresses_of eth1 >"$work/before"
must "the daemon starts in a namespace of its own" daemon_start --no-huge

add="switch add ext --type external --uplink eth1 --host-vnic on --move-addresses"
# shellcheck disable=SC2086
check "the addresses are moved to the host's adapter" vswitchctl $add
check "... all of them, and the routes" are_on ext
check "... and none is left" has_none eth1
check "... and the gateway is reached through the switch" eventually 5 reaches
check "... which confirms it" eventually 5 shows 'every gateway answers' moved
check "the host is kept off the uplink then" shows '"exclusive": true' \
    vswitchctl --json switch show ext

ip link del ext
check "an adapter that is deleted is made again with them" eventually 5 are_on ext
check "... and reaches the gateway" eventually 5 reaches
check "what would leave the host without its route is refused" \
    refused 'cut it off' switch set ext --host-vnic off

daemon_kill
check "killed, the daemon leaves the host without" fails are_on eth1
must "it starts again" daemon_start --no-huge
check "... and the addresses are on the adapter again" are_on ext
check "... and reach the gateway" eventually 5 reaches
check "the daemon ends well" daemon_stop
check "... and the uplink has them again" are_on eth1
check "... and reaches the gateway" eventually 5 reaches

must "it starts again" daemon_start --no-huge
check "... and moves them" are_on ext
check "removed, the switch gives them back" vswitchctl switch remove ext
check "... all of them" are_on eth1
check "... and the gateway is reached" eventually 5 reaches

# ---- a gateway that does not answer there --------------------------------------------------------

# shellcheck disable=SC2086
check "with the adapter in a VLAN that the gateway is not in" \
    vswitchctl $add --host-vlan access:10
check "... the addresses are moved" are_on ext
check "... and the gateway is lost" fails reaches
check "... and 10 s later they are on the uplink again" eventually 15 are_on eth1
check "... with the gateway" eventually 5 reaches
check "... and the host is let on" shows '"exclusive": false' vswitchctl --json switch show ext
check "... and that is said" shows 'did not answer within 10 s' vswitchctl switch show ext
check "... and logged" shows 'moved back' cat "$work/vswitchd.log"
check "the switch can be removed" vswitchctl switch remove ext
check "... and the host keeps its addresses" are_on eth1

# ---- what cannot be moved ------------------------------------------------------------------------

mkdir "$work/state/moved-$(cat /sys/class/net/eth1/ifindex).json"
# shellcheck disable=SC2086
check "a move that cannot be noted is refused" fails vswitchctl $add
check "... and there is no switch" fails vswitchctl switch show ext
check "... nor an adapter" fails ip link show ext
check "... and the host has its addresses" are_on eth1
check "... and its gateway" eventually 5 reaches
rmdir "$work/state"/moved-*.json

check "the daemon ends well at last" daemon_stop
check "nothing is noted any more" fails ls "$work"/state/moved-*.json
tap_end
