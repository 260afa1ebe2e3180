/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define COMMAND_SIZE 4096
#define MUST_S       20u

__attribute__((format(printf, 3, 0)))
static int run(struct shell_outcome *outcome, unsigned seconds, const char *format, va_list args)
{
    char command[COMMAND_SIZE];
    int used = snprintf(command, sizeof(command), "exec 2>&1; timeout %u ", seconds);
    size_t len;
    FILE *pipe;
    int status;

    (void)vsnprintf(command + used, sizeof(command) - (size_t)used, format, args);
    memset(outcome, 0, sizeof(*outcome));
    pipe = popen(command, "re");
    if (pipe == NULL) {
        outcome->status = 127;
        return outcome->status;
    }
    len = fread(outcome->output, 1, sizeof(outcome->output) - 1, pipe);
    outcome->output[len] = '\0';
    status = pclose(pipe);
    outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome->status;
}

int shell_run(struct shell_outcome *outcome, unsigned seconds, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)run(outcome, seconds, format, args);
    va_end(args);
    return outcome->status;
}

void shell_must(const char *format, ...)
{
    struct shell_outcome outcome;
    char command[COMMAND_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (shell_run(&outcome, MUST_S, "%s", command) != 0) {
        fail_msg("%s: status %d: %s", command, outcome.status, outcome.output);
    }
}
