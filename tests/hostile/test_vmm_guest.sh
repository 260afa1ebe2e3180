#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A VM whose guest misbehaves costs itself only: its monitor lives, or ends as the guest wanted; a
# load between two other VMs of the switch loses no frame; and the NIC works again afterwards.
#
# Every kind that the guest knows is tried over both transports, in a VM of its own.  With
# sanitizers the monitor has no system call filter, since they need calls of their own; without, it
# has.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

vms() { vswitchctl --json vm list | sed -n 's/.*"name": "\(.*\)".*/\1/p'; }
vms_end() {
    local name
    for name in $(vms); do
        vswitchctl vm stop "$name" --force
    done
    scene_end
}
trap vms_end EXIT
[ -w /dev/kvm ] || scene_skip "$0" "there is no /dev/kvm that can be used here"
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=$work/report
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:log_path=$work/report

says() { grep -aq -- "$2" "$work/$1.console"; }
run() {                                   # run NAME WORD...: with a vNIC of that name
    rm -f "$work/$1.console"
    vswitchctl vm run "$1" --memory 32M --vnic "$1" --console "$work/$1.console" "${@:2}"
}
no_socket() { [ ! -e "$work/run/vm/$1.sock" ]; }
no_report() {
    local report
    for report in "$work"/report.*; do
        [ ! -e "$report" ] || { head -n 25 "$report"; return 1; }
    done
}
has_counted() { says counter "nic 0 received [1-9][0-9]* bytes [0-9]* missing 0 late 0"; }

must "vswitchd starts" daemon_start --no-huge
vswitchctl switch add lan --type private
for nic in counter sender pal evil; do
    vswitchctl vnic add "$nic" --switch lan >/dev/null
done
mac=$(vswitchctl --json vnic show counter | sed -n 's/.*"mac": "\(.*\)",/\1/p')
truncate -s 1M "$work/disk"

# ---- the others ----------------------------------------------------------------------------------
is_attached() { answers '"state":"attached"' vnic show "$1"; }
must "a VM answers pings" run pal --cmdline "ip=10.0.0.4 echo"
must "... one counts a load" run counter --cmdline "count=1000000000,5000"
must "... both attached" eventually 10 eval "is_attached pal && is_attached counter"
must "... another sends it" run sender --cmdline "send=$mac,1000000000,60,5000"

# ---- each kind -----------------------------------------------------------------------------------
kinds=$(sed -n 's/^    X([A-Z_]*, "\([a-z]*\)",.*/\1/p' vmm/guest/misbehave.c)
pci_only=" bars config messages "
words_of() {
    [ "$1" = pci ] && echo "--transport pci" || echo "--transport mmio --minimal"
}
# Powered off by its guest, which had pinged by a NIC that worked again.
survives() {                              # survives TRANSPORT KIND
    # shellcheck disable=SC2046
    run evil $(words_of "$1") --disk "$work/disk" \
        --cmdline "ip=10.0.0.3 misbehave=$2 ping=10.0.0.4,3 poweroff" || return 1
    eventually 30 no_socket evil
    tail -n 5 "$work/evil.console" | tr -cd '[:print:]\n'
    says evil "misbehaved: " && says evil "ping sent 3 received 3" && says evil "power off" &&
        no_report
}
must "the guest knows kinds to misbehave" [ "$(wc -w <<<"$kinds")" -gt 20 ]
for transport in pci mmio; do
    for kind in $kinds; do
        [[ $transport = mmio && $pci_only == *" $kind "* ]] && continue
        check "$kind over $transport costs only the VM's own" survives "$transport" "$kind"
    done
done

# ---- what is seen of it --------------------------------------------------------------------------
run evil --cmdline "ip=10.0.0.3 misbehave=loop,3000 ping=10.0.0.4,3 reboot"
check "vnic show has what broke the queue" \
    eventually 5 answers '"state":"broken".*"broken_reason":"[^"]*ring' vnic show evil
check "... which is over when the driver resets" eventually 10 says evil "ping sent 3 received 3"
check "... and the VM starts anew" eventually 10 answers '"resets":[1-9]' vm show evil
vswitchctl vm stop evil --force
run evil --cmdline "ip=10.0.0.3 misbehave=control,60000"
check "vm show has that a NIC waits for its driver's reset" \
    eventually 5 answers '"reason":"[^"]*resetit' vm show evil
check "... and the VM ends when it is told to" vswitchctl vm stop evil --force
check "... and its vNIC is free" eventually 5 answers '"state":"waiting"' vnic show evil
check "... for the next VM" survives pci loop

# ---- and of the others ---------------------------------------------------------------------------
check "the load's sender still runs" answers '"state":"running"' vm show sender
vswitchctl vm stop sender --force
check "the load has lost no frame" eventually 15 has_counted
measured "of the load beside it: $(grep -a received "$work/counter.console")"
check "neither a monitor nor the switch has anything reported of it" no_report
tap_end
