#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What operators, other programs and full disks do to a host with switches, and what must not come
# of it: a loss that nobody said, a command that is half done, two switches with one interface.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

addresses_of() {                                       # addresses_of INTERFACE: and routes
    ip -o address show dev "$1" scope global | sed "s/^[0-9]*: *$1 *//; s/ *$1\\\\.*//; s/\\\\.*//"
    ip route show dev "$1"
    ip -6 route show dev "$1" | grep -v '^fe80'
}
are_on() { addresses_of "$1" | diff "$work/before" -; }
is_up() { ip -oneline link show dev "$1" up | grep -q LOWER_UP; }
has_mtu() { grep -qx "$2" "/sys/class/net/$1/mtu"; }
show() { vswitchctl --json switch show "$1"; }

wire_make 1500
ip address add 192.0.2.1/24 broadcast 192.0.2.255 dev eth1
ip -6 address add 2001:db8::1/64 dev eth1 nodad
ip route add default via 192.0.2.2
addresses_of eth1 >"$work/before"
must "vswitchd starts" daemon_start --no-huge
moving="switch add ext --type external --uplink eth1 --host-vnic on --move-addresses"

# ---- an MTU that IPv6 cannot live with: the kernel removes its addresses without a word ----------
check "an uplink with an IPv6 address does not get an MTU below 1280" \
    refused "has the IPv6 address 2001:db8::1/64" \
    switch add ext --type external --uplink eth1 --force --mtu 1279
# shellcheck disable=SC2086
check "... nor does one whose addresses are to be moved" \
    refused "has the IPv6 address 2001:db8::1/64" $moving --mtu 1279
check "... and still has it" are_on eth1
# shellcheck disable=SC2086
must "the addresses are moved" vswitchctl $moving
check "a host vNIC that has them does not get such an MTU" \
    refused "has the IPv6 address 2001:db8::1/64" switch set ext --mtu 1279
check "... nor does the uplink keep it" has_mtu eth1 1500
check "... and all are there" are_on ext
check "an address of IPv6 is not put where the MTU is too small" \
    refused "IPv6 needs an MTU of 1280" switch add lan --type internal --mtu 1279 \
    --host-address fd00::1/64

# ---- an uplink that is taken out and put back, while its addresses are on the host vNIC ----------
put_back() {
    wire_cut
    eventually 5 shows '"present": false' show ext && wire_make 1500 &&
        eventually 5 shows '"carrier": true' show ext && eventually 5 is_up eth1
}
check "the uplink is taken out and put back" put_back
check "... and the host has its addresses on the switch" are_on ext
check "removed, the switch gives them to the one that was put back" vswitchctl switch remove ext
check "... all of them, and the routes" are_on eth1
check "... and leaves it up" is_up eth1
check "... and notes nothing any more" fails ls "$work"/state/moved-*.json

crashed_after_that() {
    # shellcheck disable=SC2086
    vswitchctl $moving && put_back && daemon_kill && rm "$work/state/config.json" &&
        daemon_start --no-huge
}
check "the same, and then a crash" crashed_after_that
check "... leaves the addresses on the one that was put back" are_on eth1

# ---- an interface that has another name by now ---------------------------------------------------
must "there is a switch" vswitchctl switch add ext --type external --uplink eth1 --force --mtu 1400
ip link set eth1 name wan0
check "a renamed uplink is shown by its new name" eventually 5 shows 'called "wan0" now' \
    vswitchctl switch show ext
check "... and is no other switch's" refused 'is the uplink of switch "ext" already' \
    switch add two --type external --uplink wan0 --force
check "... nor anew its own, which would give it back while it is used" \
    refused 'is the uplink of switch "ext" already' switch set ext --uplink wan0 --force
check "... and keeps its MTU" has_mtu wan0 1400
check "removed, the switch gives it back" vswitchctl switch remove ext
check "... as it was" has_mtu wan0 1500
ip link set wan0 down
ip link set wan0 name eth1
ip link set eth1 up

# ---- another program takes the uplink ------------------------------------------------------------
must "there is a switch again" vswitchctl switch add ext --type external --uplink eth1
check "the host is kept off" shows '"exclusive": true' show ext
ip link add br0 type bridge
ip link set eth1 master br0
check "an uplink that was put on a bridge is shown so" shows 'a port of \"br0\" too' show ext
ip link set eth1 nomaster
away_and_back() {
    ip netns add other && ip link set eth1 netns other &&
        eventually 5 shows '"present": false' show ext &&
        ip -n other link set eth1 netns $$ && eventually 5 shows '"present": true' show ext
}
check "the uplink goes to another namespace and comes back" away_and_back
check "... with its old number, and the host is kept off again" shows '"exclusive": true' show ext
check "the switch is removed" vswitchctl switch remove ext
check "vswitchd ends by itself" daemon_stop

# ---- a disk that is full -------------------------------------------------------------------------
wire_cut
wire_make 1500
ip address add 192.0.2.1/24 broadcast 192.0.2.255 dev eth1
addresses_of eth1 >"$work/before"
rm -r "$work/state" && mkdir "$work/state"
mount -t tmpfs -o nr_blocks=3 none "$work/state"       # a lock, a loan and the configuration
must "vswitchd starts on a small disk" daemon_start --no-huge
# shellcheck disable=SC2086
check "addresses that cannot be noted are not moved" refused 'cannot be noted' $moving --mtu 1400
check "... and there is no switch" fails vswitchctl switch show ext
check "... nor an adapter" fails ip link show ext
check "... and the uplink is as it was" has_mtu eth1 1500
check "... with its addresses" are_on eth1
check "... and so it is after a crash" daemon_crashes
check "... there is no switch" fails vswitchctl switch show ext
check "vswitchd ends by itself at last" daemon_stop
umount "$work/state"
tap_end
