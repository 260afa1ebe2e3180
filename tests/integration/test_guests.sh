#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The switch meets Linux's own virtio-net driver: two guests under QEMU, through everything that
# happens to a VM's adapter in its life.  Booting costs most, so one boot carries many checks.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/guest.sh
. tests/support/daemon.sh
. tests/support/tap.sh

declare -A mac=([red]=00:15:5d:de:00:01 [blue]=00:15:5d:de:00:02)
declare -A ip=([red]=10.0.0.1 [blue]=10.0.0.2)
declare -A ip6=([red]=fe80::215:5dff:fede:1 [blue]=fe80::215:5dff:fede:2)
# Bits of the device's feature word: virtio 1.2, 5.1.3 and 6.
feature_mtu=3 feature_mrg_rxbuf=15 feature_mq=22
feature_indirect_desc=28 feature_event_idx=29 feature_version_1=32
work=$(mktemp -d /tmp/vswitch-guests.XXXXXX) || exit 1

clean_up() {
    trap '' INT TERM HUP
    guest_stop_all
    daemon_stop
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' INT TERM HUP
tap_prepare "$work"

other() { [ "$1" = red ] && echo blue || echo red; }

# vnic_is NAME STATE: the state shows at once or within 10 s.
vnic_is() {
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        vswitchctl --json vnic show "$1" 2>/dev/null | grep -Eq "\"state\": *\"$2\"" && return 0
        sleep 0.2
    done
    vswitchctl vnic show "$1"
    return 1
}

# The guest is there, the switch knows it, and its eth0 has its addresses.
is_up() {
    guest_ready "$1" 90 && vnic_is "$1" attached && guest_address "$1" "${ip[$1]}/24"
}

both_up() { is_up red && is_up blue; }

# pings FROM [OPTION]...: at least one answer in 20 tries of 0.5 s, then three without a loss.
pings() {
    local from=$1 to
    to=$(other "$1")
    shift
    guest_run "$from" "for try in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
        ping -c 1 -W 1 ${ip[$to]} >/dev/null && break; sleep 0.5; done" 60
    guest_run "$from" "ping -c 3 -i 0.2 -W 3 $* ${ip[$to]}" | tee "$work/ping" &&
        grep -q ' 0% packet loss' "$work/ping"
}

pings_ipv6() {
    guest_run "$1" "ping -6 -c 3 -i 0.2 -W 3 ${ip6[$(other "$1")]}%eth0"
}

# carries FROM MIB: a file of noise goes over TCP and has the same checksum on the other side.
carries() {
    local from=$1 sent received
    sent=$(guest_run "$from" "mkdir -p /srv; pidof httpd >/dev/null || httpd -p 80 -h /srv;
        dd if=/dev/urandom of=/srv/file bs=1M count=$2 2>/dev/null && sha256sum </srv/file" 60) &&
        received=$(guest_run "$(other "$from")" \
            "wget -q -O - http://${ip[$from]}/file | sha256sum" 90)
    echo "sent '$sent', received '$received'"
    [[ $sent =~ ^[0-9a-f]{64} && $sent == "$received" ]]
}

carry_both_ways() { carries red "$1" && carries blue "$1"; }

# has_feature NAME BIT 0|1: what the guest's driver and the switch have agreed on.
has_feature() {
    local features
    features=$(guest_run "$1" "cat /sys/bus/virtio/devices/virtio0/features")
    echo "features $features, bit $2"
    [ "${features:$2:1}" = "$3" ]
}

# Both transmit queues of blue: Linux picks the queue by the CPU that sends.
both_queues_carry() {
    guest_run blue 'cd /sys/class/net/eth0/queues && ls && [ -d rx-1 ] && [ -d tx-1 ]' &&
        guest_run blue "taskset 1 ping -c 3 -i 0.2 -W 3 ${ip[red]}" &&
        guest_run blue "taskset 2 ping -c 3 -i 0.2 -W 3 ${ip[red]}"
}

driver_reloaded() {
    guest_run "$1" 'rmmod virtio_net && insmod /drivers/virtio_net.ko' &&
        guest_address "$1" "${ip[$1]}/24"
}

# red's driver goes and comes ten times while blue keeps sending to it.
driver_reset_under_load() {
    guest_run blue "ping -i 0.002 ${ip[red]} >/dev/null 2>&1 &" &&
        guest_run red 'cd /sys/bus/virtio/drivers/virtio_net &&
            for round in 0 1 2 3 4 5 6 7 8 9; do
                echo virtio0 >unbind && echo virtio0 >bind && ip link set eth0 up && sleep 0.2 ||
                    exit 1;
            done' 60 &&
        guest_run blue 'killall ping' && vnic_is red attached &&
        guest_address red "${ip[red]}/24"
}

rebooted() {
    guest_run "$1" 'reboot -f >/dev/null 2>&1 &' 5
    is_up "$1"
}

daemon_restarted() {
    "$1" || { echo "vswitchd ended with status $?" && return 1; }
    daemon_start --no-huge && vnic_is red attached && vnic_is blue attached
}

# A file is on its way from red to blue, whose reader is in no hurry, when the daemon is killed.
connection_outlives_crash() {
    local sent received
    sent=$(guest_run red 'dd if=/dev/urandom of=/srv/file bs=1M count=32 2>/dev/null &&
        sha256sum </srv/file' 60) || return 1
    guest_run blue "rm -f /tmp/sum; (wget -q -O - http://${ip[red]}/file |
        { sleep 4; cat; } | sha256sum >/tmp/sum) >/dev/null 2>&1 &"
    sleep 1
    guest_run blue '[ ! -s /tmp/sum ]' || return 1
    daemon_restarted daemon_kill || return 1
    received=$(guest_run blue 'for try in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
        [ ! -s /tmp/sum ] || break; sleep 1; done; cat /tmp/sum' 60)
    echo "sent '$sent', received '$received'"
    [[ $sent =~ ^[0-9a-f]{64} && $sent == "$received" ]]
}

# What the daemon costs while two guests are attached and silent: under 2 % of a core.
idle_is_cheap() {
    local before after percent
    before=$(awk '{ print $14 + $15 }' "/proc/$daemon_pid/stat")
    sleep 4
    after=$(awk '{ print $14 + $15 }' "/proc/$daemon_pid/stat")
    percent=$(awk "BEGIN { printf \"%.2f\", ($after - $before) * 100 / $(getconf CLK_TCK) / 4 }")
    echo "# measured: idle switch with two Linux guests: $percent % of a core" >"$work/measured"
    echo "$percent % of a core"
    awk "BEGIN { exit !($percent < 2) }"
}

# restarted NAME PROPS QUEUES: the machine loses power, and QEMU comes back on the same vNIC.
restarted() {
    guest_kill "$1"
    guest_start "$1" "$work/run/vnic/$1.sock" "${mac[$1]}" "$2" "$3"
}

mtu_is_9000() {
    [ "$(guest_run "$1" 'cat /sys/class/net/eth0/mtu')" = 9000 ]
}

# ---- QEMU first, the switch later --------------------------------------------------------------
if ! guest_prepare "$work" 2>"$work/prepare"; then
    skip guests "$(tail -n 1 "$work/prepare")"
    tap_end
    exit 0
fi
daemon_prepare "$work"
restarted red "" 1
restarted blue "" 2
sleep 1
must "vswitchd starts" daemon_start --no-huge
must "a switch is made" vswitchctl switch add lab --type private --mtu 9000
must "a vNIC is made" vswitchctl vnic add red --switch lab --mac "${mac[red]}"
must "a vNIC with two queue pairs is made" \
    vswitchctl vnic add blue --switch lab --queues 2 --mac "${mac[blue]}"
must "guests that were started before the daemon attach and boot" both_up

check "red pings blue" pings red
check "blue pings red" pings blue
check "red pings blue over IPv6" pings_ipv6 red
check "a file of 32 MiB arrives as it was sent" carries red 32
check "blue has agreed on multiqueue" has_feature blue $feature_mq 1
check "both queue pairs of blue carry" both_queues_carry
for feature in mrg_rxbuf indirect_desc event_idx version_1; do
    bit=feature_$feature
    check "the driver takes the feature $feature" has_feature red "${!bit}" 1
done

check "an idle switch costs under 2 % of a core" idle_is_cheap
cat "$work/measured"

# ---- what happens to an adapter in a guest's life ----------------------------------------------
check "the driver of a guest is loaded anew" driver_reloaded blue
check "traffic goes on after that" pings red
check "both queue pairs carry after that" both_queues_carry
check "the driver is unbound and bound ten times under load" driver_reset_under_load
check "traffic goes on after that" pings blue
must "a guest reboots" rebooted red
check "traffic goes on after the reboot" carry_both_ways 4

# ---- the daemon comes and goes under running guests --------------------------------------------
must "vswitchd ends and starts; guests attach again" daemon_restarted daemon_stop
check "traffic goes on after the restart" pings red
check "a connection outlives a crash of vswitchd, and its restart" connection_outlives_crash
check "traffic goes on after the crash" pings blue
check "both queue pairs carry after the crash" both_queues_carry

# ---- QEMU dies and comes back, with other features ---------------------------------------------
restarted red mrg_rxbuf=off,host_mtu=9000 1
restarted blue event_idx=off,indirect_desc=off,host_mtu=9000 2
must "guests come back on their vNICs after QEMU was killed" both_up
check "a guest without mergeable buffers has none" has_feature red $feature_mrg_rxbuf 0
check "a guest without event index has none" has_feature blue $feature_event_idx 0
check "a guest without indirect descriptors has none" has_feature blue $feature_indirect_desc 0
check "a guest takes the MTU it is told" has_feature red $feature_mtu 1
check "its eth0 has that MTU" mtu_is_9000 red
check "frames of 9000 bytes pass" pings red -s 8972
check "these two carry files both ways, in large frames" carry_both_ways 8

restarted red disable-modern=on 1
restarted blue disable-modern=on,mrg_rxbuf=off,event_idx=off,indirect_desc=off 2
must "legacy guests come up, one with nothing but the ring" both_up
check "a legacy guest has not agreed on virtio 1" has_feature red $feature_version_1 0
check "these two carry files both ways" carry_both_ways 8

# ---- the end -----------------------------------------------------------------------------------
guest_stop_all
check "a vNIC waits for the next guest when QEMU has gone" vnic_is red waiting
check "vswitchd ends by itself on SIGTERM" daemon_stop
tap_end
