#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The host's own adapter, on an internal switch with a real Linux guest and on an external switch
# with the kernel's own stack at the other end of the wire.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin_guests "$0" "$@"

mac=00:15:5d:de:00:01
guest_ip=10.0.0.1 host_ip=10.0.0.3
guest_ip6=fd00::1 host_ip6=fd00::3
peer_ip=10.1.0.2 peer_ip6=fd01::2

guest_boots() {
    guest_start red "$work/run/vnic/red.sock" "$mac" "$1"
    guest_ready red 90 && guest_address red "$guest_ip/24" &&
        guest_run red "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad;
            ip -6 addr replace $guest_ip6/64 dev eth0"
}

guest_pings() {
    guest_run red "ping -c 3 -i 0.2 -W 3 $1" 30 | tee "$work/ping"
    grep -q ' 0% packet loss' "$work/ping"
}

host_pings() {
    ping -q -c 3 -i 0.2 -W 3 "$@"
}

both_ways() {
    eventually 15 ping -q -c 1 -W 1 "$guest_ip" && guest_pings "$host_ip" &&
        guest_pings "$host_ip6" && host_pings "$guest_ip" && host_pings "$guest_ip6"
}

is_up() {
    ip -oneline link show dev "$1" up | grep -q LOWER_UP
}

has_address() {
    ip address show dev "$1" | grep -qF " $2 "
}

# Two stacks of the kernel's own, one on the host's adapter and one at the end of the wire.
streams() {
    local direction=$1
    outside_start iperf3 -s -1
    # shellcheck disable=SC2086
    eventually 10 iperf3 -c "$peer_ip" -t 2 $direction >"$work/iperf"
    local status=$?
    kill "$outside_pid" 2>/dev/null
    tail -n 4 "$work/iperf"
    return "$status"
}

sums_arrive() {
    wire_record "$work/sums.pcap"
    dd if=/dev/urandom of="$work/noise" bs=1M count=4 2>/dev/null
    outside_start busybox httpd -f -p 8080 -h "$work"
    eventually 5 outside busybox wget -q -O /dev/null http://127.0.0.1:8080/noise
    busybox wget -q -O - "http://$peer_ip:8080/noise" | cmp - "$work/noise" || return 1
    kill "$outside_pid"
    wire_recorded "$work/sums.pcap" tcp >/dev/null
    local bad
    # What this end of the wire sends; what the peer sends is completed behind the point of record.
    bad=$(tshark -n -r "$work/sums.pcap" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -Y "ip.dst == $peer_ip && (tcp.checksum.status == 0 || ip.checksum.status == 0)" | wc -l)
    echo "$bad frames with a bad checksum"
    [ "$bad" -eq 0 ]
}

# A ping is on its way; the capture of the host's port has its request and its reply.
host_captured() {
    ping -q -i 0.2 -c 10 "$guest_ip" >/dev/null 2>&1 &
    vswitchctl capture start --on host:lan --filter icmp --frames 4 --seconds 5 \
        --write "$work/host.pcapng" || return 1
    wait $!
    [ "$(tshark -n -r "$work/host.pcapng" -Y icmp 2>/dev/null | wc -l)" -eq 4 ]
}

apart() {
    vswitchctl vnic set red --vlan access:10 && ! ping -q -c 2 -i 0.2 -W 1 "$guest_ip"
}

together() {
    vswitchctl switch set lan --host-vlan access:10 && both_ways
}

vlans_off() {
    vswitchctl switch set lan --host-vlan none && vswitchctl vnic set red --vlan none && both_ways
}

must "vswitchd starts" daemon_start --no-huge

# ---- internal ------------------------------------------------------------------------------------
must "an internal switch is made, with addresses for the host" \
    vswitchctl switch add lan --type internal --host-address "$host_ip/24,$host_ip6/64"
check "the host has an adapter of its name, up" is_up lan
check "with its IPv4 address" has_address lan "$host_ip/24"
check "with its IPv6 address" has_address lan "$host_ip6/64"
check "with an address of the pool" grep -q ^00:15:5d: /sys/class/net/lan/address
must "a vNIC is made" vswitchctl vnic add red --switch lan --mac "$mac"
must "a guest boots" guest_boots ""
check "guest and host ping each other over IPv4 and IPv6" both_ways
check "a capture of the host's port shows its frames" host_captured
check "the guest in VLAN 10 does not hear the host" apart
check "the host in VLAN 10 hears it" together
check "neither is in a VLAN again" vlans_off
must "the switch takes jumbo frames" vswitchctl switch set lan --mtu 9000
check "the host's adapter has that MTU" grep -qx 9000 /sys/class/net/lan/mtu
guest_stop red
must "a guest boots with that MTU" guest_boots host_mtu=9000
check "pings of exactly the MTU pass with DF set" host_pings -M do -s 8972 "$guest_ip"

crashed() {
    daemon_crashes && both_ways && has_address lan "$host_ip/24"
}
check "after a crash and a start all is back" crashed
guest_stop red
must "the switch goes" vswitchctl switch remove lan --force
check "and the adapter with it" test ! -e /sys/class/net/lan

# ---- external, with the host on it ---------------------------------------------------------------
must "there is a wire" wire_make 1500
outside ip address add "$peer_ip/24" dev eth1
outside ip -6 address add "$peer_ip6/64" dev eth1 nodad
must "an external switch is made, with the host on it" \
    vswitchctl switch add ext --type external --uplink eth1 --host-vnic on \
    --host-address 10.1.0.1/24,fd01::1/64
check "host and peer ping each other over IPv4" eventually 10 host_pings "$peer_ip"
check "host and peer ping each other over IPv6" eventually 10 host_pings "$peer_ip6"
check "a stream goes out" streams ""
check "a stream comes in" streams -R
must "the wire does no offloads" ethtool -K eth1 tx off
check "what the host sends has right checksums on it" sums_arrive
check "the host can leave the switch" vswitchctl switch set ext --host-vnic off
check "and its adapter goes" test ! -e /sys/class/net/ext
check "vswitchd ends by itself" daemon_stop
tap_end
