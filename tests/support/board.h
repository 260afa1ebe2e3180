/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine's board without KVM, for one device of any kind whose snapshots are under test.
 *
 * A subject says how its device is made, driven and looked at; all of it goes by registers, as a
 * guest does it.  Who uses this includes fake_kvm.h as well.
 */
#ifndef TESTS_SUPPORT_BOARD_H
#define TESTS_SUPPORT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/pci.h"
#include "vmm/power.h"
#include "vmm/ram.h"
#include "vmm/serial.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"
#include "vmm/virtio_rng.h"

#define VIEW_BYTES 65536u

struct event_base;

/* What was read, one after the other. */
struct view {
    size_t len_bytes;
    uint8_t bytes[VIEW_BYTES];
};

union any_state {
    struct serial_state serial;
    struct power_state power;
    struct pci_root_state root;
    struct virtio_mmio_state mmio;
    struct virtio_pci_state pci;
};

/* The board, with what the subject is made of; the rest is NULL. */
struct board {
    const struct subject *subject;
    struct ram ram;
    struct bus *bus;
    struct event_base *base;
    struct console *console;
    char image[32];
    struct serial *serial;
    struct power *power;
    struct pci_root *root;
    struct virtio_net *net;
    struct virtio_blk *blk;
    struct virtio_console *virtio_console;
    struct virtio_rng *rng;
    struct virtio_device *device;
    struct virtio_mmio *mmio;
    struct virtio_pci *pci;
};

typedef void (*tell_lie)(struct board *board, union any_state *state);

struct subject {
    const char *name;
    bool on_pci;                   /* a virtio device's transport */
    void (*make)(struct board *board);
    void (*drive)(struct board *board);
    void (*look)(struct board *board, struct view *view);
    void (*save)(struct board *board, union any_state *state);
    int (*restore)(struct board *board, const union any_state *state, struct error *error);
    const tell_lie *lies;          /* up to a NULL: what no driver could have brought about */
};

/** As @p subject makes it.  Fails the test when it does not. */
struct board *board_open(const struct subject *subject);
void board_close(struct board *board);

/* A guest's accesses; what is read by board_see() goes to the view's end. */
uint64_t board_get(struct board *board, enum bus_space space, uint64_t at, unsigned len_bytes);
void board_put(struct board *board, enum bus_space space, uint64_t at, unsigned len_bytes,
               uint64_t value);
void board_see(struct board *board, enum bus_space space, uint64_t at, unsigned width,
               unsigned count, struct view *view);

#endif
