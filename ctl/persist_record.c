/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/persist_record.h"

#include <errno.h>
#include <string.h>

#include "ctl/persist.h"
#include "ctl/persist_field.h"
#include "ctl/value.h"

#define FIELDS_MAX 16

struct persist_section {
    size_t record_size_bytes;
    struct persist_field fields[FIELDS_MAX];   /* ends at the first without a key */
};

#define FIELD(key_, kind_, presence_, min_, record, member)                                     \
    { .key = key_, .kind = PERSIST_##kind_, .presence = PERSIST_##presence_,         \
      .min = min_,                                                                              \
      .offset = offsetof(record, member), .size_bytes = sizeof(((record *)NULL)->member) }

#define WORD(key_, words_, record, member)                                                      \
    { .key = key_, .kind = PERSIST_WORD, .presence = PERSIST_REQUIRED, .words = words_,         \
      .offset = offsetof(record, member), .size_bytes = sizeof(((record *)NULL)->member) }

#define LIST(key_, kind_, record, member)                                                       \
    { .key = key_, .kind = PERSIST_##kind_, .presence = PERSIST_OPTIONAL,                         \
      .offset = offsetof(record, member), .size_bytes = sizeof(((record *)NULL)->member),       \
      .count_offset = offsetof(record, member##_count),                                         \
      .item_size_bytes = sizeof(((record *)NULL)->member[0]) }

static const char *const type_words[] = {
    [VSWITCH_PRIVATE] = "private", [VSWITCH_INTERNAL] = "internal",
    [VSWITCH_EXTERNAL] = "external", NULL
};

#define X(name, text) text,
static const char *const mode_words[] = { TEAM_MODES(X) NULL };
static const char *const balance_words[] = { TEAM_BALANCES(X) NULL };
static const char *const hash_words[] = { TEAM_HASHES(X) NULL };
#undef X

const struct persist_section persist_pool = {
    sizeof(struct persist_pool), {
        FIELD("next",  MAC, REQUIRED, 0, struct persist_pool, next),
        FIELD("first", MAC, OPTIONAL, 0, struct persist_pool, first),
        FIELD("last",  MAC, OPTIONAL, 0, struct persist_pool, last),
    }
};

const struct persist_section persist_teams = {
    sizeof(struct persist_team), {
        FIELD("name",           TEXT, REQUIRED, 0, struct persist_team, team.name),
        WORD("mode", mode_words, struct persist_team, team.setting.mode),
        WORD("balance", balance_words, struct persist_team, team.setting.balance),
        WORD("hash", hash_words, struct persist_team, team.setting.hash),
        LIST("members",         TEXTS, struct persist_team, member),
        LIST("standby",         TEXTS, struct persist_team, standby),
        FIELD("flowlet_gap_ms", UINT, REQUIRED, 0, struct persist_team, team.setting.gap_ms),
        FIELD("rebalance_ms",   UINT, REQUIRED, 0, struct persist_team,
              team.setting.rebalance_ms),
        FIELD("imbalance_percent", UINT, REQUIRED, 0, struct persist_team,
              team.setting.imbalance_percent),
        FIELD("up_delay_ms",    UINT, REQUIRED, 0, struct persist_team, team.setting.up_delay_ms),
        FIELD("lacp_slow",      FLAG, OPTIONAL, 0, struct persist_team, team.setting.lacp_slow),
        FIELD("lacp_passive",   FLAG, OPTIONAL, 0, struct persist_team,
              team.setting.lacp_passive),
        FIELD("force",          FLAG, OPTIONAL, 0, struct persist_team, team.force),
    }
};

const struct persist_section persist_switches = {
    sizeof(struct vswitch_switch), {
        FIELD("name",           TEXT, REQUIRED, 0, struct vswitch_switch, name),
        WORD("type", type_words, struct vswitch_switch, type),
        FIELD("mtu",            UINT, REQUIRED, 1, struct vswitch_switch, mtu_bytes),
        FIELD("mac_capacity",   UINT, REQUIRED, 1, struct vswitch_switch, mac_capacity_entries),
        FIELD("mac_ageing",     UINT, REQUIRED, 0, struct vswitch_switch, mac_ageing_s),
        FIELD("coalesce",       FLAG, OPTIONAL_ON, 0, struct vswitch_switch, coalesce),
        FIELD("uplink",         TEXT, OPTIONAL, 0, struct vswitch_switch, uplink),
        FIELD("force",          FLAG, OPTIONAL, 0, struct vswitch_switch, force),
        FIELD("move_addresses", FLAG, OPTIONAL, 0, struct vswitch_switch, move_addresses),
        FIELD("host_vnic",      FLAG, OPTIONAL, 0, struct vswitch_switch, host_vnic),
        FIELD("host_mac",       MAC,  OPTIONAL, 0, struct vswitch_switch, host_mac),
        FIELD("host_vlan",      VLAN, OPTIONAL, 0, struct vswitch_switch, host_vlan),
        LIST("host_address",    TEXTS, struct vswitch_switch, host_address),
    }
};

const struct persist_section persist_vnics = {
    sizeof(struct persist_vnic), {
        FIELD("name",           TEXT, REQUIRED, 0, struct persist_vnic, vnic.name),
        FIELD("switch",         TEXT, REQUIRED, 0, struct persist_vnic, switch_name),
        FIELD("mac",            MAC,  REQUIRED, 0, struct persist_vnic, vnic.mac),
        FIELD("queues",         UINT, REQUIRED, 1, struct persist_vnic, vnic.queues),
        FIELD("mtu",            UINT, OPTIONAL, 1, struct persist_vnic, vnic.mtu_bytes),
        FIELD("socket_owner",   TEXT, OPTIONAL, 0, struct persist_vnic, vnic.socket_owner),
        FIELD("socket_group",   TEXT, OPTIONAL, 0, struct persist_vnic, vnic.socket_group),
        FIELD("vlan",           VLAN, OPTIONAL, 0, struct persist_vnic, vnic.vlan),
        FIELD("priority_trust", FLAG, OPTIONAL, 0, struct persist_vnic, vnic.priority_trust),
        FIELD("spoof_guard",    FLAG, OPTIONAL_ON, 0, struct persist_vnic, vnic.spoof_guard),
        LIST("allow_mac",       MACS, struct persist_vnic, vnic.allowed_mac),
        FIELD("dhcp_guard",     FLAG, OPTIONAL, 0, struct persist_vnic, vnic.dhcp_guard),
        FIELD("router_guard",   FLAG, OPTIONAL, 0, struct persist_vnic, vnic.router_guard),
        FIELD("offload",        OFFLOAD, OPTIONAL_ON, 0, struct persist_vnic, vnic.offload),
        FIELD("offload_granted", OFFLOAD, OPTIONAL, 0, struct persist_vnic,
              vnic.offload_granted),
    }
};

const struct persist_section persist_macs = {
    sizeof(struct persist_mac), {
        FIELD("switch", TEXT, REQUIRED, 0, struct persist_mac, switch_name),
        FIELD("mac",    MAC,  REQUIRED, 0, struct persist_mac, mac),
        FIELD("vlan",   UINT, REQUIRED, 0, struct persist_mac, vlan),
        FIELD("port",   TEXT, REQUIRED, 0, struct persist_mac, port_name),
    }
};

const char *persist_type_word(enum vswitch_type type)
{
    return type_words[type];
}

int persist_type_parse(const char *word, enum vswitch_type *type)
{
    for (size_t i = 0; type_words[i] != NULL; i++) {
        if (strcmp(word, type_words[i]) == 0) {
            *type = (enum vswitch_type)i;
            return 0;
        }
    }
    return -EINVAL;
}

json_t *persist_record_to_json(const struct persist_section *section, const void *record)
{
    json_t *object = json_object();

    for (const struct persist_field *field = section->fields; field->key != NULL; field++) {
        if (field->presence != PERSIST_REQUIRED && persist_field_is_default(field, record)) {
            continue;
        }
        if (json_object_set_new(object, field->key, persist_field_to_json(field, record)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static bool key_is_known(const struct persist_section *section, const char *key)
{
    for (const struct persist_field *field = section->fields; field->key != NULL; field++) {
        if (strcmp(field->key, key) == 0) {
            return true;
        }
    }
    return false;
}

int persist_record_from_json(const struct persist_section *section, const json_t *object,
                             void *record, struct error *error)
{
    char quoted[VALUE_QUOTE_SIZE];
    const char *key;
    json_t *value;
    int rc = 0;

    memset(record, 0, section->record_size_bytes);
    if (!json_is_object(object)) {
        return error_set(error, EINVAL, "it must be an object");
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (!key_is_known(section, key)) {
            return error_set(error, EINVAL, "the key %s is not known here",
                             value_quote(key, quoted));
        }
    }
    for (const struct persist_field *field = section->fields; field->key != NULL && rc == 0;
         field++) {
        value = json_object_get(object, field->key);
        if (value == NULL && field->presence != PERSIST_REQUIRED) {
            persist_field_default(field, record);
            continue;
        }
        if (value == NULL) {
            return error_set(error, EINVAL, "the key \"%s\" is missing", field->key);
        }
        rc = persist_field_from_json(field, value, record, error);
    }
    return rc;
}
