/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator chooses of a team, in the words of the command line: each list exists once.
 *
 * Semantics: Hyper-V's.  Switch-independent: the network knows nothing of the team; static: its
 * ports are one link by configuration; LACP: by agreement.
 */
#ifndef SWITCH_TEAM_MODE_H
#define SWITCH_TEAM_MODE_H

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

#endif
