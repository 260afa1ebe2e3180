/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known of filters, and that the short way says what the filter says: of every frame, after
 * whatever frames came before it.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/capture_filter.h"
#include "dataplane/capture_match.h"
#include "tests/support/random.h"

#define FRAME_BYTES 300u
#define FRAMES      400000u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct filter {
    const char *text;
    bool windowed;                 /* a frame can be refused by its window alone */
    bool header;                   /* 124 bytes are enough */
};

/* What operators write, and what reads elsewhere: payload, lengths, chains of headers. */
static const struct filter filters[] = {
    { "tcp", true, true },
    { "udp port 9", true, true },
    { "tcp port 9 and host 192.0.2.9", true, true },
    { "arp or icmp", true, true },
    { "ip proto 17 and not port 53", true, true },
    { "src net 192.0.2.0/24", true, true },
    { "ip6", true, true },
    { "vlan 5", true, true },
    { "vlan 5 and tcp port 80", false, true },
    { "ether host 02:00:00:00:00:01", true, true },
    { "ether broadcast", true, true },
    { "ether src 02:00:00:00:00:01 and udp port 9", false, true },
    { "tcp[tcpflags] & tcp-syn != 0", true, true },
    { "ip6 and tcp port 80", true, true },
    { "host 2001:db8::1", true, true },
    { "icmp[0] == 8", true, true },
    { "len > 100", false, true },
    { "greater 200 and udp", false, true },
    { "udp[100] == 1", false, false },
    { "ether[200:4] == 0", false, false },
    { "ip6 protochain 6", false, false },
    { "tcp[((tcp[12] & 0xf0) >> 2):4] == 0x47455420", false, false },
};

static struct bpf_program compiled(const char *text)
{
    struct bpf_program program;
    struct error error;

    if (capture_filter_compile(text, &program, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return program;
}

static void test_capture_match_knows_what_a_filter_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(filters); i++) {
        struct bpf_program program = compiled(filters[i].text);
        struct capture_match match;

        capture_match_learn(&match, &program);

        if (match.windowed != filters[i].windowed ||
            (match.reach_bytes <= FRAME_HDR_BYTES) != filters[i].header) {
            fail_msg("%s: windowed %d, reaches %u", filters[i].text, match.windowed,
                     match.reach_bytes);
        }
        pcap_freecode(&program);
    }
}

/* One of a few frames, with a byte or two of it changed, cut somewhere now and then. */
static uint32_t next_frame(uint8_t *bytes, uint64_t *random)
{
    static const uint8_t starts[][48] = {
        { [12] = 0x08, 0x00, 0x45, [23] = 6, [26] = 192, 0, 2, 9, 192, 0, 2, 1, 0, 9, 0, 80 },
        { [12] = 0x08, 0x00, 0x45, [23] = 17, [26] = 192, 0, 2, 7, 192, 0, 2, 1, 0, 9, 0, 53 },
        { [12] = 0x08, 0x00, 0x48, [23] = 17, [26] = 192, 0, 2, 7, [46] = 0, 9 },
        { [12] = 0x08, 0x00, 0x45, [20] = 0x00, 0x10, [23] = 6, [26] = 192, 0, 2, 9 },
        { [12] = 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 },
        { [12] = 0x86, 0xdd, 0x60, [20] = 6, 64, 0x20, 0x01, 0x0d, 0xb8 },
        { [12] = 0x81, 0x00, 0, 5, 0x08, 0x00, 0x45, [27] = 6, [34] = 192, 0, 2, 1, 0, 80 },
    };
    uint32_t len_bytes = FRAME_BYTES;

    memset(bytes, 0, FRAME_BYTES);
    memcpy(bytes, starts[random_below(random, COUNT(starts))], sizeof(starts[0]));
    if (random_below(random, 4) == 0) {
        bytes[random_below(random, 60)] ^= (uint8_t)(1u << random_below(random, 8));
    }
    if (random_below(random, 8) == 0) {
        bytes[random_below(random, FRAME_BYTES)] = (uint8_t)random_below(random, 256);
    }
    if (random_below(random, 8) == 0) {
        len_bytes = 14 + random_below(random, FRAME_BYTES - 14);
    }
    return len_bytes;
}

/* Of one frame, somewhere in its batch; and of a batch of nothing else. */
static bool is_refused(const struct capture_match *match, const struct capture_refused *refused,
                       const struct frame *frame)
{
    static const uint8_t index[] = { 3 };
    static struct frame_batch batch;
    bool refused_in_place;

    for (unsigned i = 0; i < 4; i++) {
        batch.frame[i] = *frame;
    }
    refused_in_place = capture_match_refuses_all(match, refused, &batch, index, 1);
    assert_int_equal(capture_match_refuses_all(match, refused, &batch, NULL, 4), refused_in_place);
    return refused_in_place;
}

static bool says(const struct capture_match *match, struct capture_refused *refused,
                 const struct frame *frame)
{
    const bool header = capture_match_needs_header_only(match, frame);

    return capture_match_run(match, refused, frame, frame->hdr,
                             header ? frame->hdr_len_bytes : frame->len_bytes);
}

/* One frame that differs is enough, wherever it is. */
static void test_capture_match_looks_at_every_frame(void **state)
{
    static struct frame_batch batch;
    static uint8_t bytes[FRAME_BURST][FRAME_BYTES];
    struct bpf_program program = compiled("udp port 9");
    struct capture_refused refused = { .valid = false };
    struct capture_match match;

    (void)state;
    capture_match_learn(&match, &program);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        bytes[i][12] = 8;
        bytes[i][14] = 0x45;
        bytes[i][23] = 17;
        bytes[i][0] = (uint8_t)i;              /* which is not read */
        batch.frame[i] = (struct frame){ .hdr = bytes[i], .hdr_len_bytes = 60, .len_bytes = 60 };
    }
    assert_false(capture_match_refuses_all(&match, &refused, &batch, NULL, FRAME_BURST));
    assert_false(capture_match_run(&match, &refused, &batch.frame[0], bytes[0], 60));
    assert_true(capture_match_refuses_all(&match, &refused, &batch, NULL, FRAME_BURST));

    for (unsigned i = 0; i < FRAME_BURST; i++) {
        bytes[i][37] = 9;
        assert_false(capture_match_refuses_all(&match, &refused, &batch, NULL, FRAME_BURST));
        assert_true(capture_match_run(&match, &refused, &batch.frame[i], bytes[i], 60));
        bytes[i][37] = 0;
        batch.frame[i].hdr_len_bytes = 59;     /* shorter than what is compared */
        assert_false(capture_match_refuses_all(&match, &refused, &batch, NULL, FRAME_BURST));
        batch.frame[i].hdr_len_bytes = 60;
    }
    assert_true(capture_match_refuses_all(&match, &refused, &batch, NULL, FRAME_BURST));
    pcap_freecode(&program);
}

static void test_capture_match_says_what_the_filter_says(void **state)
{
    uint64_t random = 7;
    unsigned all_wanted = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(filters); i++) {
        struct bpf_program program = compiled(filters[i].text);
        struct capture_refused refused = { .valid = false };
        unsigned wanted = 0, by_window = 0;
        struct capture_match match;
        uint8_t bytes[FRAME_BYTES];

        capture_match_learn(&match, &program);
        for (unsigned n = 0; n < FRAMES / COUNT(filters); n++) {
            const uint32_t len_bytes = next_frame(bytes, &random);
            const struct frame frame = {
                .hdr = bytes, .len_bytes = len_bytes,
                .hdr_len_bytes = (uint16_t)(len_bytes < FRAME_HDR_BYTES ? len_bytes
                                                                         : FRAME_HDR_BYTES),
            };
            const bool truth = bpf_filter(program.bf_insns, bytes, len_bytes, len_bytes) != 0;

            by_window += is_refused(&match, &refused, &frame);
            wanted += truth;
            if (says(&match, &refused, &frame) != truth) {
                fail_msg("%s: of frame %u", filters[i].text, n);
            }
        }
        all_wanted += wanted;
        /* Or nothing would have been shown. */
        assert_true(by_window > 0 || !filters[i].windowed);
        pcap_freecode(&program);
    }
    assert_in_range(all_wanted, FRAMES / 20, FRAMES - FRAMES / 20);
}

/* A program that nobody compiled from text: X is whatever was loaded. */
static void test_capture_match_leaves_what_it_does_not_know(void **state)
{
    struct bpf_insn tax[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14), BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 14), BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct bpf_insn far[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0xfffff02c), BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct bpf_program programs[] = { { COUNT(tax), tax }, { COUNT(far), far } };

    (void)state;
    for (size_t i = 0; i < COUNT(programs); i++) {
        struct capture_match match;

        capture_match_learn(&match, &programs[i]);

        assert_false(match.windowed);
        assert_int_equal(match.reach_bytes, UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_match_knows_what_a_filter_reads),
        cmocka_unit_test(test_capture_match_looks_at_every_frame),
        cmocka_unit_test(test_capture_match_says_what_the_filter_says),
        cmocka_unit_test(test_capture_match_leaves_what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
