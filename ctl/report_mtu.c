/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where MTUs disagree: what loses the long frames of a network that otherwise works.
 *
 * An interface can be changed by any program on the host, and a guest goes by what its monitor told
 * it, so a switch's MTU is a wish that others may not share.  Each entry says what brings it back.
 */
#include "ctl/report.h"

#include <stdio.h>

#define OBJECT_SIZE 300u           /* "uplink " and a WHERE */
#define ADVICE_SIZE 512u

/* One of them; @p advice is a half sentence that begins in lower case. */
struct disagreement {
    uint32_t mtu_bytes;
    bool deliberate;
    char object[OBJECT_SIZE];
    char advice[ADVICE_SIZE];
};

/* ---- of each kind of port; false: it agrees -------------------------------------------------- */

static bool is_interface(const char *where)
{
    char device[VSWITCH_UPLINK_SIZE];
    enum vswitch_where kind;
    struct error ignored;

    return vswitch_read_where(where, &kind, device, &ignored) == 0 &&
           kind == VSWITCH_WHERE_INTERFACE;
}

static bool uplink_disagrees(const struct vswitch_switch *of, const struct port_reading *reading,
                             struct disagreement *found)
{
    const struct uplink_status *status = &reading->status.uplink;
    const char *where = reading->port.name;

    if (!status->present || status->mtu_bytes == 0 || status->mtu_bytes == of->mtu_bytes) {
        return false;
    }
    found->mtu_bytes = status->mtu_bytes;
    (void)snprintf(found->object, sizeof(found->object), "uplink %s", where);
    if (status->max_mtu_bytes != 0 && status->max_mtu_bytes < of->mtu_bytes) {
        (void)snprintf(found->advice, sizeof(found->advice), "it takes %u at most: `vswitchctl "
                       "switch set %s --mtu %u`", status->max_mtu_bytes, of->name,
                       status->max_mtu_bytes);
    } else if (is_interface(where)) {
        (void)snprintf(found->advice, sizeof(found->advice), "`ip link set %s mtu %u` sets it back",
                       where, of->mtu_bytes);
    } else {
        (void)snprintf(found->advice, sizeof(found->advice), "`vswitchctl switch set %s --mtu %u` "
                       "makes them one", of->name, status->mtu_bytes);
    }
    return true;
}

static bool host_disagrees(const struct vswitch_switch *of, const struct port_reading *reading,
                           struct disagreement *found)
{
    const struct host_vnic_status *status = &reading->status.host;

    if (!status->present || status->mtu_bytes == of->mtu_bytes) {
        return false;
    }
    found->mtu_bytes = status->mtu_bytes;
    (void)snprintf(found->object, sizeof(found->object), "host adapter %s", of->host_name);
    (void)snprintf(found->advice, sizeof(found->advice), "`ip link set %s mtu %u` sets it back",
                   of->host_name, of->mtu_bytes);
    return true;
}

static bool vnic_disagrees(const struct vswitch_switch *of, const struct port_reading *reading,
                           struct disagreement *found)
{
    const struct vswitch_port *port = &reading->port;

    if (port->mtu_bytes == of->mtu_bytes) {
        return false;
    }
    found->mtu_bytes = port->mtu_bytes;
    found->deliberate = true;
    (void)snprintf(found->object, sizeof(found->object), "vNIC %s", port->name);
    (void)snprintf(found->advice, sizeof(found->advice), "`vswitchctl vnic set %s --mtu %u` lifts "
                   "it", port->name, of->mtu_bytes);
    return true;
}

/* What a guest goes by was told to it by its VMM, and is to be its vNIC's MTU. */
static bool guest_disagrees(const struct vswitch_switch *of, const struct port_reading *reading,
                            struct disagreement *found)
{
    const struct vhost_status *status = &reading->status.vnic;
    const struct vswitch_port *port = &reading->port;

    (void)of;
    if (status->state == VHOST_WAITING || status->guest_mtu_bytes == 0 ||
        status->guest_mtu_bytes == port->mtu_bytes) {
        return false;
    }
    found->mtu_bytes = status->guest_mtu_bytes;
    (void)snprintf(found->object, sizeof(found->object), "guest of vNIC %s", port->name);
    (void)snprintf(found->advice, sizeof(found->advice), "start its VM with host_mtu=%u",
                   port->mtu_bytes);
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int append(json_t *list, const struct vswitch_switch *of, const struct disagreement *found)
{
    return json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:b, s:s}",
                                                 "object", found->object,
                                                 "mtu", (json_int_t)found->mtu_bytes,
                                                 "switch_mtu", (json_int_t)of->mtu_bytes,
                                                 "deliberate", found->deliberate,
                                                 "advice", found->advice));
}

json_t *report_mtu(const struct vswitch_switch *of, const struct port_reading *readings,
                   size_t count)
{
    static const struct {
        enum vswitch_port_kind kind;
        bool (*disagrees)(const struct vswitch_switch *of, const struct port_reading *reading,
                          struct disagreement *found);
    } checks[] = {
        { VSWITCH_PORT_UPLINK, uplink_disagrees },
        { VSWITCH_PORT_HOST, host_disagrees },
        { VSWITCH_PORT_VNIC, vnic_disagrees },
        { VSWITCH_PORT_VNIC, guest_disagrees },
    };
    const size_t check_count = sizeof(checks) / sizeof(checks[0]);
    json_t *list = json_array();

    for (size_t i = 0; i < count * check_count && list != NULL; i++) {
        const struct port_reading *reading = &readings[i / check_count];
        struct disagreement found = { .deliberate = false };

        if (reading->port.kind == checks[i % check_count].kind &&
            checks[i % check_count].disagrees(of, reading, &found) &&
            append(list, of, &found) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
