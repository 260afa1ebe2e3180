/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whom a flood reaches, for every VLAN of a switch.
 *
 * A list for each of 4,096 VLANs would be mostly the same lists again.  So VLANs are first parted
 * into classes, port by port, until a port receives all of a class or nothing of it; then one VLAN
 * of a class stands for all of it.  That costs a port as many steps as it receives VLANs, and the
 * rest depends on how many different lists there are, and not on how many VLANs.
 */
#include <string.h>

#include "switch/fabric_inner.h"

/* VLANs by class; no class is empty. */
struct classes {
    uint16_t *of;                  /* by VID */
    uint16_t size_vlans[VLAN_COUNT];
    uint16_t count;
};

/* The first VID of @p set from @p vid on, or VLAN_COUNT. */
static uint32_t vid_next(const struct vlan_set *set, uint32_t vid)
{
    for (uint32_t word = vid / 64; word < VLAN_COUNT / 64; word++) {
        const uint64_t from = word == vid / 64 ? UINT64_MAX << vid % 64 : UINT64_MAX;

        if ((set->bits[word] & from) != 0) {
            return word * 64 + (uint32_t)__builtin_ctzll(set->bits[word] & from);
        }
    }
    return VLAN_COUNT;
}

static struct vlan_set received_by(const struct fabric_port *port)
{
    struct vlan_set set = { { 0 } };

    if (port->others != NULL) {
        set = *port->others;
    }
    vlan_set_add(&set, port->vlan_out);
    return set;
}

/* Parts each class into the VLANs that are in @p set and those that are not. */
static void part(struct classes *classes, const struct vlan_set *set)
{
    uint16_t inside_vlans[VLAN_COUNT];   /* of a class as it was: how many are in the set */
    uint16_t to[VLAN_COUNT];             /* and which class those make */
    const uint16_t before = classes->count;

    memset(inside_vlans, 0, before * sizeof(inside_vlans[0]));
    for (uint32_t vid = vid_next(set, 0); vid < VLAN_COUNT; vid = vid_next(set, vid + 1)) {
        inside_vlans[classes->of[vid]]++;
    }
    for (uint16_t each = 0; each < before; each++) {
        to[each] = each;
        if (inside_vlans[each] != 0 && inside_vlans[each] != classes->size_vlans[each]) {
            to[each] = classes->count++;
            classes->size_vlans[to[each]] = inside_vlans[each];
            classes->size_vlans[each] = (uint16_t)(classes->size_vlans[each] - inside_vlans[each]);
        }
    }
    for (uint32_t vid = vid_next(set, 0); vid < VLAN_COUNT; vid = vid_next(set, vid + 1)) {
        classes->of[vid] = to[classes->of[vid]];
    }
}

/* Parts the VLANs by all of @p port; trunks are often alike, and the second parts nothing more. */
static void part_by_ports(struct classes *classes, const struct fabric *fabric,
                          const uint16_t *port, uint16_t port_count)
{
    struct vlan_set last_trunk = { { 0 } };

    for (uint16_t i = 0; i < port_count; i++) {
        const struct vlan_set set = received_by(&fabric->port[port[i]]);

        if (memcmp(&set, &last_trunk, sizeof(set)) != 0) {
            part(classes, &set);
        }
        if (fabric->port[port[i]].others != NULL) {
            last_trunk = set;
        }
    }
}

/* Lists who receives @p vid: first those of @p port that take unknown unicast, then the others. */
static bool list_members(struct fabric *fabric, const uint16_t *port, uint16_t port_count,
                         uint16_t vid, struct fabric_flood *flood)
{
    uint16_t found[FABRIC_MAX_PORTS];
    uint16_t *member;

    *flood = (struct fabric_flood){ 0 };
    for (unsigned locked = 0; locked <= FABRIC_PORT_LOCKED; locked += FABRIC_PORT_LOCKED) {
        for (uint16_t i = 0; i < port_count; i++) {
            const struct fabric_port *each = &fabric->port[port[i]];

            if ((each->flags & FABRIC_PORT_LOCKED) == locked && fabric_port_receives(each, vid)) {
                found[flood->count++] = port[i];
            }
        }
        flood->unknown_count = locked == 0 ? flood->count : flood->unknown_count;
    }
    member = fabric_alloc(fabric, flood->count, sizeof(*member));
    if (member == NULL) {
        return false;
    }
    memcpy(member, found, flood->count * sizeof(*member));
    flood->member = member;
    return true;
}

static bool has_vlans(const struct fabric *fabric, const uint16_t *port, uint16_t port_count)
{
    for (uint16_t i = 0; i < port_count; i++) {
        if (fabric->port[port[i]].vlan_out != 0 || fabric->port[port[i]].others != NULL) {
            return true;
        }
    }
    return false;
}

bool fabric_flood_compile(struct fabric *fabric, struct fabric_switch *on, const uint16_t *port,
                          uint16_t port_count)
{
    struct classes classes = { .size_vlans = { VLAN_COUNT }, .count = 1 };
    uint16_t stands_for[VLAN_COUNT] = { 0 };   /* by class, one of its VLANs */
    struct fabric_flood *flood;

    if (has_vlans(fabric, port, port_count)) {
        classes.of = fabric_alloc(fabric, VLAN_COUNT, sizeof(*classes.of));
        if (classes.of == NULL) {
            return false;
        }
        part_by_ports(&classes, fabric, port, port_count);
        for (uint16_t vid = 0; vid < VLAN_COUNT; vid++) {
            stands_for[classes.of[vid]] = vid;
        }
    }
    flood = fabric_alloc(fabric, classes.count, sizeof(*flood));
    if (flood == NULL) {
        return false;
    }
    for (uint16_t each = 0; each < classes.count; each++) {
        if (!list_members(fabric, port, port_count, stands_for[each], &flood[each])) {
            return false;
        }
    }
    on->flood = flood;
    on->flood_of = classes.of;
    return true;
}
