/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupts;
static sigset_t while_waiting;         /* the signals that are blocked while something waits */

static void on_signal(int number)
{
    (void)number;
    interrupts++;
}

void cli_interrupt_catch(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t counted;

    (void)sigemptyset(&counted);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigaddset(&counted, signals[i]);
        (void)sigaction(signals[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &counted, &while_waiting);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigdelset(&while_waiting, signals[i]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

unsigned cli_interrupt_count(void)
{
    return (unsigned)interrupts;
}

void cli_interrupt_sleep(const struct timespec *time)
{
    (void)ppoll(NULL, 0, time, &while_waiting);
}

bool cli_interrupt_poll(struct pollfd *fds, unsigned count)
{
    return cli_interrupt_poll_for(fds, count, NULL);
}

bool cli_interrupt_poll_for(struct pollfd *fds, unsigned count, const struct timespec *time)
{
    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = 0;
    }
    return ppoll(fds, count, time, &while_waiting) > 0;
}
