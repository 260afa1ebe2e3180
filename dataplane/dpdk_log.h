/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's own log, handed to the daemon's.
 *
 * DPDK writes to standard error and to syslog by itself, in its own shape; a daemon has one log.
 * What its libraries say of a guest can be brought about by that guest as often as it likes, so at
 * most DPDK_LOG_LINES_A_SECOND are handed on, with a line that counts the others.
 */
#ifndef DATAPLANE_DPDK_LOG_H
#define DATAPLANE_DPDK_LOG_H

#define DPDK_LOG_LINES_A_SECOND 20u

/** Takes one line without its newline; borrowed.  Thread: any, one at a time. */
typedef void (*dpdk_log_line)(const char *line);

/** Hands on every message to @p line.  @return 0 or -ENOMEM.  Thread: main, before DPDK starts. */
int dpdk_log_start(dpdk_log_line line);

#endif
