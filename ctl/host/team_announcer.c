/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/team_announcer.h"

#include <stdlib.h>
#include <string.h>

#include "teaming/team_announce.h"

bool team_announcer_know(struct team_announcer *announcer, const struct team_address *address,
                         size_t count)
{
    struct team_address *copy = calloc(count + 1, sizeof(*copy));

    free(announcer->address);      /* in any case: their vNICs may be about to go */
    announcer->address = copy;
    announcer->address_count = copy != NULL ? count : 0;
    if (announcer->address_count > 0) {
        memcpy(copy, address, count * sizeof(*copy));
    }
    return copy != NULL;
}

void team_announcer_free(struct team_announcer *announcer)
{
    free(announcer->address);
    memset(announcer, 0, sizeof(*announcer));
}

void team_announcer_begin(struct team_announcer *announcer,
                          const uint64_t moved[TEAM_BUCKETS / 64], uint64_t now_ms)
{
    for (unsigned i = 0; i < TEAM_BUCKETS / 64; i++) {
        announcer->moved[i] |= moved[i];
    }
    announcer->moved_at_ms = now_ms;
    announcer->round = 1;
}

static bool is_there(const struct team_address *address)
{
    return address->vnic == NULL ||
           atomic_load_explicit(&address->vnic->live, memory_order_relaxed) != NULL;
}

static bool has_moved(const struct team_announcer *announcer, unsigned bucket)
{
    return (announcer->moved[bucket / 64] >> (bucket % 64) & 1) != 0;
}

/* Each by the member that its port has now. */
static void announce(const struct team_announcer *announcer, const struct team_announcer_way *way,
                     bool *host_moved)
{
    uint8_t frame[TEAM_ANNOUNCE_BYTES_MAX];

    for (size_t i = 0; i < announcer->address_count; i++) {
        const struct team_address *address = &announcer->address[i];
        const unsigned bucket = address->port % TEAM_BUCKETS;
        const uint8_t own = way->plan->own[bucket];

        if (has_moved(announcer, bucket) && own < TEAM_MEMBERS_MAX && is_there(address)) {
            const uint32_t len_bytes = team_announce_write(address->mac, address->tci, frame);

            (void)team_port_send(way->port, way->member[own]->kind, way->member[own]->at, frame,
                                 len_bytes);
            *host_moved |= address->vnic == NULL;
        }
    }
}

/* The first round is at once. */
static uint64_t due_ms(const struct team_announcer *announcer)
{
    return announcer->moved_at_ms +
           (announcer->round > 1 ? team_announce_due_ms(announcer->round - 1) : 0);
}

uint64_t team_announcer_turn(struct team_announcer *announcer,
                             const struct team_announcer_way *way, uint64_t now_ms,
                             bool *host_moved)
{
    if (announcer->round == 0) {
        return UINT64_MAX;
    }
    if (now_ms >= due_ms(announcer)) {
        announce(announcer, way, host_moved);
        announcer->round++;
    }
    if (announcer->round > TEAM_ANNOUNCE_ROUNDS) {
        announcer->round = 0;
        memset(announcer->moved, 0, sizeof(announcer->moved));
        return UINT64_MAX;
    }
    return due_ms(announcer);
}
