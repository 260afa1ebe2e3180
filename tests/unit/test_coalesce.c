/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is merged and what must not be: a row, or a test, for each rule.
 */
#include "switch/coalesce.h"

#include <string.h>

#include "switch/offload.h"
#include "tests/support/coalesce_case.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80

/* A segment of a stream's middle; the next one's fields follow from those before. */
static struct lab_segment plain(uint8_t ip_version)
{
    return (struct lab_segment){ .ip_version = ip_version, .tcp_flags = ACK, .id = 100,
                                 .sequence = 0xfffffb00, .payload_bytes = 1000,
                                 .tcp_option_words = 3 };
}

/* Adds @p segment and makes it the one that comes next. */
static void add_next(struct coalesce_lab *lab, struct lab_segment *segment)
{
    (void)coalesce_lab_add(lab, segment);
    segment->sequence += segment->payload_bytes;
    segment->id++;
}

/* ---- rules that one byte breaks -------------------------------------------------------------- */

#define V4    4
#define V6    6
#define BOTH  0
#define THIRD 2
#define ALL   -1

/* Four segments in a row, of which one or all are patched. */
struct rule {
    const char *name;
    int version;
    int which;
    struct lab_patch patch;
    const char *shape;
};

static const struct rule rules[] = {
    { "nothing", BOTH, ALL, { LAB_NOTHING, 0, 0, false }, "4" },
    { "another destination MAC", BOTH, THIRD, { LAB_ETHER, 5, 1, false }, "2 1 1" },
    { "another source MAC", BOTH, THIRD, { LAB_ETHER, 11, 1, false }, "2 1 1" },
    { "another source port", BOTH, THIRD, { LAB_TCP, 1, 1, false }, "2 1 1" },
    { "another destination port", BOTH, THIRD, { LAB_TCP, 3, 1, false }, "2 1 1" },
    { "a gap in the sequence", BOTH, THIRD, { LAB_TCP, 6, 1, false }, "2 1 1" },
    { "a gap of 2^24", BOTH, THIRD, { LAB_TCP, 4, 1, false }, "2 1 1" },
    { "another acknowledgment", BOTH, THIRD, { LAB_TCP, 11, 1, false }, "2 1 1" },
    { "another window", BOTH, THIRD, { LAB_TCP, 14, 1, false }, "2 1 1" },
    { "another window by 1", BOTH, THIRD, { LAB_TCP, 15, 1, false }, "2 1 1" },
    { "an urgent pointer", BOTH, THIRD, { LAB_TCP, 18, 1, false }, "2 1 1" },
    { "an urgent pointer of 1", BOTH, THIRD, { LAB_TCP, 19, 1, false }, "2 1 1" },
    { "the first TCP option", BOTH, THIRD, { LAB_TCP, 20, 1, false }, "2 1 1" },
    { "the last TCP option", BOTH, THIRD, { LAB_TCP, 31, 1, false }, "2 1 1" },
    { "a longer TCP header", BOTH, THIRD, { LAB_TCP, 12, 0x70, false }, "2 1 1" },
    { "PSH", BOTH, THIRD, { LAB_TCP, 13, PSH, false }, "3 1" },
    { "FIN", BOTH, THIRD, { LAB_TCP, 13, FIN, false }, "2 1 1" },
    { "CWR", BOTH, THIRD, { LAB_TCP, 13, CWR, false }, "2 1 1" },
    { "PSH in all", BOTH, ALL, { LAB_TCP, 13, PSH, false }, "1 1 1 1" },
    { "FIN in all", BOTH, ALL, { LAB_TCP, 13, FIN, false }, "1 1 1 1" },
    { "SYN in all", BOTH, ALL, { LAB_TCP, 13, SYN, false }, "1 1 1 1" },
    { "RST in all", BOTH, ALL, { LAB_TCP, 13, RST, false }, "1 1 1 1" },
    { "URG in all", BOTH, ALL, { LAB_TCP, 13, URG, false }, "1 1 1 1" },
    { "ECE in all", BOTH, ALL, { LAB_TCP, 13, ECE, false }, "1 1 1 1" },
    { "CWR in all", BOTH, ALL, { LAB_TCP, 13, CWR, false }, "1 1 1 1" },
    { "AE in all", BOTH, ALL, { LAB_TCP, 12, 1, false }, "1 1 1 1" },
    { "a reserved flag in all", BOTH, ALL, { LAB_TCP, 12, 8, false }, "1 1 1 1" },
    { "no ACK in all", BOTH, ALL, { LAB_TCP, 13, ACK, false }, "1 1 1 1" },
    { "a wrong TCP checksum", BOTH, THIRD, { LAB_TCP, 16, 1, true }, "2 1 1" },
    { "wrong bytes", BOTH, THIRD, { LAB_TCP, 200, 1, true }, "2 1 1" },

    { "another traffic class", V4, THIRD, { LAB_IP, 1, 4, false }, "2 1 1" },
    { "congestion experienced", V4, THIRD, { LAB_IP, 1, 3, false }, "2 1 1" },
    { "an IPv4 length too short", V4, ALL, { LAB_IP, 3, 1, false }, "1 1 1 1" },
    { "another identification", V4, THIRD, { LAB_IP, 5, 0x80, false }, "2 1 1" },
    { "another DF", V4, THIRD, { LAB_IP, 6, 0x40, false }, "2 1 1" },
    { "the reserved bit", V4, THIRD, { LAB_IP, 6, 0x80, false }, "2 1 1" },
    { "MF in all", V4, ALL, { LAB_IP, 6, 0x20, false }, "1 1 1 1" },
    { "a fragment offset in all", V4, ALL, { LAB_IP, 7, 1, false }, "1 1 1 1" },
    { "another TTL", V4, THIRD, { LAB_IP, 8, 1, false }, "2 1 1" },
    { "another protocol in all", V4, ALL, { LAB_IP, 9, 1, false }, "1 1 1 1" },
    { "a wrong IPv4 checksum", V4, THIRD, { LAB_IP, 11, 1, true }, "2 1 1" },
    { "another source", V4, THIRD, { LAB_IP, 12, 1, false }, "2 1 1" },
    { "another destination", V4, THIRD, { LAB_IP, 19, 1, false }, "2 1 1" },
    { "another version in all", V4, ALL, { LAB_IP, 0, 0x20, false }, "1 1 1 1" },

    { "another traffic class", V6, THIRD, { LAB_IP, 0, 1, false }, "2 1 1" },
    { "congestion experienced", V6, THIRD, { LAB_IP, 1, 0x30, false }, "2 1 1" },
    { "another flow label", V6, THIRD, { LAB_IP, 3, 1, false }, "2 1 1" },
    { "an IPv6 length too long", V6, ALL, { LAB_IP, 5, 1, false }, "1 1 1 1" },
    { "another next header in all", V6, ALL, { LAB_IP, 6, 1, false }, "1 1 1 1" },
    { "another hop limit", V6, THIRD, { LAB_IP, 7, 1, false }, "2 1 1" },
    { "another source", V6, THIRD, { LAB_IP, 8, 1, false }, "2 1 1" },
    { "another source's end", V6, THIRD, { LAB_IP, 23, 1, false }, "2 1 1" },
    { "another destination", V6, THIRD, { LAB_IP, 24, 1, false }, "2 1 1" },
    { "another destination's end", V6, THIRD, { LAB_IP, 39, 1, false }, "2 1 1" },
    { "another version in all", V6, ALL, { LAB_IP, 0, 0x20, false }, "1 1 1 1" },
};

static void check_rule(struct coalesce_lab *lab, const struct rule *rule, uint8_t version)
{
    struct lab_segment segment = plain(version);

    coalesce_lab_start(lab);
    for (int i = 0; i < 4; i++) {
        segment.patch[0] = (struct lab_patch){ 0 };
        if (rule->which == ALL || rule->which == i) {
            segment.patch[0] = rule->patch;
        }
        add_next(lab, &segment);
    }
    (void)coalesce_lab_run(lab);

    if (strcmp(coalesce_lab_shape(lab), rule->shape) != 0) {
        print_message("# IPv%u, %s: %s\n", version, rule->name, coalesce_lab_shape(lab));
        fail();
    }
    coalesce_case_is_right(lab);
}

static void test_coalesce_merges_by_the_rules(void **state)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].version != V6) {
            check_rule(*state, &rules[i], 4);
        }
        if (rules[i].version != V4) {
            check_rule(*state, &rules[i], 6);
        }
    }
}

/* ---- rules of other kinds -------------------------------------------------------------------- */

/* Coalesces the batch; returns how many segments each frame is now. */
static const char *merged(struct coalesce_lab *lab)
{
    const uint16_t before = lab->batch.count;
    const uint16_t gone = coalesce_lab_run(lab);

    assert_int_equal(before, lab->batch.count + gone);
    assert_int_equal(lab->batch.altered, gone > 0);
    coalesce_case_is_right(lab);
    return coalesce_lab_shape(lab);
}

/* Four segments, of which the third is as @p third, over IPv4 and IPv6; both must be @p shape. */
static void check_third(struct coalesce_lab *lab, void (*third)(struct lab_segment *segment),
                        const char *shape)
{
    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);

        coalesce_lab_start(lab);
        for (int i = 0; i < 4; i++) {
            struct lab_segment one = segment;

            if (i == 2) {
                third(&one);
            }
            add_next(lab, &one);
            segment.sequence = one.sequence;
            segment.id = one.id;
        }
        assert_string_equal(merged(lab), shape);
    }
}

static void shorter(struct lab_segment *segment) { segment->payload_bytes = 999; }
static void longer(struct lab_segment *segment) { segment->payload_bytes = 1001; }
static void empty(struct lab_segment *segment) { segment->payload_bytes = 0; }
static void trailed(struct lab_segment *segment) { segment->trailer_bytes = 2; }

static void without_options(struct lab_segment *segment)
{
    segment->tcp_option_words = 0;
    segment->trusted_bytes = segment->ip_version == 4 ? 54 : 74;   /* and nothing in their place */
}

static void ip_options(struct lab_segment *segment) { segment->ip_option_words = 1; }
static void to_another_port(struct lab_segment *segment) { segment->port_out = LAB_PORT + 1; }
static void flooded(struct lab_segment *segment) { segment->port_out = PORT_FLOOD; }
static void dropped(struct lab_segment *segment) { segment->port_out = PORT_NONE; }
static void in_another_vlan(struct lab_segment *segment) { segment->vlan_tci = 20; }
static void of_another_priority(struct lab_segment *segment) { segment->vlan_tci = 0x2000; }
static void cut_off(struct lab_segment *segment) { segment->trusted_bytes = 60; }
static void repeated(struct lab_segment *segment) { segment->sequence -= 1000; }
static void overlapping(struct lab_segment *segment) { segment->sequence -= 1; }

static void long_already(struct lab_segment *segment)
{
    segment->csum_state = FRAME_CSUM_PARTIAL;
    segment->gso_type = segment->ip_version == 4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
}

static void test_coalesce_segment_of_another_length_is_the_last_or_the_first(void **state)
{
    check_third(*state, shorter, "3 1");
    check_third(*state, longer, "2 2");
    check_third(*state, empty, "2 1 1");
    check_third(*state, trailed, "2 1 1");
}

static void test_coalesce_other_headers_end_a_stream(void **state)
{
    check_third(*state, without_options, "2 1 1");
    check_third(*state, ip_options, "2 1 1");
    check_third(*state, cut_off, "2 1 1");
}

static void test_coalesce_frame_that_goes_elsewhere_ends_a_stream(void **state)
{
    check_third(*state, to_another_port, "2 1 1");
    check_third(*state, flooded, "2 1 1");
    check_third(*state, dropped, "2 1 1");
    check_third(*state, of_another_priority, "2 1 1");
    check_third(*state, in_another_vlan, "2 1 1");
}

static void test_coalesce_frames_without_a_port_of_their_own_are_left_alone(void **state)
{
    static const uint16_t ports[] = { PORT_FLOOD, PORT_NONE };
    struct coalesce_lab *lab = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct lab_segment segment = plain(4);

        segment.port_out = ports[i];
        coalesce_lab_start(lab);
        add_next(lab, &segment);
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "1 1");
    }
}

/* A header of 16 bytes, by which the payload would be 4 more, in a row. */
static void test_coalesce_tcp_header_too_short_is_left_alone(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);

        segment.tcp_option_words = 0;
        segment.patch[0] = (struct lab_patch){ LAB_TCP, 12, 0x50 ^ 0x40, false };
        coalesce_lab_start(lab);
        add_next(lab, &segment);
        segment.sequence += 4;
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "1 1");
    }
}

/* Whatever is cut off, nothing behind it is read, and what has all headers is merged. */
static void test_coalesce_needs_all_headers_in_trusted_bytes(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        const uint16_t header_bytes = version == 4 ? 66 : 86;

        for (uint16_t trusted = FRAME_MIN_BYTES; trusted <= FRAME_HDR_BYTES; trusted++) {
            struct lab_segment segment = plain(version);

            coalesce_lab_start(lab);
            add_next(lab, &segment);
            segment.trusted_bytes = trusted;
            add_next(lab, &segment);
            add_next(lab, &segment);
            assert_string_equal(merged(lab), trusted < header_bytes ? "1 1 1" : "3");
        }
    }
}

static void test_coalesce_retransmission_is_never_merged(void **state)
{
    check_third(*state, repeated, "2 2");
    check_third(*state, overlapping, "2 2");
}

static void test_coalesce_long_frame_is_left_alone_and_ends_its_stream(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);
        struct lab_segment whole = segment;

        coalesce_lab_start(lab);
        add_next(lab, &segment);
        add_next(lab, &segment);
        whole = segment;
        long_already(&whole);
        add_next(lab, &whole);
        segment.sequence = whole.sequence;
        segment.id = whole.id;
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "2 10 1");
        assert_int_equal(lab->batch.frame[1].gso_size_bytes, 100);
    }
}

static void test_coalesce_makes_nothing_that_is_not_taken(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);

        segment.takes_not = version == 4 ? OFFLOAD_TAKES_TSO4 : OFFLOAD_TAKES_TSO6;
        coalesce_lab_start(lab);
        add_next(lab, &segment);
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "1 1");

        segment.takes_not = version == 4 ? OFFLOAD_TAKES_TSO6 : OFFLOAD_TAKES_TSO4;
        coalesce_lab_start(lab);
        add_next(lab, &segment);
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "2");
    }
}

/* Merges four segments with the identifications given. */
static const char *merged_ids(struct coalesce_lab *lab, bool may_fragment, const uint16_t id[4])
{
    struct lab_segment segment = plain(4);

    segment.may_fragment = may_fragment;
    coalesce_lab_start(lab);
    for (int i = 0; i < 4; i++) {
        segment.id = id[i];
        add_next(lab, &segment);
    }
    return merged(lab);
}

static void test_coalesce_identification_counts_up_or_has_no_meaning(void **state)
{
    assert_string_equal(merged_ids(*state, true, (uint16_t[]){ 65534, 65535, 0, 1 }), "4");
    assert_string_equal(merged_ids(*state, true, (uint16_t[]){ 5, 5, 5, 5 }), "1 1 1 1");
    assert_string_equal(merged_ids(*state, true, (uint16_t[]){ 5, 6, 8, 9 }), "2 2");
    assert_string_equal(merged_ids(*state, false, (uint16_t[]){ 65534, 65535, 0, 1 }), "4");
    assert_string_equal(merged_ids(*state, false, (uint16_t[]){ 5, 5, 5, 5 }), "4");
    assert_string_equal(merged_ids(*state, false, (uint16_t[]){ 5, 5, 6, 6 }), "2 2");
    assert_string_equal(merged_ids(*state, false, (uint16_t[]){ 5, 6, 6, 7 }), "2 2");
    assert_string_equal(merged_ids(*state, false, (uint16_t[]){ 5, 7, 9, 11 }), "1 1 1 1");
}

/* ---- checksums ------------------------------------------------------------------------------- */

static void test_coalesce_wrong_first_is_left_alone(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment segment = plain(4);

    segment.patch[0] = (struct lab_patch){ LAB_TCP, 200, 0x10, true };
    add_next(lab, &segment);
    segment.patch[0] = (struct lab_patch){ 0 };
    for (int i = 1; i < 4; i++) {
        add_next(lab, &segment);
    }

    assert_string_equal(merged(lab), "1 3");
}

/* What a trusted source found right is not summed again: here it is wrong, and stays so. */
static void test_coalesce_believes_a_checksum_that_was_checked(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment segment = plain(4);

    segment.patch[0] = (struct lab_patch){ LAB_TCP, 16, 1, true };
    segment.csum_state = FRAME_CSUM_CHECKED;
    for (int i = 0; i < 4; i++) {
        add_next(lab, &segment);
    }
    (void)coalesce_lab_run(lab);

    assert_string_equal(coalesce_lab_shape(lab), "4");
    assert_int_equal(lab->batch.offload_count, 1);
}

static void test_coalesce_merges_whatever_is_known_of_checksums(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);

        coalesce_lab_start(lab);
        for (int i = 0; i < 6; i++) {
            segment.csum_state = (uint8_t)(i % 3);
            add_next(lab, &segment);
        }
        assert_string_equal(merged(lab), "6");
        assert_int_equal(lab->batch.offload_count, 1);
    }
}

/* A partial checksum of something else than the segment is not a stream's. */
static void test_coalesce_leaves_a_partial_checksum_elsewhere_alone(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment segment = plain(4);

    segment.csum_state = FRAME_CSUM_PARTIAL;
    add_next(lab, &segment);
    add_next(lab, &segment);
    lab->batch.frame[1].csum_offset_bytes = 18;
    assert_string_equal(merged(lab), "1 1");

    coalesce_lab_start(lab);
    segment.sequence -= 2000;
    add_next(lab, &segment);
    add_next(lab, &segment);
    lab->batch.frame[1].csum_start_bytes = 36;
    assert_string_equal(merged(lab), "1 1");
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void test_coalesce_makes_no_packet_longer_than_ip_can_say(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);
        const uint32_t ip_tcp_bytes = version == 4 ? 52 : 72;

        segment.payload_bytes = (65535 - ip_tcp_bytes) / 7;    /* a remainder for either */
        coalesce_lab_start(lab);
        for (int i = 0; i < 9; i++) {
            add_next(lab, &segment);
        }
        assert_string_equal(merged(lab), "7 2");

        segment = plain(version);
        segment.payload_bytes = 8000;
        coalesce_lab_start(lab);
        for (int i = 0; i < 8; i++) {
            add_next(lab, &segment);
        }
        segment.payload_bytes = 65535 - ip_tcp_bytes - 64000;
        add_next(lab, &segment);
        assert_string_equal(merged(lab), "9");
        assert_int_equal(lab->batch.frame[0].len_bytes, 65535 + 14);
    }
}

/* Three segments of 4 runs and trusted payload: 5 and, for the first, 4; all 14, or two 9. */
static void test_coalesce_stops_where_runs_end(void **state)
{
    struct coalesce_lab *lab = *state;
    static const struct {
        uint16_t left;
        const char *shape;
    } rows[] = { { 14, "3" }, { 13, "2 1" }, { 9, "2 1" }, { 8, "1 1 1" }, { 0, "1 1 1" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lab_segment segment = plain(4);

        segment.run_bytes = 236;
        coalesce_lab_start(lab);
        for (int k = 0; k < 3; k++) {
            add_next(lab, &segment);
        }
        assert_int_equal(lab->batch.frame[2].seg_count, 4);
        lab->batch.run_count = (uint16_t)(FRAME_RUNS - rows[i].left);

        assert_string_equal(merged(lab), rows[i].shape);
    }
}

static void test_coalesce_needs_no_runs_for_what_has_none(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment segment = plain(6);

    segment.payload_bytes = 3;                     /* all of it in trusted bytes */
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        add_next(lab, &segment);
    }

    assert_string_equal(merged(lab), "32");
    assert_int_equal(lab->batch.run_count, FRAME_BURST - 1);
    assert_int_equal(lab->batch.frame[0].gso_size_bytes, 3);
}

static void test_coalesce_empty_batch_stays_empty(void **state)
{
    assert_string_equal(merged(*state), "");
}

/* ---- several flows --------------------------------------------------------------------------- */

static void test_coalesce_keeps_flows_apart(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment flow[4];

    for (uint8_t i = 0; i < 4; i++) {
        flow[i] = plain(i < 2 ? 4 : 6);
        flow[i].flow = i;
    }
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        add_next(lab, &flow[i % 4]);
    }

    assert_string_equal(merged(lab), "8 8 8 8");
}

/* The same addresses and ports in two VLANs. */
static void test_coalesce_keeps_vlans_apart(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment flow[2] = { plain(4), plain(4) };

    flow[1].vlan_tci = 20;
    for (unsigned i = 0; i < 8; i++) {
        add_next(lab, &flow[i % 2]);
    }

    assert_string_equal(merged(lab), "4 4");
}

/* Else the repeated segment would pass the first one of its bytes by. */
static void test_coalesce_priorities_of_a_stream_stay_in_order(void **state)
{
    struct coalesce_lab *lab = *state;
    struct lab_segment segment = plain(4);
    struct lab_segment again;

    add_next(lab, &segment);
    again = segment;
    segment.vlan_tci = 0x2000;
    add_next(lab, &segment);
    add_next(lab, &again);

    assert_string_equal(merged(lab), "1 1 1");
}

static void test_coalesce_fragment_ends_the_streams_between_its_addresses(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment flow[3] = { plain(version), plain(version), plain(version) };
        struct lab_segment unclear = plain(version);

        for (uint8_t i = 0; i < 3; i++) {          /* flow 1 is between others */
            flow[i].flow = i;
        }
        unclear.ip_option_words = 1;
        coalesce_lab_start(lab);
        for (unsigned i = 0; i < 12; i++) {
            if (i == 6) {
                add_next(lab, &unclear);
            }
            add_next(lab, &flow[i % 3]);
        }
        assert_string_equal(merged(lab), "2 4 2 1 2 2");
    }
}

static void test_coalesce_datagrams_end_nothing(void **state)
{
    struct coalesce_lab *lab = *state;

    for (uint8_t version = 4; version <= 6; version += 2) {
        struct lab_segment segment = plain(version);
        struct lab_segment datagram = plain(version);

        datagram.patch[0] = (struct lab_patch){ LAB_IP, version == 4 ? 9 : 6, 6 ^ 17, false };
        coalesce_lab_start(lab);
        add_next(lab, &segment);
        add_next(lab, &datagram);
        add_next(lab, &segment);

        assert_string_equal(merged(lab), "2 1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COALESCE_CASE(test_coalesce_merges_by_the_rules),
        COALESCE_CASE(test_coalesce_segment_of_another_length_is_the_last_or_the_first),
        COALESCE_CASE(test_coalesce_other_headers_end_a_stream),
        COALESCE_CASE(test_coalesce_frame_that_goes_elsewhere_ends_a_stream),
        COALESCE_CASE(test_coalesce_frames_without_a_port_of_their_own_are_left_alone),
        COALESCE_CASE(test_coalesce_tcp_header_too_short_is_left_alone),
        COALESCE_CASE(test_coalesce_needs_all_headers_in_trusted_bytes),
        COALESCE_CASE(test_coalesce_retransmission_is_never_merged),
        COALESCE_CASE(test_coalesce_long_frame_is_left_alone_and_ends_its_stream),
        COALESCE_CASE(test_coalesce_makes_nothing_that_is_not_taken),
        COALESCE_CASE(test_coalesce_identification_counts_up_or_has_no_meaning),
        COALESCE_CASE(test_coalesce_wrong_first_is_left_alone),
        COALESCE_CASE(test_coalesce_believes_a_checksum_that_was_checked),
        COALESCE_CASE(test_coalesce_merges_whatever_is_known_of_checksums),
        COALESCE_CASE(test_coalesce_leaves_a_partial_checksum_elsewhere_alone),
        COALESCE_CASE(test_coalesce_makes_no_packet_longer_than_ip_can_say),
        COALESCE_CASE(test_coalesce_stops_where_runs_end),
        COALESCE_CASE(test_coalesce_needs_no_runs_for_what_has_none),
        COALESCE_CASE(test_coalesce_empty_batch_stays_empty),
        COALESCE_CASE(test_coalesce_keeps_flows_apart),
        COALESCE_CASE(test_coalesce_keeps_vlans_apart),
        COALESCE_CASE(test_coalesce_priorities_of_a_stream_stay_in_order),
        COALESCE_CASE(test_coalesce_fragment_ends_the_streams_between_its_addresses),
        COALESCE_CASE(test_coalesce_datagrams_end_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
