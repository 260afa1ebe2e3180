/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `capture start`: from the daemon's stream to a file or a pipe.
 *
 * The reply to capture.start is the last line of its connection; pcapng follows until the capture
 * has ended.  Only then is its result final, and it is asked for on a connection of its own.  So on
 * Ctrl-C the daemon is told to stop, and what is still on its way is written before this ends: a
 * capture that is interrupted is a whole file.  A second Ctrl-C does not wait.
 */
#ifndef CTL_CLI_CAPTURE_H
#define CTL_CLI_CAPTURE_H

#include "ctl/cli/cli_words.h"
#include "switch/error.h"

/**
 * Runs a capture to its end and prints its summary: on standard output, or on standard error when
 * the frames themselves went to standard output.
 *
 * @return what to exit with; but for CLI_DONE there is a sentence in @p error
 */
enum cli_status cli_capture(const struct cli_command *command, struct error *error);

#endif
