/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/report.h"

#include <stdio.h>
#include <sys/un.h>

#include "ctl/persist.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "vnic/vhost_control.h"

#define SENTENCE_SIZE 256u

/* Adds all of @p more (taken) to @p object (taken).  @return owned, NULL when one was NULL */
static json_t *join(json_t *object, json_t *more)
{
    const bool done = object != NULL && more != NULL && json_object_update(object, more) == 0;

    json_decref(more);
    if (!done) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- counters -------------------------------------------------------------------------------- */

/* Workers go on counting while the parts are read, so a part can be ahead of the whole. */
static json_int_t unicast(uint64_t all, uint64_t multicast, uint64_t broadcast)
{
    return (json_int_t)(all > multicast + broadcast ? all - multicast - broadcast : 0);
}

/* {from_frames, from_bytes, ...} */
static json_t *report_counters(const struct port_counters *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "from_frames", (json_int_t)c->from_frames,
                     "from_bytes", (json_int_t)c->from_bytes,
                     "from_unicast", unicast(c->from_frames, c->from_multicast, c->from_broadcast),
                     "from_multicast", (json_int_t)c->from_multicast,
                     "from_broadcast", (json_int_t)c->from_broadcast,
                     "to_frames", (json_int_t)c->to_frames,
                     "to_bytes", (json_int_t)c->to_bytes,
                     "to_unicast", unicast(c->to_frames, c->to_multicast, c->to_broadcast),
                     "to_multicast", (json_int_t)c->to_multicast,
                     "to_broadcast", (json_int_t)c->to_broadcast,
                     "flood_copies", (json_int_t)c->flood_copies,
                     "segment_copies", (json_int_t)c->segment_copies);
}

/* {"receiver had no free buffers": 0, ...} */
static json_t *report_drops(const struct port_counters *counters)
{
    json_t *drops = json_object();

    for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
        if (json_object_set_new(drops, drop_reason_text((enum drop_reason)i),
                                json_integer((json_int_t)counters->drops[i])) != 0) {
            json_decref(drops);
            return NULL;
        }
    }
    return drops;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static const char *state_word(enum vhost_state state)
{
    static const char *const words[] = {
        [VHOST_WAITING] = "waiting", [VHOST_ATTACHED] = "attached", [VHOST_BROKEN] = "broken",
    };

    return words[state];
}

static void vnic_status(const struct control *control, const struct vswitch_vnic *vnic,
                        struct vhost_status *status)
{
    vhost_control_status(control->resources.endpoint[vnic->port].at, status);
}

static json_t *port_json(const struct control *control, const struct vswitch_vnic *vnic,
                         const struct port_counters *counters)
{
    struct vhost_status status;

    vnic_status(control, vnic, &status);
    return join(join(json_pack("{s:s, s:s, s:s, s:s, s:s}",
                               "switch", vswitch_by_id(control->model, vnic->switch_id)->name,
                               "name", vnic->name, "kind", "vnic",
                               "state", state_word(status.state), "vlan", "none"),
                     report_counters(counters)),
                json_pack("{s:o}", "drops", report_drops(counters)));
}

json_t *report_port(const struct control *control, const struct vswitch_vnic *vnic)
{
    struct port_counters counters;

    dataplane_counters(control->config.dataplane, vnic->port, &counters);
    return port_json(control, vnic, &counters);
}

/* The totals are of the very reading that the ports show, so what is left is of removed ports. */
json_t *report_traffic(const struct control *control, const struct vswitch_switch *of)
{
    struct port_counters sum = control->removed[of->id];
    json_t *ports = json_array();

    for (size_t i = 0; i < control->model->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &control->model->vnics[i];
        struct port_counters counters;

        if (vnic->switch_id != of->id) {
            continue;
        }
        dataplane_counters(control->config.dataplane, vnic->port, &counters);
        port_counters_add(&sum, &counters);
        if (json_array_append_new(ports, port_json(control, vnic, &counters)) != 0) {
            json_decref(ports);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o}", "ports", ports, "counters", report_counters(&sum),
                     "drops", report_drops(&sum));
}

/* ---- switches -------------------------------------------------------------------------------- */

json_t *report_switch(const struct control *control, const struct vswitch_switch *of)
{
    struct mac_table_stats stats;
    json_int_t ports = 0;

    for (size_t i = 0; i < control->model->vnic_count; i++) {
        ports += control->model->vnics[i].switch_id == of->id;
    }
    mac_table_stats(control->resources.table[of->id], &stats);
    return json_pack("{s:s, s:s, s:I, s:n, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "name", of->name, "type", persist_type_word(of->type),
                     "mtu", (json_int_t)of->mtu_bytes, "uplink", "host_vnic", false,
                     "port_count", ports, "mac_entries", (json_int_t)stats.entries,
                     "mac_capacity", (json_int_t)of->mac_capacity_entries,
                     "mac_ageing_s", (json_int_t)of->mac_ageing_s,
                     "mac_moves", (json_int_t)stats.moves,
                     "mac_evictions", (json_int_t)stats.evictions,
                     "mac_refused", (json_int_t)stats.refused);
}

json_t *report_switch_whole(const struct control *control, const struct vswitch_switch *of)
{
    return join(report_switch(control, of), report_traffic(control, of));
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

json_t *report_vnic(const struct control *control, const struct vswitch_vnic *vnic)
{
    char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "";
    char mac[MAC_TEXT_SIZE];
    struct vhost_status status;

    (void)control_socket_path(control, vnic->name, socket, sizeof(socket), NULL);
    vnic_status(control, vnic, &status);
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:i, s:s, s:s}", "name", vnic->name,
                     "switch", vswitch_by_id(control->model, vnic->switch_id)->name,
                     "mac", mac_format(vnic->mac, mac),
                     "mtu", (json_int_t)vswitch_vnic_mtu(control->model, vnic), "vlan", "none",
                     "queues", (int)vnic->queues, "socket", socket,
                     "state", state_word(status.state));
}

static json_t *features(uint64_t negotiated)
{
    json_t *names = json_array();

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = (negotiated >> bit & 1) != 0 ? vhost_feature_name(bit) : NULL;

        if (name != NULL && json_array_append_new(names, json_string(name)) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

/* "transmit ring 0: a chain is longer than the ring", seen from the guest as virtio names them. */
static json_t *broken_reason(const struct vhost_status *status)
{
    char text[SENTENCE_SIZE];

    if (status->state != VHOST_BROKEN) {
        return json_null();
    }
    (void)snprintf(text, sizeof(text), "%s ring of queue pair %u: %s; it is used again when %s",
                   status->fault_ring % 2 == 0 ? "receive" : "transmit", status->fault_ring / 2u,
                   virtqueue_fault_text(status->fault), virtqueue_fault_mend(status->fault));
    return json_string(text);
}

static json_t *mtu_note(const struct vhost_status *status, uint32_t mtu_bytes)
{
    char text[SENTENCE_SIZE];

    if (status->state == VHOST_WAITING || status->guest_mtu_bytes == 0 ||
        status->guest_mtu_bytes == mtu_bytes) {
        return json_null();
    }
    (void)snprintf(text, sizeof(text), "the guest was told an MTU of %u and the vNIC has %u: give "
                   "its monitor host_mtu=%u, or the vNIC --mtu %u", status->guest_mtu_bytes,
                   mtu_bytes, mtu_bytes, status->guest_mtu_bytes);
    return json_string(text);
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *guest_side(const struct control *control, const struct vswitch_vnic *vnic)
{
    struct vhost_status status;

    vnic_status(control, vnic, &status);
    return json_pack("{s:o, s:o, s:I, s:o, s:i, s:i, s:I, s:o, s:I, s:o, s:o}",
                     "broken_reason", broken_reason(&status),
                     "refused_reason", text_or_null(vhost_refusal_text(status.refusal)),
                     "refused", (json_int_t)status.refusals,
                     "features", features(status.features),
                     "queues_enabled", (int)status.pairs_enabled,
                     "ring_size", (int)status.ring_size,
                     "guest_mtu", (json_int_t)status.guest_mtu_bytes,
                     "mtu_note", mtu_note(&status, vswitch_vnic_mtu(control->model, vnic)),
                     "attaches", (json_int_t)status.attaches,
                     "socket_owner", text_or_null(vnic->socket_owner),
                     "socket_group", text_or_null(vnic->socket_group));
}

json_t *report_vnic_whole(const struct control *control, const struct vswitch_vnic *vnic)
{
    struct port_counters counters;

    dataplane_counters(control->config.dataplane, vnic->port, &counters);
    return join(join(report_vnic(control, vnic), guest_side(control, vnic)),
                json_pack("{s:o, s:o}", "counters", report_counters(&counters),
                          "drops", report_drops(&counters)));
}
