/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left to each kind of thread once it serves a guest: its own list of system calls.
 *
 * In stages, each before the guest can reach what it protects: a jail (an empty root, another user,
 * when started by root), no capabilities and no new privileges before the guest's first
 * instruction; then each thread its filter.  A call that is not on the list ends the process: a
 * monitor that does something it never does is no longer ours.
 *
 * A jail is not quite empty: a NIC connects to the switch anew when that restarts, and the control
 * socket is removed at the end.  Their directories are bound into the jail under the names they
 * have outside, so that a path means the same before and after.  A descriptor of the directory
 * would do as well, but also lead out of the jail.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <sys/types.h>

#include "switch/error.h"

#define SANDBOX_KEEP_MAX 40u

enum sandbox_thread { SANDBOX_MAIN, SANDBOX_VCPU, SANDBOX_DISK, SANDBOX_THREAD_COUNT };

struct sandbox_config {
    const char *jail;              /* a directory, made empty; NULL: none */
    uid_t uid;                     /* (uid_t)-1: as it is */
    gid_t gid;
    unsigned keep_count;
    const char *keep[SANDBOX_KEEP_MAX];    /* absolute paths of directories that stay */
};

/**
 * For the whole process, after every file is open; threads that are there already keep what they
 * have, so there are none.
 * @return 0; -EPERM, -EINVAL, -errno with a sentence.  Thread: main.
 */
int sandbox_close_in(const struct sandbox_config *config, struct error *error);
/**
 * For the calling thread, and those it makes: they have both its filter and their own, so the main
 * thread's has all that the others need.
 * @return 0 or -errno
 */
int sandbox_enter(enum sandbox_thread kind);

#endif
