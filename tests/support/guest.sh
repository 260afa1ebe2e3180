# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Real Linux guests under QEMU, as a library for bash scripts: Debian's own cloud kernel, its virtio
# drivers and a static busybox, put together on the spot and attached to a vhost-user socket.
#
# Why it is so:
#  - The kernel is the package Debian ships, fetched but not installed: the guest's network driver
#    is one that nobody here has touched, and the host is not changed.
#  - The initramfs is made anew by every script (a tenth of a second) and only the unpacked kernel
#    is kept in build/debian-kernel, so there is nothing that could be out of date.
#  - A guest is driven by commands over a serial port (see guest-init), not by its network, which
#    is what is being tested.
#
#   guest_prepare DIR [PROGRAM]...          once a script; DIR is private, the caller removes it;
#                                           programs of this machine that guests are to have too
#   guest_start NAME SOCKET MAC [PROPS [QUEUES]]   PROPS are virtio-net-pci's, as mrg_rxbuf=off
#   guest_ready NAME [SECONDS]              waits until it takes commands, after a reboot as well
#   guest_run NAME COMMAND [SECONDS]        prints what it wrote, returns its status, 124 for none;
#                                           a newline counts as a space, and what the command
#                                           leaves running must not hold its output
#   guest_address NAME IP/LEN               gives eth0 an address and waits for its IPv6 one
#   guest_log NAME                          the kernel's messages
#   guest_stop NAME, guest_kill NAME, guest_stop_all
#
# Not for subshells but for guest_run: a guest dies with the shell that started it.

guest_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
guest_cache=$guest_root/build/debian-kernel
guest_dir=
declare -A guest_pid=() guest_command_fd=() guest_answer_fd=()

# KVM where it can boot this kernel.  A host without VMX or SVM may still have a /dev/kvm, that of
# kvm_pvm: it runs a guest's ring 0 in an instruction emulator, thousands of times slower than
# QEMU's translator, under which this kernel boots in 3 s.
guest_accelerator() {
    if [ -w /dev/kvm ] && [ ! -e /sys/module/kvm_pvm ] &&
        grep -qwE '^flags.*(vmx|svm)' /proc/cpuinfo; then
        echo kvm
    else
        echo tcg
    fi
}

# The package that Debian's meta package stands for today, or nothing.
guest_kernel_package() {
    apt-cache depends --important linux-image-cloud-amd64 2>/dev/null |
        awk '/Depends: linux-image-/ { print $2; exit }'
}

# Downloads the kernel's package to the folder $1.  An index that is missing or names a version
# which the archive no longer has is renewed, once.
guest_download() {
    local package
    package=$(guest_kernel_package)
    if [ -n "$package" ] &&
        (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$package") 2>/dev/null; then
        return 0
    fi
    apt-get update -qq && package=$(guest_kernel_package) && [ -n "$package" ] &&
        (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$package")
}

# Writes the driver module $1 beside the list $2, as the kernel's loader takes it, and notes it.
guest_add_driver() {
    local name=${1##*/}
    case $name in
    *.xz) xz -dc "$1" >"${2%/*}/${name%.xz}" ;;
    *) cp "$1" "${2%/*}" ;;
    esac && echo "${name%.ko*}.ko" >>"$2"
}

# Writes the modules $4... of the release $2 below $1, with all that they need, to the list $3.
guest_add_drivers() {
    local module
    # "insmod PATH" is a module, "builtin NAME" one that the kernel has inside.
    while read -r module; do
        guest_add_driver "$module" "$3" || return 1
    done < <(for module in "${@:4}"; do
        modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
}

# Fills the folder $1 with vmlinuz and drivers/, in the order in which they have to be loaded: the
# network's, and those of other devices.
guest_unpack_kernel() {
    local tree=$1/tree release modules
    dpkg-deb -x "$1"/*.deb "$tree" || return 1
    release=$(basename "$tree"/boot/vmlinuz-*) && release=${release#vmlinuz-}
    modules=$tree
    [ -d "$tree/lib/modules" ] || modules=$tree/usr
    mkdir "$1/drivers"
    cp "$tree/boot/vmlinuz-$release" "$1/vmlinuz" && depmod -b "$modules" "$release" &&
        guest_add_drivers "$modules" "$release" "$1/drivers/order" \
            virtio_pci virtio_net af_packet ipv6 &&
        guest_add_drivers "$modules" "$release" "$1/drivers/devices" \
            virtio_pci virtio_blk virtio_console virtio_rng button evdev &&
        grep -q virtio_net "$1/drivers/order"
}

# Makes build/debian-kernel complete.  Scripts that start at the same time wait for the first; what
# one that was killed left half done is thrown away by the next.
guest_fetch_kernel() {
    local work=$guest_cache.new status=0 lock
    mkdir -p "$guest_root/build" && exec {lock}>"$guest_cache.lock" || return 1
    flock "$lock"
    if [ ! -e "$guest_cache/vmlinuz" ]; then
        rm -rf "$work" "$guest_cache"
        mkdir "$work" && guest_download "$work" && guest_unpack_kernel "$work" &&
            rm -rf "$work/tree" "$work"/*.deb && mv "$work" "$guest_cache" || status=1
    fi
    exec {lock}>&-
    return "$status"
}

# Copies the program $1 of this machine, with its libraries, to the folder $2.
guest_add_program() {
    local path file
    path=$(command -v "$1") || return 1
    for file in "$path" $(ldd "$path" | grep -o '/[^ ]*'); do
        mkdir -p "$2${file%/*}" && cp -L "$file" "$2$file" || return 1
    done
}

guest_prepare() {
    guest_dir=$1
    shift
    local tree=$guest_dir/initramfs program
    if ! guest_fetch_kernel; then
        echo "The package linux-image-cloud-amd64 could not be fetched:" \
            "check that apt-get update works." >&2
        return 1
    fi
    mkdir -p "$tree/bin"
    for program; do
        guest_add_program "$program" "$tree" || return 1
    done
    cp "$(command -v busybox)" "$tree/bin/busybox" &&
        cp "$guest_root/tests/support/guest-init" "$tree/init" &&
        cp -r "$guest_cache/drivers" "$tree/drivers" &&
        (cd "$tree" && find . | cpio --quiet -o -H newc) >"$guest_dir/initramfs.cpio" &&
        rm -rf "$tree"
}

guest_start() {
    local name=$1 socket=$2 mac=$3 props=${4:+,$4} queues=${5:-1}
    local serial=$guest_dir/$name.serial accel cpu=host vectors=$((2 * queues + 2)) netdev=
    accel=$(guest_accelerator)
    # A translator that waits for a core may keep the kernel from seeing its timer tick within the
    # moment that it looks, and it would stop there: no_timer_check.
    # QEMU 7.2 crashes when a vhost-user device uses MSI-X without KVM: it takes an interrupt route
    # from a table that only KVM fills.  Without vectors the driver uses the interrupt line.
    [ "$accel" = kvm ] || { cpu=max vectors=0; }
    [ "$queues" -eq 1 ] || { netdev=,queues=$queues props+=,mq=on; }
    guest_close "$name"
    rm -f "$serial.in" "$serial.out"
    mkfifo "$serial.in" "$serial.out" || return 1
    # Opened for both directions nobody waits for the other end, and a reboot is not an end of file.
    local in out
    exec {in}<>"$serial.in" {out}<>"$serial.out"
    guest_command_fd[$name]=$in guest_answer_fd[$name]=$out
    setpriv --pdeathsig KILL qemu-system-x86_64 -name "$name" -nodefaults -no-user-config \
        -display none -machine q35,memory-backend=ram -accel "$accel" -cpu "$cpu" \
        -smp "$queues" -m 192M -object memory-backend-memfd,id=ram,size=192M,share=on \
        -kernel "$guest_cache/vmlinuz" -initrd "$guest_dir/initramfs.cpio" \
        -append "console=ttyS0 quiet mitigations=off panic=-1 no_timer_check" \
        -serial "file:$guest_dir/$name.log" \
        -chardev "pipe,id=commands,path=$serial" -serial chardev:commands \
        -chardev "socket,id=vnic,path=$socket,reconnect=1" \
        -netdev "vhost-user,id=net,chardev=vnic$netdev" \
        -device "virtio-net-pci,netdev=net,mac=$mac,vectors=$vectors,romfile=$props" \
        </dev/null >"$guest_dir/$name.qemu" 2>&1 {in}>&- {out}>&- &
    guest_pid[$name]=$!
}

# Reads answers of NAME up to the line that matches PATTERN, and prints those before it if PRINT is
# given.  Bounded by DEADLINE_S, a value of bash's SECONDS, and by the life of QEMU; the last word
# of the line goes to guest_word.
guest_expect() {
    local name=$1 pattern=$2 deadline_s=$3 print=${4:-} line piece begun=
    while [ "$SECONDS" -lt "$deadline_s" ]; do
        if IFS= read -r -t 1 -u "${guest_answer_fd[$name]}" piece; then
            line=$begun${piece%$'\r'}
            begun=
            # shellcheck disable=SC2053
            if [[ $line == $pattern ]]; then
                guest_word=${line##* }
                return 0
            fi
            [ -z "$print" ] || printf '%s\n' "$line"
            continue
        fi
        # A read that ran out of time leaves what there was of the line.
        begun+=$piece
        if ! kill -0 "${guest_pid[$name]}" 2>/dev/null; then
            echo "guest $name: QEMU has ended: $(tail -n 3 "$guest_dir/$name.qemu")" >&2
            return 125
        fi
    done
    return 124
}

guest_ready() {
    guest_expect "$1" "@ready" $((SECONDS + ${2:-60}))
}

guest_run() {
    local name=$1 command=$2 deadline_s=$((SECONDS + ${3:-30})) id=$BASHPID.$EPOCHREALTIME
    local guest_word
    printf '%s %s\n' "$id" "${command//$'\n'/ }" >&"${guest_command_fd[$name]}"
    guest_expect "$name" "@$id begin" "$deadline_s" || return
    guest_expect "$name" "@$id end *" "$deadline_s" print || return
    return "$guest_word"
}

# IPv6 first claims its link-local address for a second: until then it is "tentative", not usable.
guest_address() {
    guest_run "$1" "ip addr replace $2 dev eth0 && ip link set eth0 up &&
        for try in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
            ip -6 addr show dev eth0 | grep fe80 | grep -qv tentative && exit 0; sleep 0.25;
        done; exit 1"
}

guest_log() {
    cat "$guest_dir/$1.log" "$guest_dir/$1.qemu" 2>/dev/null
}

# Ends QEMU as a machine that loses power.
guest_kill() {
    [ -n "${guest_pid[$1]:-}" ] || return 0
    kill -KILL "${guest_pid[$1]}" 2>/dev/null
    wait "${guest_pid[$1]}" 2>/dev/null
    unset "guest_pid[$1]"
}

# Ends QEMU so that it can take leave of the switch; 5 s for that.
guest_stop() {
    local pid=${guest_pid[$1]:-} tries
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    guest_kill "$1"
}

guest_close() {
    local fd
    for fd in ${guest_command_fd[$1]:-} ${guest_answer_fd[$1]:-}; do
        exec {fd}>&-
    done
    unset "guest_command_fd[$1]" "guest_answer_fd[$1]"
}

guest_stop_all() {
    local name
    for name in "${!guest_pid[@]}"; do
        guest_stop "$name"
        guest_close "$name"
    done
}
