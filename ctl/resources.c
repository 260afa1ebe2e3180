/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/resources.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ctl/host/host_vnic.h"
#include "ctl/host/link.h"
#include "ctl/host/uplink.h"
#include "ctl/notices.h"
#include "ctl/resources_inner.h"
#include "dataplane/team_port.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "vnic/vhost_control.h"

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

/* ---- uplinks and the host's adapters --------------------------------------------------------- */

/* Whether the host's addresses may go back to an uplink that it is kept off. */
static int check_move_end(const struct control *control, const struct uplink_wanted *is,
                          const struct uplink_wanted *wanted, struct error *error)
{
    char name[LINK_NAME_SIZE];

    if (!is->move_addresses || wanted->move_addresses || wanted->force) {
        return 0;
    }
    if (link_default_route(control->links, name, error) == 0 && strcmp(name, is->adapter) == 0) {
        return error_set(error, EBUSY, "switch \"%s\": the host's default route would go back to "
                         "interface \"%s\", which the host could not use; say --force to cut it "
                         "off, or remove the switch", is->owner_name, is->where);
    }
    return 0;
}

/* Changes what is another of an uplink that stays. */
static int change_uplink(struct control *control, const struct uplink_wanted *is,
                         const struct uplink_wanted *wanted, struct error *error)
{
    struct uplink *uplink = control->resources.uplink[is->port];
    int rc = check_move_end(control, is, wanted, error);

    if (rc == 0 && is->mtu_bytes != wanted->mtu_bytes) {
        rc = uplink_set_mtu(uplink, wanted->mtu_bytes, error);
    }
    if (rc == 0 && wanted->move_addresses) {
        rc = uplink_prepare_move(uplink, error);
    }
    return rc;
}

/* Keeps the uplink, or member of a team, that stands, or opens the one that is new. */
static int make_uplink(struct control *control, const struct uplink_wanted *wanted,
                       struct control_resources *made, struct error *error)
{
    const uint16_t port = wanted->port;
    struct uplink_wanted is;

    if (!uplink_wanted(control->model, port, &is)) {
        made->uplink[port] = uplink_open(control, wanted, &made->endpoint[port], error);
        return made->uplink[port] != NULL ? 0 : -(error->code != 0 ? error->code : EIO);
    }
    made->uplink[port] = control->resources.uplink[port];
    made->endpoint[port] = control->resources.endpoint[port];
    return change_uplink(control, &is, wanted, error);
}

/* Changes an uplink back that stays, as far as it was changed. */
static void restore_uplink(struct control *control, const struct uplink_wanted *is,
                           const struct uplink_wanted *wanted)
{
    struct uplink *uplink = control->resources.uplink[is->port];
    struct error ignored;

    if (!is->move_addresses) {
        uplink_end_move(uplink, true);
    }
    if (is->mtu_bytes != wanted->mtu_bytes) {
        (void)uplink_set_mtu(uplink, is->mtu_bytes, &ignored);
    }
}

/* Keeps what workers know of a team that stands, or makes it for one that is new. */
static int make_team(struct control *control, const struct vswitch_team *wanted,
                     struct control_resources *made, struct error *error)
{
    const uint16_t workers = dataplane_worker_count(control->config.dataplane);

    made->team[wanted->id] = control->resources.team[wanted->id];
    if (vswitch_team_by_id(control->model, wanted->id) == NULL) {
        made->team[wanted->id] = team_port_create(workers, error);
    }
    return made->team[wanted->id] != NULL ? 0 : -ENOMEM;
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

static int make_switch(struct control *control, const struct vswitch_model *model,
                       const struct vswitch_switch *wanted, struct control_resources *made,
                       struct error *error)
{
    const struct vswitch_switch *is = vswitch_by_id(control->model, wanted->id);
    const struct vswitch_team *team = vswitch_team_of(model, wanted);
    int rc = make_table(control, wanted, made, error);

    if (team != NULL) {
        made->endpoint[wanted->uplink_port] = (struct fabric_endpoint){
            .at = made->team[team->id], .kind = FABRIC_PORT_TEAM,
        };
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

    if (is->host_port != VSWITCH_NO_PORT && is->host_port == wanted->host_port) {
        (void)host_vnic_set(control->resources.host[is->id], is, &ignored);
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

int resources_make(struct control *control, const struct vswitch_model *wanted,
                   struct control_resources *made, struct error *error)
{
    struct uplink_wanted uplink;
    size_t cursor = 0;
    int rc = 0;

    memset(made, 0, sizeof(*made));
    /* An uplink can say no more often than the host's adapter, so it is asked first. */
    while (rc == 0 && uplink_wanted_next(wanted, &cursor, &uplink)) {
        rc = make_uplink(control, &uplink, made, error);
    }
    for (size_t i = 0; i < wanted->team_count && rc == 0; i++) {
        rc = make_team(control, &wanted->teams[i], made, error);
    }
    for (size_t i = 0; i < wanted->switch_count && rc == 0; i++) {
        rc = make_switch(control, wanted, &wanted->switches[i], made, error);
    }
    for (size_t i = 0; i < wanted->vnic_count && rc == 0; i++) {
        rc = resources_make_vnic(control, &wanted->vnics[i], made, error);
    }
    return rc != 0 ? rc : add_pins(control, wanted, made, error);
}

/* ---- giving back ----------------------------------------------------------------------------- */

/*
 * What a port leaves behind: its table entries, its counters, what the log has said of it.  What a
 * member had counted its team has too.
 */
static void forget_port(struct control *control, uint16_t port, uint16_t switch_id,
                        struct mac_table *table)
{
    struct port_counters counters;

    if (table != NULL) {
        (void)mac_table_remove_port(table, port);
    }
    dataplane_counters(control->config.dataplane, port, &counters);
    if (switch_id < FABRIC_MAX_SWITCHES) {
        port_counters_add(&control->removed[switch_id], &counters);
    }
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

/* A switch's uplink that was a team has no interface of its own, but a port. */
static bool loses_team(const struct control_resources *drop, const struct control_resources *stay,
                       const struct vswitch_switch *of)
{
    return of->uplink_port != VSWITCH_NO_PORT &&
           drop->endpoint[of->uplink_port].kind == FABRIC_PORT_TEAM &&
           stay->endpoint[of->uplink_port].kind != FABRIC_PORT_TEAM;
}

static void drop_switch(struct control *control, const struct control_resources *drop,
                        const struct control_resources *stay, const struct vswitch_switch *of)
{
    if (loses_team(drop, stay, of)) {
        forget_port(control, of->uplink_port, of->id, stay->table[of->id]);
    }
    if (drop->table[of->id] != stay->table[of->id]) {
        mac_table_destroy(drop->table[of->id]);
    }
    if (stay->table[of->id] == NULL) {
        memset(&control->removed[of->id], 0, sizeof(control->removed[of->id]));
    }
}

/* An uplink's addresses go back while the adapter is there that has them. */
static void drop_interfaces(struct control *control, const struct control_resources *drop,
                            const struct control_resources *stay,
                            const struct vswitch_model *model)
{
    struct uplink_wanted of;

    for (size_t cursor = 0; uplink_wanted_next(model, &cursor, &of);) {
        if (drop->uplink[of.port] != NULL && drop->uplink[of.port] != stay->uplink[of.port]) {
            uplink_end_move(drop->uplink[of.port], false);
        }
    }
    for (size_t i = 0; i < model->switch_count; i++) {
        const struct vswitch_switch *each = &model->switches[i];

        if (drop->host[each->id] != NULL && drop->host[each->id] != stay->host[each->id]) {
            host_vnic_close(drop->host[each->id]);
            forget_port(control, each->host_port, each->id, stay->table[each->id]);
        }
    }
    for (size_t cursor = 0; uplink_wanted_next(model, &cursor, &of);) {
        if (drop->uplink[of.port] != NULL && drop->uplink[of.port] != stay->uplink[of.port]) {
            uplink_close(drop->uplink[of.port]);
            forget_port(control, of.port, of.switch_id,
                        of.switch_id < FABRIC_MAX_SWITCHES ? stay->table[of.switch_id] : NULL);
        }
    }
}

/* Gives back what stands in @p drop and not in @p stay; @p model is what @p drop was made for. */
static void drop_others(struct control *control, struct control_resources *drop,
                        const struct control_resources *stay, const struct vswitch_model *model)
{
    drop_vnics(control, drop, stay, model);
    drop_interfaces(control, drop, stay, model);
    for (size_t i = 0; i < model->switch_count; i++) {
        drop_switch(control, drop, stay, &model->switches[i]);
    }
    for (size_t i = 0; i < VSWITCH_MAX_TEAMS; i++) {
        if (drop->team[i] != stay->team[i]) {
            team_port_destroy(drop->team[i]);
        }
    }
    pins_release(&drop->pins);
}

void resources_undo(struct control *control, const struct vswitch_model *wanted,
                    struct control_resources *made)
{
    const struct control_resources *is = &control->resources;
    struct uplink_wanted uplink, other_uplink;
    struct vswitch_pin unused;
    size_t cursor = 0;

    pins_drop(is->table, &made->pins, &is->pins);
    (void)pins_add(is->table, is->table, &made->pins, &is->pins, &unused);
    drop_others(control, made, is, wanted);
    while (uplink_wanted_next(control->model, &cursor, &uplink)) {
        if (uplink_wanted(wanted, uplink.port, &other_uplink)) {
            restore_uplink(control, &uplink, &other_uplink);
        }
    }
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

        if (other != NULL) {
            resources_restore_vnic(control, vnic, other);
        }
    }
}

void resources_settle(struct control *control, const struct vswitch_model *wanted,
                      const struct control_resources *made)
{
    struct uplink_wanted of;

    pins_drop(made->table, &control->resources.pins, &made->pins);
    for (size_t cursor = 0; uplink_wanted_next(wanted, &cursor, &of);) {
        if (!of.move_addresses) {
            uplink_end_move(made->uplink[of.port], true);
        }
    }
    for (size_t i = 0; i < wanted->switch_count; i++) {
        const struct vswitch_switch *each = &wanted->switches[i];

        mac_table_set_ageing(made->table[each->id], each->mac_ageing_s);
    }
    resources_settle_offloads(control, wanted, made);
    drop_others(control, &control->resources, made, control->model);
    control->resources = *made;
}
