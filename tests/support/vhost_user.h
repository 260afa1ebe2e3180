/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control channel of vhost-user as a frontend (the guest's side) speaks it.
 *
 * It knows messages, file descriptors and time limits, and nothing of rings: a hostile test sends
 * whatever it likes with vhost_user_send(), an honest one uses vhost_user_set() and
 * vhost_user_get(), which wait for the backend's answer.  Every call ends within the channel's
 * timeout, so that a backend that hangs fails a test instead of holding it.
 */
#ifndef TESTS_SUPPORT_VHOST_USER_H
#define TESTS_SUPPORT_VHOST_USER_H

#include <linux/vhost_types.h>
#include <stdint.h>

#define VHOST_USER_REQUESTS(X)      \
    X(GET_FEATURES, 1)              \
    X(SET_FEATURES, 2)              \
    X(SET_OWNER, 3)                 \
    X(RESET_OWNER, 4)               \
    X(SET_MEM_TABLE, 5)             \
    X(SET_LOG_BASE, 6)              \
    X(SET_VRING_NUM, 8)             \
    X(SET_VRING_ADDR, 9)            \
    X(SET_VRING_BASE, 10)           \
    X(GET_VRING_BASE, 11)           \
    X(SET_VRING_KICK, 12)           \
    X(SET_VRING_CALL, 13)           \
    X(SET_VRING_ERR, 14)            \
    X(GET_PROTOCOL_FEATURES, 15)    \
    X(SET_PROTOCOL_FEATURES, 16)    \
    X(GET_QUEUE_NUM, 17)            \
    X(SET_VRING_ENABLE, 18)         \
    X(SEND_RARP, 19)                \
    X(NET_SET_MTU, 20)
enum vhost_user_request {
#define X(name, number) VHOST_USER_##name = (number),
    VHOST_USER_REQUESTS(X)
#undef X
};

/* Feature bit that announces protocol features, and the protocol features themselves. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30
#define VHOST_USER_PROTOCOL_F_MQ 0
#define VHOST_USER_PROTOCOL_F_RARP 2
#define VHOST_USER_PROTOCOL_F_REPLY_ACK 3
#define VHOST_USER_PROTOCOL_F_NET_MTU 4

#define VHOST_USER_VERSION 0x1u
#define VHOST_USER_FLAG_REPLY 0x4u
#define VHOST_USER_FLAG_NEED_REPLY 0x8u

#define VHOST_USER_MAX_REGIONS 8
/* Bit of SET_VRING_KICK, _CALL and _ERR that says "no file descriptor comes with this". */
#define VHOST_USER_VRING_NO_FD 0x100u

struct vhost_user_region {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t user_address;    /* where the frontend has it mapped; ring addresses are of these */
    uint64_t mmap_offset_bytes;
};

union vhost_user_payload {
    uint64_t u64;
    struct vhost_vring_state state;
    struct vhost_vring_addr addr;
    struct {
        uint32_t region_count;
        uint32_t padding;
        struct vhost_user_region region[VHOST_USER_MAX_REGIONS];
    } memory;
    uint8_t bytes[512];
};

struct vhost_user_channel {
    int fd;                        /* connected socket, -1 when there is none */
    int timeout_ms;
    uint64_t protocol_features;    /* negotiated; REPLY_ACK decides whether set() waits */
    char error[256];               /* the sentence that belongs to the last failed call */
};

/** Names a request for messages to people. @return static text */
const char *vhost_user_request_name(uint32_t request);

#define VHOST_USER_LISTEN "listen:"    /* before a path: the backend is to connect there */

/**
 * Connects to a backend's socket, waiting for it to appear; or waits for the backend to connect.
 *
 * @param timeout_ms  limit of this call, and of each later one on the channel
 * @return 0, or -errno with channel->error set
 */
int vhost_user_connect(struct vhost_user_channel *channel, const char *path, int timeout_ms);

/** Closes the socket without a word to the backend. */
void vhost_user_disconnect(struct vhost_user_channel *channel);

/**
 * Sends one message exactly as told, right or wrong, and waits for nothing.
 *
 * @param flags       VHOST_USER_VERSION for an honest message
 * @param size_bytes  the size the header claims; as much is sent of @p payload
 * @param fds         passed along, still owned by the caller; NULL when fd_count is 0
 * @return 0 or -errno (-EPIPE: the backend has closed the connection)
 */
int vhost_user_send(struct vhost_user_channel *channel, uint32_t request, uint32_t flags,
                    const void *payload, uint32_t size_bytes, const int *fds, unsigned fd_count);

/**
 * Reads the reply to @p request.
 *
 * @return bytes of payload, or -errno (-ETIMEDOUT, -EPIPE, -EPROTO for a reply to something else)
 */
int vhost_user_receive(struct vhost_user_channel *channel, uint32_t request,
                       union vhost_user_payload *payload);

/**
 * Sends a message that has no answer of its own; with REPLY_ACK waits until it has been obeyed.
 *
 * @return 0, -EREMOTEIO when the backend says that it failed, or as vhost_user_receive()
 */
int vhost_user_set(struct vhost_user_channel *channel, enum vhost_user_request request,
                   const union vhost_user_payload *payload, uint32_t size_bytes, int fd);
int vhost_user_set_u64(struct vhost_user_channel *channel, enum vhost_user_request request,
                       uint64_t value);
int vhost_user_set_state(struct vhost_user_channel *channel, enum vhost_user_request request,
                         uint32_t index, uint32_t value);

/** Asks for a number. @return 0 or -errno as vhost_user_receive() */
int vhost_user_get_u64(struct vhost_user_channel *channel, enum vhost_user_request request,
                       uint64_t *value);

#endif
