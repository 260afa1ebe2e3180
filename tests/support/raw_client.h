/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control channel that sends what it likes: bytes, not requests.
 *
 * Waiting in vain, for RAW_WAIT_MS, fails the test that waits.
 */
#ifndef TESTS_SUPPORT_RAW_CLIENT_H
#define TESTS_SUPPORT_RAW_CLIENT_H

#include <stddef.h>

#define RAW_WAIT_MS      20000
#define RAW_LIST_REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"switch.list\"}\n"

/** @return a connected socket, or a negative errno */
int raw_connect(const char *path);

/** Sends all, or as much as the daemon takes before it closes. */
void raw_send(int fd, const char *bytes, size_t len_bytes);
void raw_send_text(int fd, const char *text);

/** Reads one line.  @return owned, or NULL at the end of the stream */
char *raw_line(int fd);

/** Reads one line, which has @p part in it. */
void raw_expect(int fd, const char *part);

/** Waits for the end of the stream, with nothing before it, and closes @p fd. */
void raw_expect_end(int fd);

#endif
