/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model's life, its lookups, and the rules of switches.
 *
 * An edit checks everything, then gets memory, then changes the model, and from there on nothing
 * can fail: that is how "with the model unchanged" is kept.  Arrays are searched from end to end:
 * a model has hundreds of objects, and is edited by people.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/mac_table.h"
#include "switch/vswitch_inner.h"

#define AGEING_MAX_S  1000000u
#define POOL_PREFIX   UINT64_C(0x00155d000000)   /* Microsoft's, as Hyper-V gives it to vNICs */

/* ---- life ------------------------------------------------------------------------------------ */

struct vswitch_model *vswitch_model_create(uint16_t pool_octets)
{
    struct vswitch_model *model = calloc(1, sizeof(*model));

    if (model != NULL) {
        model->pool_first = POOL_PREFIX | (uint64_t)pool_octets << 8;
        model->pool_last = model->pool_first | 0xff;
        model->pool_next = model->pool_first;
    }
    return model;
}

/* An own copy of an array; one of nothing is NULL and no failure. */
static bool array_copy(void **to, const void *from, size_t count, size_t size_bytes)
{
    *to = NULL;
    if (count == 0) {
        return true;
    }
    *to = calloc(count, size_bytes);
    if (*to == NULL) {
        return false;
    }
    memcpy(*to, from, count * size_bytes);
    return true;
}

struct vswitch_model *vswitch_model_copy(const struct vswitch_model *model)
{
    struct vswitch_model *copy = malloc(sizeof(*copy));
    void *switches = NULL, *vnics = NULL, *macs = NULL, *teams = NULL;

    if (copy == NULL ||
        !array_copy(&switches, model->switches, model->switch_count, sizeof(*model->switches)) ||
        !array_copy(&vnics, model->vnics, model->vnic_count, sizeof(*model->vnics)) ||
        !array_copy(&macs, model->macs, model->mac_count, sizeof(*model->macs)) ||
        !array_copy(&teams, model->teams, model->team_count, sizeof(*model->teams))) {
        free(switches);
        free(vnics);
        free(macs);
        free(copy);
        return NULL;
    }
    *copy = *model;
    copy->switches = switches;
    copy->vnics = vnics;
    copy->macs = macs;
    copy->teams = teams;
    return copy;
}

void vswitch_model_destroy(struct vswitch_model *model)
{
    if (model == NULL) {
        return;
    }
    free(model->switches);
    free(model->vnics);
    free(model->macs);
    free(model->teams);
    free(model);
}

/* ---- looking up ------------------------------------------------------------------------------ */

const struct vswitch_switch *vswitch_find(const struct vswitch_model *model, const char *name)
{
    for (size_t i = 0; i < model->switch_count; i++) {
        if (strcmp(model->switches[i].name, name) == 0) {
            return &model->switches[i];
        }
    }
    return NULL;
}

const struct vswitch_switch *vswitch_by_id(const struct vswitch_model *model, uint16_t id)
{
    for (size_t i = 0; i < model->switch_count; i++) {
        if (model->switches[i].id == id) {
            return &model->switches[i];
        }
    }
    return NULL;
}

const struct vswitch_switch *vswitch_need(const struct vswitch_model *model, const char *name,
                                          struct error *error)
{
    const struct vswitch_switch *found = vswitch_find(model, name);

    if (found == NULL) {
        const struct text_names names = {
            .first = model->switch_count > 0 ? model->switches[0].name : NULL,
            .count = model->switch_count,
            .stride_bytes = sizeof(*model->switches),
        };

        (void)text_refuse_unknown(error, "switch", name, names);
    }
    return found;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool vswitch_is_word(const char *text, size_t size)
{
    size_t len = 0;

    while (len < size && (is_alphanumeric(text[len]) ||
                          (len > 0 && text[len] != '\0' && strchr("._-", text[len]) != NULL))) {
        len++;
    }
    return len > 0 && len < size && text[len] == '\0';
}

int vswitch_check_name(const char *what, const char *name, struct error *error)
{
    if (vswitch_is_word(name, VSWITCH_NAME_SIZE)) {
        return 0;
    }
    return error_set(error, EINVAL,
                     "\"%s\" cannot name a %s; choose 1 to 63 of A-Z a-z 0-9 . _ -, "
                     "the first a letter or a digit", text_show(name).text, what);
}

/* ---- switches -------------------------------------------------------------------------------- */

static int check_switch_values(const struct vswitch_switch *wanted, struct error *error)
{
    int rc = text_check_range(error, "switch", wanted->name, "MTU", wanted->mtu_bytes,
                              VSWITCH_MTU_MIN_BYTES, VSWITCH_MTU_MAX_BYTES);

    if (rc == 0) {
        rc = text_check_range(error, "switch", wanted->name, "mac-capacity",
                              wanted->mac_capacity_entries, 1, MAC_TABLE_MAX_ENTRIES);
    }
    if (rc == 0) {
        rc = text_check_range(error, "switch", wanted->name, "mac-ageing", wanted->mac_ageing_s, 0,
                              AGEING_MAX_S);
    }
    return rc;
}

/* The next number that no switch has; the caller knows that there is one. */
static uint16_t free_id(const struct vswitch_model *model)
{
    uint16_t id = model->next_switch_id;

    while (vswitch_by_id(model, id) != NULL) {
        id = (uint16_t)((id + 1) % FABRIC_MAX_SWITCHES);
    }
    return id;
}

/* What there is to check of a switch, new (@p is is NULL) or changed. */
static int check_switch(const struct vswitch_model *model, const struct vswitch_switch *is,
                        const struct vswitch_switch *wanted, struct error *error)
{
    int rc = check_switch_values(wanted, error);

    if (rc == 0) {
        rc = vswitch_check_uplink(model, is, wanted, error);
    }
    return rc != 0 ? rc : vswitch_check_host(model, is, wanted, error);
}

/* The address of the host's adapter, 0 when there is none to be. @return 0, or a refusal */
static int choose_host_mac(const struct vswitch_model *model, const struct vswitch_switch *is,
                           const struct vswitch_switch *wanted, uint64_t *mac, struct error *error)
{
    *mac = wanted->host_mac != 0 || is == NULL ? wanted->host_mac : is->host_mac;
    if (!wanted->host_vnic) {
        *mac = 0;
    } else if (*mac == 0) {
        *mac = vswitch_choose_mac(model, "switch", wanted->name, error);
        return *mac == 0 ? -ENOSPC : 0;
    }
    return 0;
}

/*
 * Makes of @p change, a switch of the model with its id and its ports, what is wanted.  Numbers of
 * ports that come are chosen while those that go are still taken.
 */
static void change_switch(struct vswitch_model *model, struct vswitch_switch *change,
                          const struct vswitch_switch *wanted, uint64_t host_mac)
{
    const struct vswitch_switch was = *change;
    uint16_t uplink_port = VSWITCH_NO_PORT, host_port = VSWITCH_NO_PORT;

    if (wanted->uplink[0] != '\0') {
        uplink_port = vswitch_same_uplink(was.uplink, wanted->uplink) ? was.uplink_port
                                                                      : vswitch_new_port(model);
    }
    if (wanted->host_vnic) {
        host_port = was.host_vnic ? was.host_port : vswitch_new_port(model);
    }
    if (wanted->host_mac == 0 && host_mac != was.host_mac && host_mac != 0) {
        vswitch_take_mac(model, host_mac);
    }

    *change = *wanted;
    change->id = was.id;
    change->uplink_port = uplink_port;
    change->host_port = host_port;
    change->host_mac = host_mac;
    change->host_name[0] = '\0';
    if (wanted->host_vnic) {
        vswitch_host_name(wanted->name, change->host_name);
    }
    if (was.uplink_port != uplink_port) {
        vswitch_drop_macs(model, was.uplink_port);
    }
    if (was.host_port != host_port) {
        vswitch_drop_macs(model, was.host_port);
    }
}

int vswitch_add(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error)
{
    struct vswitch_switch *switches, *added;
    uint64_t host_mac;
    int rc = vswitch_check_name("switch", wanted->name, error);

    if (rc != 0) {
        return rc;
    }
    if (vswitch_find(model, wanted->name) != NULL) {
        return error_set(error, EEXIST, "a switch named \"%s\" already exists; "
                         "choose another name or remove it first", wanted->name);
    }
    rc = check_switch(model, NULL, wanted, error);
    if (rc != 0) {
        return rc;
    }
    if (model->switch_count >= FABRIC_MAX_SWITCHES) {
        return error_set(error, ENOSPC, "switch \"%s\" cannot be added, because there are %u "
                         "already and no more can be; remove one first", wanted->name,
                         FABRIC_MAX_SWITCHES);
    }
    rc = choose_host_mac(model, NULL, wanted, &host_mac, error);
    if (rc != 0) {
        return rc;
    }
    switches = reallocarray(model->switches, model->switch_count + 1, sizeof(*switches));
    if (switches == NULL) {
        return text_refuse_memory(error);
    }

    model->switches = switches;
    added = &switches[model->switch_count];
    *added = (struct vswitch_switch){
        .id = free_id(model), .uplink_port = VSWITCH_NO_PORT, .host_port = VSWITCH_NO_PORT,
    };
    model->next_switch_id = (uint16_t)((added->id + 1) % FABRIC_MAX_SWITCHES);
    model->switch_count++;
    change_switch(model, added, wanted, host_mac);
    return 0;
}

/* What is on the switch already may need more than is wanted of it now. */
static int check_switch_suits(const struct vswitch_model *model, const struct vswitch_switch *is,
                              const struct vswitch_switch *wanted, struct error *error)
{
    const size_t pinned = vswitch_count_pins(model, is->id) + (wanted->host_vnic && !is->host_vnic);

    for (size_t i = 0; i < model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &model->vnics[i];

        if (vnic->switch_id == is->id && vnic->mtu_bytes > wanted->mtu_bytes) {
            return error_set(error, EBUSY, "switch \"%s\": MTU %u is below the %u of vNIC \"%s\"; "
                             "lower the vNIC's MTU first or choose at least %u", is->name,
                             wanted->mtu_bytes, vnic->mtu_bytes, vnic->name, vnic->mtu_bytes);
        }
    }
    if (pinned > wanted->mac_capacity_entries) {
        return error_set(error, EBUSY, "switch \"%s\": mac-capacity %u is below the %zu pinned "
                         "addresses it has; choose more or remove some first", is->name,
                         wanted->mac_capacity_entries, pinned);
    }
    return 0;
}

int vswitch_set(struct vswitch_model *model, const struct vswitch_switch *wanted,
                struct error *error)
{
    const struct vswitch_switch *is = vswitch_need(model, wanted->name, error);
    uint64_t host_mac;
    int rc;

    if (is == NULL) {
        return -ENOENT;
    }
    rc = check_switch(model, is, wanted, error);
    if (rc == 0) {
        rc = check_switch_suits(model, is, wanted, error);
    }
    if (rc == 0) {
        rc = choose_host_mac(model, is, wanted, &host_mac, error);
    }
    if (rc != 0) {
        return rc;
    }
    change_switch(model, &model->switches[is - model->switches], wanted, host_mac);
    return 0;
}

static size_t count_vnics(const struct vswitch_model *model, uint16_t switch_id)
{
    size_t count = 0;

    for (size_t i = 0; i < model->vnic_count; i++) {
        count += model->vnics[i].switch_id == switch_id;
    }
    return count;
}

int vswitch_remove(struct vswitch_model *model, const char *name, bool force,
                   struct error *error)
{
    const struct vswitch_switch *is = vswitch_need(model, name, error);
    size_t vnics, at;

    if (is == NULL) {
        return -ENOENT;
    }
    vnics = count_vnics(model, is->id);
    if (vnics > 0 && !force) {
        return error_set(error, EBUSY, "switch \"%s\" has %zu vNIC%s; remove %s first, or use "
                         "--force to remove %s", name, vnics, vnics == 1 ? "" : "s",
                         vnics == 1 ? "it" : "them", vnics == 1 ? "both" : "them with it");
    }

    for (size_t i = model->vnic_count; i-- > 0;) {
        if (model->vnics[i].switch_id == is->id) {
            vswitch_drop_vnic(model, i);
        }
    }
    at = (size_t)(is - model->switches);
    vswitch_drop_macs(model, is->uplink_port);
    vswitch_drop_macs(model, is->host_port);
    model->switch_count--;
    memmove(&model->switches[at], &model->switches[at + 1],
            (model->switch_count - at) * sizeof(*model->switches));
    return 0;
}
