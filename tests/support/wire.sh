# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# A host with a wire, and what is at its other end, as a library for bash scripts.
#
# The script runs in a network namespace of its own, which is "the host": the daemon, its uplink and
# the host's adapters are there, and nothing of the machine's own network is.  The wire is a veth
# pair, eth1 here and eth1 in the namespace "outside", whose stack is the peer: the kernel's own.
# Both namespaces and every interface are gone when the script's last process is.
#
#   wire_enter "$0" "$@"    first: runs the script again inside; returns there.  Not as root: fails
#   wire_make [MTU]         the wire, as new: both ends up
#   wire_cut                removes it, as a card that is pulled out
#   outside COMMAND...      at the other end
#   outside_start COMMAND...  the same in the background; dies with the script; pid in $outside_pid
#   wire_record FILE        tshark at the other end, from now until wire_recorded
#   wire_recorded FILE FILTER   ends it; prints how many frames of FILE match

wire_enter() {
    if [ -z "${WIRE_INSIDE:-}" ]; then
        [ "$(id -u)" -eq 0 ] || return 1
        WIRE_INSIDE=1 exec unshare --net --mount --propagation private -- "$@"
    fi
    # What /sys/class/net shows is of the namespace that mounted it.
    mount -t sysfs none /sys && mkdir -p /run/netns && mount -t tmpfs none /run/netns &&
        ip link set lo up &&
        ip netns add outside && outside ip link set lo up
}

outside() {
    ip netns exec outside "$@"
}

outside_start() {
    setpriv --pdeathsig KILL ip netns exec outside "$@" </dev/null >/dev/null 2>&1 &
    outside_pid=$!
}

# A card that is put back is the same card: its addresses are always these.
wire_make() {
    ip link add eth1 address 02:00:00:00:ee:01 mtu "${1:-1500}" type veth \
        peer name eth1 address 02:00:00:00:ee:02 mtu "${1:-1500}" netns outside &&
        ip link set eth1 up && outside ip link set eth1 up
}

wire_cut() {
    ip link delete eth1
}

# tshark tells on standard error when it has begun to record.
wire_record() {
    local tries
    rm -f "$1" "$1.words"
    setpriv --pdeathsig KILL ip netns exec outside \
        tshark -q -n -i eth1 -w "$1" </dev/null >/dev/null 2>"$1.words" &
    wire_recorder=$!
    for ((tries = 0; tries < 100; tries++)); do
        grep -q Capturing "$1.words" 2>/dev/null && break
        sleep 0.1
    done
    sleep 0.5
}

wire_recorded() {
    if [ -n "${wire_recorder:-}" ]; then
        sleep 0.5
        kill -INT "$wire_recorder" 2>/dev/null
        wait "$wire_recorder" 2>/dev/null
        wire_recorder=
    fi
    tshark -n -r "$1" -Y "$2" 2>/dev/null | wc -l
}
