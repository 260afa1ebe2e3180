/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces are given back as they were: at once, after a crash, and never another's values to
 * another interface.  In a network namespace of the test's own.
 */
#include "ctl/host/loans.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/shell.h"

static char state_dir[32];
static struct links *links;
static struct loans *loans;
static struct error error;

/* The file of loans as text; "" without one. */
static const char *loans_file(void)
{
    static struct shell_outcome outcome;

    shell_run(&outcome, 5, "cat %s/loans.json 2>/dev/null", state_dir);
    return outcome.output;
}

static struct link eth1(void)
{
    struct link link;

    assert_int_equal(link_find(links, "eth1", &link, &error), 0);
    return link;
}

static void assert_eth1_is(uint32_t mtu_bytes, bool up)
{
    assert_int_equal(eth1().mtu_bytes, mtu_bytes);
    assert_int_equal(eth1().up, up);
}

static int set(uint32_t mtu_bytes, bool up)
{
    const struct link link = eth1();
    struct loan_values wanted = { 0 };

    wanted.has[LOAN_MTU] = wanted.has[LOAN_UP] = true;
    wanted.value[LOAN_MTU] = mtu_bytes;
    wanted.value[LOAN_UP] = up;
    return loans_set(loans, &link, &wanted, &error);
}

static void open_loans(void)
{
    loans = loans_open(state_dir, links, &error);
    assert_non_null(loans);
}

/* As after the end of one daemon, when another starts. */
static void reopen_loans(void)
{
    loans_close(loans);
    open_loans();
}

/* A namespace and a state folder for each test; eth1 is down, with an MTU of 1400. */
static int setup(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("# skip: a network namespace needs root\n");
        skip();
    }
    shell_must("ip link add eth1 mtu 1400 type veth peer name far");
    strcpy(state_dir, "/tmp/vswitch-loans.XXXXXX");
    assert_non_null(mkdtemp(state_dir));
    memset(&error, 0, sizeof(error));
    links = links_open(&error);
    assert_non_null(links);
    open_loans();
    return 0;
}

static int teardown(void **state)
{
    struct shell_outcome outcome;

    (void)state;
    loans_close(loans);
    links_close(links);
    loans = NULL;
    links = NULL;
    shell_run(&outcome, 5, "rm -rf %s", state_dir);
    return 0;
}

/* ---- at once --------------------------------------------------------------------------------- */

static void test_loans_what_was_changed_is_given_back(void **state)
{
    (void)state;

    assert_int_equal(set(9000, true), 0);
    assert_eth1_is(9000, true);
    assert_non_null(strstr(loans_file(), "\"mtu\": 1400"));
    loans_give_back(loans, eth1().ifindex);

    assert_eth1_is(1400, false);
    assert_string_equal(loans_file(), "");
}

static void test_loans_what_was_changed_twice_is_given_back_as_at_first(void **state)
{
    (void)state;

    assert_int_equal(set(9000, true), 0);
    assert_int_equal(set(2000, true), 0);
    assert_eth1_is(2000, true);
    loans_give_back(loans, eth1().ifindex);

    assert_eth1_is(1400, false);
}

static void test_loans_what_was_not_changed_is_left_as_it_is_found(void **state)
{
    (void)state;

    assert_int_equal(set(1400, true), 0);
    assert_null(strstr(loans_file(), "mtu"));
    shell_must("ip link set eth1 mtu 1600");
    loans_give_back(loans, eth1().ifindex);

    assert_eth1_is(1600, false);
}

static void test_loans_change_that_is_refused_leaves_nothing_changed(void **state)
{
    const struct link link = eth1();
    struct loan_values wanted = { .has = { [LOAN_MTU] = true, [LOAN_LRO] = true },
                                  .value = { [LOAN_MTU] = 9000, [LOAN_LRO] = 1 } };

    (void)state;

    assert_int_not_equal(loans_set(loans, &link, &wanted, &error), 0);
    assert_non_null(strstr(error.text, "eth1"));
    assert_eth1_is(1400, false);
    assert_string_equal(loans_file(), "");
}

static void test_loans_change_that_cannot_be_kept_is_not_made(void **state)
{
    const struct rlimit little = { 8, RLIM_INFINITY };
    struct rlimit all;
    int rc;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    rc = set(9000, true);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);

    assert_int_equal(rc, -EFBIG);
    assert_non_null(strstr(error.text, "loans.json"));
    assert_eth1_is(1400, false);
    assert_int_equal(set(9000, true), 0);
}

/* ---- the next daemon ------------------------------------------------------------------------- */

static void test_loans_next_daemon_gives_back_what_no_switch_has(void **state)
{
    (void)state;

    assert_int_equal(set(9000, true), 0);
    reopen_loans();
    loans_settle(loans);

    assert_eth1_is(1400, false);
    assert_string_equal(loans_file(), "");
}

static void test_loans_next_daemon_that_uses_it_gives_it_back_as_at_first(void **state)
{
    (void)state;

    assert_int_equal(set(9000, true), 0);
    reopen_loans();
    assert_int_equal(set(9000, true), 0);
    loans_settle(loans);
    assert_eth1_is(9000, true);
    loans_give_back(loans, eth1().ifindex);

    assert_eth1_is(1400, false);
}

static void test_loans_renamed_interface_is_found_by_its_number(void **state)
{
    struct link link;

    (void)state;

    assert_int_equal(set(9000, false), 0);
    shell_must("ip link set eth1 name eth9");
    shell_must("ip link add eth1 mtu 1300 type veth peer name far2");
    reopen_loans();
    assert_int_equal(set(2000, true), 0);
    loans_settle(loans);

    assert_int_equal(link_find(links, "eth9", &link, &error), 0);
    assert_int_equal(link.mtu_bytes, 1400);
    assert_eth1_is(2000, true);
}

static void test_loans_interface_made_anew_keeps_its_own_values(void **state)
{
    (void)state;

    assert_int_equal(set(9000, true), 0);
    loans_give_back(loans, 4711);
    shell_must("ip link del eth1");
    shell_must("ip link add eth1 mtu 1300 type veth peer name far");
    reopen_loans();
    loans_settle(loans);
    assert_eth1_is(1300, false);
    assert_int_equal(set(2000, true), 0);
    assert_null(strstr(loans_file(), "1400"));
    loans_give_back(loans, eth1().ifindex);

    assert_eth1_is(1300, false);
    assert_string_equal(loans_file(), "");
}

static void test_loans_of_another_boot_are_void(void **state)
{
    struct shell_outcome outcome;

    (void)state;

    assert_int_equal(set(9000, true), 0);
    assert_int_equal(shell_run(&outcome, 5, "sed -i 's/\"host\": \"./\"host\": \"x/' "
                               "%s/loans.json", state_dir), 0);
    reopen_loans();
    loans_settle(loans);

    assert_eth1_is(9000, true);
}

static void test_loans_damaged_file_is_set_aside(void **state)
{
    static const char *const damaged[] = { "", "[]", "{\"version\": 2}",
        "{\"version\":1,\"host\":\"x\",\"interfaces\":[{\"ifindex\":0,\"name\":\"a\"}]}",
        "{\"version\":1,\"host\":\"x\",\"interfaces\":[{\"ifindex\":1,\"name\":\"a\",\"mtu\":-1}]}",
        "{\"version\":1,\"host\":\"x\",\"interfaces\":[7]}" };
    struct shell_outcome outcome;

    (void)state;

    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        assert_int_equal(shell_run(&outcome, 5, "sh -c 'printf %%s \"$0\" > %s/loans.json' '%s'",
                                   state_dir, damaged[i]), 0);
        reopen_loans();
        assert_int_equal(shell_run(&outcome, 5, "sh -c 'cat %s/loans.json.damaged'", state_dir), 0);
        assert_string_equal(outcome.output, damaged[i]);
        assert_string_equal(loans_file(), "");
    }
}

int main(void)
{
#define LOANS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOANS(test_loans_what_was_changed_is_given_back),
        LOANS(test_loans_what_was_changed_twice_is_given_back_as_at_first),
        LOANS(test_loans_what_was_not_changed_is_left_as_it_is_found),
        LOANS(test_loans_change_that_is_refused_leaves_nothing_changed),
        LOANS(test_loans_change_that_cannot_be_kept_is_not_made),
        LOANS(test_loans_next_daemon_gives_back_what_no_switch_has),
        LOANS(test_loans_next_daemon_that_uses_it_gives_it_back_as_at_first),
        LOANS(test_loans_renamed_interface_is_found_by_its_number),
        LOANS(test_loans_interface_made_anew_keeps_its_own_values),
        LOANS(test_loans_of_another_boot_are_void),
        LOANS(test_loans_damaged_file_is_set_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
