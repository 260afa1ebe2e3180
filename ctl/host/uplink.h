/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The uplink of an external switch, or a member of a team, which is one too: from what the operator
 * named to something that carries frames, and back.
 *
 * WHERE is a kernel interface ("eth1"), a PCI address ("0000:01:00.0"), or a device of DPDK's
 * ("vdev:net_tap0,iface=x").  For a kernel interface the best driver that works is chosen: AF_XDP
 * where hardware stands behind it and the MTU fits its chunks, else packet sockets.  AF_XDP is no
 * choice where frames can come from a local stack (veth, bridge, ...): they have partial checksums,
 * and an XDP program is not told of them.
 *
 * A kernel interface is borrowed.  What is changed of it (MTU, up, offloads) is first written to
 * STATE/loans.json as it was, and given back when the switch lets go of it, or, after a crash, at
 * the next start.  What can be had in a way that ends with the process (promiscuous mode, keeping
 * the host's own stack off it) is had that way.
 *
 * An interface may go and come back, or lose its carrier: the uplink lives on, its port is
 * FABRIC_PORT_ABSENT meanwhile, and what an interface needs is done again when it is back.  One
 * that is renamed is still the uplink, until the daemon ends; one that another program sets down or
 * gives another MTU is left so, and shown.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_UPLINK_H
#define CTL_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/fabric.h"
#include "switch/vswitch.h"

struct control;
struct uplink;

/* What a model wants of an uplink; its texts are the model's. */
struct uplink_wanted {
    const char *owner;             /* "Switch", "Team" */
    const char *owner_name;
    const char *what;              /* "uplink", "member" */
    const char *role;              /* "uplink of switch", "member of team" */
    const char *where;
    const char *adapter;           /* the host's on that switch; "" without one */
    uint16_t port;
    uint16_t switch_id;            /* of its switch; FABRIC_MAX_SWITCHES: of a team */
    uint16_t more_senders;         /* threads that send there besides the workers */
    uint32_t mtu_bytes;
    bool force;
    bool move_addresses;
};

/** What @p model wants of uplink or member @p port.  @return whether there is one */
bool uplink_wanted(const struct vswitch_model *model, uint16_t port, struct uplink_wanted *wanted);
/**
 * The uplinks of switches, but those that are teams, then the members of teams.
 * @param cursor  starts as 0
 * @return whether there was another
 */
bool uplink_wanted_next(const struct vswitch_model *model, size_t *cursor,
                        struct uplink_wanted *wanted);

/* What `switch show` tells of it. */
struct uplink_status {
    char driver[32];               /* "af_xdp", "af_packet", or DPDK's name of one; "": absent */
    char device[64];               /* the interface, or DPDK's name of the device */
    char note[320];                /* what is wrong, or why not a better driver; "": nothing */
    bool present;                  /* the interface exists */
    int ifindex;                   /* of a kernel's interface; 0: none */
    bool carrier;
    uint32_t speed_mbps;           /* 0: unknown */
    uint64_t mac;                  /* 0: unknown */
    uint32_t mtu_bytes;            /* of the interface now; another program may have changed it */
    uint32_t max_mtu_bytes;        /* 0: unknown */
    uint32_t carrier_losses;       /* since the uplink was opened; that it was gone, too */
    uint64_t overruns;             /* frames lost before the switch could take them */
    bool exclusive;                /* the host's own stack sees none of its frames */
    char offloads_by[8];           /* "kernel" or "device"; "": nothing is open */
    uint8_t offloads;              /* what that does of what leaves there: enum offload_take */
    char moved[320];               /* what became of --move-addresses; "": it was not asked for */
};

/**
 * Opens what is wanted.
 *
 * @param endpoint  filled with what is to be compiled into the fabric
 * @return owned, for uplink_close(); NULL with a sentence: missing, already in use (by another
 *         switch, a bridge, a bond), carries the default route without `force` or
 *         `move_addresses`, an MTU it cannot take and which it can; nothing has been changed then.
 *         While the state file is put in force one that cannot be opened is absent instead, with a
 *         line in the log
 */
struct uplink *uplink_open(struct control *control, const struct uplink_wanted *of,
                           struct fabric_endpoint *endpoint, struct error *error);

/** Gives everything back; no worker uses it.  NULL is fine. */
void uplink_close(struct uplink *uplink);

/**
 * Changes the MTU while frames flow; what has to be opened anew for it is, at the next look.
 * @return 0, or a negative errno and a sentence, with no change
 */
int uplink_set_mtu(struct uplink *uplink, uint32_t mtu_bytes, struct error *error);

/** How it stands.  Asks the kernel. */
void uplink_status(struct uplink *uplink, struct uplink_status *status);

/* ---- the host's addresses, of a switch with move_addresses ----------------------------------- */

/**
 * Notes what the host has on the interface, and lets it on.  uplink_open() does it by itself.
 * @return 0, also when it has been done; or a negative errno and a sentence
 */
int uplink_prepare_move(struct uplink *uplink, struct error *error);
/**
 * Moves what was noted to @p adapter, which is in the fabric, and keeps the host off the interface.
 * @return 0, also when nothing was noted or it has been moved; or a negative errno and a sentence,
 *         with everything where it was
 */
int uplink_start_move(struct uplink *uplink, const char *adapter, struct error *error);
/** Moves it back, before the adapter goes; then the host is let on, or kept off again. */
void uplink_end_move(struct uplink *uplink, bool keep_host_off);

/* ---- for follow.c ---------------------------------------------------------------------------- */

/** Whether the uplink is interface number @p ifindex, or would be the one called @p name. */
bool uplink_is(const struct uplink *uplink, int ifindex, const char *name);
/** Whether one has to look without having been told: its carrier, or to open it anew. */
bool uplink_wants_looks(const struct uplink *uplink);
/**
 * Looks how it stands, and takes an interface that is back.
 * @param endpoint  filled with what is to be compiled now
 * @return whether that is not what was compiled before: then uplink_published() is to follow, and
 *         another look
 */
bool uplink_look(struct uplink *uplink, struct fabric_endpoint *endpoint);
/** No worker uses what was compiled before; @p adapter is the host's, for a move to begin. */
void uplink_published(struct uplink *uplink, const char *adapter);

#endif
