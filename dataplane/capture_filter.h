/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling a filter expression without trusting it with the caller's time.
 *
 * libpcap looks up host names while it compiles, and its optimizer can take long over an expression
 * that wants it to: on the control thread either would hold everybody.  So it compiles on a thread
 * of its own, and one that is not done in time is left behind and cleans up after itself.
 */
#ifndef DATAPLANE_CAPTURE_FILTER_H
#define DATAPLANE_CAPTURE_FILTER_H

#include <pcap/pcap.h>

#include "switch/error.h"

#define CAPTURE_FILTER_DEADLINE_S 1

/**
 * Compiles @p text for Ethernet frames.
 *
 * @param program  owned when 0 is returned, for pcap_freecode()
 * @return 0; -EINVAL with a sentence that has libpcap's reason; -ETIMEDOUT with a sentence; -ENOMEM
 * Thread: control.  Blocks for CAPTURE_FILTER_DEADLINE_S at most.
 */
int capture_filter_compile(const char *text, struct bpf_program *program, struct error *error);

#endif
