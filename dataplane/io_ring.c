/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/io_ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

#define NO_OFFSET UINT64_MAX       /* the descriptor's own */

/* ---- making it ------------------------------------------------------------------------------- */

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void *map(int fd, uint32_t bytes, uint64_t which)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                        (off_t)which);

    return memory != MAP_FAILED ? memory : NULL;
}

static bool map_rings(struct io_ring *ring, const struct io_uring_params *made)
{
    const struct io_sqring_offsets *in = &made->sq_off;
    const struct io_cqring_offsets *out = &made->cq_off;
    uint8_t *rings;

    if ((made->features & IORING_FEAT_SINGLE_MMAP) == 0) {
        return false;
    }
    ring->rings_bytes = larger(in->array + made->sq_entries * (uint32_t)sizeof(uint32_t),
                               out->cqes +
                                   made->cq_entries * (uint32_t)sizeof(struct io_uring_cqe));
    ring->submission_bytes = made->sq_entries * (uint32_t)sizeof(struct io_uring_sqe);
    ring->rings = map(ring->fd, ring->rings_bytes, IORING_OFF_SQ_RING);
    ring->submission = map(ring->fd, ring->submission_bytes, IORING_OFF_SQES);
    if (ring->rings == NULL || ring->submission == NULL) {
        return false;
    }
    rings = ring->rings;
    ring->mask = made->sq_entries - 1;
    ring->tail = (uint32_t *)(rings + in->tail);
    ring->ended_mask = made->cq_entries - 1;
    ring->ended_head = (uint32_t *)(rings + out->head);
    ring->ended_tail = (uint32_t *)(rings + out->tail);
    ring->ended = (const struct io_uring_cqe *)(rings + out->cqes);
    for (uint32_t i = 0; i < made->sq_entries; i++) {
        ((uint32_t *)(rings + in->array))[i] = i;
    }
    return true;
}

void io_ring_open(struct io_ring *ring)
{
    struct io_uring_params params = { .flags = 0 };

    *ring = (struct io_ring){ .fd = (int)syscall(__NR_io_uring_setup, IO_RING_WRITES, &params) };
    ring->usable = ring->fd >= 0 && map_rings(ring, &params);
    if (!ring->usable) {
        io_ring_close(ring);
    }
}

void io_ring_close(struct io_ring *ring)
{
    if (ring->submission != NULL) {
        (void)munmap(ring->submission, ring->submission_bytes);
    }
    if (ring->rings != NULL) {
        (void)munmap(ring->rings, ring->rings_bytes);
    }
    if (ring->fd >= 0) {
        (void)close(ring->fd);
    }
    *ring = (struct io_ring){ .fd = -1 };
}

/* ---- using it -------------------------------------------------------------------------------- */

static void submit(struct io_ring *ring, int fd, const struct io_ring_write *write, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        ring->submission[ring->next++ & ring->mask] = (struct io_uring_sqe){
            .opcode = IORING_OP_WRITE,
            .fd = fd,
            .addr = (uintptr_t)write[i].bytes,
            .len = write[i].len_bytes,
            .off = NO_OFFSET,
            .rw_flags = RWF_NOWAIT,
            .user_data = i,
        };
    }
    /* Pairs with the kernel's load when it is called: the entries are complete. */
    __atomic_store_n(ring->tail, ring->next, __ATOMIC_RELEASE);
}

/* Takes the results that are there.  @return how many */
static uint16_t collect(struct io_ring *ring, struct io_ring_write *write, uint16_t count)
{
    const uint32_t tail = __atomic_load_n(ring->ended_tail, __ATOMIC_ACQUIRE);
    uint32_t head = *ring->ended_head;
    uint16_t taken = 0;

    for (; head != tail; head++) {
        const struct io_uring_cqe *ended = &ring->ended[head & ring->ended_mask];

        if (ended->user_data < count) {
            write[ended->user_data].result = ended->res;
            taken++;
        }
    }
    __atomic_store_n(ring->ended_head, head, __ATOMIC_RELEASE);
    return taken;
}

bool io_ring_write(struct io_ring *ring, int fd, struct io_ring_write *write, uint16_t count)
{
    if (!ring->usable) {
        return false;
    }
    for (uint16_t i = 0; i < count; i++) {
        write[i].result = -EAGAIN;         /* of what the kernel puts off in spite of all */
    }
    submit(ring, fd, write, count);
    if (syscall(__NR_io_uring_enter, ring->fd, count, 0, 0, NULL, 0) < 0) {
        ring->usable = false;
        return false;
    }
    ring->usable = collect(ring, write, count) == count && write[0].result != -EOPNOTSUPP;
    return write[0].result != -EOPNOTSUPP;
}
