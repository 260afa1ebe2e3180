/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing is buffered here: what a guest writes goes to the console at once, and what is typed is
 * taken only when the driver has given a buffer for it.
 */
#include "vmm/virtio_console.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "vmm/kicks.h"
#include "vmm/vmm_queue.h"

#define QUEUE_ENTRIES 256u
/* A turn of the main thread's takes no more from the guest than the console keeps, so that the
 * console's file can follow. */
#define TURN_CHAINS   64u
#define TURN_BYTES    (CONSOLE_KEPT_BYTES / 2)

struct virtio_console {
    struct virtio_device device;   /* first: the device's functions get this */
    struct console *console;
    struct console_port port;
    struct kicks *kicks;
    struct vmm_queue rx, tx;
    struct vmm_chain chain;
};

static struct virtio_console *console_of(struct virtio_device *device)
{
    return (struct virtio_console *)device;
}

/* The next chain of @p queue, if there is one. */
static bool take(struct virtio_console *own, struct vmm_queue *queue)
{
    int result;

    do {
        result = vmm_queue_take(queue, &own->chain);
    } while (result == 0 && vmm_queue_want_kicks(queue, true));
    if (result < 0) {
        virtio_device_needs_reset(&own->device);
    }
    return result > 0;
}

/* ---- what the guest writes ------------------------------------------------------------------- */

static void show(struct virtio_console *own)
{
    for (unsigned i = 0; i < own->chain.readable; i++) {
        const struct iovec *piece = &own->chain.piece[i];

        console_write(own->console, &own->port, piece->iov_base, piece->iov_len);
    }
}

static void serve(struct virtio_device *device)
{
    struct virtio_console *own = console_of(device);
    uint64_t shown_bytes = 0;

    console_room(own->console);            /* there may be new buffers for what is typed */
    for (unsigned i = 0; i < TURN_CHAINS && shown_bytes < TURN_BYTES; i++) {
        if (!take(own, &own->tx)) {
            return;
        }
        show(own);
        shown_bytes += own->chain.readable_bytes;
        vmm_queue_return(&own->tx, own->chain.head, 0);
    }
    virtio_device_kick(device, VIRTIO_CONSOLE_TX);     /* there may be more: in the next turn */
}

/* ---- what is typed --------------------------------------------------------------------------- */

/* Copies into the chain what fits.  Returns how much. */
static uint32_t scatter(const struct vmm_chain *chain, const uint8_t *bytes, size_t len_bytes)
{
    uint32_t done_bytes = 0;

    for (unsigned i = 0; i < chain->writable && done_bytes < len_bytes; i++) {
        const struct iovec *piece = &chain->piece[chain->readable + i];
        const size_t left = len_bytes - done_bytes;
        const size_t run = piece->iov_len < left ? piece->iov_len : left;

        memcpy(piece->iov_base, bytes + done_bytes, run);
        done_bytes += (uint32_t)run;
    }
    return done_bytes;
}

/* console_port.type: at most a ring of chains, should the driver offer empty ones for ever. */
static size_t type(void *context, const uint8_t *bytes, size_t len_bytes)
{
    struct virtio_console *own = context;
    size_t taken = 0;

    if (kicks_lock(own->kicks)) {
        for (unsigned i = 0; i < QUEUE_ENTRIES && taken < len_bytes; i++) {
            uint32_t written;

            if (!take(own, &own->rx)) {
                break;
            }
            written = scatter(&own->chain, bytes + taken, len_bytes - taken);
            vmm_queue_return(&own->rx, own->chain.head, written);
            taken += written;
        }
    }
    kicks_unlock(own->kicks);
    return taken;
}

/* ---- the device ------------------------------------------------------------------------------ */

static uint64_t features(struct virtio_device *device)
{
    (void)device;
    return UINT64_C(1) << VIRTIO_CONSOLE_F_EMERG_WRITE |
           UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;
}

static void config_read(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes)
{
    (void)device;
    (void)offset;
    memset(data, 0, len_bytes);
}

static void config_write(struct virtio_device *device, uint32_t offset, const uint8_t *data,
                         unsigned len_bytes)
{
    struct virtio_console *own = console_of(device);

    if (offset == offsetof(struct virtio_console_config, emerg_wr) && len_bytes == 4) {
        console_write(own->console, &own->port, data, 1);
    }
}

static void start(struct virtio_device *device)
{
    struct virtio_console *own = console_of(device);

    (void)vmm_queue_start(&own->rx, device, VIRTIO_CONSOLE_RX);
    (void)vmm_queue_start(&own->tx, device, VIRTIO_CONSOLE_TX);
    kicks_start(own->kicks);
}

static void stop(struct virtio_device *device)
{
    kicks_stop(console_of(device)->kicks);
}

static const struct virtio_ops ops = {
    .name = "virtio-console",
    .device_id = VIRTIO_ID_CONSOLE,
    .queue_count = 2,
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .stop = stop,
};

struct virtio_console *virtio_console_create(struct ram *ram, struct event_base *base,
                                             struct console *console, struct error *error)
{
    struct virtio_console *own = calloc(1, sizeof(*own));

    if (own == NULL) {
        error_set(error, ENOMEM, "virtio-console: out of memory");
        return NULL;
    }
    own->device.ops = &ops;
    own->device.ram = ram;
    own->device.queue[VIRTIO_CONSOLE_RX].size_max = QUEUE_ENTRIES;
    own->device.queue[VIRTIO_CONSOLE_TX].size_max = QUEUE_ENTRIES;
    own->console = console;
    own->port = (struct console_port){ .type = type, .context = own };
    own->kicks = kicks_create(base, &own->device, serve, error);
    if (own->kicks == NULL) {
        free(own);
        return NULL;
    }
    return own;
}

void virtio_console_destroy(struct virtio_console *console)
{
    if (console != NULL) {
        console_remove_port(console->console, &console->port);
        kicks_destroy(console->kicks);
        free(console);
    }
}

struct virtio_device *virtio_console_device(struct virtio_console *console)
{
    return &console->device;
}
