# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# A vswitchd of one's own, as a library for bash scripts.
#
#   daemon_prepare DIR     DIR is private, the caller removes it: run/, state/ and vswitchd.log
#   daemon_start [OPTION]...   returns when it answers, or prints its log and fails after 10 s
#   daemon_stop            asks it to end (SIGTERM) and returns its exit status; 5 s for that
#   daemon_kill            SIGKILL, as a crash
#   vswitchctl WORD...     the tool, talking to that daemon
#   vswitchctl_start WORD...   the same in the background; its own pid in $vswitchctl_pid
#
# The daemon dies with the shell that started it, so that no killed script leaves one behind.

daemon_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
daemon_bin=${VSWITCH_BIN:-build}
[[ $daemon_bin == /* ]] || daemon_bin=$daemon_root/$daemon_bin
daemon_dir=
daemon_pid=

daemon_prepare() {
    daemon_dir=$1
    mkdir -p "$daemon_dir/run" "$daemon_dir/state"
}

vswitchctl() {
    "$daemon_bin/vswitchctl" --run-dir "$daemon_dir/run" "$@"
}

# In the background a function is a shell, which the tool would outlive.
vswitchctl_start() {
    setpriv --pdeathsig KILL "$daemon_bin/vswitchctl" --run-dir "$daemon_dir/run" "$@" </dev/null &
    vswitchctl_pid=$!
}

daemon_start() {
    local tries
    setpriv --pdeathsig KILL "$daemon_bin/vswitchd" --run-dir "$daemon_dir/run" \
        --state-dir "$daemon_dir/state" "$@" </dev/null >>"$daemon_dir/vswitchd.log" 2>&1 &
    daemon_pid=$!
    for ((tries = 0; tries < 100; tries++)); do
        vswitchctl daemon show >/dev/null 2>&1 && return 0
        kill -0 "$daemon_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "vswitchd does not answer.  Its last words:" >&2
    tail -n 20 "$daemon_dir/vswitchd.log" >&2
    return 1
}

daemon_kill() {
    [ -n "$daemon_pid" ] || return 0
    kill -KILL "$daemon_pid" 2>/dev/null
    wait "$daemon_pid" 2>/dev/null
    daemon_pid=
}

daemon_stop() {
    local tries status
    [ -n "$daemon_pid" ] || return 0
    kill -TERM "$daemon_pid" 2>/dev/null
    for ((tries = 0; tries < 50; tries++)); do
        if ! kill -0 "$daemon_pid" 2>/dev/null; then
            wait "$daemon_pid" 2>/dev/null
            status=$?
            daemon_pid=
            return "$status"
        fi
        sleep 0.1
    done
    daemon_kill
    return 124
}
