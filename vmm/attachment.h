/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NIC's connection to its switch, made anew whenever it ends.
 *
 * Nobody waits for a switch that is silent: the first question is asked and left alone, and only
 * when it is answered is the rest asked in one go, as of somebody who is there.
 *
 * Threads: main, with the owner's lock held in all but attachment_open() and attachment_close();
 * attachment_end() is for whoever holds the lock.
 */
#ifndef VMM_ATTACHMENT_H
#define VMM_ATTACHMENT_H

#include <pthread.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/backend.h"

struct event;
struct event_base;

enum attachment_state {
    ATTACHMENT_APART,              /* no connection; the timer runs until the next try */
    ATTACHMENT_ASKED,              /* the first question is out; the timer is its deadline */
    ATTACHMENT_JOINED,
    ATTACHMENT_ENDED               /* hung up on; main will see that */
};

struct attachment {
    /* ---- set by the owner before attachment_open(), all of it borrowed ---- */
    struct event_base *base;
    const char *path;
    pthread_mutex_t *lock;         /* taken around what the event loop calls */
    void (*changed)(void *context);    /* joined, or not any more; under the lock */
    void *context;
    /* ---- the owner's to read ---- */
    enum attachment_state state;
    struct backend *backend;       /* to be talked to while joined */
    uint32_t joins;
    char why[ERROR_TEXT_SIZE];     /* it is not joined; "" when it is */
    /* ---- its own ---- */
    struct event *timer, *readable;
};

/**
 * Begins to look for the switch.  One that is there is given a tenth of a second to answer, and has
 * joined then when this returns.
 * @return 0; -ENOMEM with a sentence; attachment_close() is due in any case
 */
int attachment_open(struct attachment *attachment, struct error *error);
void attachment_close(struct attachment *attachment);

/** Something went wrong in talking to the backend: hangs up, and tries anew after a while. */
void attachment_end(struct attachment *attachment, const char *why);

#endif
