#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An external switch between a real Linux guest and the kernel's own stack at the other end of a
# wire: everything that happens to an uplink in its life.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin_guests "$0" "$@"

mac=00:15:5d:de:00:01
guest_ip=10.0.0.1 peer_ip=10.0.0.2
guest_ip6=fd00::1 peer_ip6=fd00::2

# ---- what is asked again and again ---------------------------------------------------------------

guest_up() {
    guest_ready red 90 && guest_address red "$guest_ip/24" &&
        guest_run red "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad;
            ip -6 addr replace $guest_ip6/64 dev eth0"
}

guest_boots() {
    guest_start red "$work/run/vnic/red.sock" "$mac" "$1"
    guest_up
}

address_peer() {
    outside ip address replace "$peer_ip/24" dev eth1 &&
        outside ip -6 address replace "$peer_ip6/64" dev eth1 nodad
}

guest_pings() {
    guest_run red "ping -c 3 -i 0.2 -W 3 $1" 30 | tee "$work/ping"
    grep -q ' 0% packet loss' "$work/ping"
}

outside_pings() {
    outside ping -q -c 3 -i 0.2 -W 3 "$@"
}

works() {
    eventually 15 outside ping -q -c 1 -W 1 "$guest_ip" && eventually 10 guest_pings "$peer_ip" &&
        guest_pings "$peer_ip6" && outside_pings "$guest_ip" && outside_pings "$guest_ip6"
}

# drops_of PORT REASON: how many the port has lost for that reason.
drops_of() {
    vswitchctl --json switch show ext | /usr/bin/python3 -c '
import json, sys
for port in json.load(sys.stdin)["ports"]:
    if port["name"] == sys.argv[1]:
        print(port["drops"][sys.argv[2]])' "$1" "$2"
}

# Files of noise by TCP: here the peer sends super-frames with checksums left to others.
peer_to_guest() {
    local sent received
    dd if=/dev/urandom of="$work/file" bs=1M count=16 2>/dev/null
    outside_start busybox httpd -f -p 8080 -h "$work"
    sent=$(sha256sum <"$work/file")
    received=$(guest_run red "wget -q -O - http://$1:8080/file | sha256sum" 60)
    kill "$outside_pid"
    echo "sent '$sent', received '$received'"
    [ "$sent" = "$received" ]
}

guest_to_peer() {
    local sent received
    sent=$(guest_run red 'mkdir -p /srv; pidof httpd >/dev/null || httpd -p 80 -h /srv;
        dd if=/dev/urandom of=/srv/file bs=1M count=16 2>/dev/null && sha256sum </srv/file' 60)
    received=$(outside busybox wget -q -O - "http://$1/file" | sha256sum)
    echo "sent '$sent', received '$received'"
    [[ $sent =~ ^[0-9a-f]{64} && $sent == "$received" ]]
}

# Its end of the wire has done with its addresses: what comes after would change by itself.
wire_rests() {
    eventually 10 ip -6 address show dev eth1 scope link | grep -q fe80 &&
        ! ip -6 address show dev eth1 tentative | grep -q fe80
}

# As the host's interfaces stand, but for counters.
host_as_it_is() {
    eventually 10 wire_rests >/dev/null
    ip -details link show eth1 | sed -e '1s/^[0-9]*: //' -e 's/state [A-Z]*//'
    ip address show eth1 | grep -v valid_lft | tail -n +2
    ip -6 route show dev eth1 | sort
    ls /sys/class/net
}

same_host() {
    host_as_it_is >"$work/host.after"
    diff "$work/host.before" "$work/host.after"
}

# ---- what is refused -----------------------------------------------------------------------------

must "there is a wire" wire_make 1500
host_as_it_is >"$work/host.before"
must "vswitchd starts" daemon_start --no-huge

check "an uplink that does not exist is refused" \
    refused 'eth9' switch add ext --type external --uplink eth9
ip link add br0 type bridge && ip link add p0 type veth peer name p1 && ip link set p0 master br0
check "an uplink that is a port of a bridge is refused by the bridge's name" \
    refused 'br0' switch add ext --type external --uplink p0
ip link delete p0
ip link delete br0
check "an external switch without an uplink is refused" \
    refused 'uplink' switch add ext --type external
check "a private switch with an uplink is refused" \
    refused 'uplink' switch add ext --type private --uplink eth1
ip address add 192.0.2.1/24 dev eth1 && ip route add default via 192.0.2.254
check "the interface of the default route is refused" \
    refused 'default route' switch add ext --type external --uplink eth1
ip route delete default && ip address delete 192.0.2.1/24 dev eth1
check "nothing was changed by what was refused" same_host

# ---- a guest on the wire -------------------------------------------------------------------------

must "an external switch is made" vswitchctl switch add ext --type external --uplink eth1
check "its uplink has a driver and a carrier" \
    answers '"uplink_status":\{[^}]*"driver":"af_(packet|xdp)"' switch show ext
check "the same uplink is refused to another switch, by the name of the first" \
    refused 'ext' switch add other --type external --uplink eth1
must "a vNIC is made" vswitchctl vnic add red --switch ext --mac "$mac"
must "the peer has addresses" address_peer
must "a guest boots" guest_boots ""
check "guest and peer ping each other over IPv4 and IPv6" works
check "a file arrives in the guest as it was sent" peer_to_guest "$peer_ip"
check "a file arrives from the guest as it was sent" guest_to_peer "$guest_ip"
check "a file arrives in the guest over IPv6" peer_to_guest "[$peer_ip6]"
check "the host's own stack does not answer on the uplink" \
    answers '"exclusive":true' switch show ext

# ---- VLANs on the wire ---------------------------------------------------------------------------

guest_asks() {
    guest_run red "ip neigh flush dev eth0; arping -c 2 -w 3 -I eth0 $peer_ip" || true
}

tagged_by_access() {
    wire_record "$work/access.pcap"
    guest_asks
    local tagged untagged
    tagged=$(wire_recorded "$work/access.pcap" "arp && vlan.id == 10 && vlan.priority == 0")
    untagged=$(wire_recorded "$work/access.pcap" "arp && !vlan && eth.src == $mac")
    echo "tagged $tagged, untagged $untagged"
    [ "$tagged" -ge 1 ] && [ "$untagged" -eq 0 ]
}

# A ping in VLAN $1 from the peer, whose kernel needs no VLAN device for it; answers of that VLAN.
answered_in() {
    outside /usr/bin/python3 - "$1" "$mac" "$guest_ip" "$peer_ip" <<'PY'
import sys
from scapy.all import Dot1Q, Ether, ICMP, IP, ARP, AsyncSniffer, sendp, get_if_hwaddr
import time
vlan, mac, guest, peer = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
own = get_if_hwaddr("eth1")
tag = Dot1Q(vlan=vlan) if vlan else None
def put(frame):
    return Ether(src=own, dst=mac) / tag / frame if tag else Ether(src=own, dst=mac) / frame
sniffer = AsyncSniffer(iface="eth1", lfilter=lambda f: ICMP in f and f[ICMP].type == 0 and
                       f.src == mac and (f[Dot1Q].vlan if Dot1Q in f else 0) == vlan)
sniffer.start()
time.sleep(0.5)
for turn in range(3):
    sendp(put(ARP(op=2, hwsrc=own, psrc=peer, hwdst=mac, pdst=guest)), iface="eth1", verbose=False)
    sendp(put(IP(src=peer, dst=guest) / ICMP(id=7, seq=turn) / (b"x" * 32)), iface="eth1",
          verbose=False)
    time.sleep(0.3)
found = sniffer.stop()
print(len(found), "answers in VLAN", vlan)
sys.exit(0 if len(found) >= 1 else 1)
PY
}

if /usr/bin/python3 -c 'import scapy.all' 2>/dev/null; then
    check "the guest in VLAN 0 answers untagged" answered_in 0
    must "the vNIC becomes an access port" vswitchctl vnic set red --vlan access:10
    check "the guest's frames are tagged on the wire" tagged_by_access
    check "the guest answers in VLAN 10, tagged" answered_in 10
    check "the guest does not answer untagged" fails answered_in 0
    check "the guest does not answer in VLAN 11" fails answered_in 11
    must "the vNIC becomes a trunk" vswitchctl vnic set red --vlan trunk:20,30-39,native:10
    check "the native VLAN of a trunk is tagged on the wire" tagged_by_access
    check "the guest answers in its native VLAN" answered_in 10
else
    skip "VLANs on the wire" "python3-scapy is not installed"
fi
must "the vNIC has no VLAN again" vswitchctl vnic set red --vlan none
check "traffic goes on" works

# ---- jumbo frames --------------------------------------------------------------------------------

jumbo_exact() {
    outside ping -q -M do -c 3 -i 0.2 -W 3 -s 8972 "$guest_ip" &&
        outside ping -q -M do -c 3 -i 0.2 -W 3 -s 8952 "$guest_ip6" &&
        guest_run red "ping -c 3 -s 8972 $peer_ip" 30
}

# One byte more than the MTU: from a peer that would send it, it is lost, by name.
one_byte_more() {
    local before after
    before=$(drops_of red "longer than the MTU of the receiving port")
    outside ip link set eth1 mtu 9004
    ! outside ping -q -M do -c 3 -i 0.2 -W 1 -s 8973 "$guest_ip"
    local lost=$?
    outside ip link set eth1 mtu 9000
    after=$(drops_of red "longer than the MTU of the receiving port")
    echo "lost before $before, after $after"
    [ "$lost" -eq 0 ] && [ "$after" -ge $((before + 3)) ]
}

guest_stop red
must "the switch takes jumbo frames" vswitchctl switch set ext --mtu 9000
check "the uplink has the MTU" answers '"mtu":9000' switch show ext
check "the interface has it" grep -qx 9000 /sys/class/net/eth1/mtu
outside ip link set eth1 mtu 9000
must "the guest boots with that MTU" guest_boots host_mtu=9000
check "pings of exactly the MTU pass with DF set" jumbo_exact
check "one byte more is lost, counted at the guest's port" one_byte_more
check "a file arrives in jumbo frames" peer_to_guest "$peer_ip"
check "a file leaves in jumbo frames" guest_to_peer "$guest_ip"

# ---- the wire's own life -------------------------------------------------------------------------

state_is() {
    vswitchctl --json switch show ext | /usr/bin/python3 -c '
import json, sys
for port in json.load(sys.stdin)["ports"]:
    if port["kind"] == "uplink":
        print(port["state"])
        sys.exit(port["state"] != sys.argv[1])' "$1"
}

carrier_lost_and_back() {
    outside ip link set eth1 down && eventually 10 state_is "no carrier" &&
        outside ip link set eth1 up && eventually 10 state_is up && address_peer
}

# veth gives the peer its addresses anew, and the uplink is new to everybody.
pulled_out_under_load() {
    outside_start ping -q -f -c 100000 "$guest_ip"
    local flood=$outside_pid
    sleep 0.5
    wire_cut
    eventually 10 state_is gone
    local gone=$?
    kill "$flood" 2>/dev/null
    wait "$flood" 2>/dev/null
    vswitchctl daemon show >/dev/null && [ "$gone" -eq 0 ]
}

put_back() {
    wire_make 1500 && outside ip link set eth1 mtu 9000 && address_peer && eventually 10 state_is up
}

check "carrier is lost and comes back" carrier_lost_and_back
check "traffic goes on after the carrier is back" works
check "the interface is deleted under load, and the daemon lives" pulled_out_under_load
check "the interface comes back, and so does the uplink" put_back
check "traffic goes on, with no command given" works
check "it has the switch's MTU again" grep -qx 9000 /sys/class/net/eth1/mtu

# ---- a crash, and the end ------------------------------------------------------------------------

# A new wire, so that what the host's end was like before is known.
anew() {
    vswitchctl switch remove ext --force && wire_cut && wire_make 1500 && address_peer &&
        host_as_it_is >"$work/host.before" &&
        vswitchctl switch add ext --type external --uplink eth1 --mtu 9000 &&
        vswitchctl vnic add red --switch ext --mac "$mac" && outside ip link set eth1 mtu 9000
}

must "all is made anew" anew
check "traffic goes on" works
check "vswitchd is killed and starts again" daemon_crashes
check "traffic goes on after the crash" works
must "the switch goes" vswitchctl switch remove ext --force
check "the host is as it was before" same_host

must "an external switch is made anew" \
    vswitchctl switch add ext --type external --uplink eth1 --mtu 4000
daemon_kill
rm -f "$work/state/config.json"
must "vswitchd starts without its switch after a crash" daemon_start --no-huge
check "the host is as it was before the crash" same_host
must "an external switch is made once more" \
    vswitchctl switch add ext --type external --uplink eth1 --mtu 4000
check "vswitchd ends by itself" daemon_stop
check "the host is as it was before" same_host
tap_end
