/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker polls which queue, as the load has it: once a second the busiest is relieved.
 *
 * switch/spread.h says which queues to move.  This reads what it needs, and moves by publishing
 * twice: first a fabric in which nobody polls them, and when every worker has let go of the one
 * before, one in which the new worker does.  So a queue never has two pollers, and its frames stay
 * in order.  What has moved rests for BALANCE_REST_S, so that a load that comes and goes does not
 * send a queue back and forth.
 *
 * Nothing of it is kept on disk: a daemon that starts begins with queues spread by turns.
 * Thread: control, for everything here.
 */
#ifndef CTL_BALANCE_H
#define CTL_BALANCE_H

#include <stdint.h>

#include "switch/fabric.h"

#define BALANCE_REST_S 10u

struct balance;
struct control;

/** @return owned, or NULL when memory is short */
struct balance *balance_create(struct control *control);
void balance_destroy(struct balance *balance);                 /* NULL is fine */

/** What has been decided so far; borrowed, changes in balance_tick() only. */
const struct fabric_owners *balance_owners(const struct balance *balance);

/** Looks at the second that has passed, and moves what is worth it. */
void balance_tick(struct balance *balance, uint32_t now_s);

#endif
