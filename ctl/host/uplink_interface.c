/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking a kernel interface for an uplink, and giving it back.
 *
 * Everything that can refuse is asked before anything is changed, and what is changed is noted
 * first (loans.h), so that a refusal half way, a crash and a clean end all lead back to the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/host/exclusive.h"
#include "ctl/host/host_vnic.h"
#include "ctl/host/loans.h"
#include "ctl/host/uplink_inner.h"
#include "dataplane/dataplane.h"

#define QUEUES_MAX 16u

/* ---- whether it is fit ----------------------------------------------------------------------- */

static int check_mtu(const struct uplink *uplink, const struct link *link, uint32_t mtu_bytes,
                     struct error *error)
{
    if (link->max_mtu_bytes != 0 && mtu_bytes > link->max_mtu_bytes) {
        return error_set(error, ERANGE, "interface \"%s\" can have an MTU of at most %u, and the "
                         "switch's is %u; choose --mtu %u or less", link->name,
                         link->max_mtu_bytes, mtu_bytes, link->max_mtu_bytes);
    }
    if (mtu_bytes < link->min_mtu_bytes) {
        return error_set(error, ERANGE, "interface \"%s\" can have an MTU of no less than %u, and "
                         "the switch's is %u; choose --mtu %u or more", link->name,
                         link->min_mtu_bytes, mtu_bytes, link->min_mtu_bytes);
    }
    return link_check_mtu_keeps(uplink->control->links, link, mtu_bytes, error);
}

static int check_default_route(const struct uplink *uplink, const struct link *link,
                               const struct uplink_wanted *of, struct error *error)
{
    char name[LINK_NAME_SIZE];
    int rc;

    if (of->force || of->move_addresses) {
        return 0;
    }
    rc = link_default_route(uplink->control->links, name, error);
    if (rc == 0 && strcmp(name, link->name) == 0) {
        rc = error_set(error, EBUSY, "interface \"%s\" carries the host's default route, and the "
                       "host loses what becomes an uplink; use --host-vnic on --move-addresses, "
                       "which takes its addresses and routes along, or --force to cut it off",
                       link->name);
    }
    return rc;
}

/* The model knows interfaces by the names they were given; one may have another name by now. */
static int check_unused(const struct uplink *uplink, const struct link *link, struct error *error)
{
    const struct control *control = uplink->control;

    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        const struct uplink *other = control->resources.uplink[port];

        if (other != NULL && other != uplink && uplink_is(other, link->ifindex, "")) {
            return error_set(error, EBUSY, "interface \"%s\" is the %s \"%s\" already, which knows "
                             "it as \"%s\"; take it away there first, or give it its name again",
                             link->name, other->role, other->owner_name, other->device);
        }
    }
    for (size_t i = 0; i < control->model->switch_count; i++) {
        const struct vswitch_switch *each = &control->model->switches[i];
        const struct host_vnic *host = control->resources.host[each->id];

        if (host != NULL && host_vnic_is(host, link->ifindex, "")) {
            return error_set(error, EBUSY, "interface \"%s\" is the host's own adapter on switch "
                             "\"%s\"; name another", link->name, each->name);
        }
    }
    return 0;
}

static int check(const struct uplink *uplink, const struct link *link,
                 const struct uplink_wanted *of, struct error *error)
{
    int rc;

    if (link->loopback) {
        return error_set(error, EINVAL, "interface \"%s\" is the loopback, which leads nowhere; "
                         "name one with a wire, or make the switch private or internal",
                         link->name);
    }
    if (link->master[0] != '\0') {
        return error_set(error, EBUSY, "interface \"%s\" is in use already, as a port of \"%s\"; "
                         "take it out first (ip link set %s nomaster), or name \"%s\" itself",
                         link->name, link->master, link->name, link->master);
    }
    rc = check_unused(uplink, link, error);
    if (rc == 0) {
        rc = check_mtu(uplink, link, of->mtu_bytes, error);
    }
    return rc != 0 ? rc : check_default_route(uplink, link, of, error);
}

/* ---- making it what an uplink needs ---------------------------------------------------------- */

static void want(struct loan_values *values, enum loan_value which, uint32_t value)
{
    values->has[which] = true;
    values->value[which] = value;
}

/*
 * Frames that were merged by the device have lost their lengths, so that is off.  An interface that
 * is back is down, like every new one; where the one before was up, as its addresses tell that are
 * on the adapter, it is not to be given back down, which would end their routes.
 */
static int prepare(struct uplink *uplink, const struct link *link, bool xdp, struct error *error)
{
    struct loan_values values = { 0 };

    want(&values, LOAN_MTU, uplink->mtu_bytes);
    want(&values, LOAN_LRO, false);
    if (uplink_awaits_addresses(uplink)) {
        const int rc = link_set_up(uplink->control->links, link->name, true, error);

        if (rc != 0) {
            return rc;
        }
    } else {
        want(&values, LOAN_UP, true);
    }
    if (xdp) {
        /* An XDP program is not told of a tag that the device took off; nor is promiscuous mode
           then a socket's, which would end with it. */
        want(&values, LOAN_RX_VLAN, false);
        want(&values, LOAN_PROMISCUOUS, true);
        want(&values, LOAN_XDP, true);
    }
    return loans_set(uplink->control->loans, link, &values, error);
}

static uint16_t queues_wanted(const struct uplink *uplink)
{
    const uint16_t workers = dataplane_worker_count(uplink->control->config.dataplane);

    return workers < QUEUES_MAX ? workers : QUEUES_MAX;
}

/* A program outlives who put it there: that of an earlier daemon goes, another's stays. */
static int clear_xdp(struct uplink *uplink, const struct link *link, struct error *error)
{
    if (!link->xdp) {
        return 0;
    }
    if (!loans_has(uplink->control->loans, link->ifindex, LOAN_XDP)) {
        return error_set(error, EBUSY, "another program has an XDP program on it");
    }
    return link_drop_xdp(uplink->control->links, link->name, error);
}

/* @return whether it works; when not, the note says why */
static bool take_by_xdp(struct uplink *uplink, const struct link *link)
{
    char where[64];
    const struct nic_config config = {
        .where = where,
        .port = uplink->port,
        .queues = queues_wanted(uplink),
        .workers = uplink->senders,
        .mtu_bytes = uplink->mtu_bytes,
    };
    struct error why = { 0 };

    (void)snprintf(where, sizeof(where), "net_af_xdp%u,iface=%s", uplink->port, link->name);
    if (clear_xdp(uplink, link, &why) == 0 && prepare(uplink, link, true, &why) == 0) {
        uplink->nic = nic_create(&config, &why);
    }
    if (uplink->nic != NULL) {
        return true;
    }
    (void)snprintf(uplink->driver_note, sizeof(uplink->driver_note),
                   "not by AF_XDP, when it was opened: %.470s", why.text);
    return false;
}

static int take_by_packet(struct uplink *uplink, const struct link *link, struct error *error)
{
    const struct packet_port_config config = {
        .ifindex = uplink->ifindex,
        .name = uplink->name,
        .port = uplink->port,
        .queues = queues_wanted(uplink),
    };
    struct link now;
    int rc = prepare(uplink, link, false, error);

    if (rc == 0) {
        rc = link_find_index(uplink->control->links, link->ifindex, &now, error);
    }
    if (rc == 0 && now.carrier) {
        uplink->packet = packet_port_create(&config, error);
        rc = uplink->packet != NULL ? 0 : -(error->code != 0 ? error->code : EIO);
    }
    return rc;
}

/*
 * AF_XDP takes frames before the host's stack could have them, so it is no choice where the host
 * may get its addresses back.
 */
int uplink_open_driver(struct uplink *uplink, const struct link *link, bool move,
                       struct error *error)
{
    uplink->driver_note[0] = '\0';
    if (link->hardware && move) {
        (void)snprintf(uplink->driver_note, sizeof(uplink->driver_note), "not by AF_XDP: the host "
                       "could not have its addresses back");
    } else if (link->hardware && take_by_xdp(uplink, link)) {
        return 0;
    }
    return take_by_packet(uplink, link, error);
}

void uplink_close_packet(struct uplink *uplink)
{
    if (uplink->packet != NULL) {
        uplink->overruns += packet_port_overruns(uplink->packet);
        packet_port_destroy(uplink->packet);
        uplink->packet = NULL;
    }
}

void uplink_keep_host_off(struct uplink *uplink)
{
    struct exclusive *before = uplink->exclusive;
    struct error why = { 0 };

    uplink->exclusive_note[0] = '\0';
    if (uplink_has_host_addresses(uplink)) {
        uplink_let_host_on(uplink);
        return;
    }
    uplink->exclusive = exclusive_take(uplink->name, uplink->ifindex, &why);
    exclusive_drop(before);
    (void)snprintf(uplink->exclusive_note, sizeof(uplink->exclusive_note), "%s", why.text);
}

void uplink_let_host_on(struct uplink *uplink)
{
    exclusive_drop(uplink->exclusive);
    uplink->exclusive = NULL;
}

/* ---- the whole ------------------------------------------------------------------------------- */

int uplink_take_interface(struct uplink *uplink, const struct uplink_wanted *of,
                          struct error *error)
{
    struct link link;
    int rc = link_find(uplink->control->links, uplink->device, &link, error);

    if (rc == 0) {
        rc = check(uplink, &link, of, error);
    }
    if (rc != 0) {
        return rc;
    }
    uplink->mtu_bytes = of->mtu_bytes;
    uplink->ifindex = link.ifindex;
    uplink->losses_seen = link.carrier_losses;
    (void)snprintf(uplink->name, sizeof(uplink->name), "%s", link.name);
    if (of->move_addresses) {
        rc = uplink_prepare_move(uplink, error);
    }
    if (rc == 0) {
        rc = uplink_open_driver(uplink, &link, of->move_addresses, error);
    }
    if (rc != 0) {
        uplink_end_move(uplink, false);
        loans_give_back(uplink->control->loans, link.ifindex);
        uplink->ifindex = 0;
        return rc;
    }
    uplink_keep_host_off(uplink);
    return 0;
}

void uplink_release_interface(struct uplink *uplink)
{
    uplink_close_packet(uplink);
    nic_destroy(uplink->nic);
    uplink->nic = NULL;
    uplink_end_move(uplink, false);
    uplink_let_host_on(uplink);
    if (uplink->ifindex != 0) {
        loans_give_back(uplink->control->loans, uplink->ifindex);
        uplink->ifindex = 0;
    }
}

int uplink_set_interface_mtu(struct uplink *uplink, uint32_t mtu_bytes, struct error *error)
{
    struct loan_values values = { 0 };
    struct link link;
    int rc = link_find_index(uplink->control->links, uplink->ifindex, &link, error);

    if (rc == 0) {
        rc = check_mtu(uplink, &link, mtu_bytes, error);
    }
    if (rc == 0) {
        want(&values, LOAN_MTU, mtu_bytes);
        rc = loans_set(uplink->control->loans, &link, &values, error);
    }
    return rc;
}
