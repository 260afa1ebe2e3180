/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps teams going: a thread that does, in time, what nobody may delay.
 *
 * LACP is a matter of seconds and failover one of milliseconds, and a command may take as long as
 * the kernel or a device does.  So teams have a thread of their own: its clock, its netlink socket,
 * its way to send a frame by a member.  Control tells it of what there is after each publishing;
 * from then on what the thread hears (carriers, PDUs, loads) goes into struct team, and what comes
 * out of that goes to the workers by the team's plan, without a fabric.
 *
 * A lock is held for as long as a team is told of or a turn takes: neither waits for anything.
 *
 * Addresses whose member has changed are announced by it, in switch-independent mode, where the
 * network knows no more of the team than where it has seen an address last.
 *
 * Thread: control, for all calls.
 */
#ifndef CTL_TEAM_KEEPER_H
#define CTL_TEAM_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/team_port.h"
#include "ctl/host/team_announcer.h"
#include "switch/error.h"
#include "switch/vswitch.h"
#include "teaming/team.h"

struct team_keeper;

/* A member as it stands behind the fabric that is published. */
struct team_keeper_member {
    bool present;
    bool standby;
    bool up;                       /* frames can flow */
    bool half_duplex;
    uint16_t port;                 /* of the fabric: with another one it is another member */
    int ifindex;                   /* of a kernel's interface; 0: another device */
    uint32_t speed_mbps;           /* 0: unknown */
    uint64_t mac;
    struct fabric_endpoint endpoint;
};

struct team_keeper_team {
    uint16_t id;
    const char *name;
    struct team_setting setting;
    struct team_port *port;        /* lives until team_keeper_forget() */
    struct team_keeper_member member[TEAM_MEMBERS_MAX];
    const struct team_address *address;   /* of ports of the team's switch */
    size_t address_count;
};

/* How a team stands. */
struct team_keeper_status {
    uint8_t carries;               /* members, a bit each */
    uint8_t primary;               /* TEAM_NO_MEMBER: none carries */
    uint32_t failovers;            /* a member that carried was lost, since the team was made */
    uint64_t lost_pdus;            /* frames of slow protocols that came too fast */
    struct team_member_status member[TEAM_MEMBERS_MAX];
};

/** Starts the thread; libevent knows of threads already.  @return owned; NULL with a sentence */
struct team_keeper *team_keeper_start(struct error *error);
void team_keeper_stop(struct team_keeper *keeper);             /* NULL is fine */

/**
 * Tells of a team, which may be a new one.  When it returns, no endpoint and no vNIC that was told
 * of before is in use.  Texts and addresses are copied.
 * @return 0, or -ENOMEM: then it is not kept when it is new, else announces no addresses
 */
int team_keeper_tell(struct team_keeper *keeper, const struct team_keeper_team *team);
/**
 * Readable when the host's adapter behind a team has another member, once for each time that its
 * address is announced: what it has of IP only control knows, and announces.  Borrowed.
 */
int team_keeper_moved_fd(const struct team_keeper *keeper);
/** Whose adapters have moved since the last call, a bit for each team by its id. */
uint32_t team_keeper_take_moved(struct team_keeper *keeper);

/** The team is no more; unknown ones are nothing. */
void team_keeper_forget(struct team_keeper *keeper, uint16_t id);

/** @return whether there is such a team */
bool team_keeper_status(struct team_keeper *keeper, uint16_t id,
                        struct team_keeper_status *status);

#endif
