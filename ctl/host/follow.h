/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Follows the interfaces of switches while they are in use: gone, back, carrier lost and found.
 *
 * An event only says where to look.  What is found may take an interface out of the fabric or put
 * it in: then a new one is published, and what only the old one used is given up after the grace
 * period, as with every change; the model stays as it is.  An interface that went and came back
 * between two looks is seen as both, because it is another.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H

#include "switch/error.h"

struct control;
struct follow;

/** @return owned, or NULL with a sentence */
struct follow *follow_create(struct control *control, struct error *error);
void follow_destroy(struct follow *follow);                    /* NULL is fine */

/**
 * Looks at what nobody tells of, and publishes what could not be for want of memory.  Call it once
 * a second, and when a change is published, which may want an uplink opened anew.
 */
void follow_tick(struct follow *follow);

#endif
