/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of ctl/cli/cli_help and of the manual: nothing of the method table is left out of them. */
#include "ctl/cli/cli_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/cli/cli_words.h"

#define MANUAL "ctl/man/vswitchctl.8"      /* tests run at the root of the tree */

static void assert_has(const char *text, const char *part, const char *what)
{
    if (strstr(text, part) == NULL) {
        print_error("%s has no \"%s\"\n", what, part);
        fail();
    }
}

/* The manual, whole; owned. */
static char *manual(void)
{
    FILE *file = fopen(MANUAL, "r");
    char *text = NULL;
    size_t size_bytes = 0;

    assert_non_null(file);
    assert_true(getdelim(&text, &size_bytes, '\0', file) > 0);
    (void)fclose(file);
    return text;
}

/* The item of a command, up to the next one; owned. */
static char *command_item(const char *text, const struct method_spec *spec)
{
    char item[64];
    const char *at, *next;

    (void)snprintf(item, sizeof(item), "\n.It Ic %s %s", spec->noun, spec->verb);
    at = strstr(text, item);
    if (at == NULL) {
        fail_msg("%s has no item \"%s %s\"", MANUAL, spec->noun, spec->verb);
        return NULL;
    }
    next = strstr(at + 1, "\n.It Ic ");
    return strndup(at, next != NULL ? (size_t)(next - at) : strlen(at));
}

static void test_every_command_and_every_key_is_in_the_manual(void **state)
{
    char *text = manual();

    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);
        char *command = spec->hidden ? NULL : command_item(text, spec);

        for (size_t k = 0; command != NULL && k < method_key_count(spec); k++) {
            const struct method_key *key = &spec->keys[k];
            char option[CLI_OPTION_SIZE], part[CLI_OPTION_SIZE + 16];

            (void)snprintf(part, sizeof(part), key->positional ? "Ar %s" : "Fl Fl %s",
                           key->positional ? key->placeholder : cli_option(key, option) + 2);
            assert_has(command, part, spec->name);
        }
        free(command);
    }
    free(text);
}

static void test_help_of_every_command_has_its_keys_and_its_example(void **state)
{
    (void)state;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        const struct method_spec *spec = method_get((enum method_id)i);
        char *text = NULL;
        size_t size_bytes = 0;
        FILE *out = open_memstream(&text, &size_bytes);

        cli_help_method(spec, out);
        (void)fclose(out);
        for (size_t k = 0; k < method_key_count(spec); k++) {
            assert_has(text, spec->keys[k].help, spec->name);
        }
        assert_has(text, spec->example, spec->name);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_and_every_key_is_in_the_manual),
        cmocka_unit_test(test_help_of_every_command_has_its_keys_and_its_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
