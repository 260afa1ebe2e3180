/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between control and the keeper of teams: what has been published, their members as they stand and
 * whose addresses are behind them; and, the other way, that the host's own have moved.
 * For control.c and notices.c only.  Thread: control.
 */
#ifndef CTL_TEAMS_H
#define CTL_TEAMS_H

#include "ctl/control.h"

/** Before @p wanted is published: what goes with it carries nothing any more. */
void teams_prepare(struct control *control, const struct vswitch_model *wanted);
/** After each publishing, and before anything is given back. */
void teams_tell(struct control *control, const struct vswitch_model *model,
                const struct control_resources *resources);

/** Has the host announce its addresses that are behind another member of a team now. */
void teams_announce_host(struct control *control);

#endif
