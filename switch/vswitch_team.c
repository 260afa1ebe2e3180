/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of teams.
 *
 * A member is known by its device: however it is spelled, it keeps its place and its port as long
 * as it is one.  What is set for another mode or balance than the one in force is kept, and holds
 * when that is chosen.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/vswitch_inner.h"

#define GAP_MAX_MS            60000u
#define REBALANCE_MIN_MS      100u
#define REBALANCE_MAX_MS      3600000u
#define IMBALANCE_MAX_PERCENT 1000u
#define UP_DELAY_MAX_MS       3600000u

#define WHERES "name a network interface (eth1), a PCI address (0000:01:00.0) or a device of " \
               "DPDK's (vdev:net_tap0)"

/* ---- looking up ------------------------------------------------------------------------------ */

const struct vswitch_team *vswitch_find_team(const struct vswitch_model *model, const char *name)
{
    for (size_t i = 0; i < model->team_count; i++) {
        if (strcmp(model->teams[i].name, name) == 0) {
            return &model->teams[i];
        }
    }
    return NULL;
}

const struct vswitch_team *vswitch_team_by_id(const struct vswitch_model *model, uint16_t id)
{
    for (size_t i = 0; i < model->team_count; i++) {
        if (model->teams[i].id == id) {
            return &model->teams[i];
        }
    }
    return NULL;
}

const struct vswitch_team *vswitch_team_of(const struct vswitch_model *model,
                                           const struct vswitch_switch *of)
{
    const size_t len = strlen(VSWITCH_TEAM_PREFIX);

    return strncmp(of->uplink, VSWITCH_TEAM_PREFIX, len) == 0
               ? vswitch_find_team(model, of->uplink + len) : NULL;
}

const struct vswitch_switch *vswitch_of_team(const struct vswitch_model *model,
                                             const struct vswitch_team *team)
{
    for (size_t i = 0; i < model->switch_count; i++) {
        if (vswitch_team_of(model, &model->switches[i]) == team) {
            return &model->switches[i];
        }
    }
    return NULL;
}

uint32_t vswitch_team_mtu(const struct vswitch_model *model, const struct vswitch_team *team)
{
    const struct vswitch_switch *of = vswitch_of_team(model, team);

    return of != NULL ? of->mtu_bytes : VSWITCH_MTU_DEFAULT_BYTES;
}

const struct vswitch_team *vswitch_need_team(const struct vswitch_model *model, const char *name,
                                             struct error *error)
{
    const struct vswitch_team *found = vswitch_find_team(model, name);

    if (found == NULL) {
        const struct text_names names = {
            .first = model->team_count > 0 ? model->teams[0].name : NULL,
            .count = model->team_count,
            .stride_bytes = sizeof(*model->teams),
        };

        (void)text_refuse_unknown(error, "team", name, names);
    }
    return found;
}

static bool is_member(const struct vswitch_member *place)
{
    return place->where[0] != '\0';
}

const struct vswitch_team *vswitch_team_with(const struct vswitch_model *model,
                                             const struct vswitch_team *is, const char *where)
{
    for (size_t i = 0; i < model->team_count; i++) {
        const struct vswitch_team *team = &model->teams[i];

        for (unsigned m = 0; m < TEAM_MEMBERS_MAX && team != is; m++) {
            if (is_member(&team->member[m]) && vswitch_clash(team->member[m].where, where)) {
                return team;
            }
        }
    }
    return NULL;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int check_setting(const struct vswitch_team *wanted, struct error *error)
{
    const struct team_setting *setting = &wanted->setting;
    const struct { const char *key; uint32_t value, low, high; } knobs[] = {
        { "flowlet-gap in ms", setting->gap_ms, 0, GAP_MAX_MS },
        { "rebalance in ms", setting->rebalance_ms, REBALANCE_MIN_MS, REBALANCE_MAX_MS },
        { "imbalance in percent", setting->imbalance_percent, 1, IMBALANCE_MAX_PERCENT },
        { "up-delay in ms", setting->up_delay_ms, 0, UP_DELAY_MAX_MS },
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]) && rc == 0; i++) {
        rc = text_check_range(error, "team", wanted->name, knobs[i].key, knobs[i].value,
                              knobs[i].low, knobs[i].high);
    }
    return rc;
}

/* Whether nobody else has the device of a member. */
static int check_unused(const struct vswitch_model *model, const struct vswitch_team *is,
                        const char *name, const char *where, struct error *error)
{
    const struct vswitch_team *other = vswitch_team_with(model, is, where);

    if (other != NULL) {
        return error_set(error, EBUSY, "team \"%s\" cannot have member \"%s\", which is one of "
                         "team \"%s\"; name another, or take it out there first", name, where,
                         other->name);
    }
    for (size_t i = 0; i < model->switch_count; i++) {
        const struct vswitch_switch *each = &model->switches[i];

        if (each->uplink[0] != '\0' && vswitch_clash(where, each->uplink)) {
            return error_set(error, EBUSY, "team \"%s\" cannot have member \"%s\", which is the "
                             "uplink of switch \"%s\"; name another, or take it away there first",
                             name, where, each->name);
        }
        if (strcmp(where, each->host_name) == 0) {
            return error_set(error, EBUSY, "team \"%s\" cannot have member \"%s\", which is the "
                             "host's own adapter on switch \"%s\"; name another", name, where,
                             each->name);
        }
    }
    return 0;
}

static int check_member(const struct vswitch_model *model, const struct vswitch_team *is,
                        const struct vswitch_team *wanted, unsigned number, struct error *error)
{
    const char *where = wanted->member[number].where;
    char device[VSWITCH_UPLINK_SIZE];
    enum vswitch_where kind;

    if (vswitch_read_where(where, &kind, device, NULL) != 0 || kind == VSWITCH_WHERE_TEAM) {
        return error_set(error, EINVAL, "team \"%s\": \"%s\" cannot be a member; " WHERES,
                         wanted->name, text_show(where).text);
    }
    for (unsigned m = 0; m < number; m++) {
        if (is_member(&wanted->member[m]) && vswitch_clash(wanted->member[m].where, where)) {
            return error_set(error, EINVAL, "team \"%s\": \"%s\" is there twice; a device is a "
                             "member once, active or standby", wanted->name, where);
        }
    }
    return check_unused(model, is, wanted->name, where, error);
}

/* What there is to check of a team, new (@p is is NULL) or changed. */
static int check_team(const struct vswitch_model *model, const struct vswitch_team *is,
                      const struct vswitch_team *wanted, struct error *error)
{
    unsigned members = 0, active = 0;
    int rc = check_setting(wanted, error);

    for (unsigned m = 0; m < TEAM_MEMBERS_MAX && rc == 0; m++) {
        if (is_member(&wanted->member[m])) {
            members++;
            active += !wanted->member[m].standby;
            rc = check_member(model, is, wanted, m, error);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (members == 0) {
        return error_set(error, EINVAL, "team \"%s\" would have no member; name 1 to %u with "
                         "--members", wanted->name, TEAM_MEMBERS_MAX);
    }
    if (active == 0) {
        return error_set(error, EINVAL, "team \"%s\" would have standby members only, which stand "
                         "in for others; name one of them with --members", wanted->name);
    }
    return 0;
}

/* ---- adding, changing, removing -------------------------------------------------------------- */

int vswitch_team_put(struct vswitch_team *team, const char *where, bool standby,
                     struct error *error)
{
    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        struct vswitch_member *place = &team->member[m];

        if (!is_member(place)) {
            (void)snprintf(place->where, sizeof(place->where), "%s", where);
            place->standby = standby;
            return 0;
        }
    }
    return error_set(error, ERANGE, "team \"%s\" would have more than %u members; leave some out",
                     text_show(team->name).text, TEAM_MEMBERS_MAX);
}

/* Where the device of @p where is a member of @p team, or TEAM_MEMBERS_MAX. */
static unsigned place_of(const struct vswitch_team *team, const char *where)
{
    unsigned place = 0;

    while (place < TEAM_MEMBERS_MAX && !(is_member(&team->member[place]) &&
                                         vswitch_same_uplink(team->member[place].where, where))) {
        place++;
    }
    return place;
}

/*
 * Gives @p change, a team of the model, the members that are wanted.  Numbers of ports that come
 * are chosen while those that go are still taken.
 */
static void change_members(struct vswitch_model *model, struct vswitch_team *change,
                           const struct vswitch_team *wanted)
{
    struct vswitch_member member[TEAM_MEMBERS_MAX] = { 0 };

    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        const unsigned was = place_of(change, wanted->member[m].where);

        if (was != TEAM_MEMBERS_MAX) {
            member[was] = wanted->member[m];
            member[was].port = change->member[was].port;
        }
    }
    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        unsigned place = m;

        if (!is_member(&wanted->member[m]) ||
            place_of(change, wanted->member[m].where) != TEAM_MEMBERS_MAX) {
            continue;
        }
        for (unsigned first = 0; is_member(&member[place]); first++) {
            place = first;
        }
        member[place] = wanted->member[m];
        member[place].port = vswitch_new_port(model);
    }
    memcpy(change->member, member, sizeof(member));
}

/* The next number that no team has; the caller knows that there is one. */
static uint16_t free_id(const struct vswitch_model *model)
{
    uint16_t id = model->next_team_id;

    while (vswitch_team_by_id(model, id) != NULL) {
        id = (uint16_t)((id + 1) % VSWITCH_MAX_TEAMS);
    }
    return id;
}

static int check_new_team(const struct vswitch_model *model, const struct vswitch_team *wanted,
                          struct error *error)
{
    int rc = vswitch_check_name("team", wanted->name, error);

    if (rc != 0) {
        return rc;
    }
    if (vswitch_find_team(model, wanted->name) != NULL) {
        return error_set(error, EEXIST, "a team named \"%s\" already exists; choose another name "
                         "or remove it first", wanted->name);
    }
    rc = check_team(model, NULL, wanted, error);
    if (rc != 0) {
        return rc;
    }
    if (model->team_count >= VSWITCH_MAX_TEAMS) {
        return error_set(error, ENOSPC, "team \"%s\" cannot be added, because there are %u already "
                         "and no more can be; remove one first", wanted->name, VSWITCH_MAX_TEAMS);
    }
    return 0;
}

int vswitch_add_team(struct vswitch_model *model, const struct vswitch_team *wanted,
                     struct error *error)
{
    const int rc = check_new_team(model, wanted, error);
    struct vswitch_team *teams, *added;
    uint16_t id;

    if (rc != 0) {
        return rc;
    }
    teams = reallocarray(model->teams, model->team_count + 1, sizeof(*teams));
    if (teams == NULL) {
        return text_refuse_memory(error);
    }

    model->teams = teams;
    id = free_id(model);
    model->next_team_id = (uint16_t)((id + 1) % VSWITCH_MAX_TEAMS);
    added = &teams[model->team_count];
    *added = *wanted;
    added->id = id;
    memset(added->member, 0, sizeof(added->member));
    model->team_count++;
    change_members(model, added, wanted);
    return 0;
}

int vswitch_set_team(struct vswitch_model *model, const struct vswitch_team *wanted,
                     struct error *error)
{
    const struct vswitch_team *is = vswitch_need_team(model, wanted->name, error);
    struct vswitch_team *change;
    int rc;

    if (is == NULL) {
        return -ENOENT;
    }
    rc = check_team(model, is, wanted, error);
    if (rc != 0) {
        return rc;
    }
    change = &model->teams[is - model->teams];
    change->force = wanted->force;
    change->setting = wanted->setting;
    change_members(model, change, wanted);
    return 0;
}

int vswitch_remove_team(struct vswitch_model *model, const char *name, struct error *error)
{
    const struct vswitch_team *is = vswitch_need_team(model, name, error);
    const struct vswitch_switch *of;
    size_t at;

    if (is == NULL) {
        return -ENOENT;
    }
    of = vswitch_of_team(model, is);
    if (of != NULL) {
        return error_set(error, EBUSY, "team \"%s\" is the uplink of switch \"%s\"; give that "
                         "another with switch set %s --uplink, or remove it first", name, of->name,
                         of->name);
    }
    at = (size_t)(is - model->teams);
    model->team_count--;
    memmove(&model->teams[at], &model->teams[at + 1],
            (model->team_count - at) * sizeof(*model->teams));
    return 0;
}
