/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator chooses of a team, in the words of the command line: each list exists once.
 *
 * Semantics: Hyper-V's.  Switch-independent: the network knows nothing of the team; static: its
 * ports are one link by configuration; LACP: by agreement.
 */
#ifndef SWITCH_TEAM_MODE_H
#define SWITCH_TEAM_MODE_H

#include <stdbool.h>
#include <stdint.h>

#define TEAM_MEMBERS_MAX 8u

#define TEAM_MODES(X)                                                                             \
    X(INDEPENDENT, "switch-independent")                                                          \
    X(STATIC,      "static")                                                                      \
    X(LACP,        "lacp")
#define TEAM_BALANCES(X)                                                                          \
    X(PORT,    "port")             /* all of a vNIC by one member */                              \
    X(HASH,    "hash")             /* a flow by one member */                                     \
    X(DYNAMIC, "dynamic")          /* and to a member with less to do, when it pauses */
#define TEAM_HASHES(X)                                                                            \
    X(L2, "l2")                                                                                   \
    X(L3, "l3")                                                                                   \
    X(L4, "l4")

#define X(name, text) TEAM_##name,
enum team_mode { TEAM_MODES(X) TEAM_MODE_COUNT };
enum team_balance { TEAM_BALANCES(X) TEAM_BALANCE_COUNT };
#undef X
#define X(name, text) TEAM_HASH_##name,
enum team_hash_by { TEAM_HASHES(X) TEAM_HASH_BY_COUNT };
#undef X

struct team_setting {
    enum team_mode mode;
    enum team_balance balance;
    enum team_hash_by hash;        /* what the hash is of; lower layers where a frame has no more */
    bool lacp_slow;                /* a PDU each 30 s instead of each second */
    bool lacp_passive;             /* speaks only when spoken to */
    uint32_t gap_ms;               /* a flow that pauses so long may move; 0: it moves at once */
    uint32_t rebalance_ms;         /* DYNAMIC: how often loads are compared */
    uint32_t imbalance_percent;    /* DYNAMIC: over the mean, from which on flows move */
    uint32_t up_delay_ms;          /* carrier has to stay so long before a member that lost it
                                      carries again; when nobody else can, it does so at once */
};

/** The operator's word for it.  Any thread. */
static inline const char *team_mode_word(enum team_mode mode)
{
    static const char *const words[] = {
#define X(name, text) [TEAM_##name] = text,
        TEAM_MODES(X)
#undef X
    };

    return words[mode];
}

static inline const char *team_balance_word(enum team_balance balance)
{
    static const char *const words[] = {
#define X(name, text) [TEAM_##name] = text,
        TEAM_BALANCES(X)
#undef X
    };

    return words[balance];
}

static inline const char *team_hash_word(enum team_hash_by hash)
{
    static const char *const words[] = {
#define X(name, text) [TEAM_HASH_##name] = text,
        TEAM_HASHES(X)
#undef X
    };

    return words[hash];
}

/** Defaults of the knobs, for what the first three fields of @p setting say. */
static inline void team_setting_default(struct team_setting *setting)
{
    setting->gap_ms = setting->balance == TEAM_DYNAMIC ? 100 : 5;
    setting->rebalance_ms = 1000;
    setting->imbalance_percent = 10;
    setting->up_delay_ms = 1000;
    setting->lacp_slow = false;
    setting->lacp_passive = false;
}

#endif
