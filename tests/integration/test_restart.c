/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon comes and goes: what survives a restart and a kill, which state it refuses to start
 * with, one daemon a directory, and how it ends.
 */
#include "tests/support/control_lab.h"
#include "tests/support/shell.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what survives --------------------------------------------------------------------------- */

static void assert_all_is_back(struct lab *lab, const char *config)
{
    char *now = control_lab_text(lab, "config show");

    assert_string_equal(now, config);
    assert_int_equal(access(lab_socket(lab, "b"), F_OK), 0);
    assert_int_equal(access(lab_socket(lab, "c"), F_OK), 0);
    assert_int_equal(control_lab_count(lab, "mac show lan"), 3);
    free(now);
}

static void test_restart_restart_brings_everything_back(void **state)
{
    struct lab *lab = *state;
    char *before;

    control_lab_fill(lab);
    before = control_lab_text(lab, "config show");
    assert_int_equal(lab_stop(lab), 0);
    assert_int_equal(lab_start(lab, NULL), 0);

    assert_all_is_back(lab, before);
    free(before);
}

static void test_restart_start_after_a_kill_brings_everything_back(void **state)
{
    struct lab *lab = *state;
    char *before;

    control_lab_fill(lab);
    before = control_lab_text(lab, "config show");
    lab_kill(lab);
    assert_int_equal(access(lab_socket(lab, "b"), F_OK), 0);
    assert_int_equal(lab_start(lab, NULL), 0);

    assert_all_is_back(lab, before);
    free(before);
}

static void write_state(const struct lab *lab, const char *text)
{
    struct shell_outcome outcome;

    assert_int_equal(shell_run(&outcome, 5, "sh -c 'printf %%s \"$0\" > %s/config.json' '%s'",
                               lab->state_dir, text), 0);
}

static void assert_start_is_refused(struct lab *lab, const char *text, const char *sentence)
{
    struct shell_outcome outcome;

    write_state(lab, text);
    assert_int_equal(shell_run(&outcome, 20, "%s --run-dir %s --state-dir %s --no-huge",
                               control_lab_program("vswitchd"), lab->run_dir, lab->state_dir), 1);
    if (strstr(outcome.output, sentence) == NULL ||
        strstr(outcome.output, "config.json") == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", outcome.output, sentence);
    }
    assert_int_equal(shell_run(&outcome, 5, "cat %s/config.json", lab->state_dir), 0);
    assert_string_equal(outcome.output, text);
}

static void test_restart_damaged_and_newer_state_is_refused_and_untouched(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_stop(lab), 0);

    assert_start_is_refused(lab, "{\"version\": 1, \"switches\": [", "line 1");
    assert_start_is_refused(lab, "{\"version\": 9}", "newer");
    assert_start_is_refused(lab, "", "line 1");
}

/* It is asked when a start was refused, so no daemon runs here. */
static void test_restart_config_check_says_what_a_start_would(void **state)
{
    struct lab *lab = *state;
    struct shell_outcome outcome;
    const char *ctl = control_lab_program("vswitchctl");

    control_lab_fill(lab);
    assert_int_equal(lab_stop(lab), 0);

    assert_int_equal(shell_run(&outcome, 10, "%s config check %s/config.json", ctl,
                               lab->state_dir), 0);
    assert_non_null(strstr(outcome.output, "2 switches, 3 vNICs and 1 pinned address"));
    assert_int_equal(shell_run(&outcome, 10, "sh -c 'sed s/dmz/lan/ %s/config.json > %s/bad'",
                               lab->state_dir, lab->dir), 0);
    assert_int_equal(shell_run(&outcome, 10, "%s config check %s/bad", ctl, lab->dir), 1);
    assert_non_null(strstr(outcome.output, "switches[1]"));
}

static void test_restart_change_that_cannot_be_kept_is_refused(void **state)
{
    const struct rlimit little = { 64, RLIM_INFINITY };
    struct lab *lab = *state;
    struct rlimit all;
    struct stat st;
    gid_t group;
    char *before, *after;

    control_lab_fill(lab);
    assert_int_equal(stat(lab_socket(lab, "b"), &st), 0);
    group = st.st_gid;
    before = control_lab_text(lab, "config show");
    assert_int_equal(prlimit(lab->pid, RLIMIT_FSIZE, &little, &all), 0);
    control_lab_assert_refused(lab, "vnic add e --switch lan", "nothing was changed");
    control_lab_assert_refused(lab, "switch remove lan --force", "nothing was changed");
    control_lab_assert_refused(lab, "mac add lan --mac 02:00:00:00:00:05 --port b",
                               "nothing was changed");
    control_lab_assert_refused(lab, "mac remove lan --mac 02:00:00:00:00:01",
                               "nothing was changed");
    control_lab_assert_refused(lab, "switch set lan --mac-capacity 9", "nothing was changed");
    control_lab_assert_refused(lab, geteuid() == 0 ? "vnic set b --socket-group tty"
                                                   : "vnic set b --mtu 1000",
                               "nothing was changed");
    assert_int_equal(prlimit(lab->pid, RLIMIT_FSIZE, &all, NULL), 0);

    after = control_lab_text(lab, "config show");
    assert_string_equal(after, before);
    assert_int_not_equal(access(lab_socket(lab, "e"), F_OK), 0);
    assert_int_equal(stat(lab_socket(lab, "b"), &st), 0);
    assert_int_equal(st.st_gid, group);
    assert_int_equal(control_lab_count(lab, "mac show lan"), 3);
    assert_int_equal(lab_do(lab, "vnic add e --switch lan"), 0);
    free(before);
    free(after);
}

/* ---- one daemon a directory ------------------------------------------------------------------ */

static void test_restart_second_daemon_on_a_directory_is_refused_by_pid(void **state)
{
    struct lab *lab = *state;
    struct shell_outcome outcome;
    char pid[32];

    (void)snprintf(pid, sizeof(pid), "%d", lab->pid);

    assert_int_equal(shell_run(&outcome, 20, "%s --no-huge --run-dir %s --state-dir %s/other",
                               control_lab_program("vswitchd"), lab->run_dir, lab->dir), 1);
    assert_non_null(strstr(outcome.output, pid));
    assert_non_null(strstr(outcome.output, "--run-dir"));
    assert_int_equal(shell_run(&outcome, 20, "%s --no-huge --run-dir %s/other --state-dir %s",
                               control_lab_program("vswitchd"), lab->dir, lab->state_dir), 1);
    assert_non_null(strstr(outcome.output, pid));
    assert_non_null(strstr(outcome.output, "--state-dir"));
    assert_int_equal(lab_do(lab, "switch list"), 0);
}

static void test_restart_wrong_options_are_usage_errors(void **state)
{
    static const char *const wrong[] = { "--cores 99999", "--cores 1-", "--memory 1", "--pci eth0",
                                         "--log-level loud", "--nonsense", "word", "--run-dir ''" };
    struct lab *lab = *state;
    struct shell_outcome outcome;

    (void)lab;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(shell_run(&outcome, 5, "%s %s", control_lab_program("vswitchd"),
                                   wrong[i]), 2);
        assert_int_not_equal(outcome.output[0], '\0');
    }
    assert_int_equal(shell_run(&outcome, 5, "%s --version", control_lab_program("vswitchd")), 0);
    assert_int_equal(shell_run(&outcome, 5, "%s --help", control_lab_program("vswitchd")), 0);
}

static void assert_sockets_are_gone(struct lab *lab)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/vswitchd.sock", lab->run_dir);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(lab_socket(lab, "b"), F_OK), 0);
    assert_int_not_equal(access(lab_socket(lab, "c"), F_OK), 0);
}

static void test_restart_every_clean_end_removes_the_sockets(void **state)
{
    struct lab *lab = *state;
    int status;

    control_lab_fill(lab);
    assert_int_equal(lab_stop(lab), 0);
    assert_sockets_are_gone(lab);

    assert_int_equal(lab_start(lab, NULL), 0);
    assert_int_equal(kill(lab->pid, SIGINT), 0);
    assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
    lab->pid = 0;
    assert_int_equal(status, 0);
    assert_sockets_are_gone(lab);

    assert_int_equal(lab_start(lab, NULL), 0);
    assert_int_equal(lab_do(lab, "daemon stop"), 0);
    assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
    lab->pid = 0;
    assert_int_equal(status, 0);
    assert_sockets_are_gone(lab);
}

static void test_restart_readiness_and_end_are_notified(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct lab *lab = *state;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[512] = "";

    assert_int_equal(lab_stop(lab), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", lab->dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    assert_int_equal(lab_start(lab, NULL), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);

    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "READY=1"));
    assert_int_equal(lab_stop(lab), 0);
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(text, "STOPPING=1"));
    (void)close(fd);
}

int main(void)
{
#define LAB(test) cmocka_unit_test_setup_teardown(test, control_lab_setup, control_lab_teardown)
    const struct CMUnitTest tests[] = {
        LAB(test_restart_restart_brings_everything_back),
        LAB(test_restart_start_after_a_kill_brings_everything_back),
        LAB(test_restart_damaged_and_newer_state_is_refused_and_untouched),
        LAB(test_restart_config_check_says_what_a_start_would),
        LAB(test_restart_change_that_cannot_be_kept_is_refused),
        LAB(test_restart_second_daemon_on_a_directory_is_refused_by_pid),
        LAB(test_restart_wrong_options_are_usage_errors),
        LAB(test_restart_every_clean_end_removes_the_sockets),
        LAB(test_restart_readiness_and_end_are_notified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
