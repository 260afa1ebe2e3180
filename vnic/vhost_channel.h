/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection of a frontend: bytes and descriptors in, whole messages out.
 *
 * One thread serves all vNICs, so nothing here ever waits: half a message stays where it is until
 * the rest comes, and an answer for which a frontend has left no room ends its connection.
 */
#ifndef VNIC_VHOST_CHANNEL_H
#define VNIC_VHOST_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "vnic/vhost_message.h"

struct vhost_channel {
    int fd;                        /* connected, non-blocking */
    uint32_t have_bytes;           /* of the message that is coming in */
    struct vhost_message message;
};

enum vhost_heard {
    VHOST_HEARD_NOTHING,           /* yet */
    VHOST_HEARD_MESSAGE,           /* a whole one, until vhost_channel_done() */
    VHOST_HEARD_GARBAGE,           /* no message of this protocol; what follows cannot be read */
    VHOST_HEARD_END,               /* the frontend has gone */
};

/** Takes over @p fd, a connected non-blocking socket. */
void vhost_channel_open(struct vhost_channel *channel, int fd);

/** Reads on, up to the end of one message.  Thread: the vhost thread. */
enum vhost_heard vhost_channel_hear(struct vhost_channel *channel);

/** Forgets the message that was heard, and closes those of its descriptors that nobody took. */
void vhost_channel_done(struct vhost_channel *channel);

/**
 * Answers the message that was heard with the first @p size_bytes of its payload.
 *
 * @return false when the frontend takes no answer: end the connection
 */
bool vhost_channel_answer(struct vhost_channel *channel, uint32_t size_bytes);

/** Whether the frontend still holds its end; what it sent before it left may be unread. */
bool vhost_channel_has_peer(const struct vhost_channel *channel);

void vhost_channel_close(struct vhost_channel *channel);

#endif
