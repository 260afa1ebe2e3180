# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# How a demonstration speaks, begins and ends, as a library for bash scripts; it brings daemon.sh.
#
# Everything it makes is in one private folder, $work, and ends with it: on success, on failure and
# when interrupted.  It ends with 0 only if everything that it shows has happened.
#
#   demo_begin             first; the script may define demo_end, which stops what it has started
#   step TEXT              a headline; at a terminal there is a moment to read the last one
#   say TEXT
#   run WORD...            shows the command as typed, and what it writes; it must succeed
#   shown TEXT             what the last command wrote has TEXT, or the demo has failed
#   await SECONDS COMMAND...   tries until it succeeds, or the demo has failed
#   demo_switch            vswitchd, in $work
#   demo_capture           captures pings on the switch called demo, from now on
#   demo_captured          ... and shows them
#   fail TEXT

# shellcheck source=tests/support/daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/daemon.sh"

step() {
    [ ! -t 1 ] || sleep 1.5
    printf '\n== %s\n' "$*"
}

say() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   | /'; }

# Words with blanks in quotes, so that it can be pasted.
type_out() {
    local word line=
    for word; do
        [[ $word != *[' *|']* ]] || word="\"$word\""
        line+=" $word"
    done
    printf '   $%s\n' "$line"
}

run() {
    local status
    type_out "$@"
    "$@" >"$work/said" 2>&1
    status=$?
    indent <"$work/said"
    [ "$status" -eq 0 ] || fail "this command ended with status $status: $*"
}

shown() {
    grep -qE -- "$1" "$work/said" || fail "this was to be seen and is not: $1"
}

await() {
    local tries limit=$(($1 * 10))
    shift
    for ((tries = 0; tries < limit; tries++)); do
        "$@" >"$work/awaited" 2>&1 && return 0
        sleep 0.1
    done
    fail "in $((limit / 10)) s this has not come true: $* ($(tail -n 1 "$work/awaited"))"
}

fail() {
    local log
    printf '\nThe demo failed: %s\n' "$*" >&2
    for log in "$work"/*.log "$work"/*.qemu; do
        [ ! -s "$log" ] || { echo "-- the end of ${log##*/}" && tail -n 8 "$log"; } >&2
    done
    exit 1
}

demo_end() { :; }

demo_clean_up() {
    trap '' INT TERM HUP
    demo_end >/dev/null 2>&1
    daemon_stop
    rm -rf "$work"
}

demo_begin() {
    work=$(mktemp -d /tmp/vswitch-demo.XXXXXX) || exit 1
    trap demo_clean_up EXIT
    trap 'echo; echo "Interrupted: cleaning up." >&2; exit 130' INT
    trap 'exit 143' TERM HUP
    daemon_prepare "$work"
}

# Between VMs hugepages make no difference, so the host's are left alone.
demo_switch() {
    say "\$ vswitchd --run-dir $work/run --state-dir $work/state --no-huge &"
    daemon_start --no-huge || fail "vswitchd did not start"
}

demo_capture() {
    local words=(capture start --on switch:demo --filter icmp --frames 8 --seconds 60
        --write "$work/demo.pcapng")
    type_out vswitchctl "${words[@]}" "&"
    vswitchctl "${words[@]}" >"$work/capture.log" 2>&1 &
    demo_capture_pid=$!
    await 5 test -s "$work/demo.pcapng"
}

demo_captured() {
    wait "$demo_capture_pid" || fail "the capture failed: $(cat "$work/capture.log")"
    indent <"$work/capture.log"
    # From standard input: where tcpdump is confined, it may not read every folder.
    type_out tcpdump -n -r - "<" "$work/demo.pcapng"
    tcpdump -n -r - <"$work/demo.pcapng" >"$work/said" 2>"$work/tcpdump.log" ||
        fail "tcpdump cannot read the capture"
    indent <"$work/said"
    shown "ICMP echo request"
    shown "ICMP echo reply"
}
