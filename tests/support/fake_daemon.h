/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon with a control channel and nothing behind it, in a thread of the test.
 *
 * The server and the method table are the real ones, so what is tested against it holds for
 * vswitchd; the answers are made up:
 *
 *   switch.list           two switches: lan and dmz
 *   switch.show NAME      "lan" with two ports, and a drop of one that was removed; any other
 *                         name is refused with ENOENT
 *   vnic.list             web0 and web1
 *   vnic.show NAME        "web0", attached
 *   mac.show NAME         FAKE_MACS addresses, about FAKE_MACS * 90 bytes
 *   stats.show            the ports of lan, whose counters grow by 1000 frames a call
 *   capture.start         a stream of FAKE_HEAD; with "frames" it ends there; else capture.stop
 *                         ends it with FAKE_TAIL
 *   capture.result        says it still runs once, then tells its numbers
 *   daemon.show           one worker
 *   daemon.stop           ends the thread after its reply
 */
#ifndef TESTS_SUPPORT_FAKE_DAEMON_H
#define TESTS_SUPPORT_FAKE_DAEMON_H

#include "ctl/rpc_server.h"

#define FAKE_MACS 20000
#define FAKE_HEAD "the stream begins;"
#define FAKE_TAIL "the stream ends."

struct fake_daemon;

/**
 * Starts one in a directory of its own; a failure ends the test.
 *
 * @param limits  its group and limits are taken over; NULL for the defaults
 */
struct fake_daemon *fake_daemon_start(const struct rpc_server_config *limits);

/** Ends it and removes its directory.  NULL is fine. */
void fake_daemon_stop(struct fake_daemon *fake);

/** The run directory, to be given to client_connect() or --run-dir. */
const char *fake_daemon_dir(const struct fake_daemon *fake);

/** The control socket's path. */
const char *fake_daemon_path(const struct fake_daemon *fake);

/** How many handlers have run. */
unsigned fake_daemon_calls(const struct fake_daemon *fake);

/** How often a capture's socket came, or did not (-1). */
unsigned fake_daemon_sockets_taken(const struct fake_daemon *fake);
unsigned fake_daemon_sockets_lost(const struct fake_daemon *fake);

#endif
