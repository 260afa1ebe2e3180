/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a shell command for a test and keeps what it printed and how it ended.
 */
#ifndef TESTS_SUPPORT_SHELL_H
#define TESTS_SUPPORT_SHELL_H

#define SHELL_OUTPUT_SIZE 8192

struct shell_outcome {
    int status;                    /* exit status; 128 + signal; 124 when the time was over */
    char output[SHELL_OUTPUT_SIZE];   /* both streams, cut */
};

/** Runs a command line for at most @p seconds.  @return outcome->status */
__attribute__((format(printf, 3, 4)))
int shell_run(struct shell_outcome *outcome, unsigned seconds, const char *format, ...);

/** Runs one that must end well, within 20 s, or fails the test with what it printed. */
__attribute__((format(printf, 1, 2)))
void shell_must(const char *format, ...);

#endif
