/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/follow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <event2/event.h>

#include "ctl/control.h"
#include "ctl/host/host_vnic.h"
#include "ctl/host/link_watch.h"
#include "ctl/log.h"
#include "ctl/publish.h"
#include "ctl/host/uplink.h"
#include "dataplane/nic_link.h"

#define LOOKS_MAX 4u               /* gone, back, and one more that changes nothing */

struct follow {
    struct control *control;       /* borrowed */
    struct link_watch *watch;
    struct event *devices;         /* one of DPDK's told of its link */
    bool unpublished;              /* something was found and could not be published */
};

/* @return whether no worker uses what was there before */
static bool publish(struct follow *follow)
{
    struct error error = { 0 };

    follow->unpublished = publish_again(follow->control, &error) != 0;
    if (follow->unpublished) {
        log_error("%s  It is tried again in a second.", error.text);
    }
    return !follow->unpublished;
}

/* The name of the host's adapter on the switch that uplink @p port is of; "" without one. */
static const char *adapter_of(const struct follow *follow, uint16_t port)
{
    struct uplink_wanted wanted;

    return uplink_wanted(follow->control->model, port, &wanted) ? wanted.adapter : "";
}

static void look_at_uplink(struct follow *follow, uint16_t port)
{
    struct control_resources *resources = &follow->control->resources;
    struct uplink *uplink = resources->uplink[port];

    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        if (!uplink_look(uplink, &resources->endpoint[port]) || !publish(follow)) {
            return;
        }
        uplink_published(uplink, adapter_of(follow, port));
    }
}

/* What had been moved to an adapter went with it; the next one gets it anew. */
static void move_again(struct uplink *uplink, const struct vswitch_switch *of)
{
    struct error error = { 0 };

    uplink_end_move(uplink, false);
    if (uplink_prepare_move(uplink, &error) != 0 ||
        uplink_start_move(uplink, of->host_name, &error) != 0) {
        log_error("Switch %s: %s", of->name, error.text);
        uplink_end_move(uplink, false);
    }
}

static void look_at_host(struct follow *follow, const struct vswitch_switch *of)
{
    struct control_resources *resources = &follow->control->resources;
    struct host_vnic *host = resources->host[of->id];
    bool changed = false;

    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        if (!host_vnic_look(host, &resources->endpoint[of->host_port]) || !publish(follow)) {
            break;
        }
        host_vnic_published(host);
        changed = true;
    }
    if (changed && of->move_addresses) {
        move_again(resources->uplink[of->uplink_port], of);
    }
}

static void on_change(void *context, const struct link_change *change)
{
    const char *name = change->name;
    const int ifindex = change->ifindex;
    struct follow *follow = context;
    const struct control *control = follow->control;

    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        const struct uplink *uplink = control->resources.uplink[port];

        if (uplink != NULL && (name == NULL || uplink_is(uplink, ifindex, name))) {
            look_at_uplink(follow, port);
        }
    }
    for (size_t i = 0; i < control->model->switch_count; i++) {
        const struct vswitch_switch *of = &control->model->switches[i];
        const struct host_vnic *host = control->resources.host[of->id];

        if (host != NULL && (name == NULL || host_vnic_is(host, ifindex, name))) {
            look_at_host(follow, of);
        }
    }
}

/* Only when the fabric is as the endpoints are may be given up what they no longer name. */
static void publish_at_last(struct follow *follow)
{
    const struct control *control = follow->control;

    if (!publish(follow)) {
        return;
    }
    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        if (control->resources.uplink[port] != NULL) {
            uplink_published(control->resources.uplink[port], adapter_of(follow, port));
        }
    }
    for (size_t i = 0; i < control->model->switch_count; i++) {
        const struct vswitch_switch *of = &control->model->switches[i];

        if (control->resources.host[of->id] != NULL) {
            host_vnic_published(control->resources.host[of->id]);
        }
    }
    on_change(follow, &(struct link_change){ .ifindex = 0 });
}

static void look_at_devices(struct follow *follow)
{
    const struct control *control = follow->control;

    for (uint16_t port = 0; port < FABRIC_MAX_PORTS; port++) {
        const struct uplink *uplink = control->resources.uplink[port];

        if (uplink != NULL && uplink_wants_looks(uplink)) {
            look_at_uplink(follow, port);
        }
    }
}

static void on_device(evutil_socket_t fd, short what, void *context)
{
    eventfd_t ignored;

    (void)what;
    (void)eventfd_read(fd, &ignored);
    look_at_devices(context);
}

/* Devices that do not tell of their link are asked here, once a second. */
void follow_tick(struct follow *follow)
{
    if (follow->unpublished) {
        publish_at_last(follow);
    }
    look_at_devices(follow);
}

struct follow *follow_create(struct control *control, struct error *error)
{
    struct follow *follow = calloc(1, sizeof(*follow));

    if (follow == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left to follow the interfaces.");
        return NULL;
    }
    follow->control = control;
    follow->watch = link_watch_create(control->config.base, on_change, follow, error);
    if (follow->watch == NULL) {
        free(follow);
        return NULL;
    }
    follow->devices = event_new(control->config.base, nic_link_fd(), EV_READ | EV_PERSIST,
                                on_device, follow);
    if (follow->devices == NULL || event_add(follow->devices, NULL) != 0) {
        (void)error_set(error, ENOMEM, "There is no memory left to follow the devices.");
        follow_destroy(follow);
        return NULL;
    }
    return follow;
}

void follow_destroy(struct follow *follow)
{
    if (follow != NULL) {
        if (follow->devices != NULL) {
            event_free(follow->devices);
        }
        link_watch_destroy(follow->watch);
        free(follow);
    }
}
