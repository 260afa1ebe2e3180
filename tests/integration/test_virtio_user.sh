#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's virtio-user as the guest: one testpmd generates frames, another swaps their addresses and
# sends them back.  What each says it received must be what the switch says it delivered.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/tap.sh
. tests/support/daemon.sh
. tests/support/testpmd.sh

work=$(mktemp -d)

finish() {
    testpmd_stop_all
    daemon_kill
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
tap_prepare "$work"
testpmd_prepare "$work"

counter() {                                  # counter VNIC KEY
    vswitchctl --json vnic show "$1" |
        python3 -c "import json, sys; print(json.load(sys.stdin)['counters']['$2'])"
}

received() {                                 # received NAME: what its testpmd has received
    testpmd_say "$1" 'show port stats 0' 'Rx-pps' >/dev/null
    awk '/RX-packets:/ { n = $2 } END { print n + 0 }' "$work/$1.out"
}

# What one got must be what the switch gave it, and not nothing.  A testpmd that was stopped first
# leaves what came after in its two rings of 256, and no more than they hold.
all_arrived() {
    local name=$1 left_in_rings=$2 tries got gave
    for ((tries = 0; tries < 5; tries++)); do
        got=$(received "$name") gave=$(counter "$name" to_frames)
        [ "$got" -gt 1000 ] && [ "$gave" -ge "$got" ] &&
            [ $((gave - got)) -le "$left_in_rings" ] && return 0
        sleep 0.2
    done
    echo "testpmd behind $name received $got, the switch delivered $gave"
    return 1
}

# two_queues NAME MODE PEER_MAC IN_ORDER: a testpmd behind a vNIC of two pairs
two_queues() {
    testpmd_start "$1" "queue_size=256,queues=2,in_order=$4" -- --rxq=2 --txq=2 \
        --forward-mode="$2" --no-flush-rx --eth-peer=0,"$3" --port-topology=loop
}

command -v dpdk-testpmd >/dev/null || {
    skip virtio-user "dpdk-testpmd is not installed (package dpdk-dev)"
    tap_end
    exit 0
}
daemon_prepare "$work"
daemon_start --no-huge || exit 1
vswitchctl switch add lab --type private >/dev/null || exit 1
vswitchctl vnic add gen --switch lab --queues 2 --spoof-guard off >/dev/null || exit 1
vswitchctl vnic add swap --switch lab --queues 2 --spoof-guard off >/dev/null || exit 1

two_queues swap macswap 02:00:00:00:00:01 1
two_queues gen flowgen 02:00:00:00:00:02 0
check "virtio-user attaches with two queue pairs" testpmd_attached gen 2
check "a second one beside it attaches too" testpmd_attached swap 2

testpmd_say swap start 'macswap packet forwarding' &&
    testpmd_say gen start 'flowgen packet forwarding'
sleep 2
testpmd_say gen stop 'Done.'
testpmd_say swap stop 'Done.'
check "frames go out, and the receiver has each one that was delivered" all_arrived swap 0
check "the answers come back, and so has the sender" all_arrived gen 512
check "both receive queues of a guest are used, and nothing is broken" \
    testpmd_json swap "d['state'] == 'attached' and 'MQ' in d['features']"

check "a driver that relies on the order of buffers is told that it may" \
    testpmd_json swap "'IN_ORDER' in d['features']"
check "... and one that does not want to know is not" \
    testpmd_json gen "'IN_ORDER' not in d['features']"

testpmd_say swap 'port stop 0' 'Stopping ports' && testpmd_say swap 'port start 0' 'Done'
check "the driver stops and starts, and is attached again" testpmd_attached swap 2
tap_end
