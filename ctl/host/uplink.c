/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/host/uplink_inner.h"
#include "dataplane/dataplane.h"

static bool is_interface(const struct uplink *uplink)
{
    return uplink->where == VSWITCH_WHERE_INTERFACE;
}

/* Whether something is open that frames could flow through. */
static bool is_open(const struct uplink *uplink)
{
    return uplink->packet != NULL || uplink->nic != NULL;
}

/* What is left open of an interface that is gone is to be closed, before it can be back. */
static bool is_gone_and_open(const struct uplink *uplink)
{
    return is_interface(uplink) && uplink->ifindex == 0 && is_open(uplink);
}

static void fill_endpoint(const struct uplink *uplink, struct fabric_endpoint *endpoint)
{
    if (!uplink->live) {
        *endpoint = (struct fabric_endpoint){ .kind = FABRIC_PORT_ABSENT };
    } else if (uplink->nic != NULL) {
        *endpoint = (struct fabric_endpoint){
            .at = uplink->nic, .kind = FABRIC_PORT_NIC, .queues = nic_queues(uplink->nic),
        };
    } else {
        *endpoint = (struct fabric_endpoint){
            .at = uplink->packet, .kind = FABRIC_PORT_PACKET,
            .queues = packet_port_queues(uplink->packet),
        };
    }
}

/* ---- what is wanted -------------------------------------------------------------------------- */

static bool of_switch(const struct vswitch_model *model, const struct vswitch_switch *of,
                      struct uplink_wanted *wanted)
{
    *wanted = (struct uplink_wanted){
        .owner = "Switch", .owner_name = of->name, .what = "uplink", .role = "uplink of switch",
        .where = of->uplink, .adapter = of->host_name, .port = of->uplink_port,
        .switch_id = of->id, .mtu_bytes = of->mtu_bytes, .force = of->force,
        .move_addresses = of->move_addresses,
    };
    return of->uplink_port != VSWITCH_NO_PORT && vswitch_team_of(model, of) == NULL;
}

static bool of_team(const struct vswitch_model *model, const struct vswitch_team *of, size_t place,
                    struct uplink_wanted *wanted)
{
    const struct vswitch_member *member = &of->member[place];

    *wanted = (struct uplink_wanted){
        .owner = "Team", .owner_name = of->name, .what = "member", .role = "member of team",
        .where = member->where, .adapter = "", .port = member->port,
        .switch_id = FABRIC_MAX_SWITCHES, .more_senders = 1,
        .mtu_bytes = vswitch_team_mtu(model, of), .force = of->force,
    };
    return member->where[0] != '\0';
}

bool uplink_wanted_next(const struct vswitch_model *model, size_t *cursor,
                        struct uplink_wanted *wanted)
{
    bool found = false;

    while (!found && *cursor < model->switch_count + model->team_count * TEAM_MEMBERS_MAX) {
        const size_t at = (*cursor)++;

        if (at < model->switch_count) {
            found = of_switch(model, &model->switches[at], wanted);
        } else {
            const size_t member = at - model->switch_count;

            found = of_team(model, &model->teams[member / TEAM_MEMBERS_MAX],
                            member % TEAM_MEMBERS_MAX, wanted);
        }
    }
    return found;
}

bool uplink_wanted(const struct vswitch_model *model, uint16_t port, struct uplink_wanted *wanted)
{
    size_t cursor = 0;

    while (uplink_wanted_next(model, &cursor, wanted)) {
        if (wanted->port == port) {
            return true;
        }
    }
    return false;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static bool ask_carrier(struct uplink *uplink)
{
    struct nic_status status;
    struct link link;

    if (is_interface(uplink)) {
        return link_find_index(uplink->control->links, uplink->ifindex, &link, NULL) == 0 &&
               link.up && link.carrier;
    }
    nic_status(uplink->nic, &status);
    return status.carrier;
}

static int take_device(struct uplink *uplink, struct error *error)
{
    const uint16_t workers = dataplane_worker_count(uplink->control->config.dataplane);
    const struct nic_config config = {
        .where = uplink->device,
        .port = uplink->port,
        .queues = workers,
        .workers = uplink->senders,
        .mtu_bytes = uplink->mtu_bytes,
    };

    uplink->nic = nic_create(&config, error);
    return uplink->nic != NULL ? 0 : -(error->code != 0 ? error->code : EIO);
}

/* Takes what is absent.  @return 0, or a negative errno and a sentence with nothing changed */
static int take(struct uplink *uplink, const struct uplink_wanted *of, struct error *error)
{
    const int rc = is_interface(uplink) ? uplink_take_interface(uplink, of, error)
                                        : take_device(uplink, error);

    (void)snprintf(uplink->wrong, sizeof(uplink->wrong), "%s", rc == 0 ? "" : error->text);
    if (rc == 0) {
        uplink->carrier = is_open(uplink) && ask_carrier(uplink);
        uplink->live = uplink->carrier;
    }
    return rc;
}

struct uplink *uplink_open(struct control *control, const struct uplink_wanted *of,
                           struct fabric_endpoint *endpoint, struct error *error)
{
    struct uplink *uplink = calloc(1, sizeof(*uplink));

    if (uplink == NULL) {
        (void)error_set(error, ENOMEM, "there is no memory left for %s %s", of->what, of->where);
        return NULL;
    }
    uplink->control = control;
    uplink->owner = of->owner;
    uplink->what = of->what;
    uplink->role = of->role;
    uplink->senders = (uint16_t)(dataplane_worker_count(control->config.dataplane) +
                                 of->more_senders);
    uplink->port = of->port;
    uplink->mtu_bytes = of->mtu_bytes;
    (void)snprintf(uplink->owner_name, sizeof(uplink->owner_name), "%s", of->owner_name);
    if (vswitch_read_where(of->where, &uplink->where, uplink->device, error) != 0 ||
        take(uplink, of, error) != 0) {
        if (!control->restoring) {
            free(uplink);
            return NULL;
        }
        log_warning("%s %s goes on without its %s %s: %s", of->owner, of->owner_name, of->what,
                    of->where, error->text);
    }
    fill_endpoint(uplink, endpoint);
    return uplink;
}

void uplink_close(struct uplink *uplink)
{
    if (uplink != NULL) {
        uplink_release_interface(uplink);
        free(uplink);
    }
}

/* ---- changing -------------------------------------------------------------------------------- */

/*
 * A device may be able to change its MTU only when it is opened anew.  On a kernel interface that
 * is done when the change is published (by packet sockets at the latest, which always can); a
 * device of DPDK's alone might not come back.
 */
int uplink_set_mtu(struct uplink *uplink, uint32_t mtu_bytes, struct error *error)
{
    int rc = 0;

    if (uplink->ifindex != 0) {
        rc = uplink_set_interface_mtu(uplink, mtu_bytes, error);
    }
    if (rc == 0 && uplink->nic != NULL) {
        rc = nic_set_mtu(uplink->nic, mtu_bytes, error);
        uplink->anew = rc != 0 && is_interface(uplink);
        rc = uplink->anew ? 0 : rc;
    }
    if (rc == 0) {
        uplink->mtu_bytes = mtu_bytes;
    }
    return rc;
}

/* ---- coming and going ------------------------------------------------------------------------ */

bool uplink_is(const struct uplink *uplink, int ifindex, const char *name)
{
    return is_interface(uplink) &&
           (ifindex == uplink->ifindex || strcmp(name, uplink->device) == 0);
}

bool uplink_wants_looks(const struct uplink *uplink)
{
    return uplink->nic != NULL && (!is_interface(uplink) || uplink->anew);
}

/* What is open stays so until uplink_published(). */
static void note_gone(struct uplink *uplink)
{
    log_warning("%s %s: its %s %s is gone; it goes on without until an interface of that name is "
                "there", uplink->owner, uplink->owner_name, uplink->what, uplink->device);
    (void)snprintf(uplink->wrong, sizeof(uplink->wrong), "it is gone");
    uplink->ifindex = 0;
    uplink->carrier = false;
    uplink->live = false;
    uplink->losses++;
}

static void note_name(struct uplink *uplink, const struct link *link)
{
    if (strcmp(uplink->name, link->name) == 0) {
        return;
    }
    if (strcmp(link->name, uplink->device) == 0) {
        log_info("%s %s: its %s is called %s again", uplink->owner, uplink->owner_name,
                 uplink->what, link->name);
    } else {
        log_warning("%s %s: its %s %s is now called %s; it is followed until the daemon ends, and "
                    "then looked for as %s", uplink->owner, uplink->owner_name, uplink->what,
                    uplink->name, link->name, uplink->device);
    }
    (void)snprintf(uplink->name, sizeof(uplink->name), "%s", link->name);
    uplink_keep_host_off(uplink);  /* which goes by the name */
}

/*
 * Says so when the carrier has changed.  One that came back at once was lost all the same: the
 * kernel counts losses, but not for every kind of interface that is set down.
 */
static void note_carrier(struct uplink *uplink, bool carrier, uint32_t losses)
{
    if (losses == 0 && uplink->carrier && !carrier) {
        losses = 1;
    }
    if (losses > 0 && uplink->carrier) {
        log_warning("%s %s: its %s %s has lost its carrier; no frames leave by it", uplink->owner,
                    uplink->owner_name, uplink->what, uplink->device);
    }
    if (carrier && (losses > 0 || !uplink->carrier)) {
        log_info("%s %s: its %s %s has a carrier; frames flow", uplink->owner, uplink->owner_name,
                 uplink->what, uplink->device);
    }
    uplink->losses += losses;
    uplink->carrier = carrier;
}

/* Opens what was closed when the carrier was lost, or for another MTU. */
static void open_again(struct uplink *uplink, const struct link *link)
{
    struct uplink_wanted of = { 0 };
    struct error error = { 0 };

    (void)uplink_wanted(uplink->control->model, uplink->port, &of);
    if (uplink_open_driver(uplink, link, of.move_addresses, &error) != 0) {
        log_error("%s %s: its %s %s cannot be used: %s", uplink->owner, uplink->owner_name,
                  uplink->what, uplink->device, error.text);
    }
    (void)snprintf(uplink->wrong, sizeof(uplink->wrong), "%s", error.text);
    uplink->live = is_open(uplink);
}

/*
 * A packet port is opened anew after each loss of the carrier, however short: a socket whose
 * interface was down has an error waiting.
 */
static void look_at_interface(struct uplink *uplink)
{
    struct link link;
    uint32_t losses;

    if (link_find_index(uplink->control->links, uplink->ifindex, &link, NULL) != 0) {
        note_gone(uplink);
        return;
    }
    losses = link.carrier_losses - uplink->losses_seen;
    uplink->losses_seen = link.carrier_losses;
    note_name(uplink, &link);
    if (uplink->packet != NULL) {
        packet_port_set_mtu(uplink->packet, link.mtu_bytes);
    }
    note_carrier(uplink, link.up && link.carrier, losses);
    if (!uplink->carrier || uplink->anew || (losses > 0 && uplink->packet != NULL)) {
        uplink->live = false;
    } else if (is_open(uplink)) {
        uplink->live = true;
    } else {
        open_again(uplink, &link);
    }
}

static void look_at_device(struct uplink *uplink)
{
    const bool carrier = ask_carrier(uplink);

    note_carrier(uplink, carrier, 0);
    uplink->live = carrier;
}

/* The interface may be back; of one that is not fit, the log says so once. */
static void look_for_interface(struct uplink *uplink)
{
    struct uplink_wanted of;
    struct error error = { 0 };
    char before[sizeof(uplink->wrong)];
    struct link link;

    memcpy(before, uplink->wrong, sizeof(before));
    if (is_gone_and_open(uplink) ||
        !uplink_wanted(uplink->control->model, uplink->port, &of) ||
        link_find(uplink->control->links, uplink->device, &link, NULL) != 0) {
        return;
    }
    if (take(uplink, &of, &error) == 0) {
        log_info("%s %s: its %s %s is back%s", uplink->owner, uplink->owner_name, uplink->what,
                 uplink->device, uplink->live ? "; frames flow" : ", without a carrier");
        return;
    }
    uplink_let_host_on(uplink);
    if (strcmp(before, uplink->wrong) != 0) {
        log_warning("%s %s: its %s %s is there again and cannot be used: %s", uplink->owner,
                    uplink->owner_name, uplink->what, uplink->device, error.text);
    }
}

bool uplink_look(struct uplink *uplink, struct fabric_endpoint *endpoint)
{
    const bool was_live = uplink->live;

    if (uplink->ifindex != 0) {
        look_at_interface(uplink);
    } else if (is_interface(uplink)) {
        look_for_interface(uplink);
    } else if (uplink->nic != NULL) {
        look_at_device(uplink);
    }
    fill_endpoint(uplink, endpoint);
    return uplink->live != was_live || is_gone_and_open(uplink);
}

void uplink_published(struct uplink *uplink, const char *adapter)
{
    struct error error = { 0 };

    if (!uplink->live) {
        uplink_close_packet(uplink);
    }
    if (is_gone_and_open(uplink) || (uplink->anew && !uplink->live)) {
        nic_destroy(uplink->nic);
        uplink->nic = NULL;
        uplink->anew = false;
    }
    if (uplink->live && uplink_start_move(uplink, adapter, &error) != 0) {
        log_error("%s %s: %s", uplink->owner, uplink->owner_name, error.text);
        uplink_end_move(uplink, false);
    }
}

/* ---- how it stands --------------------------------------------------------------------------- */

static void fill_offloads(const struct uplink *uplink, struct uplink_status *status)
{
    const char *by = "";
    struct nic_status nic;

    if (uplink->nic != NULL) {
        by = "device";
        nic_status(uplink->nic, &nic);
        status->offloads = nic.offloads;
    } else if (uplink->packet != NULL) {
        by = "kernel";
        status->offloads = packet_port_takes(uplink->packet);
    }
    (void)snprintf(status->offloads_by, sizeof(status->offloads_by), "%s", by);
}

static void fill_from_interface(struct uplink *uplink, struct uplink_status *status)
{
    struct link link;

    (void)snprintf(status->device, sizeof(status->device), "%.63s",
                   uplink->ifindex != 0 ? uplink->name : uplink->device);
    if (uplink->ifindex == 0 ||
        link_find_index(uplink->control->links, uplink->ifindex, &link, NULL) != 0) {
        return;
    }
    (void)snprintf(status->driver, sizeof(status->driver), "%s",
                   uplink->nic != NULL ? "af_xdp" : "af_packet");
    status->present = true;
    status->ifindex = link.ifindex;
    status->carrier = link.up && link.carrier;
    status->speed_mbps = link.speed_mbps;
    status->mac = link.mac;
    status->mtu_bytes = link.mtu_bytes;
    status->max_mtu_bytes = link.max_mtu_bytes;
    status->exclusive = uplink->exclusive != NULL || uplink->nic != NULL;
    if (!link.up) {
        (void)snprintf(status->note, sizeof(status->note), "another program has set it down; `ip "
                       "link set %s up` sets it up", link.name);
    } else if (link.master[0] != '\0') {
        (void)snprintf(status->note, sizeof(status->note), "another program has made it a port of "
                       "\"%s\" too; `ip link set %s nomaster` takes it out", link.master,
                       link.name);
    }
}

static void fill_from_device(const struct uplink *uplink, struct uplink_status *status)
{
    struct nic_status nic;

    (void)snprintf(status->device, sizeof(status->device), "%.63s", uplink->device);
    status->exclusive = true;
    if (uplink->nic == NULL) {
        return;
    }
    nic_status(uplink->nic, &nic);
    (void)snprintf(status->driver, sizeof(status->driver), "%s", nic.driver);
    (void)snprintf(status->device, sizeof(status->device), "%s", nic.name);
    status->present = true;
    status->carrier = nic.carrier;
    status->speed_mbps = nic.speed_mbps;
    status->mac = nic.mac;
    status->mtu_bytes = nic.mtu_bytes;
    status->max_mtu_bytes = nic.max_mtu_bytes;
}

void uplink_status(struct uplink *uplink, struct uplink_status *status)
{
    const char *const notes[] = { uplink->wrong, uplink->exclusive_note, uplink->driver_note };

    memset(status, 0, sizeof(*status));
    if (is_interface(uplink)) {
        fill_from_interface(uplink, status);
    } else {
        fill_from_device(uplink, status);
    }
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]) && status->note[0] == '\0'; i++) {
        (void)snprintf(status->note, sizeof(status->note), "%.319s", notes[i]);
    }
    if (status->present && status->note[0] == '\0' && is_interface(uplink) &&
        strcmp(uplink->name, uplink->device) != 0) {
        (void)snprintf(status->note, sizeof(status->note), "it is called \"%s\" now",
                       uplink->name);
    }
    fill_offloads(uplink, status);
    uplink_move_note(uplink, status->moved, sizeof(status->moved));
    status->carrier_losses = uplink->losses;
    status->overruns = uplink->overruns +
                       (uplink->packet != NULL ? packet_port_overruns(uplink->packet) : 0) +
                       (uplink->nic != NULL ? nic_overruns(uplink->nic) : 0);
}
