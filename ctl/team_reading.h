/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team as it is at one moment: its members' interfaces, what these counted, and which carry.
 *
 * Thread: control.
 */
#ifndef CTL_TEAM_READING_H
#define CTL_TEAM_READING_H

#include <stdint.h>

#include "ctl/control.h"
#include "ctl/port_reading.h"
#include "teaming/team.h"

struct team_member_reading {
    const struct vswitch_member *member;   /* the model's */
    struct port_reading port;
    struct team_member_status status;      /* lacp has a meaning in LACP mode only */
};

struct team_reading {
    uint8_t primary;                       /* among those below; TEAM_NO_MEMBER: none carries */
    uint32_t failovers;                    /* a member that carried was lost, since it was made */
    uint64_t lost_pdus;                    /* frames of slow protocols that came too fast */
    unsigned count;                        /* members there are */
    struct team_member_reading member[TEAM_MEMBERS_MAX];
};

/** Reads @p team.  May ask the kernel. */
void team_reading_take(const struct control *control, const struct vswitch_team *team,
                       struct team_reading *reading);

#endif
