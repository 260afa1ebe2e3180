# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Open vSwitch with a bond at the other end of a team's wires: its own implementation of LACP.  It
# runs in the namespace "outside" (wire.sh), in user space, with files of its own.
#
#   ovs_bond_start DIR            nothing of it is left when ovs_bond_stop has been called, or the
#                                 script has ended
#   ovs_bond_make NAME IF,IF,... [SETTING]...   bridge NAME with bond0 of these interfaces; settings
#                                 are those of a port ("lacp=active")
#   ovs_bond_set SETTING...       of bond0
#   ovs_bond_lacp                 what lacp/show says of bond0
#   ovs_bond_stop

ovs_bond_dir=
ovs_bond_pids=()

ovs_bond_vsctl() {
    ovs-vsctl --timeout=10 "--db=unix:$ovs_bond_dir/db.sock" "$@"
}

# The kernel still sees what comes by the wires: it is not to answer there for an address of br0.
ovs_bond_start() {
    local tries
    outside sh -c "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore" || return 1
    ovs_bond_dir=$1/ovs
    mkdir -p "$ovs_bond_dir" &&
        ovsdb-tool create "$ovs_bond_dir/conf.db" /usr/share/openvswitch/vswitch.ovsschema ||
        return 1
    OVS_RUNDIR=$ovs_bond_dir setpriv --pdeathsig KILL ovsdb-server "$ovs_bond_dir/conf.db" \
        --remote="punix:$ovs_bond_dir/db.sock" --unixctl="$ovs_bond_dir/db.ctl" \
        </dev/null >"$ovs_bond_dir/db.log" 2>&1 &
    ovs_bond_pids+=($!)
    for ((tries = 0; tries < 50; tries++)); do
        [ -S "$ovs_bond_dir/db.sock" ] && break
        sleep 0.1
    done
    ovs_bond_vsctl --no-wait init || return 1
    OVS_RUNDIR=$ovs_bond_dir setpriv --pdeathsig KILL ip netns exec outside \
        /usr/lib/openvswitch-switch/ovs-vswitchd "unix:$ovs_bond_dir/db.sock" \
        --unixctl="$ovs_bond_dir/vswitchd.ctl" </dev/null >"$ovs_bond_dir/vswitchd.log" 2>&1 &
    ovs_bond_pids+=($!)
}

ovs_bond_make() {
    local name=$1 members=$2
    shift 2
    # shellcheck disable=SC2086
    ovs_bond_vsctl add-br "$name" -- set bridge "$name" datapath_type=netdev -- \
        add-bond "$name" bond0 ${members//,/ } "$@"
}

ovs_bond_set() {
    ovs_bond_vsctl set port bond0 "$@"
}

ovs_bond_lacp() {
    ovs-appctl --timeout=5 -t "$ovs_bond_dir/vswitchd.ctl" lacp/show bond0
}

ovs_bond_stop() {
    [ ${#ovs_bond_pids[@]} -eq 0 ] || kill -KILL "${ovs_bond_pids[@]}" 2>/dev/null
    ovs_bond_pids=()
}
