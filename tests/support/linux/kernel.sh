#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the minimal Linux of the monitor's tests, once, and prints the folder with its vmlinux and
# bzImage.  What it does meanwhile is told on standard error.
#
# Why it is so:
#  - It is Debian's source, the package linux-source-6.1, fetched but not installed, with what is in
#    tiny.config over "make tinyconfig": a kernel that an emulated ring 0 boots in seconds.
#  - It takes minutes, so it is kept outside the tree, and built anew only when the package, the
#    options or this script have changed.  A folder in the cache is complete: it is filled elsewhere
#    and renamed.  Who comes meanwhile waits.
set -u
here=$(cd "$(dirname "$0")" && pwd)
package=linux-source-6.1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vswitch
needed_mib=2500                            # for the source, and what is compiled of it
work=
make_pid=

fail() {
    echo "The tests' Linux cannot be built: $*" >&2
    exit 1
}

clean_up() {
    [ -z "$make_pid" ] || kill "$make_pid" 2>/dev/null
    [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The version that apt-get would fetch, or nothing.
package_version() {
    apt-cache policy "$package" 2>/dev/null |
        awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

download() {
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package=$version")
}

unpack() {
    mkdir "$work/source" && dpkg-deb --fsys-tarfile "$work"/*.deb |
        tar -xO "./usr/src/$package.tar.xz" |
        tar -xJ -C "$work/source" --strip-components=1 && rm "$work"/*.deb
}

# Lines of tiny.config that the kernel's own rules do not let be.
lost_options() {
    local line option
    while read -r line; do
        case $line in
        CONFIG_*) grep -qxF -- "$line" "$work/source/.config" || echo "$line" ;;
        "# CONFIG_"*)
            option=${line#\# }
            ! grep -q "^${option%% *}=" "$work/source/.config" || echo "$line"
            ;;
        esac
    done <"$here/tiny.config"
}

# The kernel's own make, with nothing of what is set around us.
kernel_make() {
    env -i PATH="$PATH" HOME="$work" KBUILD_BUILD_USER=vswitch KBUILD_BUILD_HOST=tests \
        nice make -C "$work/source" "$@" >>"$work/log" 2>&1 &
    make_pid=$!
    local start=$SECONDS
    while kill -0 "$make_pid" 2>/dev/null; do
        sleep 0.5
        [ $((SECONDS - start)) -lt 20 ] || {
            start=$SECONDS
            echo "  $SECONDS s: $(grep -c '^  CC ' "$work/log") files are compiled" >&2
        }
    done
    wait "$make_pid" || fail "$(tail -n 8 "$work/log")"
    make_pid=
}

# Fills the folder $1.
build() {
    local free_mib lost
    free_mib=$(($(df --output=avail -k "$cache" | tail -n 1) / 1024))
    [ "$free_mib" -ge "$needed_mib" ] ||
        fail "$cache has $free_mib MiB left, and this takes $needed_mib: make room there"
    rm -rf "$cache"/new.*
    work=$(mktemp -d "$cache/new.XXXXXX") || fail "$cache cannot be written to"
    echo "A minimal Linux is built for the tests, once, in $cache: 5 to 10 minutes." >&2
    echo "  fetching $package $version, 140 MB" >&2
    download || fail "$package $version could not be fetched: check that apt-get update works"
    unpack || fail "$package $version could not be unpacked"
    kernel_make tinyconfig
    cat "$here/tiny.config" >>"$work/source/.config"
    kernel_make olddefconfig
    lost=$(lost_options)
    [ -z "$lost" ] || fail "options of tiny.config do not hold: ${lost//$'\n'/, }"
    kernel_make -j2 vmlinux bzImage
    mkdir "$work/done" && mv "$work/source/vmlinux" "$work/source/arch/x86/boot/bzImage" \
        "$work/done" && rm -rf "$cache"/linux-* && mv -T "$work/done" "$1" ||
        fail "it could not be put in $1"
}

version=$(package_version)
if [ -z "$version" ]; then
    apt-get update -qq >/dev/null 2>&1
    version=$(package_version)
fi
[ -n "$version" ] || fail "apt-get knows no package $package: check that apt-get update works"
sum=$(cat "$here/tiny.config" "$0" | sha256sum)
kernel=$cache/linux-$version-${sum:0:12}
mkdir -p "$cache" && exec {lock}>"$cache/lock" || fail "$cache cannot be written to"
flock "$lock"
[ -d "$kernel" ] || build "$kernel"
echo "$kernel"
