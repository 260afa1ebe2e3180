/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of vhost-user: a header, a payload, descriptors, and an answer within a deadline.
 *
 * The socket never blocks, and nothing is sent while an answer is owed: so whatever comes belongs
 * to the last request, or the other end is not what it should be.  A failure of any kind is the
 * channel's end, because nobody knows what the other end has done.
 *
 * Thread: any, one at a time.
 *
 * Standard: QEMU docs/interop/vhost-user.rst.
 */
#ifndef VMM_CHANNEL_H
#define VMM_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "switch/error.h"
#include "vmm/ram.h"

#define CHANNEL_REQUESTS(X)                                                                      \
    X(GET_FEATURES, 1)                                                                           \
    X(SET_FEATURES, 2)                                                                           \
    X(SET_OWNER, 3)                                                                              \
    X(SET_MEM_TABLE, 5)                                                                          \
    X(SET_VRING_NUM, 8)                                                                          \
    X(SET_VRING_ADDR, 9)                                                                         \
    X(SET_VRING_BASE, 10)                                                                        \
    X(GET_VRING_BASE, 11)                                                                        \
    X(SET_VRING_KICK, 12)                                                                        \
    X(SET_VRING_CALL, 13)                                                                        \
    X(GET_PROTOCOL_FEATURES, 15)                                                                 \
    X(SET_PROTOCOL_FEATURES, 16)                                                                 \
    X(GET_QUEUE_NUM, 17)                                                                         \
    X(SET_VRING_ENABLE, 18)                                                                      \
    X(SEND_RARP, 19)                                                                             \
    X(NET_SET_MTU, 20)

enum channel_request {
#define X(name, number) CHANNEL_##name = (number),
    CHANNEL_REQUESTS(X)
#undef X
};

struct channel_region {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t user_address;         /* where it is mapped here; rings are named by such addresses */
    uint64_t mmap_offset_bytes;
};

union channel_payload {
    uint64_t number;
    uint8_t mac[sizeof(uint64_t)];
    struct vhost_vring_state state;
    struct vhost_vring_addr address;
    struct {
        uint32_t count;
        uint32_t padding;
        struct channel_region region[RAM_PARTS_MAX];
    } memory;
};

struct channel_message {
    enum channel_request request;
    uint32_t size_bytes;           /* of the payload */
    union channel_payload payload;
    unsigned fd_count;
    int fd[RAM_PARTS_MAX];
};

struct channel {
    int fd;
    unsigned deadline_ms;          /* of each answer */
    bool acknowledges;             /* the other end says when it has done as told (REPLY_ACK) */
};

/* Each: 0, or -errno with a sentence. */

/** Connects to the socket at @p path; channel_close() is due in any case. */
int channel_open(struct channel *channel, const char *path, unsigned deadline_ms,
                 struct error *error);
void channel_close(struct channel *channel);

/** Sends @p message, whose answer is for channel_receive(). */
int channel_send(const struct channel *channel, const struct channel_message *message,
                 struct error *error);
/** Waits for the answer to @p request, which has a payload of exactly @p len_bytes. */
int channel_receive(const struct channel *channel, enum channel_request request, void *payload,
                    uint32_t len_bytes, struct error *error);
/** Both. */
int channel_ask(const struct channel *channel, const struct channel_message *message, void *answer,
                uint32_t answer_bytes, struct error *error);
/** Sends what has no answer; waits until it is done where that is acknowledged. */
int channel_tell(const struct channel *channel, const struct channel_message *message,
                 struct error *error);

#endif
