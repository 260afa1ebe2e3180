/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A console as a virtio device: one port, without the multiport feature.
 *
 * Standard: virtio 1.2, 5.3.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "switch/error.h"
#include "vmm/console.h"
#include "vmm/virtio_device.h"

struct event_base;
struct virtio_console;

struct virtio_console *virtio_console_create(struct ram *ram, struct event_base *base,
                                             struct console *console, struct error *error);
void virtio_console_destroy(struct virtio_console *console);
struct virtio_device *virtio_console_device(struct virtio_console *console);

#endif
