#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Compares this switch with others under the same load and prints one table of ratios.
#
# All switches are started once and stopped with SIGSTOP; then, for each case and each of them in
# turn, one goes on, meets the load and is stopped again.  So what is compared ran within seconds
# of each other.  The round trip of a cache line is measured before and after every single run,
# because some machines change it by a factor of four without notice: runs are filed under "near" or
# "far", and only runs of one kind are compared.
set -u
cd "$(dirname "$0")/../.." || exit 1
usage="usage: tests/bench/run.sh [--quick] [--scale] [--rounds N] [--seconds S] [--only PEER]...
                          [--cases REGEX] [--json] [--switch-core N] [--load-core N]
                          [--second-load-core N] [--no-huge]
PEER is vswitchd, testpmd, ovs, ovs_tso (Open vSwitch with userspace-tso-enable) or memcpy, which is
no switch but the limit.  --scale compares vswitchd with itself: beside 254 and 998 silent guests
(crowd_256, crowd_1000), with 100,000 addresses learned (macs_100000), and with a capture whose
filter matches nothing (captured).  Progress goes to standard error, the table to standard output."
rounds=3 seconds=0.5 json='' quick='' only=() chosen=. load_core=0 switch_core=1 second_core=''
huge=yes
bin=${VSWITCH_BIN:-build} tools=${BENCH_TOOLS:-build/tests/bench}
scale_peers="vswitchd crowd_256 crowd_1000 macs_100000 captured"
HUGE_PAGES=1024 HUGE_MIB_EACH=256 TRIES=3

while [ $# -gt 0 ]; do
    case $1 in
    --scale) only=($scale_peers) chosen='^64 bytes, two of' ;;
    --quick) quick=yes rounds=1 seconds=0.3 ;;
    --rounds) rounds=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --only) only+=("$2") && shift ;;
    --cases) chosen=$2 && shift ;;
    --json) json=--json ;;
    --switch-core) switch_core=$2 && shift ;;
    --load-core) load_core=$2 && shift ;;
    --second-load-core) second_core=$2 && shift ;;
    --no-huge) huge='' ;;
    *) echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
if ! [[ $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
    echo "$usage" >&2
    exit 2
fi
all_peers="vswitchd testpmd ovs ovs_tso memcpy"
# shellcheck disable=SC2206
[ ${#only[@]} -gt 0 ] || only=($all_peers)
all_peers+=" $scale_peers"

say() { echo "$*" >&2; }

if [ "$(nproc)" -lt 2 ]; then
    say "Two cores are needed, one for the switch and one for the load; this machine has one."
    exit 1
fi

work=$(mktemp -d /tmp/vswitch-bench.XXXXXX)
results=$work/results
: >"$results"
mkfifo "$work/never-ends"
exec {never_ends}<>"$work/never-ends"    # some switches end when standard input does
# shellcheck source=tests/bench/peers.sh
. tests/bench/peers.sh

# ---- tidy up, whatever happens -------------------------------------------------------------------
huge_before=$(cat /proc/sys/vm/nr_hugepages)
finish() {
    local peer
    trap '' INT TERM
    for peer in "${!pids[@]}"; do
        peer_end "$peer"
    done
    if [ "$(cat /proc/sys/vm/nr_hugepages)" != "$huge_before" ]; then
        echo "$huge_before" >/proc/sys/vm/nr_hugepages 2>/dev/null
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- memory --------------------------------------------------------------------------------------
huge_mib=0
huge_free() { awk '/^HugePages_Free/ {free = $2} /^Hugepagesize/ {size = $2}
                   END {print int(free * size / 1024)}' /proc/meminfo; }
if [ -n "$huge" ]; then
    if [ "$huge_before" -lt "$HUGE_PAGES" ]; then
        { echo "$HUGE_PAGES" >/proc/sys/vm/nr_hugepages; } 2>/dev/null
    fi
    if [ "$(huge_free)" -ge $((${#only[@]} * HUGE_MIB_EACH + 512)) ]; then
        huge_mib=$HUGE_MIB_EACH
    fi
fi
[ "$huge_mib" -gt 0 ] || say "No hugepages: all switches run on 4 KiB pages and are slower for it."

# ---- one run -------------------------------------------------------------------------------------
round_trip_ns() {
    "$tools/round_trip" "$load_core" "$switch_core" |
        sed -n 's/.*"round_trip_ns": \([0-9]*\).*/\1/p'
}

# How long threads of a peer, of which one polls and the others sleep, were ready and had no core.
poller_waited_ns() {
    local pid
    for pid in ${pids[$1]}; do
        cat "/proc/$pid/task/"*/schedstat
    done 2>/dev/null | awk '{ns += $2} END {printf "%d", ns}'
}

# Runs one case against one peer: sets line to the result, or null, and disturbed to true when the
# switch or the load waited for a core for more than 2 % of the time.
run_once() {
    local peer=$1 name=$2 program=$3 waited start
    shift 3
    peer_signal CONT "$peer"
    waited=$(poller_waited_ns "$peer") start=$(date +%s%N)
    # shellcheck disable=SC2086
    line=$("$tools/$program" ${ends[$peer]} --core "$load_core" --seconds "$seconds" "$@" \
        2>"$work/error") || line=null
    waited=$(($(poller_waited_ns "$peer") - waited))
    disturbed=$(awk -v ns="$waited" -v wall_ns=$(($(date +%s%N) - start)) -v line="$line" 'BEGIN {
        match(line, /"waited_percent": [0-9.]+/)
        percent = substr(line, RSTART + 18, RLENGTH - 18) + 100 * ns / wall_ns
        print (percent > 2 ? "true" : "false") }')
    sleep 0.1    # the switch notices that its guests are gone
    peer_signal STOP "$peer"
    [ "$line" != null ] || say "  $peer, $name: $(tail -n 1 "$work/error")"
}

# Files the result of a case with the round trips around it; tries again when it was disturbed.
run_case() {
    local round=$1 peer=$2 name=$3 before after line disturbed try
    shift 1
    for ((try = 1; try <= TRIES; try++)); do
        before=$(round_trip_ns)
        run_once "$@"
        after=$(round_trip_ns)
        if [ "$disturbed" = false ] || [ "$line" = null ]; then
            break
        fi
    done
    printf '{"round": %d, "peer": "%s", "case": "%s", "round_trip_ns": [%d, %d], ' \
        "$round" "$peer" "$name" "$before" "$after" >>"$results"
    printf '"disturbed": %s, "result": %s}\n' "$disturbed" "$line" >>"$results"
    say "  round $round, ${before}-${after} ns$([ "$disturbed" = false ] || echo ", disturbed")," \
        "$peer, $name:" \
        "$(sed -n 's/.*"frames_per_s": \([0-9]*\).*/\1 frames\/s/p
                   s/.*"\(p50_us": [0-9.]*, "p99_us": [0-9.]*\).*/\1/p' <<<"$line" | tr -d '"')"
}

# VMs that poll need a core each: with one core for the load, one VM plays both ends.
[ -n "$second_core" ] || [ "$(nproc)" -le 2 ] || second_core=2
vms="one VM, both ends" vm_arguments="--bin $bin"
if [ -n "$second_core" ]; then
    vms="VM to VM" vm_arguments+=" --second-core $second_core"
fi
has_kvm=''
if [ -w /dev/kvm ]; then
    has_kvm=yes
    [ -n "$second_core" ] ||
        say "Two VMs and a switch do not fit on two cores: one VM of the monitor plays both ends."
else
    say "The rows of VMs are left out, because there is no /dev/kvm that can be used here."
fi

# A line for each: name | program | arguments | peers, when not all switches.
jumbo="9000 bytes"
cases() {
    local size ways flow mac
    for size in 64 1500; do
        for ways in "one way" "both ways"; do
            for flow in "1 flow" "30000 flows"; do
                for mac in "1 MAC" "1000 MACs"; do
                    [ -n "$quick" ] && [ "$flow$mac" != "1 flow1 MAC" ] && continue
                    echo "$size bytes, $ways, $flow, $mac | load |" \
                        "--size $size --flows ${flow% *} --macs ${mac% *}" \
                        "$([ "$ways" = "one way" ] || echo --both-ways)"
                done
            done
        done
    done
    if [ -n "$has_kvm" ]; then
        for size in 64 1500; do
            echo "$size bytes, $vms | vm_load | --size $size $vm_arguments"
        done
    fi
    for size in 64 1500; do
        echo "$size bytes, latency, one in flight | latency | --size $size"
        echo "$size bytes, latency at 100,000/s | latency | --size $size --rate 100000"
    done
    [[ ! ${only[*]} =~ crowd|macs|captured ]] ||
        echo "64 bytes, two of many ports | load | --size 64 | $scale_peers"
    echo "64 KiB segments, taken whole | stream | --takes on | vswitchd ovs_tso memcpy"
    [ -z "$quick" ] || return
    echo "64 KiB segments, in 4 KiB buffers | stream | --takes on --buffer 4096 |" \
        "vswitchd ovs_tso memcpy"
    echo "64 KiB segments, cut for the receiver | stream | --takes off --buffer 2048 |" \
        "vswitchd ovs_tso memcpy"
    echo "$jumbo, one way | load | --size 9000"
    echo "$jumbo, both ways | load | --size 9000 --both-ways"
    # Open vSwitch carries none between a monitor's VMs; each try would take as long as it waits.
    [ -z "$has_kvm" ] ||
        echo "$jumbo, $vms | vm_load | --size 9000 $vm_arguments | vswitchd testpmd"
}

# ---- all of them ---------------------------------------------------------------------------------
say "Round trip of a cache line between cores $load_core and $switch_core: $(round_trip_ns) ns"
peers=()
for peer in "${only[@]}"; do
    [[ " $all_peers " == *" $peer "* ]] ||
        { say "There is no peer \"$peer\"; there are: $all_peers." && exit 2; }
    if why=$("missing_$peer"); then
        say "$peer is left out, because $why"
    elif "start_$peer"; then
        peers+=("$peer")
        sleep 1
        peer_signal STOP "$peer"
        say "$peer ${version[$peer]:-} is ready"
    else
        say "$peer is left out, because it did not start; its last words:"
        tail -n 5 "$work/$peer.log" >&2
        peer_end "$peer"
    fi
done
if [ ${#peers[@]} -eq 0 ]; then
    say "No switch to measure is left."
    exit 1
fi

for ((round = 1; round <= rounds; round++)); do
    while IFS='|' read -r name program arguments wanted; do
        name=${name% } program=${program// /}
        [[ $name =~ $chosen ]] || continue
        for peer in "${peers[@]}"; do
            [[ " ${wanted:-vswitchd testpmd ovs} " == *" $peer "* ]] || continue
            if [ "$peer" = ovs ] && [ "$name" = "$jumbo, one way" ]; then
                mtu_ovs 9000
            fi
            # shellcheck disable=SC2086
            run_case "$round" "$peer" "$name" "$program" $arguments
        done
    done < <(cases)
    [ -n "$quick" ] || [ -z "${pids[ovs]:-}" ] || mtu_ovs 1500
done
python3 tests/bench/table.py $json "$results"
