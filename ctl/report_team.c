/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Teams: their settings, and their members as these stand now.
 */
#include "ctl/report.h"

#include "ctl/team_reading.h"

/* ---- what `team list` says ------------------------------------------------------------------- */

json_t *report_members(const struct vswitch_team *team, bool standby)
{
    json_t *list = json_array();

    for (unsigned m = 0; m < TEAM_MEMBERS_MAX && list != NULL; m++) {
        const struct vswitch_member *member = &team->member[m];

        if (member->where[0] != '\0' && member->standby == standby &&
            json_array_append_new(list, json_string(member->where)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* What there is to say of a team by itself. */
static json_t *setting_json(const struct control *control, const struct vswitch_team *team)
{
    const struct vswitch_switch *of = vswitch_of_team(control->model, team);
    const struct team_setting *setting = &team->setting;

    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", team->name,
                     "mode", team_mode_word(setting->mode),
                     "balance", team_balance_word(setting->balance),
                     "hash", team_hash_word(setting->hash),
                     "uplink_of", report_text(of != NULL ? of->name : ""));
}

json_t *report_team(const struct control *control, const struct vswitch_team *team)
{
    return report_join(setting_json(control, team),
                       json_pack("{s:o, s:o}", "members", report_members(team, false),
                                 "standby", report_members(team, true)));
}

/* ---- LACP ------------------------------------------------------------------------------------ */

static json_t *end_json(const struct lacp_end *end)
{
    return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i}", "system", report_mac(end->system_mac),
                     "system_priority", end->system_priority, "key", end->key,
                     "port", end->port, "port_priority", end->port_priority,
                     "state", end->state);
}

/* Null where no LACP is spoken. */
static json_t *lacp_json(const struct team_member_reading *member)
{
    const struct lacp_status *lacp = &member->status.lacp;

    if (member->port.port.team->setting.mode != TEAM_LACP || lacp->mux == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I}",
                     "mux", lacp->mux, "receive", lacp->receive, "why", lacp->why,
                     "collecting", lacp->collecting, "distributing", lacp->distributing,
                     "actor_churn", lacp->actor_churn, "partner_churn", lacp->partner_churn,
                     "actor", end_json(&lacp->actor), "partner", end_json(&lacp->partner),
                     "pdus_in", (json_int_t)lacp->pdus_in, "pdus_out", (json_int_t)lacp->pdus_out,
                     "pdus_bad", (json_int_t)lacp->pdus_bad,
                     "markers_in", (json_int_t)lacp->markers_in);
}

/* ---- members --------------------------------------------------------------------------------- */

/* How much of what the team sent in the last second went by a member; null when it sent nothing. */
static json_t *share_json(const struct team_reading *reading, const struct rate *rate)
{
    double all_bps = 0;

    for (unsigned i = 0; i < reading->count; i++) {
        all_bps += (double)reading->member[i].port.rate.to_bits_per_s;
    }
    return all_bps == 0 ? json_null()
                        : json_integer((json_int_t)(100 * (double)rate->to_bits_per_s / all_bps +
                                                    0.5));
}

static json_t *member_json(const struct vswitch_switch *of, const struct team_reading *reading,
                           unsigned number)
{
    const struct team_member_reading *member = &reading->member[number];
    const struct uplink_status *uplink = &member->port.status.uplink;
    const struct team_member_status *status = &member->status;
    json_t *more = json_pack("{s:b, s:b, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o}",
                             "standby", member->member->standby, "carrier", uplink->carrier,
                             "active", status->carries, "why", report_text(status->why),
                             "up_in_ms", (json_int_t)status->up_in_ms,
                             "speed_mbps", uplink->speed_mbps == 0
                                               ? json_null()
                                               : json_integer(uplink->speed_mbps),
                             "driver", report_text(uplink->driver),
                             "device", report_text(uplink->device),
                             "note", report_text(uplink->note),
                             "carrier_losses", (json_int_t)uplink->carrier_losses,
                             "share_percent", share_json(reading, &member->port.rate),
                             "lacp", lacp_json(member));

    return report_join(report_port(of, &member->port), more);
}

/* ---- what `team show` says ------------------------------------------------------------------- */

static json_t *primary_json(const struct team_reading *reading)
{
    return reading->primary == TEAM_NO_MEMBER
               ? json_null() : json_string(reading->member[reading->primary].member->where);
}

json_t *report_team_whole(const struct control *control, const struct vswitch_team *team)
{
    const struct vswitch_switch *of = vswitch_of_team(control->model, team);
    const struct team_setting *setting = &team->setting;
    struct team_reading reading;
    json_t *members = json_array();
    unsigned active = 0;

    team_reading_take(control, team, &reading);
    for (unsigned i = 0; i < reading.count; i++) {
        active += reading.member[i].status.carries;
        if (json_array_append_new(members, member_json(of, &reading, i)) != 0) {
            json_decref(members);
            return NULL;
        }
    }
    return report_join(setting_json(control, team),
                       json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:o, s:I, s:I, "
                                 "s:o}",
                                 "mtu", (json_int_t)vswitch_team_mtu(control->model, team),
                                 "force", team->force,
                                 "flowlet_gap_ms", (json_int_t)setting->gap_ms,
                                 "rebalance_ms", (json_int_t)setting->rebalance_ms,
                                 "imbalance_percent", (json_int_t)setting->imbalance_percent,
                                 "up_delay_ms", (json_int_t)setting->up_delay_ms,
                                 "lacp_rate", setting->lacp_slow ? "slow" : "fast",
                                 "lacp_activity", setting->lacp_passive ? "passive" : "active",
                                 "active_count", (json_int_t)active,
                                 "primary", primary_json(&reading),
                                 "failovers", (json_int_t)reading.failovers,
                                 "lost_pdus", (json_int_t)reading.lost_pdus,
                                 "members", members));
}
