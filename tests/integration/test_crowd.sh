#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A host full of guests: as many vNICs as there can be, all attached at once.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"
most=1000 memory_max_kib=1048576
tools=$daemon_bin/tests/bench
pool=00:15:5d:40:00:00-00:15:5d:40:ff:ff

add_all() {
    local i
    for ((i = 0; i < most - 2; i++)); do
        vswitchctl vnic add "q$i" --switch s --spoof-guard off || return 1
    done >"$work/added"
    vswitchctl vnic add a --switch s --spoof-guard off &&
        vswitchctl vnic add b --switch s --spoof-guard off
}
count() { vswitchctl --json vnic list | grep -c "\"$1\""; }
is_count() { [ "$(count "$1")" = "$2" ]; }
start_crowd() {
    setpriv --pdeathsig KILL "$tools/crowd" --sockets "$work/run/vnic/q" --count $((most - 2)) \
        <"$work/never-ends" >"$work/crowd" 2>&1 &
    crowd_pid=$!
}
crowd_is_there() { grep -q '"attached"' "$work/crowd"; }
load_passes() {
    "$tools/load" --port "$work/run/vnic/a.sock" --port "$work/run/vnic/b.sock" \
        --seconds 1 >"$work/load" || return 1
    ! grep -q '"received_frames": 0' "$work/load"
}
memory_kib() { awk '/^VmRSS/ {print $2}' "/proc/$daemon_pid/status"; }
cpu_ticks() { awk '{print $14 + $15}' "/proc/$daemon_pid/stat"; }

mkfifo "$work/never-ends"
exec {never_ends}<>"$work/never-ends"
must "vswitchd starts" daemon_start --no-huge --cores 1
must "the address pool is widened" vswitchctl daemon set --mac-pool $pool
must "there is a switch" vswitchctl switch add s --type private
check "it takes $most vNICs" add_all
check "... and says why not another" refused "there are $most already" vnic add z --switch s
start_crowd
check "guests attach to them" eventually 60 crowd_is_there
echo "# measured: $((most - 2)) guests in $(sed 's/.*"seconds": \([0-9.]*\).*/\1/' "$work/crowd") s"
check "... to all" is_count attached $((most - 2))
check "frames pass between the two that are left" load_passes
kib=$(memory_kib)
check "the daemon takes less than $((memory_max_kib / 1024)) MiB" test "$kib" -lt $memory_max_kib
echo "# measured: $((kib / 1024)) MiB resident, guests' memory that was touched included"
ticks=$(cpu_ticks)
sleep 5
echo "# measured: $(($(cpu_ticks) - ticks)) ticks of 10 ms in 5 s with nothing to do"

# ---- a restart -----------------------------------------------------------------------------------
kill "$crowd_pid"
wait "$crowd_pid" 2>/dev/null
check "guests leave" eventually 10 is_count attached 0
check "vswitchd ends" daemon_stop
start_ns=$(date +%s%N)
must "vswitchd starts again" daemon_start --no-huge --cores 1
echo "# measured: it answers after $((($(date +%s%N) - start_ns) / 1000000)) ms"
check "... with all vNICs" is_count waiting $most
start_crowd
check "guests attach again" eventually 60 crowd_is_there
check "frames pass as before" load_passes
check "vswitchd ends with all of them attached" daemon_stop
tap_end
