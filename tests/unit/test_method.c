/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/method: that the table is coherent, and that what it does not allow is refused. */
#include "ctl/method.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Decodes params written as JSON. */
static int decode(enum method_id id, const char *params, json_t **out, struct error *error)
{
    json_t *given = json_loads(params, JSON_DECODE_ANY, NULL);
    int rc;

    assert_non_null(given);
    *out = NULL;
    rc = method_decode(method_get(id), given, out, error);
    json_decref(given);
    return rc;
}

/* Expects a refusal whose sentence has @p part in it. */
static void assert_refused(enum method_id id, const char *params, const char *part)
{
    struct error error = { 0 };
    json_t *out = NULL;

    assert_int_equal(decode(id, params, &out, &error), -EINVAL);
    assert_null(out);
    assert_non_null(strstr(error.text, method_get(id)->name));
    if (strstr(error.text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, error.text);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static void test_table_row_names_agree(void **state)
{
    char name[64];

    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        (void)snprintf(name, sizeof(name), "%s.%s", spec->noun, spec->verb);
        assert_int_equal(spec->id, i);
        assert_string_equal(spec->name, name);
        assert_ptr_equal(method_find(name), spec);
        assert_non_null(method_noun_help(spec->noun));
    }
    assert_null(method_find("switch.explode"));
    assert_null(method_find(""));
}

static void test_table_row_helps_in_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);
        const size_t length = strlen(spec->help);

        assert_true(length > 10 && length < 76);
        assert_true(isupper((unsigned char)spec->help[0]));
        assert_int_not_equal(spec->help[length - 1], '.');
        assert_int_equal(strncmp(spec->example, "vswitchctl ", 11), 0);
        assert_non_null(strstr(spec->example, spec->noun));
        assert_non_null(strstr(spec->example, spec->verb));
    }
}

static void check_key(const struct method_spec *spec, const struct method_key *key, bool first)
{
    char expects[160];

    for (const char *c = key->name; *c != '\0'; c++) {
        assert_true(islower((unsigned char)*c) || *c == '_');
    }
    assert_true(strlen(key->help) > 5 && strlen(key->help) < 76);
    assert_int_not_equal(key->help[strlen(key->help) - 1], '.');
    assert_true(strlen(method_key_expects(key, expects, sizeof(expects))) > 3);
    assert_true(key->kind == METHOD_KIND_FLAG || key->placeholder != NULL);
    assert_true(!key->positional || first);
    assert_true(!key->required || key->preset == NULL);
    assert_true(key->min <= key->max && key->max <= INT64_MAX);
    assert_ptr_equal(method_key_find(spec, key->name), key);
    if (key->kind == METHOD_KIND_ENUM || key->kind == METHOD_KIND_TARGET) {
        assert_non_null(key->words[0]);
    }
}

static void test_table_key_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);

        for (size_t k = 0; k < method_key_count(spec); k++) {
            check_key(spec, &spec->keys[k], k == 0);
        }
    }
}

/* ---- decoding -------------------------------------------------------------------------------- */

static void test_decode_takes_what_was_given_and_no_more(void **state)
{
    struct error error = { 0 };
    json_t *out = NULL;

    (void)state;
    assert_int_equal(decode(METHOD_SWITCH_ADD,
                            "{\"name\": \"lan\", \"type\": \"private\", \"mtu\": 9000}",
                            &out, &error), 0);
    assert_int_equal(json_object_size(out), 3);
    assert_string_equal(json_string_value(json_object_get(out, "name")), "lan");
    assert_int_equal(json_integer_value(json_object_get(out, "mtu")), 9000);
    json_decref(out);
}

static void test_decode_writes_mac_in_lower_case(void **state)
{
    struct error error = { 0 };
    json_t *out = NULL;

    (void)state;
    assert_int_equal(decode(METHOD_MAC_REMOVE,
                            "{\"name\": \"lan\", \"mac\": \"00-15-5D-00-00-AA\"}",
                            &out, &error), 0);
    assert_string_equal(json_string_value(json_object_get(out, "mac")), "00:15:5d:00:00:aa");
    json_decref(out);
}

static void test_decode_takes_absent_params_as_empty(void **state)
{
    struct error error = { 0 };
    json_t *out = NULL;

    (void)state;
    assert_int_equal(method_decode(method_get(METHOD_SWITCH_LIST), NULL, &out, &error), 0);
    assert_int_equal(json_object_size(out), 0);
    json_decref(out);
}

static void test_decode_refuses_unknown_key_and_lists_the_known(void **state)
{
    (void)state;
    assert_refused(METHOD_VNIC_LIST, "{\"swich\": \"lan\"}", "\"swich\"; it takes \"switch\".");
    assert_refused(METHOD_SWITCH_LIST, "{\"x\": 1}", "no key at all");
}

static void test_decode_refuses_the_clients_own_keys(void **state)
{
    (void)state;
    assert_refused(METHOD_STATS_SHOW, "{\"watch\": 1}", "no key \"watch\"");
    assert_refused(METHOD_CAPTURE_START, "{\"on\": \"vnic:a\", \"write\": \"/etc/passwd\"}",
                   "no key \"write\"");
}

static void test_decode_refuses_missing_key(void **state)
{
    (void)state;
    assert_refused(METHOD_SWITCH_ADD, "{\"name\": \"lan\"}",
                   "needs \"type\": private, internal or external");
    assert_refused(METHOD_SWITCH_SHOW, "{}", "needs \"name\"");
}

static void test_decode_refuses_change_without_a_key(void **state)
{
    (void)state;
    assert_refused(METHOD_SWITCH_SET, "{\"name\": \"lan\"}",
                   "at least one of \"type\", \"uplink\", \"host_vnic\",");
    assert_refused(METHOD_VNIC_SET, "{\"name\": \"web0\"}", "\"socket_group\"");
}

static void test_decode_refuses_wrong_types(void **state)
{
    static const char *const wrong[] = { "1.5", "\"1500\"", "true", "null", "[1500]", "{}", "-1",
                                         "575", "9601", "1e3" };
    char params[128];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(params, sizeof(params), "{\"name\": \"lan\", \"mtu\": %s}", wrong[i]);
        assert_refused(METHOD_SWITCH_SET, params,
                       "\"mtu\" must be a number of bytes from 576 to 9600");
    }
    assert_refused(METHOD_SWITCH_REMOVE, "{\"name\": \"lan\", \"force\": 1}", "true or false");
    assert_refused(METHOD_SWITCH_REMOVE, "{\"name\": 7}", "\"name\" must be");
}

static void test_decode_refuses_params_that_are_no_object(void **state)
{
    (void)state;
    assert_refused(METHOD_SWITCH_SHOW, "[\"lan\"]", "object");
    assert_refused(METHOD_SWITCH_SHOW, "\"lan\"", "object");
    assert_refused(METHOD_SWITCH_SHOW, "null", "object");
}

static void test_decode_refuses_names_with_slashes(void **state)
{
    (void)state;
    assert_refused(METHOD_VNIC_REMOVE, "{\"name\": \"../../etc/passwd\"}", "\"name\" must be");
    assert_refused(METHOD_VNIC_REMOVE, "{\"name\": \"\"}", "\"name\" must be");
    assert_refused(METHOD_VNIC_ADD, "{\"name\": \"web0\", \"switch\": \"a/b\"}",
                   "\"switch\" must be");
}

static void test_decode_refuses_very_long_strings_in_a_short_sentence(void **state)
{
    const size_t length = 100000;
    char *params = malloc(length + 32);
    const int start = sprintf(params, "{\"name\": \"");

    (void)state;
    memset(params + start, 'a', length);
    (void)strcpy(params + start + length, "\"}");
    assert_refused(METHOD_SWITCH_SHOW, params, "aaa...\"");
    free(params);
}

static void test_decode_refuses_words_it_does_not_know(void **state)
{
    (void)state;
    assert_refused(METHOD_SWITCH_ADD, "{\"name\": \"lan\", \"type\": \"Private\"}",
                   "private, internal or external");
    assert_refused(METHOD_CAPTURE_START, "{\"on\": \"vnic\"}",
                   "vnic:NAME, switch:NAME, uplink:NAME, team:NAME or host:NAME");
    assert_refused(METHOD_CAPTURE_START, "{\"on\": \"vnic:\"}",
                   "vnic:NAME, switch:NAME, uplink:NAME, team:NAME or host:NAME");
    assert_refused(METHOD_CAPTURE_START, "{\"on\": \"port:a\"}",
                   "vnic:NAME, switch:NAME, uplink:NAME, team:NAME or host:NAME");
    assert_refused(METHOD_CAPTURE_START, "{\"on\": \"vnic:a/b\"}",
                   "vnic:NAME, switch:NAME, uplink:NAME, team:NAME or host:NAME");
}

static void test_decode_refuses_control_characters_in_a_text(void **state)
{
    (void)state;
    assert_refused(METHOD_VNIC_SET, "{\"name\": \"a\", \"socket_owner\": \"root\\u001b[2J\"}",
                   "printable");
}

/* ---- the command line's text ----------------------------------------------------------------- */

/* Encodes, and returns the value as JSON text, or the sentence; owned. */
static char *encode(enum method_id id, const char *name, const char *text)
{
    struct error error = { 0 };
    json_t *value = NULL;
    char *out;

    if (method_encode_text(method_key_find(method_get(id), name), text, &value, &error) != 0) {
        return strdup(error.text);
    }
    out = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    return out;
}

static void assert_encoded(enum method_id id, const char *name, const char *text,
                           const char *wanted)
{
    char *json = encode(id, name, text);

    assert_string_equal(json, wanted);
    free(json);
}

static void test_encode_makes_the_value_of_its_kind(void **state)
{
    (void)state;
    assert_encoded(METHOD_SWITCH_ADD, "name", "lan", "\"lan\"");
    assert_encoded(METHOD_SWITCH_ADD, "type", "private", "\"private\"");
    assert_encoded(METHOD_SWITCH_ADD, "mtu", "2K", "2048");
    assert_encoded(METHOD_SWITCH_ADD, "mac_capacity", "100k", "100000");
    assert_encoded(METHOD_SWITCH_ADD, "mac_ageing", "5m", "300");
    assert_encoded(METHOD_SWITCH_SET, "coalesce", "off", "false");
    assert_encoded(METHOD_VNIC_ADD, "offload", "csum,host_tso4", "\"csum,host_tso4\"");
    assert_encoded(METHOD_STATS_SHOW, "watch", "300ms", "300");
    assert_encoded(METHOD_STATS_SHOW, "watch", "2", "2000");
    assert_encoded(METHOD_CAPTURE_START, "seconds", "2000ms", "2");
    assert_encoded(METHOD_SWITCH_REMOVE, "force", NULL, "true");
    assert_encoded(METHOD_VNIC_ADD, "mac", "00-15-5D-00-00-01", "\"00:15:5d:00:00:01\"");
    assert_encoded(METHOD_CAPTURE_START, "on", "switch:lan", "\"switch:lan\"");
}

static void test_encode_refuses_in_the_words_that_were_typed(void **state)
{
    (void)state;
    assert_encoded(METHOD_SWITCH_ADD, "mac_ageing", "300ms",
                   "--mac-ageing must be a time from 0 to 1000000 whole seconds, not \"300ms\".");
    assert_encoded(METHOD_CAPTURE_START, "seconds", "1500ms",
                   "--seconds must be a time from 1 to 31536000 whole seconds, not \"1500ms\".");
    assert_encoded(METHOD_STATS_SHOW, "watch", "50ms",
                   "--watch must be a time from 100ms to 86400s, not \"50ms\".");
    assert_encoded(METHOD_SWITCH_ADD, "mtu", "99999",
                   "--mtu must be a number of bytes from 576 to 9600, not \"99999\".");
    assert_encoded(METHOD_SWITCH_ADD, "name", "a/b", "NAME must be 1 to 63 of A-Z a-z 0-9 . _ -, "
                   "starting with a letter or digit, not \"a/b\".");
    assert_encoded(METHOD_SWITCH_ADD, "mtu", NULL,
                   "--mtu needs a value: a number of bytes from 576 to 9600.");
    assert_encoded(METHOD_SWITCH_SET, "coalesce", "maybe",
                   "--coalesce must be on (true) or off (false), not \"maybe\".");
    assert_encoded(METHOD_VNIC_SET, "offload", "",
                   "--offload must be on, off, or words with commas: tx, rx, csum, tso, ecn, uso, "
                   "or one such as guest_tso4, not \"\".");
    assert_encoded(METHOD_SWITCH_REMOVE, "force", "yes",
                   "--force stands alone and takes no value, not even \"yes\".");
}

static void test_encode_refuses_numbers_over_what_json_holds(void **state)
{
    char *json = encode(METHOD_CAPTURE_START, "frames", "18446744073709551615");

    (void)state;
    assert_int_equal(strncmp(json, "--frames must be", 16), 0);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_row_names_agree),
        cmocka_unit_test(test_table_row_helps_in_one_line),
        cmocka_unit_test(test_table_key_is_complete),
        cmocka_unit_test(test_decode_takes_what_was_given_and_no_more),
        cmocka_unit_test(test_decode_writes_mac_in_lower_case),
        cmocka_unit_test(test_decode_takes_absent_params_as_empty),
        cmocka_unit_test(test_decode_refuses_unknown_key_and_lists_the_known),
        cmocka_unit_test(test_decode_refuses_the_clients_own_keys),
        cmocka_unit_test(test_decode_refuses_missing_key),
        cmocka_unit_test(test_decode_refuses_change_without_a_key),
        cmocka_unit_test(test_decode_refuses_wrong_types),
        cmocka_unit_test(test_decode_refuses_params_that_are_no_object),
        cmocka_unit_test(test_decode_refuses_names_with_slashes),
        cmocka_unit_test(test_decode_refuses_very_long_strings_in_a_short_sentence),
        cmocka_unit_test(test_decode_refuses_words_it_does_not_know),
        cmocka_unit_test(test_decode_refuses_control_characters_in_a_text),
        cmocka_unit_test(test_encode_makes_the_value_of_its_kind),
        cmocka_unit_test(test_encode_refuses_in_the_words_that_were_typed),
        cmocka_unit_test(test_encode_refuses_numbers_over_what_json_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
