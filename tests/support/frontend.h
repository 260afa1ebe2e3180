/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest without a guest: a vhost-user frontend in this process, for tests.
 *
 * It plays the part of QEMU and of the guest's driver at once: makes guest memory, negotiates,
 * sets up the rings and moves frames.  It is written to be clear, not fast; and it is open: memory,
 * descriptors, rings and file descriptors are plain fields, so that a hostile test starts from a
 * working guest and breaks exactly one thing.
 *
 * How a test uses it:
 *
 *     struct frontend a, b;
 *     uint8_t got[2048];
 *
 *     assert_int_equal(frontend_open(&a, &(struct frontend_config){.socket_path = path_a}), 0);
 *     assert_int_equal(frontend_open(&b, &(struct frontend_config){.socket_path = path_b}), 0);
 *     frontend_send(&a, 0, frame, sizeof(frame));
 *     len = frontend_receive(&b, FRONTEND_ANY_QUEUE, got, sizeof(got), 1000);
 *     ...
 *     frontend_close(&b);
 *     frontend_abandon(&a);           as if its process had been killed
 *
 * A call that fails returns -errno and leaves a sentence in frontend_error().  All other fields of
 * the configuration have useful defaults: one queue pair, 256 entries, the features below, receive
 * buffers posted and posted again.  Queue k of the calls is pair k: its receive ring is
 * f.ring[2 * k] and its transmit ring is f.ring[2 * k + 1] (FRONTEND_RX, FRONTEND_TX).
 *
 * To misbehave: write f.ring[i].desc, ->avail or ->used as you like, then
 * guest_ring_publish(&f.ring[i], head, 1) or set avail->idx and guest_ring_kick(&f.ring[i]);
 * translate with guest_ram_gpa(&f.ram, pointer); truncate f.ram.region[0].fd; send any message with
 * vhost_user_send(&f.channel, ...).  frontend_reset() brings an honest ring back.
 *
 * Thread: a frontend belongs to one thread at a time.  Every call ends within its timeout.
 */
#ifndef TESTS_SUPPORT_FRONTEND_H
#define TESTS_SUPPORT_FRONTEND_H

#include "tests/support/guest_ram.h"
#include "tests/support/guest_ring.h"
#include "tests/support/vhost_user.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRONTEND_MAX_PAIRS 16
#define FRONTEND_ANY_QUEUE UINT16_MAX
#define FRONTEND_RX(pair) (2u * (pair))
#define FRONTEND_TX(pair) (2u * (pair) + 1u)

#define FRONTEND_DEFAULT_TIMEOUT_MS 5000
#define FRONTEND_DEFAULT_RING_ENTRIES 256
#define FRONTEND_DEFAULT_SLOT_BYTES 2048
/* Not zero, so that a guest-physical address is never mistaken for an offset. */
#define FRONTEND_DEFAULT_GPA 0x40000000ull

/* What a frontend asks for by default; what the backend does not offer is left out. */
#define FRONTEND_FEATURES                                                              \
    (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_MQ | \
     1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |           \
     1ull << VHOST_USER_F_PROTOCOL_FEATURES)
#define FRONTEND_PROTOCOL_FEATURES                                                     \
    (1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_RARP |           \
     1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1ull << VHOST_USER_PROTOCOL_F_NET_MTU)

struct frontend_config {
    const char *socket_path;           /* borrowed during frontend_open() */
    int timeout_ms;                    /* of every wait for the backend; 0: the default */
    uint16_t queue_pairs;              /* 1 to 16; 0: one */
    uint16_t ring_entries;             /* power of two; 0: the default */
    uint32_t slot_bytes;               /* buffer of each descriptor; 0: the default */
    uint32_t segment_bytes;            /* bytes per descriptor when sending; 0: a whole slot */
    bool indirect;                     /* send every frame through an indirect table */
    bool manual_receive;               /* post no receive buffers until told to */
    bool hugepages;                    /* 2 MiB pages for guest memory when there are any */
    uint64_t features;                 /* wanted; 0: FRONTEND_FEATURES */
    uint64_t without_features;         /* taken off the wanted ones */
    uint64_t protocol_features;        /* wanted; 0: FRONTEND_PROTOCOL_FEATURES */
    uint64_t without_protocol_features;
    uint16_t mtu_bytes;                /* told to the backend; 0: nothing is told */
    unsigned region_count;             /* 0: one region at FRONTEND_DEFAULT_GPA */
    struct {
        uint64_t gpa;
        uint64_t size_bytes;           /* 0: as much as its share of rings and slots needs */
    } region[VHOST_USER_MAX_REGIONS];
};

struct frontend_counters {
    uint64_t sent_frames;
    uint64_t sent_bytes;
    uint64_t received_frames;
    uint64_t received_bytes;           /* without virtio header */
};

struct frontend {
    struct vhost_user_channel channel;
    struct guest_ram ram;
    struct guest_ring ring[2 * FRONTEND_MAX_PAIRS];
    struct frontend_config config;     /* with the defaults filled in; socket_path is NULL */
    uint64_t offered_features;         /* the backend's */
    uint64_t features;                 /* negotiated */
    uint64_t queue_pairs_max;          /* the backend's answer to GET_QUEUE_NUM, 1 without MQ */
    size_t header_bytes;               /* of the virtio header before every frame */
    struct virtio_net_hdr_mrg_rxbuf sent_header;      /* put before every frame sent */
    struct virtio_net_hdr_mrg_rxbuf received_header;  /* of the last frame received */
    struct frontend_counters counters; /* since frontend_open() */
    uint16_t last_queue;               /* pair the last frame was received on */
    bool started;                      /* the backend has the rings */
};

/** The sentence that belongs to the last call that failed. */
static inline const char *frontend_error(const struct frontend *f)
{
    return f->channel.error;
}

/**
 * Connects, negotiates, makes memory and rings, starts them and posts receive buffers.
 *
 * Waits up to the timeout for the socket to appear.  After a failure nothing is left open, and
 * frontend_error() tells what went wrong.
 *
 * @param f  memory of the caller's, overwritten
 * @return 0 or -errno
 */
int frontend_open(struct frontend *f, const struct frontend_config *config);

/** As frontend_open(), but ends before memory and rings are told to the backend. */
int frontend_open_unstarted(struct frontend *f, const struct frontend_config *config);

/**
 * Tells the backend features, memory and rings and enables all queues (see frontend_stop()).
 *
 * @return 0 or -errno
 */
int frontend_start(struct frontend *f);

/**
 * Takes the rings back from the backend (GET_VRING_BASE); memory and indices stay as they are, so
 * that frontend_start() goes on where it stopped, as a VM that is paused.
 *
 * @return 0 or -errno; -EPROTO when a base lies outside what was made available
 */
int frontend_stop(struct frontend *f);

/** Resets as a guest's driver does: stop, all rings as new, start, receive buffers posted. */
int frontend_reset(struct frontend *f);

/** Stops and disconnects as QEMU does when it ends. @return 0 or what frontend_stop() said */
int frontend_close(struct frontend *f);

/** Disconnects without a word and unmaps memory, as when the process is killed. */
void frontend_abandon(struct frontend *f);

/**
 * Sends one frame: copies it behind a virtio header, publishes it, kicks if the device wants that.
 *
 * @param queue  pair, below config.queue_pairs
 * @return 0; -EAGAIN when the ring stayed full until the timeout; -EMSGSIZE when the frame never
 *         fits; -EPROTO when the device returned nonsense
 */
int frontend_send(struct frontend *f, uint16_t queue, const void *frame, size_t len_bytes);

/** Waits until the device has used all that was sent. @return 0, -ETIMEDOUT or -EPROTO */
int frontend_wait_sent(struct frontend *f, uint16_t queue);

/**
 * Receives one frame; waits for the device's call, so a device that forgets to call is found out.
 *
 * @param queue       pair, or FRONTEND_ANY_QUEUE
 * @param to          gets the frame without virtio header, cut at @p size_bytes; may be NULL
 * @param timeout_ms  0 takes only what is already there
 * @return the frame's length in bytes (even when cut), -ETIMEDOUT when none came, -EPROTO when the
 *         device wrote nonsense
 */
int frontend_receive(struct frontend *f, uint16_t queue, void *to, size_t size_bytes,
                     int timeout_ms);

/** Receives and forgets frames until none has come for @p quiet_ms. @return how many, or -EPROTO */
int frontend_drain(struct frontend *f, int quiet_ms);

/** Posts up to @p count receive buffers. @return how many were posted */
unsigned frontend_post_receive_buffers(struct frontend *f, uint16_t queue, unsigned count);

/** SET_VRING_ENABLE for both rings of a pair. @return 0 or -errno */
int frontend_enable(struct frontend *f, uint16_t queue, bool enabled);

/** Sends the memory table as f->ram stands, as after a hotplug. @return 0 or -errno */
int frontend_set_memory(struct frontend *f);

#endif
