#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Compares this switch with Open vSwitch between a guest, a wire and the host, and prints a table.
#
# It runs in a network namespace of its own: each switch has a veth pair, whose other end is in the
# namespace "outside", and an adapter of the host.  As in run.sh, switches run in turns, stopped in
# between; how near the cores are is printed, but all runs are compared.  Open vSwitch has two
# columns, because it has two good ways to a veth: DPDK's af_packet and af_xdp drivers, both polled
# by its poll thread; its own adapter for the host (the bridge's port) is polled by its main thread,
# which shares the switch's core with it here, as ours has one thread for everything.
#
# The kernel has a part in every figure: what is sent on a veth or a tap is received by the kernel's
# code on the sender's core, what comes out of them is sent by it on the switch's.
set -u
cd "$(dirname "$0")/../.." || exit 1
usage="usage: tests/bench/wire.sh [--rounds N] [--seconds S] [--patience S]
                           [--switch-core N] [--load-core N]"
rounds=3 seconds=0.3 patience=0 load_core=0 switch_core=1
bin=${VSWITCH_BIN:-build} tools=${BENCH_TOOLS:-build/tests/bench}
# Open vSwitch's buffers are 752 MiB; af_xdp does not take them when they are not in one piece.
HUGE_PAGES=768 TRIES=3
arguments=("$@")

while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --patience) patience=$2 && shift ;;
    --switch-core) switch_core=$2 && shift ;;
    --load-core) load_core=$2 && shift ;;
    *) echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
say() { echo "$*" >&2; }

. tests/support/wire.sh
if ! wire_enter "$0" "${arguments[@]}"; then
    say "The rows of the wire are left out, because network namespaces need root."
    exit 0
fi
# Only the load is to be on the wires.
for in in "" outside; do
    ${in:+ip netns exec "$in"} sh -c 'for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do
        echo 1 >$all; done' 2>/dev/null
done

work=$(mktemp -d /tmp/vswitch-wire-bench.XXXXXX)
results=$work/results
huge_before=$(cat /proc/sys/vm/nr_hugepages)
declare -A pids guest host
finish() {
    local pid
    trap '' INT TERM
    for pid in ${pids[*]}; do
        kill -CONT "$pid" 2>/dev/null
        kill -TERM "$pid" 2>/dev/null
    done
    sleep 0.5
    for pid in ${pids[*]}; do
        kill -KILL "$pid" 2>/dev/null
    done
    echo "$huge_before" >/proc/sys/vm/nr_hugepages
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ "$huge_before" -ge $HUGE_PAGES ] || echo $HUGE_PAGES >/proc/sys/vm/nr_hugepages

# A wire whose other end sends whole frames: see raw_port.h.
wire_of() {
    ip link add "$1" type veth peer name "$1" netns outside && ip link set "$1" up &&
        outside ip link set "$1" up &&
        outside ethtool -K "$1" tx off tx-udp-segmentation off >/dev/null
}

await() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        [ -S "$1" ] && return 0
        sleep 0.1
    done
    return 1
}

spawn() {
    local name=$1
    shift
    setpriv --pdeathsig KILL "$@" </dev/null >>"$work/$name.log" 2>&1 &
    pids[$name]=$!
}

start_vswitchd() {
    local ctl=("$bin/vswitchctl" --run-dir "$work/v")
    wire_of uv || return 1
    spawn vswitchd "$bin/vswitchd" --run-dir "$work/v" --state-dir "$work/vs" \
        --cores "$switch_core"
    await "$work/v/vswitchd.sock" || return 1
    "${ctl[@]}" switch add hv --type external --uplink uv --host-vnic on &&
        "${ctl[@]}" vnic add a --switch hv --spoof-guard off || return 1
    guest[vswitchd]=$work/v/vnic/a.sock host[vswitchd]=hv
}

# A bridge for each driver, in one process.
ovs_bridge() {
    local name=$1 device=$2
    wire_of "u$name" || return 1
    "${vsctl[@]}" add-br "h$name" -- set bridge "h$name" datapath_type=netdev -- \
        add-port "h$name" "g$name" -- set interface "g$name" type=dpdkvhostuser -- \
        add-port "h$name" "p$name" -- set interface "p$name" type=dpdk \
        "options:dpdk-devargs=$device,iface=u$name" && ip link set "h$name" up &&
        await "$work/o/g$name" || return 1
    # A port that has no device is no refusal: it would be tried again all the time, at our cost.
    if [ "$("${vsctl[@]}" get interface "p$name" ofport)" = -1 ]; then
        "${vsctl[@]}" get interface "p$name" error
        grep 'dpdk|ERR' "$work/ovs.log"
        return 1
    fi
    guest[ovs-$name]=$work/o/g$name host[ovs-$name]=h$name pids[ovs-$name]=${pids[ovs]}
}

start_ovs() {
    local ovs=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
    local db=unix:$work/o/db.sock
    mkdir -p "$work/o"
    export OVS_RUNDIR=$work/o OVS_LOGDIR=$work/o OVS_DBDIR=$work/o OVS_SYSCONFDIR=$work/o
    vsctl=(ovs-vsctl --timeout=30 "--db=$db")
    ovsdb-tool create "$work/o/conf.db" /usr/share/openvswitch/vswitch.ovsschema &&
        spawn ovsdb ovsdb-server "$work/o/conf.db" --remote="p$db" --unixctl="$work/o/db.ctl" &&
        await "$work/o/db.sock" && "${vsctl[@]}" --no-wait init &&
        "${vsctl[@]}" --no-wait set Open_vSwitch . other_config:dpdk-init=true \
            other_config:pmd-cpu-mask="$(printf '0x%x' $((1 << switch_core)))" \
            other_config:dpdk-lcore-mask="$(printf '0x%x' $((1 << switch_core)))" \
            other_config:dpdk-extra="--no-pci --in-memory --iova-mode=va -m 256" || return 1
    spawn ovs "$ovs" "$db" --unixctl="$work/o/vswitchd.ctl"
    ovs_bridge packet eth_af_packet0 && ovs_bridge xdp net_af_xdp0
}

round_trip_ns() {
    "$tools/round_trip" "$load_core" "$switch_core" |
        sed -n 's/.*"round_trip_ns": \([0-9]*\).*/\1/p'
}

# How long the kernel's threads for frames have run on the two cores, in ns.
kernel_ns() {
    cat /dev/null $(pgrep -x "ksoftirqd/($switch_core|$load_core)" |
        sed 's|.*|/proc/&/schedstat|') |
        awk '{ ran += $1 } END { printf "%d", ran }'
}

# How long a peer's busiest thread was ready and had no core, in ns, less what its other threads and
# those of the kernel have run on either core: they are no others, but part of what is measured.
waited_ns() {
    cat "/proc/${pids[$1]}/task/"*/schedstat 2>/dev/null | sort -n |
        awk -v kernel_ns="$(kernel_ns)" '{ ran += last; last = $1; waited = $2 }
            END { printf "%d", waited - ran - kernel_ns }'
}

# In hundredths of a second.
idle_time() {
    awk -v a="cpu$switch_core" -v b="cpu$load_core" \
        '$1 == a || $1 == b { idle += $5 + $6 } END { print idle }' /proc/stat
}

# Waits until nothing runs on the two cores, as long as --patience says.
await_calm() {
    local before end=$((SECONDS + patience))
    while [ $SECONDS -lt $end ]; do
        before=$(idle_time)
        sleep 0.2
        [ $(($(idle_time) - before)) -lt 38 ] || break
    done
}

# run_once PEER FROM TO SIZE: sets line, and disturbed when others had a core for more than 2 % of
# the time, while the switch or the load was ready to use it.
run_once() {
    local waited start
    kill -CONT "${pids[$1]}"
    waited=$(waited_ns "$1") start=$(date +%s%N)
    line=$("$tools/wire" --send "$2" --receive "$3" --size "$4" --seconds "$seconds" \
        --core "$load_core" 2>"$work/error") || line=null
    disturbed=$(awk -v wall_ns=$(($(date +%s%N) - start)) -v line="$line" \
        -v switch_ns=$(($(waited_ns "$1") - waited)) 'BEGIN {
        match(line, /"waited_ns": [0-9]+/)
        load_ns = substr(line, RSTART + 13, RLENGTH - 13)
        print (switch_ns + load_ns > wall_ns / 50 ? "true" : "false") }')
    kill -STOP "${pids[$1]}"
}

# run_case ROUND PEER NAME FROM TO SIZE: files the result; tries again when it was disturbed.
run_case() {
    local round=$1 peer=$2 name=$3 before after line disturbed try
    shift 3
    for ((try = 1; try <= TRIES; try++)); do
        await_calm
        before=$(round_trip_ns)
        run_once "$peer" "$@"
        after=$(round_trip_ns)
        [ "$disturbed" = true ] && [ "$line" != null ] || break
    done
    printf '{"round": %d, "peer": "%s", "case": "%s", "round_trip_ns": [%d, %d], ' \
        "$round" "$peer" "$name" "$before" "$after" >>"$results"
    printf '"disturbed": %s, "result": %s}\n' "$disturbed" "$line" >>"$results"
    say "  round $round, ${before}-${after} ns$([ "$disturbed" = false ] || echo ", disturbed")," \
        "$peer, $name:" \
        "$(sed -n 's/.*"frames_per_s": \([0-9]*\).*/\1 frames\/s/p' <<<"$line")" \
        "$([ "$line" != null ] || tail -n 1 "$work/error")"
}

peers=()
start_vswitchd >>"$work/vswitchd.log" 2>&1 || { tail -n 5 "$work/vswitchd.log" >&2; exit 1; }
peers+=(vswitchd)
kill -STOP "${pids[vswitchd]}"
if ! command -v ovs-vsctl ethtool >/dev/null; then
    say "Open vSwitch is left out, because it or ethtool is not installed."
elif start_ovs >>"$work/ovs.log" 2>&1; then
    peers+=(ovs-packet ovs-xdp)
    sleep 1
    kill -STOP "${pids[ovs]}"
else
    say "Open vSwitch is left out, because it did not start; its last words:"
    tail -n 5 "$work/ovs.log" >&2
fi

for ((round = 1; round <= rounds; round++)); do
    for size in 64 1500; do
        for peer in "${peers[@]}"; do
            wire=if:u${peer#ovs-}@outside
            [ "$peer" != vswitchd ] || wire=if:uv@outside
            run_case "$round" "$peer" "$size bytes, guest to uplink" "${guest[$peer]}" "$wire" $size
            run_case "$round" "$peer" "$size bytes, uplink to guest" "$wire" "${guest[$peer]}" $size
            run_case "$round" "$peer" "$size bytes, guest to host" "${guest[$peer]}" \
                "if:${host[$peer]}" $size
            run_case "$round" "$peer" "$size bytes, host to guest" "if:${host[$peer]}" \
                "${guest[$peer]}" $size
        done
    done
done
python3 tests/bench/table.py --any-state "$results"
