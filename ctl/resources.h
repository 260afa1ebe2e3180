/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands behind a model at run time: address tables and what they pin, uplinks, the host's
 * adapters, vNICs and their sockets.
 *
 * The three steps of a commit that touch them.  Making compares two models and makes what is new
 * next to what is there; then either it is undone, or the fabric is published and what only the old
 * model used is given back.  What stands in both is kept and may be changed (an MTU, an address, an
 * owner); undoing changes it back.  For control.c only.
 */
#ifndef CTL_RESOURCES_H
#define CTL_RESOURCES_H

#include "ctl/control.h"

/**
 * Fills @p made with what @p wanted needs: what stands already, and what is made anew.
 *
 * @return 0, or a negative errno and a sentence; also then resources_undo() is to be called
 */
int resources_make(struct control *control, const struct vswitch_model *wanted,
                   struct control_resources *made, struct error *error);

/** Gives back what resources_make() made, however far it came. */
void resources_undo(struct control *control, const struct vswitch_model *wanted,
                    struct control_resources *made);

/**
 * Puts @p made in the place of control->resources and gives back what only control->model used.
 * A fabric of @p wanted is published, and no worker uses an older one.
 */
void resources_settle(struct control *control, const struct vswitch_model *wanted,
                      const struct control_resources *made);

#endif
