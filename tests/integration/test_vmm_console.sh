#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The console of a VM, as an operator has it at a terminal and a script in a pipe.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"
vms_end() {
    vswitchctl vm stop one --force 2>/dev/null
    scene_end
}
trap vms_end EXIT
[ -w /dev/kvm ] || scene_skip "$0" "there is no /dev/kvm that can be used here"

tool=("$daemon_bin/vswitchctl" --run-dir "$work/run")
# at_terminal STEP... -- WORD...: the tool at a terminal; leaves what was seen in $work/seen.
at_terminal() {
    local steps=()
    while [ "$1" != -- ]; do
        steps+=("$1")
        shift
    done
    tests/support/at_terminal.py "${steps[@]}" -- "${tool[@]}" "${@:2}" >"$work/seen" 2>&1
    cat "$work/seen"
    grep -qx restored "$work/seen"
}
seen() { cat "$work/seen"; grep -qE -- "$1" "$work/seen"; }

must "a VM runs" vswitchctl vm run one --memory 32M --cmdline "panic=30 panic"

# ---- at a terminal -------------------------------------------------------------------------------
left() { at_terminal "see guest: panic" raw "type x\\r~." -- vm console one; }
check "~. leaves the console, and the terminal is as it was" left
check "... which the first line said" seen '~\. at the start of a line leaves it'
check "... what the guest had said was there" seen '^guest: ready'
check "... and that is no failure" seen '^status 0'
check "~ elsewhere is the guest's" \
    at_terminal "see guest: panic" "type x~.\\r" "type ~~.\\r" "type ~." -- vm console one
for name in TERM INT HUP; do
    check "SIG$name leaves it, and the terminal is as it was" \
        at_terminal "see guest: panic" raw "signal $name" -- vm console one
done

check "a VM that is not there has no console" \
    at_terminal "see There is no such VM" -- vm console two
check "... which is a failure" seen '^status 1'

# ---- two of them ---------------------------------------------------------------------------------
# first STATUS TEXT COMMAND...: while somebody is at the console, the command; then that one is told
# TEXT, and ends with the status.
first() {
    local pid
    rm -f "$work/there"
    tests/support/at_terminal.py "see guest: panic" "mark $work/there" "see $2" -- \
        "${tool[@]}" vm console one >"$work/first" 2>&1 &
    pid=$!
    eventually 20 test -e "$work/there"
    "${@:3}" || return 1
    wait "$pid"
    cat "$work/first"
    grep -qx "status $1" "$work/first" && grep -qx restored "$work/first" &&
        grep -q "$2" "$work/first"
}
check "who comes second has the console, and the first is told" \
    first 1 "has the console now" \
    at_terminal "see guest: panic" "type \\r~." -- vm console one

# ---- in a pipe -----------------------------------------------------------------------------------
piped() { printf 'x\n' | timeout 10 "${tool[@]}" vm console one; }
check "in a pipe it has what the guest said, and ends" shows "guest: panic" piped
check "a console of a VM that ends says so" \
    first 0 "The VM has ended" vswitchctl vm stop one --force

# ---- of a VM that is started ---------------------------------------------------------------------
run_here() {
    timeout 10 "${tool[@]}" vm run one --memory 32M --console - "$@" </dev/null
}
all_of_it() {
    local times words
    for times in 1 2 3 4 5; do
        words=$(run_here --cmdline poweroff 2>&1) || return 1
        echo "$words"
        grep -q "guest: ready" <<<"$words" && grep -q "guest: power off" <<<"$words" &&
            grep -q "has ended" <<<"$words" || return 1
    done
}
check "vm run --console - has all that the guest says, until it ends" all_of_it
check "... at a terminal, too" at_terminal "see guest: power off" "see has ended" -- \
    vm run one --memory 32M --cmdline poweroff --console -
check "... and ~. leaves a VM that goes on" \
    at_terminal "see guest: ready" raw "type \\r~." -- vm run one --memory 32M --console -
check "... which is there" answers '"state":"running"' vm show one
vswitchctl vm stop one --force

# Code where no memory is cannot run anywhere.
printf '.globl _start\n_start: mov $0xd8000000, %%eax\njmp *%%rax\n' |
    gcc -nostdlib -static -no-pie -Wl,-Ttext=0x200000,--build-id=none -x assembler - \
        -o "$work/crash"
check "why a guest crashed is on its console" \
    shows "vswitch-vm: the guest crashed: vCPU 0 at rip 0xd8000000" \
    run_here --kernel "$work/crash"
both_want_it() {
    vswitchctl --json vm run one --console -
    [ $? -eq 2 ]
}
check "--json and a console here are told apart" both_want_it
tap_end
