/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/team_reading.h"

#include <string.h>

#include "ctl/host/team_keeper.h"

void team_reading_take(const struct control *control, const struct vswitch_team *team,
                       struct team_reading *reading)
{
    struct team_keeper_status keeper;

    memset(reading, 0, sizeof(*reading));
    (void)team_keeper_status(control->keeper, team->id, &keeper);
    reading->primary = TEAM_NO_MEMBER;
    reading->failovers = keeper.failovers;
    reading->lost_pdus = keeper.lost_pdus;
    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        struct team_member_reading *each = &reading->member[reading->count];
        struct vswitch_port port;

        if (team->member[m].where[0] == '\0') {
            continue;
        }
        each->member = &team->member[m];
        (void)vswitch_port_at(control->model, each->member->port, &port);
        port_reading_take(control, &port, &each->port);
        each->status = keeper.member[m];
        if (each->status.why == NULL) {    /* it could not be told of */
            each->status.why = "the daemon is out of memory";
        }
        if (m == keeper.primary) {
            reading->primary = (uint8_t)reading->count;
        }
        reading->count++;
    }
}
