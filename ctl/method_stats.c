/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats show: the ports of all switches and teams, of one switch or team, or one port.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/report.h"

/* Adds a switch to the result.  @return 0 or -ENOMEM */
static int add_switch(const struct control *control, const struct vswitch_switch *of,
                      json_t *switches, json_t *ports)
{
    size_t count;
    struct port_reading *readings = port_readings_take(control, of->id, &count);
    json_t *traffic = readings == NULL ? NULL : report_traffic(control, of, readings, count);
    int rc = -ENOMEM;

    free(readings);
    if (traffic != NULL && json_array_extend(ports, json_object_get(traffic, "ports")) == 0 &&
        json_object_del(traffic, "ports") == 0 &&
        json_object_set_new(traffic, "name", json_string(of->name)) == 0 &&
        json_array_append(switches, traffic) == 0) {
        rc = 0;
    }
    json_decref(traffic);
    return rc;
}

/* Adds one port.  @return 0 or -ENOMEM */
static int add_port(const struct control *control, const struct vswitch_port *port, json_t *ports)
{
    struct port_reading reading;

    port_reading_take(control, port, &reading);
    return json_array_append_new(ports, report_port(vswitch_by_id(control->model, port->switch_id),
                                                    &reading)) == 0 ? 0 : -ENOMEM;
}

/* Adds the members of teams: the one called @p name, or those of the team that is; NULL: all. */
static int add_members(const struct control *control, const char *name, json_t *ports)
{
    struct vswitch_port port;
    size_t cursor = 0;
    int count = 0;

    while (vswitch_member_next(control->model, VSWITCH_MAX_TEAMS, &cursor, &port)) {
        if (name != NULL && strcmp(port.name, name) != 0 && strcmp(port.team->name, name) != 0) {
            continue;
        }
        if (add_port(control, &port, ports) != 0) {
            return -ENOMEM;
        }
        count++;
    }
    return count;
}

static bool is_called(const struct vswitch_port *port, const char *name)
{
    return strcmp(port->name, name) == 0 ||
           (port->team != NULL && strcmp(port->team->name, name) == 0);
}

/* Adds the ports called @p name that are not on @p but.  @return how many, or -ENOMEM */
static int add_ports(const struct control *control, const char *name,
                     const struct vswitch_switch *but, json_t *ports)
{
    struct vswitch_port port;
    size_t cursor = 0;
    int count = 0;

    while (vswitch_port_next(control->model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        if (!is_called(&port, name) || (but != NULL && port.switch_id == but->id)) {
            continue;
        }
        if (add_port(control, &port, ports) != 0) {
            return -ENOMEM;
        }
        count++;
    }
    return count;
}

/* A name may be a switch's, a vNIC's and an interface's; then all are meant. */
static int add_named(const struct control *control, const char *name, json_t *switches,
                     json_t *ports, struct error *error)
{
    const struct vswitch_switch *of = vswitch_find(control->model, name);
    const int rc = of == NULL ? 0 : add_switch(control, of, switches, ports);
    const int others = rc != 0 ? rc : add_ports(control, name, of, ports);
    const int members = others < 0 ? others : add_members(control, name, ports);

    if (of == NULL && others == 0 && members == 0) {
        return error_set(error, ENOENT, "there is no switch, vNIC, uplink, team, member or host "
                         "adapter named \"%s\"; stats show without a name shows all", name);
    }
    return members < 0 ? members : 0;
}

int method_stats_show(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const char *name = method_text(call, "name");
    json_t *switches = json_array(), *ports = json_array();
    int rc = 0;

    error->code = 0;
    if (name != NULL) {
        rc = add_named(control, name, switches, ports, error);
    }
    for (size_t i = 0; name == NULL && i < control->model->switch_count && rc == 0; i++) {
        rc = add_switch(control, &control->model->switches[i], switches, ports);
    }
    if (rc == 0 && name == NULL && add_members(control, NULL, ports) < 0) {
        rc = -ENOMEM;
    }
    if (rc != 0) {
        json_decref(switches);
        json_decref(ports);
        return error->code != 0 ? -error->code : method_answer(call, NULL, error);
    }
    return method_answer(call, json_pack("{s:o, s:o}", "ports", ports, "switches", switches),
                         error);
}
