#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two cores and a load that falls on one of them: queues move to the other, by measured load, while
# their frames go on; and a load that one queue makes alone stays where it is.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
[ "$(nproc)" -ge 2 ] || scene_skip "$0" "two workers need two cores, and this machine has one"
scene_begin "$0" "$@"
load=$daemon_bin/tests/bench/load

# queues_of CORE: how many queue pairs it polls.
queues_of() {
    vswitchctl --json daemon show | python3 -c '
import json, sys
print([w["queues"] for w in json.load(sys.stdin)["workers"] if w["core"] == int(sys.argv[1])][0])' \
        "$1"
}
polls() { [ "$(queues_of "$1")" = "$2" ]; }
said() { grep -c "is busy" "$work/vswitchd.log"; }
has_said() { [ "$(said)" -gt "$1" ]; }
loads=()
start_load() {                     # start_load FROM TO SECONDS
    setpriv --pdeathsig KILL "$load" --port "$work/run/vnic/$1.sock" \
        --port "$work/run/vnic/$2.sock" --seconds "$3" >"$work/load-$1" 2>"$work/error-$1" &
    loads+=($!)
}
loads_end() {
    wait "${loads[@]}"
    loads=()
}
# The load checks a sample of its frames, and says how many came.
passed() {                         # passed FROM
    cat "$work/error-$1" "$work/load-$1"
    python3 -c 'import json, sys
result = json.load(open(sys.argv[1]))
sys.exit(not (result["received_frames"] > 0 and result["checked_frames"] > 0))' "$work/load-$1"
}

must "vswitchd starts with two workers" daemon_start --no-huge --cores 0,1
# A switch each, as both loads send from the same addresses.
must "there is a switch" vswitchctl switch add s --type private
must "... and another" vswitchctl switch add t --type private
for vnic in "a s" "b s" "c t" "d t"; do
    must "a vNIC is on it" vswitchctl vnic add ${vnic% *} --switch ${vnic#* } --spoof-guard off
done
check "queues are spread by turns" polls 0 2
check "... over both" polls 1 2

# ---- a and c are polled by one core, which cannot keep up with both ------------------------------
start_load a b 12
start_load c d 12
check "the busy core gives a queue to the other" eventually 10 has_said 0
check "... and says so" grep -qE "Core [01] is busy: core [01] polls queue 0 of [a-d]" \
    "$work/vswitchd.log"
loads_end
check "frames went on, and were what was sent" passed a
check "... the other's, too" passed c
moves=$(said)

# ---- what has moved stays polled -----------------------------------------------------------------
start_load b a 2
start_load d c 2
loads_end
check "all four can send after it" passed b
check "... and all four receive" passed d
check "every queue is somebody's" test "$(($(queues_of 0) + $(queues_of 1)))" = 4
echo "# measured: $moves moves in 12 s of a load that began on one core"

# ---- one queue is all there is to do -------------------------------------------------------------
vswitchctl vnic remove c && vswitchctl vnic remove d
sleep 2
before=$(said)
start_load a b 5
loads_end
check "a load of one queue passes" passed a
check "... and the queue stays where it is" test "$(said)" = "$before"
check "vswitchd ends" daemon_stop
tap_end
