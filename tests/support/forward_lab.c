/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/forward_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/frame_tag.h"
#include "tests/support/frame_builder.h"

#define TYPE_EXPERIMENTAL 0x88b5u  /* IEEE 802-2014, 9.2.4: local experimental ethertype 1 */

int forward_lab_setup(void **state)
{
    const size_t size_bytes = (sizeof(struct forward_lab) + 63) / 64 * 64;
    struct forward_lab *lab = aligned_alloc(64, size_bytes);

    assert_non_null(lab);
    memset(lab, 0, size_bytes);
    lab->model = vswitch_model_create(0x0102);
    assert_non_null(lab->model);
    *state = lab;
    return 0;
}

int forward_lab_teardown(void **state)
{
    struct forward_lab *lab = *state;

    fabric_destroy(lab->fabric);
    for (unsigned i = 0; i < FABRIC_MAX_SWITCHES; i++) {
        mac_table_destroy(lab->table[i]);
    }
    vswitch_model_destroy(lab->model);
    free(lab);
    return 0;
}

/* ---- what there is --------------------------------------------------------------------------- */

void forward_lab_switch(struct forward_lab *lab, const char *name,
                        const struct vswitch_switch *like)
{
    const struct mac_table_config config = {
        .capacity_entries = 1024, .ageing_s = 300, .quota_entries = FORWARD_LAB_QUOTA, .seed = 1,
    };
    struct vswitch_switch wanted = like != NULL ? *like : (struct vswitch_switch){ 0 };
    struct mac_table *table = mac_table_create(&config);
    struct error error;

    assert_non_null(table);
    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    wanted.mtu_bytes = VSWITCH_MTU_DEFAULT_BYTES;
    wanted.mac_capacity_entries = config.capacity_entries;
    if (vswitch_add(lab->model, &wanted, &error) != 0) {
        fail_msg("%s", error.text);
    }
    lab->table[vswitch_find(lab->model, name)->id] = table;
}

uint16_t forward_lab_vnic(struct forward_lab *lab, const char *on, const char *name,
                          const char *vlan, const struct vswitch_vnic *like)
{
    struct vswitch_vnic wanted = like != NULL ? *like : (struct vswitch_vnic){ 0 };
    struct error error;

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    wanted.queues = 1;
    if (vlan_parse(vlan, &wanted.vlan, &error) != 0 ||
        vswitch_add_vnic(lab->model, on, &wanted, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return vswitch_find_vnic(lab->model, name)->port;
}

void forward_lab_compile(struct forward_lab *lab)
{
    const struct fabric_binding binding = { .table = lab->table, .worker_count = 1 };
    const size_t count = vswitch_pins(lab->model, NULL, 0);
    struct vswitch_pin *pins = calloc(count + 1, sizeof(*pins));

    fabric_destroy(lab->fabric);
    lab->fabric = fabric_compile(lab->model, &binding, FORWARD_LAB_GENERATION);
    assert_non_null(lab->fabric);
    assert_non_null(pins);
    (void)vswitch_pins(lab->model, pins, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(mac_table_add_static(lab->table[pins[i].switch_id], pins[i].mac,
                                              pins[i].fid, pins[i].port), 0);
    }
    free(pins);
}

struct mac_table *forward_lab_table(const struct forward_lab *lab, const char *name)
{
    return lab->table[vswitch_find(lab->model, name)->id];
}

uint64_t forward_lab_mac(const struct forward_lab *lab, const char *vnic)
{
    return vswitch_find_vnic(lab->model, vnic)->mac;
}

/* ---- deciding -------------------------------------------------------------------------------- */

/* What was measured on the way is what the frames are now. */
static void check_measures(const struct forward_lab *lab)
{
    struct forward_classes now = { .bytes = 0 };
    uint32_t longest_bytes = 0;

    forward_measure(&lab->batch, &now);
    for (uint16_t i = 0; i < lab->batch.count; i++) {
        const struct frame *frame = &lab->batch.frame[i];

        if (frame->port_out != PORT_NONE && frame->len_bytes > longest_bytes) {
            longest_bytes = frame->len_bytes;
        }
    }
    assert_int_equal(lab->classes.bytes, now.bytes);
    assert_true(now.alike || !lab->classes.alike);
    assert_in_range(lab->classes.longest_bytes, longest_bytes, now.longest_bytes);
}

void forward_lab_run(struct forward_lab *lab)
{
    memset(&lab->notes, 0xa5, sizeof(lab->notes));
    memset(&lab->classes, 0xa5, sizeof(lab->classes));
    lab->batch.flood_count = 1000;
    for (uint16_t i = 0; i < lab->batch.count; i++) {
        lab->batch.frame[i].vlan_tci = 0xffff;
        lab->batch.frame[i].port_out = 0xa5a5;
        lab->batch.frame[i].drop_reason = 0xa5;
    }
    forward_batch(lab->fabric, &lab->batch, FORWARD_LAB_NOW_S, &lab->notes, &lab->classes);
    check_measures(lab);
}

void forward_lab_learn(struct forward_lab *lab)
{
    for (uint32_t i = 0; i < lab->notes.count; i++) {
        const struct forward_note *note = &lab->notes.note[i];

        (void)mac_table_learn(lab->fabric->switches[note->switch_index].table, note->mac,
                              note->vlan, note->port, FORWARD_LAB_NOW_S);
    }
}

const struct frame *forward_lab_frame(struct forward_lab *lab, uint16_t port_in,
                                      uint64_t destination, uint64_t source, uint32_t tci)
{
    struct wire wire;
    const struct frame *frame;

    wire_start(&wire, destination, source);
    if (tci != NO_TAG) {
        wire_tag(&wire, FRAME_TPID, (uint16_t)tci);
    }
    wire_type(&wire, TYPE_EXPERIMENTAL);
    wire_fill(&wire, 60);
    batch_start(&lab->batch, port_in);
    frame = batch_add_wire(&lab->batch, &wire, 0);
    forward_lab_run(lab);
    return frame;
}

/* ---- what came of it ------------------------------------------------------------------------- */

void forward_lab_dropped(const struct frame *frame, enum drop_reason reason)
{
    if (frame->port_out != PORT_NONE || frame->drop_reason != reason) {
        fail_msg("port_out %#x, \"%s\" where \"%s\" was expected", frame->port_out,
                 drop_reason_text(frame->drop_reason), drop_reason_text(reason));
    }
}

static bool is_flooded_to(const struct forward_lab *lab, const struct frame *frame, uint16_t port)
{
    const struct fabric_port *in = &lab->fabric->port[lab->batch.port_in];
    const struct fabric_flood *flood = fabric_flood(&lab->fabric->switches[in->switch_index],
                                                    frame->vlan_tci & VLAN_VID_MASK);
    const uint32_t reach = fabric_flood_reach(flood, (frame->hdr[0] & 1) != 0);

    for (uint32_t i = 0; i < reach; i++) {
        if (flood->member[i] == port) {
            return port != lab->batch.port_in;
        }
    }
    return false;
}

char forward_lab_delivery(const struct forward_lab *lab, const struct frame *frame, uint16_t port)
{
    const struct fabric_port *to = &lab->fabric->port[port];
    const uint16_t vid = frame->vlan_tci & VLAN_VID_MASK;

    if (frame->port_out == PORT_FLOOD ? !is_flooded_to(lab, frame, port)
                                      : frame->port_out != port) {
        return '-';
    }
    assert_true(fabric_port_receives(to, vid));
    return vid != to->vlan_out && (to->flags & FABRIC_PORT_TAGS) != 0 ? 't' : 'u';
}
