/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frontend's half of vhost-user: what this monitor says to the switch about one NIC.
 *
 * Requests are sent and answered one at a time with a deadline, because the other end may be
 * stopped; a failure of any of them is the end of the connection, which the NIC then makes anew.
 * Nothing that the backend says is believed beyond the bits that were asked for.
 *
 * Standard: QEMU docs/interop/vhost-user.rst.
 */
#ifndef VMM_VHOST_USER_H
#define VMM_VHOST_USER_H

#include <stdint.h>

#include "switch/error.h"
#include "vmm/ram.h"

struct vhost_user;

/** Connects, and asks for features and queues.  @return owned; NULL with a sentence.  Main. */
struct vhost_user *vhost_user_open(const char *path, struct error *error);
void vhost_user_close(struct vhost_user *backend);

/** Readable when the backend hangs up.  Borrowed. */
int vhost_user_fd(const struct vhost_user *backend);
uint64_t vhost_user_features(const struct vhost_user *backend);    /* offered */
uint16_t vhost_user_pairs_max(const struct vhost_user *backend);

struct vhost_user_ring {
    uint16_t size;
    uint16_t base;                 /* where the backend starts to read */
    const void *desc, *avail, *used;   /* as mapped here */
    int kick_fd, call_fd;
};

/* Each: 0, or -errno with a sentence; then the connection is of no more use.  Thread: main. */
int vhost_user_set_features(struct vhost_user *backend, uint64_t features, struct error *error);
int vhost_user_set_memory(struct vhost_user *backend, const struct ram *ram,
                          struct error *error);
int vhost_user_set_mtu(struct vhost_user *backend, uint16_t mtu_bytes, struct error *error);
int vhost_user_start_ring(struct vhost_user *backend, uint16_t ring,
                          const struct vhost_user_ring *set, struct error *error);
int vhost_user_set_call(struct vhost_user *backend, uint16_t ring, int call_fd,
                        struct error *error);
int vhost_user_enable_ring(struct vhost_user *backend, uint16_t ring, int enabled,
                           struct error *error);
/** Takes the ring back: @p base is where the backend stopped. */
int vhost_user_stop_ring(struct vhost_user *backend, uint16_t ring, uint16_t *base,
                         struct error *error);
/** Asks the switch to announce @p mac (VHOST_USER_SEND_RARP). */
int vhost_user_announce(struct vhost_user *backend, uint64_t mac, struct error *error);

#endif
