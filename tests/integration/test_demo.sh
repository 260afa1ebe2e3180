#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `make demo`, as a newcomer has it: with KVM, without, interrupted, and when something of it fails.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/tap.sh
. tests/support/guest.sh
work=$(mktemp -d /tmp/vswitch-test_demo.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 143' INT TERM HUP
tap_prepare "$work"

# The demo's own folder and its processes are known by the folder's name.
folder() { grep -om1 '/tmp/vswitch-demo\.[A-Za-z0-9]*' "$work/demo"; }
nothing_left() {
    local name
    name=$(folder) && [ ! -e "$name" ] || return 1
    ! grep -alsF "$name" /proc/[0-9]*/cmdline
}
demo() { "$@" >"$work/demo" 2>&1 || { tail -n 30 "$work/demo"; return 1; }; }
says() { grep -qE -- "$1" "$work/demo" || { tail -n 30 "$work/demo"; return 1; }; }

# ---- with KVM ------------------------------------------------------------------------------------
of_the_monitor() {
    local pid status

    check "the demo of the monitor's VMs holds what it says" demo tests/integration/demo.sh
    check "... shows its commands" says '^   \$ vswitchctl vm run red --vnic red'
    check "... and what they came to" says '^   \| red +running'
    check "... and the reason of a drop" says 'source address is not one the port may use'
    check "... and leaves nothing behind" nothing_left

    # Without the monitor, say: the first command that is refused ends it.
    mkdir "$work/bin"
    cp "${VSWITCH_BIN:-build}"/vswitchd "${VSWITCH_BIN:-build}"/vswitchctl "$work/bin"
    VSWITCH_BIN=$work/bin check "it fails with what has failed" fails demo tests/integration/demo.sh
    check "... and says so" says 'The demo failed: .*status 1.*vm run red'
    check "... and leaves nothing behind" nothing_left

    tests/integration/demo.sh >"$work/demo" 2>&1 &
    pid=$!
    check "it can be interrupted in the midst" eventually 20 says 'vnic set blue' && kill "$pid"
    wait "$pid"
    status=$?
    check "... which is told by its status" [ "$status" -eq 143 ]
    check "... and leaves nothing behind" nothing_left
}
fails() { ! "$@"; }
if [ -w /dev/kvm ]; then
    of_the_monitor
else
    skip "the demo of the monitor's VMs" "there is no /dev/kvm that can be used here"
fi

# ---- without -------------------------------------------------------------------------------------
without_kvm() {
    mkdir -p "$work/make"
    printf '#!/bin/sh\necho "make $*"; exit 1\n' >"$work/make/make"
    chmod 755 "$work/make/make"
    unshare --mount sh -c 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 &&
        PATH=$1:$PATH tests/integration/demo.sh' sh "$work/make"
}
if [ "$(id -u)" -eq 0 ]; then
    check "without KVM it asks for QEMU, and fails if that cannot be had" fails demo without_kvm
    check "... and says why" says 'This host has no /dev/kvm, which the monitor.s VMs need'
    check "... and asks for no more than that" says '^make -s deps-demo-qemu$'
else
    skip "a host without KVM" "only root can take /dev/kvm out of its sight"
fi
if guest_fetch_kernel 2>/dev/null; then
    check "the demo of Linux guests holds what it says" demo tests/integration/demo_qemu.sh
    check "... and leaves nothing behind" nothing_left
else
    skip "the demo of Linux guests" "the guests' kernel could not be fetched"
fi
tap_end
