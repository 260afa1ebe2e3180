/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/team_reading.h"

#include <string.h>

/* What the team makes of member @p number. */
static void take_status(const struct control *control, const struct vswitch_team *team,
                        unsigned number, struct team_member_status *status)
{
    status->carries = port_reading_is_open(control, team->member[number].port);
    status->why = status->carries ? "" : "its interface is gone or has no carrier";
}

void team_reading_take(const struct control *control, const struct vswitch_team *team,
                       struct team_reading *reading)
{
    memset(reading, 0, sizeof(*reading));
    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        struct team_member_reading *each = &reading->member[reading->count];
        struct vswitch_port port;

        if (team->member[m].where[0] == '\0') {
            continue;
        }
        each->member = &team->member[m];
        (void)vswitch_port_at(control->model, each->member->port, &port);
        port_reading_take(control, &port, &each->port);
        take_status(control, team, m, &each->status);
        reading->count++;
    }
}
