#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who leaves what to whom: TCP between two Linux guests, the host and the wire, in every direction
# that there is, each side with offloads and without, at MTU 1500 and 9000.  Data arrives as it was
# sent, and whoever takes no offloads gets frames that are complete, which tshark says.
#
#   red, blue   guests on ext          host   the host's adapter on ext
#   peer        the kernel's stack at the other end of ext's uplink
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_programs="ethtool iperf3"
scene_begin_guests "$0" "$@"

declare -A mac=([red]=00:15:5d:de:00:01 [blue]=00:15:5d:de:00:02)
declare -A ip=([red]=10.0.0.1 [blue]=10.0.0.4 [host]=10.0.0.3 [peer]=10.0.0.2)
declare -A ip6=([red]=fd00::1 [blue]=fd00::4 [host]=fd00::3 [peer]=fd00::2)
directions="red:blue red:host red:peer host:red host:peer peer:red peer:host"
file_mib=3

# ---- stations ------------------------------------------------------------------------------------

# on STATION COMMAND [SECONDS]
on() {
    case $1 in
    red | blue) guest_run "$1" "$2" "${3:-60}" ;;
    host) timeout "${3:-60}" bash -c "$2" ;;
    peer) timeout "${3:-60}" ip netns exec outside bash -c "$2" ;;
    esac
}

guest_boots() {
    guest_start "$1" "$work/run/vnic/$1.sock" "${mac[$1]}" "$2" && guest_ready "$1" 90 &&
        guest_address "$1" "${ip[$1]}/24" &&
        guest_run "$1" "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad;
            ip -6 addr replace ${ip6[$1]}/64 dev eth0"
}

address_kernels() {
    ip address replace "${ip[host]}/24" dev ext &&
        ip -6 address replace "${ip6[host]}/64" dev ext nodad && ip link set ext up &&
        outside ip address replace "${ip[peer]}/24" dev eth1 &&
        outside ip -6 address replace "${ip6[peer]}/64" dev eth1 nodad
}

# Every station serves a file of its own; the sums are in $sum.
declare -A sum
serve() {
    local folder=$work/srv.$1 program=busybox
    case $1 in
    red | blue)
        folder=/srv program=
        guest_run "$1" "mkdir -p /srv; pidof httpd >/dev/null || httpd -p 8080 -h /srv" ;;
    host)
        mkdir -p "$folder"
        setpriv --pdeathsig KILL busybox httpd -f -p "${ip[host]}:8080" -h "$folder" &
        setpriv --pdeathsig KILL busybox httpd -f -p "[${ip6[host]}]:8080" -h "$folder" & ;;
    peer)
        mkdir -p "$folder"
        outside_start busybox httpd -f -p 8080 -h "$folder" ;;
    esac
    sum[$1]=$(on "$1" "dd if=/dev/urandom of=$folder/file bs=1M count=$file_mib 2>/dev/null;
        ${program:+$program }sha256sum <$folder/file")
    [[ ${sum[$1]} =~ ^[0-9a-f]{64} ]]
}

# ---- offloads of a station, on or off ------------------------------------------------------------

# What it sends, and what it takes: the guest's driver and the vNIC; the tap; both ends of the wire.
offload() {
    case $1 in
    red | blue)
        vswitchctl vnic set "$1" --offload "$2" &&
            guest_run "$1" "ethtool -K eth0 tx $2 sg $2 tso $2" ;;
    host) ethtool -K ext tx "$2" sg "$2" tso "$2" ;;
    peer) outside ethtool -K eth1 tx "$2" sg "$2" tso "$2" && ethtool -K eth1 tx "$2" ;;
    esac
}

# with_offloads FROM ON-OR-OFF TO ON-OR-OFF COMMAND...
with_offloads() {
    offload "$1" "$2" && offload "$3" "$4" && "${@:5}"
}

# ---- what is checked -----------------------------------------------------------------------------

# arrives FROM TO [6]: TO fetches FROM's file.
arrives() {
    local address=${ip[$1]} got
    [ "${3:-}" != 6 ] || address="[${ip6[$1]}]"
    got=$(on "$2" "busybox wget -q -O - http://$address:8080/file | busybox sha256sum")
    echo "sent '${sum[$1]}', received '$got'"
    [ "$got" = "${sum[$1]}" ]
}

both_arrive() {
    arrives "$1" "$2" && arrives "$1" "$2" 6
}

# complete FILE MTU [FILTER]: frames of TCP whose checksum is right, none of any protocol that is
# wrong, but for those of the filter, and none that is longer than the MTU allows.
complete() {
    local right="tcp.checksum.status == Good && tcp.len > 0"
    local wrong="(tcp.checksum.status == Bad || udp.checksum.status == Bad ||
        ip.checksum.status == Bad || icmpv6.checksum.status == Bad) && !(${3:-frame.len == 0})"
    local long="tcp && frame.len > $(($2 + 14))" good
    good=$(dissect "$1" "$right" 2>/dev/null | wc -l)
    dissect "$1" "($wrong) || ($long)" >"$work/objections" 2>"$work/words"
    echo "right: $good; wrong or too long: $(wc -l <"$work/objections")"
    head -n 4 "$work/objections"
    grep -v 'Running as user' "$work/words"
    [ "$good" -ge 100 ] && [ ! -s "$work/objections" ]
}

# What is asked about a frame when it is not as it should be.
dissect() {
    tshark -n -r "$1" -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
        -o ip.check_checksum:TRUE -Y "$2" -T fields -E header=n -e frame.number -e frame.len \
        -e _ws.col.Info -e ip.checksum.status -e tcp.checksum -e tcp.checksum_calculated \
        -e udp.checksum -e udp.checksum_calculated
}

longest() {
    tshark -n -r "$1" -Y tcp -T fields -e frame.len 2>/dev/null | sort -n | tail -n 1
}

# recorded VNIC COMMAND...: what the vNIC is given while the command runs, as the switch sees it;
# the frames are as many as two files of 3 MiB need at an MTU of 1500.
recorded() {
    local on=$1 status=1
    shift
    rm -f "$work/record.pcap"
    vswitchctl_start capture start --on "vnic:$on" --direction out --write "$work/record.pcap" \
        --frames 6000 >"$work/record.words" 2>&1
    if eventually 30 test -s "$work/record.pcap" >/dev/null; then
        "$@"
        status=$?
    else
        echo "the capture has not begun"
    fi
    kill "$vswitchctl_pid" 2>/dev/null
    wait "$vswitchctl_pid" 2>/dev/null
    echo "capture: $(tail -n 2 "$work/record.words")"
    return "$status"
}

# A guest without offloads gets, from everybody who has them, what needs nothing done to it.
guest_gets_complete_frames() {
    recorded red both_arrive "$1" red && complete "$work/record.pcap" "$2"
}

# The kernel completes what its interface does not, and stores a sum of 0 as 0xffff, of TCP too.
wire_gets_complete_frames() {
    wire_record "$work/wire.pcap"
    both_arrive "$1" peer
    local status=$?
    wire_recorded "$work/wire.pcap" tcp
    [ "$status" -eq 0 ] && complete "$work/wire.pcap" "$2" "tcp.checksum == 0xffff"
}

# A guest that takes long frames is given frames that no wire takes, with nothing computed; how long
# they are is the sender's choice, who sends shorter ones where frames are lost.
guest_gets_long_frames() {
    recorded red arrives "$1" red && echo "longest $(longest "$work/record.pcap")" &&
        [ "$(longest "$work/record.pcap")" -gt $(($2 + 14)) ]
}

feature() {
    guest_run "$1" "ethtool -k eth0" | tee "$work/features" | grep -Eq "^[[:space:]]*$2: $3"
}

promised() {
    local name
    for name in tx-checksumming tcp-segmentation-offload tx-tcp-segmentation \
        tx-tcp-ecn-segmentation tx-tcp6-segmentation rx-checksumming rx-gro-hw; do
        feature red "$name" on || { echo "$name is not on"; cat "$work/features"; return 1; }
    done
}

promised_nothing() {
    local name
    for name in tx-checksumming tcp-segmentation-offload rx-gro-hw; do
        feature red "$name" off || { echo "$name is not off"; cat "$work/features"; return 1; }
    done
}

# throughput FROM TO: TCP for a second, as the receiver counted it, in Mbit/s.
throughput() {
    case $2 in
    host) setpriv --pdeathsig KILL iperf3 -s -1 >/dev/null 2>&1 & ;;
    peer) outside_start iperf3 -s -1 ;;
    *) guest_run "$2" "iperf3 -s -1 >/dev/null 2>&1 &" ;;
    esac
    eventually 10 on "$1" "iperf3 -f m -c ${ip[$2]} -t 1" 20 >"$work/iperf" || return 1
    awk '$NF == "receiver" { print $(NF - 2) }' "$work/iperf"
}

throughput_measured() {
    local from to mbits
    for direction in $directions; do
        from=${direction%:*} to=${direction#*:}
        mbits=$(throughput "$from" "$to") || { cat "$work/iperf"; return 1; }
        echo "$from to $to: $mbits" >>"$work/mbits"
        [ "${mbits%.*}" -gt 0 ] || return 1
    done
}

# Every direction, each side with and without; at the second MTU, both sides alike.
every_direction() {
    local from to sends takes
    for direction in $directions; do
        from=${direction%:*} to=${direction#*:}
        for sends in on off; do
            for takes in on off; do
                [ "$1" = 1500 ] || [ "$sends" = "$takes" ] || continue
                check "MTU $1: $from (offloads $sends) to $to (offloads $takes), IPv4 and IPv6" \
                    with_offloads "$from" "$sends" "$to" "$takes" both_arrive "$from" "$to"
            done
        done
        offload "$from" on >/dev/null 2>&1
        offload "$to" on >/dev/null 2>&1
    done
}

all_works_at() {
    local from
    every_direction "$1"
    for from in blue host peer; do
        check "MTU $1: red is given long frames by $from" guest_gets_long_frames "$from" "$1"
    done
    must "red's offloads go off" offload red off
    for from in blue host peer; do
        check "MTU $1: red without offloads is given complete frames by $from" \
            guest_gets_complete_frames "$from" "$1"
    done
    must "red's offloads are on again" offload red on
    must "the wire's offloads go off" offload peer off
    for from in red host; do
        check "MTU $1: a wire without offloads is given complete frames by $from" \
            wire_gets_complete_frames "$from" "$1"
    done
    must "the wire's offloads are on again" offload peer on
    rm -f "$work/mbits"
    check "MTU $1: iperf3 in every direction" throughput_measured
    measured "MTU $1, Mbit/s: $(paste -s -d ',' "$work/mbits" | sed 's/,/, /g')"
}

# ---- a scene of four -----------------------------------------------------------------------------

must "there is a wire" wire_make 1500
must "vswitchd starts" daemon_start --no-huge
must "an external switch is made" \
    vswitchctl switch add ext --type external --uplink eth1 --host-vnic on
must "red has a vNIC" vswitchctl vnic add red --switch ext --mac "${mac[red]}"
must "blue has a vNIC" vswitchctl vnic add blue --switch ext --mac "${mac[blue]}"
must "the kernels have addresses" address_kernels
must "red boots" guest_boots red ""
must "blue boots" guest_boots blue ""
check "red's driver has the features that were promised" promised
for station in red blue host peer; do
    must "$station serves a file" serve "$station"
done
all_works_at 1500

must "the switch takes jumbo frames" vswitchctl switch set ext --mtu 9000
outside ip link set eth1 mtu 9000
guest_stop red
guest_stop blue
must "red boots with that MTU" guest_boots red host_mtu=9000
must "blue boots with that MTU" guest_boots blue host_mtu=9000
must "red serves a file" serve red
must "blue serves a file" serve blue
all_works_at 9000

# ---- a guest that was promised nothing -----------------------------------------------------------

guest_stop red
must "red's offloads are off before it starts" vswitchctl vnic set red --offload off
must "red boots" guest_boots red ""
check "red's driver has no offloads" promised_nothing
must "red serves a file" serve red
for from in blue host peer; do
    check "red without features gets a file from $from" both_arrive "$from" red
    check "$from gets a file from red without features" both_arrive red "$from"
done
check "vswitchd ends by itself" daemon_stop
tap_end
