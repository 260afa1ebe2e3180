#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a VM of the bundled monitor costs: the time from the command that starts it to its guest's
# first frame at another port of the switch, and the monitor's memory beside its guest's; both
# against QEMU's microvm with the same guest kernel.  (Frames from VM to VM are rows of run.sh.)
#
# First frame: first_frame.c is a port of the switch, takes the time, starts the command and waits
# for the guest's broadcast.  The VMMs take turns.  The switch is the same and its time is in all
# figures; microvm has memory-mapped devices only, so ours is measured with those, too.
#
# Memory: what /proc/PID/smaps says, less the mapping of the guest's memory: once proportionally
# (Pss: what several processes map, as programs and libraries, is divided by them), once what is the
# process's own.  What the kernel keeps for a VM is not in it, for nobody.
set -u
cd "$(dirname "$0")/../.." || exit 1
usage="usage: tests/bench/vm.sh [--rounds N] [--switch-core N] [--load-core N]"
rounds=15 load_core=0 switch_core=1 huge_mib=0
bin=${VSWITCH_BIN:-build} tools=${BENCH_TOOLS:-build/tests/bench}
VMS=8

while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 && shift ;;
    --switch-core) switch_core=$2 && shift ;;
    --load-core) load_core=$2 && shift ;;
    *) echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
say() { echo "$*" >&2; }

if ! [ -w /dev/kvm ]; then
    echo "The costs of a VM are left out, because there is no /dev/kvm that can be used here."
    exit 0
fi

work=$(mktemp -d /tmp/vswitch-vm-bench.XXXXXX)
mkfifo "$work/never-ends"
exec {never_ends}<>"$work/never-ends"
# shellcheck source=tests/bench/peers.sh
. tests/bench/peers.sh
ctl() { "$bin/vswitchctl" --run-dir "$work/vswitchd/run" "$@"; }
vms() { ctl --json vm list 2>/dev/null | sed -n 's/.*"name": "\(.*\)".*/\1/p'; }
finish() {
    local name peer
    trap '' INT TERM
    for name in $(vms); do
        ctl vm stop "$name" --force
    done
    for peer in "${!pids[@]}"; do
        peer_end "$peer"
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if why=$(missing_vswitchd) || { why="vswitchd did not start" && ! start_vswitchd; }; then
    say "$why"
    exit 1
fi
for ((i = 1; i <= VMS; i++)); do
    ctl vnic add "vm$i" --switch bench --spoof-guard off >>"$work/vswitchd.log" || exit 1
done

# ---- the VMs -------------------------------------------------------------------------------------
microvm() {                        # microvm VNIC CONSOLE CMDLINE: sets command
    command=(qemu-system-x86_64 -accel kvm -cpu "host,-arch-capabilities" -m 32M
        -machine "microvm,memory-backend=ram,acpi=off,rtc=off,pit=off,pic=off,x-option-roms=off"
        -object "memory-backend-memfd,id=ram,size=32M,share=on" -nodefaults -no-user-config
        -display none -serial "file:$2" -global virtio-mmio.force-legacy=false
        -chardev "socket,id=c,path=$work/vswitchd/run/vnic/$1.sock"
        -netdev "vhost-user,id=n,chardev=c" -device virtio-net-device,netdev=n
        -kernel "$bin/vswitch-guest" -append "$3")
}

ours() {                           # ours NAME VNIC CMDLINE [OPTION]...: sets command
    command=("$bin/vswitchctl" --run-dir "$work/vswitchd/run" vm run "$1" --vnic "$2" --memory 32M
        --console "$work/$1.console" --cmdline "$3" "${@:4}")
}

eventually() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}
is_ready() { grep -q "guest: ready" "$1" 2>/dev/null; }
no_vms() { [ -z "$(vms)" ]; }

# ---- first frame ---------------------------------------------------------------------------------
send="send=ff:ff:ff:ff:ff:ff,1,60,0" rest="idle=wait"
kinds=("vswitch-vm, PCI" "vswitch-vm, memory-mapped")
why=
if ! command -v qemu-system-x86_64 >/dev/null; then
    why="it is not installed: apt-get install qemu-system-x86"
else
    microvm vm1 "$work/microvm.console" "$rest"
    setpriv --pdeathsig KILL "${command[@]}" >"$work/microvm.log" 2>&1 &
    pids[microvm]=$!
    eventually is_ready "$work/microvm.console" ||
        why="it does not run under this /dev/kvm: $(tail -n 1 "$work/microvm.log")"
    peer_end microvm
fi
if [ -z "$why" ]; then
    kinds+=("QEMU microvm")
else
    say "QEMU is left out, because $why"
fi

for ((round = 1; round <= rounds; round++)); do
    for kind in "${kinds[@]}"; do
        case $kind in
        *PCI) ours first vm1 "$send poweroff" ;;
        *mapped) ours first vm1 "$send poweroff" --minimal ;;
        QEMU*) microvm vm1 "$work/microvm.console" "$send" ;;
        esac
        line=$("$tools/first_frame" --port "$work/vswitchd/run/vnic/vm2.sock" -- "${command[@]}" \
            2>"$work/error") || { say "  $kind: $(tail -n 1 "$work/error")" && exit 1; }
        line=$(sed -n 's/.*"first_frame_ms": \([0-9.]*\).*/\1/p' <<<"$line")
        say "  round $round, $kind: $line ms"
        echo "$kind|$line" >>"$work/first_frames"
        eventually no_vms
        sleep 0.1                  # the switch notices that its guests are gone
    done
done

echo "From the command to the guest's first frame at another port, ms, $rounds rounds in turns:"
for kind in "${kinds[@]}"; do
    grep "^$kind|" "$work/first_frames" | cut -d '|' -f 2 | sort -n |
        awk -v kind="$kind" '{ ms[NR] = $1 }
            END { printf "  %-28s min %6.1f  median %6.1f  max %6.1f\n", kind, ms[1],
                      ms[int((NR + 1) / 2)], ms[NR] }'
done

# ---- memory --------------------------------------------------------------------------------------
# memory_of PID...: KiB a process, proportional and own.
memory_of() {
    local pid
    for pid in "$@"; do
        cat "/proc/$pid/smaps"
    done | awk -v count=$# '
        /^[0-9a-f]+-[0-9a-f]+ / { is_guest = /memfd:(guest-ram|memory-backend-memfd)/ }
        /^Pss:/ && !is_guest { pss += $2 }
        /^Private_(Clean|Dirty):/ && !is_guest { own += $2 }
        END { printf "proportional %6d KiB, own %6d KiB\n", pss / count, own / count }'
}
pids_of_vms() { ctl --json vm list | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }
are_ready() {
    local i
    for ((i = 1; i <= VMS; i++)); do
        is_ready "$work/many$i.console" || return 1
    done
}

echo "Memory of a VM's process beside its guest's:"
ours many1 vm1 "$rest"
"${command[@]}" >/dev/null && eventually is_ready "$work/many1.console"
printf "  %-28s %s\n" "vswitch-vm, 1 VM" "$(memory_of $(pids_of_vms))"
for ((i = 2; i <= VMS; i++)); do
    ours "many$i" "vm$i" "$rest"
    "${command[@]}" >/dev/null
done
eventually are_ready
printf "  %-28s %s\n" "vswitch-vm, each of $VMS" "$(memory_of $(pids_of_vms))"
for name in $(vms); do
    ctl vm stop "$name" --force
done
if [ -z "$why" ]; then
    rm -f "$work/microvm.console"
    microvm vm1 "$work/microvm.console" "$rest"
    setpriv --pdeathsig KILL "${command[@]}" >"$work/microvm.log" 2>&1 &
    pids[microvm]=$!
    eventually is_ready "$work/microvm.console"
    printf "  %-28s %s\n" "QEMU microvm, 1 VM" "$(memory_of "${pids[microvm]}")"
fi
if [ -d /sys/module/kvm_pvm ]; then
    echo "This host emulates the guests' ring 0 (kvm_pvm), in which firmware and a kernel's first" \
        "steps run: the times are this host's, not what the VMMs need elsewhere."
fi
