#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's virtio-user with offloads: a testpmd leaves checksums and segments of what it reads from a
# file to the switch; one receiver takes long frames, the other takes none.  Each writes a file.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/tap.sh
. tests/support/daemon.sh
. tests/support/testpmd.sh

work=$(mktemp -d)
mss=1400
none="not [word for word in f if 'CSUM' in word or 'TSO' in word]"
peer=$PWD/tests/integration/virtio_user_peer.py

finish() {
    testpmd_stop_all
    daemon_kill
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
tap_prepare "$work"
testpmd_prepare "$work"

# A testpmd that starts flushes what it receives, after it has said that it starts: a receiver would
# throw away frames that it is to write, a sender the file that it is to send.

# receiver NAME: writes what it receives to NAME.pcap; its ring holds all that is sent
receiver() {
    testpmd_start "$1" queue_size=1024 --vdev "net_pcap1,tx_pcap=$work/$1.pcap" -- \
        --forward-mode=io --no-flush-rx --port-topology=paired
}

sender() {
    testpmd_start gen queue_size=1024 --vdev "net_pcap1,rx_pcap=$work/sent.pcap" -- \
        --forward-mode=csum --no-flush-rx --eth-peer=0,ff:ff:ff:ff:ff:ff --port-topology=paired
}

# configured NAME COMMAND...: the driver stops, and starts with other features
configured() {
    local name=$1 command
    shift
    testpmd_say "$name" 'port stop 0' 'Stopping ports' || return 1
    for command; do
        testpmd_say "$name" "$command"
    done
    testpmd_say "$name" 'port start 0' 'Done' && testpmd_attached "$name" 1
}

# has NAME EXPRESSION: of the features that its driver agreed on
has() {
    eventually 5 testpmd_json "$1" "(lambda f: $2)(set(d['features']))" || {
        vswitchctl vnic show "$1"
        return 1
    }
}

# The switch has handed on whatever it was given, and nothing was in the way.
nothing_lost() {
    local name
    for name in gen taker plain; do
        testpmd_json "$name" "not any(d['drops'].values())" || {
            vswitchctl vnic show "$name"
            return 1
        }
    done
    testpmd_json gen "d['counters']['from_frames'] == 80"
}

command -v dpdk-testpmd >/dev/null || {
    skip "virtio-user with offloads" "dpdk-testpmd is not installed (package dpdk-dev)"
    tap_end
    exit 0
}
/usr/bin/python3 -c 'import scapy.all' 2>/dev/null || {
    skip "virtio-user with offloads" "python3-scapy is not installed"
    tap_end
    exit 0
}
daemon_prepare "$work"
daemon_start --no-huge || exit 1
vswitchctl switch add lab --type private >/dev/null || exit 1
for name in gen taker plain; do
    vswitchctl vnic add "$name" --switch lab --spoof-guard off >/dev/null || exit 1
done
must "there are frames to send" /usr/bin/python3 "$peer" send "$work/sent.pcap"
receiver plain
receiver taker
sender
for name in plain taker gen; do
    must "virtio-user behind $name attaches" testpmd_attached "$name" 1
done

must "a driver that runs asks for checksums and segmentation of what it receives" \
    configured taker 'port config 0 rx_offload tcp_cksum on' \
    'port config 0 rx_offload udp_cksum on' 'port config 0 rx_offload tcp_lro on'
must "another does of what it sends" \
    configured gen 'port config 0 tx_offload multi_segs on' 'csum set tcp hw 0' \
    'csum set udp hw 0' "tso set $mss 0"
check "the switch knows what the one takes" \
    has taker "{'GUEST_CSUM', 'GUEST_TSO4', 'GUEST_TSO6'} <= f"
check "the switch knows what the other leaves" has gen "{'CSUM', 'HOST_TSO4', 'HOST_TSO6'} <= f"
check "a driver that asked for nothing has none" has plain "$none"

testpmd_say plain start 'io packet forwarding' && testpmd_say taker start 'io packet forwarding' &&
    testpmd_say gen start 'csum packet forwarding'
check "who takes long frames gets them whole" \
    eventually 10 /usr/bin/python3 "$peer" whole "$work/sent.pcap" "$work/taker.pcap"
check "who does not gets segments with headers and checksums as scapy makes them" \
    eventually 10 /usr/bin/python3 "$peer" cut "$work/sent.pcap" "$work/plain.pcap" "$mss"
check "nothing was lost, and no claim of testpmd's was a lie" nothing_lost

testpmd_say taker stop 'Done.'
must "the driver gives up what it took" \
    configured taker 'port config 0 rx_offload tcp_lro off' \
    'port config 0 rx_offload tcp_cksum off' 'port config 0 rx_offload udp_cksum off'
check "the switch leaves it nothing more" has taker "$none"
tap_end
