/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a model to what workers read: compile a fabric, publish it, and let go of the one before.
 *
 * control_commit() does it for a changed model.  Others publish the same model anew: captures that
 * come or go, and queues that move to another worker.
 * Thread: control, for everything here.
 */
#ifndef CTL_PUBLISH_H
#define CTL_PUBLISH_H

#include "ctl/control.h"

/** The fabric of @p model, with the captures that watch it.  @return owned; NULL, a sentence */
struct fabric *publish_compile(struct control *control, const struct vswitch_model *model,
                               const struct control_resources *resources, struct error *error);
/** Frees a fabric that is not published.  NULL is fine. */
void publish_drop(struct fabric *fabric);
/** Publishes @p fabric (takes it), waits until no worker has the one before, and frees that. */
void publish_now(struct control *control, struct fabric *fabric);

/** Publishes the model in force anew, for captures that came or went.  @return 0 or -ENOMEM */
int publish_again(struct control *control, struct error *error);

/**
 * Publishes the model in force twice: with queues that move owned by nobody, and with @p after.
 *
 * @param between  as control->balance has them now, but for the queues that move
 * @param after    what the balance is to say from now on, once this has succeeded
 * @return 0, or -ENOMEM with nothing changed
 */
int publish_moves(struct control *control, const struct fabric_owners *between,
                  const struct fabric_owners *after, struct error *error);

#endif
