/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats show: the ports of all switches, of one switch, or one vNIC.
 */
#include <errno.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/report.h"

/* Adds a switch to the result.  @return 0 or -ENOMEM */
static int add_switch(const struct control *control, const struct vswitch_switch *of,
                      json_t *switches, json_t *ports)
{
    json_t *traffic = report_traffic(control, of);
    int rc = -ENOMEM;

    if (traffic != NULL && json_array_extend(ports, json_object_get(traffic, "ports")) == 0 &&
        json_object_del(traffic, "ports") == 0 &&
        json_object_set_new(traffic, "name", json_string(of->name)) == 0 &&
        json_array_append(switches, traffic) == 0) {
        rc = 0;
    }
    json_decref(traffic);
    return rc;
}

/* A name may be a switch's and a vNIC's; then both are meant. */
static int add_named(const struct control *control, const char *name, json_t *switches,
                     json_t *ports, struct error *error)
{
    const struct vswitch_switch *of = vswitch_find(control->model, name);
    const struct vswitch_vnic *vnic = vswitch_find_vnic(control->model, name);
    int rc = 0;

    if (of == NULL && vnic == NULL) {
        return error_set(error, ENOENT, "there is no switch and no vNIC named \"%s\"; switch list "
                         "and vnic list show those there are", name);
    }
    if (of != NULL) {
        rc = add_switch(control, of, switches, ports);
    }
    if (rc == 0 && vnic != NULL && (of == NULL || vnic->switch_id != of->id)) {
        rc = json_array_append_new(ports, report_port(control, vnic));
    }
    return rc;
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
    if (rc != 0) {
        json_decref(switches);
        json_decref(ports);
        return error->code != 0 ? -error->code : method_answer(call, NULL, error);
    }
    return method_answer(call, json_pack("{s:o, s:o}", "ports", ports, "switches", switches),
                         error);
}
