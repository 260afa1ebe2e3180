/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What passed through each port in the last whole second, for `switch show`.
 *
 * Workers only count; once a second the counters are read and kept beside those of the second
 * before.  So one command shows rates at once, instead of making whoever asks wait for a second
 * reading.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_RATES_H
#define CTL_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/counters.h"
#include "dataplane/dataplane.h"
#include "switch/vswitch.h"

struct rates;

/* Of a port; from and to as in counters.h. */
struct rate {
    uint64_t from_frames_per_s;
    uint64_t from_bits_per_s;
    uint64_t to_frames_per_s;
    uint64_t to_bits_per_s;
};

/** @return owned, or NULL when memory is short */
struct rates *rates_create(void);
void rates_destroy(struct rates *rates);                       /* NULL is fine */

/** Reads what every port of @p model has counted.  Call it about once a second. */
void rates_tick(struct rates *rates, const struct dataplane *dataplane,
                const struct vswitch_model *model);

/** Of @p port.  @return false, with zeros, when it was not there for two ticks */
bool rates_of_port(const struct rates *rates, uint16_t port, struct rate *rate);

/* ---- what a tick consists of; parted so that it can be tested without workers ---------------- */

/** Begins a reading at @p now_us of any monotonic clock; the one before is compared with. */
void rates_begin(struct rates *rates, uint64_t now_us);
/** Adds a port to the reading that was begun. */
void rates_note(struct rates *rates, uint16_t port, const struct port_counters *counters);

#endif
