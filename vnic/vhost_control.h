/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user control channel of every vNIC: frontends attach here, and leave.
 *
 * One thread serves all sockets.  A frontend's message is checked (vhost_message.h) and obeyed
 * (vhost_control_message.c); before one that may change memory, rings, features or notification
 * descriptors, the vNIC's live device is retired: NULL is published, one grace period waited, ring
 * indices kept.  After it the device is built anew from what the frontend has said, checked, and
 * published.  No worker is ever stopped for this, and none calls in here.
 *
 * It is our own server and not DPDK's librte_vhost, because that one polls 1,024 descriptors and so
 * serves 511 vNICs, looks at a new socket once a second, reads a message's body in a blocking call
 * on the thread of all vNICs, and acts on messages that were never offered.
 *
 * Memory that its owner truncates while it is mapped raises SIGBUS in whoever touches it; see
 * guest_fault.h for what happens then.
 *
 * A frontend is a process of its own and may be as hostile as its guest.  What no check can mend is
 * this: eventfds are shared, so one that fills its own call descriptor and makes it blocking holds
 * the worker that notifies it.  dataplane_wait() ends that within about a second, and the vNIC is
 * broken from then on, until it is removed and added again: a frontend can do this once.
 *
 * What a guest asks of its offloads at run time (VIRTIO_NET_CTRL_GUEST_OFFLOADS) a frontend passes
 * on by SET_FEATURES with fewer GUEST_ features, or with them again, and is answered by building
 * the device anew.  QEMU 7.2 takes that command of a guest, says that it is done, and sends no
 * message: the guest is left what it negotiated, until its operator narrows it.
 *
 * Standard: the vhost-user protocol as QEMU documents it; virtio 1.2, 5.1.3 (feature bits),
 * 5.1.6.5.6 (offloads at run time).
 */
#ifndef VNIC_VHOST_CONTROL_H
#define VNIC_VHOST_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "switch/error.h"
#include "vnic/vnic.h"

/*
 * How this layer reaches the workers it knows nothing of.  Called on the vhost thread, and on
 * the control thread within vhost_control_remove(); a hook does not call back into this layer.
 */
struct vhost_control_hooks {
    void (*wait_for_workers)(void *context);   /* returns when no worker holds an old live device */
    void (*wake_workers)(void *context);       /* a new live device stands: have a look */
    /* Something an operator may see has changed (attached, detached, RARP asked for). */
    void (*changed)(void *context, uint16_t port);
    void *context;
};

struct vhost_control_config {
    const char *path;              /* of the socket, below 108 characters */
    uint16_t port;
    uint16_t pairs;                /* queue pairs offered, 1 to VNIC_PAIRS_MAX */
    bool shared;                   /* several workers deliver to this vNIC */
    uint64_t offload;              /* features offered to its frontend: see offload.h */
    uint64_t granted;              /* offered besides: what a frontend that may come back has */
    uid_t owner;                   /* (uid_t)-1: leave */
    gid_t group;                   /* (gid_t)-1: leave */
};

enum vhost_state { VHOST_WAITING, VHOST_ATTACHED, VHOST_BROKEN };

/* Why a frontend was told no, or sent away. */
#define VHOST_REFUSALS(X)                                                                        \
    X(NOT,       "")                                                                             \
    X(SECOND,    "another VMM is attached to it")                                                \
    X(MEMORY,    "its memory cannot be shared; it must be a memfd, or a file of /dev/shm or "    \
                 "hugetlbfs, and as long as it says")                                            \
    X(QUEUES,    "it asked for more queues than the vNIC has")                                   \
    X(RING_SIZE, "it asked for a ring of a size that is not served")                             \
    X(FEATURES,  "it asked for features that the vNIC does not offer")                           \
    X(MESSAGE,   "it sent a message that is not understood here")

enum vhost_refusal {
#define X(name, text) VHOST_REFUSED_##name,
    VHOST_REFUSALS(X)
#undef X
    VHOST_REFUSED_COUNT
};

/** The operator's text for @p refusal, without a full stop; "" for none.  Any thread. */
const char *vhost_refusal_text(enum vhost_refusal refusal);

/* A snapshot for `vnic show`. */
struct vhost_status {
    enum vhost_state state;
    uint64_t features;             /* negotiated; 0 while waiting */
    uint64_t granted;              /* offloads that its connection was offered at any time; or 0 */
    uint16_t pairs_enabled;
    uint16_t ring_size;            /* of the first transmit ring */
    uint32_t guest_mtu_bytes;      /* what the frontend said it advertises; 0: it said nothing */
    uint32_t attaches;             /* since the vNIC was made */
    enum virtqueue_fault fault;
    uint16_t fault_ring;
    enum vhost_refusal refusal;    /* of the last frontend that was told no */
    uint32_t refusals;             /* since the vNIC was made */
    uint64_t announce_mac;         /* last VHOST_USER_SEND_RARP since the attach; 0: none */
};

/**
 * Starts the thread: after DPDK's start and guest_fault_start(), and before the first vNIC.
 *
 * @param hooks  borrowed until vhost_control_stop()
 * @return 0, or a negative errno with a sentence in @p error
 * Thread: control.
 */
int vhost_control_start(const struct vhost_control_hooks *hooks, struct error *error);

/** Ends the thread, after the last vNIC was removed.  Without a start nothing happens. */
void vhost_control_stop(void);

/**
 * Makes a vNIC and its listening socket: mode 0660, owner and group as asked, an old socket file of
 * a dead process replaced, anything else at that path refused.
 *
 * @param config  borrowed for the call
 * @return owned, for vhost_control_remove(); NULL with a sentence in @p error
 * Thread: control.
 */
struct vnic *vhost_control_add(const struct vhost_control_config *config, struct error *error);

/**
 * Closes the connection, removes the socket and frees the vNIC.  The caller has published a fabric
 * without it and waited.  NULL is fine.  Thread: control; may wait for the vhost thread.
 */
void vhost_control_remove(struct vnic *vnic);

/** Gives the socket to another owner and group.  @return 0, or a negative errno and a sentence. */
int vhost_control_chown(struct vnic *vnic, uid_t owner, gid_t group, struct error *error);

/**
 * Offers other features from the next frontend that asks on, and @p granted besides; the one that
 * is attached keeps what it negotiated, but from now on the guest is left no more than @p features
 * say, and, when they are wider again, no more than it negotiated.  Thread: control.
 */
void vhost_control_set_offload(struct vnic *vnic, uint64_t features, uint64_t granted);

void vhost_control_status(const struct vnic *vnic, struct vhost_status *status);

/** Name of virtio feature bit @p bit ("MRG_RXBUF"), or NULL.  For people and for --json. */
const char *vhost_feature_name(unsigned bit);

#endif
