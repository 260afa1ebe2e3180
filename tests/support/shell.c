/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define COMMAND_SIZE 4096

int shell_run(struct shell_outcome *outcome, unsigned seconds, const char *format, ...)
{
    char command[COMMAND_SIZE];
    int used = snprintf(command, sizeof(command), "exec 2>&1; timeout %u ", seconds);
    size_t len;
    va_list args;
    FILE *pipe;
    int status;

    va_start(args, format);
    (void)vsnprintf(command + used, sizeof(command) - (size_t)used, format, args);
    va_end(args);
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
