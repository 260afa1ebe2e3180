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

#include "ctl/host/host_vnic.h"
#include "ctl/host/link.h"
#include "ctl/log.h"
#include "ctl/notices.h"
#include "ctl/host/uplink.h"
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

/* ---- pinned addresses ------------------------------------------------------------------------ */

static int add_pins(const struct control *control, const struct vswitch_model *wanted,
                    struct control_resources *made, struct error *error)
{
    const struct control_resources *is = &control->resources;
    char text[MAC_TEXT_SIZE];
    struct vswitch_pin pin;

    if (pins_list(wanted, &made->pins) != 0) {
        return error_set(error, ENOMEM, "There is no memory left to prepare the change.");
    }
    if (pins_add(made->table, is->table, &is->pins, &made->pins, &pin) != 0) {
        return error_set(error, ENOSPC, "switch \"%s\": its table has no room for the static "
                         "address %s; raise its --mac-capacity",
                         vswitch_by_id(wanted, pin.switch_id)->name, mac_format(pin.mac, text));
    }
    return 0;
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
        .offload = wanted->offload,
        .granted = wanted->offload_granted,
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

/* Offers of vNICs that stay what is offered now. */
static void settle_offloads(const struct control *control, const struct vswitch_model *wanted,
                            const struct control_resources *made)
{
    for (size_t i = 0; i < wanted->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &wanted->vnics[i];
        const struct vswitch_vnic *was = vswitch_vnic_by_port(control->model, vnic->port);

        if (was != NULL && (was->offload != vnic->offload ||
                            was->offload_granted != vnic->offload_granted)) {
            vhost_control_set_offload(made->endpoint[vnic->port].at, vnic->offload,
                                      vnic->offload_granted);
        }
    }
}

/* ---- uplinks and the host's adapters --------------------------------------------------------- */

/* Whether the host's addresses may go back to an uplink that it is kept off. */
static int check_move_end(const struct control *control, const struct vswitch_switch *is,
                          const struct vswitch_switch *wanted, struct error *error)
{
    char name[LINK_NAME_SIZE];

    if (!is->move_addresses || wanted->move_addresses || wanted->force) {
        return 0;
    }
    if (link_default_route(control->links, name, error) == 0 && strcmp(name, is->host_name) == 0) {
        return error_set(error, EBUSY, "switch \"%s\": the host's default route would go back to "
                         "interface \"%s\", which the host could not use; say --force to cut it "
                         "off, or remove the switch", is->name, is->uplink);
    }
    return 0;
}

/* Changes what is another of an uplink that stays. */
static int change_uplink(struct control *control, const struct vswitch_switch *is,
                         const struct vswitch_switch *wanted, struct error *error)
{
    struct uplink *uplink = control->resources.uplink[is->id];
    int rc = check_move_end(control, is, wanted, error);

    if (rc == 0 && is->mtu_bytes != wanted->mtu_bytes) {
        rc = uplink_set_mtu(uplink, wanted->mtu_bytes, error);
    }
    if (rc == 0 && wanted->move_addresses) {
        rc = uplink_prepare_move(uplink, error);
    }
    return rc;
}

/* Of an uplink whose addresses are not to be moved, none are. */
static void settle_move(struct uplink *uplink, const struct vswitch_switch *of)
{
    if (uplink != NULL && !of->move_addresses) {
        uplink_end_move(uplink, true);
    }
}

/* Keeps the uplink that stands, or opens the one that is new. */
static int make_uplink(struct control *control, const struct vswitch_switch *is,
                       const struct vswitch_switch *wanted, struct control_resources *made,
                       struct error *error)
{
    const uint16_t port = wanted->uplink_port;

    if (is == NULL || is->uplink_port != port) {
        made->uplink[wanted->id] = uplink_open(control, wanted, &made->endpoint[port], error);
        return made->uplink[wanted->id] != NULL ? 0 : -(error->code != 0 ? error->code : EIO);
    }
    made->uplink[wanted->id] = control->resources.uplink[wanted->id];
    made->endpoint[port] = control->resources.endpoint[port];
    return change_uplink(control, is, wanted, error);
}

static int make_host(struct control *control, const struct vswitch_switch *is,
                     const struct vswitch_switch *wanted, struct control_resources *made,
                     struct error *error)
{
    const uint16_t port = wanted->host_port;

    if (is == NULL || is->host_port != port) {
        made->host[wanted->id] = host_vnic_open(control, wanted, &made->endpoint[port], error);
        return made->host[wanted->id] != NULL ? 0 : -(error->code != 0 ? error->code : EIO);
    }
    made->host[wanted->id] = control->resources.host[wanted->id];
    made->endpoint[port] = control->resources.endpoint[port];
    return host_vnic_set(made->host[wanted->id], wanted, error);
}

/* An uplink can say no more often than the host's adapter, so it is asked first. */
static int make_switch(struct control *control, const struct vswitch_switch *wanted,
                       struct control_resources *made, struct error *error)
{
    const struct vswitch_switch *is = vswitch_by_id(control->model, wanted->id);
    int rc = make_table(control, wanted, made, error);

    if (rc == 0 && wanted->uplink_port != VSWITCH_NO_PORT) {
        rc = make_uplink(control, is, wanted, made, error);
    }
    if (rc == 0 && wanted->host_port != VSWITCH_NO_PORT) {
        rc = make_host(control, is, wanted, made, error);
    }
    return rc;
}

/* Changes back what resources_make() changed of what stays; what it did not reach is as it was. */
static void restore_switch(struct control *control, const struct vswitch_switch *is,
                           const struct vswitch_switch *wanted)
{
    struct error ignored;

    if (is->uplink_port != VSWITCH_NO_PORT && is->uplink_port == wanted->uplink_port) {
        settle_move(control->resources.uplink[is->id], is);
        if (is->mtu_bytes != wanted->mtu_bytes) {
            (void)uplink_set_mtu(control->resources.uplink[is->id], is->mtu_bytes, &ignored);
        }
    }
    if (is->host_port != VSWITCH_NO_PORT && is->host_port == wanted->host_port) {
        (void)host_vnic_set(control->resources.host[is->id], is, &ignored);
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

int resources_make(struct control *control, const struct vswitch_model *wanted,
                   struct control_resources *made, struct error *error)
{
    int rc = 0;

    memset(made, 0, sizeof(*made));
    for (size_t i = 0; i < wanted->switch_count && rc == 0; i++) {
        rc = make_switch(control, &wanted->switches[i], made, error);
    }
    for (size_t i = 0; i < wanted->vnic_count && rc == 0; i++) {
        const struct vswitch_vnic *vnic = &wanted->vnics[i];
        const struct vswitch_vnic *is = vswitch_vnic_by_port(control->model, vnic->port);

        rc = is == NULL ? make_vnic(control, vnic, made, error)
                        : keep_vnic(control, is, vnic, made, error);
    }
    return rc != 0 ? rc : add_pins(control, wanted, made, error);
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* What a port leaves behind: its table entries, its counters, what the log has said of it. */
static void forget_port(struct control *control, uint16_t port, uint16_t switch_id,
                        struct mac_table *table)
{
    struct port_counters counters;

    if (table != NULL) {
        (void)mac_table_remove_port(table, port);
    }
    dataplane_counters(control->config.dataplane, port, &counters);
    port_counters_add(&control->removed[switch_id], &counters);
    dataplane_clear_counters(control->config.dataplane, port);
    notices_forget_port(control->notices, port);
}

static void drop_vnics(struct control *control, const struct control_resources *drop,
                       const struct control_resources *stay, const struct vswitch_model *model)
{
    for (size_t i = 0; i < model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &model->vnics[i];
        struct vnic *endpoint = drop->endpoint[vnic->port].at;

        if (endpoint != NULL && endpoint != stay->endpoint[vnic->port].at) {
            vhost_control_remove(endpoint);
            forget_port(control, vnic->port, vnic->switch_id, stay->table[vnic->switch_id]);
        }
    }
}

static void drop_switch(struct control *control, const struct control_resources *drop,
                        const struct control_resources *stay, const struct vswitch_switch *of)
{
    struct uplink *uplink = drop->uplink[of->id];
    struct host_vnic *host = drop->host[of->id];

    if (uplink != NULL && uplink != stay->uplink[of->id]) {
        uplink_end_move(uplink, false);            /* while its adapter is there */
    }
    if (host != NULL && host != stay->host[of->id]) {
        host_vnic_close(host);
        forget_port(control, of->host_port, of->id, stay->table[of->id]);
    }
    if (uplink != NULL && uplink != stay->uplink[of->id]) {
        uplink_close(uplink);
        forget_port(control, of->uplink_port, of->id, stay->table[of->id]);
    }
    if (drop->table[of->id] != stay->table[of->id]) {
        mac_table_destroy(drop->table[of->id]);
    }
    if (stay->table[of->id] == NULL) {
        memset(&control->removed[of->id], 0, sizeof(control->removed[of->id]));
    }
}

/* Gives back what stands in @p drop and not in @p stay; @p model is what @p drop was made for. */
static void drop_others(struct control *control, struct control_resources *drop,
                        const struct control_resources *stay, const struct vswitch_model *model)
{
    drop_vnics(control, drop, stay, model);
    for (size_t i = 0; i < model->switch_count; i++) {
        drop_switch(control, drop, stay, &model->switches[i]);
    }
    pins_release(&drop->pins);
}

void resources_undo(struct control *control, const struct vswitch_model *wanted,
                    struct control_resources *made)
{
    const struct control_resources *is = &control->resources;
    struct vswitch_pin unused;
    struct error ignored;

    pins_drop(is->table, &made->pins, &is->pins);
    (void)pins_add(is->table, is->table, &made->pins, &is->pins, &unused);
    drop_others(control, made, is, wanted);
    for (size_t i = 0; i < control->model->switch_count; i++) {
        const struct vswitch_switch *of = &control->model->switches[i];
        const struct vswitch_switch *other = vswitch_by_id(wanted, of->id);

        if (other != NULL) {
            restore_switch(control, of, other);
        }
    }
    for (size_t i = 0; i < control->model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &control->model->vnics[i];
        const struct vswitch_vnic *other = vswitch_vnic_by_port(wanted, vnic->port);

        if (other != NULL && !same_owner(vnic, other)) {
            (void)change_owner(control, is->endpoint[vnic->port].at, vnic, &ignored);
        }
    }
}

void resources_settle(struct control *control, const struct vswitch_model *wanted,
                      const struct control_resources *made)
{
    pins_drop(made->table, &control->resources.pins, &made->pins);
    for (size_t i = 0; i < wanted->switch_count; i++) {
        const struct vswitch_switch *each = &wanted->switches[i];

        mac_table_set_ageing(made->table[each->id], each->mac_ageing_s);
        settle_move(made->uplink[each->id], each);
    }
    settle_offloads(control, wanted, made);
    drop_others(control, &control->resources, made, control->model);
    control->resources = *made;
}
