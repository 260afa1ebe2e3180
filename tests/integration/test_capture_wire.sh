#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Captures on an external switch with a host's adapter: what its uplink and that adapter show, under
# which names, with tags where frames have them and long frames in segments where they were cut.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

# Runs a capture of $2 into file $1 while the rest of the words run.  Captures count from 1.
captures=0
captured() {
    local file=$1 on=$2 capture tries
    shift 2
    vswitchctl capture start --on "$on" --write "$work/$file" &
    capture=$!
    captures=$((captures + 1))
    for ((tries = 0; tries < 50; tries++)); do
        vswitchctl capture list | grep -q "$on" && break
        sleep 0.1
    done
    sleep 0.3
    "$@"
    sleep 0.3
    vswitchctl capture stop "$captures" && wait "$capture"
}

# Frames of file $1 that match the display filter $2.
frames() {
    tshark -n -r "$work/$1" -Y "$2" 2>/dev/null | wc -l
}

is() { [ "$1" -eq "$2" ] || { echo "$1 and not $2"; return 1; }; }
some() { [ "$1" -gt 0 ] || { echo "none"; return 1; }; }
interfaces() {
    tshark -n -r "$work/$1" -T fields -e frame.interface_name 2>/dev/null | sort -u | tr '\n' ' '
}

must "a wire is made" wire_make
must "the daemon starts" daemon_start --no-huge
must "an external switch with an adapter of the host is made" \
    vswitchctl switch add ext --type external --uplink eth1 --host-vnic on
adapter=$(vswitchctl --json switch show ext |
    python3 -c 'import json, sys
print([p["name"] for p in json.load(sys.stdin)["ports"] if p["kind"] == "host"][0])')
ip address add 192.0.2.1/24 dev "$adapter" && outside ip address add 192.0.2.2/24 dev eth1
must "the host reaches the wire" eventually 5 ping -c 1 -W 1 192.0.2.2

# ---- names ---------------------------------------------------------------------------------------
ping_some() { ping -q -c 3 -i 0.2 192.0.2.2; }
check "a switch is captured" captured switch switch:ext ping_some
check "its uplink and the host's adapter are interfaces of that" \
    [ "$(interfaces switch)" = "host:$adapter uplink:eth1 " ]
check "each request is seen where it comes in and where it goes out" \
    is "$(frames switch 'icmp.type == 8')" 6
check "an uplink is captured by its own name" captured uplink uplink:eth1 ping_some
check "it alone is" [ "$(interfaces uplink)" = "uplink:eth1 " ]
check "requests leave by it" \
    is "$(frames uplink 'icmp.type == 8 && frame.packet_flags_direction == 2')" 3
check "answers come by it" \
    is "$(frames uplink 'icmp.type == 0 && frame.packet_flags_direction == 1')" 3
check "the host's adapter is captured by the name of its switch" captured host host:ext ping_some
check "it alone is, too" [ "$(interfaces host)" = "host:$adapter " ]
check "requests come in by it" \
    is "$(frames host 'icmp.type == 8 && frame.packet_flags_direction == 1')" 3

# ---- segments ------------------------------------------------------------------------------------
outside_start iperf3 -s -1
receive() { eventually 5 iperf3 -c 192.0.2.2 -R -n 2M >/dev/null; }
check "the kernel outside sends to the host through the switch" captured long switch:ext receive
check "what comes from the wire is longer than the MTU" \
    some "$(frames long 'frame.interface_name contains "uplink" && frame.len > 1518')"
check "so is what goes to the host" \
    some "$(frames long 'frame.interface_name contains "host" && frame.len > 1518')"
check "and has all its checksums right" \
    is "$(tshark -n -o tcp.check_checksum:TRUE -r "$work/long" \
        -Y 'frame.interface_name contains "host" && tcp.checksum.status == 0 &&
            frame.packet_flags_direction == 2' 2>/dev/null | wc -l)" 0

# ---- tags ----------------------------------------------------------------------------------------
must "the host's adapter is put into VLAN 10" \
    vswitchctl switch set ext --host-vlan access:10
# Nobody there need understand VLANs: the request is what is looked at.
ping_vlan() { ping -q -c 3 -i 0.2 -W 0.2 192.0.2.99; true; }
check "it is captured with its uplink" captured vlan switch:ext ping_vlan
check "its requests are untagged where they come in" \
    some "$(frames vlan 'arp && !vlan && frame.interface_name contains "host"')"
check "and tagged where they leave" \
    some "$(frames vlan 'arp && vlan.id == 10 && frame.interface_name contains "uplink"')"
check "never otherwise" \
    is "$(frames vlan 'arp && !vlan && frame.interface_name contains "uplink" &&
        frame.packet_flags_direction == 2')" 0

tap_end
