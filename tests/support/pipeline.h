/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shell pipeline beside a test, with the test's own environment, in a process group of its own.
 */
#ifndef TESTS_SUPPORT_PIPELINE_H
#define TESTS_SUPPORT_PIPELINE_H

#include <stdint.h>
#include <sys/types.h>

struct pipeline {
    pid_t pid;                     /* of the shell, and its group; 0: ended */
};

/** Starts /bin/sh with @p command; it ends with the test.  @return 0 or -errno */
int pipeline_start(struct pipeline *pipeline, const char *command);
/** @return its exit status, 128 + signal, or -ETIMEDOUT after @p ms, when it was killed */
int pipeline_wait(struct pipeline *pipeline, uint32_t ms);
/** Sends a signal to all of its processes. */
void pipeline_signal(const struct pipeline *pipeline, int signal_number);

#endif
