/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeping the host's own stack off an interface whose frames are a switch's.
 *
 * A packet socket gets copies: without more, the host would answer what is meant for a guest that
 * has the same addresses, and could be reached from a network it is no part of.  A chain of
 * nf_tables at the interface's ingress, whose policy is to drop, comes after packet sockets and
 * before everything else of the host.  The table has an owner: whatever ends this process ends the
 * table, and no other program can change it meanwhile.
 *
 * A chain goes by the interface's name.  Since Linux 6.16 it is also there for the next interface
 * of that name, from its first moment on; so it is kept while one is gone that may be back.
 *
 * Thread: control.
 */
#ifndef CTL_EXCLUSIVE_H
#define CTL_EXCLUSIVE_H

#include "switch/error.h"

struct exclusive;

/**
 * @param name, ifindex  of the interface; the table is called "vswitch-NAME-IFINDEX-SERIAL"
 * @return owned; NULL with a clause that says why the host's stack still sees the frames
 */
struct exclusive *exclusive_take(const char *name, int ifindex, struct error *error);
void exclusive_drop(struct exclusive *exclusive);              /* NULL is fine */

#endif
