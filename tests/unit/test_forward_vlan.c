/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLANs: every mode against every other, by a table that was written from the modes' descriptions
 * and not from the code; then learning, tags and priorities one by one.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"

#define PORTS 13u

/* Ports of one external switch, by the letters that the table has for them. */
enum { P, A, B, T, Z, I, J, C, D, E, M, U, H };
static const struct {
    char letter;
    const char *vlan;              /* NULL: the uplink, the host's adapter */
} kinds[PORTS] = {
    [P] = { 'P', "none" },
    [A] = { 'A', "access:10" },
    [B] = { 'B', "access:20" },
    [T] = { 'T', "trunk:10,20,201,native:30" },
    [Z] = { 'Z', "trunk:20,native:10" },
    [I] = { 'I', "isolated:100,201" },
    [J] = { 'J', "isolated:100,201" },
    [C] = { 'C', "community:100,202" },
    [D] = { 'D', "community:100,202" },
    [E] = { 'E', "community:100,203" },
    [M] = { 'M', "promiscuous:100,201-202" },
    [U] = { 'U', NULL },
    [H] = { 'H', NULL },
};

static uint16_t port[PORTS];

static int setup(void **state)
{
    const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "eth9",
                                             .host_vnic = true };
    struct forward_lab *lab;

    (void)forward_lab_setup(state);
    lab = *state;
    forward_lab_switch(lab, "red", &external);
    for (unsigned i = 0; i < PORTS; i++) {
        if (kinds[i].vlan != NULL) {
            const char name[] = { kinds[i].letter, '\0' };

            port[i] = forward_lab_vnic(lab, "red", name, kinds[i].vlan, NULL);
        }
    }
    port[U] = vswitch_find(lab->model, "red")->uplink_port;
    port[H] = vswitch_find(lab->model, "red")->host_port;
    forward_lab_compile(lab);
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

/*
 * What a port sends, the VLAN it is in, and who receives a broadcast: '-' not, 'u' untagged, 't'
 * tagged.  A frame in nobody's VLAN has a reason for that instead.
 */
static const struct row {
    uint8_t from;
    uint32_t tci;
    uint16_t vid;
    const char *to;
    enum drop_reason reason;
} rows[] = {
    /*                       PABTZIJCDEMUH */
    { P, NO_TAG,     0,     "-----------uu", 0 },
    { P, 0,          0,     "-----------uu", 0 },
    { P, 10,         0,     NULL,            DROP_TAGGED },
    { A, NO_TAG,    10,     "---tu------t-", 0 },
    { A, 0,         10,     "---tu------t-", 0 },
    { A, 10,         0,     NULL,            DROP_TAGGED },
    { A, 20,         0,     NULL,            DROP_TAGGED },
    { B, NO_TAG,    20,     "---tt------t-", 0 },
    { T, NO_TAG,    30,     "-----------t-", 0 },
    { T, 0,         30,     "-----------t-", 0 },
    { T, 30,        30,     "-----------t-", 0 },
    { T, 10,        10,     "-u--u------t-", 0 },
    { T, 20,        20,     "--u-t------t-", 0 },
    { T, 201,      201,     "----------ut-", 0 },
    { T, 100,        0,     NULL,            DROP_VLAN_NOT_ALLOWED },
    { T, 4095,       0,     NULL,            DROP_VLAN_NOT_ALLOWED },
    { Z, NO_TAG,    10,     "-u-t-------t-", 0 },
    { Z, 10,        10,     "-u-t-------t-", 0 },
    { Z, 20,        20,     "--ut-------t-", 0 },
    { Z, 30,         0,     NULL,            DROP_VLAN_NOT_ALLOWED },
    { I, NO_TAG,   201,     "---t------ut-", 0 },
    { I, 201,        0,     NULL,            DROP_TAGGED },
    { J, NO_TAG,   201,     "---t------ut-", 0 },
    { C, NO_TAG,   202,     "--------u-ut-", 0 },
    { C, 0,        202,     "--------u-ut-", 0 },
    { D, NO_TAG,   202,     "-------u--ut-", 0 },
    { E, NO_TAG,   203,     "-----------t-", 0 },
    { M, NO_TAG,   100,     "-----uuuuu-t-", 0 },
    { M, 201,        0,     NULL,            DROP_TAGGED },
    { U, NO_TAG,     0,     "u-----------u", 0 },
    { U, 0,          0,     "u-----------u", 0 },
    { U, 10,        10,     "-u-tu--------", 0 },
    { U, 20,        20,     "--utt--------", 0 },
    { U, 30,        30,     "---u---------", 0 },
    { U, 100,      100,     "-----uuuuuu--", 0 },
    { U, 201,      201,     "---t------u--", 0 },
    { U, 202,      202,     "-------uu-u--", 0 },
    { U, 203,      203,     "---------u---", 0 },
    { U, 4094,    4094,     NULL,            DROP_NO_OTHER_PORT },
    { U, 4095,       0,     NULL,            DROP_VLAN_NOT_ALLOWED },
    { H, NO_TAG,     0,     "u----------u-", 0 },
    { H, 0,          0,     "u----------u-", 0 },
    { H, 10,         0,     NULL,            DROP_TAGGED },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void check_row(const struct row *row, const struct forward_lab *lab,
                      const struct frame *frame, const char *to)
{
    for (unsigned i = 0; i < PORTS; i++) {
        const char is = forward_lab_delivery(lab, frame, port[i]);

        if (is != to[i]) {
            fail_msg("row %zu, from %c with tag %d: '%c' at %c where '%c' was expected",
                     (size_t)(row - rows), kinds[row->from].letter, (int)row->tci, is,
                     kinds[i].letter, to[i]);
        }
    }
}

static void test_forward_vlan_group_frames_reach_whom_the_modes_say(void **state)
{
    struct forward_lab *lab = *state;

    for (const struct row *row = rows; row != rows + ROWS; row++) {
        const struct frame *frame = forward_lab_frame(lab, port[row->from], MAC_BROADCAST,
                                                      MAC(1000 + row->from), row->tci);

        assert_int_equal(lab->classes.broadcast_frames, 1);
        if (row->to == NULL) {
            forward_lab_dropped(frame, row->reason);
        } else {
            assert_int_equal(frame->port_out, PORT_FLOOD);
            assert_int_equal(frame->vlan_tci, row->vid);
            assert_int_equal(lab->batch.flood_count, 1);
            check_row(row, lab, frame, row->to);
        }
    }
}

static void test_forward_vlan_unknown_unicast_reaches_the_same_when_none_is_locked(void **state)
{
    struct forward_lab *lab = *state;

    for (const struct row *row = rows; row != rows + ROWS; row++) {
        const struct frame *frame = forward_lab_frame(lab, port[row->from], MAC(1),
                                                      MAC(1000 + row->from), row->tci);

        if (row->to == NULL) {
            forward_lab_dropped(frame, row->reason);
        } else {
            check_row(row, lab, frame, row->to);
        }
    }
}

static void test_forward_vlan_known_unicast_reaches_whom_a_group_frame_reaches(void **state)
{
    struct forward_lab *lab = *state;
    const struct vswitch_switch *red = vswitch_find(lab->model, "red");

    for (const struct row *row = rows; row != rows + ROWS; row++) {
        for (unsigned at = 0; at < PORTS && row->to != NULL; at++) {
            const uint16_t fid = vswitch_fid(lab->model, red->id, row->vid);
            char only[PORTS + 1] = "-------------";
            const struct frame *frame;

            mac_table_flush(forward_lab_table(lab, "red"), MAC_TABLE_MISS);
            assert_int_equal(mac_table_learn(forward_lab_table(lab, "red"), MAC(1), fid, port[at],
                                             1), MAC_LEARN_NEW);
            frame = forward_lab_frame(lab, port[row->from], MAC(1), MAC(2), row->tci);
            only[at] = row->to[at];
            check_row(row, lab, frame, only);
            if (at == row->from) {
                forward_lab_dropped(frame, DROP_BACK_TO_SENDER);
            } else if (row->to[at] == '-') {
                forward_lab_dropped(frame, DROP_VLAN_KEPT_APART);
            }
        }
    }
}

/* ---- learning -------------------------------------------------------------------------------- */

/* A station at @p from has been heard. */
static void hear(struct forward_lab *lab, uint8_t from, uint32_t tci, uint64_t mac)
{
    forward_lab_frame(lab, port[from], MAC_BROADCAST, mac, tci);
    assert_int_equal(lab->notes.count, 1);
    forward_lab_learn(lab);
}

static void test_forward_vlan_address_is_learned_in_its_vlan_only(void **state)
{
    struct forward_lab *lab = *state;

    hear(lab, A, NO_TAG, MAC(1));
    hear(lab, B, NO_TAG, MAC(1));

    assert_int_equal(forward_lab_frame(lab, port[U], MAC(1), MAC(2), 10)->port_out, port[A]);
    assert_int_equal(forward_lab_frame(lab, port[U], MAC(1), MAC(2), 20)->port_out, port[B]);
    assert_int_equal(forward_lab_frame(lab, port[U], MAC(1), MAC(2), NO_TAG)->port_out, PORT_FLOOD);
}

static void test_forward_vlan_private_vlans_share_what_they_learn(void **state)
{
    struct forward_lab *lab = *state;

    hear(lab, I, NO_TAG, MAC(I));
    assert_int_equal(lab->notes.note[0].vlan, 100);
    hear(lab, C, NO_TAG, MAC(C));
    hear(lab, M, NO_TAG, MAC(M));
    hear(lab, U, 100, MAC(U));

    assert_int_equal(forward_lab_frame(lab, port[M], MAC(I), MAC(M), NO_TAG)->port_out, port[I]);
    assert_int_equal(forward_lab_frame(lab, port[I], MAC(M), MAC(I), NO_TAG)->port_out, port[M]);
    assert_int_equal(forward_lab_frame(lab, port[U], MAC(C), MAC(U), 100)->port_out, port[C]);
    assert_int_equal(forward_lab_frame(lab, port[C], MAC(U), MAC(C), NO_TAG)->port_out, port[U]);
    assert_int_equal(lab->notes.count, 0);
    forward_lab_dropped(forward_lab_frame(lab, port[C], MAC(I), MAC(C), NO_TAG),
                        DROP_VLAN_KEPT_APART);
    forward_lab_dropped(forward_lab_frame(lab, port[I], MAC(C), MAC(I), NO_TAG),
                        DROP_VLAN_KEPT_APART);
}

static void test_forward_vlan_one_source_in_two_vlans_is_noted_in_both(void **state)
{
    struct forward_lab *lab = *state;
    struct wire wire[2];

    batch_start(&lab->batch, port[T]);
    for (unsigned i = 0; i < 8; i++) {
        struct wire *each = &wire[i % 2];

        wire_start(each, MAC_BROADCAST, MAC(1));
        wire_tag(each, FRAME_TPID, i % 2 == 0 ? 10 : 20);
        wire_type(each, ETHERTYPE_ARP);
        wire_fill(each, 60);
        batch_add_wire(&lab->batch, each, 0);
    }
    forward_lab_run(lab);

    assert_int_equal(lab->notes.count, 2);
    assert_int_equal(lab->notes.note[0].vlan, 10);
    assert_int_equal(lab->notes.note[1].vlan, 20);
}

/* ---- tags ------------------------------------------------------------------------------------ */

static void test_forward_vlan_tag_is_taken_out_of_what_goes_and_left_in_what_does_not(void **state)
{
    struct forward_lab *lab = *state;
    struct wire wire, plain;
    const struct frame *goes = &lab->batch.frame[0], *stays = &lab->batch.frame[1];

    wire_start(&wire, MAC_BROADCAST, MAC(1));
    wire_tag(&wire, FRAME_TPID, 0xe014);
    wire_type(&wire, ETHERTYPE_IPV4);
    wire_fill(&wire, 300);
    plain = wire;
    plain.len_bytes -= FRAME_TAG_BYTES;
    memmove(plain.data + 12, wire.data + 12 + FRAME_TAG_BYTES, plain.len_bytes - 12);
    batch_start(&lab->batch, port[T]);
    batch_add_wire(&lab->batch, &wire, 0)->csum_start_bytes = 38;
    wire.data[15] = 40;            /* which T is not allowed; the payload is shared */
    batch_add_wire(&lab->batch, &wire, 0);
    forward_lab_run(lab);

    assert_int_equal(goes->port_out, PORT_FLOOD);
    assert_int_equal(goes->came_tagged, 1);
    assert_int_equal(goes->tagged, 0);
    assert_int_equal(goes->tci_in, 0xe014);
    assert_int_equal(goes->vlan_tci, 20);
    assert_int_equal(goes->len_bytes, 296);
    assert_int_equal(goes->hdr_len_bytes, FRAME_HDR_BYTES - FRAME_TAG_BYTES);
    assert_int_equal(goes->csum_start_bytes, 34);
    assert_memory_equal(goes->hdr, plain.data, goes->hdr_len_bytes);
    assert_int_equal(lab->classes.untagged_bytes, FRAME_TAG_BYTES);
    assert_int_equal(lab->classes.bytes, 296 + 300);
    assert_false(lab->classes.alike);
    assert_true(lab->batch.altered);
    forward_lab_dropped(stays, DROP_VLAN_NOT_ALLOWED);
    assert_int_equal(stays->came_tagged, 1);
    assert_int_equal(stays->tagged, 1);
    assert_int_equal(stays->tci_in, 0xe028);
    assert_int_equal(stays->len_bytes, 300);
    assert_memory_equal(stays->hdr, wire.data, FRAME_HDR_BYTES);
}

static void test_forward_vlan_frames_of_a_train_differ_in_their_tag_only(void **state)
{
    struct forward_lab *lab = *state;
    static const uint16_t tci[] = { 10, 10, 20, 40, 40, 10, 0x600a, 30, 0 };
    static const uint16_t vid[] = { 10, 10, 20, 40, 40, 10, 10, 30, 30 };
    struct wire wire;

    batch_start(&lab->batch, port[T]);
    for (unsigned i = 0; i < sizeof(tci) / sizeof(tci[0]); i++) {
        wire_start(&wire, MAC_BROADCAST, MAC(1));
        wire_tag(&wire, FRAME_TPID, tci[i]);
        wire_type(&wire, ETHERTYPE_ARP);
        wire_fill(&wire, 60);
        batch_add_wire(&lab->batch, &wire, 0);
    }
    forward_lab_run(lab);

    for (unsigned i = 0; i < sizeof(tci) / sizeof(tci[0]); i++) {
        const struct frame *frame = &lab->batch.frame[i];

        assert_int_equal(frame->tci_in, tci[i]);
        if (vid[i] == 40) {
            forward_lab_dropped(frame, DROP_VLAN_NOT_ALLOWED);
        } else {
            assert_int_equal(frame->port_out, PORT_FLOOD);
            assert_int_equal(frame->vlan_tci, vid[i]);
        }
    }
    assert_int_equal(lab->batch.flood_count, 7);
    assert_int_equal(lab->classes.broadcast_frames, 9);
    assert_int_equal(lab->classes.untagged_bytes, 7 * FRAME_TAG_BYTES);
}

/* Frames as tagged twice as can be; @p inner 0: only one tag. */
static const struct frame *tagged_twice(struct forward_lab *lab, uint8_t from, uint16_t outer,
                                        uint16_t inner)
{
    struct wire wire;

    wire_start(&wire, MAC_BROADCAST, MAC(1));
    wire_tag(&wire, outer, from == A || from == P || from == H ? 0 : 10);
    if (inner != 0) {
        wire_tag(&wire, inner, 7);
    }
    wire_type(&wire, ETHERTYPE_ARP);
    wire_fill(&wire, 60);
    batch_start(&lab->batch, port[from]);
    (void)batch_add_wire(&lab->batch, &wire, 0);
    forward_lab_run(lab);
    return &lab->batch.frame[0];
}

static void test_forward_vlan_two_tags_are_refused_inside_and_carried_from_outside(void **state)
{
    static const uint16_t tag[] = { 0x8100, 0x88a8, 0x9100 };
    static const uint8_t inside[] = { P, A, T, I, M, H };
    struct forward_lab *lab = *state;
    const struct frame *frame;

    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 0; i < sizeof(inside); i++) {
            forward_lab_dropped(tagged_twice(lab, inside[i], 0x8100, tag[n]),
                                DROP_DOUBLE_TAGGED);
            for (unsigned outer = 1; outer < 3; outer++) {
                forward_lab_dropped(tagged_twice(lab, inside[i], tag[outer], tag[n]),
                                    DROP_DOUBLE_TAGGED);
                forward_lab_dropped(tagged_twice(lab, inside[i], tag[outer], 0),
                                    DROP_DOUBLE_TAGGED);
            }
        }
        frame = tagged_twice(lab, U, 0x8100, tag[n]);
        assert_int_equal(frame->port_out, PORT_FLOOD);
        assert_int_equal(frame->vlan_tci, 10);
        assert_int_equal(frame->hdr[12] << 8 | frame->hdr[13], tag[n]);
        assert_int_equal(frame->hdr[15], 7);
    }
    for (unsigned outer = 1; outer < 3; outer++) {
        frame = tagged_twice(lab, U, tag[outer], 0);
        assert_int_equal(frame->port_out, PORT_FLOOD);
        assert_int_equal(frame->vlan_tci, 0);
        assert_int_equal(frame->came_tagged, 0);
        assert_int_equal(frame->len_bytes, 60);
    }
}

/* A good frame and one with a second tag begin with the same sixteen bytes. */
static void test_forward_vlan_second_tag_is_found_behind_a_good_frame(void **state)
{
    struct forward_lab *lab = *state;
    struct wire wire;

    batch_start(&lab->batch, port[T]);
    for (unsigned i = 0; i < 6; i++) {
        wire_start(&wire, MAC_BROADCAST, MAC(1));
        wire_tag(&wire, 0x8100, 10);
        wire_type(&wire, i % 3 == 2 ? 0x8100 : ETHERTYPE_IPV4);
        wire_fill(&wire, 60);
        batch_add_wire(&lab->batch, &wire, 0);
    }
    forward_lab_run(lab);

    for (unsigned i = 0; i < 6; i++) {
        if (i % 3 == 2) {
            forward_lab_dropped(&lab->batch.frame[i], DROP_DOUBLE_TAGGED);
        } else {
            assert_int_equal(lab->batch.frame[i].port_out, PORT_FLOOD);
        }
    }
    assert_int_equal(lab->batch.flood_count, 4);
}

static void test_forward_vlan_short_tagged_frame_is_dropped_among_good_ones(void **state)
{
    struct forward_lab *lab = *state;

    for (uint16_t len = 14; len < 20; len++) {
        struct wire wire;

        wire_start(&wire, MAC_BROADCAST, MAC(1));
        wire_tag(&wire, 0x8100, 10);
        wire_type(&wire, ETHERTYPE_IPV4);
        wire_fill(&wire, 60);
        batch_start(&lab->batch, port[T]);
        for (unsigned i = 0; i < 4; i++) {
            wire.len_bytes = i % 2 == 0 ? len : 60;
            (void)batch_add_wire(&lab->batch, &wire, 0);
        }
        forward_lab_run(lab);

        for (unsigned i = 0; i < 4; i++) {
            const struct frame *frame = &lab->batch.frame[i];

            if (i % 2 == 0 && len < 18) {
                forward_lab_dropped(frame, DROP_FRAME_TOO_SHORT);
                assert_int_equal(frame->len_bytes, len);
                assert_int_equal(frame->tagged, 0);
            } else {
                assert_int_equal(frame->port_out, PORT_FLOOD);
                assert_int_equal(frame->len_bytes, (i % 2 == 0 ? len : 60u) - 4);
            }
        }
        assert_int_equal(lab->notes.count, 1);
    }
}

static void test_forward_vlan_short_untagged_frame_is_carried(void **state)
{
    struct forward_lab *lab = *state;

    for (uint16_t len = 14; len < 20; len++) {
        struct wire wire;

        wire_start(&wire, MAC_BROADCAST, MAC(1));
        wire_type(&wire, ETHERTYPE_ARP);
        wire_fill(&wire, 60);
        wire.len_bytes = len;
        batch_start(&lab->batch, port[A]);
        (void)batch_add_wire(&lab->batch, &wire, 0);
        (void)batch_add_wire(&lab->batch, &wire, 0);
        forward_lab_run(lab);

        assert_int_equal(lab->batch.flood_count, 2);
        assert_int_equal(lab->batch.frame[1].vlan_tci, 10);
        assert_int_equal(lab->classes.broadcast_frames, 2);
    }
}

/* ---- priority -------------------------------------------------------------------------------- */

static void test_forward_vlan_priority_is_kept_of_the_trusted_only(void **state)
{
    const struct vswitch_vnic trusted = { .priority_trust = true };
    struct forward_lab *lab = *state;
    const uint16_t access = forward_lab_vnic(lab, "red", "access", "access:20", &trusted);
    const uint16_t trunk = forward_lab_vnic(lab, "red", "trunk", "trunk:10,native:30", &trusted);

    forward_lab_compile(lab);

    assert_int_equal(forward_lab_frame(lab, port[T], MAC(9), MAC(1), 0xa00a)->vlan_tci, 10);
    assert_int_equal(forward_lab_frame(lab, port[A], MAC(9), MAC(1), 0xa000)->vlan_tci, 10);
    assert_int_equal(forward_lab_frame(lab, access, MAC(9), MAC(1), 0xa000)->vlan_tci, 0xa014);
    assert_int_equal(forward_lab_frame(lab, access, MAC(9), MAC(1), NO_TAG)->vlan_tci, 20);
    assert_int_equal(forward_lab_frame(lab, trunk, MAC(9), MAC(1), 0xf00a)->vlan_tci, 0xf00a);
    assert_int_equal(forward_lab_frame(lab, trunk, MAC(9), MAC(1), 0xe000)->vlan_tci, 0xe01e);
    assert_int_equal(forward_lab_frame(lab, port[U], MAC(9), MAC(1), 0x600a)->vlan_tci, 0x600a);
    assert_int_equal(forward_lab_frame(lab, port[U], MAC(9), MAC(1), 0x6000)->vlan_tci, 0x6000);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, forward_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_forward_vlan_group_frames_reach_whom_the_modes_say),
        LAB_TEST(test_forward_vlan_unknown_unicast_reaches_the_same_when_none_is_locked),
        LAB_TEST(test_forward_vlan_known_unicast_reaches_whom_a_group_frame_reaches),
        LAB_TEST(test_forward_vlan_address_is_learned_in_its_vlan_only),
        LAB_TEST(test_forward_vlan_private_vlans_share_what_they_learn),
        LAB_TEST(test_forward_vlan_one_source_in_two_vlans_is_noted_in_both),
        LAB_TEST(test_forward_vlan_tag_is_taken_out_of_what_goes_and_left_in_what_does_not),
        LAB_TEST(test_forward_vlan_frames_of_a_train_differ_in_their_tag_only),
        LAB_TEST(test_forward_vlan_two_tags_are_refused_inside_and_carried_from_outside),
        LAB_TEST(test_forward_vlan_second_tag_is_found_behind_a_good_frame),
        LAB_TEST(test_forward_vlan_short_tagged_frame_is_dropped_among_good_ones),
        LAB_TEST(test_forward_vlan_short_untagged_frame_is_carried),
        LAB_TEST(test_forward_vlan_priority_is_kept_of_the_trusted_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
