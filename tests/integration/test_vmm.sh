#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# VMs of the bundled monitor, as an operator has them: started, watched, paused, killed, with the
# switch there and gone; and the sentences for what cannot be.
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

says() { grep -q -- "$2" "$work/$1.console"; }
run() {                                   # run NAME WORD...: and its console to a file
    vswitchctl vm run "$1" --memory 32M --console "$work/$1.console" "${@:2}"
}
pid_of() { vswitchctl --json vm show "$1" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }
is_gone() { ! grep -q '^State:	[^ZX]' "/proc/$1/status" 2>/dev/null; }
has_state() { answers "\"state\":\"$2\"" vm show "$1"; }
has_link() { answers "\"link\":\"$2\"" vm show "$1"; }
no_socket() { [ ! -e "$work/run/vm/$1.sock" ]; }
sandboxed() {                             # every thread, but KVM's own
    local task
    for task in /proc/"$1"/task/*; do
        grep -q kvm- "$task/comm" && continue
        grep -qx 'Seccomp:	2' "$task/status" || return 1
    done
    grep -qx 'CapEff:	0000000000000000' "/proc/$1/status" &&
        grep -qx 'NoNewPrivs:	1' "/proc/$1/status"
}
with_status() {                           # with_status N TEXT WORD...
    local words status
    words=$(vswitchctl "${@:3}" 2>&1)
    status=$?
    echo "status $status: $words"
    [ "$status" -eq "$1" ] && grep -qF -- "$2" <<<"$words"
}

# ---- without a switch ----------------------------------------------------------------------------
check "a VM runs when vm run returns" run one
check "... its guest is up" eventually 5 says one "guest: ready"
check "... it is in the list" \
    answers '"name":"one","state":"running","pid":[0-9]+,"cpus":1,"memory_bytes":33554432' vm list
check "... its name is taken" refused "a VM named one runs already" vm run one
[[ $daemon_bin == */asan ]] ||
    check "... its process may do next to nothing" sandboxed "$(pid_of one)"
check "its console has what the guest said" \
    shows "guest: ready" timeout 10 "$daemon_bin/vswitchctl" --run-dir "$work/run" vm console one \
    </dev/null
check "a guest that does not listen to its power button is told of" \
    refused "does not listen to its power button" vm stop one
first=$(pid_of one)
check "it ends by force" vswitchctl vm stop one --force
check "... with its process" is_gone "$first"
check "... and its socket" no_socket one

run off --cmdline poweroff
check "a guest that powers off ends its VM" eventually 5 no_socket off
run again --cmdline reboot
check "a guest that reboots stays in its process" \
    eventually 5 answers '"resets":[1-9]' vm show again
vswitchctl vm stop again --force

mkdir "$work/dir"
truncate -s 1000 "$work/odd"
truncate -s 1M "$work/disk"
touch "$work/empty"
check "a file that is no kernel is refused" refused "neither a bzImage nor an ELF" \
    vm run bad --kernel /etc/passwd
check "... one that is not there, too" refused "file or directory; name a file that can be read" \
    vm run bad --kernel /nonexistent
check "... a directory" refused "is a directory: give a file" vm run bad --kernel "$work/dir"
check "... an empty file" refused "has it been copied in full?" vm run bad --kernel "$work/empty"
check "... an initrd that is not there" refused "the initrd /nonexistent cannot be opened" \
    vm run bad --initrd /nonexistent
check "... memory of no proper size" refused "in steps of 2M" vm run bad --memory 17M
check "... too little of it" with_status 2 "a size from 16M to 1T" vm run bad --memory 8M
check "... too many CPUs" with_status 2 "a number from 1 to 64" vm run bad --cpus 65
check "... a disk that is not there" refused "truncate -s 1G FILE" \
    vm run bad --disk /nonexistent
check "... a directory as a disk" refused "Is a directory" vm run bad --disk "$work/dir"
check "... a disk of no whole sectors" refused "no whole sectors of 512" \
    vm run bad --disk "$work/odd"
check "... a console that cannot be written" refused "the console cannot be written to" \
    vm run bad --console "$work/dir"
check "... a jail that is not there" refused "it must be an empty directory" \
    vm run bad --jail /nonexistent
check "... a user by name" refused "two numbers, UID:GID" vm run bad --user nobody
check "... and nothing of them is left" no_socket bad
check "a VM that is not there is told of" refused "There is no such VM" vm show bad
check "vNICs need the daemon" with_status 3 "No daemon answers" vm run bad --vnic a

run writer --disk "$work/disk"
check "a disk that another VM writes is refused" refused "in use by another VM" \
    vm run bad --disk "$work/disk"
check "... also for reading" refused "in use by another VM" vm run bad --disk "$work/disk,ro"
vswitchctl vm stop writer --force
read_only_disk() {
    unshare -m sh -c 'mount -t tmpfs none "$1" && truncate -s 1M "$1/disk" &&
        mount -o remount,ro "$1" && "$2" --run-dir "$3" vm run bad --disk "$1/disk"' \
        sh "$work/dir" "$daemon_bin/vswitchctl" "$work/run"
}
check "a disk that cannot be written is refused" shows 'or add ",ro"' read_only_disk
large() {
    [ "$(awk '/^(Mem|Swap)Total/ { kib += $2 } END { print kib }' /proc/meminfo)" -lt \
        $((1 << 30)) ] || return 0
    shows "this host has" vswitchctl vm run large --memory 1T
}
check "a VM of more memory than the host has is started with a warning" large
vswitchctl vm stop large --force

no_kvm() {
    unshare -m sh -c 'mount -t tmpfs none /dev && "$@"' sh "$daemon_bin/vswitch-vm" \
        --run-dir "$work/run" --name bad --kernel /bin/true
}
check "a host without KVM is told so" shows "this host has no KVM" no_kvm
mkdir -m 777 "$work/theirs"
chmod 755 "$work"
no_access() {
    setpriv --reuid 65534 --regid 65534 --clear-groups "$daemon_bin/vswitch-vm" \
        --run-dir "$work/theirs" --name bad --kernel /bin/true
}
check "... and who may not use it" shows "you may not use /dev/kvm" no_access

# ---- on a switch ---------------------------------------------------------------------------------
must "vswitchd starts" daemon_start --no-huge
vswitchctl switch add lan --type private
for nic in a b c d; do
    vswitchctl vnic add "$nic" --switch lan >/dev/null
done
pings() {                                 # pings NAME VNIC FROM TO WORD...
    rm -f "$work/$1.console"
    run "$1" --vnic "$2" --cmdline "ip=$3 ping=$4,5 poweroff" "${@:5}" &&
        eventually 15 no_socket "$1" && says "$1" "sent 5 received 5"
}
check "a VM has a vNIC of the switch" run one --vnic a --cmdline "ip=10.0.0.1 echo"
check "... attached" eventually 10 answers '"state":"attached"' vnic show a
check "two VMs ping each other" pings two b 10.0.0.2 10.0.0.1
check "a vNIC that is not there is told of" refused 'no vNIC named "nope"' vm run bad --vnic nope
check "... one that a VM has" refused "The VM one has the vNIC a already" vm run bad --vnic a
check "... one that is named twice" refused "has the vNIC b already" \
    vm run bad --vnic b --vnic b
foreign() {                               # the VM of a monitor that this run directory has not
    local status
    "$daemon_bin/vswitch-vm" --run-dir "$work/foreign" --name foreign --memory 32M \
        --kernel "$daemon_bin/vswitch-guest" \
        --vnic "b=$work/run/vnic/b.sock,mac=00:15:5d:00:00:0b" >/dev/null 2>&1 &
    eventually 5 answers '"state":"attached"' vnic show b &&
        refused "a VM of another monitor is attached to it" vm run bad --vnic b
    status=$?
    kill $!
    wait $!
    return $status
}
check "... one that another monitor has" foreign
again() {
    local times
    for times in 1 2 3 4 5; do
        run again --vnic b && eventually 5 answers '"state":"attached"' vnic show b &&
            vswitchctl vm stop again --force || return 1
    done
}
check "a vNIC is free as soon as its VM has ended" again
mmio() {
    pings two b 10.0.0.2 10.0.0.1 --transport mmio "$@"
}
check "a VM finds its vNIC by MMIO with ACPI" mmio
check "... and without" mmio --minimal
check "... and takes no more vNICs" run mmio --vnic b --transport mmio
check "... of which it says so" refused "takes vNICs at its start only" vm set mmio --add-vnic c
vswitchctl vm stop mmio --force

check "a VM pauses" vswitchctl vm pause one
check "... says so" has_state one paused
check "... twice is once too often" refused "does not run" vm pause one
check "... goes on" vswitchctl vm resume one
check "... and answers" pings two b 10.0.0.2 10.0.0.1

second=$(pid_of one)
daemon_kill
check "without the switch the link is down" eventually 5 has_link one down
must "the switch comes back" daemon_start --no-huge
check "... and the link" eventually 10 has_link one up
check "... in the same process" [ "$(pid_of one)" = "$second" ]
check "... and frames pass" pings two b 10.0.0.2 10.0.0.1

check "a vNIC is plugged into a running VM" vswitchctl vm set one --add-vnic c
check "... once" refused "has the vNIC c already" vm set one --add-vnic c
check "... and its driver finds it" \
    eventually 5 answers '"vnic":"c","connected":true,"link":"up","driver":true' vm show one
check "one that it has not cannot be taken out" refused "has no vNIC d" vm set one --remove-vnic d
unplugged() {
    vswitchctl vm set one --remove-vnic c &&
        eventually 5 fails answers '"vnic":"c"' vm show one
}
check "a vNIC is taken out when the guest has let it go" unplugged
check "... and can come again" vswitchctl vm set one --add-vnic c
check "... and is taken out by force" vswitchctl vm set one --remove-vnic c --force
check "... which does not wait" fails answers '"vnic":"c"' vm show one
check "... and the other one still carries frames" pings two b 10.0.0.2 10.0.0.1

kill -KILL "$second"
check "a VM that is killed is not in the list" eventually 5 answers '^\[\]$' vm list
check "... its socket is removed" eventually 10 eval 'vms; no_socket one'
check "... and its vNIC is free" eventually 5 answers '"state":"waiting"' vnic show a
check "... and its name" run one --vnic a --cmdline "ip=10.0.0.1 echo"

mkdir "$work/jail"
check "a VM is put in a jail" \
    run jailed --jail "$work/jail" --user 65534:65534 --vnic d --cmdline "ip=10.0.0.4 echo"
third=$(pid_of jailed)
check "... with another user" grep -q "^Uid:	65534	65534" "/proc/$third/status"
check "... and no files of the host" fails test -e "/proc/$third/root/etc"
vswitchctl vm stop jailed --force

# ---- many ----------------------------------------------------------------------------------------
eight() {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        run "many$i" || return 1
    done
    for i in 1 2 3 4 5 6 7 8; do
        eventually 10 says "many$i" "guest: ready" || return 1
    done
}
check "eight VMs run at once" eight
measured "memory of a monitor beside its guest's:" \
    "$(awk '/^Rss(Anon|File)/ { sum += $2 } END { print sum " KiB" }' \
        "/proc/$(pid_of many1)/status")"
tap_end
