/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator chooses of offloads: what a VM is then offered, what is left to one that runs,
 * what is said of that, and what of it is there after a restart.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/offload.h"

#define TSO_BOTH (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4)

struct fixture {
    struct lab lab;
    struct frontend guest;
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    *state = f;
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    assert_int_equal(lab_do(&f->lab, "switch add lan --type private"), 0);
    assert_int_equal(lab_do(&f->lab, "vnic add a --switch lan"), 0);
    return 0;
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(lab_stop(&f->lab), 0);
    lab_destroy(&f->lab);
    free(f);
    return 0;
}

/* A guest that can do TSO of IPv4, both ways, and takes of it what it is offered. */
static void attach(struct fixture *f)
{
    const int rc = frontend_open(&f->guest, &(struct frontend_config){
        .socket_path = lab_socket(&f->lab, "a"), .features = FRONTEND_FEATURES | TSO_BOTH });

    if (rc != 0) {
        fail_msg("%s", frontend_error(&f->guest));
    }
}

/* What @p command says under @p key, as JSON without blanks. */
static void assert_says(struct fixture *f, const char *command, const char *key, const char *text)
{
    struct lab_answer answer;
    char *is;

    assert_int_equal(lab_ask(&f->lab, &answer, "%s", command), 0);
    is = json_dumps(lab_value(answer.json, key), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(is);
    if (strstr(is, text) == NULL) {
        fail_msg("%s: \"%s\" is %s, which has no %s", command, key, is, text);
    }
    free(is);
    lab_answer_release(&answer);
}

static void test_offload_set_is_what_a_vm_is_offered(void **state)
{
    static const struct { const char *offload; uint64_t features; } rows[] = {
        { "on", OFFLOAD_ALL },
        { "off", 0 },
        { "csum,host_tso4", OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(lab_do(&f->lab, "vnic set a --offload %s", rows[i].offload), 0);
        attach(f);
        assert_true((f->guest.offered_features & OFFLOAD_ALL) == rows[i].features);
        frontend_close(&f->guest);
    }
    assert_int_equal(lab_do(&f->lab, "vnic add b --switch lan --offload rx"), 0);
    assert_says(f, "vnic show b", "offload", "\"rx\"");
}

static void test_offload_show_says_what_the_guest_receives_and_sends_undone(void **state)
{
    struct fixture *f = *state;

    assert_says(f, "vnic show a", "offload", "\"on\"");
    assert_says(f, "vnic show a", "offloads_taken", "[]");

    attach(f);
    assert_says(f, "vnic show a", "offloads_taken", "[\"csum\",\"tso4\"]");
    assert_says(f, "vnic show a", "offloads_sent", "[\"csum\",\"tso4\"]");
    assert_says(f, "vnic show a", "offload_note", "null");
    assert_says(f, "vnic show a", "features", "\"HOST_TSO4\"");
    frontend_close(&f->guest);
}

static void test_offload_set_while_a_vm_runs_narrows_what_it_receives(void **state)
{
    struct fixture *f = *state;

    attach(f);
    assert_says(f, "vnic set a --offload csum,guest_csum", "offload_note",
                "what it receives is narrowed at once");
    assert_says(f, "vnic show a", "offloads_taken", "[\"csum\"]");
    assert_says(f, "vnic show a", "offloads_sent", "[\"csum\",\"tso4\"]");

    assert_says(f, "vnic set a --offload on", "offload_note", "null");
    assert_says(f, "vnic show a", "offloads_taken", "[\"csum\",\"tso4\"]");
    frontend_close(&f->guest);
}

static void test_offload_set_while_a_vm_runs_offers_it_more_when_it_starts_anew(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(lab_do(&f->lab, "vnic set a --offload tx"), 0);
    attach(f);
    assert_says(f, "vnic set a --offload on", "offload_note",
                "attached when tx was offered, and is offered this when it is started anew");
    assert_says(f, "vnic show a", "offloads_taken", "[]");
    frontend_close(&f->guest);

    attach(f);
    assert_says(f, "vnic show a", "offloads_taken", "[\"csum\",\"tso4\"]");
    assert_says(f, "vnic show a", "offload_note", "null");
    frontend_close(&f->guest);
}

/* It negotiated more than is offered now, and QEMU does not come back to less. */
static void test_offload_of_a_vm_that_runs_outlives_the_daemon_and_no_more(void **state)
{
    struct fixture *f = *state;

    attach(f);
    assert_int_equal(lab_do(&f->lab, "vnic set a --offload csum,guest_csum"), 0);
    assert_int_equal(lab_stop(&f->lab), 0);
    frontend_abandon(&f->guest);
    assert_int_equal(lab_start(&f->lab, NULL), 0);

    attach(f);
    assert_true((f->guest.offered_features & TSO_BOTH) == TSO_BOTH);
    assert_true((f->guest.offered_features & OFFLOAD_HOST_USO) == 0);
    assert_says(f, "vnic show a", "offloads_taken", "[\"csum\"]");
    frontend_close(&f->guest);

    /* That it has left is seen a moment later. */
    for (unsigned tries = 0; tries < 50; tries++) {
        attach(f);
        frontend_close(&f->guest);
        if ((f->guest.offered_features & OFFLOAD_HOST_TSO4) == 0) {
            break;
        }
        usleep(100000);
    }
    assert_true((f->guest.offered_features & OFFLOAD_ALL) == (OFFLOAD_CSUM | OFFLOAD_GUEST_CSUM));
}

static void test_offload_and_coalescing_are_kept(void **state)
{
    struct fixture *f = *state;

    assert_says(f, "switch show lan", "coalesce", "true");
    assert_int_equal(lab_do(&f->lab, "vnic set a --offload tso"), 0);
    assert_int_equal(lab_do(&f->lab, "switch set lan --coalesce off"), 0);
    assert_int_equal(lab_stop(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);

    assert_says(f, "vnic show a", "offload", "\"tso\"");
    assert_says(f, "switch show lan", "coalesce", "false");
    attach(f);
    assert_true((f->guest.offered_features & TSO_BOTH) == TSO_BOTH);
    assert_true((f->guest.offered_features & OFFLOAD_HOST_USO) == 0);
    frontend_close(&f->guest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_offload_set_is_what_a_vm_is_offered),
        TEST(test_offload_show_says_what_the_guest_receives_and_sends_undone),
        TEST(test_offload_set_while_a_vm_runs_narrows_what_it_receives),
        TEST(test_offload_set_while_a_vm_runs_offers_it_more_when_it_starts_anew),
        TEST(test_offload_of_a_vm_that_runs_outlives_the_daemon_and_no_more),
        TEST(test_offload_and_coalescing_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
