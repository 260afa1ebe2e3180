# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# How a script with a daemon, a wire and perhaps guests begins and ends, as a library for bash
# scripts; it brings tap.sh, daemon.sh, wire.sh and guest.sh.
#
#   scene_begin "$0" "$@"        inside a host of its own (see wire.sh) from here on, with a private
#                                folder in $work, removed at the end with all that was started
#   scene_begin_guests "$0" "$@"   the same, where guests can be started; they have the programs
#                                that $scene_programs names, besides busybox
#
# Either ends the script with a skip, and its reason, on a host that cannot do it.

scene_support=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/support/tap.sh
. "$scene_support/tap.sh"
# shellcheck source=tests/support/daemon.sh
. "$scene_support/daemon.sh"
# shellcheck source=tests/support/wire.sh
. "$scene_support/wire.sh"
# shellcheck source=tests/support/guest.sh
. "$scene_support/guest.sh"

scene_skip() {
    skip "$(basename "$1" .sh)" "$2"
    tap_end
    exit 0
}

scene_end() {
    trap '' INT TERM HUP
    guest_stop_all
    daemon_stop
    rm -rf "$work"
}

scene_begin() {
    wire_enter "$@" || scene_skip "$1" "network namespaces need root"
    work=$(mktemp -d "/tmp/vswitch-$(basename "$1" .sh).XXXXXX") || exit 1
    trap scene_end EXIT
    trap 'exit 143' INT TERM HUP
    tap_prepare "$work"
    daemon_prepare "$work"
}

# The guests' kernel comes over the machine's own network, so it is fetched before that is left.
scene_begin_guests() {
    if [ -z "${WIRE_INSIDE:-}" ] && ! guest_fetch_kernel 2>/dev/null; then
        scene_skip "$1" "the guests' kernel could not be fetched"
    fi
    scene_begin "$@"
    # shellcheck disable=SC2086
    guest_prepare "$work" ${scene_programs:-} 2>"$work/prepare" ||
        scene_skip "$1" "$(tail -n 1 "$work/prepare")"
}

# ---- what such scripts ask again and again -------------------------------------------------------

# refused TEXT WORD...: the command ends with status 1 and a sentence that has the text.
refused() {
    local text=$1 words status
    shift
    words=$(vswitchctl "$@" 2>&1)
    status=$?
    echo "status $status: $words"
    [ "$status" -eq 1 ] && grep -qiF -- "$text" <<<"$words"
}

# answers PATTERN WORD...: the tool's --json answer, without blanks, has the pattern.
answers() {
    local pattern=$1 answer
    shift
    answer=$(vswitchctl --json "$@" | tr -d '\n ')
    echo "$answer"
    grep -Eq -- "$pattern" <<<"$answer"
}

# shows TEXT COMMAND...: what the command writes has the text.
shows() {
    local words
    words=$("${@:2}" 2>&1)
    echo "$words"
    grep -qF -- "$1" <<<"$words"
}

fails() {
    ! "$@"
}

# As a power cut would leave it.
daemon_crashes() {
    daemon_kill
    daemon_start --no-huge
}
