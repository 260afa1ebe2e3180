/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/persist_field.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch/mac.h"
#include "switch/offload.h"
#include "switch/vlan.h"

/* ---- numbers of two sizes -------------------------------------------------------------------- */

static uint64_t uint_max(const struct persist_field *field)
{
    return field->size_bytes == sizeof(uint16_t) ? UINT16_MAX : UINT32_MAX;
}

static uint32_t uint_get(const struct persist_field *field, const void *at)
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

static void uint_put(const struct persist_field *field, void *at, uint32_t value)
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

static uint16_t list_count(const struct persist_field *field, const void *record)
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

bool persist_field_is_default(const struct persist_field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    uint64_t offload;
    bool flag;

    switch (field->kind) {
    case PERSIST_TEXT:
        return at[0] == '\0';
    case PERSIST_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return flag == (field->presence == PERSIST_OPTIONAL_ON);
    case PERSIST_OFFLOAD:
        memcpy(&offload, at, sizeof(offload));
        return offload == (field->presence == PERSIST_OPTIONAL_ON ? OFFLOAD_ALL : 0);
    case PERSIST_MACS:
    case PERSIST_TEXTS:
        return list_count(field, record) == 0;
    case PERSIST_WORD:
    case PERSIST_MAC:
    case PERSIST_UINT:
    case PERSIST_VLAN:
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

static json_t *list_to_json(const struct persist_field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    json_t *list = json_array();

    for (uint16_t i = 0; i < list_count(field, record) && list != NULL; i++) {
        const char *item = at + i * field->item_size_bytes;

        if (json_array_append_new(list, field->kind == PERSIST_MACS ? mac_to_json(item)
                                                                  : json_string(item)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *persist_field_to_json(const struct persist_field *field, const void *record)
{
    const void *at = (const char *)record + field->offset;
    char text[VLAN_TEXT_SIZE];
    bool flag;

    switch (field->kind) {
    case PERSIST_TEXT:
        return json_string(at);
    case PERSIST_WORD:
        return json_string(field->words[uint_get(field, at)]);
    case PERSIST_MAC:
        return mac_to_json(at);
    case PERSIST_UINT:
        return json_integer(uint_get(field, at));
    case PERSIST_FLAG:
        memcpy(&flag, at, sizeof(flag));
        return json_boolean(flag);
    case PERSIST_VLAN:
        return json_string(vlan_format(at, text));
    case PERSIST_OFFLOAD:
        return offload_to_json(at);
    case PERSIST_MACS:
    case PERSIST_TEXTS:
        return list_to_json(field, record);
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_text(const struct persist_field *field, const json_t *value, void *at,
                     struct error *error)
{
    const size_t len = json_string_length(value);

    if (!json_is_string(value) || len == 0 || len >= field->size_bytes) {
        return error_set(error, EINVAL, "\"%s\" must be a text of 1 to %zu characters", field->key,
                         field->size_bytes - 1);
    }
    memcpy(at, json_string_value(value), len + 1);
    return 0;
}

/* Says what is accepted: "must be "a", "b" or "c"". */
static int refuse_word(const struct persist_field *field, struct error *error)
{
    char list[128] = "";
    size_t used = 0;

    for (size_t i = 0; field->words[i] != NULL; i++) {
        const char *link = i == 0 ? "" : field->words[i + 1] == NULL ? " or " : ", ";

        used += (size_t)snprintf(&list[used], sizeof(list) - used, "%s\"%s\"", link,
                                 field->words[i]);
        assert(used < sizeof(list));
    }
    return error_set(error, EINVAL, "\"%s\" must be %s", field->key, list);
}

static int read_word(const struct persist_field *field, const json_t *value, void *at,
                     struct error *error)
{
    uint32_t word = 0;

    if (!json_is_string(value)) {
        return refuse_word(field, error);
    }
    while (field->words[word] != NULL &&
           strcmp(field->words[word], json_string_value(value)) != 0) {
        word++;
    }
    if (field->words[word] == NULL) {
        return refuse_word(field, error);
    }
    uint_put(field, at, word);
    return 0;
}

static int read_mac(const struct persist_field *field, const json_t *value, void *at,
                    struct error *error)
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

static int read_uint(const struct persist_field *field, const json_t *value, void *at,
                     struct error *error)
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

static int read_flag(const struct persist_field *field, const json_t *value, void *at,
                     struct error *error)
{
    const bool flag = json_is_true(value);

    if (!json_is_boolean(value)) {
        return error_set(error, EINVAL, "\"%s\" must be true or false", field->key);
    }
    memcpy(at, &flag, sizeof(flag));
    return 0;
}

static int read_vlan(const struct persist_field *field, const json_t *value, void *at,
                     struct error *error)
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

static int read_offload(const struct persist_field *field, const json_t *value, void *at,
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

static int read_list(const struct persist_field *field, const json_t *value, void *record,
                     struct error *error)
{
    const size_t count_max = field->size_bytes / field->item_size_bytes;
    const uint16_t count = (uint16_t)json_array_size(value);
    struct persist_field item = *field;
    int rc = 0;

    if (!json_is_array(value) || json_array_size(value) > count_max) {
        return error_set(error, EINVAL, "\"%s\" must be a list of at most %zu", field->key,
                         count_max);
    }
    item.size_bytes = field->item_size_bytes;
    for (uint16_t i = 0; i < count && rc == 0; i++) {
        void *at = (char *)record + field->offset + i * field->item_size_bytes;

        rc = field->kind == PERSIST_MACS ? read_mac(&item, json_array_get(value, i), at, error)
                                       : read_text(&item, json_array_get(value, i), at, error);
    }
    memcpy((char *)record + field->count_offset, &count, sizeof(count));
    return rc;
}

int persist_field_from_json(const struct persist_field *field, const json_t *value, void *record,
                           struct error *error)
{
    void *at = (char *)record + field->offset;

    switch (field->kind) {
    case PERSIST_TEXT:
        return read_text(field, value, at, error);
    case PERSIST_WORD:
        return read_word(field, value, at, error);
    case PERSIST_MAC:
        return read_mac(field, value, at, error);
    case PERSIST_UINT:
        return read_uint(field, value, at, error);
    case PERSIST_FLAG:
        return read_flag(field, value, at, error);
    case PERSIST_VLAN:
        return read_vlan(field, value, at, error);
    case PERSIST_OFFLOAD:
        return read_offload(field, value, at, error);
    case PERSIST_MACS:
    case PERSIST_TEXTS:
        return read_list(field, value, record, error);
    }
    return -EINVAL;
}

void persist_field_default(const struct persist_field *field, void *record)
{
    char *at = (char *)record + field->offset;
    const uint64_t offload = OFFLOAD_ALL;
    const bool on = true;

    if (field->presence == PERSIST_OPTIONAL_ON && field->kind == PERSIST_OFFLOAD) {
        memcpy(at, &offload, sizeof(offload));
    } else if (field->presence == PERSIST_OPTIONAL_ON) {
        memcpy(at, &on, sizeof(on));
    }
}

