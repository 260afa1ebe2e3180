/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ctrl-C, counted: commands that go on until they are told to stop end by their own rules.
 *
 * The signals are blocked but while something waits, so that one which comes just before a wait
 * ends that wait, and no moment is left in which it would be missed.
 */
#ifndef CTL_CLI_INTERRUPT_H
#define CTL_CLI_INTERRUPT_H

#include <poll.h>
#include <stdbool.h>
#include <time.h>

/** From now on SIGINT, SIGTERM and SIGHUP are counted, and SIGPIPE is ignored. */
void cli_interrupt_catch(void);

/** How many have come. */
unsigned cli_interrupt_count(void);

/** Sleeps so long, or until one comes. */
void cli_interrupt_sleep(const struct timespec *time);

/**
 * Waits until one of @p fds is ready as poll() has it, or a signal comes.
 * @return whether one is; after a signal the revents are all 0
 */
bool cli_interrupt_poll(struct pollfd *fds, unsigned count);

/** The same, at most so long; NULL: for ever. */
bool cli_interrupt_poll_for(struct pollfd *fds, unsigned count, const struct timespec *time);

#endif
