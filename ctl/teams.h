/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells the keeper of teams what has been published: their members as they stand, and whose
 * addresses are behind them.  For control.c only, after each publishing and before anything is
 * given back.  Thread: control.
 */
#ifndef CTL_TEAMS_H
#define CTL_TEAMS_H

#include "ctl/control.h"

void teams_tell(struct control *control, const struct vswitch_model *model,
                const struct control_resources *resources);

#endif
