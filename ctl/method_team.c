/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * team add, set, list, show, remove.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/report.h"
#include "ctl/value.h"

/* Answers with the team as `team show` does. */
static int answer_team(const struct control *control, struct rpc_call *call, struct error *error)
{
    const struct vswitch_team *team = control_find_team(control, method_text(call, "name"), error);

    return team == NULL ? -ENOENT : method_answer(call, report_team_whole(control, team), error);
}

/* ---- lists of members ------------------------------------------------------------------------ */

/* Whether a list goes on with KEY=VALUE, an argument of the device of DPDK's before it. */
static bool is_argument(const char *rest)
{
    return rest != NULL && rest[strcspn(rest, ",=")] == '=';
}

/* Takes the next member of a list.  @return 0, or a negative errno when it is none */
static int next_where(const char **cursor, char where[VSWITCH_UPLINK_SIZE])
{
    int rc = value_list_next(cursor, where, VSWITCH_UPLINK_SIZE);

    while (rc == 0 && strncmp(where, "vdev:", 5) == 0 && is_argument(*cursor)) {
        const size_t used = strlen(where);

        if (used + 2 > VSWITCH_UPLINK_SIZE) {
            return -ERANGE;
        }
        where[used] = ',';
        rc = value_list_next(cursor, &where[used + 1], VSWITCH_UPLINK_SIZE - used - 1);
    }
    return rc;
}

static struct vswitch_member *find_member(struct vswitch_team *team, const char *where)
{
    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        struct vswitch_member *member = &team->member[m];

        if (member->where[0] != '\0' && vswitch_same_uplink(member->where, where)) {
            return member;
        }
    }
    return NULL;
}

/* What a list does to a team, item by item. */
enum list_use { LIST_ADDS, LIST_ADDS_STANDBY, LIST_REMOVES };

static int use_item(struct vswitch_team *team, const char *where, enum list_use use,
                    struct error *error)
{
    struct vswitch_member *member = find_member(team, where);

    if (use != LIST_REMOVES) {
        return vswitch_team_put(team, where, use == LIST_ADDS_STANDBY, error);
    }
    if (member == NULL) {
        return error_set(error, ENOENT, "team \"%s\" has no member \"%s\"; team show %s lists "
                         "those it has", team->name, where, team->name);
    }
    memset(member, 0, sizeof(*member));
    return 0;
}

static int use_list(struct vswitch_team *team, const char *option, const char *list,
                    enum list_use use, struct error *error)
{
    const char *cursor = use == LIST_ADDS_STANDBY && strcmp(list, "none") == 0 ? NULL : list;
    char where[VSWITCH_UPLINK_SIZE];
    int rc = 0;

    while (cursor != NULL && rc == 0) {
        if (next_where(&cursor, where) != 0) {
            return error_set(error, EINVAL, "team \"%s\": --%s is a list of interfaces with commas "
                             "between, such as eth1,eth2", team->name, option);
        }
        rc = use_item(team, where, use, error);
    }
    return rc;
}

/* Of the members that @p was has, those that stand by, or do not, and are not in a new list. */
static int keep_members(struct vswitch_team *team, const struct vswitch_team *was, bool standby,
                        struct error *error)
{
    int rc = 0;

    for (unsigned m = 0; m < TEAM_MEMBERS_MAX && rc == 0; m++) {
        const struct vswitch_member *member = &was->member[m];

        if (member->where[0] != '\0' && member->standby == standby &&
            find_member(team, member->where) == NULL) {
            rc = vswitch_team_put(team, member->where, standby, error);
        }
    }
    return rc;
}

/* A list that is given is all there is of its kind; one that is not stays as it is. */
static int take_lists(const struct rpc_call *call, struct vswitch_team *team, struct error *error)
{
    const char *members = method_text(call, "members"), *standby = method_text(call, "standby");
    const struct vswitch_team was = *team;
    int rc = 0;

    memset(team->member, 0, sizeof(team->member));
    if (members != NULL) {
        rc = use_list(team, "members", members, LIST_ADDS, error);
    }
    if (rc == 0 && standby != NULL) {
        rc = use_list(team, "standby", standby, LIST_ADDS_STANDBY, error);
    }
    if (rc == 0 && members == NULL) {
        rc = keep_members(team, &was, false, error);
    }
    if (rc == 0 && standby == NULL) {
        rc = keep_members(team, &was, true, error);
    }
    return rc;
}

static int take_members(const struct rpc_call *call, struct vswitch_team *team,
                        struct error *error)
{
    const char *join = method_text(call, "add_member"), *leave = method_text(call, "remove_member");
    int rc = take_lists(call, team, error);

    if (rc == 0 && leave != NULL) {
        rc = use_list(team, "remove-member", leave, LIST_REMOVES, error);
    }
    if (rc == 0 && join != NULL) {
        rc = use_list(team, "add-member", join, LIST_ADDS, error);
    }
    return rc;
}

/* ---- the rest of what is given --------------------------------------------------------------- */

/* The words were checked, so one of them it is. */
#define TAKE_WORD(call, key, count, word_of, at)                                                \
    do {                                                                                        \
        const char *given = method_text(call, key);                                             \
        for (unsigned i = 0; given != NULL && i < (count); i++) {                               \
            if (strcmp(word_of(i), given) == 0) {                                               \
                *(at) = i;                                                                      \
            }                                                                                   \
        }                                                                                       \
    } while (0)

/* A gap that is the default of the balance there was is that of the one that comes. */
static void take_setting(const struct rpc_call *call, struct team_setting *setting)
{
    const char *rate = method_text(call, "lacp_rate");
    const char *activity = method_text(call, "lacp_activity");
    struct team_setting before = *setting, after;

    TAKE_WORD(call, "mode", TEAM_MODE_COUNT, team_mode_word, &setting->mode);
    TAKE_WORD(call, "balance", TEAM_BALANCE_COUNT, team_balance_word, &setting->balance);
    TAKE_WORD(call, "hash", TEAM_HASH_BY_COUNT, team_hash_word, &setting->hash);
    after = *setting;
    team_setting_default(&before);
    team_setting_default(&after);
    if (setting->gap_ms == before.gap_ms) {
        setting->gap_ms = after.gap_ms;
    }
    setting->gap_ms = (uint32_t)method_number(call, "flowlet_gap", setting->gap_ms);
    setting->rebalance_ms = (uint32_t)method_number(call, "rebalance", setting->rebalance_ms);
    setting->imbalance_percent = (uint32_t)method_number(call, "imbalance",
                                                         setting->imbalance_percent);
    setting->up_delay_ms = (uint32_t)method_number(call, "up_delay", setting->up_delay_ms);
    if (rate != NULL) {
        setting->lacp_slow = strcmp(rate, "slow") == 0;
    }
    if (activity != NULL) {
        setting->lacp_passive = strcmp(activity, "passive") == 0;
    }
}

/* ---- the methods ----------------------------------------------------------------------------- */

int method_team_add(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);
    struct vswitch_team added = {
        .setting.mode = TEAM_INDEPENDENT, .setting.balance = TEAM_DYNAMIC,
        .setting.hash = TEAM_HASH_L4, .force = method_flag(call, "force"),
    };
    int rc;

    if (wanted == NULL) {
        return -ENOMEM;
    }
    team_setting_default(&added.setting);
    (void)snprintf(added.name, sizeof(added.name), "%s", method_text(call, "name"));
    take_setting(call, &added.setting);
    rc = take_members(call, &added, error);
    if (rc == 0) {
        rc = vswitch_add_team(wanted, &added, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_team(control, call, error);
}

int method_team_set(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const struct vswitch_team *is = control_find_team(control, method_text(call, "name"), error);
    struct vswitch_model *wanted = is == NULL ? NULL : control_edit(control, error);
    struct vswitch_team set;
    int rc;

    if (wanted == NULL) {
        return -error->code;
    }
    set = *is;
    set.force = method_onoff(call, "force", set.force);
    take_setting(call, &set.setting);
    rc = take_members(call, &set, error);
    if (rc == 0) {
        rc = vswitch_set_team(wanted, &set, error);
    }
    rc = control_commit(control, wanted, rc, error);
    return rc != 0 ? rc : answer_team(control, call, error);
}

int method_team_list(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    json_t *list = json_array();

    for (size_t i = 0; i < control->model->team_count && list != NULL; i++) {
        if (json_array_append_new(list, report_team(control, &control->model->teams[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return method_answer(call, list, error);
}

int method_team_show(void *context, struct rpc_call *call, struct error *error)
{
    return answer_team(context, call, error);
}

int method_team_remove(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct vswitch_model *wanted = control_edit(control, error);

    if (wanted == NULL) {
        return -ENOMEM;
    }
    return control_commit(control, wanted,
                          vswitch_remove_team(wanted, method_text(call, "name"), error), error);
}
