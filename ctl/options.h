/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's command line, checked.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/log.h"
#include "dataplane/dataplane.h"

#define OPTIONS_DEFAULT_RUN_DIR   "/run/vswitch"
#define OPTIONS_DEFAULT_STATE_DIR "/var/lib/vswitch"
#define OPTIONS_PCI_MAX           32u

struct options {
    const char *run_dir;           /* borrowed from argv, as all texts here */
    const char *state_dir;
    const char *group;             /* NULL: none */
    const char *pci[OPTIONS_PCI_MAX];
    uint16_t pci_count;
    uint16_t cores[DATAPLANE_MAX_WORKERS];
    uint16_t core_count;
    uint32_t memory_mib;           /* 0: DPDK's least */
    bool no_huge;
    enum log_level log_level;
};

enum options_outcome {
    OPTIONS_RUN,
    OPTIONS_DONE,                  /* help or version was asked for and printed */
    OPTIONS_WRONG,                 /* a sentence was printed */
};

/** Reads the command line, and which cores this process may use.  Thread: main, first. */
enum options_outcome options_parse(int argc, char **argv, struct options *options);

#endif
