/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A turn of the main thread serves a few requests and then leaves it to others: a guest that asks
 * without an end costs them no more than that.
 */
#include "vmm/virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "vmm/kicks.h"
#include "vmm/vmm_queue.h"

#define QUEUE_ENTRIES  64u
#define TURN_REQUESTS  8u

struct virtio_rng {
    struct virtio_device device;   /* first: the device's functions get this */
    struct kicks *kicks;
    struct vmm_queue queue;
    struct vmm_chain chain;
};

static struct virtio_rng *rng_of(struct virtio_device *device)
{
    return (struct virtio_rng *)device;
}

/* Fills what the driver gave, up to a request's bound.  Returns how many bytes. */
static uint32_t fill(const struct vmm_chain *chain)
{
    uint32_t done_bytes = 0;

    for (unsigned i = 0; i < chain->writable; i++) {
        const struct iovec *piece = &chain->piece[chain->readable + i];
        size_t at = 0;

        while (at < piece->iov_len && done_bytes < VIRTIO_RNG_REQUEST_BYTES) {
            const size_t left = VIRTIO_RNG_REQUEST_BYTES - done_bytes;
            const size_t want = piece->iov_len - at < left ? piece->iov_len - at : left;
            const ssize_t got = getrandom((uint8_t *)piece->iov_base + at, want, 0);

            if (got < 0 && errno != EINTR) {
                return done_bytes;
            }
            at += got > 0 ? (size_t)got : 0;
            done_bytes += got > 0 ? (uint32_t)got : 0;
        }
    }
    return done_bytes;
}

static void serve(struct virtio_device *device)
{
    struct virtio_rng *rng = rng_of(device);
    int result = 0;

    for (unsigned i = 0; i < TURN_REQUESTS; i++) {
        result = vmm_queue_take(&rng->queue, &rng->chain);
        if (result < 0) {
            virtio_device_needs_reset(device);
            return;
        }
        if (result > 0) {
            vmm_queue_return(&rng->queue, rng->chain.head, fill(&rng->chain));
        } else if (!vmm_queue_want_kicks(&rng->queue, true)) {
            return;
        }
    }
    virtio_device_kick(device, 0);         /* there may be more: in the next turn */
}

/* ---- the device ------------------------------------------------------------------------------ */

static uint64_t features(struct virtio_device *device)
{
    (void)device;
    return UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;
}

static void config_read(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes)
{
    (void)device;
    (void)offset;
    for (unsigned i = 0; i < len_bytes; i++) {
        data[i] = 0;
    }
}

static void config_write(struct virtio_device *device, uint32_t offset, const uint8_t *data,
                         unsigned len_bytes)
{
    (void)device;
    (void)offset;
    (void)data;
    (void)len_bytes;
}

static void start(struct virtio_device *device)
{
    struct virtio_rng *rng = rng_of(device);

    (void)vmm_queue_start(&rng->queue, device, 0);
    kicks_start(rng->kicks);
}

static void stop(struct virtio_device *device)
{
    kicks_stop(rng_of(device)->kicks);
}

static const struct virtio_ops ops = {
    .name = "virtio-rng",
    .device_id = VIRTIO_ID_RNG,
    .queue_count = 1,
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .stop = stop,
};

struct virtio_rng *virtio_rng_create(struct ram *ram, struct event_base *base,
                                     struct error *error)
{
    struct virtio_rng *rng = calloc(1, sizeof(*rng));

    if (rng == NULL) {
        error_set(error, ENOMEM, "virtio-rng: out of memory");
        return NULL;
    }
    rng->device.ops = &ops;
    rng->device.ram = ram;
    rng->device.queue[0].size_max = QUEUE_ENTRIES;
    rng->kicks = kicks_create(base, &rng->device, serve, error);
    if (rng->kicks == NULL) {
        free(rng);
        return NULL;
    }
    return rng;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
    if (rng != NULL) {
        kicks_destroy(rng->kicks);
        free(rng);
    }
}

struct virtio_device *virtio_rng_device(struct virtio_rng *rng)
{
    return &rng->device;
}
