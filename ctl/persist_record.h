/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of the state file: each key once, as data, for writing and for reading.
 *
 * One table says where in a C struct a key's value stands and what it looks like, so what is
 * written can be read, and a key that is added is one row.  For persist.c only.
 */
#ifndef CTL_PERSIST_RECORD_H
#define CTL_PERSIST_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "switch/error.h"
#include "switch/vswitch.h"

struct persist_pool {
    uint64_t next;
    uint64_t first, last;          /* 0 in a file of version 1: all that differ in the last byte */
};

/* A team, whose members are those in the lists. */
struct persist_team {
    struct vswitch_team team;
    char member[TEAM_MEMBERS_MAX][VSWITCH_UPLINK_SIZE];
    uint16_t member_count;
    char standby[TEAM_MEMBERS_MAX][VSWITCH_UPLINK_SIZE];
    uint16_t standby_count;
};

struct persist_vnic {
    struct vswitch_vnic vnic;
    char switch_name[VSWITCH_NAME_SIZE];
};

struct persist_mac {
    char switch_name[VSWITCH_NAME_SIZE];
    char port_name[VSWITCH_UPLINK_SIZE];
    uint64_t mac;
    uint16_t vlan;
};

struct persist_section;

extern const struct persist_section persist_pool;       /* of struct persist_pool   */
extern const struct persist_section persist_teams;      /* of struct persist_team   */
extern const struct persist_section persist_switches;   /* of struct vswitch_switch */
extern const struct persist_section persist_vnics;      /* of struct persist_vnic   */
extern const struct persist_section persist_macs;       /* of struct persist_mac    */

/** @return owned, or NULL when memory is short */
json_t *persist_record_to_json(const struct persist_section *section, const void *record);

/**
 * Fills @p record, zeroed first, from @p object.
 * @return 0, or -EINVAL with a sentence that names the key
 */
int persist_record_from_json(const struct persist_section *section, const json_t *object,
                             void *record, struct error *error);

#endif
