#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `make demo`: two VMs of the bundled monitor meet on a private switch, and what an operator sees
# and does.  Without KVM two guests under QEMU's emulation take their place (demo_qemu.sh).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/demo.sh

red_mac=00:15:5d:de:00:01 red_ip=10.0.0.1 red_ip6=fd00::1
blue_mac=00:15:5d:de:00:02 blue_ip=10.0.0.2 blue_ip6=fd00::2
other_mac=00:15:5d:de:00:99
stream_frames=40000 stream_bytes=1500 stream_gap_us=50

if [ ! -e /dev/kvm ]; then
    echo "This host has no /dev/kvm, which the monitor's VMs need: enable virtualization in its" \
        "firmware or, where it is a VM itself, at its host.  Until then two Linux guests under" \
        "QEMU's emulation show the switch; QEMU and a kernel are fetched for them."
    make -s deps-demo-qemu && exec tests/integration/demo_qemu.sh
    exit 1
elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    echo "You may not use /dev/kvm, which the VMs need: join its group" \
        "($(stat -c %G /dev/kvm)), or become root." >&2
    exit 1
fi

demo_begin
demo_end() {
    vswitchctl vm stop red --force
    vswitchctl vm stop blue --force
}

heard() { vswitchctl vm console "$1" </dev/null | grep -aq -- "$2"; }
has() { vswitchctl --json "${@:2}" | tr -d '\n ' | grep -q -- "$1"; }
frames_from() { vswitchctl --json vnic show "$1" | sed -n 's/.*"from_frames": \([0-9]*\).*/\1/p'; }
sends_on() { [ "$(frames_from blue)" -gt "$1" ]; }
has_no_socket() { [ -z "$(find "$work/run" -type s)" ]; }
is_unplugged() { ! has '"vnic":"green"' vm show red; }
pid_of() { vswitchctl --json vm show "$1" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }

start_switch() {
    step "The switch: one process, here in a private folder"
    say "\$ export PATH=$daemon_bin:\$PATH VSWITCH_RUN_DIR=$work/run"
    demo_switch
    run vswitchctl switch add demo --type private
    run vswitchctl vnic add red --switch demo --mac $red_mac
    run vswitchctl vnic add blue --switch demo --mac $blue_mac
}

start_vms() {
    local start_us
    step "Two VMs, one process each, on /dev/kvm, without QEMU; and a capture of what they say"
    say "Their guest comes with the switch, and does what its command line says: red answers;"
    say "blue pings it, sends a stream, and then goes on at 100 frames a second."
    run vswitchctl vm run red --vnic red --memory 32M --cmdline "ip=$red_ip ip6=$red_ip6 echo"
    demo_capture
    start_us=${EPOCHREALTIME/./}
    run vswitchctl vm run blue --vnic blue --memory 32M --cmdline \
        "ip=$blue_ip ip6=$blue_ip6 ping=$red_ip,5 ping=$red_ip6,5 $(stream) $(trickle)"
    say "blue's guest runs, $(((${EPOCHREALTIME/./} - start_us) / 1000)) ms after the command."
    run vswitchctl vm list
}

stream() { echo "send=$red_mac,$stream_frames,$stream_bytes,$stream_gap_us"; }
trickle() { echo "send=$red_mac,1000000000,60,10000"; }

ping_each_other() {
    step "They talk: ping, over IPv4 and IPv6, and then the stream"
    await 30 heard blue "nic 0 sent"
    run vswitchctl vm console blue </dev/null
    shown "ping sent 5 received 5"
    shown "ping6 sent 5 received 5"
    shown "sent $stream_frames of $stream_frames"
}

show_capture() {
    step "The capture: the first pings, each frame as it came in and as it was delivered"
    demo_captured
}

show_switch() {
    step "What the operator sees: ports and rates, who is where, and every lost frame by its reason"
    run vswitchctl switch show demo
    run vswitchctl mac show demo
    shown $red_mac
    shown $blue_mac
}

# The guest goes on with the address it was started with.
lock_out() {
    step "A frame that may not pass: the switch now knows blue by another address than blue uses"
    run vswitchctl vnic set blue --mac $other_mac
    await 5 has 'theportmayuse":[1-9]' vnic show blue
    run vswitchctl vnic show blue
    shown "MAC lock .*dropped .* from $blue_mac"
    run vswitchctl vnic set blue --mac $blue_mac
}

plug() {
    step "Hot plug: red gets a second vNIC while it runs, and gives it back"
    run vswitchctl vnic add green --switch demo
    run vswitchctl vm set red --add-vnic green
    await 10 has '"vnic":"green","connected":true,"link":"up","driver":true' vm show red
    run vswitchctl vm show red
    run vswitchctl vm set red --remove-vnic green
    await 10 is_unplugged
    say "Its guest says of that:"
    run vswitchctl vm console red </dev/null
    shown "nic 1 gone"
}

crash() {
    local pids before
    step "The switch crashes, and comes back; the VMs go on"
    pids="$(pid_of red) $(pid_of blue)"
    say "\$ kill -KILL $daemon_pid                    # vswitchd"
    daemon_kill
    await 5 has '"link":"down"' vm show blue
    run vswitchctl vm list
    demo_switch
    await 10 has '"link":"up"' vm show blue
    await 10 has '"link":"up"' vm show red
    [ "$(pid_of red) $(pid_of blue)" = "$pids" ] || fail "the VMs are not the same processes"
    before=$(frames_from blue)
    await 10 sends_on "$before"
    say "The same processes, on the switch again, with the vNICs it had; and blue still sends:"
    run vswitchctl stats show
}

stop() {
    local pid pids="$(pid_of red) $(pid_of blue)"
    step "The end: this guest has no power button, so the plug is pulled"
    run vswitchctl vm stop red --force
    run vswitchctl vm stop blue --force
    run vswitchctl daemon stop
    for pid in $pids; do
        ! grep -q '^State:	[^ZX]' "/proc/$pid/status" 2>/dev/null ||
            fail "process $pid is still there"
    done
    await 5 has_no_socket
}

start_switch
start_vms
ping_each_other
show_capture
show_switch
lock_out
plug
crash
stop
step "All of it held, in $SECONDS s; nothing stays behind."
say "Next: \`make install\`, start vswitchd, and run your own VMs: README.md, \"Attach a VM\"."
