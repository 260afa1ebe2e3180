#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A minimal Linux in the bundled monitor: by every boot protocol and transport that there is, with
# every device, its frames carried across the switch, its end and its return.
#
# Everywhere: where ring 0 is emulated, a boot takes some 10 s, and so one boot carries many checks,
# and waits are long.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
. tests/support/linux.sh
[ -w /dev/kvm ] || scene_skip "$0" "there is no /dev/kvm that can be used here"
linux_fetch
scene_begin "$0" "$@"
trap 'vms_end; scene_end' EXIT
boot_s=300

must "there is an initramfs" linux_pack
must "vswitchd starts" daemon_start --no-huge
must "a guest of our own is there to answer" linux_scene

is_pinged() {                             # is_pinged ADDRESS: by another guest of our own
    rm -f "$work/asks.console"
    vswitchctl vm run asks --memory 32M --console "$work/asks.console" --vnic asks \
        --cmdline "ip=10.0.0.8 ping=$1,20 poweroff" && eventually 60 vm_gone asks &&
        vm_says asks "sent 20 received 20"
}
written() { dd if="$work/disk" bs=512 skip=1 count=1 status=none | grep -a "written by Linux"; }

# ---- PVH, registers in memory, no ACPI ---------------------------------------------------------
small=(--kernel "$LINUX_KERNEL/vmlinux" --memory 32M --minimal)
start=$EPOCHREALTIME
must "a minimal Linux is started by PVH" linux_run one "nics=1 address=10.0.0.1/24 \
reach=10.0.0.9 ping=10.0.0.9,10 udp=10.0.0.9,100,1000 disk=/dev/vda hello=/dev/hvc0 \
random=/dev/hwrng echo" "${small[@]}" --vnic one --disk "$work/disk"
must "... it comes to user space" vm_told one $boot_s "init: runs"
measured "from vm run to init: $(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $start }") s"
check "... finds its NIC, with its address and MTU" \
    vm_told one 60 "init: eth0 mac 00:15:5d:10:00:01 mtu 1400"
check "... which is attached" eventually 30 answers '"state":"attached"' vnic show one
check "... is answered by another VM" vm_told one 60 "init: ping sent 10 received 10"
check "... to every datagram" vm_told one 60 "init: udp sent 100 received 100 wrong 0"
measured "$(sed -n 's/^init: \(udp .*ms\).*/\1, one after the other/p' "$work/one.console")"
check "... reads its disk" vm_told one 60 "init: disk /dev/vda says words of the host"
check "... writes and flushes it" vm_told one 60 "init: disk /dev/vda is written and flushed"
check "... which is in the file" written
check "... has a virtio console" vm_told one 60 "^hello from Linux"
check "... and random numbers" vm_told one 60 "init: random bytes, as they should be"
check "... and answers, too" vm_told one 60 "init: echo"
check "... another VM that asks" is_pinged 10.0.0.1

daemon_kill
check "without the switch its link is down" eventually 10 vm_show one '"link":"down"'
must "the switch comes back" daemon_start --no-huge
check "... and the link" eventually 15 vm_show one '"link":"up"'
check "... and frames pass" is_pinged 10.0.0.1

# ---- bzImage, registers in memory, ACPI; meanwhile one that panics, and the last one -----------
must "a Linux that will panic is started" linux_run dies "" "${small[@]}"
must "a Linux is started by the 64-bit protocol" linux_run two "nics=1 address=10.0.0.2/24 \
reach=10.0.0.1 udp=10.0.0.1,50,1000 reboot" --kernel "$LINUX_KERNEL/bzImage" --memory 64M \
    --transport mmio --vnic two
must "a Linux with PCI is started" linux_pci_run three "$linux_pci_words" \
    --kernel "$LINUX_KERNEL/vmlinux" --memory 64M
check "a panic restarts it" eventually $boot_s vm_show dies '"resets":[1-9]'
check "... in the same process" vm_show dies '"state":"running"'
vswitchctl vm stop dies --force
must "that of the 64-bit protocol comes to user space" vm_told two $boot_s "init: runs"
check "... finds its NIC by ACPI" vm_told two 60 "init: eth0 mac 00:15:5d:10:00:02 mtu 1500"
check "... Linux answers Linux" vm_told two 60 "init: udp sent 50 received 50 wrong 0"
check "... and restarts" eventually 60 vm_show two '"resets":1'
vswitchctl vm stop two --force
vswitchctl vm stop one --force

# ---- PVH, PCI ----------------------------------------------------------------------------------
linux_pci_life three $boot_s
tap_end
