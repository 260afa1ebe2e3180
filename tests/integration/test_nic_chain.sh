#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two switches whose uplinks are DPDK's devices, in a chain between two stacks of the kernel's:
#
#   outside: stack - host vNIC - lan - net_virtio_user .. link, a vNIC - wan - net_tap - stack: here
#
# The device of lan cuts long frames, because it is a vNIC that takes them; that of wan completes
# checksums and says which it found right.  Data arrives as it was sent, whoever does what.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

lan_ip=10.0.0.1 wan_ip=10.0.0.2
lan_ip6=fd00::1 wan_ip6=fd00::2
file_mib=2

# ---- what is asked again and again ---------------------------------------------------------------

# The second daemon's tool.
lan() {
    "$daemon_bin/vswitchctl" --run-dir "$work/lan/run" "$@"
}

lan_daemon_starts() {
    mkdir -p "$work/lan/run" "$work/lan/state"
    setpriv --pdeathsig KILL ip netns exec outside "$daemon_bin/vswitchd" --no-huge \
        --run-dir "$work/lan/run" --state-dir "$work/lan/state" \
        </dev/null >"$work/lan.log" 2>&1 &
    eventually 10 lan daemon show
}

# Its host vNIC has another address each time it is made.
lan_switch_is_made() {
    ip neighbour flush dev stack
    lan switch add lan --type external --host-vnic on \
        --uplink "vdev:net_virtio_user0,path=$work/run/vnic/link.sock" &&
        outside ip address replace "$lan_ip/24" dev lan &&
        outside ip -6 address replace "$lan_ip6/64" dev lan nodad && outside ip link set lan up
}

wan_switch_is_made() {
    vswitchctl switch add wan --type external --uplink vdev:net_tap0,iface=stack &&
        vswitchctl vnic add link --switch wan --spoof-guard off &&
        ip address replace "$wan_ip/24" dev stack &&
        ip -6 address replace "$wan_ip6/64" dev stack nodad && ip link set stack up
}

# offloads_are WORDS TOOL SWITCH: what the device of the switch's uplink does.
offloads_are() {
    local words
    words=$("$2" --json switch show "$3" | /usr/bin/python3 -c '
import json, sys
print(" ".join(json.load(sys.stdin)["uplink_status"]["offloads"]))')
    echo "offloads: $words"
    [ "$words" = "$1" ]
}

same() {
    echo "sent '$1', received '$2'"
    [[ $1 =~ ^[0-9a-f]{64} && $1 == "$2" ]]
}

from_lan() {
    same "$lan_sum" "$(timeout 60 busybox wget -q -O - "http://$1:8080/file" | sha256sum)"
}

to_lan() {
    same "$wan_sum" "$(outside timeout 60 busybox wget -q -O - "http://$1:8081/file" | sha256sum)"
}

all_arrives() {
    from_lan "$lan_ip" && from_lan "[$lan_ip6]" && to_lan "$wan_ip" && to_lan "[$wan_ip6]"
}

serve() {
    mkdir -p "$work/lan.srv" "$work/wan.srv"
    dd if=/dev/urandom of="$work/lan.srv/file" bs=1M count=$file_mib 2>/dev/null
    dd if=/dev/urandom of="$work/wan.srv/file" bs=1M count=$file_mib 2>/dev/null
    lan_sum=$(sha256sum <"$work/lan.srv/file")
    wan_sum=$(sha256sum <"$work/wan.srv/file")
    outside_start busybox httpd -f -p 8080 -h "$work/lan.srv"
    setpriv --pdeathsig KILL busybox httpd -f -p 8081 -h "$work/wan.srv" \
        </dev/null >/dev/null 2>&1 &
    eventually 10 outside busybox wget -q -O /dev/null "http://$wan_ip:8081/file"
}

# counted KEY: a counter of the vNIC between the switches.
counted() {
    vswitchctl --json vnic show link | /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["counters"][sys.argv[1]])' "$1"
}

# Frames by the link while lan sends are about this long.
length_from_lan() {
    local frames bytes
    frames=$(counted from_frames) bytes=$(counted from_bytes)
    from_lan "$lan_ip" >&2 && from_lan "[$lan_ip6]" >&2 || return 1
    echo $((($(counted from_bytes) - bytes) / ($(counted from_frames) - frames)))
}

long_frames_cross() {
    local long
    long=$(length_from_lan) && echo "on average $long bytes" && [ "$long" -gt 4000 ]
}

short_frames_cross() {
    local long
    long=$(length_from_lan) && echo "on average $long bytes" && [ "$long" -le 1514 ]
}

# checksum_errors: those that a stack has counted, of all protocols.
checksum_errors() {
    /usr/bin/python3 -c '
lines = [line.split() for path in ("snmp", "netstat") for line in open("/proc/self/net/" + path)]
print(sum(int(n) for names, numbers in zip(lines[::2], lines[1::2])
          for name, n in zip(names, numbers) if name.endswith("CsumErrors")))'
}

nobody_found_a_wrong_checksum() {
    local here there
    here=$(checksum_errors)
    there=$(outside bash -c "$(declare -f checksum_errors); checksum_errors")
    echo "here $here, outside $there"
    [ "$here" -eq 0 ] && [ "$there" -eq 0 ]
}

# Every frame that came to the stack here is complete.  net_tap's driver writes a checksum of TCP
# that is 0 as 0xffff, as UDP has it, one time in 65,536: receivers take both, tshark does not.
wire_has_complete_frames() {
    local good bad checks="-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE"
    setpriv --pdeathsig KILL tshark -q -n -i stack -w "$work/wire.pcap" \
        </dev/null >/dev/null 2>"$work/tshark" &
    local recorder=$!
    eventually 10 grep -q Capturing "$work/tshark"
    sleep 0.5
    all_arrives
    local status=$?
    sleep 0.5
    kill -INT "$recorder"
    wait "$recorder"
    # shellcheck disable=SC2086
    good=$(tshark -n -r "$work/wire.pcap" $checks -Y 'tcp.checksum.status == Good' 2>/dev/null |
        wc -l)
    # shellcheck disable=SC2086
    bad=$(tshark -n -r "$work/wire.pcap" $checks \
        -Y '(tcp.checksum.status == Bad && tcp.checksum != 0xffff) ||
            ip.checksum.status == Bad' 2>/dev/null | wc -l)
    echo "good $good, bad $bad"
    [ "$status" -eq 0 ] && [ "$good" -ge 1000 ] && [ "$bad" -eq 0 ]
}

host_leaves_nothing_undone() {
    outside ethtool -K lan tx off sg off tso off
}

# ---- the tests -----------------------------------------------------------------------------------

must "two daemons start" eval "daemon_start --no-huge && lan_daemon_starts"
must "an external switch has its uplink on net_tap" wan_switch_is_made
must "another one has it on the first one's vNIC" lan_switch_is_made
check "net_tap completes checksums, and does not cut" offloads_are "csum" vswitchctl wan
check "a vNIC takes checksums and long frames of TCP" offloads_are "csum tso4 tso6" lan lan
must "there is a way through" eval "serve && eventually 10 all_arrives"

check "long frames cross between the switches whole" long_frames_cross
check "files arrive, and every frame on the wire is complete" wire_has_complete_frames
check "a host that does it all itself is served as well" eval \
    "host_leaves_nothing_undone && short_frames_cross && all_arrives"

check "the vNIC no longer takes offloads" vswitchctl vnic set link --offload off
check "an uplink made anew finds nothing done by its device" eval \
    "lan switch remove lan --force && lan_switch_is_made && offloads_are '' lan lan"
check "files arrive, cut and summed in software" eval "eventually 10 all_arrives &&
    short_frames_cross"
check "no stack has found a wrong checksum" nobody_found_a_wrong_checksum
tap_end
