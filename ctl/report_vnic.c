/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vNICs: what was configured, and the guest's side.
 */
#include "ctl/report.h"

#include <stdio.h>
#include <sys/un.h>

#include "switch/mac.h"
#include "switch/offload.h"

#define SENTENCE_SIZE 256u

static void read_vnic(const struct control *control, const struct vswitch_vnic *vnic,
                      struct port_reading *reading)
{
    struct vswitch_port port;

    (void)vswitch_port_at(control->model, vnic->port, &port);
    port_reading_take(control, &port, reading);
}

/* ---- what `vnic list` says ------------------------------------------------------------------- */

static json_t *vnic_json(const struct control *control, const struct vswitch_vnic *vnic,
                         const struct port_reading *reading)
{
    char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "";

    (void)control_socket_path(control, vnic->name, socket, sizeof(socket), NULL);
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:i, s:s, s:s}", "name", vnic->name,
                     "switch", vswitch_by_id(control->model, vnic->switch_id)->name,
                     "mac", report_mac(vnic->mac), "mtu", (json_int_t)reading->port.mtu_bytes,
                     "vlan", report_vlan(&vnic->vlan), "queues", (int)vnic->queues,
                     "socket", socket, "state", port_reading_state(reading));
}

json_t *report_vnic(const struct control *control, const struct vswitch_vnic *vnic)
{
    struct port_reading reading;

    read_vnic(control, vnic, &reading);
    return vnic_json(control, vnic, &reading);
}

/* ---- what may come from it ------------------------------------------------------------------- */

static json_t *allowed_macs(const struct vswitch_vnic *vnic)
{
    json_t *list = json_array();

    for (uint16_t i = 0; i < vnic->allowed_mac_count; i++) {
        if (json_array_append_new(list, report_mac(vnic->allowed_mac[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *policy_json(const struct vswitch_vnic *vnic, const struct port_reading *reading)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:b, s:b}",
                     "priority", vnic->priority_trust ? "trust" : "reset",
                     "spoof_guard", vnic->spoof_guard, "allow_mac", allowed_macs(vnic),
                     "spoof_tried", report_mac(reading->counters.spoofed_mac),
                     "dhcp_guard", vnic->dhcp_guard, "router_guard", vnic->router_guard);
}

/* ---- the guest's side ------------------------------------------------------------------------ */

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

/* What the guest may send undone by what it negotiated, in the words of what is received so. */
static uint8_t sends(uint64_t features)
{
    return (uint8_t)(((features & OFFLOAD_CSUM) != 0 ? OFFLOAD_TAKES_CSUM : 0) |
                     ((features & OFFLOAD_HOST_TSO4) != 0 ? OFFLOAD_TAKES_TSO4 : 0) |
                     ((features & OFFLOAD_HOST_TSO6) != 0 ? OFFLOAD_TAKES_TSO6 : 0) |
                     ((features & OFFLOAD_HOST_ECN) != 0 ? OFFLOAD_TAKES_ECN : 0) |
                     ((features & OFFLOAD_HOST_USO) != 0 ? OFFLOAD_TAKES_USO4 | OFFLOAD_TAKES_USO6
                                                         : 0));
}

/*
 * What was changed while a VM is attached, which is told what is offered when it starts.  QEMU does
 * not reconnect to a vNIC that offers less than its guest has negotiated.
 */
static json_t *offload_note(const struct vswitch_vnic *vnic, const struct vhost_status *status)
{
    char text[OFFLOAD_TEXT_SIZE];
    char note[SENTENCE_SIZE];

    if (status->state == VHOST_WAITING || status->granted == vnic->offload) {
        return json_null();
    }
    if ((status->features & OFFLOAD_ALL & ~vnic->offload) != 0) {
        return json_string("its guest has more: what it receives is narrowed at once, what it "
                           "sends when its VM is started anew");
    }
    offload_format(status->granted, text);
    (void)snprintf(note, sizeof(note), "its VM attached when %s was offered, and is offered this "
                   "when it is started anew", text);
    return json_string(note);
}

static json_t *offload_json(const struct vswitch_vnic *vnic, const struct vhost_status *status)
{
    char text[OFFLOAD_TEXT_SIZE];

    offload_format(vnic->offload, text);
    return json_pack("{s:s, s:o, s:o, s:o}", "offload", text,
                     "offload_note", offload_note(vnic, status),
                     "offloads_taken", report_offloads(offload_takes(status->features &
                                                                     vnic->offload)),
                     "offloads_sent", report_offloads(sends(status->features)));
}

static json_t *guest_side(const struct vswitch_vnic *vnic, const struct port_reading *reading)
{
    const struct vhost_status *status = &reading->status.vnic;

    return json_pack("{s:o, s:o, s:I, s:o, s:i, s:i, s:I, s:o, s:I, s:o, s:o}",
                     "broken_reason", broken_reason(status),
                     "refused_reason", report_text(vhost_refusal_text(status->refusal)),
                     "refused", (json_int_t)status->refusals,
                     "features", features(status->features),
                     "queues_enabled", (int)status->pairs_enabled,
                     "ring_size", (int)status->ring_size,
                     "guest_mtu", (json_int_t)status->guest_mtu_bytes,
                     "mtu_note", mtu_note(status, reading->port.mtu_bytes),
                     "attaches", (json_int_t)status->attaches,
                     "socket_owner", report_text(vnic->socket_owner),
                     "socket_group", report_text(vnic->socket_group));
}

json_t *report_vnic_whole(const struct control *control, const struct vswitch_vnic *vnic)
{
    struct port_reading reading;
    json_t *whole;

    read_vnic(control, vnic, &reading);
    whole = report_join(vnic_json(control, vnic, &reading), policy_json(vnic, &reading));
    whole = report_join(whole, offload_json(vnic, &reading.status.vnic));
    return report_join(report_join(whole, guest_side(vnic, &reading)),
                       json_pack("{s:o, s:o}", "counters", report_counters(&reading.counters),
                                 "drops", report_drops(&reading.counters)));
}
