/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread is either parked or serving.  A driver's start lets it go; a stop asks it to park and
 * waits for that, which takes as long as the request under way, since the memory of that is the
 * guest's again only afterwards.
 */
#include "vmm/virtio_blk.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "vmm/blk_request.h"
#include "vmm/disk.h"
#include "vmm/vmm_queue.h"

#define QUEUE_ENTRIES 256u
#define BIT(n)        (UINT64_C(1) << (n))

struct virtio_blk {
    struct virtio_device device;   /* first: the device's functions get this */
    struct disk disk;
    struct virtio_blk_config config;

    pthread_t thread;
    bool has_thread;
    int (*enter)(void *context);
    void *enter_context;

    /* ---- under the lock ---- */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_entered;
    int entered;                   /* what enter() said */
    bool started;                  /* by the driver */
    bool parked;                   /* the thread touches nothing of the guest's */
    bool ending;
    int wake_fd;                   /* eventfd: one of these has changed */

    /* ---- the thread's while it is not parked ---- */
    struct vmm_queue queue;
    struct vmm_chain chain;
};

static struct virtio_blk *blk_of(struct virtio_device *device)
{
    return (struct virtio_blk *)device;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Until the driver kicks or the thread is wanted elsewhere: a broken queue has no more kicks. */
static void await_kick(struct virtio_blk *blk)
{
    struct pollfd fd[] = {
        { .fd = blk->wake_fd, .events = POLLIN },
        { .fd = blk->device.queue[0].kick_fd, .events = POLLIN },
    };
    eventfd_t count;

    (void)poll(fd, blk->queue.broken ? 1 : 2, -1);
    for (unsigned i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
        if ((fd[i].revents & POLLIN) != 0) {
            (void)eventfd_read(fd[i].fd, &count);
        }
    }
}

static void serve_next(struct virtio_blk *blk)
{
    const int result = vmm_queue_take(&blk->queue, &blk->chain);

    if (result > 0) {
        const uint16_t head = blk->chain.head;

        vmm_queue_return(&blk->queue, head,
                         blk_request_serve(&blk->disk, blk->device.acked, &blk->chain));
        return;
    }
    if (result < 0) {
        virtio_device_needs_reset(&blk->device);
    }
    if (!vmm_queue_want_kicks(&blk->queue, true)) {
        await_kick(blk);
    }
}

/* Waits until there is a driver to serve.  Returns false at the thread's end.  Has the lock. */
static bool park(struct virtio_blk *blk)
{
    while (!blk->started && !blk->ending) {
        blk->parked = true;
        pthread_cond_broadcast(&blk->changed);
        pthread_cond_wait(&blk->changed, &blk->lock);
    }
    blk->parked = blk->ending;
    return !blk->ending;
}

static void *thread_main(void *context)
{
    struct virtio_blk *blk = context;
    const int entered = blk->enter == NULL ? 0 : blk->enter(blk->enter_context);

    pthread_mutex_lock(&blk->lock);
    blk->has_entered = true;
    blk->entered = entered;
    pthread_cond_broadcast(&blk->changed);
    while (entered == 0 && park(blk)) {
        pthread_mutex_unlock(&blk->lock);
        serve_next(blk);
        pthread_mutex_lock(&blk->lock);
    }
    pthread_mutex_unlock(&blk->lock);
    return NULL;
}

/* Signals are for the main thread and the vCPUs. */
static int start_thread(struct virtio_blk *blk)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&blk->thread, NULL, thread_main, blk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    blk->has_thread = result == 0;
    return -result;
}

static void end_thread(struct virtio_blk *blk)
{
    if (!blk->has_thread) {
        return;
    }
    pthread_mutex_lock(&blk->lock);
    blk->ending = true;
    (void)eventfd_write(blk->wake_fd, 1);
    pthread_cond_broadcast(&blk->changed);
    pthread_mutex_unlock(&blk->lock);
    pthread_join(blk->thread, NULL);
    blk->has_thread = false;
}

int virtio_blk_run(struct virtio_blk *blk, int (*enter)(void *context), void *context,
                   struct error *error)
{
    int result;

    blk->enter = enter;
    blk->enter_context = context;
    result = start_thread(blk);
    if (result == 0) {
        pthread_mutex_lock(&blk->lock);
        while (!blk->has_entered) {
            pthread_cond_wait(&blk->changed, &blk->lock);
        }
        result = blk->entered;
        pthread_mutex_unlock(&blk->lock);
    }
    if (result != 0) {
        end_thread(blk);
        return error_set(error, -result, "the thread of the disk %.*s cannot start: %s",
                         (int)sizeof(blk->disk.name), blk->disk.name, strerror(-result));
    }
    return 0;
}

/* ---- the device ------------------------------------------------------------------------------ */

static uint64_t features(struct virtio_device *device)
{
    const uint64_t always = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
                            BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
                            BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX);

    return always | (blk_of(device)->disk.read_only
                         ? BIT(VIRTIO_BLK_F_RO)
                         : BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
}

static void config_read(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes)
{
    const struct virtio_blk *blk = blk_of(device);

    memset(data, 0, len_bytes);
    if (offset < sizeof(blk->config)) {
        const size_t left = sizeof(blk->config) - offset;

        memcpy(data, (const uint8_t *)&blk->config + offset, len_bytes < left ? len_bytes : left);
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
    struct virtio_blk *blk = blk_of(device);

    pthread_mutex_lock(&blk->lock);
    (void)vmm_queue_start(&blk->queue, device, 0);
    blk->started = true;
    pthread_cond_broadcast(&blk->changed);
    pthread_mutex_unlock(&blk->lock);
}

static void stop(struct virtio_device *device)
{
    struct virtio_blk *blk = blk_of(device);

    pthread_mutex_lock(&blk->lock);
    blk->started = false;
    (void)eventfd_write(blk->wake_fd, 1);
    while (!blk->parked) {
        pthread_cond_wait(&blk->changed, &blk->lock);
    }
    pthread_mutex_unlock(&blk->lock);
}

static const struct virtio_ops ops = {
    .name = "virtio-blk",
    .device_id = VIRTIO_ID_BLOCK,
    .queue_count = 1,
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .stop = stop,
};

static void describe(struct virtio_blk *blk)
{
    blk->config = (struct virtio_blk_config){
        .capacity = blk->disk.sectors,
        .size_max = BLK_REQUEST_SEGMENT_BYTES,
        .seg_max = BLK_REQUEST_SEGMENTS_MAX,
        .blk_size = DISK_SECTOR_BYTES,
    };
    if (!blk->disk.read_only) {
        blk->config.max_discard_sectors = BLK_REQUEST_DISCARD_SECTORS;
        blk->config.max_discard_seg = BLK_REQUEST_RANGES_MAX;
        blk->config.discard_sector_alignment = 1;
        blk->config.max_write_zeroes_sectors = BLK_REQUEST_ZERO_SECTORS;
        blk->config.max_write_zeroes_seg = 1;
        blk->config.write_zeroes_may_unmap = 1;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct virtio_blk *virtio_blk_create(struct ram *ram, const char *path, bool read_only,
                                     struct error *error)
{
    struct virtio_blk *blk = calloc(1, sizeof(*blk));

    if (blk == NULL) {
        error_set(error, ENOMEM, "no memory for the disk %s", path);
        return NULL;
    }
    blk->device.ops = &ops;
    blk->device.ram = ram;
    blk->device.queue[0].size_max = QUEUE_ENTRIES;
    blk->parked = true;
    pthread_mutex_init(&blk->lock, NULL);
    pthread_cond_init(&blk->changed, NULL);
    blk->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (disk_open(&blk->disk, path, read_only, error) != 0) {
        virtio_blk_destroy(blk);
        return NULL;
    }
    if (blk->wake_fd < 0) {
        error_set(error, EMFILE, "there is no eventfd for the disk %s; raise the limit of open "
                  "files", path);
        virtio_blk_destroy(blk);
        return NULL;
    }
    describe(blk);
    return blk;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
    if (blk == NULL) {
        return;
    }
    end_thread(blk);
    disk_close(&blk->disk);
    if (blk->wake_fd >= 0) {
        close(blk->wake_fd);
    }
    pthread_cond_destroy(&blk->changed);
    pthread_mutex_destroy(&blk->lock);
    free(blk);
}

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
    return &blk->device;
}
