/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that misbehaves costs itself only, on a real daemon.
 *
 * After each misdeed the vNIC is broken with the reason in `vnic show`, two other guests of the
 * same switch still exchange frames without losing one, and when the guest's driver resets, the
 * vNIC works again.
 */
#include "tests/support/frontend.h"
#include "tests/support/lab.h"
#include "tests/support/random.h"
#include "tests/support/udp_frame.h"
#include "vnic/virtqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_BYTES  300u
#define WAIT_MS      3000
#define BURST        64u
#define SCRIBBLE_MS  1500u
#define TX           FRONTEND_TX(0)
#define RX           FRONTEND_RX(0)
#define NEXT         VRING_DESC_F_NEXT
#define INDIRECT     VRING_DESC_F_INDIRECT

enum { EVIL = 1, GOOD = 2, OTHER = 3 };            /* numbers in MAC addresses */

static struct lab lab;
static struct frontend evil;
static struct frontend good;
static struct frontend other;

static int attach(struct frontend *f, const char *vnic)
{
    return frontend_open(f, &(struct frontend_config){ .socket_path = lab_socket(&lab, vnic) });
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void frame_between(uint8_t frame[FRAME_BYTES], uint32_t from, uint32_t to, uint16_t number)
{
    struct udp_frame fields = { .from_ip = from, .to_ip = to, .from_port = number, .to_port = 9 };

    udp_frame_mac(fields.from, 1, from);
    udp_frame_mac(fields.to, 1, to);
    udp_frame_write(frame, FRAME_BYTES, &fields);
}

/* Sends @p count frames in bursts; all must come, in order, and nothing else. */
static void assert_passes(struct frontend *a, struct frontend *b, uint32_t from, uint32_t to,
                          unsigned count)
{
    uint8_t sent[FRAME_BYTES];
    uint8_t got[FRAME_BYTES];

    for (unsigned start = 0; start < count; start += BURST) {
        const unsigned end = start + BURST < count ? start + BURST : count;

        for (unsigned i = start; i < end; i++) {
            frame_between(sent, from, to, (uint16_t)i);
            assert_int_equal(frontend_send(a, 0, sent, sizeof(sent)), 0);
        }
        for (unsigned i = start; i < end; i++) {
            frame_between(sent, from, to, (uint16_t)i);
            assert_int_equal(frontend_receive(b, 0, got, sizeof(got), WAIT_MS), sizeof(got));
            assert_memory_equal(sent, got, sizeof(got));
        }
    }
}

/* The two others, and that the evil one has been told of none of it. */
static void assert_others_pass(unsigned count)
{
    assert_passes(&good, &other, GOOD, OTHER, count);
    assert_passes(&other, &good, OTHER, GOOD, count);
    assert_true(lab_alive(&lab));
}

/* Makes the three known to the switch, so that nothing is flooded afterwards. */
static void introduce(void)
{
    uint8_t frame[FRAME_BYTES];

    frame_between(frame, EVIL, 99, 0);
    assert_int_equal(frontend_send(&evil, 0, frame, sizeof(frame)), 0);
    frame_between(frame, GOOD, 99, 0);
    assert_int_equal(frontend_send(&good, 0, frame, sizeof(frame)), 0);
    frame_between(frame, OTHER, 99, 0);
    assert_int_equal(frontend_send(&other, 0, frame, sizeof(frame)), 0);
    assert_true(frontend_drain(&evil, 100) >= 0);
    assert_true(frontend_drain(&good, 100) >= 0);
    assert_true(frontend_drain(&other, 100) >= 0);
}

/* ---- what the operator sees ------------------------------------------------------------------ */

/* Waits until the vNIC shows @p wanted. @return its reason in @p reason, "" for none */
static void assert_state(const char *wanted, char *reason, size_t size)
{
    const char *state = "";

    for (int i = 0; i < WAIT_MS / 50; i++) {
        struct lab_answer answer;
        bool found;

        assert_int_equal(lab_ask(&lab, &answer, "vnic show evil"), 0);
        state = json_string_value(lab_value(answer.json, "state"));
        found = state != NULL && strcmp(state, wanted) == 0;
        if (found) {
            const char *text = json_string_value(lab_value(answer.json, "broken_reason"));

            (void)snprintf(reason, size, "%s", text == NULL ? "" : text);
        }
        lab_answer_release(&answer);
        if (found) {
            return;
        }
        usleep(50000);
    }
    fail_msg("the vNIC never became %s", wanted);
}

static void assert_broken(enum virtqueue_fault fault, unsigned ring)
{
    char reason[256];

    assert_state("broken", reason, sizeof(reason));
    if (strstr(reason, virtqueue_fault_text(fault)) == NULL ||
        strstr(reason, ring % 2 == 0 ? "receive" : "transmit") == NULL) {
        fail_msg("%s: not the reason expected, which is: %s", reason,
                 virtqueue_fault_text(fault));
    }
}

static void assert_works_again(void)
{
    char reason[256];

    if (frontend_reset(&evil) != 0) {
        fail_msg("%s", frontend_error(&evil));
    }
    assert_state("attached", reason, sizeof(reason));
    assert_string_equal(reason, "");
    assert_passes(&evil, &good, EVIL, GOOD, 10);
    assert_passes(&good, &evil, GOOD, EVIL, 10);
}

/* ---- misdeeds on the transmit ring ----------------------------------------------------------- */

/* Where a descriptor points: from the start of memory, from its end, or nowhere near. */
enum place { START, END, ABSOLUTE };

struct misdeed {
    const char *name;
    enum virtqueue_fault fault;
    enum place place;
    uint64_t offset;               /* added to the place; the length as in the descriptor */
    uint32_t len_bytes;
    uint16_t flags;
    uint16_t next;                 /* UINT16_MAX: itself */
};

static const struct misdeed misdeeds[] = {
    { "next beyond the table", VIRTQUEUE_NEXT_RANGE, START, 0, 100, NEXT, 256 },
    { "next far beyond the table", VIRTQUEUE_NEXT_RANGE, START, 0, 100, NEXT, 0xfff0 },
    { "a descriptor that follows itself", VIRTQUEUE_CHAIN_LONG, START, 0, 100, NEXT, UINT16_MAX },
    { "no length", VIRTQUEUE_LENGTH_ZERO, START, 0, 0, 0, 0 },
    { "all the length there is", VIRTQUEUE_OUTSIDE_MEMORY, START, 0, UINT32_MAX, 0, 0 },
    { "below memory", VIRTQUEUE_OUTSIDE_MEMORY, START, -1ull, 100, 0, 0 },
    { "at address zero", VIRTQUEUE_OUTSIDE_MEMORY, ABSOLUTE, 0, 100, 0, 0 },
    { "at the end of memory", VIRTQUEUE_OUTSIDE_MEMORY, END, 0, 100, 0, 0 },
    { "across the end of memory", VIRTQUEUE_OUTSIDE_MEMORY, END, -50ull, 100, 0, 0 },
    { "around the end of all addresses", VIRTQUEUE_OUTSIDE_MEMORY, ABSOLUTE, -50ull, 100, 0, 0 },
    { "at the addresses of the switch", VIRTQUEUE_OUTSIDE_MEMORY, ABSOLUTE, 0x7fff00000000ull, 100,
      0, 0 },
    { "writable where it must be readable", VIRTQUEUE_DIRECTION, START, 0, 100,
      VRING_DESC_F_WRITE, 0 },
    { "shorter than the virtio header", VIRTQUEUE_HEADER_MISSING, START, 0, 11, 0, 0 },
    { "indirect, and more follows", VIRTQUEUE_INDIRECT_NESTED, START, 0, 32, INDIRECT | NEXT, 0 },
    { "an indirect table of no length", VIRTQUEUE_INDIRECT_SIZE, START, 0, 0, INDIRECT, 0 },
    { "an indirect table of a byte too many", VIRTQUEUE_INDIRECT_SIZE, START, 0, 33, INDIRECT, 0 },
    { "an indirect table of a megabyte", VIRTQUEUE_INDIRECT_SIZE, START, 0, 1u << 20, INDIRECT, 0 },
    { "an indirect table misaligned", VIRTQUEUE_INDIRECT_ALIGN, START, 1, 32, INDIRECT, 0 },
    { "an indirect table outside memory", VIRTQUEUE_OUTSIDE_MEMORY, END, 0, 32, INDIRECT, 0 },
    { "an indirect table across the end", VIRTQUEUE_OUTSIDE_MEMORY, END, -16ull, 32, INDIRECT, 0 },
};

static uint64_t place_gpa(enum place place)
{
    const struct guest_ram_region *region = &evil.ram.region[0];

    return place == START ? region->gpa : place == END ? region->gpa + region->size_bytes : 0;
}

static void send_head(uint16_t head)
{
    guest_ring_publish(&evil.ring[TX], head, 1);
    guest_ring_kick(&evil.ring[TX]);
}

static void commit(const struct misdeed *deed)
{
    struct guest_ring *ring = &evil.ring[TX];
    const uint16_t slot = (uint16_t)guest_ring_take(ring);

    ring->desc[slot] = (struct vring_desc){
        .addr = place_gpa(deed->place) + deed->offset,
        .len = deed->len_bytes,
        .flags = deed->flags,
        .next = deed->next == UINT16_MAX ? slot : deed->next,
    };
    send_head(slot);
}

static void test_hostile_guest_bad_descriptors_break_their_ring_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++) {
        print_message("# %s\n", misdeeds[i].name);
        commit(&misdeeds[i]);
        assert_others_pass(BURST);
        assert_broken(misdeeds[i].fault, TX);
        assert_works_again();
    }
}

static void test_hostile_guest_head_beyond_the_ring(void **state)
{
    struct guest_ring *ring = &evil.ring[TX];

    (void)state;
    ring->avail->ring[ring->avail_idx % ring->size] = ring->size;
    ring->avail->idx = (uint16_t)(ring->avail_idx + 1);
    guest_ring_kick(ring);

    assert_broken(VIRTQUEUE_HEAD_RANGE, TX);
    assert_others_pass(BURST);
    assert_works_again();
}

static void test_hostile_guest_available_index_jumps(void **state)
{
    struct guest_ring *ring = &evil.ring[TX];

    (void)state;
    ring->avail->idx = (uint16_t)(ring->avail_idx + ring->size + 1);
    guest_ring_kick(ring);

    assert_broken(VIRTQUEUE_AVAIL_JUMP, TX);
    assert_others_pass(BURST);
    assert_works_again();
}

static void test_hostile_guest_loop_through_the_whole_ring(void **state)
{
    struct guest_ring *ring = &evil.ring[TX];

    (void)state;
    for (uint16_t i = 0; i < ring->size; i++) {
        ring->desc[i] = (struct vring_desc){ .addr = place_gpa(START), .len = 1, .flags = NEXT,
                                             .next = (uint16_t)((i + 1) % ring->size) };
    }
    send_head((uint16_t)guest_ring_take(ring));

    assert_broken(VIRTQUEUE_CHAIN_LONG, TX);
    assert_others_pass(BURST);
    assert_works_again();
}

static void test_hostile_guest_indirect_tables_nested_and_looping(void **state)
{
    static const struct {
        enum virtqueue_fault fault;
        uint16_t flags;
        uint16_t next;
    } inner[] = { { VIRTQUEUE_INDIRECT_NESTED, INDIRECT, 0 },
                  { VIRTQUEUE_CHAIN_LONG, NEXT, 0 },
                  { VIRTQUEUE_NEXT_RANGE, NEXT, 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        struct guest_ring *ring = &evil.ring[TX];
        const uint16_t slot = (uint16_t)guest_ring_take(ring);
        struct vring_desc *table = (struct vring_desc *)(void *)ring->slot[slot];

        table[0] = (struct vring_desc){ .addr = ring->slot_gpa[slot], .len = 32,
                                        .flags = inner[i].flags, .next = inner[i].next };
        ring->desc[slot] = (struct vring_desc){ .addr = ring->slot_gpa[slot], .len = 32,
                                                .flags = INDIRECT };
        send_head(slot);
        assert_broken(inner[i].fault, TX);
        assert_others_pass(BURST);
        assert_works_again();
    }
}

/* ---- misdeeds on the receive ring ------------------------------------------------------------ */

/* Makes every posted receive buffer wrong in one way, and has a frame sent to the guest. */
static void receive_misdeed(uint64_t gpa, uint32_t len_bytes, uint16_t flags, uint16_t next,
                            enum virtqueue_fault fault)
{
    struct guest_ring *ring = &evil.ring[RX];
    uint8_t frame[FRAME_BYTES];

    for (uint16_t i = 0; i < ring->size; i++) {
        ring->desc[i] = (struct vring_desc){ .addr = gpa, .len = len_bytes, .flags = flags,
                                             .next = next };
    }
    frame_between(frame, GOOD, EVIL, 0);
    assert_int_equal(frontend_send(&good, 0, frame, sizeof(frame)), 0);
    assert_broken(fault, RX);
    assert_others_pass(BURST);
    assert_works_again();
}

static void test_hostile_guest_bad_receive_buffers(void **state)
{
    const uint64_t start = place_gpa(START);
    const uint64_t end = place_gpa(END);
    const uint16_t write = VRING_DESC_F_WRITE;

    (void)state;
    receive_misdeed(start, 2048, 0, 0, VIRTQUEUE_DIRECTION);
    receive_misdeed(end, 2048, write, 0, VIRTQUEUE_OUTSIDE_MEMORY);
    receive_misdeed(end - 100, 2048, write, 0, VIRTQUEUE_OUTSIDE_MEMORY);
    receive_misdeed(start, 0, write, 0, VIRTQUEUE_LENGTH_ZERO);
    receive_misdeed(start, 8, write, 0, VIRTQUEUE_HEADER_MISSING);
    receive_misdeed(start, 100, write | NEXT, 7, VIRTQUEUE_CHAIN_LONG);
    receive_misdeed(start, 100, write | NEXT, 4096, VIRTQUEUE_NEXT_RANGE);
    receive_misdeed(start, 24, INDIRECT, 0, VIRTQUEUE_INDIRECT_SIZE);
}

static void test_hostile_guest_receive_index_jumps(void **state)
{
    struct guest_ring *ring = &evil.ring[RX];
    uint8_t frame[FRAME_BYTES];

    (void)state;
    ring->avail->idx = (uint16_t)(ring->avail->idx + ring->size + 1);
    frame_between(frame, GOOD, EVIL, 0);
    assert_int_equal(frontend_send(&good, 0, frame, sizeof(frame)), 0);

    assert_broken(VIRTQUEUE_AVAIL_JUMP, RX);
    assert_others_pass(BURST);
    assert_works_again();
}

/* ---- everything at once ---------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Random entries in both rings, indices that run, kicks; as a driver gone mad. */
static void scribble(uint64_t *random)
{
    for (unsigned i = 0; i < 64; i++) {
        struct guest_ring *ring = &evil.ring[random_below(random, 2)];
        const uint16_t index = (uint16_t)random_below(random, ring->size);

        ring->desc[index] = (struct vring_desc){
            .addr = place_gpa(START) + random_below(random, 1u << 22),
            .len = random_below(random, 4096),
            .flags = (uint16_t)(random_next(random) & 7),
            .next = (uint16_t)random_below(random, ring->size + 4u),
        };
        ring->avail->ring[random_below(random, ring->size)] =
            (uint16_t)random_below(random, ring->size + 1u);
        ring->avail->idx = (uint16_t)(ring->used->idx + random_below(random, ring->size));
    }
    guest_ring_kick(&evil.ring[TX]);
}

static void test_hostile_guest_scribbles_while_others_pass(void **state)
{
    const uint64_t end_ms = now_ms() + SCRIBBLE_MS;
    uint64_t random = 4711;

    (void)state;
    while (now_ms() < end_ms) {
        for (int i = 0; i < 100; i++) {
            scribble(&random);
        }
        /* What the mad guest happens to send may be flooded: it is not counted as theirs. */
        (void)frontend_drain(&good, 1);
        (void)frontend_drain(&other, 1);
        if (random_below(&random, 2) == 0) {
            assert_true(frontend_reset(&evil) == 0);
        }
        assert_true(lab_alive(&lab));
    }
    assert_works_again();
    (void)frontend_drain(&good, 20);
    (void)frontend_drain(&other, 20);
    introduce();
    assert_others_pass(BURST);
}

static void test_hostile_guest_changes_its_memory_under_load(void **state)
{
    uint8_t frame[FRAME_BYTES];

    (void)state;
    frame_between(frame, EVIL, OTHER, 0);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 20; i++) {
            assert_int_equal(frontend_send(&evil, 0, frame, sizeof(frame)), 0);
        }
        if (round % 2 == 0) {
            assert_int_equal(guest_ram_add(&evil.ram, 0x900000000ull, 1 << 20, false), 0);
        } else {
            evil.ram.region_count--;
            (void)close(evil.ram.region[evil.ram.region_count].fd);
        }
        assert_int_equal(frontend_set_memory(&evil), 0);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(frontend_receive(&other, 0, NULL, 0, WAIT_MS), FRAME_BYTES);
        }
        assert_passes(&good, &other, GOOD, OTHER, 10);
    }
    assert_works_again();
}

/* Only another frontend with memory that exists brings the vNIC back. */
static void test_hostile_guest_truncates_its_memory(void **state)
{
    char reason[256];

    (void)state;
    assert_int_equal(ftruncate(evil.ram.region[0].fd, 0), 0);
    guest_ring_kick(&evil.ring[TX]);

    assert_broken(VIRTQUEUE_MEMORY_GONE, RX);
    assert_others_pass(10 * BURST);
    frontend_abandon(&evil);
    assert_state("waiting", reason, sizeof(reason));
    assert_int_equal(attach(&evil, "evil"), 0);
    assert_state("attached", reason, sizeof(reason));
    introduce();
    assert_passes(&evil, &good, EVIL, GOOD, 10);
}

static void test_hostile_guest_leaves_a_daemon_that_ends_cleanly(void **state)
{
    (void)state;
    frontend_abandon(&evil);
    assert_int_equal(lab_stop(&lab), 0);
}

static int setup(void **state)
{
    (void)state;
    if (lab_create(&lab) != 0 || lab_start(&lab, NULL) != 0 ||
        lab_do(&lab, "switch add s1 --type private") != 0 ||
        lab_do(&lab, "vnic add evil --switch s1 --mac 02:01:00:00:00:01") != 0 ||
        lab_do(&lab, "vnic add good --switch s1 --mac 02:01:00:00:00:02") != 0 ||
        lab_do(&lab, "vnic add other --switch s1 --mac 02:01:00:00:00:03") != 0 ||
        attach(&evil, "evil") != 0 || attach(&good, "good") != 0 || attach(&other, "other") != 0) {
        return -1;
    }
    introduce();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    frontend_abandon(&evil);
    frontend_abandon(&good);
    frontend_abandon(&other);
    lab_destroy(&lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_guest_bad_descriptors_break_their_ring_only),
        cmocka_unit_test(test_hostile_guest_head_beyond_the_ring),
        cmocka_unit_test(test_hostile_guest_available_index_jumps),
        cmocka_unit_test(test_hostile_guest_loop_through_the_whole_ring),
        cmocka_unit_test(test_hostile_guest_indirect_tables_nested_and_looping),
        cmocka_unit_test(test_hostile_guest_bad_receive_buffers),
        cmocka_unit_test(test_hostile_guest_receive_index_jumps),
        cmocka_unit_test(test_hostile_guest_changes_its_memory_under_load),
        cmocka_unit_test(test_hostile_guest_scribbles_while_others_pass),
        cmocka_unit_test(test_hostile_guest_truncates_its_memory),
        cmocka_unit_test(test_hostile_guest_leaves_a_daemon_that_ends_cleanly),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
