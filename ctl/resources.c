/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/resources.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/log.h"
#include "ctl/notices.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "vnic/vhost_control.h"

#define SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* ---- address tables -------------------------------------------------------------------------- */

/* A table that is new or has another size: what the old one knew is copied. */
static int make_table(struct control *control, const struct vswitch_switch *wanted,
                      struct control_resources *made, struct error *error)
{
    const struct vswitch_switch *is = vswitch_by_id(control->model, wanted->id);
    const struct mac_table *old = control->resources.table[wanted->id];
    struct mac_table_config config = {
        .capacity_entries = wanted->mac_capacity_entries,
        .ageing_s = wanted->mac_ageing_s,
    };

    if (is != NULL && is->mac_capacity_entries == wanted->mac_capacity_entries) {
        made->table[wanted->id] = control->resources.table[wanted->id];
        return 0;
    }
    if (getrandom(&config.seed, sizeof(config.seed), 0) != (ssize_t)sizeof(config.seed)) {
        return error_set(error, EIO, "switch \"%s\": the kernel gives no random numbers for its "
                         "address table", wanted->name);
    }
    made->table[wanted->id] = mac_table_create(&config);
    if (made->table[wanted->id] == NULL) {
        return error_set(error, ENOMEM, "switch \"%s\": there is no memory for a table of %u "
                         "addresses; choose a smaller --mac-capacity", wanted->name,
                         wanted->mac_capacity_entries);
    }
    if (old != NULL) {
        mac_table_copy(made->table[wanted->id], old);
    }
    return 0;
}

/* ---- pinned addresses: entries of the tables that the model names ---------------------------- */

static bool model_pins(const struct vswitch_model *model, const struct vswitch_static_mac *pin)
{
    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *each = &model->macs[i];

        if (each->mac == pin->mac && each->vlan == pin->vlan && each->switch_id == pin->switch_id) {
            return true;
        }
    }
    return false;
}

/* Pins what @p model names in the tables there are; what is pinned already stays so. */
static int add_pins(const struct control_resources *resources, const struct vswitch_model *model,
                    struct error *error)
{
    char text[MAC_TEXT_SIZE];

    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *pin = &model->macs[i];
        struct mac_table *table = resources->table[pin->switch_id];

        if (table != NULL && mac_table_add_static(table, pin->mac, pin->vlan, pin->port) != 0) {
            return error_set(error, ENOSPC, "switch \"%s\": its table has no room for the static "
                             "address %s; raise its --mac-capacity",
                             vswitch_by_id(model, pin->switch_id)->name,
                             mac_format(pin->mac, text));
        }
    }
    return 0;
}

/* Takes out of the tables what @p from pins and @p to does not. */
static void drop_pins(const struct control_resources *resources, const struct vswitch_model *from,
                      const struct vswitch_model *to)
{
    if (from->mac_count == to->mac_count &&
        (from->mac_count == 0 ||
         memcmp(from->macs, to->macs, from->mac_count * sizeof(from->macs[0])) == 0)) {
        return;
    }
    for (size_t i = 0; i < from->mac_count; i++) {
        const struct vswitch_static_mac *pin = &from->macs[i];
        struct mac_table *table = resources->table[pin->switch_id];

        if (table != NULL && !model_pins(to, pin)) {
            (void)mac_table_remove(table, pin->mac, pin->vlan);
        }
    }
}

/* ---- who owns a socket ----------------------------------------------------------------------- */

static int find_user(const char *name, uid_t *uid)
{
    const struct passwd *user = getpwnam(name);

    if (user != NULL) {
        *uid = user->pw_uid;
    }
    return user != NULL ? 0 : -ENOENT;
}

static int find_group(const char *name, gid_t *gid)
{
    const struct group *group = getgrnam(name);

    if (group != NULL) {
        *gid = group->gr_gid;
    }
    return group != NULL ? 0 : -ENOENT;
}

/* An account that is gone since the state was kept must not keep the whole switch from starting. */
static int refuse_account(const struct control *control, const struct vswitch_vnic *vnic,
                          const char *what, const char *name, struct error *error)
{
    if (control->restoring) {
        log_warning("vNIC %s: there is no %s %s any more, so its socket stays the daemon's; give "
                    "it another with vnic set", vnic->name, what, name);
        return 0;
    }
    return error_set(error, ENOENT, "vNIC \"%s\": there is no %s named \"%s\" on this host; make "
                     "it first or choose another", vnic->name, what, name);
}

static int find_owner(const struct control *control, const struct vswitch_vnic *vnic, uid_t *uid,
                      gid_t *gid, struct error *error)
{
    int rc = 0;

    *uid = (uid_t)-1;
    *gid = control->config.group;
    if (vnic->socket_owner[0] != '\0' && find_user(vnic->socket_owner, uid) != 0) {
        rc = refuse_account(control, vnic, "user", vnic->socket_owner, error);
    }
    if (rc == 0 && vnic->socket_group[0] != '\0' && find_group(vnic->socket_group, gid) != 0) {
        rc = refuse_account(control, vnic, "group", vnic->socket_group, error);
    }
    return rc;
}

static bool same_owner(const struct vswitch_vnic *a, const struct vswitch_vnic *b)
{
    return strcmp(a->socket_owner, b->socket_owner) == 0 &&
           strcmp(a->socket_group, b->socket_group) == 0;
}

/* Gives the socket to whom @p wanted says; where it says nobody, to the daemon's own. */
static int change_owner(const struct control *control, struct vnic *endpoint,
                        const struct vswitch_vnic *wanted, struct error *error)
{
    uid_t uid;
    gid_t gid;
    int rc = find_owner(control, wanted, &uid, &gid, error);

    if (rc == 0) {
        uid = uid == (uid_t)-1 ? geteuid() : uid;
        gid = gid == (gid_t)-1 ? getegid() : gid;
        rc = vhost_control_chown(endpoint, uid, gid, error);
    }
    return rc;
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

static int make_vnic(struct control *control, const struct vswitch_vnic *wanted,
                     struct control_resources *made, struct error *error)
{
    char path[SOCKET_PATH_SIZE];
    struct vhost_control_config config = {
        .path = path,
        .port = wanted->port,
        .pairs = wanted->queues,
        .shared = dataplane_worker_count(control->config.dataplane) > 1,
    };
    int rc = control_socket_path(control, wanted->name, path, sizeof(path), error);

    if (rc == 0) {
        rc = find_owner(control, wanted, &config.owner, &config.group, error);
    }
    if (rc == 0) {
        made->endpoint[wanted->port] = (struct fabric_endpoint){
            .at = vhost_control_add(&config, error),
            .kind = FABRIC_PORT_VNIC,
            .queues = wanted->queues,
        };
        rc = made->endpoint[wanted->port].at == NULL ? -(error->code != 0 ? error->code : EIO) : 0;
    }
    return rc;
}

static int keep_vnic(struct control *control, const struct vswitch_vnic *is,
                     const struct vswitch_vnic *wanted, struct control_resources *made,
                     struct error *error)
{
    made->endpoint[wanted->port] = control->resources.endpoint[wanted->port];
    if (same_owner(is, wanted)) {
        return 0;
    }
    return change_owner(control, made->endpoint[wanted->port].at, wanted, error);
}

int resources_make(struct control *control, const struct vswitch_model *wanted,
                   struct control_resources *made, struct error *error)
{
    int rc = 0;

    memset(made, 0, sizeof(*made));
    for (size_t i = 0; i < wanted->switch_count && rc == 0; i++) {
        rc = make_table(control, &wanted->switches[i], made, error);
    }
    for (size_t i = 0; i < wanted->vnic_count && rc == 0; i++) {
        const struct vswitch_vnic *vnic = &wanted->vnics[i];
        const struct vswitch_vnic *is = vswitch_vnic_by_port(control->model, vnic->port);

        rc = is == NULL ? make_vnic(control, vnic, made, error)
                        : keep_vnic(control, is, vnic, made, error);
    }
    return rc != 0 ? rc : add_pins(made, wanted, error);
}

/* ---- giving back ----------------------------------------------------------------------------- */

static void drop_vnic(struct control *control, struct vnic *endpoint,
                      const struct vswitch_vnic *vnic, struct mac_table *table)
{
    struct port_counters counters;

    if (table != NULL) {
        (void)mac_table_remove_port(table, vnic->port);
    }
    vhost_control_remove(endpoint);
    dataplane_counters(control->config.dataplane, vnic->port, &counters);
    port_counters_add(&control->removed[vnic->switch_id], &counters);
    dataplane_clear_counters(control->config.dataplane, vnic->port);
    notices_forget_port(control->notices, vnic->port);
}

/* Gives back what stands in @p drop and not in @p stay; @p model is what @p drop was made for. */
static void drop_others(struct control *control, const struct control_resources *drop,
                        const struct control_resources *stay, const struct vswitch_model *model)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &model->vnics[i];
        struct vnic *endpoint = drop->endpoint[vnic->port].at;

        if (endpoint != NULL && endpoint != stay->endpoint[vnic->port].at) {
            drop_vnic(control, endpoint, vnic, stay->table[vnic->switch_id]);
        }
    }
    for (size_t i = 0; i < model->switch_count; i++) {
        const uint16_t id = model->switches[i].id;

        if (drop->table[id] != stay->table[id]) {
            mac_table_destroy(drop->table[id]);
        }
        if (stay->table[id] == NULL) {
            memset(&control->removed[id], 0, sizeof(control->removed[id]));
        }
    }
}

void resources_undo(struct control *control, const struct vswitch_model *wanted,
                    const struct control_resources *made)
{
    struct error ignored;

    drop_others(control, made, &control->resources, wanted);
    drop_pins(&control->resources, wanted, control->model);
    (void)add_pins(&control->resources, control->model, &ignored);
    for (size_t i = 0; i < control->model->vnic_count; i++) {
        const struct vswitch_vnic *is = &control->model->vnics[i];
        const struct vswitch_vnic *vnic = vswitch_vnic_by_port(wanted, is->port);

        if (vnic != NULL && !same_owner(is, vnic)) {
            (void)change_owner(control, control->resources.endpoint[is->port].at, is, &ignored);
        }
    }
}

void resources_settle(struct control *control, const struct vswitch_model *wanted,
                      const struct control_resources *made)
{
    drop_pins(made, control->model, wanted);
    for (size_t i = 0; i < wanted->switch_count; i++) {
        const struct vswitch_switch *each = &wanted->switches[i];

        mac_table_set_ageing(made->table[each->id], each->mac_ageing_s);
    }
    drop_others(control, &control->resources, made, control->model);
    control->resources = *made;
}
