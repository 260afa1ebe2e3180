/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serving a device's queues on the main thread, when their driver kicks.
 *
 * A driver starts and stops its device on a vCPU's thread, where the event loop must not be
 * touched.  So the loop watches one epoll for as long as the device lives, and the queues' eventfds
 * come into that and leave it, from any thread.  The lock makes a stop exact: the device is served
 * under it, and only between kicks_start() and kicks_stop().
 */
#ifndef VMM_KICKS_H
#define VMM_KICKS_H

#include <stdbool.h>

#include "switch/error.h"
#include "vmm/virtio_device.h"

struct event_base;
struct kicks;

/**
 * @param serve  called on the main thread, under the lock, when a queue of @p device was kicked
 * @param device  borrowed, also as @p serve's argument
 * @return owned; NULL with a sentence
 * Thread: main.
 */
struct kicks *kicks_create(struct event_base *base, struct virtio_device *device,
                           void (*serve)(struct virtio_device *device), struct error *error);
/** The device was stopped.  NULL is fine.  Thread: main. */
void kicks_destroy(struct kicks *kicks);

/** From ops->start, when all is ready to be served. */
void kicks_start(struct kicks *kicks);
/** From ops->stop: when this returns, the device is not served any more. */
void kicks_stop(struct kicks *kicks);

/** Takes the lock.  @return whether the device is started; then it may be served here as well */
bool kicks_lock(struct kicks *kicks);
void kicks_unlock(struct kicks *kicks);

#endif
