/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli/cli_words, with cli_guess and cli_help: the command line as it is agreed. */
#include "ctl/cli/cli_words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/cli/cli_complete.h"
#include "ctl/cli/cli_help.h"
#include "ctl/client.h"

#define WORDS_MAX 24

/* Splits a line at its blanks; a test's words have none. */
static int split(char *line, char **words)
{
    int count = 0;

    for (char *word = strtok(line, " "); word != NULL && count < WORDS_MAX;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    return count;
}

/* A parsed line, and the text its words lie in. */
struct parsed {
    char text[512];
    char *words[WORDS_MAX];
    struct cli_command command;
    struct error error;
    int rc;
};

static void parse(struct parsed *parsed, const char *line)
{
    int count;

    memset(parsed, 0, sizeof(*parsed));
    (void)snprintf(parsed->text, sizeof(parsed->text), "%s", line);
    count = split(parsed->text, parsed->words);
    parsed->rc = cli_words_parse(count, parsed->words, &parsed->command, &parsed->error);
}

/* Checks what is to be sent, as JSON with sorted keys. */
static void assert_sent(const char *line, enum method_id method, const char *params)
{
    struct parsed parsed;
    char *json;

    parse(&parsed, line);
    if (parsed.rc != 0) {
        fail_msg("%s: %s", line, parsed.error.text);
    }
    assert_int_equal(parsed.command.spec->id, method);
    json = json_dumps(parsed.command.params, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(json, params);
    free(json);
    cli_command_clear(&parsed.command);
}

static void assert_usage(const char *line, const char *part)
{
    struct parsed parsed;

    parse(&parsed, line);
    assert_int_equal(parsed.rc, -EINVAL);
    if (strstr(parsed.error.text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, parsed.error.text);
    }
    cli_command_clear(&parsed.command);
}

/* ---- what is understood ---------------------------------------------------------------------- */

static void test_words_become_params(void **state)
{
    (void)state;
    assert_sent("vswitchctl switch add lan --type private --mtu 9000", METHOD_SWITCH_ADD,
                "{\"mtu\":9000,\"name\":\"lan\",\"type\":\"private\"}");
    assert_sent("vswitchctl switch add --type=private lan --mac-capacity=100k", METHOD_SWITCH_ADD,
                "{\"mac_capacity\":100000,\"name\":\"lan\",\"type\":\"private\"}");
    assert_sent("vswitchctl switch remove lan --force", METHOD_SWITCH_REMOVE,
                "{\"force\":true,\"name\":\"lan\"}");
    assert_sent("vswitchctl vnic add web0 --switch lan --queues 4 --socket-owner qemu",
                METHOD_VNIC_ADD,
                "{\"name\":\"web0\",\"queues\":4,\"socket_owner\":\"qemu\",\"switch\":\"lan\"}");
    assert_sent("vswitchctl mac add lan --mac 00:15:5D:00:00:01 --port web0 --vlan 0",
                METHOD_MAC_ADD,
                "{\"mac\":\"00:15:5d:00:00:01\",\"name\":\"lan\",\"port\":\"web0\",\"vlan\":0}");
    assert_sent("vswitchctl capture stop 3", METHOD_CAPTURE_STOP, "{\"id\":3}");
    assert_sent("vswitchctl stats show", METHOD_STATS_SHOW, "{}");
}

static void test_a_key_that_may_come_again_is_a_list(void **state)
{
    struct parsed parsed;
    char *own;

    (void)state;
    parse(&parsed, "vswitchctl vm run web --vnic a --memory 64M --vnic=b --disk d.img,ro");
    own = json_dumps(parsed.command.own, JSON_COMPACT | JSON_SORT_KEYS);

    assert_int_equal(parsed.rc, 0);
    assert_string_equal(own, "{\"disk\":[\"d.img,ro\"],\"memory\":67108864,\"name\":\"web\","
                             "\"vnic\":[\"a\",\"b\"]}");
    free(own);
    cli_command_clear(&parsed.command);
}

static void test_every_example_of_the_table_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);
        struct parsed parsed;
        char example[256];

        (void)snprintf(example, sizeof(example), "%s", spec->example);
        example[strcspn(example, "|")] = '\0';
        parse(&parsed, example);
        if (parsed.rc != 0) {
            fail_msg("%s: %s", spec->example, parsed.error.text);
        }
        assert_ptr_equal(parsed.command.spec, spec);
        cli_command_clear(&parsed.command);
    }
}

static void test_options_of_all_commands_stand_anywhere(void **state)
{
    static const char *const lines[] = {
        "vswitchctl --run-dir /tmp/x --json --timeout 300ms switch list",
        "vswitchctl switch --run-dir=/tmp/x list --json --timeout=300ms",
        "vswitchctl switch list --json --timeout 300ms --run-dir /tmp/x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct parsed parsed;

        parse(&parsed, lines[i]);
        assert_int_equal(parsed.rc, 0);
        assert_string_equal(parsed.command.run_dir, "/tmp/x");
        assert_true(parsed.command.json);
        assert_int_equal(parsed.command.timeout_ms, 300);
        cli_command_clear(&parsed.command);
    }
}

static void test_run_dir_comes_from_the_environment_when_not_given(void **state)
{
    struct parsed parsed;

    (void)state;
    (void)setenv(CLI_RUN_DIR_ENV, "/tmp/env", 1);
    parse(&parsed, "vswitchctl switch list");
    assert_string_equal(parsed.command.run_dir, "/tmp/env");
    cli_command_clear(&parsed.command);
    (void)unsetenv(CLI_RUN_DIR_ENV);
    parse(&parsed, "vswitchctl switch list");
    assert_string_equal(parsed.command.run_dir, CLI_RUN_DIR_DEFAULT);
    assert_int_equal(parsed.command.timeout_ms, CLIENT_TIMEOUT_DEFAULT_MS);
    cli_command_clear(&parsed.command);
}

static void test_keys_of_the_client_are_not_sent(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "vswitchctl capture start --on vnic:a --write -");
    assert_int_equal(parsed.rc, 0);
    assert_null(json_object_get(parsed.command.params, "write"));
    assert_string_equal(json_string_value(json_object_get(parsed.command.own, "write")), "-");
    cli_command_clear(&parsed.command);
    assert_sent("vswitchctl stats show lan --watch 2", METHOD_STATS_SHOW, "{\"name\":\"lan\"}");
    assert_sent("vswitchctl config check x.json", METHOD_CONFIG_CHECK, "{}");
}

static void test_file_name_need_not_be_utf8(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "vswitchctl capture start --on vnic:a --write caf\xe9.pcapng");
    assert_int_equal(parsed.rc, 0);
    assert_string_equal(json_string_value(json_object_get(parsed.command.own, "write")),
                        "caf\xe9.pcapng");
    cli_command_clear(&parsed.command);
}

static void test_help_is_asked_for_at_every_level(void **state)
{
    static const struct { const char *line; bool noun, verb; } lines[] = {
        { "vswitchctl --help", false, false },     { "vswitchctl help", false, false },
        { "vswitchctl -h", false, false },         { "vswitchctl vnic --help", true, false },
        { "vswitchctl vnic help", true, false },   { "vswitchctl help vnic", true, false },
        { "vswitchctl vnic add --help", true, true }, { "vswitchctl help vnic add", true, true },
        { "vswitchctl vnic add web0 --switch lan --help", true, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct parsed parsed;

        parse(&parsed, lines[i].line);
        assert_int_equal(parsed.rc, 0);
        assert_int_equal(parsed.command.action, CLI_HELP);
        assert_int_equal(parsed.command.noun != NULL, lines[i].noun);
        assert_int_equal(parsed.command.spec != NULL, lines[i].verb);
        cli_command_clear(&parsed.command);
    }
}

/* ---- what is not ----------------------------------------------------------------------------- */

static void test_word_that_is_missing_is_asked_for(void **state)
{
    (void)state;
    assert_usage("vswitchctl", "vswitchctl NOUN VERB");
    assert_usage("vswitchctl switch", "goes on with add, set, list, show or remove");
    assert_usage("vswitchctl switch show", "`switch show` needs NAME");
    assert_usage("vswitchctl switch add lan", "needs --type TYPE");
    assert_usage("vswitchctl capture start", "needs --on WHERE");
    assert_usage("vswitchctl config check", "needs FILE");
    assert_usage("vswitchctl switch add lan --type", "--type needs a value");
    assert_usage("vswitchctl switch add lan --type --mtu 1500", "--type needs a value");
    assert_usage("vswitchctl switch list --run-dir", "--run-dir needs a value");
    assert_usage("vswitchctl switch set lan",
                 "`switch set` needs --type, --uplink, --host-vnic,");
    assert_usage("vswitchctl vnic set web0",
                 "`vnic set` needs --mac, --mtu, --vlan, --priority,");
}

static void test_word_that_is_mistyped_is_guessed(void **state)
{
    (void)state;
    assert_usage("vswitchctl swich list", "did you mean switch?");
    assert_usage("vswitchctl vinc list", "did you mean vnic?");
    assert_usage("vswitchctl vnic lst", "did you mean list?");
    assert_usage("vswitchctl vnic add a --swtich lan", "did you mean --switch?");
    assert_usage("vswitchctl switch add a --mac-agening 5", "did you mean --mac-ageing?");
    assert_usage("vswitchctl --jsn switch list", "did you mean --json?");
}

static void test_word_that_is_like_none_is_not_guessed(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "vswitchctl potato list");
    assert_null(strstr(parsed.error.text, "did you mean"));
    cli_command_clear(&parsed.command);
}

static void test_word_too_many_is_refused(void **state)
{
    (void)state;
    assert_usage("vswitchctl switch list lan", "no use for the word \"lan\"");
    assert_usage("vswitchctl switch show lan dmz", "no use for the word \"dmz\"");
    assert_usage("vswitchctl switch set lan --mtu 1500 --mtu 9000", "--mtu is given twice");
    assert_usage("vswitchctl switch list --json=yes", "--json stands alone");
}

static void test_value_that_is_none_is_refused(void **state)
{
    (void)state;
    assert_usage("vswitchctl switch show a/b", "NAME must be 1 to 63");
    assert_usage("vswitchctl switch add a --type privat", "private, internal or external");
    assert_usage("vswitchctl switch add a --type private --mtu 1", "from 576 to 9600");
    assert_usage("vswitchctl mac add lan --mac 1 --port a", "--mac must be an address");
    assert_usage("vswitchctl capture start --on lan",
                 "vnic:NAME, switch:NAME, uplink:NAME, team:NAME or host:NAME");
    assert_usage("vswitchctl switch list --timeout 0", "--timeout must be a time");
    assert_usage("vswitchctl switch list --timeout abc", "--timeout must be a time");
}

static void test_keys_as_the_wire_has_them_are_no_options(void **state)
{
    (void)state;
    assert_usage("vswitchctl switch show --name lan", "no option \"--name\"");
    assert_usage("vswitchctl switch add lan --mac_capacity 5", "did you mean --mac-capacity?");
}

/* ---- help and completion --------------------------------------------------------------------- */

/* What cli_help_method() prints; owned. */
static char *help_text(const struct method_spec *spec)
{
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);

    cli_help_method(spec, out);
    (void)fclose(out);
    return text;
}

static void test_help_names_every_key_within_the_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);
        char *text = help_text(spec);

        for (size_t k = 0; k < method_key_count(spec); k++) {
            const struct method_key *key = &spec->keys[k];
            char option[CLI_OPTION_SIZE];

            assert_non_null(strstr(text, key->positional ? key->placeholder
                                                         : cli_option(key, option)));
            assert_non_null(strstr(text, key->help));
        }
        assert_non_null(strstr(text, spec->example));
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
            assert_true(strcspn(line, "\n") <= 100);
        }
        free(text);
    }
}

static void assert_completed(const char *line, const char *wanted)
{
    char text[128];
    char *words[WORDS_MAX];
    char *printed = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&printed, &size_bytes);
    int count;

    (void)snprintf(text, sizeof(text), "%s", line);
    count = split(text, words);
    if (line[0] == '\0' || line[strlen(line) - 1] == ' ') {
        words[count++] = text + strlen(line);
    }
    cli_complete(count, words, out);
    (void)fclose(out);
    assert_string_equal(printed, wanted);
    free(printed);
}

static void test_complete_offers_what_may_follow(void **state)
{
    (void)state;
    (void)setenv(CLI_RUN_DIR_ENV, "/nonexistent", 1);
    assert_completed("", "switch\nvnic\nteam\nmac\nstats\ncapture\nvm\nconfig\ndaemon\n");
    assert_completed("sw", "switch\n");
    assert_completed("capture ", "start\nlist\nstop\n");
    assert_completed("switch add lan --ty", "--type\n");
    assert_completed("switch add lan --type ", "private\ninternal\nexternal\n");
    assert_completed("switch add lan --type ex", "external\n");
    assert_completed("switch add lan --mtu ", "");
    assert_completed("--run-dir /x --json vnic re", "remove\n");
    assert_completed("potato ", "switch\nvnic\nteam\nmac\nstats\ncapture\nvm\nconfig\ndaemon\n");
    (void)unsetenv(CLI_RUN_DIR_ENV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_become_params),
        cmocka_unit_test(test_a_key_that_may_come_again_is_a_list),
        cmocka_unit_test(test_every_example_of_the_table_parses),
        cmocka_unit_test(test_options_of_all_commands_stand_anywhere),
        cmocka_unit_test(test_run_dir_comes_from_the_environment_when_not_given),
        cmocka_unit_test(test_keys_of_the_client_are_not_sent),
        cmocka_unit_test(test_file_name_need_not_be_utf8),
        cmocka_unit_test(test_help_is_asked_for_at_every_level),
        cmocka_unit_test(test_word_that_is_missing_is_asked_for),
        cmocka_unit_test(test_word_that_is_mistyped_is_guessed),
        cmocka_unit_test(test_word_that_is_like_none_is_not_guessed),
        cmocka_unit_test(test_word_too_many_is_refused),
        cmocka_unit_test(test_value_that_is_none_is_refused),
        cmocka_unit_test(test_keys_as_the_wire_has_them_are_no_options),
        cmocka_unit_test(test_help_names_every_key_within_the_columns),
        cmocka_unit_test(test_complete_offers_what_may_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
