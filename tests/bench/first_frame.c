/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starts a command, and prints as JSON how long it took from there until its VM's first frame came
 * out of the switch at a port of ours.
 *
 * The clock runs from before the fork of the command to when the port's interrupt has been taken:
 * the switch's way and a wake-up are in the figure, both far below what a VM takes to start.
 * Only a frame of the guest's own kind counts: VMMs and switches announce guests that have not run.
 */
#include "tests/support/bench.h"
#include "tests/support/frontend.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ETHER_TYPE  12u
#define ETHER_LOAD  0x88b5u            /* what the monitor's own guest sends as a load */
#define TIMEOUT_MS  20000
#define FRAME_BYTES 2048u
#define QUIET_MS    10

static const char usage[] =
    "usage: first_frame --port SOCKET -- COMMAND [ARGUMENT]...\n"
    "The command is ended when the frame has come.\n";

static void __attribute__((noreturn)) usage_exit(const char *why)
{
    fprintf(stderr, "first_frame: %s\n%s", why, usage);
    exit(2);
}

static pid_t start(char *const command[])
{
    const pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setsid();                /* cores may be shared by sessions: VMs have their own */
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(command[0], command);
        fprintf(stderr, "first_frame: %s: %m\n", command[0]);
        _exit(127);
    }
    return pid;
}

/* @return whether such a frame has come; else there is a sentence in frontend_error() */
static bool await_frame(struct frontend *port)
{
    uint8_t frame[FRAME_BYTES];
    int len_bytes;

    do {
        len_bytes = frontend_receive(port, FRONTEND_ANY_QUEUE, frame, sizeof(frame), TIMEOUT_MS);
    } while (len_bytes > 0 && (len_bytes < (int)ETHER_TYPE + 2 ||
                               (frame[ETHER_TYPE] << 8 | frame[ETHER_TYPE + 1]) != ETHER_LOAD));
    return len_bytes > 0;
}

int main(int argc, char **argv)
{
    static const struct option known[] = { {"port", 1, NULL, 'p'}, {NULL, 0, NULL, 0} };
    struct frontend_config config = { .socket_path = NULL };
    static struct frontend port;
    uint64_t start_ns, passed_ns;
    int letter;
    pid_t pid;
    bool came;

    while ((letter = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        if (letter != 'p') {
            usage_exit("an option is not known");
        }
        config.socket_path = optarg;
    }
    if (config.socket_path == NULL || optind == argc) {
        usage_exit("a socket and a command are needed");
    }
    if (frontend_open(&port, &config) < 0 || frontend_drain(&port, QUIET_MS) < 0) {
        fprintf(stderr, "first_frame: %s: %s\n", config.socket_path, frontend_error(&port));
        return 1;
    }
    start_ns = bench_now_ns();
    pid = start(argv + optind);
    came = await_frame(&port);
    passed_ns = bench_now_ns() - start_ns;
    if (pid > 0) {
        (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
    }
    if (!came) {
        fprintf(stderr, "first_frame: %s\n", frontend_error(&port));
        return 1;
    }
    printf("{\"first_frame_ms\": %.3f}\n", (double)passed_ns / 1e6);
    frontend_close(&port);
    return 0;
}
