/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/two_guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES    250u
#define PAUSE_US 20000u

int two_guests_open(void **state, const char *lan, const char *a, const char *b)
{
    struct two_guests *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    *state = f;
    assert_int_equal(lab_create(&f->lab), 0);
    assert_int_equal(lab_start(&f->lab, NULL), 0);
    assert_int_equal(lab_do(&f->lab, "switch add lan --type private%s", lan), 0);
    assert_int_equal(lab_do(&f->lab, "vnic add a --switch lan%s", a), 0);
    assert_int_equal(lab_do(&f->lab, "vnic add b --switch lan%s", b), 0);
    assert_int_equal(frontend_open(&f->a, &(struct frontend_config){
                         .socket_path = lab_socket(&f->lab, "a") }), 0);
    assert_int_equal(frontend_open(&f->b, &(struct frontend_config){
                         .socket_path = lab_socket(&f->lab, "b") }), 0);
    return 0;
}

int two_guests_close(void **state)
{
    struct two_guests *f = *state;

    frontend_abandon(&f->a);
    frontend_abandon(&f->b);
    assert_int_equal(lab_stop(&f->lab), 0);
    lab_destroy(&f->lab);
    free(f);
    return 0;
}

void two_guests_ask_until(struct two_guests *f, const char *words, const char *path,
                          int64_t wanted, struct lab_answer *answer)
{
    for (unsigned i = 0; i < TRIES; i++) {
        assert_int_equal(lab_ask(&f->lab, answer, "%s", words), 0);
        if (lab_number(answer->json, path) == wanted) {
            return;
        }
        lab_answer_release(answer);
        (void)usleep(PAUSE_US);
    }
    fail_msg("%s: %s did not come to %ld", words, path, (long)wanted);
}
