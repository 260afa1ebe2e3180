#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A switch-independent team whose members both go to one bridge of the kernel's, which knows nothing
# of it: what is for all comes by both, and what one member sends comes back by the other.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

ours=10.0.0.1 theirs=10.0.0.2 ours6=fd00::1 theirs6=fd00::2

# The bridge has an address of its own, not that of a port which may go.  The first wire does
# nothing of what may be left to its driver, the second all.
wires_make() {
    local i
    outside ip link add br0 address 02:00:00:00:ee:00 type bridge || return 1
    for i in 1 2; do
        ip link add "up$i" address "02:00:00:00:01:0$i" type veth peer name "far$i" \
            netns outside && ip link set "up$i" up &&
            outside ip link set "far$i" master br0 up || return 1
    done
    ethtool -K up1 tx off || return 1
    outside sh -c "ip link set br0 up && ip address add $theirs/24 dev br0 &&
        ip -6 address add $theirs6/64 dev br0 nodad"
}

address_ours() {
    ip address replace "$ours/24" dev ext && ip -6 address replace "$ours6/64" dev ext nodad
}

pings() {
    ping -q -c 3 -i 0.05 -W 1 "$@" "$theirs" && ping -q -c 3 -i 0.05 -W 1 "$@" "$theirs6"
}

each_once() {
    local words
    words=$(ping -c 5 -i 0.1 -W 1 "$theirs" 2>&1)
    echo "$words"
    grep -q ' 5 received' <<<"$words" && ! grep -q 'DUP!' <<<"$words"
}

# So many that both members have some: by one of them their segments may go whole.
streams() {
    outside_start iperf3 -s -1
    eventually 10 iperf3 -c "$theirs" -P 16 -n 8M "$@"
}

# carry NUMBER: of the team's members
carry() {
    eventually 15 answers "\"active_count\":$1[,}]" team show t0
}

# answers() takes blanks out, so the reason is asked for without them.
dropped() {
    answers "\"${1// /}\":[1-9]" team show t0
}

our_mac() {
    cat /sys/class/net/ext/address
}

# The bridge has our address behind one port, and not behind both members' addresses.
seen_behind() {
    local words
    words=$(outside bridge fdb show br br0)
    echo "$words"
    grep -q "^$(our_mac) dev far$1 " <<<"$words"
}

# What the bridge hears of us in 4 s, in which a command is run.
listen_while() {
    local pid
    outside_start tshark -q -n -i br0 -a duration:4 -w "$work/heard.pcap"
    pid=$outside_pid
    sleep 1.5
    "$@"
    wait "$pid"
}
heard() {                          # heard TIMES FILTER
    local words
    words=$(tshark -n -r "$work/heard.pcap" -Y "eth.src == $(our_mac) && $2" 2>/dev/null)
    echo "$words"
    [ "$(grep -c . <<<"$words")" -ge "$1" ]
}

must "two wires go to one bridge" wires_make
must "vswitchd starts" daemon_start --no-huge
must "a team is made" vswitchctl team add t0 --members up1,up2 --up-delay 100ms
must "both members carry" carry 2
must "it is a switch's uplink" \
    vswitchctl switch add ext --type external --uplink team:t0 --host-vnic on
must "the host has addresses" address_ours
check "IPv4 and IPv6 pass" eventually 10 pings
check "an answer comes once" each_once
check "streams pass by two members of which one can do less" streams
check "... and the other way" streams -R
ping -b -q -c 3 -i 0.1 10.0.0.255 >/dev/null 2>&1
check "what came back by the other member was known and dropped" \
    dropped 'sent by this team and come back by another member'
check "what came by both was taken once" \
    dropped "group frame, taken from the team's primary member"
check "a second team cannot have the member" refused 'one of team' team add t1 --members up1
check "the team cannot be removed under its switch" refused 'uplink of switch' team remove t0

own=1
seen_behind 2 >/dev/null && own=2
other=$((3 - own))
check "the bridge knows us behind one port" seen_behind "$own"
must "a carrier is lost" listen_while outside ip link set "far$own" down
check "the member that takes over announces the address" heard 3 "arp.opcode == 3"
check "... and the host's of IPv4" heard 3 \
    "arp.opcode == 1 && arp.src.proto_ipv4 == $ours && arp.dst.proto_ipv4 == $ours"
check "... and of IPv6" heard 3 "icmpv6.type == 136 && icmpv6.nd.na.target_address == $ours6"
check "and the bridge follows" eventually 5 seen_behind "$other"
check "frames pass by the other member" eventually 5 pings
outside ip link set "far$own" up
must "both members carry again" carry 2
check "frames pass by both" eventually 5 pings

must "the switch takes jumbo frames" vswitchctl switch set ext --mtu 9000
for i in far1 far2 br0; do
    outside ip link set "$i" mtu 9000
done
check "they pass" eventually 5 ping -q -c 3 -i 0.1 -W 1 -M do -s 8972 "$theirs"
must "the daemon crashes and is back" daemon_crashes
must "and so is the team" carry 2
must "the host has its addresses again" address_ours
check "frames pass as before" eventually 10 pings
ip link delete "up$other"
check "a member that is pulled out is missed by nobody" eventually 10 pings
check "and shown as gone" eventually 5 answers '"state":"gone"' team show t0
must "the switch goes" vswitchctl switch remove ext
check "and so can the team" vswitchctl team remove t0
check "its last interface is as it was" shows "mtu 1500" ip link show "up$own"
tap_end
