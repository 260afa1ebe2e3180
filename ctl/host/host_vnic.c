/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/host_vnic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/host/link.h"
#include "ctl/log.h"
#include "dataplane/dataplane.h"
#include "dataplane/host_port.h"

#define QUEUES_MAX 16u             /* of a host_port */

struct host_vnic {
    struct control *control;
    struct vswitch_switch of;      /* what the adapter was made like; "" addresses and 0: nothing */
    struct host_port *port;        /* NULL: it could not be made */
    int ifindex;                   /* 0: it is gone */
    bool refused;                  /* the log has said why it cannot be made */
};

static struct fabric_endpoint endpoint_of(const struct host_vnic *host)
{
    if (host->ifindex == 0) {
        return (struct fabric_endpoint){ .kind = FABRIC_PORT_ABSENT };
    }
    return (struct fabric_endpoint){
        .at = host->port, .kind = FABRIC_PORT_HOST, .queues = host_port_queues(host->port),
    };
}

/* ---- what it is like ------------------------------------------------------------------------- */

static bool has_address(const struct vswitch_switch *of, const char *text)
{
    for (uint16_t i = 0; i < of->host_address_count; i++) {
        if (strcmp(of->host_address[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Removes the addresses that only @p from has and adds those that only @p to has. */
static int change_addresses(struct links *links, const char *name,
                            const struct vswitch_switch *from, const struct vswitch_switch *to,
                            struct error *error)
{
    struct link_address address;
    int rc = 0;

    for (uint16_t i = 0; i < from->host_address_count && rc == 0; i++) {
        if (!has_address(to, from->host_address[i])) {
            rc = link_parse_address(from->host_address[i], &address, error);
            rc = rc != 0 ? rc : link_remove_address(links, name, &address, error);
        }
    }
    for (uint16_t i = 0; i < to->host_address_count && rc == 0; i++) {
        if (!has_address(from, to->host_address[i])) {
            rc = link_parse_address(to->host_address[i], &address, error);
            rc = rc != 0 ? rc : link_add_address(links, name, &address, error);
        }
    }
    return rc;
}

/* Changes what is another in @p to than in @p from. */
static int change(struct links *links, const char *name, const struct vswitch_switch *from,
                  const struct vswitch_switch *to, struct error *error)
{
    int rc = 0;

    if (to->host_mac != from->host_mac) {
        rc = link_set_mac(links, name, to->host_mac, error);
    }
    if (rc == 0 && to->mtu_bytes != from->mtu_bytes) {
        rc = link_set_mtu(links, name, to->mtu_bytes, error);
    }
    return rc != 0 ? rc : change_addresses(links, name, from, to, error);
}

int host_vnic_set(struct host_vnic *host, const struct vswitch_switch *of, struct error *error)
{
    struct links *links = host->control->links;
    struct error inner = { 0 };
    struct link link;
    int rc;

    if (host->ifindex != 0 && link_find_index(links, host->ifindex, &link, NULL) == 0) {
        rc = link_check_mtu_keeps(links, &link, of->mtu_bytes, &inner);
        if (rc == 0) {
            rc = change(links, link.name, &host->of, of, &inner);
            if (rc != 0) {
                (void)change(links, link.name, of, &host->of, NULL);
            }
        }
        if (rc != 0) {
            return error_set(error, -rc, "switch \"%s\": its host vNIC cannot be changed: %s",
                             of->name, inner.text);
        }
    }
    host->of = *of;
    return 0;
}

/* ---- making it ------------------------------------------------------------------------------- */

static int set_up(struct host_vnic *host, struct error *error)
{
    static const struct vswitch_switch nothing;
    struct links *links = host->control->links;
    const char *name = host->of.host_name;
    struct link link;
    int rc = change(links, name, &nothing, &host->of, error);

    if (rc == 0) {
        rc = link_set_up(links, name, true, error);
    }
    if (rc == 0) {
        rc = link_find(links, name, &link, error);
    }
    host->ifindex = rc == 0 ? link.ifindex : 0;
    return rc;
}

/* Makes the device, which is absent.  @return 0, or a negative errno, a sentence, nothing made */
static int make(struct host_vnic *host, struct error *error)
{
    const uint16_t workers = dataplane_worker_count(host->control->config.dataplane);
    const struct host_port_config config = {
        .name = host->of.host_name,
        .port = host->of.host_port,
        .queues = workers < QUEUES_MAX ? workers : QUEUES_MAX,
    };
    struct error inner = { 0 };
    struct link link;
    int rc;

    if (link_find(host->control->links, host->of.host_name, &link, NULL) == 0) {
        return error_set(error, EEXIST, "switch \"%s\": its host vNIC is to be called \"%s\", and "
                         "there is an interface of that name already; rename that, or give the "
                         "switch another name", host->of.name, host->of.host_name);
    }
    host->port = host_port_create(&config, &inner);
    if (host->port == NULL) {
        return error_set(error, inner.code != 0 ? inner.code : EIO, "switch \"%s\": its host vNIC "
                         "cannot be made: %s", host->of.name, inner.text);
    }
    rc = set_up(host, &inner);
    if (rc != 0) {
        host_port_destroy(host->port);
        host->port = NULL;
        return error_set(error, -rc, "switch \"%s\": its host vNIC cannot be made: %s",
                         host->of.name, inner.text);
    }
    return 0;
}

struct host_vnic *host_vnic_open(struct control *control, const struct vswitch_switch *of,
                                 struct fabric_endpoint *endpoint, struct error *error)
{
    struct host_vnic *host = calloc(1, sizeof(*host));

    if (host == NULL) {
        (void)error_set(error, ENOMEM, "switch \"%s\": there is no memory left for its host vNIC",
                        of->name);
        return NULL;
    }
    host->control = control;
    host->of = *of;
    if (make(host, error) != 0) {
        if (!control->restoring) {
            free(host);
            return NULL;
        }
        log_warning("%s; the switch goes on without it until it can be made", error->text);
        host->refused = true;
    }
    *endpoint = endpoint_of(host);
    return host;
}

void host_vnic_close(struct host_vnic *host)
{
    if (host != NULL) {
        host_port_destroy(host->port);
        free(host);
    }
}

/* ---- coming and going ------------------------------------------------------------------------ */

bool host_vnic_is(const struct host_vnic *host, int ifindex, const char *name)
{
    return ifindex == host->ifindex || strcmp(name, host->of.host_name) == 0;
}

static bool look_present(struct host_vnic *host)
{
    struct link link;

    if (link_find_index(host->control->links, host->ifindex, &link, NULL) == 0) {
        return false;
    }
    log_warning("Switch %s: its host vNIC %s was removed by another program; it is made again",
                host->of.name, host->of.host_name);
    host->ifindex = 0;
    return true;
}

static bool look_absent(struct host_vnic *host)
{
    struct error error = { 0 };

    if (host->port != NULL) {
        return false;              /* not before the old one is given up: host_vnic_published() */
    }
    if (make(host, &error) != 0) {
        if (!host->refused) {
            log_warning("%s; the switch goes on without it until it can be made", error.text);
        }
        host->refused = true;
        return false;
    }
    log_info("Switch %s: its host vNIC %s is made", host->of.name, host->of.host_name);
    host->refused = false;
    return true;
}

bool host_vnic_look(struct host_vnic *host, struct fabric_endpoint *endpoint)
{
    const bool changed = host->ifindex != 0 ? look_present(host) : look_absent(host);

    *endpoint = endpoint_of(host);
    return changed;
}

void host_vnic_published(struct host_vnic *host)
{
    if (host->ifindex == 0) {
        host_port_destroy(host->port);
        host->port = NULL;
    }
}

void host_vnic_status(struct host_vnic *host, struct host_vnic_status *status)
{
    struct link link;

    *status = (struct host_vnic_status){ .present = false };
    if (host->ifindex != 0 &&
        link_find_index(host->control->links, host->ifindex, &link, NULL) == 0) {
        status->present = true;
        status->up = link.up;
        status->mtu_bytes = link.mtu_bytes;
        status->mac = link.mac;
        status->offloads = host_port_takes(host->port);
    }
}
