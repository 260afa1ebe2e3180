/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes up from below: learning notes of the workers, and what happens to the vNICs.
 *
 * Workers cannot be allowed to hold up the control channel, so notes are taken in bounded pieces,
 * one piece a turn of the event loop; a flood of new addresses delays itself and nobody else.  What
 * the vhost thread reports is a bit per port and an eventfd; the log then tells the state of
 * that vNIC, at most once a second each, so that a guest that comes and goes cannot fill the log.
 */
#ifndef CTL_NOTICES_H
#define CTL_NOTICES_H

#include <stdint.h>

#include "dataplane/dataplane.h"
#include "switch/error.h"

struct control;
struct notices;

/* What a worker did in the last whole second. */
struct notices_load {
    struct dataplane_worker_status status;
    double busy_percent;           /* of the time */
    double cycles_per_frame;       /* busy cycles; 0 when no frame passed */
};

/** Readies for reports of vNICs; call before the first is made.  @return owned; NULL, a sentence */
struct notices *notices_create(struct control *control, struct error *error);
void notices_destroy(struct notices *notices);                 /* NULL is fine */

/** Marks @p port as changed.  Thread: any; does not block. */
void notices_port_changed(struct notices *notices, uint16_t port);

/** Forgets what was said of @p port, whose vNIC is gone. */
void notices_forget_port(struct notices *notices, uint16_t port);

/** The load of @p worker in the last whole second that has ended. */
void notices_load(const struct notices *notices, uint16_t worker, struct notices_load *load);

#endif
