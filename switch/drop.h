/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a frame was lost: one list, from which come the numbers, the texts and the keys in --json.
 *
 * The text is what an operator reads, what a capture carries as the packet's comment and what
 * programs use as the key, so a text that has been released is not changed.  A reason belongs to
 * one port: to the one a frame came from (its guest did it), or to the one it was to leave by (its
 * guest did not take it).
 */
#ifndef SWITCH_DROP_H
#define SWITCH_DROP_H

#include <stdint.h>

#define DROP_REASONS(X)                                                                         \
    /* owned by the port the frame came from */                                                 \
    X(BAD_DESCRIPTOR,     "malformed descriptor chain")                                         \
    X(FRAME_TOO_SHORT,    "shorter than an Ethernet header")                                    \
    X(FRAME_TOO_LONG,     "longer than any frame the switch carries")                           \
    X(SOURCE_MULTICAST,   "source address is multicast")                                        \
    X(SOURCE_ZERO,        "source address is zero")                                             \
    X(BACK_TO_SENDER,     "destination is on the port it came from")                            \
    X(NO_OTHER_PORT,      "no other port on the switch")                                        \
    X(TAGGED,             "tagged, on a port that sends untagged frames only")                  \
    X(DOUBLE_TAGGED,      "tagged twice (QinQ)")                                                \
    X(VLAN_NOT_ALLOWED,   "VLAN not allowed on the port it came from")                          \
    X(VLAN_KEPT_APART,    "destination does not receive the frame's VLAN")                      \
    X(SPOOFED_SOURCE,     "source address is not one the port may use")                         \
    X(SOURCE_ELSEWHERE,   "source address belongs to another port")                             \
    X(DHCP_SERVER,        "DHCP server message from a port that guards against it")             \
    X(ROUTER,             "router advertisement or redirect from a port that guards against it") \
    X(UNKNOWN_UNICAST,    "destination is unknown and no port takes such frames")               \
    X(RESERVED_GROUP,     "destination is reserved for the link, never forwarded")              \
    X(BAD_OFFLOAD,        "checksum or segmentation request that the frame belies")             \
    X(RECEIVE_OVERRUN,    "interface's receive ring was full")                                  \
    X(TEAM_REFLECTED,     "sent by this team and come back by another member")                  \
    X(TEAM_DUPLICATE,     "group frame, taken from the team's primary member")                  \
    X(TEAM_MEMBER_RESTS,  "came by a member that takes no part in the team")                    \
    /* owned by the port the frame was to leave by */                                           \
    X(OVER_MTU,           "longer than the MTU of the receiving port")                          \
    X(NOT_ATTACHED,       "receiver is not attached")                                           \
    X(QUEUE_BROKEN,       "receiver's queue is broken")                                         \
    X(GUEST_RING_FULL,    "receiver had no free buffers")                                       \
    X(GUEST_BUFFER_SMALL, "receiver's buffers are too small for the frame")                     \
    X(LINK_DOWN,          "interface is gone or has no carrier")                                \
    X(DEVICE_BUSY,        "interface had no room to send")                                      \
    X(DEVICE_ERROR,       "interface refused the frame")

enum drop_reason {
#define X(name, text) DROP_##name,
    DROP_REASONS(X)
#undef X
    DROP_REASON_COUNT
};

/* Frames that a port took and refused before they were frames of a batch. */
struct drop_tally {
    uint32_t count;                        /* the sum of drops[]; when 0, those are not read */
    uint32_t drops[DROP_REASON_COUNT];     /* all 0 again when they have been counted */
};

/** The operator's text for @p reason; never NULL.  Any thread. */
static inline const char *drop_reason_text(enum drop_reason reason)
{
    static const char *const texts[DROP_REASON_COUNT] = {
#define X(name, text) [DROP_##name] = text,
        DROP_REASONS(X)
#undef X
    };

    return (unsigned)reason < DROP_REASON_COUNT ? texts[reason] : "unknown";
}

#endif
