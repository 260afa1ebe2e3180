# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's testpmd: as a guest, with its virtio-user as the driver and the monitor at once, or as what
# is at the other end of wires; an implementation of these that is nobody's here.  A library for
# bash scripts, after daemon.sh.
#
#   testpmd_prepare DIR                  DIR is private, and that of the daemon
#   testpmd_start NAME VNIC [OPTION]...  NAME is a vNIC's and its port 0; VNIC are further words of
#                                        virtio-user's (queues=2), or nothing; words of testpmd
#                                        follow, of which those before "--" are EAL's
#   testpmd_run NAME NETNS [OPTION]...   without a vNIC, in that network namespace (or in this, "");
#                                        NAME is what it is called here
#   testpmd_say NAME COMMAND [MARK]      gives it a command; waits until MARK has been printed anew
#   testpmd_ask NAME COMMAND             prints what it answers
#   testpmd_attached NAME QUEUES         waits until the switch says so
#   testpmd_kill NAME                    SIGKILL; it may be started again
#   testpmd_stop_all
#
# A testpmd dies with the shell that started it.

testpmd_dir=
declare -A testpmd_in=() testpmd_pid=()

testpmd_prepare() {
    testpmd_dir=$1
}

testpmd_start() {
    local name=$1 vnic=${2:+,$2}
    shift 2
    testpmd_run "$name" "" \
        --vdev "net_virtio_user0,path=$testpmd_dir/run/vnic/$name.sock$vnic" "$@"
}

testpmd_run() {
    local name=$1 enter=() eal=() in
    [ -z "$2" ] || enter=(ip netns exec "$2")
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        eal+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    mkfifo "$testpmd_dir/$name.in"
    # Opened for both directions nobody waits for the other end.
    exec {in}<>"$testpmd_dir/$name.in"
    testpmd_in[$name]=$in
    setpriv --pdeathsig KILL "${enter[@]}" stdbuf -oL \
        dpdk-testpmd --no-pci --no-telemetry --no-huge -m 128 -l 0,1 \
        --file-prefix="vswitch-test-$$-$name" "${eal[@]}" \
        -- -i --total-num-mbufs=4096 --nb-cores=1 "$@" \
        <"$testpmd_dir/$name.in" >"$testpmd_dir/$name.out" 2>&1 &
    testpmd_pid[$name]=$!
}

testpmd_say() {
    local name=$1 command=$2 mark=${3:-} before tries
    [ -z "$mark" ] || before=$(grep -c "$mark" "$testpmd_dir/$name.out")
    echo "$command" >&"${testpmd_in[$name]}"
    [ -n "$mark" ] || return 0
    for ((tries = 0; tries < 50; tries++)); do
        [ "$(grep -c "$mark" "$testpmd_dir/$name.out")" -gt "$before" ] && return 0
        sleep 0.1
    done
    echo "testpmd behind $name did not answer \"$command\":"
    tail -n 5 "$testpmd_dir/$name.out"
    return 1
}

# It does one command after the other, and what help writes comes of no other.
testpmd_ask() {
    local before
    before=$(wc -l <"$testpmd_dir/$1.out")
    echo "$2" >&"${testpmd_in[$1]}"
    testpmd_say "$1" help "Help is available" && tail -n "+$((before + 1))" "$testpmd_dir/$1.out"
}

testpmd_attached() {
    local tries
    for ((tries = 0; tries < 150; tries++)); do
        testpmd_json "$1" "d['state'] == 'attached' and d['queues_enabled'] == $2" && return 0
        sleep 0.1
    done
    echo "$1 did not attach:"
    vswitchctl vnic show "$1"
    return 1
}

# testpmd_json NAME EXPRESSION: whether it is true of the JSON value d of the vNIC
testpmd_json() {
    vswitchctl --json vnic show "$1" |
        python3 -c "import json, sys; d = json.load(sys.stdin); sys.exit(not ($2))"
}

testpmd_kill() {
    local in=${testpmd_in[$1]}
    kill -KILL "${testpmd_pid[$1]}" 2>/dev/null
    wait "${testpmd_pid[$1]}" 2>/dev/null
    exec {in}>&-
    rm -f "$testpmd_dir/$1.in"
    unset "testpmd_pid[$1]" "testpmd_in[$1]"
}

testpmd_stop_all() {
    local name
    for name in "${!testpmd_pid[@]}"; do
        testpmd_kill "$name"
    done
    rm -rf /var/run/dpdk/"vswitch-test-$$"-*
}
