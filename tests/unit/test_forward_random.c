/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random switches, random frames, and a second implementation of the rules to compare with: one
 * frame at a time, from the policies as people write them, with lists for tables.  It knows no
 * trains, no facts of vlan.h and no compiled lists.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define SWITCHES     400u
#define BATCHES      30u
#define PORTS_MAX    12u
#define ENTRIES_MAX  512u
#define EVERY_VLAN   0xffffu
#define NO_REASON    DROP_REASON_COUNT

/* ---- the second implementation --------------------------------------------------------------- */

struct entry {
    uint64_t mac;
    uint16_t fid;                  /* or EVERY_VLAN */
    uint16_t port;
    bool pinned;
};

struct reference {
    struct vswitch_port port[PORTS_MAX];
    unsigned ports;
    bool uplink;
    struct entry entry[ENTRIES_MAX];
    unsigned entries;
};

/* What is to come of a frame. */
struct expected {
    enum drop_reason reason;       /* NO_REASON: it goes somewhere */
    uint16_t tci;
    char to[PORTS_MAX];            /* '-', 'u' or 't', as forward_lab_delivery() */
    bool flooded;
    bool noted;
    uint16_t fid;
};

static bool is_station(uint64_t mac)
{
    return mac != 0 && (mac >> 40 & 1) == 0;
}

static char receives(const struct vswitch_port *port, uint16_t vid)
{
    const struct vlan_policy *policy = port->vlan;

    if (port->kind == VSWITCH_PORT_UPLINK) {
        return vid == 0 ? 'u' : 't';
    }
    switch (policy->mode) {
    case VLAN_NONE:
        return vid == 0 ? 'u' : '-';
    case VLAN_ACCESS:
    case VLAN_ISOLATED:
        return vid == policy->vid ? 'u' : '-';
    case VLAN_TRUNK:
        return vid == policy->vid ? 'u' : vlan_set_has(&policy->others, vid) ? 't' : '-';
    case VLAN_COMMUNITY:
        return vid == policy->vid || vid == policy->secondary ? 'u' : '-';
    case VLAN_PROMISCUOUS:
        return vid == policy->vid || vlan_set_has(&policy->others, vid) ? 'u' : '-';
    }
    return '-';
}

/* The VLAN of a frame whose tag has @p vid, 0 for none. */
static enum drop_reason vlan_of(const struct vswitch_port *from, uint16_t vid, uint16_t *in)
{
    const struct vlan_policy *policy = from->vlan;

    if (from->kind == VSWITCH_PORT_UPLINK) {
        *in = vid;
        return vid == 4095 ? DROP_VLAN_NOT_ALLOWED : NO_REASON;
    }
    *in = policy->mode == VLAN_ISOLATED || policy->mode == VLAN_COMMUNITY ? policy->secondary
                                                                         : policy->vid;
    if (vid == 0) {
        return NO_REASON;
    }
    if (policy->mode != VLAN_TRUNK) {
        return DROP_TAGGED;
    }
    *in = vid;
    return receives(from, vid) == '-' ? DROP_VLAN_NOT_ALLOWED : NO_REASON;
}

static uint16_t fid_of(const struct reference *reference, uint16_t vid)
{
    for (unsigned i = 0; i < reference->ports; i++) {
        const struct vlan_policy *policy = reference->port[i].vlan;
        const bool one = (policy->mode == VLAN_ISOLATED || policy->mode == VLAN_COMMUNITY) &&
                         policy->secondary == vid;

        if (one || (policy->mode == VLAN_PROMISCUOUS && vlan_set_has(&policy->others, vid))) {
            return policy->vid;
        }
    }
    return vid;
}

static const struct entry *find(const struct reference *reference, uint64_t mac, uint16_t fid)
{
    const struct entry *found = NULL;

    for (unsigned i = 0; i < reference->entries; i++) {
        const struct entry *entry = &reference->entry[i];

        if (entry->mac == mac && entry->fid == fid) {
            return entry;
        }
        if (entry->mac == mac && entry->fid == EVERY_VLAN) {
            found = entry;
        }
    }
    return found;
}

static bool is_full(const struct reference *reference, uint16_t port)
{
    unsigned learned = 0;

    for (unsigned i = 0; i < reference->entries; i++) {
        learned += !reference->entry[i].pinned && reference->entry[i].port == port;
    }
    return learned >= FORWARD_LAB_QUOTA;
}

static enum drop_reason check_source(const struct reference *reference,
                                     const struct vswitch_port *from, uint64_t source,
                                     struct expected *expected)
{
    const struct entry *entry = find(reference, source, expected->fid);
    bool own = source == from->mac;

    if (!is_station(source)) {
        return source == 0 ? DROP_SOURCE_ZERO : DROP_SOURCE_MULTICAST;
    }
    for (unsigned i = 0; i < from->allowed_mac_count; i++) {
        own = own || source == from->allowed_mac[i];
    }
    if (from->locked) {
        return own ? NO_REASON : DROP_SPOOFED_SOURCE;
    }
    if (entry != NULL && entry->pinned && entry->port != from->number) {
        return DROP_SOURCE_ELSEWHERE;
    }
    expected->noted = (entry == NULL || entry->port != from->number) &&
                      !is_full(reference, from->number);
    return NO_REASON;
}

/* Floods to whom receives the VLAN, and to locked ports only what has a group address. */
static enum drop_reason flood(const struct reference *reference, const struct vswitch_port *from,
                              bool group, struct expected *expected)
{
    bool any = false, any_locked = false;

    for (unsigned i = 0; i < reference->ports; i++) {
        const struct vswitch_port *to = &reference->port[i];
        const char how = to == from ? '-' : receives(to, expected->tci & 0xfff);

        if (how != '-' && to->locked && !group) {
            any_locked = true;
        } else if (how != '-') {
            expected->to[i] = how;
            any = true;
        }
    }
    expected->flooded = any;
    return any ? NO_REASON : any_locked ? DROP_UNKNOWN_UNICAST : DROP_NO_OTHER_PORT;
}

static enum drop_reason check_destination(const struct reference *reference,
                                          const struct vswitch_port *from, uint64_t destination,
                                          struct expected *expected)
{
    const struct entry *entry = find(reference, destination, expected->fid);

    if ((destination >> 40 & 1) != 0) {
        if (reference->uplink && destination >> 4 == UINT64_C(0x0180c200000)) {
            return DROP_RESERVED_GROUP;
        }
        return flood(reference, from, true, expected);
    }
    if (entry == NULL) {
        return flood(reference, from, false, expected);
    }
    if (entry->port == from->number) {
        return DROP_BACK_TO_SENDER;
    }
    for (unsigned i = 0; i < reference->ports; i++) {
        if (reference->port[i].number == entry->port) {
            expected->to[i] = receives(&reference->port[i], expected->tci & 0xfff);
            return expected->to[i] == '-' ? DROP_VLAN_KEPT_APART : NO_REASON;
        }
    }
    return DROP_DEVICE_ERROR;                                  /* no such port: not to happen */
}

/* A frame's outer type, and what stands in a tag behind it. */
static uint16_t word_at(const struct wire *wire, unsigned offset)
{
    return (uint16_t)(wire->data[offset] << 8 | wire->data[offset + 1]);
}

static enum drop_reason expect(const struct reference *reference, const struct vswitch_port *from,
                               const struct wire *wire, struct expected *expected)
{
    const bool uplink = from->kind == VSWITCH_PORT_UPLINK;
    const uint16_t type = wire->len_bytes < 14 ? 0 : word_at(wire, 12);
    const uint16_t tci = type == 0x8100 && wire->len_bytes >= 18 ? word_at(wire, 14) : 0;
    enum drop_reason reason;
    uint16_t vid;

    memset(expected, 0, sizeof(*expected));
    memset(expected->to, '-', sizeof(expected->to));
    if (wire->len_bytes < 14) {
        return DROP_FRAME_TOO_SHORT;
    }
    if (type == 0x88a8 && !uplink) {
        return DROP_DOUBLE_TAGGED;
    }
    if (type == 0x8100 && wire->len_bytes < 18) {
        return DROP_FRAME_TOO_SHORT;
    }
    if (type == 0x8100 && !uplink && (word_at(wire, 16) == 0x8100 || word_at(wire, 16) == 0x88a8 ||
                                      word_at(wire, 16) == 0x9100)) {
        return DROP_DOUBLE_TAGGED;
    }
    reason = vlan_of(from, tci & 0xfff, &vid);
    if (reason != NO_REASON) {
        return reason;
    }
    expected->tci = (uint16_t)(vid | (from->priority_trust ? tci & 0xf000 : 0));
    expected->fid = fid_of(reference, vid);
    reason = check_source(reference, from, mac_read(wire->data + 6), expected);
    return reason != NO_REASON ? reason : check_destination(reference, from, mac_read(wire->data),
                                                            expected);
}

static void learn(struct reference *reference, const struct forward_notes *notes)
{
    for (uint32_t n = 0; n < notes->count; n++) {
        const struct forward_note *note = &notes->note[n];
        unsigned i = 0;

        while (i < reference->entries && (reference->entry[i].mac != note->mac ||
                                          reference->entry[i].fid != note->vlan)) {
            i++;
        }
        assert_in_range(i, 0, ENTRIES_MAX - 1);
        if (is_full(reference, note->port)) {
            continue;
        }
        reference->entries += i == reference->entries;
        reference->entry[i] = (struct entry){ note->mac, note->vlan, note->port, false };
    }
}

/* ---- random switches ------------------------------------------------------------------------- */

static const char *const policies[] = {
    "none", "none", "access:10", "access:11", "access:100", "trunk:10,11,201,native:12",
    "trunk:1-4094,native:10", "trunk:11-100,native:0", "isolated:100,201", "isolated:100,201",
    "community:100,202", "community:100,203", "promiscuous:100,201-203", "promiscuous:100,202",
};

static void random_switch(struct forward_lab *lab, uint64_t *random)
{
    struct vswitch_switch like = { .type = (enum vswitch_type)random_below(random, 3) };
    const unsigned vnics = 1 + random_below(random, PORTS_MAX - 2);

    like.host_vnic = like.type == VSWITCH_INTERNAL ||
                     (like.type == VSWITCH_EXTERNAL && random_below(random, 2) == 0);
    if (like.type == VSWITCH_EXTERNAL) {
        snprintf(like.uplink, sizeof(like.uplink), "eth9");
    }
    forward_lab_switch(lab, "red", &like);
    for (unsigned i = 0; i < vnics; i++) {
        const char *policy = policies[random_below(random, sizeof(policies) / sizeof(policies[0]))];
        struct vswitch_vnic vnic = {
            .priority_trust = random_below(random, 2) == 0,
            .dhcp_guard = random_below(random, 2) == 0,    /* of no say in what is no IP */
            .spoof_guard = random_below(random, 2) == 0,
            .allowed_mac = { MAC(0x100 + i) },
            .allowed_mac_count = (uint16_t)random_below(random, 2),
        };
        char name[8];

        snprintf(name, sizeof(name), "v%u", i);
        forward_lab_vnic(lab, "red", name, policy, &vnic);
    }
    forward_lab_compile(lab);
}

static void pin(struct reference *reference, uint64_t mac, uint16_t fid, uint16_t port)
{
    reference->entry[reference->entries++] = (struct entry){ mac, fid, port, true };
}

/* A locked port has its addresses for itself where it sends untagged, a locked trunk everywhere. */
static void reference_of(const struct forward_lab *lab, struct reference *reference)
{
    size_t cursor = 0;

    memset(reference, 0, sizeof(*reference));
    while (vswitch_port_next(lab->model, FABRIC_MAX_SWITCHES, &cursor,
                             &reference->port[reference->ports])) {
        reference->uplink |= reference->port[reference->ports++].kind == VSWITCH_PORT_UPLINK;
    }
    for (unsigned i = 0; i < reference->ports; i++) {
        const struct vswitch_port *port = &reference->port[i];
        uint16_t vid;

        if (!port->locked && port->kind != VSWITCH_PORT_HOST) {
            continue;
        }
        (void)vlan_of(port, 0, &vid);
        for (int each = -1; each < port->allowed_mac_count; each++) {
            const uint64_t mac = each < 0 ? port->mac : port->allowed_mac[each];

            pin(reference, mac, fid_of(reference, vid), port->number);
            if (port->vlan->mode == VLAN_TRUNK) {
                pin(reference, mac, EVERY_VLAN, port->number);
            }
        }
    }
}

/* ---- random frames --------------------------------------------------------------------------- */

static uint64_t random_mac(const struct reference *reference, uint64_t *random)
{
    static const uint64_t special[] = {
        0, MAC_BROADCAST, UINT64_C(0x01005e0000fb), UINT64_C(0x0180c2000002),
        UINT64_C(0x0180c2000010), UINT64_C(0x3333ff000001),
    };
    const uint32_t n = random_below(random, 16);

    if (n < 3) {
        return special[random_below(random, sizeof(special) / sizeof(special[0]))];
    }
    if (n < 6) {
        return reference->port[random_below(random, reference->ports)].mac;
    }
    return n < 8 ? MAC(0x100 + random_below(random, 4)) : MAC(1 + random_below(random, 5));
}

static void random_frame(const struct reference *reference, uint64_t *random, struct wire *wire)
{
    static const uint16_t vids[] = { 0, 10, 10, 11, 11, 12, 100, 201, 202, 203, 4000, 4095 };
    static const uint16_t types[] = { 0x0800, 0x0800, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100 };
    const uint32_t kind = random_below(random, 32);

    wire_start(wire, random_mac(reference, random), random_mac(reference, random));
    if (kind < 20) {
        wire_tag(wire, kind == 0 ? 0x88a8 : 0x8100,
                 (uint16_t)(vids[random_below(random, 12)] | (random_below(random, 8) << 13)));
    }
    wire_type(wire, kind < 20 ? types[random_below(random, 7)] : types[random_below(random, 4)]);
    wire_fill(wire, 60);
    if (random_below(random, 24) == 0) {
        wire->len_bytes = 10 + random_below(random, 12);
    }
}

/* ---- the comparison -------------------------------------------------------------------------- */

static void compare(const struct forward_lab *lab, const struct reference *reference,
                    const struct wire *wire, const struct frame *frame,
                    const struct expected *expected, enum drop_reason reason)
{
    const bool tagged = wire->len_bytes >= 18 && word_at(wire, 12) == 0x8100;

    if (reason != NO_REASON) {
        forward_lab_dropped(frame, reason);
        assert_int_equal(frame->len_bytes, wire->len_bytes);
        assert_int_equal(frame->came_tagged, tagged);
        assert_int_equal(frame->tagged, tagged);
        assert_memory_equal(frame->hdr, wire->data, wire->len_bytes);
        return;
    }
    assert_int_equal(frame->vlan_tci, expected->tci);
    for (unsigned i = 0; i < reference->ports; i++) {
        assert_int_equal(forward_lab_delivery(lab, frame, reference->port[i].number),
                         expected->to[i]);
    }
    assert_int_equal(frame->came_tagged, tagged);
    assert_int_equal(frame->tagged, 0);
    assert_int_equal(frame->len_bytes, wire->len_bytes - (tagged ? 4 : 0));
    assert_memory_equal(frame->hdr, wire->data, 12);
    assert_memory_equal(frame->hdr + 12, wire->data + (tagged ? 16 : 12), frame->len_bytes - 12);
}

static bool is_noted(const struct forward_notes *notes, uint64_t mac, uint16_t fid)
{
    for (uint32_t i = 0; i < notes->count; i++) {
        if (notes->note[i].mac == mac && notes->note[i].vlan == fid) {
            return true;
        }
    }
    return false;
}

static void one_batch(struct forward_lab *lab, struct reference *reference, uint64_t *random)
{
    static struct wire wire[FRAME_BURST];
    const struct vswitch_port *from = &reference->port[random_below(random, reference->ports)];
    const uint32_t count = 1 + random_below(random, FRAME_BURST);
    uint32_t floods = 0, groups = 0, untagged_bytes = 0;
    struct forward_notes wanted = { 0 };
    uint64_t spoofed = 0;

    batch_start(&lab->batch, from->number);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && random_below(random, 2) == 0) {
            wire[i] = wire[i - 1];
        } else {
            random_frame(reference, random, &wire[i]);
        }
        (void)batch_add_wire(&lab->batch, &wire[i], 0);
    }
    forward_lab_run(lab);

    for (uint32_t i = 0; i < count; i++) {
        const uint64_t source = mac_read(wire[i].data + 6);
        struct expected expected;
        const enum drop_reason reason = expect(reference, from, &wire[i], &expected);

        compare(lab, reference, &wire[i], &lab->batch.frame[i], &expected, reason);
        floods += reason == NO_REASON && expected.flooded;
        groups += reason != DROP_FRAME_TOO_SHORT && (wire[i].data[0] & 1) != 0;
        untagged_bytes += wire[i].len_bytes - lab->batch.frame[i].len_bytes;
        spoofed = reason == DROP_SPOOFED_SOURCE ? source : spoofed;
        if (expected.noted && !is_noted(&wanted, source, expected.fid)) {
            assert_true(is_noted(&lab->notes, source, expected.fid));
            wanted.note[wanted.count++] = (struct forward_note){ .mac = source,
                                                                 .vlan = expected.fid };
        }
    }
    assert_int_equal(lab->notes.count, wanted.count);
    assert_int_equal(lab->batch.flood_count, floods);
    assert_in_range(lab->classes.broadcast_frames + lab->classes.multicast_frames, groups,
                    groups + count);
    assert_int_equal(lab->classes.untagged_bytes, untagged_bytes);
    assert_true(lab->classes.spoofed_mac == spoofed);
    learn(reference, &lab->notes);
    forward_lab_learn(lab);
}

static void test_forward_random_frames_go_where_a_second_implementation_says(void **state)
{
    static struct reference reference;
    uint64_t random = 3;

    for (unsigned n = 0; n < SWITCHES; n++) {
        (void)forward_lab_setup(state);
        random_switch(*state, &random);
        reference_of(*state, &reference);
        for (unsigned batch = 0; batch < BATCHES; batch++) {
            one_batch(*state, &reference, &random);
        }
        (void)forward_lab_teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_random_frames_go_where_a_second_implementation_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
