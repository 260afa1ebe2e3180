/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Something at a port of the switch that sends marked frames and tells which it got: a guest, the
 * host on its adapter, or a peer at the other end of a wire.  Tests of who may talk to whom treat
 * them alike.
 *
 * A mark is a number of the test's; it says which frame this is, and so who sent it and how.
 */
#ifndef TESTS_SUPPORT_STATION_H
#define TESTS_SUPPORT_STATION_H

#include "tests/support/frontend.h"
#include "tests/support/lab.h"

#include <stdbool.h>
#include <stdint.h>

#define STATION_UNTAGGED UINT16_MAX    /* instead of a TCI */
#define STATION_QUIET_MS 200           /* nothing for so long: nothing more is on its way */

struct station {
    const char *name;
    uint8_t mac[6];
    bool guest;
    struct frontend frontend;          /* of a guest */
    int socket;                        /* of the others: a packet socket */
};

/* A marked frame that arrived. */
struct station_got {
    uint32_t mark;
    uint16_t tci;                      /* as it was tagged, or STATION_UNTAGGED */
};

/** Enters a network namespace of its own, with its own /sys; "lo" is up.  @return 0 or -errno */
int station_leave_host(void);

/** Attaches as the guest of vNIC @p name, whose address is @p mac.  @return 0 or -errno */
int station_attach(struct station *station, struct lab *lab, const char *name,
                   const uint8_t mac[6]);
/** Opens interface @p name, as a peer with its own address @p mac.  @return 0 or -errno */
int station_open(struct station *station, const char *name, const uint8_t mac[6]);
void station_close(struct station *station);

/**
 * Sends a frame of 64 bytes.
 * @param tci  of an 802.1Q tag, or STATION_UNTAGGED
 * @return 0 or -errno
 */
int station_send(struct station *station, const uint8_t to[6], uint16_t tci, uint32_t mark);

/** Takes the next marked frame; waits STATION_QUIET_MS.  @return whether there was one */
bool station_next(struct station *station, struct station_got *got);

#endif
