/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports of all kinds seen alike, and what follows from them: numbers and pinned addresses.
 *
 * The model keeps an uplink and a host's adapter in the switch they belong to and a vNIC by itself,
 * as they are configured.  Whoever forwards, counts or shows asks here, and needs to know only what
 * a port is.
 */
#include "switch/vswitch.h"

#include <assert.h>
#include <string.h>

#include "switch/vswitch_inner.h"

/* ---- views ----------------------------------------------------------------------------------- */

const char *vswitch_port_kind_word(enum vswitch_port_kind kind)
{
    static const char *const words[] = {
        [VSWITCH_PORT_VNIC] = "vnic",
        [VSWITCH_PORT_HOST] = "host",
        [VSWITCH_PORT_UPLINK] = "uplink",
        [VSWITCH_PORT_MEMBER] = "member",
    };

    return words[kind];
}

static void view_uplink(const struct vswitch_model *model, const struct vswitch_switch *of,
                        struct vswitch_port *port)
{
    *port = (struct vswitch_port){
        .kind = VSWITCH_PORT_UPLINK,
        .number = of->uplink_port,
        .switch_id = of->id,
        .name = of->uplink,
        .vlan = vlan_policy_of_uplink(),
        .mtu_bytes = of->mtu_bytes,
        .priority_trust = true,
        .queues = 1,
        .team = vswitch_team_of(model, of),
    };
}

static void view_member(const struct vswitch_model *model, const struct vswitch_team *team,
                        const struct vswitch_member *member, struct vswitch_port *port)
{
    const struct vswitch_switch *of = vswitch_of_team(model, team);

    *port = (struct vswitch_port){
        .kind = VSWITCH_PORT_MEMBER,
        .number = member->port,
        .switch_id = of != NULL ? of->id : FABRIC_MAX_SWITCHES,
        .name = member->where,
        .vlan = vlan_policy_of_uplink(),
        .mtu_bytes = vswitch_team_mtu(model, team),
        .priority_trust = true,
        .queues = 1,
        .team = team,
    };
}

static void view_host(const struct vswitch_switch *of, struct vswitch_port *port)
{
    *port = (struct vswitch_port){
        .kind = VSWITCH_PORT_HOST,
        .number = of->host_port,
        .switch_id = of->id,
        .name = of->host_name,
        .vlan = &of->host_vlan,
        .mtu_bytes = of->mtu_bytes,
        .mac = of->host_mac,
        .priority_trust = true,
        .queues = 1,
    };
}

static void view_vnic(const struct vswitch_model *model, const struct vswitch_vnic *vnic,
                      struct vswitch_port *port)
{
    *port = (struct vswitch_port){
        .kind = VSWITCH_PORT_VNIC,
        .number = vnic->port,
        .switch_id = vnic->switch_id,
        .name = vnic->name,
        .vlan = &vnic->vlan,
        .mtu_bytes = vswitch_vnic_mtu(model, vnic),
        .mac = vnic->mac,
        .locked = vnic->spoof_guard,
        .priority_trust = vnic->priority_trust,
        .dhcp_guard = vnic->dhcp_guard,
        .router_guard = vnic->router_guard,
        .allowed_mac = vnic->allowed_mac,
        .allowed_mac_count = vnic->allowed_mac_count,
        .queues = vnic->queues,
        .vnic = vnic,
    };
}

/*
 * The places where ports can be, in the order of vswitch_port_next(): two a switch, then one a
 * vNIC.  @return whether there is a port of switch @p id at @p place
 */
static bool view_place(const struct vswitch_model *model, uint16_t id, size_t place,
                       struct vswitch_port *port)
{
    const bool any = id == FABRIC_MAX_SWITCHES;

    if (place >= 2 * model->switch_count) {
        const struct vswitch_vnic *vnic = &model->vnics[place - 2 * model->switch_count];

        if (any || vnic->switch_id == id) {
            view_vnic(model, vnic, port);
            return true;
        }
        return false;
    }
    const struct vswitch_switch *of = &model->switches[place / 2];

    if (!any && of->id != id) {
        return false;
    }
    if (place % 2 == 0 && of->uplink_port != VSWITCH_NO_PORT) {
        view_uplink(model, of, port);
        return true;
    }
    if (place % 2 == 1 && of->host_port != VSWITCH_NO_PORT) {
        view_host(of, port);
        return true;
    }
    return false;
}

bool vswitch_port_next(const struct vswitch_model *model, uint16_t id, size_t *cursor,
                       struct vswitch_port *port)
{
    while (*cursor < 2 * model->switch_count + model->vnic_count) {
        if (view_place(model, id, (*cursor)++, port)) {
            return true;
        }
    }
    return false;
}

bool vswitch_member_next(const struct vswitch_model *model, uint16_t id, size_t *cursor,
                         struct vswitch_port *port)
{
    while (*cursor < model->team_count * TEAM_MEMBERS_MAX) {
        const struct vswitch_team *team = &model->teams[*cursor / TEAM_MEMBERS_MAX];
        const struct vswitch_member *member = &team->member[*cursor % TEAM_MEMBERS_MAX];

        (*cursor)++;
        if (member->where[0] != '\0' && (id == VSWITCH_MAX_TEAMS || team->id == id)) {
            view_member(model, team, member, port);
            return true;
        }
    }
    return false;
}

bool vswitch_port_at(const struct vswitch_model *model, uint16_t number, struct vswitch_port *port)
{
    size_t cursor = 0;

    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, port)) {
        if (port->number == number) {
            return true;
        }
    }
    cursor = 0;
    while (vswitch_member_next(model, VSWITCH_MAX_TEAMS, &cursor, port)) {
        if (port->number == number) {
            return true;
        }
    }
    return false;
}

bool vswitch_port_named(const struct vswitch_model *model, uint16_t id, const char *name,
                        struct vswitch_port *port)
{
    const struct vswitch_vnic *vnic = vswitch_find_vnic(model, name);
    size_t cursor = 0;

    if (vnic != NULL && (id == FABRIC_MAX_SWITCHES || vnic->switch_id == id)) {
        view_vnic(model, vnic, port);
        return true;
    }
    while (vswitch_port_next(model, id, &cursor, port)) {
        if (strcmp(port->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static_assert(VSWITCH_MAX_VNICS + 2 * FABRIC_MAX_SWITCHES +
              (VSWITCH_MAX_TEAMS + 1) * TEAM_MEMBERS_MAX < FABRIC_MAX_PORTS,
              "a number is always free, also while members come for others that go");

uint16_t vswitch_new_port(struct vswitch_model *model)
{
    uint16_t number = model->next_port;
    struct vswitch_port taken;

    while (vswitch_port_at(model, number, &taken)) {
        number = (uint16_t)((number + 1) % FABRIC_MAX_PORTS);
    }
    model->next_port = (uint16_t)((number + 1) % FABRIC_MAX_PORTS);
    return number;
}

/* ---- pinned addresses ------------------------------------------------------------------------ */

bool vswitch_port_owns(const struct vswitch_port *port, uint64_t mac)
{
    bool owns = port->kind != VSWITCH_PORT_UPLINK && port->mac == mac;

    for (uint16_t i = 0; i < port->allowed_mac_count && !owns; i++) {
        owns = port->allowed_mac[i] == mac;
    }
    return owns;
}

/* An unlocked vNIC may be anywhere, and is learned. */
static bool is_pinned(const struct vswitch_port *port)
{
    return port->locked || port->kind == VSWITCH_PORT_HOST;
}

/* A frame to a trunk's own address may be in any VLAN. */
static bool is_pinned_everywhere(const struct vswitch_port *port)
{
    return port->vlan->mode == VLAN_TRUNK;
}

/* Where the own addresses of @p port are pinned. */
static uint16_t own_fid(const struct vswitch_model *model, const struct vswitch_port *port)
{
    struct vlan_facts facts;

    vlan_facts(port->vlan, &facts);
    return vswitch_fid(model, port->switch_id, facts.in);
}

size_t vswitch_count_own_pins(const struct vswitch_port *port)
{
    const size_t addresses = is_pinned(port) ? 1u + port->allowed_mac_count : 0;

    return is_pinned_everywhere(port) ? 2 * addresses : addresses;
}

size_t vswitch_count_pins(const struct vswitch_model *model, uint16_t id)
{
    struct vswitch_port port;
    size_t cursor = 0, count = 0;

    for (size_t i = 0; i < model->mac_count; i++) {
        count += model->macs[i].switch_id == id;
    }
    while (vswitch_port_next(model, id, &cursor, &port)) {
        count += vswitch_count_own_pins(&port);
    }
    return count;
}

bool vswitch_own_pin(const struct vswitch_model *model, uint16_t id, uint64_t mac, uint16_t fid,
                     struct vswitch_port *port)
{
    size_t cursor = 0;

    while (vswitch_port_next(model, id, &cursor, port)) {
        if (is_pinned(port) && vswitch_port_owns(port, mac) &&
            (is_pinned_everywhere(port) || own_fid(model, port) == fid)) {
            return true;
        }
    }
    return false;
}

/* Where pins go: counted, and filled while there is room. */
struct pin_list {
    struct vswitch_pin *pins;
    size_t size, count;
};

static void pin(struct pin_list *list, struct vswitch_pin what)
{
    if (list->count < list->size) {
        list->pins[list->count] = what;
    }
    list->count++;
}

static void pin_own(struct pin_list *list, const struct vswitch_port *port, uint16_t fid,
                    uint64_t mac)
{
    struct vswitch_pin own = {
        .mac = mac, .switch_id = port->switch_id, .fid = fid, .port = port->number,
    };

    pin(list, own);
    if (is_pinned_everywhere(port)) {
        own.fid = MAC_TABLE_ANY_VLAN;
        pin(list, own);
    }
}

size_t vswitch_pins(const struct vswitch_model *model, struct vswitch_pin *pins, size_t size)
{
    struct pin_list list = { .pins = pins, .size = size };
    struct vswitch_port port;
    size_t cursor = 0;

    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *each = &model->macs[i];

        pin(&list, (struct vswitch_pin){
            .mac = each->mac, .switch_id = each->switch_id, .port = each->port,
            .fid = vswitch_fid(model, each->switch_id, each->vlan),
        });
    }
    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        if (!is_pinned(&port)) {
            continue;
        }
        const uint16_t fid = own_fid(model, &port);

        pin_own(&list, &port, fid, port.mac);
        for (uint16_t i = 0; i < port.allowed_mac_count; i++) {
            pin_own(&list, &port, fid, port.allowed_mac[i]);
        }
    }
    return list.count;
}
