/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user message, and which of them librte_vhost may see.
 *
 * Only the messages listed here reach the library, each with a payload of its full length, a ring
 * that exists and memory that can be mapped.  The others are refused before it, because the library
 * acts on them whether or not they were negotiated: one waits in a read for the frontend's answer,
 * with every vNIC's channel behind it; one allocates as much memory as two 16-bit numbers ask for;
 * one leaks a descriptor each time.
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

struct vhost_region {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t user_address;
    uint64_t mmap_offset_bytes;
};

/*
 * A message as the library hands it to its hooks, and behind it the descriptors that came along.
 * The library does not close them when a hook answers in its place, and gives no way to reach them;
 * so their place is known here, for the one release it is known of, and used only when what is
 * there looks as it must.
 */
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
        uint8_t bytes[632];
    } payload;
    int32_t fd[GUEST_MEMORY_REGIONS_MAX];      /* -1: none */
    int32_t fd_count;
} __attribute__((packed));

/**
 * Says whether the library may see a message.
 *
 * @param ring_count  of the vNIC
 * @return VHOST_REFUSED_NOT, or why it may not
 * Thread: librte_vhost's.
 */
enum vhost_refusal vhost_message_check(const struct vhost_message *message, uint16_t ring_count);

/** Whether a message that passed changes what workers use.  Thread: any. */
bool vhost_message_changes(const struct vhost_message *message);

/** The ring that a message which passed is about; 0 when it is about none.  Thread: any. */
uint32_t vhost_message_ring(const struct vhost_message *message);

/** Closes the descriptors that came along.  Thread: librte_vhost's. */
void vhost_message_close_fds(struct vhost_message *message);

#endif
