#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A team in LACP mode against DPDK's bonding driver in mode 4, behind which a kernel answers: what
# testpmd forwards between the bond and a further wire is what passes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
. tests/support/testpmd.sh
scene_begin "$0" "$@"
trap 'testpmd_stop_all; scene_end' EXIT

ours=10.0.0.1 theirs=10.0.0.2 nobody=10.0.0.99 broadcast=10.0.0.255 flows=16

command -v dpdk-testpmd >/dev/null ||
    scene_skip "$0" "dpdk-testpmd is not installed (package dpdk-dev)"

# ---- the other end -------------------------------------------------------------------------------

# The kernel says nothing by the wires' far ends; the host there is "behind", at the station.
# Nobody sums a frame after its kernel, nor cuts it.
wires_make() {
    local i
    ip netns add behind || return 1
    outside sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
        echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore"
    for i in 1 2; do
        ip link add "up$i" address "02:00:00:00:01:0$i" type veth \
            peer name "far$i" address "02:00:00:00:02:0$i" netns outside || return 1
        ip link set "up$i" up
        outside ip link set "far$i" up
        ethtool -K "up$i" tx off >/dev/null || return 1
    done
    ip -n outside link add inner type veth peer name station netns behind || return 1
    outside ip link set inner up
    behind ethtool -K station tx off >/dev/null && behind ip link set station up || return 1
    for ((i = 2; i < 2 + flows; i++)); do
        behind ip address add "10.0.0.$i/24" brd "$broadcast" dev station || return 1
    done
}

# testpmd sends when it has received something, and LACP's frames wait for that with the others: the
# station always says something, to nobody.
station_talks() {
    behind ip neighbor add "$nobody" lladdr 02:00:00:00:03:03 dev station nud permanent ||
        return 1
    setpriv --pdeathsig KILL ip netns exec behind \
        ping -q -i 0.05 "$nobody" </dev/null >/dev/null 2>&1 &
}

behind() {
    ip netns exec behind "$@"
}

# Ports 0 and 1 are the wires, 2 is where the station is, and 3 is the bond.  The driver speaks LACP
# when it sends, hears it when it receives, and at no other time: nothing is flushed at the start.
bond_starts() {
    testpmd_run bond outside --vdev net_af_packet0,iface=far1 --vdev net_af_packet1,iface=far2 \
        --vdev net_af_packet2,iface=inner --vdev \
        "net_bonding0,mode=4,xmit_policy=l34,slave=net_af_packet0,slave=net_af_packet1" \
        -- --portmask=0xc --forward-mode=io --no-flush-rx
    eventually 20 grep -q '^Done' "$work/bond.out" && testpmd_say bond start packets/burst
}

# bond_does COMMAND: while no frames pass, as its members may not be changed else
bond_does() {
    testpmd_say bond stop '^Done' && testpmd_ask bond "$1" &&
        testpmd_say bond start packets/burst
}

bond_has() {
    shows "Active Slaves ($1)" testpmd_ask bond "show bonding config 3"
}

# ---- what is asked again and again ---------------------------------------------------------------

# team_says EXPRESSION: true of the list m of the team's members
team_says() {
    vswitchctl --json team show t0 | tee "$work/team.json" | /usr/bin/python3 -c "
import json, sys
m = json.load(sys.stdin)['members']
sys.exit(not ($1))" || { cat "$work/team.json"; return 1; }
}

members() {
    eventually 20 team_says "$1"
}

both_carry="all(x['active'] for x in m) and len(m) == 2"
none_carries="not any(x['active'] for x in m)"
only="[x['name'] for x in m if x['active']] =="

# they_say FIELD: of the first link, what the driver says it is itself
they_say() {
    testpmd_ask bond "show bonding lacp info 3" | sed -n "/Actor/,/Partner/s/.*$1: //p" | head -n 1
}

# It prints a number as it came by the wire, so that here its two bytes have changed places.
partner_is_theirs() {
    local mac key
    mac=$(they_say "system mac address" | tr A-F a-f)
    key=$(they_say "port key")
    key=$((key >> 8 | (key & 255) << 8))
    echo "theirs: $mac, key $key"
    [ -n "$mac" ] && team_says "all(x['lacp']['partner']['system'] == '$mac' and
        x['lacp']['partner']['key'] == $key and
        x['lacp']['partner']['state'] == 0x3d for x in m)"
}

# Of both links the driver says that it collects and distributes, and that we collect and are who we
# are.  That we distribute as well it hears with a later PDU, and it asks for one in 30 s.
they_agree() {
    local words mac
    words=$(testpmd_ask bond "show bonding lacp info 3")
    mac=$(vswitchctl --json team show t0 | tr -d '\n ' |
        sed -n 's/.*"actor":{"system":"\([^"]*\)".*/\1/p')
    echo "ours: $mac; $words"
    [ "$(grep -c 'port state: .*SYNCHRONIZATION COLLECTING' <<<"$words")" -eq 4 ] &&
        [ "$(grep -c 'port state: .*COLLECTING DISTRIBUTING' <<<"$words")" -ge 2 ] &&
        [ "$(grep -ci "system mac address: $mac" <<<"$words")" -eq 2 ]
}

pings() {
    ping -q -c 3 -i 0.05 -W 1 "$theirs"
}

# Every one of 40 is answered, and once.
pings_once() {
    local words
    words=$(ping -q -c 40 -i 0.02 -W 1 "$theirs")
    echo "$words"
    grep -q ' 40 received' <<<"$words" && ! grep -q duplicates <<<"$words"
}

requests_here() {
    awk '/^IcmpMsg:/ { if (!n) { n = split($0, name) } else { for (i = 2; i <= n; i++)
        if (name[i] == "InType8") count = $i } } END { print count + 0 }' /proc/net/snmp
}

# Of a broadcast that comes by a team no copy is delivered.
broadcasts_once() {
    local before after
    before=$(requests_here)
    behind ping -q -b -c 20 -i 0.05 -W 1 "$broadcast"
    after=$(requests_here)
    echo "of 20 broadcasts, $((after - before)) came"
    [ $((after - before)) -eq 20 ]
}

# ping_all COUNT: so many to every address of the station, one each 20 ms; prints how many are lost
ping_all() {
    local pids=() i
    for ((i = 2; i < 2 + flows; i++)); do
        ping -q -c "$1" -i 0.02 -W 1 "10.0.0.$i" >"$work/ping.$i" 2>&1 &
        pids+=($!)
    done
    wait "${pids[@]}"
    cat "$work"/ping.* | awk '/transmitted/ { lost += $1 - $4 } END { print lost + 0 }'
}

# lost COMMAND...: how many of 250 to each are lost while that is done in their midst
lost() {
    local pid
    ping_all 250 >"$work/lost" &
    pid=$!
    sleep 0.7
    "$@" >/dev/null
    wait "$pid"
    cat "$work/lost"
}

counters() {
    cat /sys/class/net/up{1,2}/statistics/{rx,tx}_packets | tr '\n' ' '
}

# By either wire, in either direction, goes a tenth of all frames or more.
flows_spread() {
    local before after i
    read -ra before <<<"$(counters)"
    echo "lost: $(ping_all 20)"
    read -ra after <<<"$(counters)"
    for ((i = 0; i < 4; i++)); do
        echo "counter $i: $((after[i] - before[i]))"
        [ $((after[i] - before[i])) -ge $((flows * 20 / 10)) ] || return 1
    done
}

# streams [OPTION]...: TCP passes, and its rate is shown
streams() {
    setpriv --pdeathsig KILL ip netns exec behind iperf3 -s -1 </dev/null >/dev/null 2>&1 &
    eventually 10 iperf3 -c "$theirs" -P 4 -n 4M "$@"
}

# ---- a team of two, a bond of two ----------------------------------------------------------------

testpmd_prepare "$work"
must "there are two wires" wires_make
must "there is a station that talks" station_talks
must "testpmd makes a bond of them" bond_starts
must "vswitchd starts" daemon_start --no-huge
must "a team is made" vswitchctl team add t0 --members up1,up2 --mode lacp --balance hash \
    --up-delay 100ms
must "both members carry" members "$both_carry"
check "the driver agrees" eventually 10 they_agree
check "the partner that is shown is its system, key and state" eventually 10 partner_is_theirs
must "the team is a switch's uplink" \
    vswitchctl switch add ext --type external --uplink team:t0 --host-vnic on
must "the host has an address" ip address add "$ours/24" dev ext
check "frames pass both ways" eventually 10 pings
check "... once each" eventually 10 pings_once
check "... and so do broadcasts" eventually 10 broadcasts_once
check "many flows use both wires, both ways" eventually 10 flows_spread
check "streams pass" streams
check "streams pass the other way" streams -R

# The driver does not look at the wire's carrier: it is told.
wire_breaks() {
    outside ip link set "far$1" down && bond_does "remove bonding slave $(($1 - 1)) 3"
}

for i in 1 2; do
    other=up$((3 - i))
    n=$(lost wire_breaks "$i")
    measured "of $((flows * 250)) pings in 5 s, $n were lost when up$i lost its carrier"
    check "up$i does not carry without a carrier" members "$only ['$other']"
    check "the bond has one" eventually 5 bond_has 1
    check "frames pass by $other, once each" eventually 10 pings_once
    check "... and so do broadcasts" eventually 10 broadcasts_once
    outside ip link set "far$i" up
    must "far$i is the bond's again" bond_does "add bonding slave $((i - 1)) 3"
    check "up$i carries again" members "$both_carry"
    check "the driver agrees again" eventually 10 they_agree
    check "many flows use both again" eventually 10 flows_spread
done

# One that the bond has put out says nothing, though there is a carrier.
n=$(lost bond_does "remove bonding slave 1 3")
measured "of $((flows * 250)) pings in 5 s, $n were lost when the bond put far2 out without a word"
check "a member that the bond has put out does not carry" members "$only ['up1']"
check "frames pass by the other" eventually 10 pings_once
must "it is the bond's again" bond_does "add bonding slave 1 3"
check "both carry" members "$both_carry"

must "we ask to be told slowly" vswitchctl team set t0 --lacp-rate slow
check "both carry still" members "$both_carry"
check "frames pass still" eventually 10 pings_once
must "we ask to be told fast" vswitchctl team set t0 --lacp-rate fast
must "both carry before the silence" members "$both_carry"

testpmd_kill bond
start_ns=$(date +%s%N)
check "a partner that is gone is left" members "$none_carries"
measured "a partner that was gone was left after $((($(date +%s%N) - start_ns) / 1000000)) ms"
must "testpmd makes the bond anew" bond_starts
check "both carry again" members "$both_carry"
check "the driver agrees at last" eventually 10 they_agree
check "frames pass at last" eventually 10 pings_once
check "... by both" eventually 10 flows_spread
tap_end
