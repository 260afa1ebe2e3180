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
#   linux_scene                  switches, vNICs, disks and a guest of our own, which answers
#   linux_pci_life NAME SECONDS  what one with PCI goes through that obeys $linux_pci_words: checks,
#                                the first of which may take SECONDS
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

# ---- one life over PCI, for any kernel -----------------------------------------------------------
# On the switch lan are the peer, 10.0.0.9, and NICs for Linux; on far the peer, 10.0.1.9, and late.
linux_scene() {
    local nic
    vswitchctl switch add lan --type private && vswitchctl switch add far --type private &&
        vswitchctl vnic add one --switch lan --mac 00:15:5d:10:00:01 --mtu 1400 &&
        vswitchctl vnic add two --switch lan --mac 00:15:5d:10:00:02 &&
        vswitchctl vnic add three --switch lan --mac 00:15:5d:10:00:03 &&
        vswitchctl vnic add late --switch far --mac 00:15:5d:10:00:04 || return 1
    for nic in peer:lan asks:lan yonder:far; do
        vswitchctl vnic add "${nic%:*}" --switch "${nic#*:}" || return 1
    done
    truncate -s 1M "$work/disk" "$work/disk.ro" &&
        echo "words of the host" | tee "$work/words" |
        dd of="$work/disk" conv=notrunc status=none &&
        dd if="$work/words" of="$work/disk.ro" conv=notrunc status=none &&
        vswitchctl vm run peer --memory 32M --vnic peer --vnic yonder \
            --cmdline "ip=10.0.0.9 nic=1 ip=10.0.1.9 echo"
}

linux_pci_words="nics=1 address=10.0.0.3/24 reach=10.0.0.9 udp=10.0.0.9,50,1000 disk=/dev/vda \
nics=2 nic=eth1 address=10.0.1.3/24 reach=10.0.1.9 nics=1 button poweroff"

linux_pci_run() {                         # linux_pci_run NAME WORDS [OPTION]...
    linux_run "$1" "$2" --vnic three --disk "$work/disk.ro,ro" "${@:3}"
}

linux_pci_life() {
    must "a Linux with PCI comes to user space" vm_told "$1" "$2" "init: runs"
    check "... finds its NIC" vm_told "$1" 60 "init: eth0 mac 00:15:5d:10:00:03 mtu 1500"
    check "... by which frames pass" vm_told "$1" 60 "init: udp sent 50 received 50 wrong 0"
    check "... reads its disk" vm_told "$1" 60 "init: disk /dev/vda says words of the host"
    check "... and may not write it" vm_told "$1" 60 "init: write to /dev/vda: Operation not perm"
    check "... a vNIC is plugged in" vswitchctl vm set "$1" --add-vnic late
    check "... and found" vm_told "$1" 60 "init: eth1 mac 00:15:5d:10:00:04 mtu 1500"
    check "... its frames pass" vm_told "$1" 60 "init: reached 10.0.1.9"
    check "... it is taken out" vswitchctl vm set "$1" --remove-vnic late
    check "... and let go" vm_told "$1" 60 "init: nics 1" 2
    check "... it waits for its power button" vm_told "$1" 60 "init: waits for its button"
    check "... ends it" vswitchctl --timeout 60s vm stop "$1"
    check "... which it has heard" vm_says "$1" "init: button"
    check "... and its process is gone" vm_gone "$1"
}
