/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose an address is: the pool, own addresses, and static ones.
 *
 * An address is one port's on the whole host.  What is configured as a port's own is nobody else's
 * own and pinned to nobody else, on any switch, because frames with one source from two places are
 * what the lock on addresses is against.  Only what is pinned and nobody's own may be behind
 * different ports of different switches or VLANs, as a router's address is.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/mac.h"
#include "switch/vswitch_inner.h"

/* ---- own addresses --------------------------------------------------------------------------- */

/* The port other than @p number whose own address @p mac is, or that it is pinned to. */
static bool find_owner(const struct vswitch_model *model, uint64_t mac, uint16_t number,
                       struct vswitch_port *owner)
{
    size_t cursor = 0;

    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, owner)) {
        if (owner->number != number && vswitch_port_owns(owner, mac)) {
            return true;
        }
    }
    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *each = &model->macs[i];

        if (each->mac == mac && each->port != number) {
            return vswitch_port_at(model, each->port, owner);
        }
    }
    return false;
}

static int refuse_mac(const struct vswitch_model *model, const char *name, uint64_t mac,
                      const struct vswitch_port *owner, struct error *error)
{
    char text[MAC_TEXT_SIZE];

    return error_set(error, EEXIST, "port \"%s\" may not use MAC %s, it belongs to port \"%s\" of "
                     "switch \"%s\"; choose another", name, mac_format(mac, text), owner->name,
                     vswitch_by_id(model, owner->switch_id)->name);
}

int vswitch_check_mac(const struct vswitch_model *model, uint16_t number, const char *name,
                      uint64_t mac, struct error *error)
{
    struct vswitch_port owner;
    char text[MAC_TEXT_SIZE];

    if (!mac_is_station(mac)) {
        return error_set(error, EINVAL, "port \"%s\" may not use MAC %s, which is %s; choose a "
                         "unicast one", name, mac_format(mac, text),
                         mac == 0 ? "no address at all" : "a group address");
    }
    return find_owner(model, mac, number, &owner) ? refuse_mac(model, name, mac, &owner, error)
                                                  : 0;
}

/* ---- the pool -------------------------------------------------------------------------------- */

static uint64_t next_of_pool(const struct vswitch_model *model, uint64_t mac)
{
    return mac == model->pool_last ? model->pool_first : mac + 1;
}

uint64_t vswitch_choose_mac(const struct vswitch_model *model, const char *what, const char *name,
                            struct error *error)
{
    const uint64_t size = model->pool_last - model->pool_first + 1;
    char first[MAC_TEXT_SIZE], last[MAC_TEXT_SIZE];
    struct vswitch_port owner;
    uint64_t mac = model->pool_next;

    for (uint64_t i = 0; i < size; i++, mac = next_of_pool(model, mac)) {
        if (!find_owner(model, mac, VSWITCH_NO_PORT, &owner)) {
            return mac;
        }
    }
    (void)error_set(error, ENOSPC, "%s \"%s\": the address pool %s to %s is used up; choose an "
                    "address for it, or widen the pool with daemon set --mac-pool", what, name,
                    mac_format(model->pool_first, first), mac_format(model->pool_last, last));
    return 0;
}

void vswitch_take_mac(struct vswitch_model *model, uint64_t mac)
{
    model->pool_next = next_of_pool(model, mac);
}

int vswitch_set_pool(struct vswitch_model *model, uint64_t first, uint64_t last,
                     struct error *error)
{
    char first_text[MAC_TEXT_SIZE], last_text[MAC_TEXT_SIZE];

    if (!mac_is_station(first) || !mac_is_station(last) || first > last ||
        first >> 24 != last >> 24) {
        return error_set(error, EINVAL, "%s to %s cannot be the address pool; choose two unicast "
                         "addresses, the first not above the last, that begin with the same three "
                         "bytes", mac_format(first, first_text), mac_format(last, last_text));
    }
    model->pool_first = first;
    model->pool_last = last;
    if (model->pool_next < first || model->pool_next > last) {
        model->pool_next = first;
    }
    return 0;
}

/* ---- static addresses ------------------------------------------------------------------------ */

/* The entry of @p mac in the filtering id of @p vlan. */
static struct vswitch_static_mac *find_static(const struct vswitch_model *model, uint16_t id,
                                              uint64_t mac, uint16_t vlan)
{
    const uint16_t fid = vswitch_fid(model, id, vlan);

    for (size_t i = 0; i < model->mac_count; i++) {
        struct vswitch_static_mac *each = &model->macs[i];

        if (each->switch_id == id && each->mac == mac &&
            vswitch_fid(model, id, each->vlan) == fid) {
            return each;
        }
    }
    return NULL;
}

/* The port @p name of switch @p on, or a refusal. */
static int need_port(const struct vswitch_model *model, const struct vswitch_switch *on,
                     const char *name, struct vswitch_port *port, struct error *error)
{
    if (vswitch_port_named(model, on->id, name, port)) {
        return 0;
    }
    if (vswitch_port_named(model, FABRIC_MAX_SWITCHES, name, port)) {
        return error_set(error, EINVAL, "port \"%s\" is on switch \"%s\", not on \"%s\"; name one "
                         "of \"%s\"", port->name, vswitch_by_id(model, port->switch_id)->name,
                         on->name, on->name);
    }
    return error_set(error, ENOENT, "switch \"%s\" has no port named \"%s\"; \"switch show %s\" "
                     "lists those there are", on->name, text_show(name).text, on->name);
}

static int check_static(const struct vswitch_model *model, const struct vswitch_switch *on,
                        uint64_t mac, uint16_t vlan, struct error *error)
{
    const struct vswitch_static_mac *pinned = find_static(model, on->id, mac, vlan);
    struct vswitch_port port;
    char text[MAC_TEXT_SIZE];

    if (!mac_is_station(mac)) {
        return error_set(error, EINVAL, "switch \"%s\": %s cannot be pinned to a port; choose a "
                         "unicast address that is not all zero", on->name, mac_format(mac, text));
    }
    if (vlan > VLAN_MAX) {
        return error_set(error, ERANGE, "switch \"%s\": there is no VLAN %u; choose 0 to %u",
                         on->name, vlan, VLAN_MAX);
    }
    if (pinned != NULL && vswitch_port_at(model, pinned->port, &port)) {
        return error_set(error, EEXIST, "switch \"%s\": %s is pinned to port \"%s\" already; "
                         "remove it there first", on->name, mac_format(mac, text), port.name);
    }
    if (vswitch_count_pins(model, on->id) >= on->mac_capacity_entries) {
        return error_set(error, ENOSPC, "switch \"%s\" has as many pinned addresses as its "
                         "mac-capacity of %u allows; raise it or remove some first", on->name,
                         on->mac_capacity_entries);
    }
    return 0;
}

/* Pinning another port's own address, here or on another switch, would take it from that port. */
static int check_not_own(const struct vswitch_model *model, const struct vswitch_port *port,
                         uint64_t mac, struct error *error)
{
    struct vswitch_port owner;
    size_t cursor = 0;

    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &owner)) {
        if (owner.number != port->number && vswitch_port_owns(&owner, mac)) {
            return refuse_mac(model, port->name, mac, &owner, error);
        }
    }
    return 0;
}

int vswitch_add_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                    uint16_t vlan, const char *port_name, struct error *error)
{
    const struct vswitch_switch *on = vswitch_need(model, switch_name, error);
    struct vswitch_static_mac *macs;
    struct vswitch_port port;
    int rc;

    if (on == NULL) {
        return -ENOENT;
    }
    rc = need_port(model, on, port_name, &port, error);
    if (rc == 0) {
        rc = check_static(model, on, mac, vlan, error);
    }
    if (rc == 0) {
        rc = check_not_own(model, &port, mac, error);
    }
    if (rc != 0) {
        return rc;
    }
    macs = reallocarray(model->macs, model->mac_count + 1, sizeof(*macs));
    if (macs == NULL) {
        return text_refuse_memory(error);
    }

    model->macs = macs;
    macs[model->mac_count++] = (struct vswitch_static_mac){
        .switch_id = on->id, .port = port.number, .vlan = vlan, .mac = mac,
    };
    return 0;
}

int vswitch_remove_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                       uint16_t vlan, struct error *error)
{
    const struct vswitch_switch *on = vswitch_need(model, switch_name, error);
    struct vswitch_static_mac *is;
    struct vswitch_port owner;
    char text[MAC_TEXT_SIZE];

    if (on == NULL) {
        return -ENOENT;
    }
    is = find_static(model, on->id, mac, vlan);
    if (is == NULL && vswitch_own_pin(model, on->id, mac, vswitch_fid(model, on->id, vlan),
                                      &owner)) {
        return error_set(error, EBUSY, "switch \"%s\": %s is pinned because it is port \"%s\"'s "
                         "own address; change that port to change it", on->name,
                         mac_format(mac, text), owner.name);
    }
    if (is == NULL) {
        return error_set(error, ENOENT, "switch \"%s\" has no static address %s in VLAN %u; "
                         "\"mac show %s\" lists what it has", on->name, mac_format(mac, text),
                         vlan, on->name);
    }
    model->mac_count--;
    memmove(is, is + 1, (size_t)(&model->macs[model->mac_count] - is) * sizeof(*is));
    return 0;
}

void vswitch_drop_macs(struct vswitch_model *model, uint16_t port)
{
    size_t kept = 0;

    for (size_t i = 0; i < model->mac_count; i++) {
        if (model->macs[i].port != port) {
            model->macs[kept++] = model->macs[i];
        }
    }
    model->mac_count = kept;
}
