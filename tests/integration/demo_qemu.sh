#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo where there is no KVM: two real Linux guests under QEMU meet on a private switch, and
# what an operator sees of it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/demo.sh
. tests/support/guest.sh

red_mac=00:15:5d:de:00:01 red_ip=10.0.0.1 red_ip6=fe80::215:5dff:fede:1
blue_mac=00:15:5d:de:00:02 blue_ip=10.0.0.2
file_mib=32

if [ ! -e "$guest_cache/vmlinuz" ]; then
    step "Fetching the guests' kernel: a package of 27 MB, not installed"
    guest_fetch_kernel || exit 1
fi
demo_begin
demo_end() { guest_stop_all; }

start_switch() {
    step "The switch: one process, here in a private folder"
    say "\$ export PATH=$daemon_bin:\$PATH VSWITCH_RUN_DIR=$work/run"
    demo_switch
    run vswitchctl switch add demo --type private
    run vswitchctl vnic add red --switch demo --mac $red_mac
    run vswitchctl vnic add blue --switch demo --mac $blue_mac
}

start_guests() {
    step "Two guests: Debian's cloud kernel, its virtio drivers, busybox; run by QEMU"
    guest_prepare "$work" || fail "the guests' kernel is not there"
    guest_start red "$work/run/vnic/red.sock" $red_mac
    guest_start blue "$work/run/vnic/blue.sock" $blue_mac
    if ! guest_ready red 120 || ! guest_ready blue 120; then
        fail "a guest did not boot"
    fi
    if ! guest_address red $red_ip/24 || ! guest_address blue $blue_ip/24; then
        fail "a guest could not bring its eth0 up"
    fi
    say "red is $red_ip ($red_mac), blue is $blue_ip ($blue_mac); both are up."
    run vswitchctl vnic list
}

ping_each_other() {
    step "The guests ping each other, and the switch's frames are captured meanwhile"
    demo_capture
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

show_capture() {
    step "The capture: the first pings, each frame as it came in and as it was delivered"
    demo_captured
}

show_switch() {
    step "What the operator sees"
    run vswitchctl switch show demo
    run vswitchctl mac show demo
    shown $red_mac
    shown $blue_mac
    run vswitchctl stats show
}

start_switch
start_guests
ping_each_other
show_capture
carry_file
show_switch
step "All of it held, in $SECONDS s; nothing stays behind."
say "Next: \`make install\`, start vswitchd, and attach your VMs: README.md, \"Attach a VM\"."
