# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# How each switch of the bench is started, for tests/bench/run.sh: a function start_PEER that leaves
# in ends[PEER] what tells a load of its two sockets, and the processes in pids[PEER].  Each runs on
# the switch core alone, in its own folder under $work, with its defaults otherwise.
# shellcheck disable=SC2034,SC2154  # variables are shared with run.sh
declare -A ends pids version

# Runs a program in the background as part of a peer; its output goes to a log, and it dies with us.
spawn() {
    local peer=$1
    shift
    setpriv --pdeathsig KILL "$@" >>"$work/$peer.log" 2>&1 <&"$never_ends" &
    pids[$peer]="${pids[$peer]:-} $!"
}

# Waits until a socket is there, as long as the peer's processes are.
await() {
    local peer=$1 socket=$2 i pid
    for ((i = 0; i < 300; i++)); do
        [ -S "$socket" ] && return 0
        for pid in ${pids[$peer]}; do
            kill -0 "$pid" 2>/dev/null || return 1
        done
        sleep 0.1
    done
    return 1
}

missing_vswitchd() {
    [ -x "$bin/vswitchd" ] && [ -x "$bin/vswitchctl" ] && return 1
    echo "it is not built: run make"
}

# start_vswitchd_as PEER [OPTION-OF-THE-SWITCH]...
start_vswitchd_as() {
    local peer=$1 dir=$work/$1 memory=()
    shift
    mkdir -p "$dir/run" "$dir/state"
    [ "$huge_mib" -gt 0 ] || memory=(--no-huge)
    version[$peer]=$("$bin/vswitchd" --version 2>/dev/null | head -n 1)
    spawn "$peer" "$bin/vswitchd" --run-dir "$dir/run" --state-dir "$dir/state" \
        --cores "$switch_core" "${memory[@]}"
    await "$peer" "$dir/run/vswitchd.sock" || return 1
    {
        ctl_as "$peer" switch add bench --type private --mtu 9000 "$@" &&
            ctl_as "$peer" vnic add a --switch bench --mtu 9000 --spoof-guard off &&
            ctl_as "$peer" vnic add b --switch bench --mtu 9000 --spoof-guard off
    } >>"$work/$peer.log" 2>&1 || return 1
    ends[$peer]="--port $dir/run/vnic/a.sock --port $dir/run/vnic/b.sock"
}

ctl_as() {
    local peer=$1
    shift
    "$bin/vswitchctl" --run-dir "$work/$peer/run" "$@"
}

start_vswitchd() {
    start_vswitchd_as vswitchd
}

# ---- ourselves, with more around the two ports that are measured --------------------------------

# add_crowd PEER COUNT [OPTION-OF-CROWD]...: so many more guests, attached and silent.
add_crowd() {
    local peer=$1 count=$2 i
    shift 2
    {
        ctl_as "$peer" daemon set --mac-pool 00:15:5d:40:00:00-00:15:5d:40:ff:ff || return 1
        for ((i = 0; i < count; i++)); do
            ctl_as "$peer" vnic add "q$i" --switch bench --spoof-guard off || return 1
        done
    } >>"$work/$peer.log" 2>&1
    spawn "$peer" "$tools/crowd" --sockets "$work/$peer/run/vnic/q" --count "$count" "$@"
    for ((i = 0; i < 600; i++)); do
        grep -q '"attached"' "$work/$peer.log" && return 0
        sleep 0.1
    done
    return 1
}

missing_crowd_256() { missing_vswitchd; }
missing_crowd_1000() { missing_vswitchd; }
missing_macs_100000() { missing_vswitchd; }
missing_captured() { missing_vswitchd; }

start_crowd_256() {
    start_vswitchd_as crowd_256 && add_crowd crowd_256 254
}

start_crowd_1000() {
    start_vswitchd_as crowd_1000 && add_crowd crowd_1000 998
}

# A port may fill a quarter of the table.
start_macs_100000() {
    start_vswitchd_as macs_100000 --mac-capacity 400000 &&
        add_crowd macs_100000 1 --macs 100000
}

start_captured() {
    start_vswitchd_as captured || return 1
    spawn captured "$bin/vswitchctl" --run-dir "$work/captured/run" capture start \
        --on switch:bench --filter "tcp port 9 and host 192.0.2.9" --write "$work/captured/none"
}

missing_testpmd() {
    command -v dpdk-testpmd >/dev/null && return 1
    echo "it is not installed: apt-get install dpdk-dev"
}

start_testpmd() {
    local dir=$work/testpmd memory=(--in-memory -m "$huge_mib")
    mkdir -p "$dir"
    [ "$huge_mib" -gt 0 ] || memory=(--no-huge -m 256)
    version[testpmd]="DPDK $(dpkg-query -W -f '${Version}' dpdk-dev 2>/dev/null)"
    ends[testpmd]="--port $dir/a.sock --port $dir/b.sock"
    spawn testpmd dpdk-testpmd --no-pci --file-prefix "bench$$" "${memory[@]}" \
        --lcores "0@$load_core,1@$switch_core" \
        --vdev "net_vhost0,iface=$dir/a.sock" --vdev "net_vhost1,iface=$dir/b.sock" -- \
        --forward-mode=io --auto-start --nb-cores=1 --no-mlockall --total-num-mbufs=32768
    await testpmd "$dir/b.sock"
}

missing_ovs() {
    if ! [ -x "$ovs_vswitchd" ] || ! command -v ovsdb-server ovs-vsctl ovsdb-tool >/dev/null; then
        echo "it is not installed: apt-get install openvswitch-switch-dpdk"
    elif [ "$huge_mib" -eq 0 ]; then
        echo "it does not start without hugepages"
    else
        return 1
    fi
}

ovs_vswitchd=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk

# start_ovs_as PEER [SETTING]...
start_ovs_as() {
    local peer=$1 dir=$work/$1 setting
    local db=unix:$dir/db.sock
    shift
    mkdir -p "$dir"
    local vsctl=(ovs-vsctl --timeout=30 "--db=$db")
    export OVS_RUNDIR=$dir OVS_LOGDIR=$dir OVS_DBDIR=$dir OVS_SYSCONFDIR=$dir
    version[$peer]=$("$ovs_vswitchd" --version 2>/dev/null | head -n 1 | grep -o '[0-9.]*$')
    {
        ovsdb-tool create "$dir/conf.db" /usr/share/openvswitch/vswitch.ovsschema
        spawn "$peer" ovsdb-server "$dir/conf.db" --remote="p$db" --unixctl="$dir/ovsdb.ctl"
        await "$peer" "$dir/db.sock" || return 1
        "${vsctl[@]}" --no-wait init
        for setting in dpdk-init=true "pmd-cpu-mask=$(printf '0x%x' $((1 << switch_core)))" \
            "dpdk-lcore-mask=$(printf '0x%x' $((1 << load_core)))" "$@"; do
            "${vsctl[@]}" --no-wait set Open_vSwitch . "other_config:$setting"
        done
        "${vsctl[@]}" --no-wait set Open_vSwitch . \
            other_config:dpdk-extra="--no-pci --in-memory -m $huge_mib"
        # Its datapath makes a device of a fixed name.
        spawn "$peer" unshare --net "$ovs_vswitchd" "$db" --unixctl="$dir/vswitchd.ctl"
        "${vsctl[@]}" add-br br0 -- set bridge br0 datapath_type=netdev
    } >>"$work/$peer.log" 2>&1
}

# add_ports_ovs PEER OPTION-OF-A OPTION-OF-B: two ports of the type in $type.
add_ports_ovs() {
    # shellcheck disable=SC2086
    ovs-vsctl --timeout=30 "--db=unix:$work/$1/db.sock" \
        add-port br0 a -- set interface a type="$type" $2 -- \
        add-port br0 b -- set interface b type="$type" $3 >>"$work/$1.log" 2>&1
}

start_ovs() {
    local type=dpdkvhostuser
    ends[ovs]="--port $work/ovs/a --port $work/ovs/b"
    start_ovs_as ovs && add_ports_ovs ovs "" "" && await ovs "$work/ovs/b"
}

missing_ovs_tso() {
    missing_ovs
}

# Segmentation is offered by ports that connect to the guest's socket only.
start_ovs_tso() {
    local type=dpdkvhostuserclient at=options:vhost-server-path=$work/ovs_tso
    ends[ovs_tso]="--port listen:$work/ovs_tso/a --port listen:$work/ovs_tso/b"
    start_ovs_as ovs_tso userspace-tso-enable=true && add_ports_ovs ovs_tso "$at/a" "$at/b"
}

# The limit of whoever copies.
missing_memcpy() {
    return 1
}

start_memcpy() {
    ends[memcpy]=--copy
}

# Open vSwitch sizes its buffers by the MTU, so it is given the one that the next frames need.
mtu_ovs() {
    peer_signal CONT ovs
    ovs-vsctl --timeout=30 "--db=unix:$work/ovs/db.sock" \
        set interface a mtu_request="$1" -- set interface b mtu_request="$1" \
        >>"$work/ovs.log" 2>&1
    peer_signal STOP ovs
}

peer_signal() {
    local signal=$1 pid
    for pid in ${pids[$2]:-}; do
        kill "-$signal" "$pid" 2>/dev/null
    done
}

# Ends a peer, kindly at first.
peer_end() {
    local i pid
    peer_signal TERM "$1"
    peer_signal CONT "$1"
    for pid in ${pids[$1]:-}; do
        for ((i = 0; i < 50; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    unset "pids[$1]"
}
