/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/method.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/method_table.h"
#include "ctl/value.h"

#define EXPECTS_SIZE    160u
#define LIST_SIZE       (ERROR_TEXT_SIZE / 2)
#define SHOWN_SIZE      VALUE_QUOTE_SIZE
#define UPLINK_NAME_MAX 255u

static const struct method_spec *const table[METHOD_COUNT] = {
#define X(id, noun, verb) [METHOD_##id] = &method_row_##id,
    METHODS(X)
#undef X
};

const char *method_noun_help(const char *noun)
{
    for (const struct method_noun *n = method_nouns; n->noun != NULL; n++) {
        if (strcmp(n->noun, noun) == 0) {
            return n->help;
        }
    }
    return NULL;
}

const struct method_spec *method_get(enum method_id id)
{
    assert((unsigned)id < METHOD_COUNT);
    return table[id];
}

const struct method_spec *method_find(const char *name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

size_t method_key_count(const struct method_spec *spec)
{
    size_t count = 0;

    while (count < METHOD_KEYS_MAX && spec->keys[count].name != NULL) {
        count++;
    }
    return count;
}

const struct method_key *method_key_find(const struct method_spec *spec, const char *name)
{
    for (size_t i = 0; i < method_key_count(spec); i++) {
        if (strcmp(spec->keys[i].name, name) == 0) {
            return &spec->keys[i];
        }
    }
    return NULL;
}

const struct method_key *method_positional(const struct method_spec *spec)
{
    return method_key_count(spec) > 0 && spec->keys[0].positional ? &spec->keys[0] : NULL;
}

bool method_has_needed_key(const struct method_spec *spec, const json_t *given)
{
    for (size_t i = 0; i < method_key_count(spec); i++) {
        if (!spec->keys[i].positional && json_object_get(given, spec->keys[i].name) != NULL) {
            return true;
        }
    }
    return !spec->needs_key;
}

/* ---- sentences ------------------------------------------------------------------------------- */

/* Appends to a text of a fixed size; what does not fit is cut. */
__attribute__((format(printf, 4, 5)))
static void text_append(char *text, size_t text_size, size_t *used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int n = vsnprintf(text + *used, text_size - *used, format, args);
    va_end(args);
    if (n > 0) {
        *used = (size_t)n < text_size - *used ? *used + (size_t)n : text_size - 1;
    }
}

/* What goes before item @p i of @p count in "a, b and c". */
static const char *list_joint(size_t i, size_t count, const char *last)
{
    return i == 0 ? "" : i + 1 == count ? last : ", ";
}

static size_t word_count(const struct method_key *key)
{
    size_t count = 0;

    while (count < METHOD_WORDS_MAX && key->words[count] != NULL) {
        count++;
    }
    return count;
}

const char *method_key_expects(const struct method_key *key, char *text, size_t text_size)
{
    const unsigned long long min = key->min;
    const unsigned long long max = key->max;
    const size_t words = word_count(key);
    size_t used = 0;

    assert(text_size > 0);
    text[0] = '\0';
    switch (key->kind) {
    case METHOD_KIND_NAME:
        text_append(text, text_size, &used, "1 to %u of A-Z a-z 0-9 . _ -, starting with a letter "
                    "or digit", VALUE_NAME_MAX);
        break;
    case METHOD_KIND_TEXT:
        if (key->form != NULL) {
            text_append(text, text_size, &used, "%s", key->form);
            break;
        }
        text_append(text, text_size, &used, "%llu to %llu printable characters", min, max);
        break;
    case METHOD_KIND_UINT:
        text_append(text, text_size, &used,
                    min == max ? "the number %llu" : "a number from %llu to %llu", min, max);
        break;
    case METHOD_KIND_BYTES:
        if (key->form != NULL) {
            text_append(text, text_size, &used, "%s", key->form);
            break;
        }
        text_append(text, text_size, &used, "a number of bytes from %llu to %llu", min, max);
        break;
    case METHOD_KIND_SECONDS:
        text_append(text, text_size, &used, "a time from %llu to %llu whole seconds", min, max);
        break;
    case METHOD_KIND_MS:
        text_append(text, text_size, &used, "a time from %llums to %llus", min, max / 1000);
        break;
    case METHOD_KIND_ONOFF:
        text_append(text, text_size, &used, "on (true) or off (false)");
        break;
    case METHOD_KIND_FLAG:
        text_append(text, text_size, &used, "true or false");
        break;
    case METHOD_KIND_MAC:
        text_append(text, text_size, &used, "an address such as 00:15:5d:01:02:03");
        break;
    case METHOD_KIND_ENUM:
    case METHOD_KIND_TARGET:
        for (size_t i = 0; i < words; i++) {
            text_append(text, text_size, &used, "%s%s%s", list_joint(i, words, " or "),
                        key->words[i], key->kind == METHOD_KIND_TARGET ? ":NAME" : "");
        }
        break;
    case METHOD_KIND_COUNT:
        break;
    }
    return text;
}

/* Shows a value that was refused, short and harmless to a terminal. */
static const char *value_show(const json_t *value, char shown[SHOWN_SIZE])
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return value_quote(json_string_value(value), shown);
    case JSON_INTEGER:
        (void)snprintf(shown, SHOWN_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return shown;
    case JSON_REAL:
        return "a fraction";
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "that";
}

/* Writes `"mtu", "mac_capacity" and "mac_ageing"`, the keys that are sent; nothing for none. */
static void list_keys(const struct method_spec *spec, bool with_positional, char *text,
                      size_t text_size)
{
    const char *names[METHOD_KEYS_MAX];
    size_t count = 0;
    size_t used = 0;

    for (size_t i = 0; i < method_key_count(spec); i++) {
        const struct method_key *key = &spec->keys[i];

        if (key->side != METHOD_SIDE_CLIENT && (with_positional || !key->positional)) {
            names[count++] = key->name;
        }
    }
    for (size_t i = 0; i < count; i++) {
        text_append(text, text_size, &used, "%s\"%s\"", list_joint(i, count, " and "), names[i]);
    }
}

static int refuse_unknown_key(const struct method_spec *spec, const char *name,
                              struct error *error)
{
    char accepted[LIST_SIZE] = "no key at all";
    char quoted[VALUE_QUOTE_SIZE];

    list_keys(spec, true, accepted, sizeof(accepted));
    return error_set(error, EINVAL, "%s has no key %s; it takes %s.", spec->name,
                     value_quote(name, quoted), accepted);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool text_is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool word_is_known(const struct method_key *key, const char *text, size_t length)
{
    for (size_t i = 0; i < word_count(key); i++) {
        if (strlen(key->words[i]) == length && memcmp(key->words[i], text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* What stands behind the word of a target: a NAME, but an uplink is called as it was given. */
static bool target_is_named(const char *text, const char *name)
{
    const size_t length = strlen(name);

    return value_is_name(name) || (strncmp(text, "uplink:", 7) == 0 && length >= 1 &&
                                   length <= UPLINK_NAME_MAX && text_is_printable(name) &&
                                   strchr(name, ' ') == NULL);
}

static bool string_fits(const struct method_key *key, const char *text, size_t length)
{
    const char *colon;
    char mac[VALUE_MAC_TEXT_SIZE];

    if (strlen(text) != length) {
        return false;                               /* a NUL within */
    }
    switch (key->kind) {
    case METHOD_KIND_NAME:
        return value_is_name(text);
    case METHOD_KIND_TEXT:
        return length >= key->min && length <= key->max && text_is_printable(text);
    case METHOD_KIND_MAC:
        return value_parse_mac(text, mac) == 0;
    case METHOD_KIND_ENUM:
        return word_is_known(key, text, length);
    case METHOD_KIND_TARGET:
        colon = strchr(text, ':');
        return colon != NULL && word_is_known(key, text, (size_t)(colon - text)) &&
               target_is_named(text, colon + 1);
    case METHOD_KIND_UINT:
    case METHOD_KIND_BYTES:
    case METHOD_KIND_SECONDS:
    case METHOD_KIND_MS:
    case METHOD_KIND_ONOFF:
    case METHOD_KIND_FLAG:
    case METHOD_KIND_COUNT:
        break;
    }
    return false;
}

static bool value_fits(const struct method_key *key, const json_t *value)
{
    switch (key->kind) {
    case METHOD_KIND_UINT:
    case METHOD_KIND_BYTES:
    case METHOD_KIND_SECONDS:
    case METHOD_KIND_MS:
        return json_is_integer(value) && json_integer_value(value) >= 0 &&
               (uint64_t)json_integer_value(value) >= key->min &&
               (uint64_t)json_integer_value(value) <= key->max;
    case METHOD_KIND_ONOFF:
    case METHOD_KIND_FLAG:
        return json_is_boolean(value);
    case METHOD_KIND_NAME:
    case METHOD_KIND_TEXT:
    case METHOD_KIND_MAC:
    case METHOD_KIND_ENUM:
    case METHOD_KIND_TARGET:
        return json_is_string(value) &&
               string_fits(key, json_string_value(value), json_string_length(value));
    case METHOD_KIND_COUNT:
        break;
    }
    return false;
}

/* A value that fits, in the one way it is handed on: addresses have a lower-case form. */
static json_t *value_settle(const struct method_key *key, const json_t *value)
{
    char mac[VALUE_MAC_TEXT_SIZE];

    if (key->kind == METHOD_KIND_MAC && value_parse_mac(json_string_value(value), mac) == 0) {
        return json_string(mac);
    }
    return json_deep_copy(value);
}

static int decode_key(const struct method_spec *spec, const char *name, const json_t *value,
                      json_t *out, struct error *error)
{
    const struct method_key *key = method_key_find(spec, name);
    char expects[EXPECTS_SIZE];
    char shown[SHOWN_SIZE];

    if (key == NULL || key->side == METHOD_SIDE_CLIENT) {
        return refuse_unknown_key(spec, name, error);
    }
    if (!value_fits(key, value)) {
        return error_set(error, EINVAL, "%s: \"%s\" must be %s, not %s.", spec->name, key->name,
                         method_key_expects(key, expects, sizeof(expects)),
                         value_show(value, shown));
    }
    if (json_object_set_new(out, key->name, value_settle(key, value)) != 0) {
        return error_set(error, ENOMEM, "%s: no memory left to read its params.", spec->name);
    }
    return 0;
}

static int check_required(const struct method_spec *spec, const json_t *given, struct error *error)
{
    char expects[EXPECTS_SIZE];
    char keys[LIST_SIZE] = "";

    for (size_t i = 0; i < method_key_count(spec); i++) {
        const struct method_key *key = &spec->keys[i];

        if (key->required && key->side != METHOD_SIDE_CLIENT &&
            json_object_get(given, key->name) == NULL) {
            return error_set(error, EINVAL, "%s needs \"%s\": %s.", spec->name, key->name,
                             method_key_expects(key, expects, sizeof(expects)));
        }
    }
    if (!method_has_needed_key(spec, given)) {
        list_keys(spec, false, keys, sizeof(keys));
        return error_set(error, EINVAL, "%s needs at least one of %s; without, nothing would be "
                         "changed.", spec->name, keys);
    }
    return 0;
}

int method_decode(const struct method_spec *spec, const json_t *params, json_t **out,
                  struct error *error)
{
    json_t *given;
    int rc = 0;

    if (params != NULL && !json_is_object(params)) {
        return error_set(error, EINVAL, "%s takes its params as an object of named keys.",
                         spec->name);
    }
    given = json_object();
    if (given == NULL) {
        return error_set(error, ENOMEM, "%s: no memory left to read its params.", spec->name);
    }
    /* The iterator wants a params that is not const, and changes nothing in it. */
    for (void *at = json_object_iter((json_t *)(uintptr_t)params); at != NULL && rc == 0;
         at = json_object_iter_next((json_t *)(uintptr_t)params, at)) {
        rc = decode_key(spec, json_object_iter_key(at), json_object_iter_value(at), given, error);
    }
    if (rc == 0) {
        rc = check_required(spec, given, error);
    }
    if (rc != 0) {
        json_decref(given);
        return rc;
    }
    *out = given;
    return 0;
}

/* ---- from the command line ------------------------------------------------------------------- */

/*
 * The JSON value that @p text is, or NULL when it is none of this kind; ranges are checked later.
 */
static json_t *text_to_json(const struct method_key *key, const char *text)
{
    uint64_t number = 0;
    bool on = false;
    int rc = -EINVAL;

    switch (key->kind) {
    case METHOD_KIND_UINT:
        rc = value_parse_count(text, &number);
        break;
    case METHOD_KIND_BYTES:
        rc = value_parse_bytes(text, &number);
        break;
    case METHOD_KIND_SECONDS:
        rc = value_parse_time(text, &number);
        rc = rc == 0 && number % 1000 != 0 ? -EINVAL : rc;
        number /= 1000;
        break;
    case METHOD_KIND_MS:
        rc = value_parse_time(text, &number);
        break;
    case METHOD_KIND_ONOFF:
        return value_parse_onoff(text, &on) == 0 ? json_boolean(on) : NULL;
    case METHOD_KIND_NAME:
    case METHOD_KIND_TEXT:
    case METHOD_KIND_MAC:
    case METHOD_KIND_ENUM:
    case METHOD_KIND_TARGET:
        /* What stays with the client need not be UTF-8: a file's name mostly is, and may not be. */
        return key->side == METHOD_SIDE_CLIENT ? json_string_nocheck(text) : json_string(text);
    case METHOD_KIND_FLAG:
    case METHOD_KIND_COUNT:
        return NULL;
    }
    return rc == 0 && number <= INT64_MAX ? json_integer((json_int_t)number) : NULL;
}

/* "--mac-capacity", or "NAME" for the word after the verb. */
static const char *key_as_typed(const struct method_key *key, char *typed, size_t typed_size)
{
    if (key->positional) {
        (void)snprintf(typed, typed_size, "%s", key->placeholder);
        return typed;
    }
    (void)snprintf(typed, typed_size, "--%s", key->name);
    for (char *c = typed; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    return typed;
}

int method_encode_text(const struct method_key *key, const char *text, json_t **out,
                       struct error *error)
{
    char typed[48];
    char expects[EXPECTS_SIZE];
    char shown[SHOWN_SIZE];
    json_t *value;

    (void)key_as_typed(key, typed, sizeof(typed));
    if (key->kind == METHOD_KIND_FLAG) {
        if (text != NULL) {
            return error_set(error, EINVAL, "%s stands alone and takes no value, not even %s.",
                             typed, value_quote(text, shown));
        }
        *out = json_true();
        return 0;
    }
    (void)method_key_expects(key, expects, sizeof(expects));
    if (text == NULL) {
        return error_set(error, EINVAL, "%s needs a value: %s.", typed, expects);
    }
    value = text_to_json(key, text);
    if (value == NULL || !value_fits(key, value)) {
        json_decref(value);
        return error_set(error, EINVAL, "%s must be %s, not %s.", typed, expects,
                         value_quote(text, shown));
    }
    *out = value_settle(key, value);
    json_decref(value);
    if (*out == NULL) {
        return error_set(error, ENOMEM, "%s: no memory left.", typed);
    }
    return 0;
}
