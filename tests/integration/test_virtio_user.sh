#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's virtio-user as the guest: one testpmd generates frames, another swaps their addresses and
# sends them back.  What each says it received must be what the switch says it delivered.
set -u
# shellcheck source=tests/support/daemon.sh
. "$(dirname "$0")/../support/daemon.sh"

work=$(mktemp -d)
pids=()
number=0

finish() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    daemon_kill
    rm -rf "$work" /var/run/dpdk/vswitch-test-$$-*
}
trap finish EXIT
trap 'exit 130' INT TERM

check() {                                    # check NAME COMMAND...: one test
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
    fi
}

# testpmd_start NAME QUEUES MODE PEER_MAC: a testpmd behind a vNIC; commands go to fd $testpmd_in
testpmd_start() {
    local name=$1 queues=$2 mode=$3 peer=$4
    mkfifo "$work/$name.in"
    exec {testpmd_in}<>"$work/$name.in"
    setpriv --pdeathsig KILL stdbuf -oL \
        dpdk-testpmd --no-pci --no-telemetry --no-huge -m 128 -l 0,1 \
        --file-prefix="vswitch-test-$$-$name" \
        --vdev "net_virtio_user0,path=$work/run/vnic/$name.sock,queue_size=256,queues=$queues" \
        -- -i --total-num-mbufs=4096 --nb-cores=1 --rxq="$queues" --txq="$queues" \
        --forward-mode="$mode" --eth-peer=0,"$peer" --port-topology=loop \
        <"$work/$name.in" >"$work/$name.out" 2>&1 &
    pids+=($!)
}

# say NAME FD COMMAND MARK: gives testpmd a command and waits until MARK has been printed once more
say() {
    local name=$1 fd=$2 command=$3 mark=$4 before tries
    before=$(grep -c "$mark" "$work/$name.out")
    echo "$command" >&"$fd"
    for ((tries = 0; tries < 50; tries++)); do
        [ "$(grep -c "$mark" "$work/$name.out")" -gt "$before" ] && return 0
        sleep 0.1
    done
    echo "# testpmd behind $name did not answer \"$command\":"
    tail -n 5 "$work/$name.out" | sed 's/^/#   /'
    return 1
}

wait_attached() {                            # wait_attached NAME QUEUES
    local tries
    for ((tries = 0; tries < 150; tries++)); do
        vswitchctl --json vnic show "$1" | jq_is "d['state'] == 'attached' and \
            d['queues_enabled'] == $2" && return 0
        sleep 0.1
    done
    echo "# $1 did not attach:"
    vswitchctl vnic show "$1" | sed 's/^/#   /'
    return 1
}

jq_is() {                                    # jq_is EXPRESSION: over the JSON value d on stdin
    python3 -c "import json, sys; d = json.load(sys.stdin); sys.exit(not ($1))"
}

counter() {                                  # counter VNIC KEY
    vswitchctl --json vnic show "$1" |
        python3 -c "import json, sys; print(json.load(sys.stdin)['counters']['$2'])"
}

received() {                                 # received NAME FD: what its testpmd has received
    say "$1" "$2" 'show port stats 0' 'Rx-pps' >/dev/null
    awk '/RX-packets:/ { n = $2 } END { print n + 0 }' "$work/$1.out"
}

# What one got must be what the switch gave it, and not nothing.  A testpmd that was stopped first
# leaves what came after in its two rings of 256, and no more than they hold.
all_arrived() {
    local name=$1 fd=$2 left_in_rings=$3 tries got gave
    for ((tries = 0; tries < 5; tries++)); do
        got=$(received "$name" "$fd") gave=$(counter "$name" to_frames)
        [ "$got" -gt 1000 ] && [ "$gave" -ge "$got" ] &&
            [ $((gave - got)) -le "$left_in_rings" ] && return 0
        sleep 0.2
    done
    echo "# testpmd behind $name received $got, the switch delivered $gave"
    return 1
}

command -v dpdk-testpmd >/dev/null || {
    echo "# skip: dpdk-testpmd is not installed (package dpdk-dev)"
    echo "ok 1 - virtio-user # SKIP"
    exit 0
}
daemon_prepare "$work"
daemon_start --no-huge || exit 1
vswitchctl switch add lab --type private >/dev/null || exit 1
vswitchctl vnic add gen --switch lab --queues 2 --spoof-guard off >/dev/null || exit 1
vswitchctl vnic add swap --switch lab --queues 2 --spoof-guard off >/dev/null || exit 1

testpmd_start swap 2 macswap 02:00:00:00:00:01
swap=$testpmd_in
testpmd_start gen 2 flowgen 02:00:00:00:00:02
gen=$testpmd_in
check "virtio-user attaches with two queue pairs" wait_attached gen 2
check "a second one beside it attaches too" wait_attached swap 2

say swap "$swap" start 'macswap packet forwarding' &&
    say gen "$gen" start 'flowgen packet forwarding'
sleep 2
say gen "$gen" stop 'Done.'
say swap "$swap" stop 'Done.'
check "frames go out, and the receiver has each one that was delivered" all_arrived swap "$swap" 0
check "the answers come back, and so has the sender" all_arrived gen "$gen" 512

vswitchctl --json vnic show swap >"$work/swap.json"
check "both receive queues of a guest are used, and nothing is broken" \
    jq_is "d['state'] == 'attached' and 'MQ' in d['features']" <"$work/swap.json"

say swap "$swap" 'port stop 0' 'Stopping ports' && say swap "$swap" 'port start 0' 'Done'
check "the driver stops and starts, and is attached again" wait_attached swap 2
echo "1..$number"
