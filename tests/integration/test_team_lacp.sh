#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A team in LACP mode against ends that scapy makes: one partner, two of them, two keys, a cable
# that leads back, and garbage.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/scene.sh
scene_begin "$0" "$@"

peer=$PWD/tests/integration/lacp_peer.py
one=02:00:00:00:be:01 other=02:00:00:00:be:02
declare -A peers=()

/usr/bin/python3 -c 'import scapy.contrib.lacp' 2>/dev/null ||
    scene_skip "$0" "python3-scapy is not installed"

wires_make() {
    local i
    for i in 1 2; do
        ip link add "up$i" address "02:00:00:00:01:0$i" type veth peer name "far$i" \
            netns outside && ip link set "up$i" up && outside ip link set "far$i" up || return 1
    done
}

# peer_is IF WHAT...: from now on; what it was before ends
peer_is() {
    local interface=$1
    shift
    [ -z "${peers[$interface]:-}" ] || kill "${peers[$interface]}" 2>/dev/null
    outside_start /usr/bin/python3 "$peer" "$interface" "$@"
    peers[$interface]=$outside_pid
}

# carries EXPRESSION: true, for good, of the names of members that carry
carries() {
    eventually 25 names "$1" && sleep 2 && names "$1"
}

names() {
    vswitchctl --json team show t0 | tee "$work/team.json" | /usr/bin/python3 -c "
import json, sys
names = [m['name'] for m in json.load(sys.stdin)['members'] if m['active']]
print('carry:', names)
sys.exit(not ($1))" || { cat "$work/team.json"; return 1; }
}

must "there are two wires" wires_make
must "vswitchd starts" daemon_start --no-huge
must "a team is made" vswitchctl team add t0 --members up1,up2 --mode lacp --up-delay 0ms
check "nobody carries without a partner" names 'names == []'
peer_is far1 agree $one 7 1
peer_is far2 agree $one 7 2
check "both carry with one partner" carries "names == ['up1', 'up2']"
check "its system and key are shown" answers "\"partner\":\{\"system\":\"$one\"[^}]*\"key\":7" \
    team show t0
check "a marker is answered" shows answered outside /usr/bin/python3 "$peer" far1 marker
peer_is far2 agree $one 8 2
check "a link with another key does not go with the first" carries "names == ['up1']"
check "and it says why" answers '"why":"[^"]+"' team show t0
peer_is far2 agree $other 7 2
check "nor does one of another system" carries "names == ['up1']"
peer_is far2 loop
check "nor a cable that leads back" carries "names == ['up1']"
check "garbage is sent" outside timeout 20 /usr/bin/python3 "$peer" far2 garbage
check "it is counted, and nobody minds" answers '"pdus_bad":[1-9]' team show t0
check "the first link carries all the time" names "names == ['up1']"
peer_is far2 agree $one 7 2
check "both carry again when all is well" carries "names == ['up1', 'up2']"
kill "${peers[far1]}" "${peers[far2]}"
check "partners that are gone are left" carries 'names == []'
tap_end
