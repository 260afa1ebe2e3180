/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PDUs against frames written out by hand after the standard (6.4.2.3, 6.5.3.3).
 */
#include "teaming/lacp_pdu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

static const uint8_t lacp_frame[LACP_PDU_FRAME_BYTES] = {
    0x01, 0x80, 0xc2, 0x00, 0x00, 0x02,         /* Slow_Protocols_Multicast */
    0x00, 0x15, 0x5d, 0x01, 0x02, 0x03, 0x88, 0x09,
    0x01, 0x01,                                 /* LACP, version 1 */
    0x01, 0x14,                                 /* the actor */
    0x80, 0x01, 0x00, 0x15, 0x5d, 0xaa, 0xbb, 0xcc, 0x12, 0x34, 0x7f, 0xff, 0x00, 0x05, 0x3d,
    0x00, 0x00, 0x00,
    0x02, 0x14,                                 /* the partner */
    0x00, 0x64, 0x0c, 0xc4, 0x7a, 0x11, 0x22, 0x33, 0x00, 0x21, 0x80, 0x00, 0x01, 0x02, 0xc2,
    0x00, 0x00, 0x00,
    0x03, 0x10, 0x00, 0x32,                     /* the collector */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x00, 0x00,                                 /* the terminator */
};

static const struct lacp_pdu lacp_facts = {
    .actor = { .system_mac = 0x00155daabbcc, .system_priority = 0x8001, .key = 0x1234,
               .port_priority = 0x7fff, .port = 5, .state = 0x3d },
    .partner = { .system_mac = 0x0cc47a112233, .system_priority = 100, .key = 0x21,
                 .port_priority = 0x8000, .port = 0x102, .state = 0xc2 },
    .collector_max_delay_10us = 50,
};

static const uint8_t marker_frame[LACP_PDU_FRAME_BYTES] = {
    0x01, 0x80, 0xc2, 0x00, 0x00, 0x02, 0x00, 0x15, 0x5d, 0x01, 0x02, 0x03, 0x88, 0x09,
    0x02, 0x01,                                 /* marker protocol, version 1 */
    0x01, 0x10,                                 /* marker information */
    0x00, 0x07, 0x0c, 0xc4, 0x7a, 0x11, 0x22, 0x33, 0xde, 0xad, 0xbe, 0xef, 0x00, 0x00,
    0x00, 0x00,                                 /* the terminator */
};

static const struct lacp_marker marker_facts = {
    .system_mac = 0x0cc47a112233, .transaction = 0xdeadbeef, .port = 7
};

static struct lacp_pdu pdu;
static struct lacp_marker marker;

/* Reads from memory that ends where the frame does. */
static enum lacp_pdu_kind read_exactly(const uint8_t *frame, uint32_t len_bytes)
{
    uint8_t *const copy = malloc(len_bytes > 0 ? len_bytes : 1);
    enum lacp_pdu_kind kind;

    assert_non_null(copy);
    memcpy(copy, frame, len_bytes);
    kind = lacp_pdu_read(copy, len_bytes, &pdu, &marker);
    free(copy);
    return kind;
}

/* What is read of @p frame when byte @p at is another. */
static enum lacp_pdu_kind read_patched(const uint8_t *frame, unsigned at, uint8_t value)
{
    uint8_t patched[LACP_PDU_FRAME_BYTES];

    memcpy(patched, frame, sizeof(patched));
    patched[at] = value;
    return read_exactly(patched, sizeof(patched));
}

static void assert_end(const struct lacp_end *a, const struct lacp_end *b)
{
    assert_int_equal(a->system_mac, b->system_mac);
    assert_int_equal(a->system_priority, b->system_priority);
    assert_int_equal(a->key, b->key);
    assert_int_equal(a->port_priority, b->port_priority);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->state, b->state);
}

static void test_lacp_pdu_is_slow_by_address_and_type(void **state)
{
    uint8_t hdr[14];
    (void)state;

    assert_true(lacp_pdu_is_slow(lacp_frame));
    assert_true(lacp_pdu_is_slow(marker_frame));
    for (unsigned i = 0; i < sizeof(hdr); i++) {
        memcpy(hdr, lacp_frame, sizeof(hdr));
        hdr[i] ^= 1;
        assert_int_equal(lacp_pdu_is_slow(hdr), i >= 6 && i < 12);
    }
}

static void test_lacp_pdu_reads_each_field(void **state)
{
    (void)state;

    assert_int_equal(read_exactly(lacp_frame, sizeof(lacp_frame)), LACP_PDU_LACP);

    assert_end(&pdu.actor, &lacp_facts.actor);
    assert_end(&pdu.partner, &lacp_facts.partner);
    assert_int_equal(pdu.collector_max_delay_10us, 50);
}

static void test_lacp_pdu_writes_each_byte(void **state)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    (void)state;

    memset(frame, 0xa5, sizeof(frame));
    lacp_pdu_write(&lacp_facts, 0x00155d010203, frame);

    assert_memory_equal(frame, lacp_frame, sizeof(frame));
}

static void test_lacp_pdu_reads_a_marker_and_writes_its_answer(void **state)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    uint8_t answer[LACP_PDU_FRAME_BYTES];
    (void)state;

    assert_int_equal(read_exactly(marker_frame, sizeof(marker_frame)), LACP_PDU_MARKER);
    assert_int_equal(marker.system_mac, marker_facts.system_mac);
    assert_int_equal(marker.transaction, marker_facts.transaction);
    assert_int_equal(marker.port, marker_facts.port);
    memset(frame, 0xa5, sizeof(frame));
    lacp_pdu_write_response(&marker, 0x00155d010203, frame);

    memcpy(answer, marker_frame, sizeof(answer));
    answer[16] = 2;
    assert_memory_equal(frame, answer, sizeof(frame));
    assert_int_equal(read_exactly(answer, sizeof(answer)), LACP_PDU_MARKER_RESPONSE);
}

static void test_lacp_pdu_cut_short_is_nothing(void **state)
{
    (void)state;

    for (uint32_t len = 0; len < LACP_PDU_FRAME_BYTES; len++) {
        assert_int_equal(read_exactly(lacp_frame, len), LACP_PDU_NONE);
        assert_int_equal(read_exactly(marker_frame, len), LACP_PDU_NONE);
    }
}

static void test_lacp_pdu_padded_is_read(void **state)
{
    uint8_t frame[1514] = { 0 };
    (void)state;

    memcpy(frame, lacp_frame, sizeof(lacp_frame));

    assert_int_equal(read_exactly(frame, sizeof(frame)), LACP_PDU_LACP);
}

static void test_lacp_pdu_wrong_tlv_is_nothing(void **state)
{
    const unsigned fixed[] = { 0, 12, 13, 16, 17, 36, 37, 56, 57, 72, 73 };
    const unsigned fixed_of_marker[] = { 0, 12, 13, 17, 32, 33 };
    (void)state;

    for (unsigned i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        for (unsigned value = 0; value < 256; value++) {
            assert_int_equal(read_patched(lacp_frame, fixed[i], (uint8_t)value) == LACP_PDU_LACP,
                             value == lacp_frame[fixed[i]]);
        }
    }
    for (unsigned i = 0; i < sizeof(fixed_of_marker) / sizeof(*fixed_of_marker); i++) {
        assert_int_equal(read_patched(marker_frame, fixed_of_marker[i], 0x77), LACP_PDU_NONE);
    }
    assert_int_equal(read_patched(marker_frame, 16, 3), LACP_PDU_NONE);
}

static void test_lacp_pdu_other_subtypes_are_nothing(void **state)
{
    (void)state;

    for (unsigned subtype = 0; subtype < 256; subtype++) {
        assert_int_equal(read_patched(lacp_frame, 14, (uint8_t)subtype) != LACP_PDU_NONE,
                         subtype == 1);
    }
}

static void test_lacp_pdu_higher_version_may_say_more(void **state)
{
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    (void)state;

    memcpy(frame, lacp_frame, sizeof(frame));
    frame[15] = 2;
    assert_int_equal(read_exactly(frame, sizeof(frame)), LACP_PDU_LACP);
    frame[72] = 4;                 /* Port Algorithm TLV */
    frame[73] = 6;

    assert_int_equal(read_exactly(frame, sizeof(frame)), LACP_PDU_LACP);
    assert_end(&pdu.actor, &lacp_facts.actor);
}

static void test_lacp_pdu_reserved_bytes_count_nothing(void **state)
{
    const unsigned reserved[][2] = { { 33, 36 }, { 53, 56 }, { 60, 72 }, { 74, 124 } };
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    (void)state;

    memcpy(frame, lacp_frame, sizeof(frame));
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        memset(frame + reserved[i][0], 0xff, reserved[i][1] - reserved[i][0]);
    }

    assert_int_equal(read_exactly(frame, sizeof(frame)), LACP_PDU_LACP);
    assert_end(&pdu.actor, &lacp_facts.actor);
    assert_end(&pdu.partner, &lacp_facts.partner);
}

static struct lacp_end random_end(uint64_t *seed)
{
    return (struct lacp_end){ .system_mac = random_next(seed) >> 16,
                              .system_priority = (uint16_t)random_next(seed),
                              .key = (uint16_t)random_next(seed),
                              .port_priority = (uint16_t)random_next(seed),
                              .port = (uint16_t)random_next(seed),
                              .state = (uint8_t)random_next(seed) };
}

static void test_lacp_pdu_reads_what_it_wrote(void **state)
{
    uint64_t seed = 7;
    (void)state;

    for (unsigned i = 0; i < 1000; i++) {
        const struct lacp_pdu wrote = { .actor = random_end(&seed), .partner = random_end(&seed),
                                        .collector_max_delay_10us = (uint16_t)i };
        uint8_t frame[LACP_PDU_FRAME_BYTES];

        lacp_pdu_write(&wrote, random_next(&seed) >> 16, frame);
        assert_int_equal(read_exactly(frame, sizeof(frame)), LACP_PDU_LACP);
        assert_end(&pdu.actor, &wrote.actor);
        assert_end(&pdu.partner, &wrote.partner);
        assert_int_equal(pdu.collector_max_delay_10us, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_lacp_pdu_##name)
        T(is_slow_by_address_and_type),
        T(reads_each_field),
        T(writes_each_byte),
        T(reads_a_marker_and_writes_its_answer),
        T(cut_short_is_nothing),
        T(padded_is_read),
        T(wrong_tlv_is_nothing),
        T(other_subtypes_are_nothing),
        T(higher_version_may_say_more),
        T(reserved_bytes_count_nothing),
        T(reads_what_it_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
