/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of the method table that are about teams.
 */
#include "ctl/method_table.h"

#include "switch/team_mode.h"

#define MEMBERS_FORM "interfaces, PCI addresses or vdev:NAME,KEY=VALUE with commas between"

#define KEY_LIST(key, is_required, otherwise, form_, text)                                      \
    { .name = (key), .kind = METHOD_KIND_TEXT, .required = (is_required), .min = 1,             \
      .max = 2047, .placeholder = "IF,...", .preset = (otherwise), .form = form_,               \
      .help = (text) }

#define WORD(name, text) text,

#define KEY_MODE(otherwise)                                                                     \
    { .name = "mode", .kind = METHOD_KIND_ENUM, .words = { TEAM_MODES(WORD) },                  \
      .placeholder = "MODE", .preset = (otherwise),                                             \
      .help = "what the network at the other end knows of the team" }

#define KEY_BALANCE(otherwise)                                                                  \
    { .name = "balance", .kind = METHOD_KIND_ENUM, .words = { TEAM_BALANCES(WORD) },            \
      .placeholder = "WHAT", .preset = (otherwise),                                             \
      .help = "by vNIC, by flow, or by flow and load" }

#define KEY_HASH(otherwise)                                                                     \
    { .name = "hash", .kind = METHOD_KIND_ENUM, .words = { TEAM_HASHES(WORD) },                 \
      .placeholder = "LAYER", .preset = (otherwise),                                            \
      .help = "what makes a flow: MACs, also IP addresses, also ports" }

#define KEY_MS(key, least, most, otherwise, text)                                               \
    { .name = (key), .kind = METHOD_KIND_MS, .min = (least), .max = (most),                     \
      .placeholder = "TIME", .preset = (otherwise), .help = (text) }

#define KEY_GAP(otherwise)                                                                      \
    KEY_MS("flowlet_gap", 0, 60000, otherwise, "pause after which a flow may change its member")

#define KEY_REBALANCE(otherwise)                                                                \
    KEY_MS("rebalance", 100, 3600000, otherwise, "how often dynamic compares loads")

#define KEY_IMBALANCE(otherwise)                                                                \
    { .name = "imbalance", .kind = METHOD_KIND_UINT, .min = 1, .max = 1000,                     \
      .placeholder = "PERCENT", .preset = (otherwise),                                          \
      .help = "load over a member's share at which dynamic moves flows" }

#define KEY_UP_DELAY(otherwise)                                                                 \
    KEY_MS("up_delay", 0, 3600000, otherwise,                                                   \
           "how long carrier has to last before a member that lost it carries again")

#define KEY_LACP_RATE(otherwise)                                                                \
    { .name = "lacp_rate", .kind = METHOD_KIND_ENUM, .words = { "fast", "slow" },               \
      .placeholder = "fast|slow", .preset = (otherwise),                                        \
      .help = "how often the partner is to speak: each second, or each 30 s" }

#define KEY_LACP_ACTIVITY(otherwise)                                                            \
    { .name = "lacp_activity", .kind = METHOD_KIND_ENUM, .words = { "active", "passive" },      \
      .placeholder = "WHICH", .preset = (otherwise),                                            \
      .help = "whether LACP speaks by itself, or only when spoken to" }

#define KEY_FORCE                                                                               \
    { .name = "force", .kind = METHOD_KIND_FLAG,                                                \
      .help = "take a member even if the host's default route is on it" }

const struct method_spec method_row_TEAM_ADD = {
    ROW(TEAM_ADD, "team", "add"),
    .help = "Make a team of interfaces, for a switch's --uplink team:NAME",
    .example = "vswitchctl team add t0 --members eth1,eth2 --mode lacp",
    .keys = {
        POSITIONAL_NAME("NAME", "name of the new team"),
        KEY_LIST("members", true, NULL, MEMBERS_FORM, "what it is made of"),
        KEY_LIST("standby", false, "none", "none, or " MEMBERS_FORM,
                 "further members, which carry only in place of others"),
        KEY_MODE("switch-independent"), KEY_BALANCE("dynamic"), KEY_HASH("l4"),
        KEY_GAP("100ms with dynamic, else 5ms"), KEY_REBALANCE("1s"), KEY_IMBALANCE("10"),
        KEY_UP_DELAY("1s"), KEY_LACP_RATE("fast"), KEY_LACP_ACTIVITY("active"), KEY_FORCE,
    },
};

const struct method_spec method_row_TEAM_SET = {
    ROW(TEAM_SET, "team", "set"),
    .help = "Change a team while it runs",
    .example = "vswitchctl team set t0 --remove-member eth2",
    .needs_key = true,
    .keys = {
        POSITIONAL_NAME("NAME", "name of the team"),
        KEY_LIST("add_member", false, NULL, MEMBERS_FORM, "members that join"),
        KEY_LIST("remove_member", false, NULL, MEMBERS_FORM, "members that leave, standby or not"),
        KEY_LIST("members", false, "as they are", MEMBERS_FORM,
                 "all that do not stand by, instead of those there are"),
        KEY_LIST("standby", false, "as they are", "none, or " MEMBERS_FORM,
                 "all that stand by, instead of those there are"),
        KEY_MODE("as it is"), KEY_BALANCE("as it is"), KEY_HASH("as it is"),
        KEY_GAP("as it is; the default of another --balance"), KEY_REBALANCE("as it is"),
        KEY_IMBALANCE("as it is"), KEY_UP_DELAY("as it is"), KEY_LACP_RATE("as it is"),
        KEY_LACP_ACTIVITY("as it is"), KEY_FORCE,
    },
};

const struct method_spec method_row_TEAM_LIST = {
    ROW(TEAM_LIST, "team", "list"),
    .help = "List the teams",
    .example = "vswitchctl team list",
};

const struct method_spec method_row_TEAM_SHOW = {
    ROW(TEAM_SHOW, "team", "show"),
    .help = "Show a team: which members carry, how much, and why one does not",
    .example = "vswitchctl team show t0",
    .keys = { POSITIONAL_NAME("NAME", "name of the team") },
};

const struct method_spec method_row_TEAM_REMOVE = {
    ROW(TEAM_REMOVE, "team", "remove"),
    .help = "Remove a team that is no switch's uplink; its members are the host's again",
    .example = "vswitchctl team remove t0",
    .keys = { POSITIONAL_NAME("NAME", "name of the team") },
};
