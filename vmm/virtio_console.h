/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A console as a virtio device: one port, without the multiport feature, with the emergency write
 * by which a kernel says something before it has rings.
 *
 * Standard: virtio 1.2, 5.3.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "switch/error.h"
#include "vmm/console.h"
#include "vmm/virtio_device.h"

#define VIRTIO_CONSOLE_RX 0u       /* what is typed */
#define VIRTIO_CONSOLE_TX 1u       /* what the guest writes */

struct event_base;
struct virtio_console;

/** @return owned; NULL with a sentence.  Thread: main. */
struct virtio_console *virtio_console_create(struct ram *ram, struct event_base *base,
                                             struct console *console, struct error *error);
/** It was unplugged.  NULL is fine. */
void virtio_console_destroy(struct virtio_console *console);
struct virtio_device *virtio_console_device(struct virtio_console *console);

#endif
