/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/counters.h"

void port_counters_add(struct port_counters *sum, const struct port_counters *one)
{
    const uint64_t spoofed_mac = counter_read(&one->spoofed_mac);

    sum->from_frames += counter_read(&one->from_frames);
    sum->from_bytes += counter_read(&one->from_bytes);
    sum->from_multicast += counter_read(&one->from_multicast);
    sum->from_broadcast += counter_read(&one->from_broadcast);
    sum->flood_copies += counter_read(&one->flood_copies);
    sum->segment_copies += counter_read(&one->segment_copies);
    sum->coalesced += counter_read(&one->coalesced);
    sum->to_frames += counter_read(&one->to_frames);
    sum->to_bytes += counter_read(&one->to_bytes);
    sum->to_multicast += counter_read(&one->to_multicast);
    sum->to_broadcast += counter_read(&one->to_broadcast);
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
        sum->drops[reason] += counter_read(&one->drops[reason]);
    }
    if (spoofed_mac != 0) {
        sum->spoofed_mac = spoofed_mac;
    }
}
