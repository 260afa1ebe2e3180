/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words of offloads, what needs what, and what a frame asks of its destination.
 */
#include "switch/offload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/long_frame.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SENT  (OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6 | OFFLOAD_HOST_ECN |         \
               OFFLOAD_HOST_USO)
#define MRG_RXBUF (UINT64_C(1) << 15)

static const struct { const char *word; uint64_t bit; } features[] = {
#define X(name, number, word, all, one) { word, UINT64_C(1) << (number) },
    OFFLOAD_FEATURES(X)
#undef X
};
#define SETS (1u << COUNT_OF(features))    /* of features */

static uint64_t parsed(const char *text)
{
    struct error error = { 0 };
    uint64_t wanted = 0;

    if (offload_parse(text, &wanted, &error) != 0) {
        fail_msg("\"%s\" is refused: %s", text, error.text);
    }
    return wanted;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct error error = { 0 };
    uint64_t wanted = 7;

    assert_int_equal(offload_parse(text, &wanted, &error), -EINVAL);
    assert_int_equal(wanted, 7);
    assert_string_equal(error.text, sentence);
}

/* The set of features that @p number stands for, a bit each in the table's order. */
static uint64_t set_of(unsigned number)
{
    uint64_t set = 0;

    for (size_t i = 0; i < COUNT_OF(features); i++) {
        set |= (number >> i & 1) != 0 ? features[i].bit : 0;
    }
    return set;
}

static unsigned number_of(uint64_t set)
{
    unsigned number = 0;

    for (size_t i = 0; i < COUNT_OF(features); i++) {
        number |= (set & features[i].bit) != 0 ? 1u << i : 0;
    }
    return number;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void test_offload_parse_knows_words_and_groups_in_any_case(void **state)
{
    static const struct { const char *text; uint64_t features; } good[] = {
        { "on", OFFLOAD_ALL },
        { "Off", 0 },
        { "csum", OFFLOAD_CSUM },
        { "host_tso4,CSUM", OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 },
        { "csum,csum", OFFLOAD_CSUM },
        { "TX", SENT },
        { "rx", OFFLOAD_ALL & ~SENT },
        { "rx,tx", OFFLOAD_ALL },
        { "tso", OFFLOAD_CSUM | OFFLOAD_GUEST_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6 |
                 OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6 },
        { "ecn,uso", OFFLOAD_ALL },
        { "uso", OFFLOAD_CSUM | OFFLOAD_GUEST_CSUM | OFFLOAD_HOST_USO | OFFLOAD_GUEST_USO4 |
                 OFFLOAD_GUEST_USO6 },
        { "guest_csum,guest_tso6,guest_ecn", OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO6 |
                                             OFFLOAD_GUEST_ECN },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (parsed(good[i].text) != good[i].features) {
            fail_msg("\"%s\" is read wrongly", good[i].text);
        }
    }
}

static void test_offload_parse_refuses_what_is_no_word(void **state)
{
    static const char *const bad[] = {
        "", ",", "csum,", ",csum", "csum,,tx", "gso", "csum tx", "on,csum", "csum,off", "csu",
        "host_tso4x", "12", "host_tso4_and_a_word_that_is_much_longer_than_any",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error error = { 0 };
        uint64_t wanted = 0;

        assert_int_equal(offload_parse(bad[i], &wanted, &error), -EINVAL);
        assert_non_null(strstr(error.text, "is no offload; write on or off, or words"));
    }
    assert_refused("csum,gs\no",
                   "\"gs?o\" is no offload; write on or off, or words with commas between them: "
                   "tx, rx, ecn, tso, uso, csum, host_tso4, host_tso6, host_ecn, host_uso, "
                   "guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_uso4, guest_uso6");
}

static void test_offload_parse_refuses_a_word_without_what_it_needs(void **state)
{
    (void)state;
    assert_refused("host_tso4",
                   "offload host_tso4 needs csum, which is not in the list; add it, or write tso, "
                   "which brings all that it needs");
    assert_refused("csum,host_ecn",
                   "offload host_ecn needs host_tso4 or host_tso6, which is not in the list; add "
                   "it, or write ecn, which brings all that it needs");
    assert_refused("tx,guest_uso6",
                   "offload guest_uso6 needs guest_csum, which is not in the list; add it, or "
                   "write uso, which brings all that it needs");
}

/* The lengths of the shortest texts for all sets, found by trying all lists of words. */
static void shortest_texts(size_t shortest[SETS])
{
    static const char *const groups[] = { "tx", "rx", "ecn", "tso", "uso" };
    uint64_t set[COUNT_OF(groups) + COUNT_OF(features)];
    size_t len[COUNT_OF(set)];

    for (size_t i = 0; i < COUNT_OF(set); i++) {
        const char *word = i < COUNT_OF(groups) ? groups[i] : features[i - COUNT_OF(groups)].word;

        set[i] = i < COUNT_OF(groups) ? parsed(word) : features[i - COUNT_OF(groups)].bit;
        len[i] = strlen(word) + 1;
    }
    memset(shortest, 0xff, SETS * sizeof(shortest[0]));
    for (unsigned list = 1; list < 1u << COUNT_OF(set); list++) {
        uint64_t all = 0;
        size_t text_len = 0;

        for (size_t i = 0; i < COUNT_OF(set); i++) {
            all |= (list >> i & 1) != 0 ? set[i] : 0;
            text_len += (list >> i & 1) != 0 ? len[i] : 0;
        }
        if (text_len - 1 < shortest[number_of(all)]) {
            shortest[number_of(all)] = text_len - 1;
        }
    }
    shortest[0] = strlen("off");
    shortest[SETS - 1] = strlen("on");
}

static void test_offload_format_of_any_set_is_the_shortest_text_that_reads_as_it(void **state)
{
    static size_t shortest[SETS];
    char text[OFFLOAD_TEXT_SIZE];

    (void)state;
    shortest_texts(shortest);
    for (unsigned i = 0; i < SETS; i++) {
        const uint64_t set = set_of(i);

        offload_format(set | MRG_RXBUF, text);
        if (offload_sound(set) == set && parsed(text) != set) {
            fail_msg("\"%s\" is not read as what it was written for", text);
        }
        assert_int_equal(strlen(text), shortest[i]);
    }
}

/* ---- features -------------------------------------------------------------------------------- */

static void test_offload_sound_takes_out_what_has_lost_its_ground(void **state)
{
    (void)state;
    assert_int_equal(offload_sound(OFFLOAD_ALL | MRG_RXBUF), OFFLOAD_ALL | MRG_RXBUF);
    assert_int_equal(offload_sound(OFFLOAD_ALL & ~OFFLOAD_CSUM), OFFLOAD_ALL & ~SENT);
    assert_int_equal(offload_sound(OFFLOAD_ALL & ~OFFLOAD_GUEST_CSUM), SENT);
    assert_int_equal(offload_sound(OFFLOAD_ALL & ~OFFLOAD_HOST_TSO4), OFFLOAD_ALL &
                     ~OFFLOAD_HOST_TSO4);
    assert_int_equal(offload_sound(SENT & ~(OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6)),
                     OFFLOAD_CSUM | OFFLOAD_HOST_USO);
}

static void test_offload_takes_is_what_a_guest_receives_undone(void **state)
{
    (void)state;
    assert_int_equal(offload_takes(0), 0);
    assert_int_equal(offload_takes(SENT | MRG_RXBUF), 0);
    assert_int_equal(offload_takes(OFFLOAD_ALL), OFFLOAD_TAKES_ALL);
    assert_int_equal(offload_takes(OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO6 | OFFLOAD_GUEST_ECN),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO6 | OFFLOAD_TAKES_RARE |
                     OFFLOAD_TAKES_ECN);
    assert_int_equal(offload_takes(OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4 | OFFLOAD_TAKES_RARE);
    assert_int_equal(offload_takes(OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_USO4),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_USO4);
    assert_int_equal(offload_takes(OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_ECN), 0);
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct room {
    struct frame_batch batch;
    struct long_frame long_frame;
};

static int room_setup(void **state)
{
    struct room *room = aligned_alloc(64, (sizeof(*room) + 63) / 64 * 64);

    *state = room;
    return room != NULL ? 0 : -1;
}

static int room_teardown(void **state)
{
    free(*state);
    return 0;
}

static const struct frame *room_frame(struct room *room, enum frame_gso type, uint8_t ip_version,
                                      uint8_t tcp_flags)
{
    room->long_frame = (struct long_frame){
        .gso_type = (uint8_t)type,
        .ip_version = ip_version,
        .tcp_option_words = 3,
        .tcp_flags = tcp_flags,
        .payload_bytes = 5000,
        .gso_size_bytes = 1400,
        .trusted_bytes = FRAME_HDR_BYTES,
    };
    long_frame_write(&room->long_frame);
    batch_start(&room->batch, 1);
    return long_frame_add(&room->long_frame, &room->batch);
}

static void test_offload_needs_of_a_frame_follow_from_its_facts(void **state)
{
    struct room *room = *state;
    struct frame frame = *room_frame(room, FRAME_GSO_TCP4, 4, 0x90);

    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4 |
                     OFFLOAD_TAKES_ECN);
    frame.gso_type = FRAME_GSO_NONE;
    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM);
    frame.csum_state = FRAME_CSUM_CHECKED;
    assert_int_equal(offload_needs(&frame), 0);
    frame.csum_state = FRAME_CSUM_AS_IT_IS;
    assert_int_equal(offload_needs(&frame), 0);
    assert_int_equal(offload_needs(room_frame(room, FRAME_GSO_TCP6, 6, 0x10)),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO6);
    assert_int_equal(offload_needs(room_frame(room, FRAME_GSO_UDP, 4, 0)),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_USO4);
    assert_int_equal(offload_needs(room_frame(room, FRAME_GSO_UDP, 6, 0)),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_USO6);
}

static void test_offload_needs_more_for_extension_headers(void **state)
{
    struct room *room = *state;
    struct frame frame;

    (void)room_frame(room, FRAME_GSO_TCP6, 6, 0x10);
    room->long_frame.option_words = 1;
    long_frame_write(&room->long_frame);
    batch_start(&room->batch, 1);
    frame = *long_frame_add(&room->long_frame, &room->batch);

    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO6 |
                     OFFLOAD_TAKES_RARE);
    assert_int_equal(offload_needs(&frame) & ~offload_takes(OFFLOAD_ALL), 0);
}

/* Drivers refuse them, where a guest or a kernel does not care. */
static void test_offload_needs_more_for_short_segments(void **state)
{
    struct room *room = *state;
    struct frame frame = *room_frame(room, FRAME_GSO_TCP4, 4, 0x10);

    frame.gso_size_bytes = OFFLOAD_SHORT_BYTES - 1;
    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4 |
                     OFFLOAD_TAKES_RARE);
    assert_int_equal(offload_needs(&frame) & ~offload_takes(OFFLOAD_ALL), 0);
    frame.gso_size_bytes++;
    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4);
}

/* Linux refuses them. */
static void test_offload_needs_of_too_many_datagrams_are_met_by_nobody(void **state)
{
    struct room *room = *state;
    struct frame frame = *room_frame(room, FRAME_GSO_UDP, 4, 0);

    frame.gso_size_bytes = 5000 / OFFLOAD_UDP_SEGMENTS;
    assert_true((offload_needs(&frame) & ~OFFLOAD_TAKES_ALL) != 0);
    frame.gso_size_bytes++;
    assert_int_equal(offload_needs(&frame), OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_USO4);
}

static void test_offload_wire_bytes_are_those_of_the_longest_segment(void **state)
{
    struct room *room = *state;
    struct frame frame = *room_frame(room, FRAME_GSO_TCP4, 4, 0);

    assert_int_equal(offload_wire_bytes(&frame), 14 + 20 + 32 + 1400);
    frame.gso_size_bytes = 5000;
    assert_int_equal(offload_wire_bytes(&frame), 14 + 20 + 32 + 5000);
    frame.gso_size_bytes = 6000;
    assert_int_equal(offload_wire_bytes(&frame), frame.len_bytes);
    frame.gso_type = FRAME_GSO_NONE;
    assert_int_equal(offload_wire_bytes(&frame), frame.len_bytes);
    assert_int_equal(offload_wire_bytes(room_frame(room, FRAME_GSO_UDP, 6, 0)),
                     14 + 40 + 8 + 1400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offload_parse_knows_words_and_groups_in_any_case),
        cmocka_unit_test(test_offload_parse_refuses_what_is_no_word),
        cmocka_unit_test(test_offload_parse_refuses_a_word_without_what_it_needs),
        cmocka_unit_test(test_offload_format_of_any_set_is_the_shortest_text_that_reads_as_it),
        cmocka_unit_test(test_offload_sound_takes_out_what_has_lost_its_ground),
        cmocka_unit_test(test_offload_takes_is_what_a_guest_receives_undone),
        cmocka_unit_test(test_offload_needs_of_a_frame_follow_from_its_facts),
        cmocka_unit_test(test_offload_needs_more_for_extension_headers),
        cmocka_unit_test(test_offload_needs_more_for_short_segments),
        cmocka_unit_test(test_offload_needs_of_too_many_datagrams_are_met_by_nobody),
        cmocka_unit_test(test_offload_wire_bytes_are_those_of_the_longest_segment),
    };

    return cmocka_run_group_tests(tests, room_setup, room_teardown);
}
