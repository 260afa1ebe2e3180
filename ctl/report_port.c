/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports of all kinds, and the parts that reports share.
 */
#include "ctl/report.h"

#include "switch/mac.h"
#include "switch/offload.h"

/* ---- parts ----------------------------------------------------------------------------------- */

json_t *report_join(json_t *object, json_t *more)
{
    const bool done = object != NULL && more != NULL && json_object_update(object, more) == 0;

    json_decref(more);
    if (!done) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *report_text(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *report_mac(uint64_t mac)
{
    char text[MAC_TEXT_SIZE];

    return mac == 0 ? json_null() : json_string(mac_format(mac, text));
}

json_t *report_vlan(const struct vlan_policy *policy)
{
    char text[VLAN_TEXT_SIZE];

    return json_string(vlan_format(policy, text));
}

json_t *report_offloads(uint8_t takes)
{
    json_t *words = json_array();
    int rc = 0;

#define X(name, value, word)                                                                     \
    if ((takes & OFFLOAD_TAKES_##name) != 0) {                                                   \
        rc |= json_array_append_new(words, json_string(word));                                   \
    }
    OFFLOAD_TAKES(X)
#undef X
    if (rc != 0) {
        json_decref(words);
        return NULL;
    }
    return words;
}

/* ---- counters -------------------------------------------------------------------------------- */

/* Workers go on counting while the parts are read, so a part can be ahead of the whole. */
static json_int_t unicast(uint64_t all, uint64_t multicast, uint64_t broadcast)
{
    return (json_int_t)(all > multicast + broadcast ? all - multicast - broadcast : 0);
}

json_t *report_counters(const struct port_counters *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
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
                     "segment_copies", (json_int_t)c->segment_copies,
                     "coalesced", (json_int_t)c->coalesced);
}

json_t *report_drops(const struct port_counters *counters)
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

/* Of the last whole second; null for a port that is newer than that. */
static json_t *rates_json(const struct port_reading *reading)
{
    const struct rate *rate = &reading->rate;

    if (!reading->has_rate) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I}",
                     "from_frames_per_s", (json_int_t)rate->from_frames_per_s,
                     "from_bits_per_s", (json_int_t)rate->from_bits_per_s,
                     "to_frames_per_s", (json_int_t)rate->to_frames_per_s,
                     "to_bits_per_s", (json_int_t)rate->to_bits_per_s);
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* A port has its address from the model, but for an interface: that one has its own. */
static uint64_t mac_of(const struct port_reading *reading)
{
    return reading->port.kind == VSWITCH_PORT_UPLINK ||
                   reading->port.kind == VSWITCH_PORT_MEMBER
               ? reading->status.uplink.mac : reading->port.mac;
}

json_t *report_port(const struct vswitch_switch *of, const struct port_reading *reading)
{
    const struct vswitch_port *port = &reading->port;
    json_t *is = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:I, s:o}",
                           "switch", report_text(of != NULL ? of->name : ""),
                           "team", report_text(port->team != NULL ? port->team->name : ""),
                           "name", port->name, "kind", vswitch_port_kind_word(port->kind),
                           "state", port_reading_state(reading), "vlan", report_vlan(port->vlan),
                           "mtu", (json_int_t)port->mtu_bytes, "mac", report_mac(mac_of(reading)));

    return report_join(report_join(is, report_counters(&reading->counters)),
                       json_pack("{s:o, s:o}", "rates", rates_json(reading),
                                 "drops", report_drops(&reading->counters)));
}

json_t *report_traffic(const struct control *control, const struct vswitch_switch *of,
                       const struct port_reading *readings, size_t count)
{
    struct port_counters sum = control->removed[of->id];
    json_t *ports = json_array();

    for (size_t i = 0; i < count; i++) {
        port_counters_add(&sum, &readings[i].counters);
        if (json_array_append_new(ports, report_port(of, &readings[i])) != 0) {
            json_decref(ports);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o}", "ports", ports, "counters", report_counters(&sum),
                     "drops", report_drops(&sum));
}
