#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A team in LACP mode against Open vSwitch's bond: active and passive, fast and slow, a link that is
# lost and comes back, a partner that goes silent, and one with two keys.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
. tests/support/ovs_bond.sh
scene_begin "$0" "$@"
trap 'ovs_bond_stop; scene_end' EXIT

ours=10.0.0.1 theirs=10.0.0.2

[ -x /usr/lib/openvswitch-switch/ovs-vswitchd ] ||
    scene_skip "$0" "Open vSwitch is not installed (package openvswitch-switch)"

# ---- what is asked again and again ---------------------------------------------------------------

wires_make() {
    local i
    for i in 1 2; do
        ip link add "up$i" address "02:00:00:00:01:0$i" type veth peer name "far$i" \
            netns outside || return 1
        ip link set "up$i" up
        outside ip link set "far$i" up
    done
}

team() {
    vswitchctl --json team show t0
}

# members EXPRESSION: true of the list m of the team's members, within 15 s
members() {
    eventually "${2:-15}" team_says "$1"
}

team_says() {
    team | tee "$work/team.json" | /usr/bin/python3 -c "
import json, sys
m = json.load(sys.stdin)['members']
sys.exit(not ($1))" || { cat "$work/team.json"; return 1; }
}

both_carry="all(x['active'] for x in m) and len(m) == 2"
passive="not any(x['lacp']['partner']['state'] & 1 for x in m)"

# OVS says of both links that they are attached, which it only is when we say so too.
they_agree() {
    local words
    words=$(ovs_bond_lacp)
    echo "$words"
    [ "$(grep -c 'current attached' <<<"$words")" -eq 2 ] &&
        [ "$(grep -c 'actor state:.*collecting distributing' <<<"$words")" -eq 2 ] &&
        [ "$(grep -c 'partner state:.*collecting distributing' <<<"$words")" -eq 2 ]
}

partner_is_theirs() {
    local mac
    mac=$(ovs_bond_lacp | sed -n 's/^[[:space:]]*sys_id: //p' | head -n 1)
    echo "theirs: $mac"
    [ -n "$mac" ] && team_says "all(x['lacp']['partner']['system'] == '$mac' for x in m)"
}

pings() {
    ping -q -c "${1:-3}" -i 0.05 -W 1 "$theirs"
}

# lost COMMAND...: how many of 100 pings, one each 20 ms, are lost while that is done in their midst
lost() {
    local pid
    ping -q -c 100 -i 0.02 -W 1 "$theirs" >"$work/ping" 2>&1 &
    pid=$!
    sleep 0.7
    "$@"
    wait "$pid"
    sed -n 's/.*transmitted, \([0-9]*\) received.*/\1/p' "$work/ping" |
        awk '{ print 100 - $1 }'
}

# ---- a team of two, a bond of two ----------------------------------------------------------------

must "there are two wires" wires_make
must "Open vSwitch starts" ovs_bond_start "$work"
must "it makes a bond" ovs_bond_make br0 far1,far2 lacp=active bond_mode=balance-tcp \
    other_config:lacp-time=fast
must "vswitchd starts" daemon_start --no-huge
must "a team is made" vswitchctl team add t0 --members up1,up2 --mode lacp --balance hash \
    --up-delay 100ms
must "both members carry, without a switch yet" members "$both_carry"
check "Open vSwitch agrees" eventually 10 they_agree
check "the partner that is shown is its system" partner_is_theirs
must "the team is a switch's uplink" \
    vswitchctl switch add ext --type external --uplink team:t0 --host-vnic on
must "the host has an address" ip address add "$ours/24" dev ext
must "the other end has one" outside sh -c "ip address add $theirs/24 dev br0 && ip link set br0 up"
check "frames pass both ways" eventually 10 pings

# A link that is lost is seen by its carrier; one that comes back is agreed on anew.
for i in 1 2; do
    n=$(lost outside ip link set "far$i" down)
    measured "of 100 pings in 2 s, $n were lost when up$i lost its carrier"
    check "without up$i frames pass" pings
    check "up$i does not carry, and it says why" \
        members "[x for x in m if x['name'] == 'up$i' and not x['active'] and x['why']]"
    outside ip link set "far$i" up
    check "up$i carries again" members "$both_carry"
    check "and Open vSwitch thinks so" eventually 10 they_agree
done

must "Open vSwitch becomes passive and slow" ovs_bond_set lacp=passive other_config:lacp-time=slow
check "both carry" members "$both_carry and $passive" 40
check "frames pass" eventually 10 pings
must "we ask to be told slowly" vswitchctl team set t0 --lacp-rate slow
check "both carry still" members "$both_carry"
check "frames pass still" pings
must "Open vSwitch becomes active and fast" ovs_bond_set lacp=active other_config:lacp-time=fast
must "we become passive and fast" vswitchctl team set t0 --lacp-rate fast --lacp-activity passive
check "both carry with a passive end here" members "$both_carry" 40
check "frames pass with a passive end here" eventually 10 pings
must "we become active" vswitchctl team set t0 --lacp-activity active

# Nobody answers for a partner that is stopped: three periods, and the link is not used any more.
must "both carry before the silence" members "$both_carry"
kill -STOP "${ovs_bond_pids[1]}"
start_us=$(date +%s%N)
check "a partner that is silent is noticed" members "not any(x['active'] for x in m)" 10
measured "a silent partner was noticed after $((($(date +%s%N) - start_us) / 1000000)) ms"
kill -CONT "${ovs_bond_pids[1]}"
check "and taken back when it speaks" members "$both_carry" 20
check "and frames pass" eventually 10 pings

# A link to somebody else, here a bond of its own with another key, is not aggregated.
must "there is a third wire at the other end" \
    outside sh -c "ip link add spare type veth peer name spare_end && ip link set spare up"
must "Open vSwitch takes far2 out of the bond" ovs_bond_vsctl del-bond-iface bond0 far2
must "and gives it a bond of its own" ovs_bond_vsctl add-bond br0 bond1 far2 spare \
    lacp=active other_config:lacp-time=fast
check "only one of the two carries" \
    members "len([x for x in m if x['active']]) == 1" 20
check "the switch goes on" vswitchctl switch show ext
tap_end
