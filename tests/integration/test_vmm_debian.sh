#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian's own kernel in the bundled monitor, as it is shipped: over PCI, with two processors.
# Where ring 0 is emulated it would take more than ten minutes to come to user space.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
. tests/support/linux.sh
[ -w /dev/kvm ] || scene_skip "$0" "there is no /dev/kvm that can be used here"
! linux_ring0_is_emulated ||
    scene_skip "$0" "this host emulates ring 0 (kvm_pvm), far too slow for a stock kernel"
[ -n "${WIRE_INSIDE:-}" ] || guest_fetch_kernel 2>/dev/null ||
    scene_skip "$0" "the guests' kernel could not be fetched"
scene_begin "$0" "$@"
trap 'vms_end; scene_end' EXIT

must "there is an initramfs" linux_pack "$guest_cache/drivers"
must "vswitchd starts" daemon_start --no-huge
must "a guest of our own is there to answer" linux_scene
must "Debian's kernel is started" linux_pci_run three \
    "load=/drivers/order load=/drivers/devices cpus $linux_pci_words" \
    --kernel "$guest_cache/vmlinuz" --cpus 2 --memory 256M
linux_pci_life three 60
check "... it had both processors" vm_says three "init: cpus 2"
tap_end
