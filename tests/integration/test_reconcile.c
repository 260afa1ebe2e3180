/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters add up to the frame: what guests sent and got, as they counted it themselves, against
 * what the switch says, after a load in which every kind of frame and every kind of receiver was
 * there at once.
 *
 * Guests run in threads of their own, so that frames of several ports are in the switch together.
 * Nothing is sampled and nothing may differ by one.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/random.h"
#include "tests/support/udp_frame.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GUESTS 6u
#define TURNS 4000u
#define MOST_PER_TURN 12u
#define QUIET_MS 200
#define MTU_BYTES 1500u
#define NEVER_PRESENT 99u         /* number of a guest that nobody is */
#define SLOW_GUEST 2u             /* takes few frames, so that its ring runs full */
#define SMALL_MTU_GUEST 3u
#define SMALL_MTU_BYTES 600u

struct guest {
    char name[4];
    unsigned number;
    const char *switch_name;
    unsigned first, last;         /* numbers of the guests on its switch, itself among them */
    bool manual_receive;
    struct frontend f;
    uint64_t random;
    uint64_t sent_broadcast;
    uint64_t sent_multicast;
    int status;                   /* of the thread: 0 or what failed */
    pthread_t thread;
};

struct fixture {
    struct lab lab;
    struct guest guest[GUESTS];
};

/* What a frame is made to meet. */
enum kind {
    KIND_KNOWN, KIND_UNKNOWN, KIND_BROADCAST, KIND_MULTICAST, KIND_FROM_MULTICAST, KIND_FROM_ZERO,
    KIND_TO_ITSELF, KIND_TOO_SHORT, KIND_OVER_MTU, KIND_COUNT,
};

static size_t frame_make(struct guest *guest, enum kind kind, uint8_t *frame)
{
    const unsigned peers = guest->last - guest->first + 1;
    const unsigned peer = guest->first + random_below(&guest->random, peers);
    size_t len_bytes = 60 + random_below(&guest->random, MTU_BYTES - 60);
    struct udp_frame fields = {.from_ip = 1, .to_ip = 2, .from_port = 3, .to_port = 4};

    udp_frame_mac(fields.from, 1, guest->number);
    udp_frame_mac(fields.to, 1, peer);
    switch (kind) {
    case KIND_KNOWN: break;
    case KIND_UNKNOWN: udp_frame_mac(fields.to, 1, NEVER_PRESENT); break;
    case KIND_BROADCAST: memset(fields.to, 0xff, 6); break;
    case KIND_MULTICAST: fields.to[0] |= 1; break;
    case KIND_FROM_MULTICAST: fields.from[0] |= 1; break;
    case KIND_FROM_ZERO: memset(fields.from, 0, 6); break;
    case KIND_TO_ITSELF: memcpy(fields.to, fields.from, 6); break;
    case KIND_TOO_SHORT: break;
    case KIND_OVER_MTU: len_bytes = MTU_BYTES + 200; break;
    case KIND_COUNT: break;
    }
    udp_frame_write(frame, len_bytes, &fields);
    return kind == KIND_TOO_SHORT ? 1 + random_below(&guest->random, 13) : len_bytes;
}

/* Sends some, receives what is there, and so on. */
static void *guest_main(void *context)
{
    struct guest *guest = context;
    uint8_t frame[MTU_BYTES + 200];

    for (unsigned turn = 0; turn < TURNS && guest->status == 0; turn++) {
        const unsigned frames = random_below(&guest->random, MOST_PER_TURN);

        for (unsigned i = 0; i < frames && guest->status == 0; i++) {
            /* Half of all is ordinary traffic. */
            const unsigned draw = random_below(&guest->random, 2 * KIND_COUNT);
            const enum kind kind = draw < KIND_COUNT ? (enum kind)draw : KIND_KNOWN;

            guest->status = frontend_send(&guest->f, 0, frame, frame_make(guest, kind, frame));
            guest->sent_broadcast += kind == KIND_BROADCAST;
            guest->sent_multicast += kind == KIND_MULTICAST;
        }
        while (guest->status == 0 &&
               frontend_receive(&guest->f, 0, NULL, 0, 0) >= 0) {
        }
        if (guest->manual_receive && turn % 16 == 0) {
            frontend_post_receive_buffers(&guest->f, 0, 8);
        }
    }
    if (guest->status == 0) {
        guest->status = frontend_wait_sent(&guest->f, 0);
    }
    return NULL;
}

static int guest_open(struct lab *lab, struct guest *guest)
{
    const struct frontend_config config = {
        .socket_path = lab_socket(lab, guest->name),
        .manual_receive = guest->manual_receive,
        .segment_bytes = guest->number % 2 == 0 ? 0 : 200,
        .indirect = guest->number % 3 == 0,
        .slot_bytes = guest->number == 1 ? 256 : 0,    /* most frames take several buffers */
    };
    int status = frontend_open(&guest->f, &config);

    if (status < 0) {
        printf("# guest %s: %s\n", guest->name, frontend_error(&guest->f));
    }
    return status;
}

/* Two switches: guests 0 to 3 and one that never attaches on the first, 4 and 5 on the second. */
static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *x = &fixture;

    if (lab_create(&x->lab) != 0 || lab_start(&x->lab, NULL) != 0 ||
        lab_do(&x->lab, "switch add s1 --type private") != 0 ||
        lab_do(&x->lab, "switch add s2 --type private") != 0 ||
        lab_do(&x->lab, "vnic add absent --switch s1 --spoof-guard off") != 0) {
        return -1;
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        struct guest *guest = &x->guest[i];

        *guest = (struct guest){
            .number = i,
            .switch_name = i < 4 ? "s1" : "s2",
            .first = i < 4 ? 0 : 4,
            .last = i < 4 ? 3 : 5,
            .manual_receive = i == SLOW_GUEST,
            .random = 0x9e3779b97f4a7c15u + i,
        };
        snprintf(guest->name, sizeof(guest->name), "g%u", i % 10);
        if (lab_do(&x->lab, "vnic add %s --switch %s --mtu %u --spoof-guard off", guest->name,
                   guest->switch_name, i == SMALL_MTU_GUEST ? SMALL_MTU_BYTES : MTU_BYTES) != 0 ||
            guest_open(&x->lab, guest) != 0) {
            return -1;
        }
    }
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 0; x != NULL && i < GUESTS; i++) {
        frontend_abandon(&x->guest[i].f);
    }
    if (x != NULL) {
        lab_destroy(&x->lab);
    }
    return 0;
}

/* All guests at once, then until nothing moves any more. */
static void load_run(struct fixture *x)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        pthread_create(&x->guest[i].thread, NULL, guest_main, &x->guest[i]);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        struct guest *guest = &x->guest[i];

        pthread_join(guest->thread, NULL);
        if (guest->status != 0) {
            fail_msg("guest %s: %s", guest->name, frontend_error(&guest->f));
        }
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_true(frontend_drain(&x->guest[i].f, QUIET_MS) >= 0);
    }
}

static int64_t sum_of_values(const json_t *object)
{
    const char *key;
    json_t *value;
    int64_t sum = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        sum += json_integer_value(value);
    }
    return sum;
}

/* What came in, and what the switch made of it. */
static int64_t all_in(const json_t *counters)
{
    return lab_number(counters, "from_frames") + lab_number(counters, "flood_copies") +
           lab_number(counters, "segment_copies");
}

/* @param counters  an object with the counters, @param drops  one with the reasons */
static void assert_balanced(const char *of, const json_t *counters, const json_t *drops)
{
    const int64_t in = all_in(counters);
    const int64_t out = lab_number(counters, "to_frames") + lab_number(counters, "coalesced") +
                        sum_of_values(drops);

    if (in != out) {
        char *text = json_dumps(drops, 0);

        fail_msg("%s: %ld came in and were copied, %ld went out, were merged or dropped (%s)", of,
                 (long)in, (long)out, text);
    }
    assert_true(lab_number(counters, "from_frames") > 0);
}

static void assert_guest_agrees(struct lab *lab, const struct guest *guest)
{
    struct lab_answer answer;

    assert_int_equal(lab_ask(lab, &answer, "vnic show %s", guest->name), 0);
    const json_t *c = lab_value(answer.json, "counters");

    assert_int_equal(lab_number(c, "from_frames"), guest->f.counters.sent_frames);
    assert_int_equal(lab_number(c, "from_bytes"), guest->f.counters.sent_bytes);
    assert_int_equal(lab_number(c, "from_broadcast"), guest->sent_broadcast);
    assert_int_equal(lab_number(c, "from_multicast"), guest->sent_multicast);
    assert_int_equal(lab_number(c, "to_frames"), guest->f.counters.received_frames);
    assert_int_equal(lab_number(c, "to_bytes"), guest->f.counters.received_bytes);
    lab_answer_release(&answer);
}

static void test_counters_under_load_agree_with_every_guest(void **state)
{
    struct fixture *x = *state;

    load_run(x);

    for (unsigned i = 0; i < GUESTS; i++) {
        assert_guest_agrees(&x->lab, &x->guest[i]);
    }
}

static void test_counters_after_load_balance_for_each_switch(void **state)
{
    static const char *const names[] = {"s1", "s2"};
    struct fixture *x = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct lab_answer answer;

        assert_int_equal(lab_ask(&x->lab, &answer, "switch show %s", names[i]), 0);
        assert_balanced(names[i], lab_value(answer.json, "counters"),
                        lab_value(answer.json, "drops"));
        lab_answer_release(&answer);
    }
}

static void test_counters_after_load_balance_for_the_daemon(void **state)
{
    struct fixture *x = *state;
    struct lab_answer answer;
    int64_t in = 0, out = 0;
    size_t i;
    json_t *port;

    assert_int_equal(lab_ask(&x->lab, &answer, "stats show"), 0);
    json_array_foreach(lab_value(answer.json, "ports"), i, port) {
        in += all_in(port);
        out += lab_number(port, "to_frames") + lab_number(port, "coalesced") +
               sum_of_values(lab_value(port, "drops"));
    }
    assert_int_equal(i, GUESTS + 1);
    assert_int_equal(in, out);
    printf("# measured: %ld frames and copies came in, as many went out or were dropped by "
           "name\n", (long)in);
    lab_answer_release(&answer);
}

/* The load was what it claims to be: each reason that it provokes was met. */
static void test_drops_after_load_have_every_provoked_reason(void **state)
{
    static const char *const reasons[] = {
        "shorter than an Ethernet header",
        "source address is multicast",
        "source address is zero",
        "destination is on the port it came from",
        "longer than the MTU of the receiving port",
        "receiver is not attached",
        "receiver had no free buffers",
    };
    struct fixture *x = *state;
    struct lab_answer answer;

    assert_int_equal(lab_ask(&x->lab, &answer, "switch show s1"), 0);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        const json_t *count = json_object_get(lab_value(answer.json, "drops"), reasons[i]);

        if (json_integer_value(count) <= 0) {
            fail_msg("no frame was dropped because: %s", reasons[i]);
        }
    }
    lab_answer_release(&answer);
}

/* Guests that go while frames are on their way to them lose frames, but none without a name. */
static void test_counters_after_guests_left_under_load_balance(void **state)
{
    struct fixture *x = *state;
    struct lab_answer answer;

    for (unsigned i = 0; i < 4; i++) {
        pthread_create(&x->guest[i].thread, NULL, guest_main, &x->guest[i]);
    }
    for (unsigned life = 0; life < 20; life++) {
        frontend_abandon(&x->guest[4].f);
        frontend_abandon(&x->guest[5].f);
        usleep(1000);
        assert_int_equal(guest_open(&x->lab, &x->guest[4]), 0);
        assert_int_equal(guest_open(&x->lab, &x->guest[5]), 0);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t frame[MTU_BYTES + 200];
            struct guest *from = &x->guest[4 + i % 2];

            frontend_send(&from->f, 0, frame, frame_make(from, KIND_KNOWN, frame));
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(x->guest[i].thread, NULL);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_true(frontend_drain(&x->guest[i].f, QUIET_MS) >= 0);
    }

    assert_int_equal(lab_ask(&x->lab, &answer, "switch show s2"), 0);
    assert_balanced("s2", lab_value(answer.json, "counters"), lab_value(answer.json, "drops"));
    lab_answer_release(&answer);
}

/* What others sent to a vNIC went somewhere, also when the vNIC is no more. */
static void test_counters_after_a_vnic_was_removed_balance_for_its_switch(void **state)
{
    struct fixture *x = *state;
    struct lab_answer before, after;

    assert_int_equal(lab_ask(&x->lab, &before, "switch show s1"), 0);
    assert_int_equal(lab_ask(&x->lab, &after, "vnic remove %s", x->guest[0].name), 0);
    lab_answer_release(&after);

    assert_int_equal(lab_ask(&x->lab, &after, "switch show s1"), 0);
    assert_int_equal(lab_number(after.json, "counters.from_frames"),
                     lab_number(before.json, "counters.from_frames"));
    assert_balanced("s1", lab_value(after.json, "counters"), lab_value(after.json, "drops"));
    lab_answer_release(&before);
    lab_answer_release(&after);
    assert_int_equal(lab_stop(&x->lab), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_under_load_agree_with_every_guest),
        cmocka_unit_test(test_counters_after_load_balance_for_each_switch),
        cmocka_unit_test(test_counters_after_load_balance_for_the_daemon),
        cmocka_unit_test(test_drops_after_load_have_every_provoked_reason),
        cmocka_unit_test(test_counters_after_guests_left_under_load_balance),
        cmocka_unit_test(test_counters_after_a_vnic_was_removed_balance_for_its_switch),
    };

    return cmocka_run_group_tests_name("reconcile", tests, setup, teardown);
}
