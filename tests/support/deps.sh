#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Installs the Debian packages named as arguments that are not there yet.  Nothing else is fetched.
set -eu
missing=""
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing and only root can install them:$missing" >&2
    echo "Run: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing from Debian:$missing"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made=""
# Left behind by an interruption, the policy would keep every later service from starting.
trap 'rm -f "$log" ${made:+"$policy"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export DEBIAN_FRONTEND=noninteractive
# No service of an installed package (Open vSwitch's, say) is started by its installation.
if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
# A machine that has just booted may be busy with its own updates: wait for their lock.
install() {
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 $missing \
        >"$log" 2>&1
}
if ! install; then
    apt-get update -q >/dev/null 2>&1 || true
    if ! install; then
        tail -n 20 "$log" >&2
        echo "apt-get could not install the packages above; its last words are shown." >&2
        exit 1
    fi
fi
