/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user backend without a switch: says yes to everything, and at a chosen request something
 * else.
 *
 * It runs on a thread of its own, serves one connection after the other, and keeps what it was told
 * for the test to look at.  It touches no ring.
 */
#ifndef TESTS_SUPPORT_FAKE_SWITCH_H
#define TESTS_SUPPORT_FAKE_SWITCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/vhost_user.h"

#define FAKE_SWITCH_RINGS 32u

enum fake_switch_fault {
    FAKE_SWITCH_HONEST,
    FAKE_SWITCH_SILENT,            /* reads and does not answer, then or later */
    FAKE_SWITCH_LATE,              /* answers after fake_switch.late_ms */
    FAKE_SWITCH_HANGS_UP,
    FAKE_SWITCH_TRUNCATES,         /* half an answer, then hangs up */
    FAKE_SWITCH_STALLS,            /* half an answer, and nothing more */
    FAKE_SWITCH_OTHER_REQUEST,     /* an answer to something else */
    FAKE_SWITCH_OTHER_SIZE,        /* a payload longer than it should be */
    FAKE_SWITCH_NO_REPLY_FLAG,
    FAKE_SWITCH_OTHER_RING,        /* in answers that name one */
    FAKE_SWITCH_REFUSES,           /* an acknowledgement that says no */
    FAKE_SWITCH_FAULTS
};

struct fake_switch_ring {
    uint32_t size, base, enabled;
    struct vhost_vring_addr address;
    int kick_fd, call_fd;          /* as received; -1: none */
    unsigned calls_set;
    bool started;                  /* has its kick, and was not taken back */
};

struct fake_switch {
    char dir[32];
    char path[64];
    /* ---- the test's to set, while it does not listen or its frontend is quiet ---- */
    uint64_t features, protocol_features, pairs_max;
    enum fake_switch_fault fault;
    uint32_t fault_at;             /* request */
    int late_ms;
    /* ---- what it was told; for fake_switch_lock() ---- */
    pthread_mutex_t lock;
    unsigned connections;
    unsigned requests[VHOST_USER_NET_SET_MTU + 1];     /* how often each came */
    uint64_t features_set, mtu_bytes, rarp;
    uint32_t region_count;
    struct vhost_user_region region[VHOST_USER_MAX_REGIONS];
    struct fake_switch_ring ring[FAKE_SWITCH_RINGS];
    bool confused;                 /* by a message that does not belong to the protocol */
    /* ---- its own ---- */
    int listen_fd, stop_fd;
    pthread_t thread;
    bool runs;
};

/** Honest, offering all that is known here, and not listening yet.  @return 0 or -1 */
int fake_switch_open(struct fake_switch *fake);
/** Removes everything it made. */
void fake_switch_close(struct fake_switch *fake);

/** @return 0 or -1 */
int fake_switch_listen(struct fake_switch *fake);
/** As when its process is killed: connection and socket go; what it was told is forgotten. */
void fake_switch_kill(struct fake_switch *fake);

static inline void fake_switch_lock(struct fake_switch *fake)
{
    pthread_mutex_lock(&fake->lock);
}

static inline void fake_switch_unlock(struct fake_switch *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

#endif
