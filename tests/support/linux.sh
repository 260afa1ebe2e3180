# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# VMs of the bundled monitor, and Linux in them, as a library for bash scripts that have a scene
# (see scene.sh).
#
#   vm_says NAME TEXT [TIMES]    whether it has said that on its console
#   vm_told NAME SECONDS TEXT [TIMES]   waits until it has, and shows its last words
#   vm_show NAME PATTERN         whether `vm show` has that
#   vm_gone NAME                 whether it has ended
#   vms_end                      ends all of them
#   linux_fetch                  before the scene, since it comes over the machine's own network:
#                                the minimal kernel (see linux/kernel.sh), or the script ends
#   linux_pack [FOLDER]          an initramfs of linux/init.c and the files of FOLDER
#   linux_run NAME WORDS [OPTION]...   WORDS are init's, OPTIONS are those of `vm run`
#
# Where ring 0 is emulated (kvm_pvm), a kernel is told to leave alone what the emulator has not got
# (XSAVE, CMPXCHG16B), what it does byte by byte, and what the time it takes makes no sense of.

linux_ring0_is_emulated() { [ -e /sys/module/kvm_pvm ]; }

# 141, 297 and 580 are what Linux calls cx16, erms and fsrm.
linux_words="console=ttyS0 quiet panic=1 rdinit=/init"
! linux_ring0_is_emulated || linux_words+=" noxsave clearcpuid=141,297,580 mitigations=off \
tsc=reliable no_timer_check lpj=10000000 rodata=off"

vm_says() { [ "$(grep -c -- "$2" "$work/$1.console" 2>/dev/null)" -ge "${3:-1}" ]; }

vm_told() {
    local name=$1 seconds=$2
    shift 2
    eventually "$seconds" vm_says "$name" "$@" && return 0
    tail -n 20 "$work/$name.console"
    return 1
}

vm_show() { answers "$2" vm show "$1"; }
vm_gone() { [ ! -e "$work/run/vm/$1.sock" ]; }

vms_end() {
    local socket
    for socket in "$work"/run/vm/*.sock; do
        [ ! -S "$socket" ] || vswitchctl vm stop "$(basename "$socket" .sock)" --force
    done
}

linux_fetch() {
    [ -z "${WIRE_INSIDE:-}" ] || return 0
    local words
    words=$(mktemp)
    if ! LINUX_KERNEL=$("$scene_support/linux/kernel.sh" 2>"$words"); then
        echo "not ok 1 - there is a minimal Linux"
        sed 's/^/# /' "$words"
        rm -f "$words"
        echo "1..1"
        exit 1
    fi
    rm -f "$words"
    export LINUX_KERNEL
}

linux_pack() {
    local tree=$work/initramfs
    mkdir "$tree" && { [ $# -eq 0 ] || cp -r "$1" "$tree"; } &&
        cp "$daemon_root/build/linux-init" "$tree/init" &&
        (cd "$tree" && find . | cpio --quiet -o -H newc) >"$tree.cpio" && rm -rf "$tree"
}

linux_run() {
    vswitchctl vm run "$1" --initrd "$work/initramfs.cpio" --console "$work/$1.console" \
        --cmdline "$linux_words -- $2" "${@:3}"
}
