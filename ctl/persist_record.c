/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/persist_record.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctl/persist.h"
#include "ctl/value.h"
#include "switch/mac.h"
#include "switch/offload.h"

enum field_kind {
    FIELD_TEXT,                    /* char[], not empty                       */
    FIELD_TYPE,                    /* enum vswitch_type, as a word            */
    FIELD_MAC,                     /* uint64_t, as aa:bb:cc:dd:ee:ff          */
    FIELD_UINT,                    /* uint16_t or uint32_t                    */
    FIELD_FLAG,                    /* bool                                    */
    FIELD_VLAN,                    /* struct vlan_policy, as people write it  */
    FIELD_OFFLOAD,                 /* uint64_t, as people write it            */
    FIELD_MACS,                    /* uint64_t[], a list of addresses         */
    FIELD_TEXTS                    /* char[][], a list of texts               */
};

/*
 * A key that may be left out stands for zero, the empty text or list, no VLAN, or no; one that is
 * OPTIONAL_ON for yes, or for every offload, and is left out when it is so.
 */
enum field_presence { REQUIRED, OPTIONAL, OPTIONAL_ON };

struct field {
    const char *key;
    enum field_kind kind;
    enum field_presence presence;
    uint32_t min;                  /* UINT; what is too much is for its size and the rules to say */
    size_t offset, size_bytes;
    size_t count_offset;           /* of a list: of the uint16_t that counts its items */
    size_t item_size_bytes;
};

#define FIELDS_MAX 16

struct persist_section {
    size_t record_size_bytes;
    struct field fields[FIELDS_MAX];   /* ends at the first without a key */
};

#define FIELD(key_, kind_, presence_, min_, record, member)                                     \
    { .key = key_, .kind = FIELD_##kind_, .presence = presence_, .min = min_,                   \
      .offset = offsetof(record, member), .size_bytes = sizeof(((record *)NULL)->member) }

#define LIST(key_, kind_, record, member)                                                       \
    { .key = key_, .kind = FIELD_##kind_, .presence = OPTIONAL,                                 \
      .offset = offsetof(record, member), .size_bytes = sizeof(((record *)NULL)->member),       \
      .count_offset = offsetof(record, member##_count),                                         \
      .item_size_bytes = sizeof(((record *)NULL)->member[0]) }

const struct persist_section persist_pool = {
    sizeof(struct persist_pool), {
        FIELD("next",  MAC, REQUIRED, 0, struct persist_pool, next),
        FIELD("first", MAC, OPTIONAL, 0, struct persist_pool, first),
        FIELD("last",  MAC, OPTIONAL, 0, struct persist_pool, last),
    }
};

const struct persist_section persist_switches = {
    sizeof(struct vswitch_switch), {
        FIELD("name",           TEXT, REQUIRED, 0, struct vswitch_switch, name),
        FIELD("type",           TYPE, REQUIRED, 0, struct vswitch_switch, type),
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

static const char *const type_words[] = {
    [VSWITCH_PRIVATE] = "private", [VSWITCH_INTERNAL] = "internal", [VSWITCH_EXTERNAL] = "external",
};

const char *persist_type_word(enum vswitch_type type)
{
    return type_words[type];
}

int persist_type_parse(const char *word, enum vswitch_type *type)
{
    for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]); i++) {
        if (strcmp(word, type_words[i]) == 0) {
            *type = (enum vswitch_type)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* ---- numbers of two sizes -------------------------------------------------------------------- */

static uint64_t uint_max(const struct field *field)
{
    return field->size_bytes == sizeof(uint16_t) ? UINT16_MAX : UINT32_MAX;
}

static uint32_t uint_get(const struct field *field, const void *at)
{
    uint16_t half;
    uint32_t whole;

    if (field->size_bytes == sizeof(half)) {
        memcpy(&half, at, sizeof(half));
        return half;
    }
    assert(field->size_bytes == sizeof(whole));
    memcpy(&whole, at, sizeof(whole));
    return whole;
}

static void uint_put(const struct field *field, void *at, uint32_t value)
{
    const uint16_t half = (uint16_t)value;

    if (field->size_bytes == sizeof(half)) {
        memcpy(at, &half, sizeof(half));
        return;
    }
    assert(field->size_bytes == sizeof(value));
    memcpy(at, &value, sizeof(value));
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint16_t list_count(const struct field *field, const void *record)
{
    uint16_t count;

    memcpy(&count, (const char *)record + field->count_offset, sizeof(count));
    return count;
}

static bool is_zero(const void *at, size_t size_bytes)
{
    const char *byte = at;
    bool zero = true;

    for (size_t i = 0; i < size_bytes; i++) {
        zero = zero && byte[i] == 0;
    }
    return zero;
}

/* Whether @p record has what holds when the key is not there. */
static bool may_be_left_out(const struct field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    uint64_t offload;
    bool flag;

    switch (field->kind) {
    case FIELD_TEXT:
        return at[0] == '\0';
    case FIELD_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return flag == (field->presence == OPTIONAL_ON);
    case FIELD_OFFLOAD:
        memcpy(&offload, at, sizeof(offload));
        return offload == (field->presence == OPTIONAL_ON ? OFFLOAD_ALL : 0);
    case FIELD_MACS:
    case FIELD_TEXTS:
        return list_count(field, record) == 0;
    case FIELD_TYPE:
    case FIELD_MAC:
    case FIELD_UINT:
    case FIELD_VLAN:
        break;
    }
    return is_zero(at, field->size_bytes);
}

static json_t *mac_to_json(const void *at)
{
    char text[MAC_TEXT_SIZE];
    uint64_t mac;

    memcpy(&mac, at, sizeof(mac));
    return json_string(mac_format(mac, text));
}

static json_t *offload_to_json(const void *at)
{
    char text[OFFLOAD_TEXT_SIZE];
    uint64_t offload;

    memcpy(&offload, at, sizeof(offload));
    offload_format(offload, text);
    return json_string(text);
}

static json_t *list_to_json(const struct field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    json_t *list = json_array();

    for (uint16_t i = 0; i < list_count(field, record) && list != NULL; i++) {
        const char *item = at + i * field->item_size_bytes;

        if (json_array_append_new(list, field->kind == FIELD_MACS ? mac_to_json(item)
                                                                  : json_string(item)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *field_to_json(const struct field *field, const void *record)
{
    const void *at = (const char *)record + field->offset;
    char text[VLAN_TEXT_SIZE];
    enum vswitch_type type;
    bool flag;

    switch (field->kind) {
    case FIELD_TEXT:
        return json_string(at);
    case FIELD_TYPE:
        memcpy(&type, at, sizeof(type));
        return json_string(persist_type_word(type));
    case FIELD_MAC:
        return mac_to_json(at);
    case FIELD_UINT:
        return json_integer(uint_get(field, at));
    case FIELD_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return json_boolean(flag);
    case FIELD_VLAN:
        return json_string(vlan_format(at, text));
    case FIELD_OFFLOAD:
        return offload_to_json(at);
    case FIELD_MACS:
    case FIELD_TEXTS:
        return list_to_json(field, record);
    }
    return NULL;
}

json_t *persist_record_to_json(const struct persist_section *section, const void *record)
{
    json_t *object = json_object();

    for (const struct field *field = section->fields; field->key != NULL; field++) {
        if (field->presence != REQUIRED && may_be_left_out(field, record)) {
            continue;
        }
        if (json_object_set_new(object, field->key, field_to_json(field, record)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_text(const struct field *field, const json_t *value, void *at, struct error *error)
{
    const size_t len = json_string_length(value);

    if (!json_is_string(value) || len == 0 || len >= field->size_bytes) {
        return error_set(error, EINVAL, "\"%s\" must be a text of 1 to %zu characters", field->key,
                         field->size_bytes - 1);
    }
    memcpy(at, json_string_value(value), len + 1);
    return 0;
}

static int read_type(const struct field *field, const json_t *value, void *at, struct error *error)
{
    enum vswitch_type type;

    if (!json_is_string(value) || persist_type_parse(json_string_value(value), &type) != 0) {
        return error_set(error, EINVAL, "\"%s\" must be \"private\", \"internal\" or \"external\"",
                         field->key);
    }
    memcpy(at, &type, sizeof(type));
    return 0;
}

static int read_mac(const struct field *field, const json_t *value, void *at, struct error *error)
{
    uint64_t mac;

    /* An address of zero would mean "choose one"; in the file every address has been chosen. */
    if (!json_is_string(value) || mac_parse(json_string_value(value), &mac) != 0 || mac == 0) {
        return error_set(error, EINVAL, "\"%s\" must be an address such as 00:15:5d:01:02:03",
                         field->key);
    }
    memcpy(at, &mac, sizeof(mac));
    return 0;
}

static int read_uint(const struct field *field, const json_t *value, void *at, struct error *error)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < (json_int_t)field->min ||
        (uint64_t)number > uint_max(field)) {
        return error_set(error, EINVAL, "\"%s\" must be a whole number from %u to %llu", field->key,
                         (unsigned)field->min, (unsigned long long)uint_max(field));
    }
    uint_put(field, at, (uint32_t)number);
    return 0;
}

static int read_flag(const struct field *field, const json_t *value, void *at, struct error *error)
{
    const bool flag = json_is_true(value);

    if (!json_is_boolean(value)) {
        return error_set(error, EINVAL, "\"%s\" must be true or false", field->key);
    }
    memcpy(at, &flag, sizeof(flag));
    return 0;
}

static int read_vlan(const struct field *field, const json_t *value, void *at, struct error *error)
{
    struct error inner = { 0 };

    if (!json_is_string(value)) {
        return error_set(error, EINVAL, "\"%s\" must be a text such as \"access:10\"", field->key);
    }
    if (vlan_parse(json_string_value(value), at, &inner) != 0) {
        return error_set(error, EINVAL, "\"%s\": %s", field->key, inner.text);
    }
    return 0;
}

static int read_offload(const struct field *field, const json_t *value, void *at,
                        struct error *error)
{
    struct error inner = { 0 };
    uint64_t offload;

    if (!json_is_string(value)) {
        return error_set(error, EINVAL, "\"%s\" must be a text such as \"off\"", field->key);
    }
    if (offload_parse(json_string_value(value), &offload, &inner) != 0) {
        return error_set(error, EINVAL, "\"%s\": %s", field->key, inner.text);
    }
    memcpy(at, &offload, sizeof(offload));
    return 0;
}

static int read_list(const struct field *field, const json_t *value, void *record,
                     struct error *error)
{
    const size_t count_max = field->size_bytes / field->item_size_bytes;
    const uint16_t count = (uint16_t)json_array_size(value);
    struct field item = *field;
    int rc = 0;

    if (!json_is_array(value) || json_array_size(value) > count_max) {
        return error_set(error, EINVAL, "\"%s\" must be a list of at most %zu", field->key,
                         count_max);
    }
    item.size_bytes = field->item_size_bytes;
    for (uint16_t i = 0; i < count && rc == 0; i++) {
        void *at = (char *)record + field->offset + i * field->item_size_bytes;

        rc = field->kind == FIELD_MACS ? read_mac(&item, json_array_get(value, i), at, error)
                                       : read_text(&item, json_array_get(value, i), at, error);
    }
    memcpy((char *)record + field->count_offset, &count, sizeof(count));
    return rc;
}

static int field_from_json(const struct field *field, const json_t *value, void *record,
                           struct error *error)
{
    void *at = (char *)record + field->offset;

    switch (field->kind) {
    case FIELD_TEXT:
        return read_text(field, value, at, error);
    case FIELD_TYPE:
        return read_type(field, value, at, error);
    case FIELD_MAC:
        return read_mac(field, value, at, error);
    case FIELD_UINT:
        return read_uint(field, value, at, error);
    case FIELD_FLAG:
        return read_flag(field, value, at, error);
    case FIELD_VLAN:
        return read_vlan(field, value, at, error);
    case FIELD_OFFLOAD:
        return read_offload(field, value, at, error);
    case FIELD_MACS:
    case FIELD_TEXTS:
        return read_list(field, value, record, error);
    }
    return -EINVAL;
}

/* What holds for a key that is not there, where that is not zero. */
static void preset(const struct field *field, void *record)
{
    char *at = (char *)record + field->offset;
    const uint64_t offload = OFFLOAD_ALL;
    const bool on = true;

    if (field->presence == OPTIONAL_ON && field->kind == FIELD_OFFLOAD) {
        memcpy(at, &offload, sizeof(offload));
    } else if (field->presence == OPTIONAL_ON) {
        memcpy(at, &on, sizeof(on));
    }
}

static bool key_is_known(const struct persist_section *section, const char *key)
{
    for (const struct field *field = section->fields; field->key != NULL; field++) {
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
    for (const struct field *field = section->fields; field->key != NULL && rc == 0; field++) {
        value = json_object_get(object, field->key);
        if (value == NULL && field->presence != REQUIRED) {
            preset(field, record);
            continue;
        }
        if (value == NULL) {
            return error_set(error, EINVAL, "the key \"%s\" is missing", field->key);
        }
        rc = field_from_json(field, value, record, error);
    }
    return rc;
}
