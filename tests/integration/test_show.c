/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator sees of guests that lose frames: which address the lock refused, which MTU a
 * frame was too long for, and what passes now.
 */
#include "tests/support/two_guests.h"
#include "tests/support/udp_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_BYTES 1000u
#define TRIES       250u
#define PAUSE_US    20000u

#define MAC_A 1u                   /* 02:01:00:00:00:01, as the vNIC has it */
#define MAC_X 9u

static int setup(void **state)
{
    return two_guests_open(state, "", " --mac 02:01:00:00:00:01", " --mtu 600");
}

/* Lets guest a broadcast @p len_bytes from station @p number. */
static void speak(struct two_guests *f, uint32_t number, size_t len_bytes)
{
    struct udp_frame fields = { .to = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
    uint8_t frame[FRAME_BYTES];

    udp_frame_mac(fields.from, 1, number);
    udp_frame_write(frame, len_bytes, &fields);
    assert_int_equal(frontend_send(&f->a, 0, frame, len_bytes), 0);
}

static const json_t *port_of(const struct lab_answer *answer, const char *name)
{
    const json_t *ports = lab_value(answer->json, "ports");

    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);

        if (strcmp(json_string_value(json_object_get(port, "name")), name) == 0) {
            return port;
        }
    }
    fail_msg("no port %s", name);
    return NULL;
}

static void test_show_address_that_the_lock_refused(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    assert_int_equal(lab_ask(&f->lab, &answer, "vnic show a"), 0);
    assert_true(json_is_null(lab_value(answer.json, "spoof_tried")));
    assert_true(json_is_true(lab_value(answer.json, "spoof_guard")));
    lab_answer_release(&answer);

    speak(f, MAC_X, FRAME_BYTES);

    two_guests_ask_until(f, "vnic show a", "drops.source address is not one the port may use",
                         1, &answer);
    assert_string_equal(json_string_value(lab_value(answer.json, "spoof_tried")),
                        "02:01:00:00:00:09");
    lab_answer_release(&answer);
}

static void test_show_port_that_a_frame_was_too_long_for(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;
    const json_t *b, *found;

    speak(f, MAC_A, FRAME_BYTES);

    two_guests_ask_until(f, "switch show lan", "drops.longer than the MTU of the receiving port",
                         1, &answer);
    b = port_of(&answer, "b");
    assert_int_equal(lab_number(b, "drops.longer than the MTU of the receiving port"), 1);
    assert_int_equal(lab_number(b, "mtu"), 600);
    assert_int_equal(json_array_size(lab_value(answer.json, "mtu_disagreements")), 1);
    found = json_array_get(lab_value(answer.json, "mtu_disagreements"), 0);
    assert_string_equal(json_string_value(lab_value(found, "object")), "vNIC b");
    assert_true(json_is_true(lab_value(found, "deliberate")));
    lab_answer_release(&answer);
}

static void test_show_rates_of_the_last_second(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;
    bool seen = false;

    for (unsigned i = 0; i < TRIES && !seen; i++) {
        speak(f, MAC_A, 200);
        assert_int_equal(lab_ask(&f->lab, &answer, "switch show lan"), 0);
        seen = lab_number(port_of(&answer, "a"), "rates.from_frames_per_s") > 0 &&
               lab_number(port_of(&answer, "b"), "rates.to_bits_per_s") > 0;
        lab_answer_release(&answer);
        (void)usleep(PAUSE_US);
    }

    assert_true(seen);
}

static void test_show_own_addresses_as_pinned_and_added_ones_as_static(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;
    unsigned pinned = 0, fixed = 0;

    assert_int_equal(lab_do(&f->lab, "mac add lan --mac 02:00:00:00:00:77 --port b"), 0);

    assert_int_equal(lab_ask(&f->lab, &answer, "mac show lan"), 0);
    for (size_t i = 0; i < json_array_size(answer.json); i++) {
        const json_t *entry = json_array_get(answer.json, i);
        const char *kind = json_string_value(json_object_get(entry, "kind"));

        pinned += strcmp(kind, "pinned") == 0;
        fixed += strcmp(kind, "static") == 0;
    }
    assert_int_equal(pinned, 2);
    assert_int_equal(fixed, 1);
    lab_answer_release(&answer);
}

static void test_show_stats_of_a_port_and_of_nothing(void **state)
{
    struct two_guests *f = *state;
    struct lab_answer answer;

    assert_int_equal(lab_ask(&f->lab, &answer, "stats show b"), 0);
    assert_int_equal(json_array_size(lab_value(answer.json, "ports")), 1);
    lab_answer_release(&answer);
    assert_int_equal(lab_ask(&f->lab, &answer, "stats show vdev:none"), 1);
    assert_non_null(strstr(answer.error, "there is no switch, vNIC, uplink, team, member or "));
    lab_answer_release(&answer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, two_guests_close)
    const struct CMUnitTest tests[] = {
        TEST(test_show_address_that_the_lock_refused),
        TEST(test_show_port_that_a_frame_was_too_long_for),
        TEST(test_show_rates_of_the_last_second),
        TEST(test_show_own_addresses_as_pinned_and_added_ones_as_static),
        TEST(test_show_stats_of_a_port_and_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
