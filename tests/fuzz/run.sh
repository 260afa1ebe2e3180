#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fuzzes every target in build/fuzz, all at once, for SECONDS (default 60).  Before that each
# replays its committed corpus and every input that ever crashed it.  Speaks TAP.
#
# A finding is kept in tests/fuzz/crashes/TARGET: commit it with the fix, and it is replayed from
# then on.  What widens coverage is kept in build/fuzz/corpus/TARGET for the next run.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60}
max_len=4096
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}

shopt -s nullglob
targets=(build/fuzz/fuzz_*[!.d])
if [ ${#targets[@]} -eq 0 ]; then
    echo "not ok 1 - there are targets; build them with make fuzz-bin"
    exit 1
fi
logs=$(mktemp -d)
pids=()
stop() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
    rm -rf "$logs"
}
trap stop EXIT
trap 'exit 130' INT TERM

number=0
failed=0
# result STATUS NAME LOG: one line of TAP, and the end of the log below a failure
result() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        failed=$((failed + 1))
        echo "not ok $number - $2"
        grep -aE 'ERROR|SUMMARY|runtime error|Test unit written|^ +#[0-9]+ ' "$3" | head -n 40 |
            sed 's/^/# /'
    fi
}

for target in "${targets[@]}"; do
    name=${target##*/}
    inputs=(tests/fuzz/corpus/"$name"/* tests/fuzz/crashes/"$name"/*)
    status=0
    if [ ${#inputs[@]} -gt 0 ]; then
        timeout 60 "$target" "${inputs[@]}" >"$logs/$name" 2>&1 || status=$?
    fi
    result $status "$name takes the ${#inputs[@]} inputs that are known" "$logs/$name"
done

for target in "${targets[@]}"; do
    name=${target##*/}
    grown=build/fuzz/corpus/$name
    mkdir -p "$grown" "tests/fuzz/crashes/$name" "tests/fuzz/corpus/$name"
    options=()
    [ ! -f "tests/fuzz/$name.dict" ] || options=("-dict=tests/fuzz/$name.dict")
    "$target" "${options[@]}" -max_total_time="$seconds" -max_len="$max_len" -timeout=20 \
        -artifact_prefix="tests/fuzz/crashes/$name/" -print_final_stats=1 \
        "$grown" "tests/fuzz/corpus/$name" >"$logs/$name" 2>&1 &
    pids+=($!)
done
for i in "${!targets[@]}"; do
    name=${targets[i]##*/}
    status=0
    wait "${pids[i]}" || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name")
    result $status "$name finds nothing in $seconds s" "$logs/$name"
    echo "# measured: $name ran ${runs:-?} inputs"
    rmdir "tests/fuzz/crashes/$name" "tests/fuzz/corpus/$name" 2>/dev/null
done
pids=()
rmdir tests/fuzz/crashes 2>/dev/null
echo "1..$number"
[ "$failed" -eq 0 ]
