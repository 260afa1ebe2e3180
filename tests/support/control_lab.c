/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/control_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *control_lab_program(const char *name)
{
    static char path[2][256];
    static unsigned turn;
    const char *dir = getenv("VSWITCH_BIN");
    char *into = path[turn++ % 2];

    (void)snprintf(into, sizeof(path[0]), "%s/%s", dir != NULL ? dir : "build", name);
    return into;
}

int control_lab_setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    assert_int_equal(lab_create(lab), 0);
    assert_int_equal(lab_start(lab, NULL), 0);
    *state = lab;
    return 0;
}

int control_lab_teardown(void **state)
{
    struct lab *lab = *state;

    lab_destroy(lab);
    free(lab);
    return 0;
}

void control_lab_assert_refused(struct lab *lab, const char *command, const char *sentence)
{
    struct lab_answer answer;

    assert_int_equal(lab_ask(lab, &answer, "%s", command), 1);
    if (strstr(answer.error, sentence) == NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", command, answer.error, sentence);
    }
    lab_answer_release(&answer);
}

char *control_lab_text(struct lab *lab, const char *command)
{
    struct lab_answer answer;
    char *text;

    assert_int_equal(lab_ask(lab, &answer, "%s", command), 0);
    text = json_dumps(answer.json, JSON_SORT_KEYS);
    assert_non_null(text);
    lab_answer_release(&answer);
    return text;
}

json_int_t control_lab_count(struct lab *lab, const char *command)
{
    struct lab_answer answer;
    json_int_t count;

    assert_int_equal(lab_ask(lab, &answer, "%s", command), 0);
    count = (json_int_t)json_array_size(answer.json);
    lab_answer_release(&answer);
    return count;
}

void control_lab_fill(struct lab *lab)
{
    assert_int_equal(lab_do(lab, "switch add lan --type private --mtu 9000 --mac-capacity 500"), 0);
    assert_int_equal(lab_do(lab, "switch add dmz --type private"), 0);
    assert_int_equal(lab_do(lab, "vnic add a --switch lan"), 0);
    assert_int_equal(lab_do(lab, "vnic add b --switch lan --queues 4 --mtu 2000"), 0);
    assert_int_equal(lab_do(lab, "vnic add c --switch dmz --mac 02:00:00:00:00:0c"), 0);
    assert_int_equal(lab_do(lab, "vnic remove a"), 0);
    assert_int_equal(lab_do(lab, "vnic add d --switch lan"), 0);
    assert_int_equal(lab_do(lab, "mac add lan --mac 02:00:00:00:00:01 --port b"), 0);
    assert_int_equal(lab_do(lab, "switch set dmz --mac-ageing 30s"), 0);
}
