/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrying the host's addresses and routes from an uplink to the host's own adapter, and back.
 *
 * This is the classic way to lose a host that is reached over that very uplink, so the order is
 * chosen for what may go wrong.  Before anything is changed, what there is has been written to
 * STATE/moved-N.json (N: the uplink's number), and is carried back from there by whoever starts
 * next, however the daemon ended.  A step that the kernel refuses carries everything back at once.
 * And what went well is not believed: every gateway that answered on the uplink has to answer on
 * the adapter within MOVE_CONFIRM_S, or everything is carried back without anybody's asking.
 *
 * All IPv4 addresses, all of IPv6 but the link-local, and the routes of all tables that lead out by
 * the uplink go over, each with everything the kernel knows of it.  What is the kernel's own to
 * make (link-local addresses, the local table) stays, and so do rules, neighbours and sysctls.
 *
 * Not carried over are programs that configure the interface: a DHCP client or a network manager
 * that goes on working on the uplink has to be told to work on the adapter instead, or it will put
 * its addresses on the uplink again at the next lease.  Leases and router advertisements that ran
 * before the move expire at the time they would have.
 *
 * The order of an external switch with move_addresses:
 *
 *     move_prepare()          before the uplink is taken from the host's stack
 *     ... the uplink is opened, the host's adapter is made, the fabric is published ...
 *     move_start()
 *     ... MOVE_CONFIRMING, then one of the others, told by config.changed ...
 *     move_back()             before the adapter goes; the uplink is the host's again
 *
 * In MOVE_TAKEN_BACK the host has its addresses on the uplink: it must not be kept off it.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_MOVE_ADDRESSES_H
#define CTL_MOVE_ADDRESSES_H

#include <stddef.h>

#include "ctl/host/link.h"
#include "switch/error.h"

#define MOVE_CONFIRM_S 10          /* so long may gateways keep silent after a move */
#define MOVE_TEXT_SIZE 320u

struct event_base;
struct move_addresses;

enum move_state {
    MOVE_PREPARED,                 /* everything is on the uplink, and noted */
    MOVE_CONFIRMING,               /* carried over; the gateways are asked */
    MOVE_CONFIRMED,                /* carried over, and they answer */
    MOVE_UNCONFIRMED,              /* carried over; no gateway answered before, so none is asked */
    MOVE_TAKEN_BACK                /* on the uplink again, because a gateway did not answer */
};

struct move_config {
    struct event_base *base;       /* pointers are borrowed, for the life of the move */
    struct links *links;
    const char *state_dir;
    const char *uplink;            /* the interface; copied */
    /** Called when the state has changed by itself, from the event loop.  NULL is fine. */
    void (*changed)(void *context, enum move_state state);
    void *context;
};

/* What `switch show` tells of it. */
struct move_status {
    enum move_state state;
    size_t addresses, routes;      /* that were there to be carried */
    char text[MOVE_TEXT_SIZE];     /* one sentence, no full stop */
};

/**
 * Notes what the host has on the uplink and which of its gateways answer there.
 *
 * Blocks for at most a second, and that only when a gateway does not answer.
 *
 * @return owned, for move_back(); NULL with a sentence and nothing changed
 */
struct move_addresses *move_prepare(const struct move_config *config, struct error *error);

/**
 * Carries everything over to @p adapter, which is up and whose switch works, and begins to confirm.
 * @return 0; or a negative errno and a sentence, with everything on the uplink
 */
int move_start(struct move_addresses *move, const char *adapter, struct error *error);

/**
 * Carries everything back that is not back yet, and frees @p move.  What cannot be carried back is
 * said in the log.  NULL is fine.
 */
void move_back(struct move_addresses *move);

void move_status(const struct move_addresses *move, struct move_status *status);

/**
 * Carries back what an earlier daemon had carried over when it ended: at the start, before uplinks
 * are opened.
 */
void move_recover(struct links *links, const char *state_dir);

#endif
