/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/port_reading.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/host/team_keeper.h"

/* What a NIC or the kernel lost before the switch saw it came from there all the same. */
static void count_overruns(struct port_counters *counters, uint64_t overruns)
{
    counters->from_frames += overruns;
    counters->drops[DROP_RECEIVE_OVERRUN] += overruns;
}

/* A team is up when one of its members carries. */
static void read_team(const struct control *control, const struct vswitch_team *team,
                      struct uplink_status *status)
{
    struct team_keeper_status keeper;

    status->present = true;
    status->carrier = team_keeper_status(control->keeper, team->id, &keeper) &&
                      keeper.carries != 0;
}

void port_reading_take(const struct control *control, const struct vswitch_port *port,
                       struct port_reading *reading)
{
    const struct control_resources *behind = &control->resources;

    memset(reading, 0, sizeof(*reading));
    reading->port = *port;
    dataplane_counters(control->config.dataplane, port->number, &reading->counters);
    reading->has_rate = rates_of_port(control->rates, port->number, &reading->rate);
    switch (port->kind) {
    case VSWITCH_PORT_VNIC:
        vhost_control_status(behind->endpoint[port->number].at, &reading->status.vnic);
        break;
    case VSWITCH_PORT_MEMBER:
    case VSWITCH_PORT_UPLINK:
        if (behind->uplink[port->number] != NULL) {
            uplink_status(behind->uplink[port->number], &reading->status.uplink);
            count_overruns(&reading->counters, reading->status.uplink.overruns);
        } else if (port->kind == VSWITCH_PORT_UPLINK && port->team != NULL) {
            read_team(control, port->team, &reading->status.uplink);
        }
        break;
    case VSWITCH_PORT_HOST:
        if (behind->host[port->switch_id] != NULL) {
            host_vnic_status(behind->host[port->switch_id], &reading->status.host);
        }
        break;
    }
}

struct port_reading *port_readings_take(const struct control *control, uint16_t id, size_t *count)
{
    struct port_reading *readings;
    struct vswitch_port port;
    size_t cursor = 0, ports = 0;

    while (vswitch_port_next(control->model, id, &cursor, &port)) {
        ports++;
    }
    *count = 0;
    readings = calloc(ports + 1, sizeof(*readings));
    if (readings == NULL) {
        return NULL;
    }
    cursor = 0;
    while (vswitch_port_next(control->model, id, &cursor, &port)) {
        port_reading_take(control, &port, &readings[(*count)++]);
    }
    return readings;
}

static const char *vnic_state(const struct vhost_status *status)
{
    switch (status->state) {
    case VHOST_WAITING:
        return "waiting";
    case VHOST_ATTACHED:
        return "attached";
    case VHOST_BROKEN:
        return "broken";
    }
    return "unknown";
}

const char *port_reading_state(const struct port_reading *reading)
{
    const struct uplink_status *uplink = &reading->status.uplink;
    const struct host_vnic_status *host = &reading->status.host;

    switch (reading->port.kind) {
    case VSWITCH_PORT_VNIC:
        return vnic_state(&reading->status.vnic);
    case VSWITCH_PORT_MEMBER:
    case VSWITCH_PORT_UPLINK:
        return !uplink->present ? "gone" : uplink->carrier ? "up" : "no carrier";
    case VSWITCH_PORT_HOST:
        return !host->present ? "gone" : host->up ? "up" : "down";
    }
    return "unknown";
}
