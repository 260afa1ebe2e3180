/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of vhost_control share: a vNIC with the side of it that workers never see.
 *
 * All of it belongs to whoever holds the server's lock: the vhost thread, for the length of one
 * message, and control while it removes a vNIC.  Only the snapshot for `vnic show` has a lock of
 * its own, because a message may wait for workers and a reader should not.
 */
#ifndef VNIC_VHOST_CONTROL_DEVICE_H
#define VNIC_VHOST_CONTROL_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "vnic/vhost_channel.h"
#include "vnic/vhost_control.h"
#include "vnic/vhost_ram.h"
#include "vnic/vnic.h"

#define VHOST_RINGS_MAX (2u * VNIC_PAIRS_MAX)

/* Virtio allows 32,768 entries; no monitor offers more than 1,024.  Standard: virtio 1.2, 2.7. */
#define VHOST_RING_MAX_ENTRIES 4096u

/* To one vNIC: its frontend, those before it that have just died, and one in the wrong. */
#define VHOST_CONNECTIONS_MAX 8u

/* A notification descriptor before the frontend has said anything of it; -1: it said that none. */
#define VHOST_FD_NOT_SET (-2)

/* A ring as its frontend has set it up so far; nothing here has been held against the memory. */
struct vhost_ring {
    uint16_t size;                 /* a power of two; 0: not said yet */
    bool placed;                   /* the three addresses are known */
    bool fresh;                    /* to begin where its used index stands */
    bool enabled;
    uint64_t desc;                 /* addresses of the frontend's */
    uint64_t avail;
    uint64_t used;
    uint16_t last_avail;           /* as struct virtqueue's, between two live devices */
    uint16_t next_used;
    int call_fd;                   /* owned; VHOST_FD_NOT_SET, or -1 for none */
    int kick_fd;
    enum virtqueue_fault fault;    /* outlives a rebuild, ends with a reset */
};

struct vhost_connection;

/* What the server watches: a vNIC's listening socket, or one of its connections. */
struct vhost_source {
    struct vhost_vnic *device;
    struct vhost_connection *connection;       /* NULL: the listening socket */
};

struct vhost_connection {
    struct vhost_source source;
    struct vhost_connection *next;
    struct vhost_channel channel;
};

struct vhost_vnic {
    struct vnic vnic;              /* the workers' side; first, so that one address serves both */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    uint16_t ring_count;           /* twice the pairs offered */
    /* ---- under the server's lock ---- */
    int listen_fd;
    struct vhost_source listener;
    struct vhost_connection *connections;
    unsigned connection_count;
    struct vhost_connection *frontend;         /* the one that is obeyed; NULL: none yet */
    bool running;                  /* its driver has started it */
    bool memory_set;
    struct vhost_ram memory;
    uint64_t granted;              /* offloads that this connection was offered at any time */
    uint64_t features;             /* negotiated */
    struct vhost_ring ring[VHOST_RINGS_MAX];
    /* ---- written by control, read by the vhost thread ---- */
    _Atomic uint64_t offered;      /* offloads for the next frontend that asks */
    /* ---- written under the server's lock, read by control ---- */
    pthread_mutex_t lock;
    struct vhost_status status;    /* without state and fault, which are computed when asked */
    bool attached;                 /* running, as control may know it */
};

static inline struct vhost_vnic *vhost_vnic_of(struct vnic *vnic)
{
    return (struct vhost_vnic *)vnic;
}

/* ---- vhost_control.c: who is told ------------------------------------------------------------ */

void vhost_hooks_wait(void);
void vhost_hooks_wake(void);
void vhost_hooks_changed(const struct vhost_vnic *device);

/* ---- vhost_control_serve.c: the thread ------------------------------------------------------- */

int vhost_server_start(struct error *error);
void vhost_server_stop(void);

/** Watches a device whose listen_fd is open.  @return 0 or a negative errno */
int vhost_server_add(struct vhost_vnic *device);

/** Ends what is connected to a device and watches it no more; its listening socket stays open. */
void vhost_server_remove(struct vhost_vnic *device);

/* ---- vhost_control_message.c: what a frontend says ------------------------------------------- */

/**
 * Obeys the message that a connection has heard, and answers it where an answer is due.
 * @return false: the connection is to be ended
 * Under the server's lock.
 */
bool vhost_device_obey(struct vhost_vnic *device, struct vhost_connection *connection);

/** Notes a refusal that is the connection's, not a message's. */
void vhost_device_note_refusal(struct vhost_vnic *device, enum vhost_refusal why);

/** It has a frontend now, which may ask for what is offered at this moment. */
void vhost_device_welcome(struct vhost_vnic *device);

/** Its frontend has gone: as it was before there was one.  Under the server's lock. */
void vhost_device_leave(struct vhost_vnic *device);

/* ---- vhost_control_build.c: the only two ways in which vnic->live changes -------------------- */

/**
 * Takes the live device away from the workers, waits until none holds it, keeps its ring indices
 * and frees it.  Nothing happens when none is published.
 */
void vhost_device_retire(struct vhost_vnic *device);

/**
 * Builds a live device from what the frontend has said and publishes it; a ring that cannot be used
 * is left out and breaks the vNIC.  Nothing happens unless the device runs and none is published.
 */
void vhost_device_build(struct vhost_vnic *device);

#endif
