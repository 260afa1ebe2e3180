/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frontend's half of vhost-user: what this monitor says to the switch about one NIC.
 *
 * Requests are answered one at a time with a deadline, because the other end may be stopped; a
 * failure of any of them is the end of the connection, which the NIC then makes anew.  Only the
 * first question is not waited for: a switch that accepts connections and says nothing is thus
 * found out by whoever waits for the descriptor, and nobody is held up.
 *
 * Nothing that the backend says is believed beyond the bits that were asked for.
 *
 * Threads: a backend has one caller at a time, and any may be; but for backend_hang_up().
 *
 * Standard: QEMU docs/interop/vhost-user.rst.
 */
#ifndef VMM_BACKEND_H
#define VMM_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/ram.h"

struct backend;

/**
 * Connects to the socket at @p path and asks for features, without waiting for the answer.
 * @param deadline_ms  of every later request
 * @return owned; NULL with a sentence
 */
struct backend *backend_open(const char *path, unsigned deadline_ms, struct error *error);
void backend_close(struct backend *backend);

/** Readable when the first question is answered, later when the backend hangs up.  Borrowed. */
int backend_fd(const struct backend *backend);
/** Whether what makes it readable is the connection's end, or something that nobody asked for. */
bool backend_is_gone(const struct backend *backend);
/** Ends the connection; the descriptor becomes readable.  Any thread, at any time before close. */
void backend_hang_up(struct backend *backend);

/* Offered; after backend_negotiate(). */
uint64_t backend_features(const struct backend *backend);
uint16_t backend_pairs_max(const struct backend *backend);

struct backend_ring {
    uint16_t size;
    uint16_t base;                 /* where the backend starts to read */
    const void *desc, *avail, *used;   /* as mapped here */
    int kick_fd, call_fd;          /* call_fd -1: no interrupt is wanted */
};

/*
 * Each: 0, or -errno with a sentence; then the connection is of no more use.  Where the backend
 * acknowledges requests (REPLY_ACK) it has done what it was asked when these return.
 */

/** Reads the answer to the first question, asks for the rest of what is offered, takes over. */
int backend_negotiate(struct backend *backend, struct error *error);
/** Before the rings start, or later with fewer GUEST_ features (a driver's wish at run time). */
int backend_set_features(struct backend *backend, uint64_t features, struct error *error);
int backend_set_memory(struct backend *backend, const struct ram *ram, struct error *error);
/** Tells what the driver was told; nothing for a backend that does not want to know. */
int backend_set_mtu(struct backend *backend, uint16_t mtu_bytes, struct error *error);
int backend_start_ring(struct backend *backend, uint16_t ring, const struct backend_ring *set,
                       struct error *error);
int backend_set_call(struct backend *backend, uint16_t ring, int call_fd, struct error *error);
int backend_enable_ring(struct backend *backend, uint16_t ring, bool enabled,
                        struct error *error);
/** Takes the ring back: the backend is done with it, and with its frames' memory. */
int backend_stop_ring(struct backend *backend, uint16_t ring, struct error *error);
/** Asks the switch to announce @p mac (SEND_RARP); nothing for a backend that does not. */
int backend_announce(struct backend *backend, uint64_t mac, struct error *error);

#endif
