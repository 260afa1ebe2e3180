/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line as a contract, against the real daemon: exit statuses, keys, what is refused and
 * then has changed nothing, who may ask, and many who ask at once.
 */
#include "tests/support/control_lab.h"
#include "tests/support/shell.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS          20u
#define VNICS_A_CLIENT   6u
#define CLIENT_SECONDS   60u

/* ---- the contract ---------------------------------------------------------------------------- */

static void test_control_exit_status_says_done_refused_usage_and_no_daemon(void **state)
{
    struct lab *lab = *state;
    struct shell_outcome outcome;
    const char *ctl = control_lab_program("vswitchctl");

    assert_int_equal(shell_run(&outcome, 10, "%s --run-dir %s switch add lan --type private", ctl,
                               lab->run_dir), 0);
    assert_int_equal(shell_run(&outcome, 10, "%s --run-dir %s switch add lan --type private", ctl,
                               lab->run_dir), 1);
    assert_non_null(strstr(outcome.output, "already exists"));
    assert_int_equal(shell_run(&outcome, 10, "%s --run-dir %s switch ad lan", ctl, lab->run_dir),
                     2);
    assert_int_equal(shell_run(&outcome, 10, "%s --run-dir %s switch add lan --typ private", ctl,
                               lab->run_dir), 2);
    assert_int_equal(lab_stop(lab), 0);
    assert_int_equal(shell_run(&outcome, 10, "%s --run-dir %s switch list", ctl, lab->run_dir), 3);
}

static void assert_has_keys(const json_t *object, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        if (json_object_get(object, *keys) == NULL) {
            fail_msg("the key \"%s\" is missing", *keys);
        }
    }
}

static void test_control_results_have_the_keys_that_scripts_rely_on(void **state)
{
    static const char *const of_switch[] = { "name", "type", "mtu", "uplink", "host_vnic", "ports",
                                             "mac_entries", "coalesce", NULL };
    static const char *const of_port[] = { "name", "kind", "state", "vlan", "from_frames",
                                           "from_bytes", "to_frames", "to_bytes", "from_broadcast",
                                           "from_multicast", "drops", NULL };
    static const char *const of_vnic[] = { "name", "switch", "mac", "mtu", "vlan", "queues",
                                           "socket", "state", "features", "counters", "drops",
                                           "offload", "offloads_taken", "offloads_sent", NULL };
    static const char *const of_daemon[] = { "version", "pid", "uptime_s", "workers", NULL };
    static const char *const of_worker[] = { "core", "busy_percent", "cycles_per_frame", "queues",
                                             NULL };
    static const char *const of_mac[] = { "mac", "vlan", "port", "kind", "age_s", NULL };
    struct lab *lab = *state;
    struct lab_answer answer;

    control_lab_fill(lab);

    assert_int_equal(lab_ask(lab, &answer, "switch show lan"), 0);
    assert_has_keys(answer.json, of_switch);
    assert_has_keys(json_array_get(lab_value(answer.json, "ports"), 0), of_port);
    assert_int_equal(lab_number(answer.json, "mac_entries"), 3);
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(lab, &answer, "vnic show b"), 0);
    assert_has_keys(answer.json, of_vnic);
    assert_string_equal(json_string_value(lab_value(answer.json, "state")), "waiting");
    assert_int_equal(lab_number(answer.json, "drops.receiver had no free buffers"), 0);
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(lab, &answer, "daemon show"), 0);
    assert_has_keys(answer.json, of_daemon);
    assert_has_keys(json_array_get(lab_value(answer.json, "workers"), 0), of_worker);
    assert_int_equal(lab_number(answer.json, "pid"), lab->pid);
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(lab, &answer, "mac show lan"), 0);
    assert_has_keys(json_array_get(answer.json, 0), of_mac);
    lab_answer_release(&answer);
}

static void test_control_switch_with_vnics_is_removed_by_force_only(void **state)
{
    struct lab *lab = *state;

    control_lab_fill(lab);

    control_lab_assert_refused(lab, "switch remove lan", "--force");
    assert_int_equal(control_lab_count(lab, "vnic list --switch lan"), 2);
    assert_int_equal(lab_do(lab, "switch remove lan --force"), 0);
    assert_int_equal(control_lab_count(lab, "switch list"), 1);
    assert_int_equal(control_lab_count(lab, "vnic list"), 1);
    assert_int_not_equal(access(lab_socket(lab, "b"), F_OK), 0);
    assert_int_equal(access(lab_socket(lab, "c"), F_OK), 0);
}

static void test_control_what_breaks_a_rule_changes_nothing(void **state)
{
    static const struct { const char *command, *sentence; } broken[] = {
        { "switch add lan --type private", "already exists" },
        { "switch add out --type external", "needs an uplink" },
        { "switch add out --type private --uplink eth1", "no uplink" },
        { "switch add out --type external --uplink team:a", "no team named" },
        { "switch set lan --host-vnic on", "private" },
        { "switch set lan --uplink none --type external", "needs an uplink" },
        { "switch set lan --mtu 1000", "below" },
        { "switch set nix --mtu 1000", "no switch" },
        { "vnic add e --switch nix", "no switch" },
        { "vnic add b --switch lan", "already exists" },
        { "vnic add e --switch lan --mac 02:00:00:00:00:0c", "02:00:00:00:00:0c" },
        { "vnic add e --switch lan --mac 00:00:00:00:00:00", "no adapter's address" },
        { "vnic set b --mac 00:00:00:00:00:00", "no adapter's address" },
        { "vnic set b --allow-mac 02:00:00:00:00:0c", "belongs to port" },
        { "vnic set b --allow-mac 02:00:00:00:00", "--allow-mac is a list" },
        { "vnic set b --vlan access:4095", "no VLAN" },
        { "vnic set b --vlan trunk:10", "native VLAN" },
        { "vnic add e --switch lan --offload tso4", "tx, rx, ecn, tso, uso, csum, host_tso4" },
        { "vnic set b --offload host_tso4", "host_tso4 needs csum" },
        { "vnic set b --offload csum,", "is no offload" },
        { "daemon set --mac-pool 02:00:00:00:00:09-02:00:00:00:00:01", "cannot be" },
        { "vnic add e --switch lan --socket-group no-such-group", "no group" },
        { "vnic set b --socket-owner no-such-user", "no user" },
        { "vnic remove e", "no vNIC" },
        { "mac add lan --mac 02:00:00:00:00:02 --port c", "not on" },
        { "mac add lan --mac 03:00:00:00:00:02 --port b", "unicast" },
        { "mac remove lan --mac 02:00:00:00:00:99", "does not know" },
        { "capture stop 7", "no capture" },
    };
    struct lab *lab = *state;
    char *before, *after;

    control_lab_fill(lab);
    before = control_lab_text(lab, "config show");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        control_lab_assert_refused(lab, broken[i].command, broken[i].sentence);
    }

    after = control_lab_text(lab, "config show");
    assert_string_equal(after, before);
    assert_int_not_equal(access(lab_socket(lab, "e"), F_OK), 0);
    free(before);
    free(after);
}

static void test_control_table_is_resized_with_what_it_holds(void **state)
{
    struct lab *lab = *state;
    struct lab_answer answer;

    control_lab_fill(lab);

    assert_int_equal(lab_do(lab, "switch set lan --mac-capacity 3"), 0);
    control_lab_assert_refused(lab, "mac add lan --mac 02:00:00:00:00:02 --port d", "mac-capacity");
    assert_int_equal(lab_do(lab, "switch set lan --mac-capacity 100000"), 0);
    assert_int_equal(lab_do(lab, "mac add lan --mac 02:00:00:00:00:02 --port d"), 0);
    assert_int_equal(lab_do(lab, "mac remove lan --mac 02:00:00:00:00:01"), 0);
    assert_int_equal(lab_ask(lab, &answer, "mac show lan"), 0);
    /* In order: the own addresses of b and d, which stay, and the one of mac add. */
    assert_int_equal(json_array_size(answer.json), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(answer.json, 2), "port")),
                        "d");
    lab_answer_release(&answer);
}

/* ---- who may --------------------------------------------------------------------------------- */

#define NO_GROUP ((gid_t)-1)

static gid_t group_of(const char *name)
{
    const struct group *group = getgrnam(name);

    return group != NULL ? group->gr_gid : NO_GROUP;
}

static void test_control_sockets_belong_to_who_was_asked_for(void **state)
{
    static const char *const with_group[] = { "--group", "tty", NULL };
    struct lab *lab = *state;
    const gid_t tty = group_of("tty"), mail = group_of("mail");
    char path[96];
    struct stat st;

    if (geteuid() != 0 || tty == NO_GROUP || mail == NO_GROUP) {
        print_message("# skip: giving sockets away needs root and the groups tty and mail\n");
        skip();
    }
    assert_int_equal(lab_stop(lab), 0);
    assert_int_equal(lab_start(lab, with_group), 0);
    assert_int_equal(lab_do(lab, "switch add lan --type private"), 0);
    assert_int_equal(lab_do(lab, "vnic add a --switch lan"), 0);
    assert_int_equal(lab_do(lab, "vnic add b --switch lan --socket-owner nobody "
                            "--socket-group mail"), 0);

    (void)snprintf(path, sizeof(path), "%s/vswitchd.sock", lab->run_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, tty);
    assert_int_equal(stat(lab_socket(lab, "a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, tty);
    assert_int_equal(stat(lab_socket(lab, "b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, mail);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(lab_do(lab, "vnic set b --socket-group tty"), 0);
    assert_int_equal(stat(lab_socket(lab, "b"), &st), 0);
    assert_int_equal(st.st_gid, tty);
}

/* Runs `switch list` as somebody else. */
static int ask_as(const struct lab *lab, uid_t uid, gid_t gid)
{
    struct shell_outcome outcome;

    return shell_run(&outcome, 10, "setpriv --reuid %u --regid %u --clear-groups "
                     "%s/vswitchctl --run-dir %s switch list", uid, gid, lab->dir, lab->run_dir);
}

static void test_control_strangers_are_refused_and_the_group_is_not(void **state)
{
    static const char *const with_group[] = { "--group", "tty", NULL };
    struct lab *lab = *state;
    const gid_t tty = group_of("tty");
    struct shell_outcome outcome;

    if (geteuid() != 0 || tty == NO_GROUP) {
        print_message("# skip: becoming somebody else needs root, and the group tty\n");
        skip();
    }
    assert_int_equal(lab_stop(lab), 0);
    assert_int_equal(lab_start(lab, with_group), 0);
    /* The tree under test may lie where others cannot look. */
    assert_int_equal(shell_run(&outcome, 5, "sh -c 'cp %s %s/vswitchctl && chmod 755 %s %s/*ctl'",
                               control_lab_program("vswitchctl"), lab->dir, lab->dir, lab->dir), 0);

    assert_int_equal(ask_as(lab, 65534, 65534), 1);
    assert_int_equal(ask_as(lab, 65534, tty), 0);
    assert_int_equal(ask_as(lab, 0, 0), 0);
}

/* ---- all at once ----------------------------------------------------------------------------- */

/* One of many clients: adds vNICs and removes every other. */
static int client_main(struct lab *lab, unsigned number)
{
    int failures = 0;

    (void)alarm(CLIENT_SECONDS);
    for (unsigned i = 0; i < VNICS_A_CLIENT; i++) {
        failures += lab_do(lab, "vnic add n%u-%u --switch lan", number, i) != 0;
        if (i % 2 == 0) {
            failures += lab_do(lab, "vnic remove n%u-%u", number, i) != 0;
        }
    }
    return failures;
}

static void test_control_many_clients_at_once_each_get_what_they_asked(void **state)
{
    struct lab *lab = *state;
    pid_t client[CLIENTS];
    char *before, *after;
    int status;

    assert_int_equal(lab_do(lab, "switch add lan --type private"), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client[i] = fork();
        if (client[i] == 0) {
            _exit(client_main(lab, i));
        }
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(waitpid(client[i], &status, 0), client[i]);
        assert_int_equal(status, 0);
    }

    assert_int_equal(control_lab_count(lab, "vnic list"), CLIENTS * VNICS_A_CLIENT / 2);
    before = control_lab_text(lab, "config show");
    lab_kill(lab);
    assert_int_equal(lab_start(lab, NULL), 0);
    after = control_lab_text(lab, "config show");
    assert_string_equal(after, before);
    free(before);
    free(after);
}

int main(void)
{
#define LAB(test) cmocka_unit_test_setup_teardown(test, control_lab_setup, control_lab_teardown)
    const struct CMUnitTest tests[] = {
        LAB(test_control_exit_status_says_done_refused_usage_and_no_daemon),
        LAB(test_control_results_have_the_keys_that_scripts_rely_on),
        LAB(test_control_switch_with_vnics_is_removed_by_force_only),
        LAB(test_control_what_breaks_a_rule_changes_nothing),
        LAB(test_control_table_is_resized_with_what_it_holds),
        LAB(test_control_sockets_belong_to_who_was_asked_for),
        LAB(test_control_strangers_are_refused_and_the_group_is_not),
        LAB(test_control_many_clients_at_once_each_get_what_they_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
