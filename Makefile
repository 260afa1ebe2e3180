# SPDX-License-Identifier: BSD-3-Clause
#
# One Makefile, not recursive but for the sanitizer variants, which build the same tree into a
# folder of their own (make SAN=asan ...).
#
#   make             what is installed: vswitchd, vswitchctl, vswitch-vm and its guest
#   make demo        two VMs on a private switch, on a machine with nothing installed
#   make test        everything: installs what is missing, builds, runs every suite
#   make lint        layers, sizes, house rules          make unit hostile race integration
#   make bench [BENCH=--quick]  speed against peers      make fuzz [SECONDS=3600]
#   make instructions           a worker's, for each frame, stage by stage
#   make install DESTDIR=... [PREFIX=/usr/local]         make deps deps-test deps-bench

PREFIX  ?= /usr/local
SAN     ?=
O       := build$(if $(SAN),/$(SAN))
CC      := $(if $(filter tsan,$(SAN)),clang,gcc)
VERSION := 0.1.0

# ---- flags -------------------------------------------------------------------------------------
# One binary runs on any x86-64-v2 host; what is faster on a newer one is chosen at start.
WARN    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
CFLAGS  ?= -O3 -g
SANFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
                 -fno-omit-frame-pointer
SANFLAGS_tsan := -fsanitize=thread -fno-omit-frame-pointer
SANFLAGS := $(SANFLAGS_$(SAN))
BASE    := -std=gnu11 $(CFLAGS) $(WARN) $(SANFLAGS) -MMD -MP -I. -D_GNU_SOURCE \
           -DVSWITCH_VERSION='"$(VERSION)"'

# Asked of pkg-config when first used, because `make deps` may have to install it first.
ask      = $(if $(asked_$(1)),,$(eval asked_$(1) := $(shell pkg-config $(2)) ))$(asked_$(1))
# DPDK's headers are the system's: our warnings are for our own code.
DPDK_CF  = $(patsubst -I%,-isystem %,$(call ask,dpdk_cf,--cflags libdpdk)) -DALLOW_EXPERIMENTAL_API
DPDK_LD  = $(call ask,dpdk_ld,--libs libdpdk)
CTL_CF   = $(call ask,ctl_cf,--cflags jansson libevent libsystemd libnl-3.0)
CTL_LD   = $(call ask,ctl_ld,--libs jansson libevent libsystemd)
NL_LD    = $(call ask,nl_ld,--libs libnl-3.0)
VMM_CF   = $(call ask,vmm_cf,--cflags libseccomp)
VMM_LD   = $(call ask,vmm_ld,--libs libseccomp)
ARCH    := -march=x86-64-v2

# The bottom is pure: no DPDK on its include path, and none when its tests are linked.
CF_switch    = $(ARCH) -Wconversion
CF_teaming   = $(ARCH) -Wconversion
CF_vnic      = $(DPDK_CF) $(ARCH) -Wconversion
CF_dataplane = $(DPDK_CF) $(ARCH)
CF_ctl       = $(DPDK_CF) $(ARCH) $(CTL_CF)
CF_vmm       = $(ARCH) $(CTL_CF) $(VMM_CF)
CF_tests     = $(DPDK_CF) $(ARCH) $(CTL_CF)

# ---- libraries, one a folder, linked in layer order ----------------------------------------------
FOLDERS := switch teaming vnic dataplane ctl vmm
MAINS   := ctl/vswitchd.c ctl/vswitchctl.c vmm/main.c
src      = $(filter-out $(MAINS) vmm/guest/%,$(wildcard $(1)/*.c $(1)/*/*.c))
objs     = $(patsubst %.c,$(O)/%.o,$(1))
LIBS    := $(foreach f,$(FOLDERS),$(if $(call src,$(f)),$(O)/lib$(f).a))
lib      = $(filter $(foreach f,$(1),$(O)/lib$(f).a),$(LIBS))

STACK_switch    := $(call lib,switch)
STACK_teaming   := $(call lib,teaming) $(STACK_switch)
STACK_vnic      := $(call lib,vnic) $(STACK_switch)
STACK_dataplane := $(call lib,dataplane) $(call lib,vnic) $(STACK_teaming)
STACK_ctl       := $(call lib,ctl) $(STACK_dataplane)
# Of ctl/ the RPC half only: what would need DPDK does not link.
STACK_vmm       := $(call lib,vmm) $(call lib,ctl) $(STACK_switch)
LD_switch    =
LD_teaming   =
LD_vnic      = $(DPDK_LD)
LD_dataplane = $(DPDK_LD) -lpcap
LD_ctl       = $(DPDK_LD) -lpcap $(CTL_LD) -levent_pthreads $(NL_LD)
LD_vmm       = $(CTL_LD) $(VMM_LD)

BIN := $(O)/vswitchd $(O)/vswitchctl $(if $(wildcard vmm/main.c),$(O)/vswitch-vm) \
       $(O)/vswitch-guest

all: $(BIN)

$(O)/vswitchd: $(O)/ctl/vswitchd.o $(STACK_ctl)
	$(CC) $(SANFLAGS) -o $@ $^ $(LD_ctl) -pthread

# Only the client half: what would need DPDK does not link.
$(O)/vswitchctl: $(O)/ctl/vswitchctl.o $(call lib,ctl) $(STACK_switch)
	$(CC) $(SANFLAGS) -o $@ $^ $(CTL_LD)

$(O)/vswitch-vm: $(O)/vmm/main.o $(STACK_vmm)
	$(CC) $(SANFLAGS) -o $@ $^ $(LD_vmm) -pthread

define folder_rules
$(O)/lib$(1).a: $(call objs,$(call src,$(1)))
	@rm -f $$@
	ar rcs $$@ $$^
$(O)/$(1)/%.o: $(1)/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(BASE) $$(CF_$(1)) -c -o $$@ $$<
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# ---- the own guest: no libc, no sanitizers, at an address of its own -----------------------------
GUEST_CF  := -std=gnu11 -O2 $(WARN) -MMD -MP -I. -ffreestanding -fno-pic -fno-stack-protector \
             -fcf-protection=none -mno-red-zone -march=x86-64
GUEST_LD  := -nostdlib -static -no-pie -Wl,-T,vmm/guest/guest.lds,--build-id=none \
             -Wl,--no-warn-rwx-segments
GUEST_OBJ := $(patsubst vmm/guest/%,$(O)/guest/%.o,$(wildcard vmm/guest/*.c vmm/guest/*.S))

$(O)/vswitch-guest: $(GUEST_OBJ) vmm/guest/guest.lds
	gcc $(GUEST_LD) -o $@ $(GUEST_OBJ)
# Ring 0 may be emulated, by an emulator of general registers only.
$(O)/guest/ring0.c.o: GUEST_CF += -mgeneral-regs-only
$(O)/guest/%.o: vmm/guest/%
	@mkdir -p $(@D)
	gcc $(GUEST_CF) -c -o $@ $<

# ---- tests ---------------------------------------------------------------------------------------
# tests/unit/test_forward.c tests switch/forward.c, and links no more than switch/ may use; so does
# test_forward_vlan.c, since there is no file forward_vlan.
UNIT_SRC    := $(wildcard tests/unit/test_*.c)
HOSTILE_SRC := $(wildcard tests/hostile/test_*.c)
# With sanitizers, and once more without them: then monitors have their sandbox.
HOSTILE_SH  := $(wildcard tests/hostile/test_*.sh)
RACE_SRC    := $(wildcard tests/race/test_*.c)
INTEG_SRC   := $(wildcard tests/integration/test_*.c)
BENCH_SRC   := $(wildcard tests/bench/*.c)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
SUPPORT     := $(O)/libsupport.a
bins         = $(patsubst %.c,$(O)/%,$(1))
linked       = $(filter %.o,$(1)) $(filter-out %.o,$(1))

# A fake takes the place of code of ours, in the programs that include it and in no other.
FAKES       := tests/support/fake_interface tests/support/fake_kvm
faked        = $(call bins,$(shell grep -l '"$(1).h"' tests/*/test_*.c))

$(SUPPORT): $(call objs,$(filter-out $(FAKES:=.c),$(wildcard tests/support/*.c)))
	@rm -f $@
	ar rcs $@ $^
$(foreach f,$(FAKES),$(eval $(call faked,$(f)): $(O)/$(f).o))
$(O)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(CF_tests) -c -o $@ $<

named        = $(wildcard $(1).c $(1).h)
folders_with = $(foreach f,$(FOLDERS),$(if $(call named,$(f)/$(1))$(call named,$(f)/*/$(1)),$(f)))
folder_of = $(firstword $(call folders_with,$(1)) \
                        $(call folders_with,$(firstword $(subst _, ,$(1)))))
define unit_rule
$(O)/tests/unit/test_$(1): $(O)/tests/unit/test_$(1).o $(SUPPORT) \
                           $(STACK_$(call folder_of,$(1)))
	$$(CC) $$(SANFLAGS) -o $$@ $$(call linked,$$^) $$(LD_$(call folder_of,$(1))) \
	    -lcmocka -pthread
endef
$(foreach t,$(patsubst tests/unit/test_%.c,%,$(UNIT_SRC)),$(eval $(call unit_rule,$(t))))

# Of the guest, what is pure is tested on the host.
$(O)/tests/unit/test_guest_answer: $(call objs,vmm/guest/answer.c vmm/guest/packet.c \
                                     vmm/guest/ping.c)

WHOLE_SRC := $(HOSTILE_SRC) $(RACE_SRC) $(INTEG_SRC) $(BENCH_SRC)
# test_vmm_*.c are the monitor's, which knows nothing of the switch: no DPDK.
WHOLE_VMM := $(call bins,$(foreach t,$(WHOLE_SRC),$(if $(filter test_vmm_%,$(notdir $(t))),$(t))))
WHOLE     := $(filter-out $(WHOLE_VMM),$(call bins,$(WHOLE_SRC)))
$(WHOLE): %: %.o $(SUPPORT) $(STACK_ctl)
	$(CC) $(SANFLAGS) -o $@ $(call linked,$^) $(LD_ctl) -lcmocka -pthread
$(WHOLE_VMM): %: %.o $(SUPPORT) $(STACK_vmm)
	$(CC) $(SANFLAGS) -o $@ $(call linked,$^) $(LD_vmm) -lcmocka -pthread

# Fuzz targets are built by clang, from sources, with the fuzzer's own coverage in all of them.
FUZZ_CF := -O1 -g -std=gnu11 -I. -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
           -fno-sanitize-recover=undefined -DVSWITCH_VERSION='"$(VERSION)"'
build/fuzz/%: tests/fuzz/%.c $(wildcard switch/*.[ch] teaming/*.[ch] vnic/*.[ch] ctl/*.[ch] \
                                        ctl/*/*.[ch] vmm/*.[ch] tests/support/*.[ch])
	@mkdir -p $(@D)
	clang $(FUZZ_CF) $(DPDK_CF) $(ARCH) $(CTL_CF) -o $@ $< \
	    $$(sed -n 's|^ \* fuzz-sources: *||p' $<) $(DPDK_LD) $(CTL_LD)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRC))

# Process 1 of the monitor's Linux guests, and their kernel: that is built once, outside of here.  A
# test that needs it says so if it could not be.
$(O)/linux-init: tests/support/linux/init.c
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -s $(WARN) -D_GNU_SOURCE -march=x86-64 -static -o $@ $<
linux-kernel:
	@[ ! -w /dev/kvm ] || tests/support/linux/kernel.sh >/dev/null || true

unit-bin: $(call bins,$(UNIT_SRC))
hostile-bin: $(call bins,$(HOSTILE_SRC)) $(BIN)
race-bin: $(call bins,$(RACE_SRC))
integration-bin: $(call bins,$(INTEG_SRC)) $(BIN) $(O)/linux-init
bench-bin: $(call bins,$(BENCH_SRC)) $(BIN)
fuzz-bin: $(FUZZ_BIN)

lint:
	@tests/lint.sh
unit:
	$(MAKE) SAN=asan unit-bin
	@tests/run.sh $(patsubst %.c,build/asan/%,$(UNIT_SRC))
hostile:
	$(MAKE) SAN=asan hostile-bin
	@VSWITCH_BIN=build/asan tests/run.sh $(patsubst %.c,build/asan/%,$(HOSTILE_SRC)) $(HOSTILE_SH)
race:
	$(MAKE) SAN=tsan race-bin
	@tests/run.sh $(patsubst %.c,build/tsan/%,$(RACE_SRC))
integration: integration-bin bench-bin linux-kernel
	@VSWITCH_BIN=build tests/run.sh $(patsubst %.c,build/%,$(INTEG_SRC)) \
	    $(wildcard tests/integration/test_*.sh)

# Everything; one line at the end.  The build runs before the first test, so that a broken tree
# fails before it has cost anybody's time.
test: deps-test
	$(MAKE) all integration-bin bench-bin
	$(MAKE) SAN=asan unit-bin hostile-bin
	$(MAKE) SAN=tsan race-bin
	$(MAKE) fuzz-bin linux-kernel
	@tests/run.sh tests/lint.sh \
	    $(patsubst %.c,build/asan/%,$(UNIT_SRC)) \
	    $(patsubst %.c,build/tsan/%,$(RACE_SRC)) \
	    SAN=asan $(patsubst %.c,build/asan/%,$(HOSTILE_SRC)) $(HOSTILE_SH) \
	    SAN= $(HOSTILE_SH) tests/fuzz/replay.sh \
	    $(patsubst %.c,build/%,$(INTEG_SRC)) $(wildcard tests/integration/test_*.sh)

SECONDS ?= 600
fuzz: deps-test
	$(MAKE) fuzz-bin
	@tests/fuzz/run.sh $(SECONDS)

bench: deps-bench
	$(MAKE) bench-bin
	@tests/bench/run.sh $(BENCH)
	@tests/bench/run.sh --scale $(BENCH_SCALE)
	@tests/bench/wire.sh $(BENCH_WIRE)
	@tests/bench/vm.sh $(BENCH_VM)

# The same numbers every time, so that a change of the hot path is seen without noise.
instructions: deps-instructions
	$(MAKE) $(O)/tests/bench/instructions
	@BENCH_TOOLS=$(O)/tests/bench tests/bench/instructions.py $(INSTRUCTIONS)

demo: deps-demo
	$(MAKE) all
	@tests/integration/demo.sh

# ---- packages, Debian's only ---------------------------------------------------------------------
PKG_BUILD := gcc libc6-dev binutils pkg-config libdpdk-dev libpcap-dev libjansson-dev \
             libevent-dev libsystemd-dev libnl-3-dev libseccomp-dev
PKG_DEMO  := $(PKG_BUILD) tcpdump
# Real Linux guests under QEMU: in the tests, and in the demo where there is no KVM.
PKG_QEMU  := qemu-system-x86 busybox-static cpio xz-utils kmod
PKG_TEST  := $(PKG_DEMO) $(PKG_QEMU) libcmocka-dev clang libclang-rt-14-dev llvm-14 tshark \
             dpdk-dev iproute2 iputils-ping iperf3 ethtool python3 python3-scapy acpica-tools \
             make flex bison bc libelf-dev lz4 openvswitch-switch
PKG_BENCH := $(PKG_BUILD) libcmocka-dev dpdk-dev openvswitch-switch-dpdk python3 iproute2 ethtool \
             qemu-system-x86
PKG_INSTR := $(PKG_BUILD) libcmocka-dev python3 valgrind
deps:
	@tests/support/deps.sh $(PKG_BUILD)
deps-demo:
	@tests/support/deps.sh $(PKG_DEMO)
deps-demo-qemu:
	@tests/support/deps.sh $(PKG_DEMO) $(PKG_QEMU)
deps-test:
	@tests/support/deps.sh $(PKG_TEST)
deps-bench:
	@tests/support/deps.sh $(PKG_BENCH)
deps-instructions:
	@tests/support/deps.sh $(PKG_INSTR)

# ---- installation --------------------------------------------------------------------------------
install: all
	install -D -m 755 $(O)/vswitchd   $(DESTDIR)$(PREFIX)/sbin/vswitchd
	install -D -m 755 $(O)/vswitchctl $(DESTDIR)$(PREFIX)/bin/vswitchctl
	install -D -m 755 $(O)/vswitch-vm $(DESTDIR)$(PREFIX)/bin/vswitch-vm
	install -D -m 644 $(O)/vswitch-guest $(DESTDIR)$(PREFIX)/share/vswitch/vswitch-guest
	install -D -m 644 ctl/man/vswitchd.8   $(DESTDIR)$(PREFIX)/share/man/man8/vswitchd.8
	install -D -m 644 ctl/man/vswitchctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/vswitchctl.8
	install -D -m 644 ctl/vswitchctl.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vswitchctl
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' ctl/vswitchd.service.in \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/vswitchd.service

clean:
	rm -rf build

.PHONY: all lint unit hostile race integration test fuzz bench instructions demo deps deps-demo \
        deps-demo-qemu deps-test deps-bench deps-instructions install clean unit-bin hostile-bin \
        race-bin integration-bin bench-bin fuzz-bin \
        linux-kernel
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
