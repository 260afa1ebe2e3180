/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor's command line, checked; people mostly let `vswitchctl vm run` write it.
 */
#ifndef VMM_VM_OPTIONS_H
#define VMM_VM_OPTIONS_H

#include "switch/error.h"
#include "vmm/machine.h"

#define VM_OPTIONS_RUN_DIR "/run/vswitch"

struct vm_options {
    struct machine_config machine;
    const char *run_dir;           /* borrowed from argv, as all texts here */
    int ready_fd;                  /* says there whether the guest runs; -1: nowhere */
    bool help, version;            /* asked for, then nothing else was checked */
};

/**
 * Reads the command line; writes into @p argv, where one word has several parts.
 * @return 0; -EINVAL with a sentence
 */
int vm_options_parse(int argc, char **argv, struct vm_options *options, struct error *error);
/** Reads "00:15:5d:01:02:03".  @return 0; -EINVAL with a sentence */
int vm_options_read_mac(const char *text, uint64_t *mac, struct error *error);
/** What --help prints. */
const char *vm_options_help(void);

#endif
