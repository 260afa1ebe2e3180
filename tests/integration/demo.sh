#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `make demo`: two real Linux guests meet on a private switch, the switch gets an uplink, and what
# an operator would see.
#
# Everything it makes is in one private folder and one private network namespace and ends with them,
# on success, on failure and when interrupted.  It ends with 0 only if everything it says has
# happened.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/guest.sh
. tests/support/daemon.sh
. tests/support/wire.sh

red_mac=00:15:5d:de:00:01 red_ip=10.0.0.1 red_ip6=fe80::215:5dff:fede:1
blue_mac=00:15:5d:de:00:02 blue_ip=10.0.0.2
peer_ip=10.0.0.3
file_mib=32
hugepages_wanted=256
hugepages_dir=/sys/kernel/mm/hugepages/hugepages-2048kB
hugepages_before=
hugepages_now=
capture_pid=

# The guests' kernel comes over the machine's own network, so it is fetched before that is left.
if [ -z "${WIRE_INSIDE:-}" ]; then
    [ -e build/guest/vmlinuz ] ||
        printf '\n== Fetching the guests'"'"' kernel: a package of 27 MB, not installed\n'
    guest_fetch_kernel || exit 1
    if ! refusal=$(unshare --net --mount true 2>&1); then
        echo "make demo needs a network namespace of its own, which root can make: $refusal" >&2
        exit 1
    fi
fi
wire_enter "$0" "$@"
work=$(mktemp -d /tmp/vswitch-demo.XXXXXX) || exit 1

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   | /'; }

# Shows the command as one would type it, and does it.
ctl() {
    printf '   $ vswitchctl %s\n' "$*"
    vswitchctl "$@" | indent
    [ "${PIPESTATUS[0]}" -eq 0 ] || fail "vswitchctl refused: $*"
}

fail() {
    printf '\nThe demo failed: %s\n' "$*" >&2
    for log in "$work"/*.log "$work"/*.qemu; do
        [ ! -s "$log" ] || { echo "-- the end of ${log##*/}" && tail -n 8 "$log"; } >&2
    done
    exit 1
}

clean_up() {
    trap '' INT TERM HUP
    guest_stop_all
    [ -z "$capture_pid" ] || kill "$capture_pid" 2>/dev/null
    daemon_stop
    # Hugepages go back unless somebody else has taken or changed them meanwhile.
    if [ -n "$hugepages_before" ] &&
        [ "$(cat $hugepages_dir/nr_hugepages)" = "$hugepages_now" ] &&
        [ "$(cat $hugepages_dir/free_hugepages)" = "$hugepages_now" ]; then
        echo "$hugepages_before" >$hugepages_dir/nr_hugepages
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'echo; echo "Interrupted: cleaning up." >&2; exit 130' INT
trap 'exit 143' TERM HUP

# Leaves the daemon's memory option in memory_option.
reserve_hugepages() {
    memory_option=
    local free total
    free=$(cat $hugepages_dir/free_hugepages 2>/dev/null || echo 0)
    total=$(cat $hugepages_dir/nr_hugepages 2>/dev/null || echo 0)
    if [ "$free" -lt $hugepages_wanted ] &&
        echo $((total + hugepages_wanted - free)) 2>/dev/null >$hugepages_dir/nr_hugepages; then
        hugepages_before=$total
        hugepages_now=$(cat $hugepages_dir/nr_hugepages)
        free=$(cat $hugepages_dir/free_hugepages)
    fi
    if [ "$free" -ge $hugepages_wanted ]; then
        say "$free hugepages of 2 MiB are free for the switch's own memory."
    else
        memory_option=--no-huge
        say "No hugepages could be reserved, so the switch uses ordinary pages: everything works," \
            "and what it costs is TLB misses with a physical NIC, and nothing between guests."
    fi
}

start_switch() {
    step "The switch: vswitchd in a private folder, $work"
    reserve_hugepages
    daemon_prepare "$work"
    # shellcheck disable=SC2086
    daemon_start $memory_option || fail "vswitchd did not start"
    ctl switch add demo --type private
    ctl vnic add red --switch demo --mac $red_mac
    ctl vnic add blue --switch demo --mac $blue_mac
}

start_guests() {
    step "Two guests: Debian's cloud kernel, its virtio drivers, busybox; run by QEMU"
    guest_prepare "$work" || fail "the guests' kernel is not there"
    if [ "$(guest_accelerator)" = kvm ]; then
        say "With KVM."
    else
        say "This host's KVM cannot boot a stock kernel, or there is none: QEMU emulates the CPU."
    fi
    guest_start red "$work/run/vnic/red.sock" $red_mac
    guest_start blue "$work/run/vnic/blue.sock" $blue_mac
    if ! guest_ready red 120 || ! guest_ready blue 120; then
        fail "a guest did not boot"
    fi
    if ! guest_address red $red_ip/24 || ! guest_address blue $blue_ip/24; then
        fail "a guest could not bring its eth0 up"
    fi
    say "red is $red_ip ($red_mac), blue is $blue_ip ($blue_mac); both are up."
    ctl vnic list
}

# Frames are captured from here on, while the guests talk.
start_capture() {
    step "A live capture of the switch, into a file"
    local words=(capture start --on switch:demo --write "$work/demo.pcapng")
    words+=(--frames 40 --seconds 60)
    printf '   $ vswitchctl %s &\n' "${words[*]}"
    vswitchctl "${words[@]}" >"$work/capture.out" 2>&1 &
    capture_pid=$!
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        [ ! -s "$work/demo.pcapng" ] || return 0
        sleep 0.1
    done
    fail "the capture did not start: $(cat "$work/capture.out")"
}

ping_each_other() {
    step "The guests ping each other"
    say "red pings blue over IPv4:"
    guest_run red "ping -c 3 -i 0.3 -W 5 $blue_ip" >"$work/ping" ||
        fail "no answer: $(cat "$work/ping")"
    indent <"$work/ping"
    say "blue pings red over IPv6, by the link-local address:"
    guest_run blue "ping -6 -c 3 -i 0.3 -W 5 $red_ip6%eth0" >"$work/ping" ||
        fail "no answer: $(cat "$work/ping")"
    indent <"$work/ping"
}

carry_file() {
    step "red serves a file of $file_mib MiB over HTTP, blue fetches it"
    local sent received seconds
    sent=$(guest_run red "mkdir -p /srv && httpd -p 80 -h /srv &&
        dd if=/dev/urandom of=/srv/file bs=1M count=$file_mib 2>/dev/null &&
        sha256sum </srv/file" 60) || fail "red could not make the file"
    say "sha256 at red:  ${sent%% *}"
    local start=$EPOCHREALTIME
    received=$(guest_run blue "wget -q -O /tmp/file http://$red_ip/file &&
        sha256sum </tmp/file" 120) || fail "blue could not fetch the file: $received"
    seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }")
    say "sha256 at blue: ${received%% *}"
    [[ $sent =~ ^[0-9a-f]{64} && $sent == "$received" ]] || fail "the checksums differ"
    say "The same, after $seconds s (including blue's checksum)."
}

show_switch() {
    local mac
    step "What the operator sees"
    ctl switch show demo
    ctl mac show demo
    vswitchctl mac show demo >"$work/macs"
    for mac in $red_mac $blue_mac; do
        grep -qi "$mac" "$work/macs" || fail "the switch has not learned $mac"
    done
    ctl stats show
}

show_capture() {
    local kind
    step "The first frames of the capture, decoded by tcpdump"
    wait "$capture_pid" || fail "the capture failed: $(cat "$work/capture.out")"
    capture_pid=
    indent <"$work/capture.out"
    tcpdump -n -e -r - <"$work/demo.pcapng" >"$work/decoded" 2>"$work/tcpdump.log" ||
        fail "tcpdump cannot read the capture"
    say "Each frame is there twice: as it came into the switch and as it was delivered."
    head -n 16 "$work/decoded" | cut -c 1-150 | indent
    for kind in request reply; do
        grep -q "ICMP echo $kind" "$work/decoded" || fail "the capture has no ICMP echo $kind"
    done
}

# The private switch becomes an external one under the guests that run on it.
meet_the_wire() {
    step "The switch gets an uplink, eth1; at the other end of the wire is another network stack"
    wire_make 1500 && outside ip address add $peer_ip/24 dev eth1 || fail "there is no wire"
    ctl switch set demo --type external --uplink eth1
    say "the peer, $peer_ip, pings red:"
    outside busybox ping -c 3 -W 5 $red_ip >"$work/ping" || fail "no answer: $(cat "$work/ping")"
    indent <"$work/ping"
    ctl switch show demo
}

part_by_vlan() {
    step "blue goes into VLAN 10, and is alone there"
    ctl vnic set blue --vlan access:10
    guest_run red "ping -c 2 -i 0.3 -W 1 $blue_ip" >/dev/null &&
        fail "red reaches blue in another VLAN"
    say "red does not reach blue any more.  Back again:"
    ctl vnic set blue --vlan none
    guest_run red "ping -c 3 -i 0.3 -W 5 $blue_ip" >"$work/ping" ||
        fail "no answer: $(cat "$work/ping")"
    indent <"$work/ping"
}

start_switch
start_guests
start_capture
ping_each_other
carry_file
show_switch
show_capture
meet_the_wire
part_by_vlan
step "All of it held, in $SECONDS s.  Nothing stays behind."
