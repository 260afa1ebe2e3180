/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/host_port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <net/if.h>
#include <linux/if_tun.h>

#include "dataplane/io_ring.h"
#include "dataplane/kernel_frame.h"
#include "switch/gather.h"
#include "switch/segment.h"
#include "vnic/vnic.h"

#define QUEUES_MAX     16u
#define HEADROOM_BYTES 64u         /* its end has the virtio-net header, and then room for tags */
#define SLOT_BYTES     (HEADROOM_BYTES + 65600u)   /* of a cache line a multiple, not of a page */
#define READ_BYTES     (NET_HEADER_BASE_BYTES + FRAME_MAX_BYTES + 1)   /* more is seen to be more */
static_assert(SLOT_BYTES % 64 == 0 &&
              HEADROOM_BYTES - NET_HEADER_BASE_BYTES + READ_BYTES <= SLOT_BYTES, "a frame fits");

/* What goes by the ring is copied into one piece: it costs less than the kernel's look at three. */
#define OUT_BYTES      2048u
static_assert(FRAME_BURST <= IO_RING_WRITES, "a batch is one call");

/* What the kernel may leave undone in what we read; the last two from Linux 6.2 on. */
#define TAP_BASE       (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define TAP_USO        (0x20u | 0x40u)     /* TUN_F_USO4, TUN_F_USO6 */

struct host_queue {
    int fd;
    uint8_t *slots;                /* FRAME_BURST; pages that no frame has touched cost nothing */
    /* ---- of whoever has the claim ---- */
    atomic_flag claim __attribute__((aligned(64)));
    struct io_ring ring;
    uint8_t *out;                  /* FRAME_BURST */
};

struct host_port {
    uint16_t port;
    uint16_t queue_count;          /* open ones */
    uint8_t takes;                 /* enum offload_take */
    struct host_queue queue[QUEUES_MAX];
};

/* ---- making it ------------------------------------------------------------------------------- */

static int refuse_device(const char *name, int code, struct error *error)
{
    switch (code) {
    case EBUSY:
        return error_set(error, code, "The host has an interface named \"%s\" already: remove it, "
                         "or give the switch another name.", name);
    case EPERM:
        return error_set(error, code, "The daemon may not make the host's adapter \"%s\": it needs "
                         "CAP_NET_ADMIN.", name);
    case EINVAL:
        return error_set(error, code, "The kernel takes \"%s\" for no name of an interface: give "
                         "the switch another name.", name);
    default:
        return error_set(error, code, "The host's adapter \"%s\" could not be made: %s.", name,
                         strerror(code));
    }
}

/*
 * Asks for frames with everything undone that this kernel knows of, which is what it takes undone
 * as well.  @return that (enum offload_take), or 0 with errno
 */
static uint8_t ask_offloads(int fd)
{
    const uint8_t uso = OFFLOAD_TAKES_USO4 | OFFLOAD_TAKES_USO6;

    if (ioctl(fd, TUNSETOFFLOAD, TAP_BASE | TAP_USO) == 0) {
        return OFFLOAD_TAKES_ALL;
    }
    return ioctl(fd, TUNSETOFFLOAD, TAP_BASE) == 0 ? OFFLOAD_TAKES_ALL & ~uso : 0;
}

/* Opens queue @p n, the first of which makes the device. */
static int open_queue(struct host_port *port, unsigned n, const struct host_port_config *config,
                      struct error *error)
{
    struct host_queue *queue = &port->queue[n];
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

    io_ring_open(&queue->ring);
    queue->slots = aligned_alloc(64, (size_t)SLOT_BYTES * FRAME_BURST);
    queue->out = aligned_alloc(64, (size_t)OUT_BYTES * FRAME_BURST);
    queue->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (queue->slots == NULL || queue->out == NULL) {
        return error_set(error, ENOMEM, "There is no memory left for the host's adapter \"%s\".",
                         config->name);
    }
    if (queue->fd < 0) {
        return error_set(error, errno, "The host's adapter \"%s\" could not be made, because "
                         "/dev/net/tun could not be opened (%s): load the kernel's module tun.",
                         config->name, strerror(errno));
    }
    memcpy(request.ifr_name, config->name, strlen(config->name));
    request.ifr_flags = (short)(request.ifr_flags | (n == 0 ? IFF_TUN_EXCL : 0) |
                                (config->queues > 1 ? IFF_MULTI_QUEUE : 0));
    if (ioctl(queue->fd, TUNSETIFF, &request) != 0) {
        return refuse_device(config->name, errno, error);
    }
    port->takes = ask_offloads(queue->fd);
    return port->takes != 0 ? 0 : refuse_device(config->name, errno, error);
}

struct host_port *host_port_create(const struct host_port_config *config, struct error *error)
{
    struct host_port *port;

    /* For an empty name or one with a '%' the kernel would choose another. */
    if (config->name[0] == '\0' || strlen(config->name) >= IFNAMSIZ ||
        strchr(config->name, '%') != NULL) {
        (void)refuse_device(config->name, EINVAL, error);
        return NULL;
    }
    if (config->queues == 0 || config->queues > QUEUES_MAX) {
        (void)error_set(error, EINVAL, "The host's adapter \"%s\" can have 1 to %u queues, not %u.",
                        config->name, QUEUES_MAX, config->queues);
        return NULL;
    }
    port = aligned_alloc(64, sizeof(*port));
    if (port == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left for the host's adapter \"%s\".",
                        config->name);
        return NULL;
    }
    *port = (struct host_port){ .port = config->port };
    while (port->queue_count < config->queues) {
        const unsigned n = port->queue_count++;

        if (open_queue(port, n, config, error) != 0) {
            host_port_destroy(port);
            return NULL;
        }
    }
    return port;
}

void host_port_destroy(struct host_port *port)
{
    if (port == NULL) {
        return;
    }
    for (unsigned n = 0; n < port->queue_count; n++) {
        if (port->queue[n].fd >= 0) {
            (void)close(port->queue[n].fd);
        }
        io_ring_close(&port->queue[n].ring);
        free(port->queue[n].slots);
        free(port->queue[n].out);
    }
    free(port);
}

/* ---- frames ---------------------------------------------------------------------------------- */

uint16_t host_port_from_host(struct host_port *port, uint16_t queue, struct frame_batch *batch,
                             struct drop_tally *refused)
{
    const struct host_queue *from = &port->queue[queue];
    uint8_t *at = from->slots + HEADROOM_BYTES;
    uint32_t segments = 0;

    kernel_frame_start(batch, port->port, refused);
    for (unsigned reads = 0; reads < FRAME_BURST && segments < SEGMENT_MAX_BATCH; reads++) {
        const ssize_t got = read(from->fd, at - NET_HEADER_BASE_BYTES, READ_BYTES);
        const struct frame *frame;

        if (got < (ssize_t)NET_HEADER_BASE_BYTES) {
            break;                 /* nothing is there, or no device is any more */
        }
        frame = kernel_frame_add(batch, refused, at, (uint32_t)got - NET_HEADER_BASE_BYTES, 0);
        if (frame != NULL) {
            segments += segment_count(frame);
            at += SLOT_BYTES;
        }
    }
    return batch->count;
}

static uint8_t write_frame(int fd, const struct frame_batch *batch, const struct frame *frame)
{
    uint8_t header[NET_HEADER_BASE_BYTES];
    struct iovec iov[IOV_MAX];
    const uint32_t pieces = kernel_frame_iov(batch, frame, header, iov);

    if (pieces == 0) {
        return DROP_DEVICE_ERROR;
    }
    return writev(fd, iov, (int)pieces) >= 0 ? VNIC_DELIVERED : kernel_frame_refusal(errno);
}

static void write_each(int fd, const struct frame_batch *batch, const uint8_t *index,
                       uint16_t count, uint8_t *verdict)
{
    for (uint16_t i = 0; i < count; i++) {
        verdict[i] = write_frame(fd, batch, &batch->frame[index[i]]);
    }
}

static bool suit_ring(const struct frame_batch *batch, const uint8_t *index, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        if (batch->frame[index[i]].len_bytes > OUT_BYTES - NET_HEADER_BASE_BYTES) {
            return false;
        }
    }
    return count > 1;
}

/* @return false when nothing was written */
static bool write_together(struct host_queue *to, const struct frame_batch *batch,
                           const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    struct io_ring_write write[FRAME_BURST];

    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];
        struct gather from = gather_start(batch, frame);
        uint8_t *out = to->out + (size_t)i * OUT_BYTES;

        net_header_write(out, frame, OFFLOAD_TAKES_ALL);
        gather_copy(&from, out + NET_HEADER_BASE_BYTES, frame->len_bytes);
        write[i] = (struct io_ring_write){ .bytes = out,
                                           .len_bytes = NET_HEADER_BASE_BYTES + frame->len_bytes };
    }
    if (!io_ring_write(&to->ring, to->fd, write, count)) {
        return false;
    }
    for (uint16_t i = 0; i < count; i++) {
        verdict[i] = write[i].result >= 0 ? VNIC_DELIVERED
                                          : (uint8_t)kernel_frame_refusal(-write[i].result);
    }
    return true;
}

uint16_t host_port_to_host(struct host_port *port, uint16_t queue, const struct frame_batch *batch,
                           const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    struct host_queue *to = &port->queue[queue];
    uint16_t delivered = 0;
    bool written = false;

    if (to->ring.fd >= 0 && suit_ring(batch, index, count) &&
        !atomic_flag_test_and_set_explicit(&to->claim, memory_order_acquire)) {
        written = write_together(to, batch, index, count, verdict);
        atomic_flag_clear_explicit(&to->claim, memory_order_release);
    }
    if (!written) {
        write_each(to->fd, batch, index, count, verdict);
    }
    for (uint16_t i = 0; i < count; i++) {
        delivered = (uint16_t)(delivered + (verdict[i] == VNIC_DELIVERED));
    }
    return delivered;
}

uint8_t host_port_takes(const struct host_port *port)
{
    return port->takes;
}

uint16_t host_port_queues(const struct host_port *port)
{
    return port->queue_count;
}

int host_port_fd(const struct host_port *port, uint16_t queue)
{
    return port->queue[queue].fd;
}
