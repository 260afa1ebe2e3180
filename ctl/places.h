/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's directories: made, owned by one daemon at a time, and swept.
 *
 * Two daemons on one run directory would take each other's sockets, and on one state directory each
 * other's changes; so each directory holds a lock that the kernel drops when its daemon ends,
 * however it ends.  Who has the locks may remove what a dead daemon left behind.
 */
#ifndef CTL_PLACES_H
#define CTL_PLACES_H

#include <limits.h>

#include "switch/error.h"

struct places {
    char run_dir[PATH_MAX];        /* absolute */
    char state_dir[PATH_MAX];
    int run_lock, state_lock;      /* -1: not held */
};

/**
 * Makes RUN (0755), RUN/vnic (0755) and STATE (0700) where they are missing, locks both, and
 * removes sockets that were left in RUN/vnic.
 *
 * RUN can be entered by all, because each socket in it says itself who may use it.
 *
 * @param places  filled; places_release() gives it back
 * @return 0; -EBUSY with a sentence that names the process that has it; or a negative errno
 */
int places_take(struct places *places, const char *run_dir, const char *state_dir,
                struct error *error);

/** Drops the locks; what has been made stays. */
void places_release(struct places *places);

#endif
