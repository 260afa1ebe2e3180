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

#define DROP_REASONS(X)                                                                         \
    /* owned by the port the frame came from */                                                 \
    X(BAD_DESCRIPTOR,     "malformed descriptor chain")                                         \
    X(FRAME_TOO_SHORT,    "shorter than an Ethernet header")                                    \
    X(FRAME_TOO_LONG,     "longer than any frame the switch carries")                           \
    X(SOURCE_MULTICAST,   "source address is multicast")                                        \
    X(SOURCE_ZERO,        "source address is zero")                                             \
    X(BACK_TO_SENDER,     "destination is on the port it came from")                            \
    X(NO_OTHER_PORT,      "no other port on the switch")                                        \
    /* owned by the port the frame was to leave by */                                           \
    X(OVER_MTU,           "longer than the MTU of the receiving port")                          \
    X(NOT_ATTACHED,       "receiver is not attached")                                           \
    X(QUEUE_BROKEN,       "receiver's queue is broken")                                         \
    X(GUEST_RING_FULL,    "receiver had no free buffers")                                       \
    X(GUEST_BUFFER_SMALL, "receiver's buffers are too small for the frame")

enum drop_reason {
#define X(name, text) DROP_##name,
    DROP_REASONS(X)
#undef X
    DROP_REASON_COUNT
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
