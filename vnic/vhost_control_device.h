/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of vhost_control share: a vNIC with the side of it that workers never see.
 *
 * All of it belongs to librte_vhost's thread, but for the snapshot under the lock.  While a vNIC is
 * removed the control thread takes that thread's part (the library calls back from there), and the
 * library sees to it that the two are never in one vNIC at once.
 */
#ifndef VNIC_VHOST_CONTROL_DEVICE_H
#define VNIC_VHOST_CONTROL_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "vnic/vhost_control.h"
#include "vnic/vnic.h"

#define VHOST_RINGS_MAX (2u * VNIC_PAIRS_MAX)

/*
 * Virtio allows 32,768 entries.  The library allocates 40 bytes for each, from memory that all
 * vNICs share, and no monitor offers more than 1,024.  A power of two.  Standard: virtio 1.2, 2.7.
 */
#define VHOST_RING_MAX_ENTRIES 4096u

struct vhost_vnic {
    struct vnic vnic;              /* the workers' side; first, so that one address serves both */
    struct vhost_vnic *next;       /* in the list of vhost_control.c */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    uint16_t ring_count;           /* twice the pairs offered */
    uint64_t features;             /* that the library offers; asking it takes a lock of its own */
    /* ---- librte_vhost's thread ---- */
    int vid;                       /* the library's number of the connection, -1: none */
    bool running;                  /* between new_device and destroy_device */
    bool memory_set;               /* the library has a memory table */
    uint64_t granted;              /* offloads that this connection was offered at any time */
    uint64_t acked;                /* offloads that it has, which the library knows nothing of */
    uint64_t asked;                /* those of a message that the library is being asked about */
    struct {
        bool enabled;              /* the frontend said so */
        enum virtqueue_fault fault;/* outlives a rebuild, ends with a reset */
    } ring[VHOST_RINGS_MAX];
    /* ---- written by control, read by librte_vhost's thread ---- */
    _Atomic uint64_t offered;      /* offloads for the next frontend that asks */
    /* ---- written by librte_vhost's thread, read by control ---- */
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

/** The vNIC whose socket is at @p path; borrowed, NULL when there is none.  Any thread. */
struct vhost_vnic *vhost_vnic_find(const char *path);

/* ---- vhost_control_message.c: what the library calls ----------------------------------------- */

struct rte_vhost_device_ops;
extern const struct rte_vhost_device_ops vhost_callbacks;

/** Forgets the connections of a vNIC that is about to be freed.  Thread: control. */
void vhost_connections_forget(const struct vhost_vnic *device);

/* ---- vhost_control_build.c: the only two ways in which vnic->live changes -------------------- */

/**
 * Takes the live device away from the workers, waits until none holds it, hands the ring indices
 * back to the library and frees it.  Nothing happens when none is published.
 */
void vhost_device_retire(struct vhost_vnic *device);

/**
 * Builds a live device from what the library says now and publishes it; a ring that cannot be used
 * is left out and breaks the vNIC.  Nothing happens unless the device runs and none is published.
 */
void vhost_device_build(struct vhost_vnic *device);

#endif
