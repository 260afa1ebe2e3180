/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the program vswitchctl as a script sees it: exit status, standard output and error.
 *
 * The daemon behind it is a fake one with the real control channel, so what is tested here is the
 * tool alone, also where a real daemon would need a guest to have something to say.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/fake_daemon.h"

#define PATH_SIZE   128
#define OUTPUT_SIZE (4 * 1024 * 1024)

struct fixture {
    struct fake_daemon *fake;
    char dir[PATH_SIZE];           /* for what a test writes */
    char *out, *err;               /* what the last run printed; owned */
};

static const char *program(void)
{
    static char path[PATH_SIZE];
    const char *bin = getenv("VSWITCH_BIN");

    (void)snprintf(path, sizeof(path), "%s/vswitchctl", bin != NULL ? bin : "build");
    return path;
}

static char *read_file(const struct fixture *fixture, const char *name)
{
    char path[PATH_SIZE * 2];
    char *text = calloc(1, OUTPUT_SIZE);
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    file = fopen(path, "r");
    if (file != NULL) {
        (void)!fread(text, 1, OUTPUT_SIZE - 1, file);
        (void)fclose(file);
    }
    return text;
}

/* Runs `vswitchctl WORDS` by a shell in the test's directory; @return its exit status. */
__attribute__((format(printf, 2, 3)))
static int run(struct fixture *fixture, const char *format, ...)
{
    char words[512];
    char command[2048];
    va_list args;
    int status;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    (void)snprintf(command, sizeof(command), "ctl=$(realpath %s); export VSWITCH_RUN_DIR=%s; "
                   "cd %s && { \"$ctl\" %s; } >out 2>err", program(),
                   fake_daemon_dir(fixture->fake), fixture->dir, words);
    status = system(command);
    free(fixture->out);
    free(fixture->err);
    fixture->out = read_file(fixture, "out");
    fixture->err = read_file(fixture, "err");
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %.500s", part, text);
    }
}

/* All of the text is one JSON value.  @return owned */
static json_t *parse_json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (value == NULL) {
        fail_msg("no JSON value: %.500s", text);
    }
    return value;
}

static int start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->fake = fake_daemon_start(NULL);
    (void)strcpy(fixture->dir, "/tmp/vswitch-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    *state = fixture;
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    char command[PATH_SIZE * 2];

    fake_daemon_stop(fixture->fake);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->dir);
    (void)!system(command);
    free(fixture->out);
    free(fixture->err);
    free(fixture);
    return 0;
}

/* ---- exit status ----------------------------------------------------------------------------- */

static void test_done_is_0_and_says_nothing_on_standard_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "switch list"), 0);
    assert_has(f->out, "lan   private  1500");
    assert_string_equal(f->err, "");
}

static void test_refused_is_1_with_one_sentence(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "switch show nope"), 1);
    assert_string_equal(f->out, "");
    assert_string_equal(f->err,
                        "vswitchctl: There is no switch nope; `switch list` lists them.\n");
}

static void test_wrong_usage_is_2_and_asks_no_daemon(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = { "", "swich list", "switch", "switch show a/b",
                                         "switch list --frobnicate", "vnic add x",
                                         "switch set lan", "vnic set web0" };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(run(f, "%s", wrong[i]), 2);
        assert_string_equal(f->out, "");
        assert_int_equal(strncmp(f->err, "vswitchctl: ", 12), 0);
    }
    assert_int_equal(fake_daemon_calls(f->fake), 0);
}

static void test_no_daemon_is_3_and_names_the_socket(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "--run-dir /nonexistent switch list"), 3);
    assert_has(f->err, "No daemon answers on /nonexistent/vswitchd.sock");
    assert_int_equal(run(f, "--run-dir /nonexistent capture start --on switch:lan --write x"), 3);
}

static void test_help_is_0_on_standard_output(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "--help"), 0);
    assert_has(f->out, "Exit status");
    assert_int_equal(run(f, "vnic --help"), 0);
    assert_has(f->out, "vnic add NAME");
    assert_int_equal(run(f, "vnic add --help"), 0);
    assert_has(f->out, "--queues N");
    assert_string_equal(f->err, "");
}

/* ---- what is printed ------------------------------------------------------------------------- */

static void test_json_is_one_value_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    json_t *value;

    assert_int_equal(run(f, "switch show lan --json"), 0);
    value = parse_json(f->out);
    assert_string_equal(json_string_value(json_object_get(value, "name")), "lan");
    json_decref(value);
    assert_int_equal(run(f, "--json mac show lan"), 0);
    value = parse_json(f->out);
    assert_int_equal(json_array_size(value), FAKE_MACS);
    json_decref(value);
}

static void test_switch_show_has_ports_and_reasons_that_are_not_zero(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "switch show lan"), 0);
    assert_has(f->out, "addresses    2 of 8192");
    assert_has(f->out, "web0   vnic  attached  none  1500     10.0 k      8.00 M");
    assert_has(f->out, "15  receiver had no free buffers (web0 7, web1 7, removed ports 1)");
    assert_null(strstr(f->out, "source address is zero"));
}

static void test_vnic_show_says_why_it_is_broken(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "vnic show web0"), 0);
    assert_has(f->out, "state        broken");
    assert_has(f->out, "reason       queue 0: head out of range");
    assert_has(f->out, "VERSION_1,MRG_RXBUF");
    assert_has(f->out, "1  malformed descriptor chain");
}

static void test_daemon_show_lists_workers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "daemon show"), 0);
    assert_has(f->out, "1 h 2 min");
    assert_has(f->out, "   1    12.5         210.0       4");
}

static void test_config_check_reads_the_file_itself_and_asks_no_daemon(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "config check /nonexistent"), 1);
    assert_has(f->err, "/nonexistent cannot be read");
    assert_int_equal(run(f, "config check ."), 1);
    assert_has(f->err, "it is a directory");
    assert_int_equal(run(f, "--version >conf && \"$ctl\" config check conf"), 1);
    assert_has(f->err, "The file would be refused: line 1, column 1");
    assert_int_equal(run(f, "--version; truncate -s 65M conf; \"$ctl\" config check conf"), 1);
    assert_has(f->err, "longer than 64 MiB");
    assert_int_equal(fake_daemon_calls(f->fake), 0);
}

/* What one request to the daemon holds is no limit of a state file. */
static void test_config_check_takes_files_longer_than_a_request(void **state)
{
    struct fixture *f = *state;
    json_t *value;

    assert_int_equal(run(f, "--version; { head -c 100000 /dev/zero | tr '\\0' ' '; printf '%%s' "
                            "'{\"version\": 1, \"mac_pool\": {\"next\": \"00:15:5d:01:02:03\"}, "
                            "\"switches\": [], \"vnics\": [], \"macs\": []}'; } >conf; "
                            "\"$ctl\" --run-dir /nonexistent config check conf --json >json"), 0);
    assert_string_equal(f->err, "");
    free(f->out);
    f->out = read_file(f, "json");
    value = parse_json(f->out);
    assert_true(json_is_true(json_object_get(value, "valid")));
    assert_int_equal(json_integer_value(json_object_get(value, "vnics")), 0);
    json_decref(value);
}

static void test_watch_prints_a_value_a_line_until_interrupted(void **state)
{
    struct fixture *f = *state;
    json_t *value;

    /* A shell's background job ignores Ctrl-C; the tool does not. */
    assert_int_equal(run(f, "stats show --watch 1 --json & sleep 1.5; kill -INT $!; wait $!"), 0);
    assert_non_null(strchr(f->out, '\n'));
    *strchr(f->out, '\n') = '\0';
    value = parse_json(f->out);
    json_decref(value);
    assert_int_equal(fake_daemon_calls(f->fake), 2);
}

static void test_watch_takes_parts_of_a_second(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "stats show --watch 300ms & sleep 0.9; kill -INT $!; wait $!"), 0);
    assert_true(fake_daemon_calls(f->fake) >= 2);
}

static void test_watch_shows_rates(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "stats show --watch 1 & sleep 1.5; kill -INT $!; wait $!"), 0);
    assert_has(f->out, "FROM FRAMES/S");
    assert_has(f->out, "lan     web0  attached");
}

static void test_daemon_stop_returns_when_it_is_gone(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "daemon stop"), 0);
    assert_int_equal(run(f, "daemon show"), 3);
}

static void test_output_that_cannot_be_written_is_1(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "switch list >/dev/full"), 1);
    assert_has(f->err, "cannot be written");
}

/* ---- capture --------------------------------------------------------------------------------- */

static void test_capture_writes_the_stream_and_nothing_else(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "capture start --on switch:lan --frames 1"), 0);
    assert_string_equal(f->out, FAKE_HEAD);
    assert_has(f->err, "5 frames written, 1 dropped by a slow reader, 6 matched of 9 seen; it was "
               "stopped\n");
}

static void test_capture_to_a_file_tells_its_result_on_standard_output(void **state)
{
    struct fixture *f = *state;
    json_t *value;
    char *file;

    assert_int_equal(run(f, "capture start --on switch:lan --frames 1 --write x --json"), 0);
    value = parse_json(f->out);
    assert_int_equal(json_integer_value(json_object_get(value, "dropped_by_reader")), 1);
    json_decref(value);
    assert_string_equal(f->err, "");
    file = read_file(f, "x");
    assert_string_equal(file, FAKE_HEAD);
    free(file);
}

static void test_capture_that_is_interrupted_is_whole(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "capture start --on switch:lan --write - & sleep 0.5; kill -INT $!; "
                            "wait $!"), 0);
    assert_string_equal(f->out, FAKE_HEAD FAKE_TAIL);
    assert_has(f->err, "5 frames written");
}

static void test_capture_whose_reader_goes_away_ends_cleanly(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "capture start --on switch:lan --write - | head -c 3"), 0);
    assert_string_equal(f->out, "the");
    assert_has(f->err, "5 frames written");
}

static void test_capture_is_not_written_to_a_terminal(void **state)
{
    struct fixture *f = *state;

    if (access("/usr/bin/script", X_OK) != 0) {
        (void)printf("# skip: script(1) is not there to make a terminal\n");
        skip();
    }
    assert_int_equal(run(f, "--version; script -qec "
                            "\"$ctl capture start --on switch:lan --write -\" "
                            "/dev/null </dev/null"), 2);
    assert_has(f->out, "not for a terminal");
    assert_int_equal(fake_daemon_calls(f->fake), 0);
}

static void test_capture_that_is_refused_leaves_files_as_they_were(void **state)
{
    struct fixture *f = *state;
    char *file;

    assert_int_equal(run(f, "--version >old; \"$ctl\" --run-dir /nonexistent capture start --on "
                            "switch:lan --write old"), 3);
    file = read_file(f, "old");
    assert_int_equal(strncmp(file, "vswitchctl ", 11), 0);
    free(file);
    assert_int_equal(run(f, "--run-dir /nonexistent capture start --on switch:lan --write new; "
                            "test -e new"), 1);
}

static void test_capture_to_a_full_disk_is_1(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "capture start --on switch:lan --write /dev/full"), 1);
    assert_has(f->err, "/dev/full cannot be written");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_done_is_0_and_says_nothing_on_standard_error),
        TEST(test_refused_is_1_with_one_sentence),
        TEST(test_wrong_usage_is_2_and_asks_no_daemon),
        TEST(test_no_daemon_is_3_and_names_the_socket),
        TEST(test_help_is_0_on_standard_output),
        TEST(test_json_is_one_value_and_nothing_else),
        TEST(test_switch_show_has_ports_and_reasons_that_are_not_zero),
        TEST(test_vnic_show_says_why_it_is_broken),
        TEST(test_daemon_show_lists_workers),
        TEST(test_config_check_reads_the_file_itself_and_asks_no_daemon),
        TEST(test_config_check_takes_files_longer_than_a_request),
        TEST(test_watch_prints_a_value_a_line_until_interrupted),
        TEST(test_watch_takes_parts_of_a_second),
        TEST(test_watch_shows_rates),
        TEST(test_daemon_stop_returns_when_it_is_gone),
        TEST(test_output_that_cannot_be_written_is_1),
        TEST(test_capture_writes_the_stream_and_nothing_else),
        TEST(test_capture_to_a_file_tells_its_result_on_standard_output),
        TEST(test_capture_that_is_interrupted_is_whole),
        TEST(test_capture_whose_reader_goes_away_ends_cleanly),
        TEST(test_capture_is_not_written_to_a_terminal),
        TEST(test_capture_that_is_refused_leaves_files_as_they_were),
        TEST(test_capture_to_a_full_disk_is_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
