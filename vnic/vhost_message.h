/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user message: how it looks, and whether it may be obeyed.
 *
 * A frontend is a process of its own and may be as hostile as its guest.  What a message must be
 * (its least size, the ring it may name, the descriptors that come along) is one table here, looked
 * at before anything is done, so that what obeys a message has no check left to make.  A message
 * that is not in the table was never offered: it is refused, whatever it asks for.
 *
 * Standard: the vhost-user protocol as QEMU documents it.
 */
#ifndef VNIC_VHOST_MESSAGE_H
#define VNIC_VHOST_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "vnic/guest_memory.h"
#include "vnic/vhost_control.h"

/* Requests of the protocol by their numbers there. */
enum vhost_request {
    MESSAGE_GET_FEATURES = 1,
    MESSAGE_SET_FEATURES = 2,
    MESSAGE_SET_OWNER = 3,
    MESSAGE_RESET_OWNER = 4,
    MESSAGE_SET_MEM_TABLE = 5,
    MESSAGE_SET_VRING_NUM = 8,
    MESSAGE_SET_VRING_ADDR = 9,
    MESSAGE_SET_VRING_BASE = 10,
    MESSAGE_GET_VRING_BASE = 11,
    MESSAGE_SET_VRING_KICK = 12,
    MESSAGE_SET_VRING_CALL = 13,
    MESSAGE_SET_VRING_ERR = 14,
    MESSAGE_GET_PROTOCOL_FEATURES = 15,
    MESSAGE_SET_PROTOCOL_FEATURES = 16,
    MESSAGE_GET_QUEUE_NUM = 17,
    MESSAGE_SET_VRING_ENABLE = 18,
    MESSAGE_SEND_RARP = 19,
    MESSAGE_NET_SET_MTU = 20,
    MESSAGE_COUNT
};

/* Feature bit that announces protocol features, and the numbers of those that are offered. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30
enum vhost_protocol_feature {
    VHOST_PROTOCOL_MQ = 0,
    VHOST_PROTOCOL_RARP = 2,
    VHOST_PROTOCOL_REPLY_ACK = 3,
    VHOST_PROTOCOL_NET_MTU = 4,
};

/* Of vhost_message.flags. */
#define VHOST_FLAG_VERSION_MASK 0x3u
#define VHOST_FLAG_VERSION      0x1u
#define VHOST_FLAG_REPLY        0x4u
#define VHOST_FLAG_NEED_REPLY   0x8u

#define VHOST_MESSAGE_FDS_MAX GUEST_MEMORY_REGIONS_MAX

struct vhost_region {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t user_address;         /* of the first byte in the frontend; rings are told in these */
    uint64_t mmap_offset_bytes;
};

/* As on the wire up to the end of the payload, and behind it the descriptors that came along. */
struct vhost_message {
    uint32_t request;
    uint32_t flags;
    uint32_t size_bytes;           /* of the payload */
    union {
        uint64_t u64;
        struct {
            uint32_t region_count;
            uint32_t padding;
            struct vhost_region region[GUEST_MEMORY_REGIONS_MAX];
        } memory;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
        uint8_t bytes[512];        /* longer than anything that is offered */
    } payload;
    int32_t fd[VHOST_MESSAGE_FDS_MAX];
    uint32_t fd_count;
} __attribute__((packed));

#define VHOST_MESSAGE_HEAD_BYTES 12u

/**
 * Says whether a message may be obeyed.
 *
 * @param ring_count  of the vNIC
 * @return VHOST_REFUSED_NOT, or why it may not
 * Thread: any.
 */
enum vhost_refusal vhost_message_check(const struct vhost_message *message, uint16_t ring_count);

/** Whether a message that passed changes what workers use.  Thread: any. */
bool vhost_message_changes(const struct vhost_message *message);

/** The ring that a message which passed is about; 0 when it is about none.  Thread: any. */
uint32_t vhost_message_ring(const struct vhost_message *message);

/** Takes the descriptor of a message that passed; -1 when none came.  The caller owns it. */
int vhost_message_take_fd(struct vhost_message *message);

/** Closes the descriptors that nobody took. */
void vhost_message_close_fds(struct vhost_message *message);

#endif
