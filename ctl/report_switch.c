/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Switches: their settings, their uplink and the host's adapter as these stand now.
 */
#include "ctl/report.h"

#include <stdlib.h>

#include "ctl/host/link.h"
#include "ctl/persist.h"
#include "switch/mac_table.h"

/* A number, or null for 0, which is "unknown". */
static json_t *known(uint64_t number)
{
    return number == 0 ? json_null() : json_integer((json_int_t)number);
}

/* ---- what `switch list` says ----------------------------------------------------------------- */

static json_int_t count_ports(const struct vswitch_model *model, uint16_t id)
{
    struct vswitch_port port;
    size_t cursor = 0;
    json_int_t count = 0;

    while (vswitch_port_next(model, id, &cursor, &port)) {
        count++;
    }
    return count;
}

json_t *report_switch(const struct control *control, const struct vswitch_switch *of)
{
    struct mac_table_stats stats;

    mac_table_stats(control->resources.table[of->id], &stats);
    return json_pack("{s:s, s:s, s:I, s:o, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "name", of->name, "type", persist_type_word(of->type),
                     "mtu", (json_int_t)of->mtu_bytes, "uplink", report_text(of->uplink),
                     "host_vnic", of->host_vnic, "force", of->force,
                     "move_addresses", of->move_addresses, "coalesce", of->coalesce,
                     "port_count", count_ports(control->model, of->id),
                     "mac_entries", (json_int_t)stats.entries,
                     "mac_capacity", (json_int_t)of->mac_capacity_entries,
                     "mac_ageing_s", (json_int_t)of->mac_ageing_s,
                     "mac_moves", (json_int_t)stats.moves,
                     "mac_evictions", (json_int_t)stats.evictions,
                     "mac_refused", (json_int_t)stats.refused);
}

/* ---- the uplink and the host's adapter ------------------------------------------------------- */

static json_t *uplink_json(const struct uplink_status *status)
{
    return json_pack("{s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:o, s:o}",
                     "driver", report_text(status->driver), "device", report_text(status->device),
                     "present", status->present, "carrier", status->carrier,
                     "speed_mbps", known(status->speed_mbps), "mac", report_mac(status->mac),
                     "mtu", known(status->mtu_bytes), "max_mtu", known(status->max_mtu_bytes),
                     "carrier_losses", (json_int_t)status->carrier_losses,
                     "exclusive", status->exclusive,
                     "offloads", report_offloads(status->offloads),
                     "offloads_by", report_text(status->offloads_by),
                     "note", report_text(status->note), "moved", report_text(status->moved));
}

/* The addresses that the host has there now, link-local ones left out; none when it is gone. */
static json_t *addresses_json(const struct control *control, const char *interface)
{
    struct link_address *addresses = NULL;
    struct error ignored;
    size_t count = 0;
    json_t *list = json_array();

    if (link_addresses(control->links, interface, &addresses, &count, &ignored) != 0) {
        count = 0;
    }
    for (size_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, json_string(addresses[i].text)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(addresses);
    return list;
}

static json_t *host_json(const struct control *control, const struct vswitch_switch *of,
                         const struct host_vnic_status *status)
{
    return json_pack("{s:s, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "name", of->host_name,
                     "mac", report_mac(status->present ? status->mac : of->host_mac),
                     "mtu", known(status->mtu_bytes), "present", status->present,
                     "up", status->up, "vlan", report_vlan(&of->host_vlan),
                     "offloads", report_offloads(status->offloads),
                     "addresses", addresses_json(control, of->host_name));
}

/* ---- what `switch show` says ----------------------------------------------------------------- */

static const struct port_reading *find_kind(const struct port_reading *readings, size_t count,
                                            enum vswitch_port_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        if (readings[i].port.kind == kind) {
            return &readings[i];
        }
    }
    return NULL;
}

json_t *report_switch_whole(const struct control *control, const struct vswitch_switch *of)
{
    size_t count;
    struct port_reading *readings = port_readings_take(control, of->id, &count);
    const struct port_reading *uplink = find_kind(readings, count, VSWITCH_PORT_UPLINK);
    const struct port_reading *host = find_kind(readings, count, VSWITCH_PORT_HOST);
    const struct vswitch_team *team = vswitch_team_of(control->model, of);
    json_t *whole;

    if (readings == NULL) {
        return NULL;
    }
    whole = json_pack("{s:o, s:o, s:o, s:o}",
                      "team", team == NULL ? json_null() : report_team_whole(control, team),
                      "uplink_status", uplink == NULL ? json_null()
                                                      : uplink_json(&uplink->status.uplink),
                      "host", host == NULL ? json_null()
                                           : host_json(control, of, &host->status.host),
                      "mtu_disagreements", report_mtu(of, readings, count));
    whole = report_join(report_join(report_switch(control, of), whole),
                        report_traffic(control, of, readings, count));
    free(readings);
    return whole;
}
