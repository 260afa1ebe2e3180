# SPDX-License-Identifier: BSD-3-Clause
# Completion of vswitchctl in bash.  The words come from the program itself, which has them from its
# method table, and the names from the daemon; nothing here knows a command.

_vswitchctl() {
    local line=${COMP_LINE:0:COMP_POINT} current
    local -a words

    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then
        words+=("")
    fi
    current=${words[-1]}
    case ${words[-2]}:${words[*]:1} in
        --write:* | --run-dir:* | check:*"config check "*)
            compopt -o default
            COMPREPLY=()
            return
            ;;
    esac
    mapfile -t COMPREPLY < <("$1" --complete "${words[@]:1}" 2>/dev/null)
    # Readline replaces only what follows a colon, if colons part words for it.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    fi
}

complete -F _vswitchctl vswitchctl
