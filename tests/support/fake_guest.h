/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest of plain arrays, for tests of the rings: no sockets, no threads, no DPDK to start.
 *
 * The test writes descriptors and the available index by hand, so it can lie in every field.  Each
 * region of memory and each part of a ring is a heap block of its own, exactly as large as it may
 * be, so that under the address sanitizer a single byte read or written outside ends the test.
 *
 * Region 0 starts at FAKE_GPA; region 1 is its neighbour for the guest and is not for us; region 2
 * lies apart, below both.
 */
#ifndef TESTS_SUPPORT_FAKE_GUEST_H
#define TESTS_SUPPORT_FAKE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vnic/virtqueue.h"
#include "vnic/vnic.h"

#define FAKE_GPA          0x40000000ull
#define FAKE_REGION_BYTES 0x20000ull
#define FAKE_GPA_NEXT     (FAKE_GPA + FAKE_REGION_BYTES)   /* region 1 */
#define FAKE_GPA_END      (FAKE_GPA_NEXT + FAKE_REGION_BYTES)
#define FAKE_GPA_LOW      0x1000ull                        /* region 2 */
#define FAKE_REGIONS      3u
#define FAKE_HEADER_BYTES 12u      /* of virtio-net; the last 2 are not in a legacy driver's */

/* The driver's side of one ring. */
struct fake_ring {
    struct virtqueue *queue;       /* the device's side of it */
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    uint16_t size;
    uint16_t offered;              /* chains made available so far */
    uint16_t seen;                 /* used entries that fake_ring_used() has returned */
};

struct fake_guest {
    struct vnic vnic;
    struct vnic_live *live;        /* published in vnic.live */
    struct fake_ring to;           /* receive ring of pair 0 */
    struct fake_ring from;         /* transmit ring of pair 0 */
};

struct fake_guest_config {
    uint16_t ring_entries;         /* 0: 256 */
    bool legacy;                   /* a header of 10 bytes, no mergeable buffers */
    bool not_mergeable;
    bool event_idx;
    bool no_indirect;
    uint64_t features;             /* offloads it negotiated: switch/offload.h */
    uint8_t takes;                 /* of those it has taken: enum offload_take */
};

/** Makes a guest with one pair; never fails, a test without memory is no test. */
struct fake_guest *fake_guest_create(const struct fake_guest_config *config);
/** NULL is fine. */
void fake_guest_destroy(struct fake_guest *guest);
/** Makes it as new: memory and rings cleared, indices zero. */
void fake_guest_clear(struct fake_guest *guest);

/** Where @p gpa is; asserts that it is somewhere. */
uint8_t *fake_guest_at(const struct fake_guest *guest, uint64_t gpa);
/** Whether @p len_bytes at @p data lie wholly in one region. */
bool fake_guest_owns(const struct fake_guest *guest, const void *data, size_t len_bytes);

/** Writes a descriptor of the ring's own table. */
void fake_ring_desc(struct fake_ring *ring, uint16_t index, uint64_t gpa, uint32_t len_bytes,
                    uint16_t flags, uint16_t next);
/** Makes the chain at @p head available. */
void fake_ring_offer(struct fake_ring *ring, uint16_t head);
/** Both for a chain of one descriptor. */
void fake_ring_offer_buffer(struct fake_ring *ring, uint16_t head, uint64_t gpa,
                            uint32_t len_bytes, uint16_t flags);
/* Bytes in guest memory that are contiguous and are described in pieces. */
struct fake_chain {
    uint64_t gpa;
    uint32_t len_bytes;
    uint32_t first_bytes;          /* of the first piece; 0: one piece is all */
    uint32_t piece_bytes;          /* of the others, as long as they last; 0: the rest is one */
    uint64_t table_gpa;            /* where an indirect table is written; 0: none is */
    uint16_t head;                 /* the first descriptor of the ring's table */
    uint16_t flags;                /* of each piece: VRING_DESC_F_WRITE or nothing */
};

/** Describes @p chain and makes it available.  @return pieces */
uint16_t fake_ring_offer_chain(struct fake_guest *guest, struct fake_ring *ring,
                               const struct fake_chain *chain);
/** Takes the next used entry. @return whether there was one */
bool fake_ring_used(struct fake_ring *ring, uint32_t *head, uint32_t *len_bytes);
/**
 * Takes the next frame out of the receive ring as a driver does: from as many buffers as its header
 * says, through whatever descriptors describe them.  Asserts that each buffer holds what it is said
 * to hold.
 *
 * @param header  filled with the virtio-net header, num_buffers only if it has one
 * @param bytes   filled with the frame, FRAME_MAX_BYTES at most
 * @return its length, or 0 when there is none
 */
uint32_t fake_guest_receive(struct fake_guest *guest, uint8_t header[FAKE_HEADER_BYTES],
                            uint8_t *bytes);
/** The driver resets the ring, and the device with it. */
void fake_ring_reset(struct fake_ring *ring);

#endif
