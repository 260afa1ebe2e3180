/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/pipeline.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int pipeline_start(struct pipeline *pipeline, const char *command)
{
    pipeline->pid = fork();
    if (pipeline->pid < 0) {
        return -errno;
    }
    if (pipeline->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(pipeline->pid, pipeline->pid);
    return 0;
}

int pipeline_wait(struct pipeline *pipeline, uint32_t ms)
{
    int status = 0;
    pid_t ended = 0;

    for (uint32_t i = 0; i <= ms && ended == 0; i++) {
        ended = waitpid(pipeline->pid, &status, WNOHANG);
        if (ended == 0) {
            usleep(1000);
        }
    }
    if (ended == 0) {
        kill(-pipeline->pid, SIGKILL);
        waitpid(pipeline->pid, &status, 0);
    }
    pipeline->pid = 0;
    if (ended == 0) {
        return -ETIMEDOUT;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void pipeline_signal(const struct pipeline *pipeline, int signal_number)
{
    if (pipeline->pid > 0) {
        kill(-pipeline->pid, signal_number);
    }
}
