/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/teams.h"

#include <stdlib.h>

#include "ctl/host/link_announce.h"
#include "ctl/host/team_keeper.h"
#include "ctl/host/uplink.h"
#include "ctl/log.h"

static void fill_member(const struct control_resources *resources,
                        const struct vswitch_member *member, struct team_keeper_member *told)
{
    struct uplink_status status;

    if (member->where[0] == '\0' || resources->uplink[member->port] == NULL) {
        return;
    }
    uplink_status(resources->uplink[member->port], &status);
    *told = (struct team_keeper_member){
        .present = true,
        .standby = member->standby,
        .up = status.carrier && resources->endpoint[member->port].kind != FABRIC_PORT_ABSENT,
        .port = member->port,
        .ifindex = status.ifindex,
        .speed_mbps = status.speed_mbps,
        .mac = status.mac,
        .endpoint = resources->endpoint[member->port],
    };
}

/* Those that ports of the switch send from, each as it is tagged outside.  @return owned; NULL */
static struct team_address *addresses(const struct vswitch_model *model, uint16_t switch_id,
                                             const struct control_resources *resources,
                                             size_t *count)
{
    struct team_address *list = NULL;
    struct vswitch_port port;
    struct vlan_facts facts;
    size_t cursor = 0, size = 0;

    *count = 0;
    while (vswitch_port_next(model, switch_id, &cursor, &port)) {
        size += 1u + port.allowed_mac_count;
    }
    list = calloc(size + 1, sizeof(*list));
    cursor = 0;
    while (list != NULL && vswitch_port_next(model, switch_id, &cursor, &port)) {
        struct team_address of = {
            .mac = port.mac,
            .vnic = port.kind == VSWITCH_PORT_VNIC ? resources->endpoint[port.number].at : NULL,
            .port = port.number,
        };

        if (port.mac == 0) {
            continue;
        }
        vlan_facts(port.vlan, &facts);
        of.tci = facts.in;
        list[(*count)++] = of;
        for (uint16_t i = 0; i < port.allowed_mac_count; i++) {
            of.mac = port.allowed_mac[i];
            list[(*count)++] = of;
        }
    }
    return list;
}

/* @param wanted  the model to come, members that it lacks are told as down; NULL: none comes */
static void tell(struct control *control, const struct vswitch_model *model,
                 const struct control_resources *resources, const struct vswitch_team *team,
                 const struct vswitch_model *wanted)
{
    const struct vswitch_team *next = wanted != NULL ? vswitch_team_by_id(wanted, team->id) : team;
    const struct vswitch_switch *of = vswitch_of_team(model, team);
    struct team_keeper_team told = {
        .id = team->id,
        .name = team->name,
        .setting = team->setting,
        .port = resources->team[team->id],
    };
    struct team_address *list = NULL;

    for (unsigned i = 0; i < TEAM_MEMBERS_MAX; i++) {
        fill_member(resources, &team->member[i], &told.member[i]);
        told.member[i].up &= next != NULL && next->member[i].where[0] != '\0' &&
                             next->member[i].port == team->member[i].port;
    }
    if (of != NULL) {
        list = addresses(model, of->id, resources, &told.address_count);
    }
    told.address = list;
    if (team_keeper_tell(control->keeper, &told) != 0) {
        log_error("Team %s: there is no memory left to follow its members", team->name);
    }
    free(list);
}

void teams_tell(struct control *control, const struct vswitch_model *model,
                const struct control_resources *resources)
{
    for (uint16_t id = 0; id < VSWITCH_MAX_TEAMS; id++) {
        if (resources->team[id] == NULL) {
            team_keeper_forget(control->keeper, id);
        }
    }
    for (size_t i = 0; i < model->team_count; i++) {
        tell(control, model, resources, &model->teams[i], NULL);
    }
}

/*
 * By the host's adapter itself: so the announcement goes the way of all its frames, in its VLAN and
 * by the member that is its own.
 */
void teams_announce_host(struct control *control)
{
    uint32_t moved = team_keeper_take_moved(control->keeper);

    for (; moved != 0; moved &= moved - 1) {
        const struct vswitch_team *team = vswitch_team_by_id(control->model,
                                                             (uint16_t)__builtin_ctz(moved));
        const struct vswitch_switch *of = team != NULL ? vswitch_of_team(control->model, team)
                                                       : NULL;

        if (of != NULL && of->host_name[0] != '\0') {
            link_announce_own(control->links, of->host_name);
        }
    }
}

void teams_prepare(struct control *control, const struct vswitch_model *wanted)
{
    const struct vswitch_model *model = control->model;

    for (size_t i = 0; i < model->team_count; i++) {
        tell(control, model, &control->resources, &model->teams[i], wanted);
    }
}
