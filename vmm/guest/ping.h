/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking others: their address, then echoes, one at a time.
 *
 * Pure but for its clock, which is an argument: what to send next, what came, when to look again.
 */
#ifndef VMM_GUEST_PING_H
#define VMM_GUEST_PING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/guest/packet.h"

#define PING_SIZE_MAX    9000u         /* of the data */
#define PING_ASKS_MAX    50u           /* for an address */
#define PING_ASK_NS      UINT64_C(200000000)
#define PING_TIMEOUT_NS  UINT64_C(1000000000)

struct ping {
    bool is_ip6;
    uint8_t ip[4], ip6[16];
    uint64_t count;                    /* echoes to ask for */
    uint32_t size_bytes;               /* of each one's data */
    /* ---- how far it is ---- */
    bool is_resolved;
    uint8_t mac[6];
    uint64_t asked;                    /* for the address */
    uint64_t sent, received;
    bool is_waiting;                   /* for an answer, until due_ns */
    uint64_t sent_ns, due_ns;
    uint64_t round_trips_ns, round_trip_max_ns;
};

/** What to send now.  @return its length; 0: nothing before ping->due_ns, or an answer */
size_t ping_next(struct ping *ping, const struct station *self, uint64_t now_ns, uint8_t *frame);
/** @return whether the frame was for it */
bool ping_take(struct ping *ping, const struct station *self, uint64_t now_ns,
               const uint8_t *frame, size_t len_bytes);
bool ping_is_over(const struct ping *ping);

#endif
