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
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
install() {
    # No service of an installed package (Open vSwitch's, say) is started by its installation.
    policy=/usr/sbin/policy-rc.d
    made=""
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=yes
    fi
    status=0
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 || status=$?
    [ -z "$made" ] || rm -f "$policy"
    return "$status"
}
if ! install; then
    apt-get update -q >/dev/null 2>&1 || true
    if ! install; then
        tail -n 20 "$log" >&2
        echo "apt-get could not install the packages above; its last words are shown." >&2
        exit 1
    fi
fi
