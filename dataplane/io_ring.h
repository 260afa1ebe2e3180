/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several writes to one descriptor by one system call, where the kernel has io_uring.
 *
 * A tap device takes one frame a call, and the calls are a third of what that costs.  The ring is
 * used as a list of arguments and nothing more: nothing that is given waits for anything
 * (RWF_NOWAIT and a descriptor that does not block), so that all of it has ended when the call
 * returns.  A kernel that should do otherwise is not asked again.
 *
 * The descriptor is named in each call, not registered: a ring gives registered ones back some time
 * after its own end, and a tap device that outlives the daemon is in the way of the next one.
 */
#ifndef DATAPLANE_IO_RING_H
#define DATAPLANE_IO_RING_H

#include <stdbool.h>
#include <stdint.h>

#define IO_RING_WRITES 32u

struct io_ring_write {
    const void *bytes;
    uint32_t len_bytes;
    int32_t result;                /* as of write(), but -errno */
};

struct io_ring {
    int fd;                        /* -1: none */
    bool usable;
    uint32_t next;                 /* submitted so far */
    uint32_t mask;                 /* of submissions */
    uint32_t ended_mask;
    uint32_t *tail;                /* of submissions */
    uint32_t *ended_head;
    uint32_t *ended_tail;
    struct io_uring_sqe *submission;
    const struct io_uring_cqe *ended;
    void *rings;
    uint32_t rings_bytes;
    uint32_t submission_bytes;
};

/** Makes a ring, or does without where the kernel has or permits none.  Thread: control. */
void io_ring_open(struct io_ring *ring);
/** Nothing for one that does without.  Thread: control. */
void io_ring_close(struct io_ring *ring);

/**
 * Writes @p count times, 1 to IO_RING_WRITES, in order, with the result in each.
 * @return false when nothing was written: the ring is of no use, or of none for such a descriptor
 * Thread: one at a time.  Does not block, allocate or log.
 */
bool io_ring_write(struct io_ring *ring, int fd, struct io_ring_write *write, uint16_t count);

#endif
