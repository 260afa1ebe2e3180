/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rates.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000u

/* What a port had counted at a reading. */
struct sample {
    uint64_t from_frames, from_bytes;
    uint64_t to_frames, to_bytes;
    bool there;
};

struct reading {
    uint64_t at_us;
    struct sample port[FABRIC_MAX_PORTS];
};

struct rates {
    struct reading reading[2];
    unsigned now;                  /* which of them is the newer */
};

struct rates *rates_create(void)
{
    return calloc(1, sizeof(struct rates));
}

void rates_destroy(struct rates *rates)
{
    free(rates);
}

void rates_begin(struct rates *rates, uint64_t now_us)
{
    struct reading *reading;

    rates->now = 1 - rates->now;
    reading = &rates->reading[rates->now];
    memset(reading, 0, sizeof(*reading));
    reading->at_us = now_us;
}

void rates_note(struct rates *rates, uint16_t port, const struct port_counters *counters)
{
    rates->reading[rates->now].port[port] = (struct sample){
        .from_frames = counters->from_frames,
        .from_bytes = counters->from_bytes,
        .to_frames = counters->to_frames,
        .to_bytes = counters->to_bytes,
        .there = true,
    };
}

static void note_port(struct rates *rates, const struct dataplane *dataplane, uint16_t port)
{
    struct port_counters counters;

    dataplane_counters(dataplane, port, &counters);
    rates_note(rates, port, &counters);
}

void rates_tick(struct rates *rates, const struct dataplane *dataplane,
                const struct vswitch_model *model)
{
    struct vswitch_port port;
    struct timespec now;
    size_t cursor = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    rates_begin(rates, (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / 1000u);
    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        note_port(rates, dataplane, port.number);
    }
    cursor = 0;
    while (vswitch_member_next(model, VSWITCH_MAX_TEAMS, &cursor, &port)) {
        note_port(rates, dataplane, port.number);
    }
}

static uint64_t per_second(uint64_t before, uint64_t now, uint64_t time_us)
{
    return (uint64_t)((double)(now - before) * US_PER_S / (double)time_us + 0.5);
}

/* Counters that went back are of another port that has the number now. */
bool rates_of_port(const struct rates *rates, uint16_t port, struct rate *rate)
{
    const struct reading *newer = &rates->reading[rates->now];
    const struct reading *older = &rates->reading[1 - rates->now];
    const struct sample *now = &newer->port[port], *before = &older->port[port];
    const uint64_t time_us = newer->at_us - older->at_us;

    memset(rate, 0, sizeof(*rate));
    if (!now->there || !before->there || time_us == 0 || now->from_frames < before->from_frames ||
        now->from_bytes < before->from_bytes || now->to_frames < before->to_frames ||
        now->to_bytes < before->to_bytes) {
        return false;
    }
    *rate = (struct rate){
        .from_frames_per_s = per_second(before->from_frames, now->from_frames, time_us),
        .from_bits_per_s = 8 * per_second(before->from_bytes, now->from_bytes, time_us),
        .to_frames_per_s = per_second(before->to_frames, now->to_frames, time_us),
        .to_bits_per_s = 8 * per_second(before->to_bytes, now->to_bytes, time_us),
    };
    return true;
}
