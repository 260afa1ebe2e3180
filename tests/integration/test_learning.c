/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a switch knows, as guests and operators see it: addresses come, move, age and are forgotten,
 * and a guest that makes up addresses by the thousand holds up nobody.
 */
#include "tests/support/control_lab.h"
#include "tests/support/two_guests.h"
#include "tests/support/udp_frame.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_BYTES   60u
#define TRIES         200u
#define PAUSE_US      20000u
#define FLOOD_S       3u
#define COMMANDS      30u
#define COMMAND_MS    1000

static int setup(void **state)
{
    return two_guests_open(state, " --mac-capacity 1000", " --spoof-guard off",
                           " --spoof-guard off");
}

/* Lets @p from send a broadcast as station @p number. */
static void speak(struct frontend *from, uint32_t number)
{
    struct udp_frame fields = { .to = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
    uint8_t frame[FRAME_BYTES];

    udp_frame_mac(fields.from, 1, number);
    udp_frame_write(frame, sizeof(frame), &fields);
    assert_int_equal(frontend_send(from, 0, frame, sizeof(frame)), 0);
}

/* The port behind which station @p number is known, to be freed; NULL when it is not known. */
static char *port_of(struct lab *lab, uint32_t number)
{
    struct lab_answer answer;
    char wanted[18], *port = NULL;
    uint8_t mac[6];

    udp_frame_mac(mac, 1, number);
    (void)snprintf(wanted, sizeof(wanted), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                   mac[3], mac[4], mac[5]);
    assert_int_equal(lab_ask(lab, &answer, "mac show lan"), 0);
    for (size_t i = 0; i < json_array_size(answer.json); i++) {
        const json_t *entry = json_array_get(answer.json, i);

        if (strcmp(json_string_value(json_object_get(entry, "mac")), wanted) == 0) {
            port = strdup(json_string_value(json_object_get(entry, "port")));
        }
    }
    lab_answer_release(&answer);
    return port;
}

/* Waits until the station is known behind @p port; NULL: until it is not known. */
static void assert_comes_to(struct lab *lab, uint32_t number, const char *port)
{
    bool is = false;

    for (unsigned i = 0; i < TRIES && !is; i++) {
        char *now = port_of(lab, number);

        is = port == NULL ? now == NULL : now != NULL && strcmp(now, port) == 0;
        free(now);
        (void)usleep(PAUSE_US);
    }
    if (!is) {
        fail_msg("station %u did not come to be known at %s", number, port != NULL ? port : "none");
    }
}

static int64_t number_of_switch(struct lab *lab, const char *key)
{
    struct lab_answer answer;
    int64_t number;

    assert_int_equal(lab_ask(lab, &answer, "switch show lan"), 0);
    number = lab_number(answer.json, key);
    lab_answer_release(&answer);
    return number;
}

static void test_learning_station_that_moves_is_known_at_its_new_port(void **state)
{
    struct two_guests *f = *state;

    speak(&f->a, 7);
    assert_comes_to(&f->lab, 7, "a");
    assert_int_equal(number_of_switch(&f->lab, "mac_moves"), 0);

    speak(&f->b, 7);
    assert_comes_to(&f->lab, 7, "b");
    assert_int_equal(number_of_switch(&f->lab, "mac_moves"), 1);
}

static void test_learning_pinned_address_does_not_move(void **state)
{
    struct two_guests *f = *state;

    assert_int_equal(lab_do(&f->lab, "mac add lan --mac 02:01:00:00:00:07 --port b"), 0);
    speak(&f->a, 7);
    speak(&f->a, 8);

    assert_comes_to(&f->lab, 8, "a");
    assert_comes_to(&f->lab, 7, "b");
    assert_int_equal(number_of_switch(&f->lab, "mac_moves"), 0);
}

static void test_learning_silent_station_is_forgotten_after_the_ageing_time(void **state)
{
    struct two_guests *f = *state;

    assert_int_equal(lab_do(&f->lab, "mac add lan --mac 02:01:00:00:00:09 --port b"), 0);
    speak(&f->a, 7);
    assert_comes_to(&f->lab, 7, "a");

    assert_int_equal(lab_do(&f->lab, "switch set lan --mac-ageing 1s"), 0);
    assert_comes_to(&f->lab, 7, NULL);
    assert_comes_to(&f->lab, 9, "b");
}

static void test_learning_what_was_behind_a_removed_vnic_is_forgotten(void **state)
{
    struct two_guests *f = *state;

    speak(&f->a, 7);
    speak(&f->b, 8);
    assert_comes_to(&f->lab, 7, "a");
    assert_comes_to(&f->lab, 8, "b");

    assert_int_equal(lab_do(&f->lab, "vnic remove a"), 0);
    assert_int_equal(number_of_switch(&f->lab, "mac_entries"), 1);
    assert_comes_to(&f->lab, 8, "b");
}

static void test_learning_flush_and_remove_forget_what_was_learned_only(void **state)
{
    struct two_guests *f = *state;

    assert_int_equal(lab_do(&f->lab, "mac add lan --mac 02:01:00:00:00:09 --port a"), 0);
    speak(&f->a, 7);
    speak(&f->b, 8);
    assert_comes_to(&f->lab, 7, "a");
    assert_comes_to(&f->lab, 8, "b");

    assert_int_equal(lab_do(&f->lab, "mac flush lan --port a"), 0);
    assert_int_equal(number_of_switch(&f->lab, "mac_entries"), 2);
    assert_int_equal(lab_do(&f->lab, "mac remove lan --mac 02:01:00:00:00:08"), 0);
    assert_int_equal(number_of_switch(&f->lab, "mac_entries"), 1);
    assert_comes_to(&f->lab, 9, "a");
}

static void test_learning_resized_table_still_knows(void **state)
{
    struct two_guests *f = *state;

    speak(&f->a, 7);
    assert_comes_to(&f->lab, 7, "a");

    assert_int_equal(lab_do(&f->lab, "switch set lan --mac-capacity 50000"), 0);
    assert_comes_to(&f->lab, 7, "a");
    speak(&f->b, 8);
    assert_comes_to(&f->lab, 8, "b");
}

static void test_learning_vm_that_arrives_is_known_by_its_announcement(void **state)
{
    struct two_guests *f = *state;
    union { uint8_t bytes[8]; uint64_t payload; } mac = { .payload = 0 };

    speak(&f->a, 7);
    assert_comes_to(&f->lab, 7, "a");
    udp_frame_mac(mac.bytes, 1, 7);
    assert_int_equal(vhost_user_set_u64(&f->b.channel, VHOST_USER_SEND_RARP, mac.payload), 0);

    assert_comes_to(&f->lab, 7, "b");
}

/* ---- a guest that makes up addresses --------------------------------------------------------- */

struct flood {
    struct frontend *from;
    atomic_bool stop;
    uint64_t sent;
};

static void *flood_main(void *arg)
{
    struct flood *flood = arg;
    struct udp_frame fields = { .to = { 0x02, 0xff } };
    uint8_t frame[FRAME_BYTES];
    uint32_t number = 1000;

    udp_frame_write(frame, sizeof(frame), &fields);
    while (!atomic_load(&flood->stop)) {
        udp_frame_mac(frame + 6, 1, number++);
        if (frontend_send(flood->from, 0, frame, sizeof(frame)) != 0) {
            break;
        }
        flood->sent++;
    }
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_learning_flood_of_addresses_holds_up_no_command_and_no_guest(void **state)
{
    struct two_guests *f = *state;
    struct flood flood = { .from = &f->a };
    pthread_t thread;
    int64_t longest_ms = 0;

    speak(&f->b, 8);
    assert_comes_to(&f->lab, 8, "b");
    assert_int_equal(pthread_create(&thread, NULL, flood_main, &flood), 0);
    for (unsigned i = 0; i < COMMANDS; i++) {
        const int64_t start = now_ms();

        assert_int_equal(lab_do(&f->lab, "switch list"), 0);
        longest_ms = now_ms() - start > longest_ms ? now_ms() - start : longest_ms;
        (void)usleep(FLOOD_S * 1000000 / COMMANDS);
    }
    atomic_store(&flood.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);

    printf("# measured: under %llu made-up addresses a second a command took at most %lld ms\n",
           (unsigned long long)(flood.sent / FLOOD_S), (long long)longest_ms);
    assert_true(longest_ms < COMMAND_MS);
    assert_true(flood.sent > 1000);
    assert_true(number_of_switch(&f->lab, "mac_entries") <= 251);
    assert_comes_to(&f->lab, 8, "b");
}

int main(void)
{
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, two_guests_close)
    const struct CMUnitTest tests[] = {
        FIXTURE(test_learning_station_that_moves_is_known_at_its_new_port),
        FIXTURE(test_learning_pinned_address_does_not_move),
        FIXTURE(test_learning_silent_station_is_forgotten_after_the_ageing_time),
        FIXTURE(test_learning_what_was_behind_a_removed_vnic_is_forgotten),
        FIXTURE(test_learning_flush_and_remove_forget_what_was_learned_only),
        FIXTURE(test_learning_resized_table_still_knows),
        FIXTURE(test_learning_vm_that_arrives_is_known_by_its_announcement),
        FIXTURE(test_learning_flood_of_addresses_holds_up_no_command_and_no_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
