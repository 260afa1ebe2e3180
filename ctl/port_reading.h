/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port of any kind as it is at one moment: what was configured, how it stands, what it counted.
 *
 * Whoever shows ports takes readings first and then only looks at these, so that a port's state,
 * its counters and the totals over all ports agree, and what is shown can be tested without ports.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_PORT_READING_H
#define CTL_PORT_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/control.h"
#include "ctl/host/host_vnic.h"
#include "ctl/rates.h"
#include "ctl/host/uplink.h"
#include "switch/vswitch.h"
#include "vnic/vhost_control.h"

struct port_reading {
    struct vswitch_port port;          /* its pointers are into the model, as ever */
    struct port_counters counters;     /* an uplink's overruns are among the drops */
    bool has_rate;
    struct rate rate;
    union {                            /* by port.kind; zeros: nothing stands behind it */
        struct vhost_status vnic;
        struct uplink_status uplink;
        struct host_vnic_status host;
    } status;
};

/** Reads @p port.  May ask the kernel. */
void port_reading_take(const struct control *control, const struct vswitch_port *port,
                       struct port_reading *reading);

/**
 * Reads the ports of switch @p id, in the order of vswitch_port_next().
 * @return owned, for free(); NULL when memory is short
 */
struct port_reading *port_readings_take(const struct control *control, uint16_t id, size_t *count);

/** "waiting", "attached", "broken"; "up", "no carrier", "down", "gone". */
const char *port_reading_state(const struct port_reading *reading);

#endif
