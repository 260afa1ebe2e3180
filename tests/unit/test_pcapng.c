/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of each pcapng block, against bytes worked out by hand from the format's text. */
#include "dataplane/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define TIME_NS 0x1122334455667788ull

static void test_pcapng_section_without_texts_is_the_bare_header(void **state)
{
    static const uint8_t expected[] = {
        0x0a, 0x0d, 0x0d, 0x0a, 32, 0, 0, 0,            /* type, length */
        0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,             /* byte order, version 1.0 */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* length of the section: not known */
        0, 0, 0, 0, 32, 0, 0, 0,                        /* end of options, length */
    };
    uint8_t block[64];
    (void)state;

    const size_t len = pcapng_section(block, sizeof(block), NULL, "", NULL);

    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void test_pcapng_section_texts_are_padded_options(void **state)
{
    static const uint8_t options[] = {
        2, 0, 3, 0, 'c', 'p', 'u', 0,
        3, 0, 4, 0, 'L', 'i', 'n', 'x',
        4, 0, 5, 0, 'a', 'p', 'p', ' ', '1', 0, 0, 0,
        0, 0, 0, 0, 60, 0, 0, 0,
    };
    uint8_t block[64];
    (void)state;

    const size_t len = pcapng_section(block, sizeof(block), "cpu", "Linx", "app 1");

    assert_int_equal(len, 24 + sizeof(options));
    assert_int_equal(block[4], 60);
    assert_memory_equal(block + 24, options, sizeof(options));
}

static void test_pcapng_interface_has_name_resolution_and_filter(void **state)
{
    static const uint8_t expected[] = {
        1, 0, 0, 0, 52, 0, 0, 0,
        1, 0, 0, 0, 0x60, 0, 0, 0,                      /* Ethernet, snaplen 96 */
        2, 0, 6, 0, 'v', 'n', 'i', 'c', ':', 'a', 0, 0, /* if_name */
        9, 0, 1, 0, 9, 0, 0, 0,                         /* if_tsresol: 10^-9 */
        11, 0, 4, 0, 0, 'a', 'r', 'p',                  /* if_filter: libpcap's */
        0, 0, 0, 0, 52, 0, 0, 0,
    };
    uint8_t block[64];
    (void)state;

    const size_t len = pcapng_interface(block, sizeof(block), "vnic:a", 96, "arp");

    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void test_pcapng_packet_has_times_upper_word_first_and_padded_data(void **state)
{
    static const uint8_t data[] = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5 };
    static const uint8_t expected[] = {
        6, 0, 0, 0, 52, 0, 0, 0,
        7, 0, 0, 0,                                     /* interface */
        0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55, /* time */
        5, 0, 0, 0, 0xea, 5, 0, 0,                      /* captured, original 1514 */
        0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0, 0, 0,
        2, 0, 4, 0, 2, 0, 0, 0,                         /* epb_flags: outbound */
        0, 0, 0, 0, 52, 0, 0, 0,
    };
    const struct pcapng_packet packet = {
        .interface = 7, .time_ns = TIME_NS, .data = data, .captured_bytes = sizeof(data),
        .original_bytes = 1514, .direction = PCAPNG_OUTBOUND,
    };
    uint8_t block[64];
    (void)state;

    const size_t len = pcapng_packet(block, sizeof(block), &packet);

    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void test_pcapng_packet_comment_is_an_option(void **state)
{
    static const uint8_t data[] = { 1, 2, 3, 4 };
    static const uint8_t options[] = {
        2, 0, 4, 0, 1, 0, 0, 0,
        1, 0, 7, 0, 'd', 'r', 'o', 'p', 'p', 'e', 'd', 0,
        0, 0, 0, 0, 60, 0, 0, 0,
    };
    const struct pcapng_packet packet = {
        .data = data, .captured_bytes = 4, .original_bytes = 4, .direction = PCAPNG_INBOUND,
        .comment = "dropped",
    };
    uint8_t block[64];
    (void)state;

    const size_t len = pcapng_packet(block, sizeof(block), &packet);

    assert_int_equal(len, 60);
    assert_memory_equal(block + 32, options, sizeof(options));
}

static void test_pcapng_statistics_has_times_and_counts(void **state)
{
    static const uint8_t expected[] = {
        5, 0, 0, 0, 88, 0, 0, 0,
        3, 0, 0, 0,
        0, 0, 0, 0, 9, 0, 0, 0,                         /* the block's time is the end's */
        2, 0, 8, 0, 0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55,
        3, 0, 8, 0, 0, 0, 0, 0, 9, 0, 0, 0,
        4, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0,             /* isb_ifrecv: a number, in byte order */
        5, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0,
        6, 0, 8, 0, 16, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 88, 0, 0, 0,
    };
    const struct pcapng_statistics statistics = {
        .interface = 3, .start_ns = TIME_NS, .end_ns = 9, .received = 256, .accepted = 16,
        .dropped = 2,
    };
    uint8_t block[96];
    (void)state;

    const size_t len = pcapng_statistics(block, sizeof(block), &statistics);

    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(block, expected, sizeof(expected));
}

static void test_pcapng_block_that_does_not_fit_is_zero_and_stays_inside(void **state)
{
    static const uint8_t data[5];
    const struct pcapng_packet packet = {
        .data = data, .captured_bytes = 5, .original_bytes = 5, .comment = "why",
    };
    uint8_t block[80];
    (void)state;

    const size_t whole = pcapng_packet(block, sizeof(block), &packet);
    for (size_t size = 0; size < whole; size++) {
        memset(block, 0xee, sizeof(block));
        assert_int_equal(pcapng_packet(block, size, &packet), 0);
        assert_int_equal(block[size], 0xee);
    }

    assert_int_equal(pcapng_packet(block, whole, &packet), whole);
}

static void test_pcapng_text_longer_than_the_most_is_cut(void **state)
{
    static char name[PCAPNG_TEXT_MAX + 100];
    static uint8_t block[2 * PCAPNG_TEXT_MAX];
    uint32_t type;
    (void)state;
    memset(name, 'x', sizeof(name) - 1);

    const size_t len = pcapng_interface(block, sizeof(block), name, 96, name);

    assert_int_equal(len, 0);                           /* name and filter: more than the buffer */
    assert_int_equal(pcapng_interface(block, sizeof(block), name, 96, NULL),
                     16 + 4 + PCAPNG_TEXT_MAX + 8 + 4 + 4);
    assert_int_equal(pcapng_block(block, &type), 16 + 4 + PCAPNG_TEXT_MAX + 8 + 4 + 4);
    assert_int_equal(type, PCAPNG_BLOCK_INTERFACE);
}

static void test_pcapng_largest_packet_block_keeps_to_the_overhead_told(void **state)
{
    static char comment[PCAPNG_TEXT_MAX + 1];
    static uint8_t block[65562 + PCAPNG_PACKET_OVERHEAD];
    static const uint8_t data[65561];
    const struct pcapng_packet packet = {
        .data = data, .captured_bytes = sizeof(data), .original_bytes = sizeof(data),
        .comment = comment,
    };
    (void)state;
    memset(comment, 'x', sizeof(comment) - 1);

    const size_t len = pcapng_packet(block, sizeof(data) + PCAPNG_PACKET_OVERHEAD, &packet);

    assert_true(len > sizeof(data) && len % 4 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcapng_section_without_texts_is_the_bare_header),
        cmocka_unit_test(test_pcapng_section_texts_are_padded_options),
        cmocka_unit_test(test_pcapng_interface_has_name_resolution_and_filter),
        cmocka_unit_test(test_pcapng_packet_has_times_upper_word_first_and_padded_data),
        cmocka_unit_test(test_pcapng_packet_comment_is_an_option),
        cmocka_unit_test(test_pcapng_statistics_has_times_and_counts),
        cmocka_unit_test(test_pcapng_block_that_does_not_fit_is_zero_and_stays_inside),
        cmocka_unit_test(test_pcapng_text_longer_than_the_most_is_cut),
        cmocka_unit_test(test_pcapng_largest_packet_block_keeps_to_the_overhead_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
