/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of vNICs and of static addresses.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/mac.h"
#include "switch/vswitch_inner.h"

#define POOL_PREFIX   UINT64_C(0x00155d000000)   /* Microsoft's, as Hyper-V gives it to vNICs */
#define POOL_SIZE     256u

/* ---- looking up ------------------------------------------------------------------------------ */

const struct vswitch_vnic *vswitch_find_vnic(const struct vswitch_model *model, const char *name)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        if (strcmp(model->vnics[i].name, name) == 0) {
            return &model->vnics[i];
        }
    }
    return NULL;
}

const struct vswitch_vnic *vswitch_vnic_by_port(const struct vswitch_model *model, uint16_t port)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        if (model->vnics[i].port == port) {
            return &model->vnics[i];
        }
    }
    return NULL;
}

uint32_t vswitch_vnic_mtu(const struct vswitch_model *model, const struct vswitch_vnic *vnic)
{
    return vnic->mtu_bytes != 0 ? vnic->mtu_bytes
                                : vswitch_by_id(model, vnic->switch_id)->mtu_bytes;
}

static const struct vswitch_vnic *need_vnic(const struct vswitch_model *model, const char *name,
                                            struct error *error)
{
    const struct vswitch_vnic *found = vswitch_find_vnic(model, name);

    if (found == NULL) {
        const struct text_names names = {
            .first = model->vnic_count > 0 ? model->vnics[0].name : NULL,
            .count = model->vnic_count,
            .stride_bytes = sizeof(*model->vnics),
        };

        (void)text_refuse_unknown(error, "vNIC", name, names);
    }
    return found;
}

static const struct vswitch_vnic *find_mac(const struct vswitch_model *model, uint64_t mac)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        if (model->vnics[i].mac == mac) {
            return &model->vnics[i];
        }
    }
    return NULL;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int check_mtu(const struct vswitch_switch *on, const struct vswitch_vnic *wanted,
                     struct error *error)
{
    if (wanted->mtu_bytes == 0) {
        return 0;
    }
    if (wanted->mtu_bytes > on->mtu_bytes && wanted->mtu_bytes <= VSWITCH_MTU_MAX_BYTES) {
        return error_set(error, ERANGE, "vNIC \"%s\": MTU %u is above the %u of switch \"%s\"; "
                         "choose at most %u or raise the switch's MTU first", wanted->name,
                         wanted->mtu_bytes, on->mtu_bytes, on->name, on->mtu_bytes);
    }
    return text_check_range(error, "vNIC", wanted->name, "MTU", wanted->mtu_bytes,
                            VSWITCH_MTU_MIN_BYTES, VSWITCH_MTU_MAX_BYTES);
}

/* @p is is the vNIC that changes, NULL for a new one. */
static int check_mac(const struct vswitch_model *model, const struct vswitch_vnic *is,
                     const struct vswitch_vnic *wanted, struct error *error)
{
    const struct vswitch_vnic *owner;
    char text[MAC_TEXT_SIZE];

    if (wanted->mac == 0) {
        return 0;
    }
    if (!mac_is_station(wanted->mac)) {
        return error_set(error, EINVAL, "vNIC \"%s\" cannot have %s, which is a group address; "
                         "choose a unicast one", wanted->name, mac_format(wanted->mac, text));
    }
    owner = find_mac(model, wanted->mac);
    if (owner != NULL && owner != is) {
        return error_set(error, EEXIST, "vNIC \"%s\" cannot have %s, which vNIC \"%s\" on switch "
                         "\"%s\" has; choose another", wanted->name,
                         mac_format(wanted->mac, text), owner->name,
                         vswitch_by_id(model, owner->switch_id)->name);
    }
    return 0;
}

static int check_account(const struct vswitch_vnic *wanted, const char *what, const char *account,
                         struct error *error)
{
    if (account[0] == '\0' || vswitch_is_word(account, VSWITCH_OWNER_SIZE)) {
        return 0;
    }
    return error_set(error, EINVAL, "vNIC \"%s\": the %s of its socket cannot be \"%s\"; choose "
                     "1 to 32 of A-Z a-z 0-9 . _ -, the first a letter or a digit",
                     wanted->name, what, text_show(account).text);
}

static int check_vnic_values(const struct vswitch_model *model, const struct vswitch_switch *on,
                             const struct vswitch_vnic *is, const struct vswitch_vnic *wanted,
                             struct error *error)
{
    int rc = text_check_range(error, "vNIC", wanted->name, "queues", wanted->queues, 1,
                              VSWITCH_QUEUES_MAX);

    if (rc == 0) {
        rc = check_mtu(on, wanted, error);
    }
    if (rc == 0) {
        rc = check_mac(model, is, wanted, error);
    }
    if (rc == 0) {
        rc = check_account(wanted, "owner", wanted->socket_owner, error);
    }
    if (rc == 0) {
        rc = check_account(wanted, "group", wanted->socket_group, error);
    }
    return rc;
}

/* ---- adding, changing, removing -------------------------------------------------------------- */

/* The next number that no vNIC has; the caller knows that there is one. */
static uint16_t free_port(const struct vswitch_model *model)
{
    uint16_t port = model->next_port;

    while (vswitch_vnic_by_port(model, port) != NULL) {
        port = (uint16_t)((port + 1) % FABRIC_MAX_PORTS);
    }
    return port;
}

/* The next address of the pool that no vNIC has; 0 when all are taken. */
static uint64_t free_mac(const struct vswitch_model *model)
{
    const uint64_t base = POOL_PREFIX | (uint64_t)model->pool_octets << 8;

    for (unsigned i = 0; i < POOL_SIZE; i++) {
        const uint64_t mac = base | (uint8_t)(model->pool_next + i);

        if (find_mac(model, mac) == NULL) {
            return mac;
        }
    }
    return 0;
}

static int refuse_pool(const struct vswitch_model *model, const struct vswitch_vnic *wanted,
                       struct error *error)
{
    const uint64_t base = POOL_PREFIX | (uint64_t)model->pool_octets << 8;
    char first[MAC_TEXT_SIZE], last[MAC_TEXT_SIZE];

    return error_set(error, ENOSPC, "vNIC \"%s\": the address pool %s to %s is used up; choose an "
                     "address with --mac", wanted->name, mac_format(base, first),
                     mac_format(base | 0xff, last));
}

static int check_new_vnic(const struct vswitch_model *model, const struct vswitch_switch *on,
                          const struct vswitch_vnic *wanted, struct error *error)
{
    int rc = vswitch_check_name("vNIC", wanted->name, error);

    if (rc != 0) {
        return rc;
    }
    if (vswitch_find_vnic(model, wanted->name) != NULL) {
        return error_set(error, EEXIST, "a vNIC named \"%s\" already exists; choose another name "
                         "or remove it first", wanted->name);
    }
    rc = check_vnic_values(model, on, NULL, wanted, error);
    if (rc != 0) {
        return rc;
    }
    if (model->vnic_count >= VSWITCH_MAX_VNICS) {
        return error_set(error, ENOSPC, "vNIC \"%s\" cannot be added, because there are %u "
                         "already and no more can be; remove one first", wanted->name,
                         VSWITCH_MAX_VNICS);
    }
    return 0;
}

int vswitch_add_vnic(struct vswitch_model *model, const char *switch_name,
                     const struct vswitch_vnic *wanted, struct error *error)
{
    const struct vswitch_switch *on = vswitch_need(model, switch_name, error);
    struct vswitch_vnic *vnics, *added;
    uint64_t mac;
    int rc;

    if (on == NULL) {
        return -ENOENT;
    }
    rc = check_new_vnic(model, on, wanted, error);
    if (rc != 0) {
        return rc;
    }
    mac = wanted->mac != 0 ? wanted->mac : free_mac(model);
    if (mac == 0) {
        return refuse_pool(model, wanted, error);
    }
    vnics = reallocarray(model->vnics, model->vnic_count + 1, sizeof(*vnics));
    if (vnics == NULL) {
        return text_refuse_memory(error);
    }

    model->vnics = vnics;
    added = &vnics[model->vnic_count];
    *added = *wanted;
    added->mac = mac;
    added->switch_id = on->id;
    added->port = free_port(model);
    model->next_port = (uint16_t)((added->port + 1) % FABRIC_MAX_PORTS);
    if (wanted->mac == 0) {
        model->pool_next = (uint8_t)(mac + 1);
    }
    model->vnic_count++;
    return 0;
}

int vswitch_set_vnic(struct vswitch_model *model, const struct vswitch_vnic *wanted,
                     struct error *error)
{
    const struct vswitch_vnic *is = need_vnic(model, wanted->name, error);
    struct vswitch_vnic *change;
    int rc;

    if (is == NULL) {
        return -ENOENT;
    }
    rc = check_vnic_values(model, vswitch_by_id(model, is->switch_id), is, wanted, error);
    if (rc != 0) {
        return rc;
    }
    if (wanted->queues != is->queues) {
        return error_set(error, EBUSY, "vNIC \"%s\" has %u queue pair%s, for life; remove it and "
                         "add it with %u", is->name, is->queues, is->queues == 1 ? "" : "s",
                         wanted->queues);
    }

    change = &model->vnics[is - model->vnics];
    change->mtu_bytes = wanted->mtu_bytes;
    change->mac = wanted->mac != 0 ? wanted->mac : is->mac;
    memcpy(change->socket_owner, wanted->socket_owner, sizeof(change->socket_owner));
    memcpy(change->socket_group, wanted->socket_group, sizeof(change->socket_group));
    return 0;
}

void vswitch_drop_vnic(struct vswitch_model *model, size_t at)
{
    const uint16_t port = model->vnics[at].port;
    size_t kept = 0;

    for (size_t i = 0; i < model->mac_count; i++) {
        if (model->macs[i].port != port) {
            model->macs[kept++] = model->macs[i];
        }
    }
    model->mac_count = kept;
    model->vnic_count--;
    memmove(&model->vnics[at], &model->vnics[at + 1],
            (model->vnic_count - at) * sizeof(*model->vnics));
}

int vswitch_remove_vnic(struct vswitch_model *model, const char *name, struct error *error)
{
    const struct vswitch_vnic *is = need_vnic(model, name, error);

    if (is == NULL) {
        return -ENOENT;
    }
    vswitch_drop_vnic(model, (size_t)(is - model->vnics));
    return 0;
}

/* ---- static addresses ------------------------------------------------------------------------ */

size_t vswitch_count_macs(const struct vswitch_model *model, uint16_t switch_id)
{
    size_t count = 0;

    for (size_t i = 0; i < model->mac_count; i++) {
        count += model->macs[i].switch_id == switch_id;
    }
    return count;
}

static struct vswitch_static_mac *find_static(const struct vswitch_model *model,
                                              uint16_t switch_id, uint64_t mac, uint16_t vlan)
{
    for (size_t i = 0; i < model->mac_count; i++) {
        struct vswitch_static_mac *each = &model->macs[i];

        if (each->switch_id == switch_id && each->mac == mac && each->vlan == vlan) {
            return each;
        }
    }
    return NULL;
}

static int check_new_mac(const struct vswitch_model *model, const struct vswitch_switch *on,
                         uint64_t mac, uint16_t vlan, struct error *error)
{
    const struct vswitch_static_mac *pinned = find_static(model, on->id, mac, vlan);
    char text[MAC_TEXT_SIZE];

    if (!mac_is_station(mac)) {
        return error_set(error, EINVAL, "switch \"%s\": %s cannot be pinned to a port; choose a "
                         "unicast address that is not all zero", on->name, mac_format(mac, text));
    }
    if (vlan != 0) {
        return error_set(error, EOPNOTSUPP, "switch \"%s\": this version has VLAN 0 only; leave "
                         "--vlan %u out", on->name, vlan);
    }
    if (pinned != NULL) {
        return error_set(error, EEXIST, "switch \"%s\": %s is pinned to vNIC \"%s\" already; "
                         "remove it there first", on->name, mac_format(mac, text),
                         vswitch_vnic_by_port(model, pinned->port)->name);
    }
    if (vswitch_count_macs(model, on->id) >= on->mac_capacity_entries) {
        return error_set(error, ENOSPC, "switch \"%s\" has as many static addresses as its "
                         "mac-capacity of %u allows; raise it or remove some first", on->name,
                         on->mac_capacity_entries);
    }
    return 0;
}

int vswitch_add_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                    uint16_t vlan, const char *port_name, struct error *error)
{
    const struct vswitch_switch *on = vswitch_need(model, switch_name, error);
    const struct vswitch_vnic *vnic = on != NULL ? need_vnic(model, port_name, error) : NULL;
    struct vswitch_static_mac *macs;
    int rc;

    if (vnic == NULL) {
        return -ENOENT;
    }
    if (vnic->switch_id != on->id) {
        return error_set(error, EINVAL, "vNIC \"%s\" is on switch \"%s\", not on \"%s\"; name a "
                         "vNIC of \"%s\"", vnic->name, vswitch_by_id(model, vnic->switch_id)->name,
                         on->name, on->name);
    }
    rc = check_new_mac(model, on, mac, vlan, error);
    if (rc != 0) {
        return rc;
    }
    macs = reallocarray(model->macs, model->mac_count + 1, sizeof(*macs));
    if (macs == NULL) {
        return text_refuse_memory(error);
    }

    model->macs = macs;
    macs[model->mac_count++] = (struct vswitch_static_mac){
        .switch_id = on->id, .port = vnic->port, .vlan = vlan, .mac = mac,
    };
    return 0;
}

int vswitch_remove_mac(struct vswitch_model *model, const char *switch_name, uint64_t mac,
                       uint16_t vlan, struct error *error)
{
    const struct vswitch_switch *on = vswitch_need(model, switch_name, error);
    struct vswitch_static_mac *is;
    char text[MAC_TEXT_SIZE];

    if (on == NULL) {
        return -ENOENT;
    }
    is = find_static(model, on->id, mac, vlan);
    if (is == NULL) {
        return error_set(error, ENOENT, "switch \"%s\" has no static address %s in VLAN %u; "
                         "\"mac show %s\" lists what it has", on->name, mac_format(mac, text),
                         vlan, on->name);
    }
    model->mac_count--;
    memmove(is, is + 1, (size_t)(&model->macs[model->mac_count] - is) * sizeof(*is));
    return 0;
}
