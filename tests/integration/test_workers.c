/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers that deliver to the same guests at once: nothing is lost without a name, nothing
 * comes twice, and no flow is out of order.
 *
 * Four guests with two queue pairs each send to each other as fast as they can.  Pairs are spread
 * over the workers, so each receive ring is filled by both.  Every frame says in its payload which
 * flow it is of (sender, pair, receiver) and which of that flow: at the receiver these numbers may
 * have gaps, because rings run full, but only rise, and all frames of a flow come on one pair.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/random.h"
#include "tests/support/udp_frame.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GUESTS 4u
#define PAIRS 2u
#define TO_ALL GUESTS              /* the receiver of a broadcast */
#define TURNS 3000u
#define MOST_PER_TURN 24u
#define BROADCAST_IN 50u           /* one frame of so many */
#define QUIET_MS 300
#define PAIR_NOT_SEEN 0xffu

/* Behind the headers of every frame. */
struct mark {
    uint32_t sequence;             /* from 1, of the flow */
    uint8_t sender, pair, receiver;
} __attribute__((packed));

struct flow {
    uint32_t sent;
    uint32_t received;             /* frames */
    uint32_t last;                 /* sequence */
    uint8_t pair;                  /* that it comes on */
};

struct guest {
    unsigned number;
    char name[4];
    struct frontend f;
    uint64_t random;
    struct flow to[PAIRS][GUESTS + 1];             /* by own pair and receiver */
    struct flow from[GUESTS][PAIRS][2];            /* by sender, its pair, and whether to all */
    uint64_t strange;              /* frames for another guest: flooded before it was learned */
    char wrong[256];               /* the first thing that was */
    pthread_t thread;
};

struct fixture {
    struct lab lab;
    struct guest guest[GUESTS];
};

/* ---- guests ---------------------------------------------------------------------------------- */

static void guest_send(struct guest *guest, unsigned pair, unsigned receiver)
{
    struct flow *flow = &guest->to[pair][receiver];
    const struct mark mark = { flow->sent + 1, (uint8_t)guest->number, (uint8_t)pair,
                               (uint8_t)receiver };
    struct udp_frame fields = { .from_ip = guest->number, .to_ip = receiver,
                                .from_port = (uint16_t)(1000 + pair), .to_port = 2000 };
    const size_t len_bytes = 64 + random_below(&guest->random, 1400);
    uint8_t frame[1500];

    udp_frame_mac(fields.from, 1, guest->number);
    udp_frame_mac(fields.to, 1, receiver);
    if (receiver == TO_ALL) {
        memset(fields.to, 0xff, sizeof(fields.to));
    }
    udp_frame_write(frame, len_bytes, &fields);
    memcpy(frame + UDP_FRAME_HEADERS_BYTES, &mark, sizeof(mark));
    if (frontend_send(&guest->f, (uint16_t)pair, frame, len_bytes) == 0) {
        flow->sent++;
    } else if (guest->wrong[0] == '\0') {
        (void)snprintf(guest->wrong, sizeof(guest->wrong), "%s", frontend_error(&guest->f));
    }
}

static void guest_check(struct guest *guest, const struct mark *mark)
{
    struct flow *flow;

    if (mark->sender >= GUESTS || mark->pair >= PAIRS || mark->receiver > TO_ALL) {
        (void)snprintf(guest->wrong, sizeof(guest->wrong), "a frame that nobody sent");
        return;
    }
    if (mark->receiver != TO_ALL && mark->receiver != guest->number) {
        guest->strange++;
        return;
    }
    flow = &guest->from[mark->sender][mark->pair][mark->receiver == TO_ALL];
    if (mark->sequence <= flow->last && guest->wrong[0] == '\0') {
        (void)snprintf(guest->wrong, sizeof(guest->wrong), "frame %u from %u/%u came after %u",
                       mark->sequence, mark->sender, mark->pair, flow->last);
    }
    if (flow->pair != PAIR_NOT_SEEN && flow->pair != guest->f.last_queue &&
        guest->wrong[0] == '\0') {
        (void)snprintf(guest->wrong, sizeof(guest->wrong), "flow %u/%u came on pair %u and on %u",
                       mark->sender, mark->pair, flow->pair, guest->f.last_queue);
    }
    flow->pair = (uint8_t)guest->f.last_queue;
    flow->last = mark->sequence;
    flow->received++;
}

/* Takes what is there, waiting so long for the first and for each further frame. */
static void guest_receive(struct guest *guest, int wait_ms)
{
    uint8_t frame[1600];
    struct mark mark;

    while (frontend_receive(&guest->f, FRONTEND_ANY_QUEUE, frame, sizeof(frame), wait_ms) >= 0) {
        memcpy(&mark, frame + UDP_FRAME_HEADERS_BYTES, sizeof(mark));
        guest_check(guest, &mark);
    }
}

static void *guest_main(void *context)
{
    struct guest *guest = context;

    for (unsigned turn = 0; turn < TURNS && guest->wrong[0] == '\0'; turn++) {
        const unsigned pair = random_below(&guest->random, PAIRS);
        const unsigned frames = random_below(&guest->random, MOST_PER_TURN);

        for (unsigned i = 0; i < frames; i++) {
            const unsigned other = 1 + random_below(&guest->random, GUESTS - 1);
            const bool to_all = random_below(&guest->random, BROADCAST_IN) == 0;

            guest_send(guest, pair, to_all ? TO_ALL : (guest->number + other) % GUESTS);
        }
        guest_receive(guest, 0);
    }
    return NULL;
}

static int guest_open(struct fixture *x, unsigned number)
{
    struct guest *guest = &x->guest[number];

    *guest = (struct guest){ .number = number, .random = 0x9e3779b97f4a7c15u + number };
    for (unsigned i = 0; i < GUESTS * PAIRS * 2; i++) {
        guest->from[i / (PAIRS * 2)][i / 2 % PAIRS][i % 2].pair = PAIR_NOT_SEEN;
    }
    (void)snprintf(guest->name, sizeof(guest->name), "g%u", number % 10);
    if (lab_do(&x->lab, "vnic add %s --switch s1 --queues %u --mac 02:01:00:00:00:%02x",
               guest->name, PAIRS, number) != 0) {
        return -1;
    }
    return frontend_open(&guest->f, &(struct frontend_config){
        .socket_path = lab_socket(&x->lab, guest->name), .queue_pairs = PAIRS,
        .segment_bytes = number == 1 ? 300 : 0, .indirect = number == 2,
        .slot_bytes = number == 3 ? 512 : 0,
    });
}

/* ---- the fixture ----------------------------------------------------------------------------- */

static bool has_two_cores(void)
{
    cpu_set_t allowed;

    return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_ISSET(0, &allowed) &&
           CPU_ISSET(1, &allowed);
}

static int setup(void **state)
{
    static const char *const args[] = { "--cores", "0,1", NULL };
    static struct fixture fixture;
    struct fixture *x = &fixture;

    if (!has_two_cores()) {
        return 0;                                              /* the tests skip */
    }
    if (lab_create(&x->lab) != 0 || lab_start(&x->lab, args) != 0 ||
        lab_do(&x->lab, "switch add s1 --type private") != 0) {
        return -1;
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        if (guest_open(x, i) != 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        pthread_create(&x->guest[i].thread, NULL, guest_main, &x->guest[i]);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        pthread_join(x->guest[i].thread, NULL);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        for (uint16_t pair = 0; pair < PAIRS; pair++) {
            if (frontend_wait_sent(&x->guest[i].f, pair) != 0) {
                printf("# guest %u: %s\n", i, frontend_error(&x->guest[i].f));
                return -1;
            }
        }
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        guest_receive(&x->guest[i], QUIET_MS);
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

static struct fixture *fixture_or_skip(void **state)
{
    if (*state == NULL) {
        printf("# skip: this machine does not let the test use cores 0 and 1\n");
        skip();
    }
    return *state;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void test_workers_keep_each_flow_in_order_and_single(void **state)
{
    struct fixture *x = fixture_or_skip(state);
    uint64_t received = 0, sent = 0;

    for (unsigned i = 0; i < GUESTS; i++) {
        assert_string_equal(x->guest[i].wrong, "");
        sent += x->guest[i].f.counters.sent_frames;
        received += x->guest[i].f.counters.received_frames;
    }
    printf("# measured: %lu frames sent, %lu received, all in the order of their flows\n",
           (unsigned long)sent, (unsigned long)received);
}

/* A flow's frames are at most as many as were sent, and every flow lived. */
static void test_workers_carry_every_flow(void **state)
{
    const struct fixture *x = fixture_or_skip(state);

    for (unsigned to = 0; to < GUESTS; to++) {
        for (unsigned from = 0; from < GUESTS; from++) {
            for (unsigned pair = 0; pair < PAIRS && from != to; pair++) {
                const struct flow *got = x->guest[to].from[from][pair];

                assert_in_range(got[0].received, 1, x->guest[from].to[pair][to].sent);
                assert_in_range(got[1].received, 1, x->guest[from].to[pair][TO_ALL].sent);
            }
        }
    }
}

static void test_workers_count_what_every_guest_counted(void **state)
{
    struct fixture *x = fixture_or_skip(state);

    for (unsigned i = 0; i < GUESTS; i++) {
        const struct frontend_counters *own = &x->guest[i].f.counters;
        struct lab_answer answer;

        assert_int_equal(lab_ask(&x->lab, &answer, "vnic show %s", x->guest[i].name), 0);
        assert_int_equal(lab_number(answer.json, "counters.from_frames"), own->sent_frames);
        assert_int_equal(lab_number(answer.json, "counters.from_bytes"), own->sent_bytes);
        assert_int_equal(lab_number(answer.json, "counters.to_frames"), own->received_frames);
        assert_int_equal(lab_number(answer.json, "counters.to_bytes"), own->received_bytes);
        lab_answer_release(&answer);
    }
}

static void test_workers_lose_nothing_without_a_name(void **state)
{
    struct fixture *x = fixture_or_skip(state);
    struct lab_answer answer;
    const char *reason;
    json_t *count;
    int64_t out;

    assert_int_equal(lab_ask(&x->lab, &answer, "switch show s1"), 0);
    out = lab_number(answer.json, "counters.to_frames") +
          lab_number(answer.json, "counters.coalesced");
    json_object_foreach(lab_value(answer.json, "drops"), reason, count) {
        out += json_integer_value(count);
    }
    assert_int_equal(lab_number(answer.json, "counters.from_frames") +
                     lab_number(answer.json, "counters.flood_copies") +
                     lab_number(answer.json, "counters.segment_copies"), out);
    lab_answer_release(&answer);
}

static void test_workers_share_the_queues(void **state)
{
    struct fixture *x = fixture_or_skip(state);
    struct lab_answer answer;
    const json_t *worker;
    size_t i;

    assert_int_equal(lab_ask(&x->lab, &answer, "daemon show"), 0);
    json_array_foreach(lab_value(answer.json, "workers"), i, worker) {
        assert_int_equal(lab_number(worker, "queues"), GUESTS * PAIRS / 2);
        assert_true(lab_number(worker, "frames") > 0);
    }
    assert_int_equal(i, 2);
    lab_answer_release(&answer);
    assert_int_equal(lab_stop(&x->lab), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_keep_each_flow_in_order_and_single),
        cmocka_unit_test(test_workers_carry_every_flow),
        cmocka_unit_test(test_workers_count_what_every_guest_counted),
        cmocka_unit_test(test_workers_lose_nothing_without_a_name),
        cmocka_unit_test(test_workers_share_the_queues),
    };

    return cmocka_run_group_tests_name("workers", tests, setup, teardown);
}
