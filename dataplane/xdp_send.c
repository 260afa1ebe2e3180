/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/xdp_send.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_xdp.h>

#include "switch/gather.h"

#define SLOTS_BYTES ((size_t)XDP_SEND_SLOTS * XDP_SEND_MAX_BYTES)
#define SEND_BYTES  (4 << 20)      /* on their way through the interface's own queue */
static_assert((XDP_SEND_SLOTS & (XDP_SEND_SLOTS - 1)) == 0, "a ring's size is a power of 2");
static_assert(XDP_SEND_SLOTS > FRAME_BURST, "a batch fits");

/* A queue that was given back a moment ago is free only when a thread of the kernel has run. */
#define BIND_TRIES    50u
#define BIND_PAUSE_US 2000u

/* ---- opening --------------------------------------------------------------------------------- */

static bool set_option(int fd, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_XDP, option, value, size) == 0;
}

static bool map_ring(int fd, off_t which, const struct xdp_ring_offset *offset, size_t entry_bytes,
                     struct xdp_send_ring *ring)
{
    const size_t bytes = offset->desc + XDP_SEND_SLOTS * entry_bytes;
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                           which);

    if (memory == MAP_FAILED) {
        return false;
    }
    *ring = (struct xdp_send_ring){
        .producer = (uint32_t *)(memory + offset->producer),
        .consumer = (uint32_t *)(memory + offset->consumer),
        .entries = memory + offset->desc,
        .memory = memory,
        .memory_bytes = bytes,
    };
    return true;
}

static bool make_slots(struct xdp_sender *sender)
{
    struct xdp_umem_reg slots = { .len = SLOTS_BYTES, .chunk_size = XDP_SEND_MAX_BYTES };
    void *memory = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    sender->slots = memory;
    slots.addr = (uintptr_t)memory;
    return set_option(sender->fd, XDP_UMEM_REG, &slots, sizeof(slots));
}

/* A ring for what is to be received has to be, too: of the least size. */
static bool make_rings(struct xdp_sender *sender)
{
    const int entries = XDP_SEND_SLOTS, least = 1, send_bytes = SEND_BYTES;
    struct xdp_mmap_offsets offsets;
    socklen_t size = sizeof(offsets);

    (void)setsockopt(sender->fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes));
    return set_option(sender->fd, XDP_UMEM_FILL_RING, &least, sizeof(least)) &&
           set_option(sender->fd, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) &&
           set_option(sender->fd, XDP_TX_RING, &entries, sizeof(entries)) &&
           getsockopt(sender->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) == 0 &&
           map_ring(sender->fd, XDP_PGOFF_TX_RING, &offsets.tx, sizeof(struct xdp_desc),
                    &sender->out) &&
           map_ring(sender->fd, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr,
                    sizeof(uint64_t), &sender->done);
}

static bool bind_to(int fd, int ifindex, uint16_t queue)
{
    const struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY,
                                          .sxdp_ifindex = (uint32_t)ifindex,
                                          .sxdp_queue_id = queue };

    for (unsigned tries = 0; tries < BIND_TRIES; tries++) {
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            return true;
        }
        if (errno != EBUSY) {
            return false;
        }
        (void)usleep(BIND_PAUSE_US);
    }
    return false;
}

void xdp_send_open(struct xdp_sender *sender, int ifindex, uint16_t queue)
{
    *sender = (struct xdp_sender){ .fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0) };
    sender->usable = sender->fd >= 0 && make_slots(sender) && make_rings(sender) &&
                     bind_to(sender->fd, ifindex, queue);
    if (!sender->usable) {
        xdp_send_close(sender);
    }
}

static void unmap_ring(struct xdp_send_ring *ring)
{
    if (ring->memory != NULL) {
        (void)munmap(ring->memory, ring->memory_bytes);
    }
}

void xdp_send_close(struct xdp_sender *sender)
{
    unmap_ring(&sender->out);
    unmap_ring(&sender->done);
    if (sender->fd >= 0) {
        (void)close(sender->fd);
    }
    if (sender->slots != NULL) {
        (void)munmap(sender->slots, SLOTS_BYTES);
    }
    *sender = (struct xdp_sender){ .fd = -1 };
}

/* ---- the ring -------------------------------------------------------------------------------- */

static inline struct xdp_desc *entry_at(const struct xdp_sender *sender, uint32_t number)
{
    return (struct xdp_desc *)sender->out.entries + number % XDP_SEND_SLOTS;
}

/* How many entries the kernel has left, as far as it says. */
static inline uint32_t left_of(const struct xdp_sender *sender)
{
    return *sender->out.producer - __atomic_load_n(sender->out.consumer, __ATOMIC_ACQUIRE);
}

static inline int call_kernel(const struct xdp_sender *sender)
{
    return sendto(sender->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
}

/* Notes the slots that the kernel is done with. */
static void take_back(struct xdp_sender *sender)
{
    const uint32_t producer = __atomic_load_n(sender->done.producer, __ATOMIC_ACQUIRE);
    const uint64_t *address = sender->done.entries;
    uint32_t consumer = *sender->done.consumer;

    for (; consumer != producer; consumer++) {
        const uint64_t slot = address[consumer % XDP_SEND_SLOTS] / XDP_SEND_MAX_BYTES;

        sender->taken[slot % XDP_SEND_SLOTS] = false;
    }
    __atomic_store_n(sender->done.consumer, consumer, __ATOMIC_RELEASE);
}

/* Copies frames into slots, while there are any, and gives them to the kernel.  @return how many */
static uint16_t fill(struct xdp_sender *sender, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count)
{
    const uint32_t first = *sender->out.producer;
    uint16_t filled = 0;

    while (filled < count && !sender->taken[(first + filled) % XDP_SEND_SLOTS]) {
        const uint32_t slot = (first + filled) % XDP_SEND_SLOTS;
        const uint64_t address = (uint64_t)slot * XDP_SEND_MAX_BYTES;
        const struct frame *frame = &batch->frame[index[filled]];
        struct gather from = gather_start(batch, frame);

        gather_copy(&from, sender->slots + address, frame->len_bytes);
        *entry_at(sender, slot) = (struct xdp_desc){ .addr = address, .len = frame->len_bytes };
        sender->taken[slot] = true;
        filled++;
    }
    __atomic_store_n(sender->out.producer, first + filled, __ATOMIC_RELEASE);
    return filled;
}

/* ---- what the kernel has not taken ----------------------------------------------------------- */

static uint64_t skipped_ever(const struct xdp_sender *sender)
{
    struct xdp_statistics statistics = { 0 };
    socklen_t size = sizeof(statistics);

    (void)getsockopt(sender->fd, SOL_XDP, XDP_STATISTICS, &statistics, &size);
    return statistics.tx_invalid_descs;
}

/*
 * Has the kernel skip what was withdrawn: one entry a call, and it says so only by the next.
 * @param skipped  set to how many, when the ring is empty now
 * @return whether it is; it is not while the interface is down
 */
static bool clear(struct xdp_sender *sender, uint64_t *skipped)
{
    uint64_t ever;

    for (uint32_t calls = 0; calls <= XDP_SEND_SLOTS && left_of(sender) != 0; calls++) {
        if (call_kernel(sender) != 0) {
            break;
        }
    }
    if (left_of(sender) != 0) {
        return false;
    }
    ever = skipped_ever(sender);
    *skipped = ever - sender->skipped;
    sender->skipped = ever;
    return true;
}

/* Withdraws what is left of the @p filled last entries.  @return how many that were */
static uint16_t withdraw(struct xdp_sender *sender, uint16_t filled)
{
    const uint32_t end = *sender->out.producer;
    const uint32_t left = left_of(sender);
    uint64_t skipped = left;

    for (uint32_t i = 1; i <= left; i++) {
        *entry_at(sender, end - i) = (struct xdp_desc){ .addr = SLOTS_BYTES };
    }
    (void)clear(sender, &skipped);
    if (skipped > filled) {
        skipped = filled;
    }
    for (uint32_t i = 1; i <= skipped; i++) {
        sender->taken[(end - i) % XDP_SEND_SLOTS] = false;
    }
    return (uint16_t)skipped;
}

uint16_t xdp_send(struct xdp_sender *sender, const struct frame_batch *batch, const uint8_t *index,
                  uint16_t count)
{
    uint64_t skipped;
    uint16_t sent;
    int refusal;

    if (!sender->usable || (left_of(sender) != 0 && !clear(sender, &skipped))) {
        return 0;
    }
    take_back(sender);
    sent = fill(sender, batch, index, count);
    refusal = call_kernel(sender);
    if (left_of(sender) != 0) {
        sent = (uint16_t)(sent - withdraw(sender, sent));
    }
    /* Without carrier it takes one and drops it. */
    return refusal == EBUSY && sent > 0 ? (uint16_t)(sent - 1) : sent;
}
