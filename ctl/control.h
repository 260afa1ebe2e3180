/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one way to change state.
 *
 * Every change, be it a command's, the state file's at the start or the end of the daemon, is a new
 * model, and control_commit() makes it real: it compares the new model with the one in force, makes
 * the tables, sockets and interfaces that are new, compiles the fabric, writes the state file,
 * publishes, waits until no worker uses the old fabric, and gives back what only that one used.
 * Each step before publishing can fail, and then what it had made is given back instead; publishing
 * cannot fail.  One step comes after it: the host's addresses are moved to an adapter that works,
 * and when that fails the model before is put in force again.  So a command is done or it has
 * changed nothing, and no command has a sequence of its own to get wrong.
 *
 * Methods read the fields below; only control.c and what it calls writes them.
 * Thread: the control thread, for everything here.
 */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctl/pins.h"
#include "dataplane/dataplane.h"
#include "switch/error.h"
#include "switch/fabric.h"
#include "switch/vswitch.h"

struct balance;
struct captures;
struct event_base;
struct follow;
struct host_vnic;
struct links;
struct loans;
struct notices;
struct rates;
struct team_keeper;
struct uplink;

struct control_config {
    struct event_base *base;       /* all pointers are borrowed, and outlive the control */
    struct dataplane *dataplane;
    const char *run_dir;
    const char *state_dir;
    gid_t group;                   /* of sockets that name no other; (gid_t)-1: the daemon's own */
    bool hugepages;                /* DPDK has them; for daemon show */
};

/* What exists at run time for what a model names; NULL where it names nothing. */
struct control_resources {
    struct mac_table *table[FABRIC_MAX_SWITCHES];   /* by switch id, as the next */
    struct host_vnic *host[FABRIC_MAX_SWITCHES];
    void *team[VSWITCH_MAX_TEAMS];                  /* struct team_port, by team id */
    struct uplink *uplink[FABRIC_MAX_PORTS];        /* by port: of a switch, or a team's member */
    struct fabric_endpoint endpoint[FABRIC_MAX_PORTS];   /* by port: its vNIC, its interface */
    struct pins pins;                               /* what is pinned in the tables */
};

struct control {
    struct control_config config;
    struct vswitch_model *model;           /* in force; never NULL */
    struct control_resources resources;    /* its tables and endpoints */
    const struct fabric *fabric;           /* published; the dataplane's, NULL before the first */
    struct port_counters removed[FABRIC_MAX_SWITCHES];   /* what ports that went had counted, by
                                                            switch id: its totals go on adding up */
    struct links *links;                   /* to ask the kernel about interfaces */
    struct loans *loans;                   /* what of them is to be given back */
    struct follow *follow;                 /* their coming and going */
    struct team_keeper *keeper;            /* of teams: which member carries what */
    struct captures *captures;
    struct notices *notices;
    struct rates *rates;
    struct balance *balance;               /* which worker polls which queue */
    uint32_t started_s;
    bool restoring;                        /* the state file is being put in force: what the host
                                              lacks since is a warning, not a refusal */
    bool keeping;                          /* commits write the state file */
};

/**
 * Starts with what the state file says, or with nothing when there is none yet.
 *
 * @param out  returned owned, for control_stop()
 * @return 0, or a negative errno and a sentence; the state file is not changed
 */
int control_start(const struct control_config *config, struct control **out, struct error *error);

/**
 * Ends captures, removes every vNIC and its socket and the host's adapters, gives interfaces back,
 * and keeps the state file.  NULL is fine.
 */
void control_stop(struct control *control);

/** A copy of the model to edit.  @return owned, for control_commit(); NULL with a sentence */
struct vswitch_model *control_edit(const struct control *control, struct error *error);

/**
 * Puts an edited model in force.
 *
 * @param wanted   taken, in any case
 * @param edited   what editing it answered: when not 0, it is dropped and this is returned
 * @return 0, or a negative errno and a sentence with nothing changed
 */
int control_commit(struct control *control, struct vswitch_model *wanted, int edited,
                   struct error *error);

/** Finds a switch of the model in force.  @return borrowed; NULL with a sentence */
const struct vswitch_switch *control_find_switch(const struct control *control, const char *name,
                                                 struct error *error);
/** Finds a vNIC of the model in force.  @return borrowed; NULL with a sentence */
const struct vswitch_vnic *control_find_vnic(const struct control *control, const char *name,
                                             struct error *error);

/** Finds a team of the model in force.  @return borrowed; NULL with a sentence */
const struct vswitch_team *control_find_team(const struct control *control, const char *name,
                                             struct error *error);

/** RUN/vnic/NAME.sock.  @return 0, or -ENAMETOOLONG and a sentence */
int control_socket_path(const struct control *control, const char *vnic_name, char *path,
                        size_t path_size, struct error *error);

/** Seconds of a monotonic clock: the time of tables and of --json ages. */
uint32_t control_now_s(void);

#endif
