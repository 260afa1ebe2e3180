# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# The Test Anything Protocol, as a library for bash scripts.
#
#   tap_prepare DIR        DIR is private: what a check wrote is kept there until the next
#   check NAME COMMAND...  one TAP line; what the command wrote is shown when it fails
#   must NAME COMMAND...   as check, where nothing that follows makes sense without it
#   skip NAME REASON       a check that this host cannot do
#   measured TEXT          shown to whoever reads the results
#   eventually SECONDS COMMAND...   tries until it succeeds; its last words are what is left
#   tap_end                the plan; fails when a check has failed
tap_number=0
tap_failed=0
tap_dir=

tap_prepare() {
    tap_dir=$1
}

check() {
    local name=$1
    shift
    tap_number=$((tap_number + 1))
    if "$@" >"$tap_dir/output" 2>&1; then
        echo "ok $tap_number - $name"
        return 0
    fi
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_number - $name"
    tail -n 25 "$tap_dir/output" | sed 's/^/# /'
    return 1
}

must() {
    local log
    check "$@" && return 0
    for log in "$tap_dir"/*.log "$tap_dir"/*.qemu; do
        [ -s "$log" ] || continue
        echo "# -- ${log##*/}"
        tail -n 12 "$log" | sed 's/^/# /'
    done
    echo "Bail out! $1"
    exit 1
}

skip() {
    tap_number=$((tap_number + 1))
    echo "# skip: $1: $2"
    echo "ok $tap_number - $1 # SKIP $2"
}

measured() {
    echo "# measured: $*"
}

eventually() {
    local deadline_s=$((SECONDS + $1)) words
    shift
    while ! words=$("$@" 2>&1); do
        if [ "$SECONDS" -ge "$deadline_s" ]; then
            printf '%s\n' "$words"
            return 1
        fi
        sleep 0.2
    done
    printf '%s\n' "$words"
}

tap_end() {
    echo "1..$tap_number"
    [ "$tap_failed" -eq 0 ]
}
