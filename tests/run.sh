#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs suites that speak TAP, one after the other, and ends with the one line that counts them all:
# "N passed, N failed, N skipped".  Arguments: programs; SAN=x chooses the variant of the daemon
# that the programs after it start.  A suite that dies, hangs or counts nothing has failed.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
reasons=() failures=()
export VSWITCH_BIN=${VSWITCH_BIN:-build}
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:exitcode=66}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

for suite in "$@"; do
    case $suite in
    SAN=*) variant=${suite#SAN=}; VSWITCH_BIN=build${variant:+/$variant}; continue ;;
    esac
    echo "== $suite"
    start=$SECONDS status=0
    timeout --foreground -k 10 "${SUITE_SECONDS:-420}" "$suite" >"$log" 2>&1 </dev/null || status=$?
    # cmocka 1.1.5 writes a skipped test as "not ok N # SKIP name".
    ok=$(grep -cE '^ok [0-9]+' "$log")
    skip=$(grep -cE '^(not )?ok [0-9]+.*# SKIP' "$log")
    skip_ok=$(grep -cE '^ok [0-9]+.*# SKIP' "$log")
    bad=$(grep -E '^not ok [0-9]+' "$log" | grep -vc '# SKIP')
    ok=$((ok - skip_ok))
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
        echo "   ended with status $status$([ "$status" -eq 124 ] && echo ', out of time')"
    elif [ $((ok + skip + bad)) -eq 0 ]; then
        bad=1
        echo "   ran no test"
    fi
    if [ "$bad" -gt 0 ]; then
        failures+=("$suite")
        sed 's/^/   /' "$log" | tail -n 150
    else
        grep -E '^# (measured|note|skip):? ' "$log" | sed 's/^/   /'
    fi
    while IFS= read -r line; do
        reasons+=("$suite: $line")
    done < <(grep -E '^# skip:? ' "$log" | sed -E 's/^# skip:? //')
    echo "   $ok passed, $bad failed, $skip skipped, $((SECONDS - start)) s"
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done

for reason in ${reasons[@]+"${reasons[@]}"}; do
    echo "skipped: $reason"
done
for failure in ${failures[@]+"${failures[@]}"}; do
    echo "failed: $failure"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
