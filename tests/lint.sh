#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The house's rules that a machine can check.  Speaks TAP: one line a rule, and below a broken one
# every place that breaks it.
set -u
shopt -s lastpipe                  # rule counts in this shell, also at the end of a pipe
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C

mapfile -t files < <(find . \( -name .git -o -path ./build \) -prune -o -type f -print |
    sed 's|^\./||' | sort)
some() { printf '%s\n' "${files[@]}" | grep -E "$1"; }   # files whose path matches
mapfile -t c_files < <(some '\.[ch]$')
mapfile -t text_files < <(some '\.(c|h|sh|md|8|bash|in)$|(^|/)Makefile$|^\.ci/run$')
mapfile -t scripts < <(grep -lE '^#!.*(bash|/sh)' -- "${files[@]}" | sort)

number=0
broken=0
# Reads the places that break the rule named $1.
rule() {
    local places
    places=$(cat)
    number=$((number + 1))
    if [ -z "$places" ]; then
        echo "ok $number - $1"
    else
        broken=$((broken + 1))
        echo "not ok $number - $1"
        sed 's/^/#   /' <<<"$places"
    fi
}

# ---- layers: what each folder may include, beside itself -----------------------------------------
# Prints every "..." include of folder $1 whose path does not match $2.
includes_beyond() {
    local list
    mapfile -t list < <(some "^$1/.*\.[ch]\$")
    [ ${#list[@]} -eq 0 ] && return
    grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' -- "${list[@]}" |
        grep -vE "\"($1/|$2)[^\"]*\""
}
includes_beyond switch '\"' | rule "switch/ includes nothing of ours but itself"
includes_beyond teaming 'switch/' | rule "teaming/ includes switch/ only"
includes_beyond vnic 'switch/' | rule "vnic/ includes switch/ only"
includes_beyond dataplane '(vnic|teaming|switch)/' |
    rule "dataplane/ includes vnic/, teaming/ and switch/ only"
includes_beyond ctl '(dataplane|vnic|teaming|switch)/' | rule "ctl/ includes all but vmm/"
includes_beyond vmm '(ctl/(rpc|rpc_server|method)|switch/error)\.h' |
    rule "vmm/ includes the RPC half of ctl/ and switch/error.h only"
for folder in switch teaming vmm; do
    grep -nE '(^|[^a-z])rte_[a-z]' -- /dev/null $(some "^$folder/.*\.[ch]\$")
done | rule "switch/, teaming/ and vmm/ know no DPDK"
grep -nE 'include[[:space:]]*<rte_vhost' -- "${c_files[@]}" |
    rule "librte_vhost is not used: vnic/vhost_control.h says why"
grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^/"]*"' -- "${c_files[@]}" |
    rule "includes are written from the root"
for file in $(some '^(switch|teaming|vnic|dataplane|ctl|vmm)/.*\.c$'); do
    own=${file%.c}.h
    [ -f "$own" ] || continue
    first=$(grep -nm1 -E '^#[[:space:]]*include' "$file")
    [[ $first == *"\"$own\""* ]] || echo "$file:$first"
done | rule "a file includes its own header first"

# ---- sizes and shape -----------------------------------------------------------------------------
for file in "${c_files[@]}"; do
    limit=500
    [[ $file == tests/* ]] && limit=700
    lines=$(wc -l <"$file")
    [ "$lines" -le "$limit" ] || echo "$file: $lines lines, at most $limit"
done | rule "a file is a chapter: at most 500 lines, a test's 700"
awk 'length > 100 { print FILENAME ":" FNR ": " length " columns" }' \
    $(some '\.(c|h|sh|bash)$|(^|/)Makefile$') | rule "lines have at most 100 columns"
grep -nP '\t' -- "${c_files[@]}" | rule "C has no tabs"
grep -nE '[[:blank:]]+$' -- "${text_files[@]}" | rule "lines have no blanks at their end"
for file in "${text_files[@]}"; do
    [ -z "$(tail -c 1 "$file")" ] || echo "$file"
done | rule "files end with a newline"
for file in "${c_files[@]}"; do
    [ "$(head -n 1 "$file")" = "/* SPDX-License-Identifier: BSD-3-Clause */" ] || echo "$file"
done | rule "C starts with the licence"
for file in Makefile "${scripts[@]}"; do
    head -n 2 "$file" | grep -q '^# SPDX-License-Identifier: BSD-3-Clause$' || echo "$file"
done | rule "scripts start with the licence"

# ---- habits --------------------------------------------------------------------------------------
grep -nE 'TO''DO|FIX''ME' -- "${text_files[@]}" | rule "nothing is left to do"
unsafe='strcpy|strcat|stpcpy|sprintf|vsprintf|gets|inet_ntoa|strtok|tmpnam|mktemp|asctime|ctime'
grep -nE "(^|[^a-zA-Z0-9_])($unsafe)[[:space:]]*\(" -- "${c_files[@]}" | grep -v '^tests/' |
    rule "no call that cannot be made safe"
for file in "${scripts[@]}" $(some '\.bash$'); do
    shell=bash
    head -n 1 "$file" | grep -q '^#!/bin/sh' && shell=sh
    $shell -n "$file" 2>&1
done | rule "shell scripts parse"

echo "1..$number"
[ "$broken" -eq 0 ]
