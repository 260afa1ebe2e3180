/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of vNICs.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/offload.h"
#include "switch/vswitch_inner.h"

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

/* The addresses it may send from; @p is is the vNIC that changes, NULL for a new one. */
static int check_macs(const struct vswitch_model *model, const struct vswitch_vnic *is,
                      const struct vswitch_vnic *wanted, struct error *error)
{
    const uint16_t port = is != NULL ? is->port : VSWITCH_NO_PORT;
    int rc = wanted->mac == 0 ? 0 : vswitch_check_mac(model, port, wanted->name, wanted->mac,
                                                      error);

    if (wanted->allowed_mac_count > VSWITCH_ALLOWED_MACS_MAX) {
        return error_set(error, ERANGE, "vNIC \"%s\": it may be allowed %u addresses besides its "
                         "own; use --spoof-guard off where it needs more", wanted->name,
                         VSWITCH_ALLOWED_MACS_MAX);
    }
    for (uint16_t i = 0; i < wanted->allowed_mac_count && rc == 0; i++) {
        rc = vswitch_check_mac(model, port, wanted->name, wanted->allowed_mac[i], error);
    }
    return rc;
}

static size_t count_own_pins(const struct vswitch_vnic *vnic)
{
    const struct vswitch_port port = {
        .vlan = &vnic->vlan, .locked = vnic->spoof_guard,
        .allowed_mac_count = vnic->allowed_mac_count,
    };

    return vswitch_count_own_pins(&port);
}

/* The switch must know the addresses of every locked vNIC. */
static int check_room(const struct vswitch_model *model, const struct vswitch_switch *on,
                      const struct vswitch_vnic *is, const struct vswitch_vnic *wanted,
                      struct error *error)
{
    const size_t others = vswitch_count_pins(model, on->id) -
                          (is != NULL ? count_own_pins(is) : 0);
    const size_t all = others + count_own_pins(wanted);

    if (all <= on->mac_capacity_entries || count_own_pins(wanted) == 0) {
        return 0;
    }
    return error_set(error, ENOSPC, "vNIC \"%s\": switch \"%s\" would have %zu pinned addresses, "
                     "which is above its mac-capacity of %u; raise that first", wanted->name,
                     on->name, all, on->mac_capacity_entries);
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

/* A guest that is offered a feature without those it needs may not take it: virtio 1.2, 5.1.3.1. */
static int check_offload(const struct vswitch_vnic *wanted, struct error *error)
{
    const uint64_t sound = offload_sound(wanted->offload & OFFLOAD_ALL);
    char is[OFFLOAD_TEXT_SIZE], better[OFFLOAD_TEXT_SIZE];

    if (sound == wanted->offload) {
        return 0;
    }
    offload_format(wanted->offload, is);
    offload_format(sound, better);
    return error_set(error, EINVAL, "vNIC \"%s\": offload %s has features without those that "
                     "they need; choose %s, which is the rest of it, or add what is missing",
                     wanted->name, is, better);
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
        rc = check_macs(model, is, wanted, error);
    }
    if (rc == 0) {
        rc = vswitch_check_vlan(model, on->id, is, wanted, error);
    }
    if (rc == 0) {
        rc = check_room(model, on, is, wanted, error);
    }
    if (rc == 0) {
        rc = check_account(wanted, "owner", wanted->socket_owner, error);
    }
    if (rc == 0) {
        rc = check_account(wanted, "group", wanted->socket_group, error);
    }
    if (rc == 0) {
        rc = check_offload(wanted, error);
    }
    return rc;
}

/* ---- adding, changing, removing -------------------------------------------------------------- */

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
    if (strcmp(wanted->name, on->host_name) == 0 || strcmp(wanted->name, on->uplink) == 0) {
        return error_set(error, EEXIST, "switch \"%s\" has a port named \"%s\" already, its %s; "
                         "choose another name", on->name, wanted->name,
                         strcmp(wanted->name, on->uplink) == 0 ? "uplink" : "host vNIC");
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
    mac = wanted->mac != 0 ? wanted->mac : vswitch_choose_mac(model, "vNIC", wanted->name, error);
    if (mac == 0) {
        return -ENOSPC;
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
    added->port = vswitch_new_port(model);
    if (wanted->mac == 0) {
        vswitch_take_mac(model, mac);
    }
    model->vnic_count++;
    return 0;
}

int vswitch_set_vnic(struct vswitch_model *model, const struct vswitch_vnic *wanted,
                     struct error *error)
{
    const struct vswitch_vnic *is = need_vnic(model, wanted->name, error);
    struct vswitch_vnic *change, was;
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
    was = *is;
    *change = *wanted;
    change->mac = wanted->mac != 0 ? wanted->mac : was.mac;
    change->port = was.port;
    change->switch_id = was.switch_id;
    return 0;
}

void vswitch_drop_vnic(struct vswitch_model *model, size_t at)
{
    vswitch_drop_macs(model, model->vnics[at].port);
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
