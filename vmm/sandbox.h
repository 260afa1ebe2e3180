/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left to each kind of thread once it serves a guest: its own list of system calls.
 *
 * In stages, each before the guest can reach what it protects: a jail (an empty root, another user,
 * when started by root) and no new privileges before the guest's first instruction; then each
 * thread its filter as its first act.  A call that is not on the list ends the process: a monitor
 * that does something it never does is no longer ours.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <sys/types.h>

#include "switch/error.h"

enum sandbox_thread { SANDBOX_MAIN, SANDBOX_VCPU, SANDBOX_DISK, SANDBOX_THREAD_COUNT };

struct sandbox_config {
    const char *jail;              /* a directory, made empty; NULL: none */
    uid_t uid;                     /* (uid_t)-1: as it is */
    gid_t gid;
};

/** For the whole process, after every file is open.  @return 0; -errno with a sentence.  Main. */
int sandbox_close_in(const struct sandbox_config *config, struct error *error);
/** For the calling thread.  @return 0 or -errno */
int sandbox_enter(enum sandbox_thread kind);

#endif
