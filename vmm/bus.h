/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two address spaces, memory and ports, and who answers where in them.
 *
 * An access that KVM cannot do itself ends here, on the vCPU's thread, under the bus's lock: so a
 * device has one caller at a time and needs no lock of its own for its registers.  What is hot does
 * not come here: doorbells are ioeventfds, interrupts irqfds, the serial console is slow by nature.
 *
 * What nobody answers reads as all ones and swallows writes, as on a PC.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdint.h>

#include "switch/error.h"

enum bus_space { BUS_MEMORY, BUS_PORTS, BUS_SPACE_COUNT };

#define BUS_RANGES_MAX 256u

/*
 * A device's registers.  Offsets are from the range's start; @p len_bytes is 1, 2, 4 or 8, all of
 * them within the range.  What a read leaves alone is ones.  Either may be NULL: nobody answers.
 */
struct bus_ops {
    void (*read)(void *context, uint64_t offset, uint8_t *data, unsigned len_bytes);
    void (*write)(void *context, uint64_t offset, const uint8_t *data, unsigned len_bytes);
};

struct bus;

struct bus *bus_create(void);
void bus_destroy(struct bus *bus);

/**
 * @param ops, context  borrowed until bus_remove()
 * @return 0, or with a sentence -EEXIST when the range overlaps another, -ENOSPC, -EINVAL
 * Thread: main, also while vCPUs run; any callback of a device's (a BAR that its guest moves).
 */
int bus_add(struct bus *bus, enum bus_space space, uint64_t base, uint64_t size_bytes,
            const struct bus_ops *ops, void *context, struct error *error);
/**
 * No callback is running (but the caller's own, if it is one), and none will, when this returns.
 * Thread: as bus_add().
 */
void bus_remove(struct bus *bus, enum bus_space space, uint64_t base);

/** An access of a guest's; one that spans ranges or is of no proper length is nobody's. */
void bus_read(struct bus *bus, enum bus_space space, uint64_t address, uint8_t *data,
              unsigned len_bytes);
void bus_write(struct bus *bus, enum bus_space space, uint64_t address, const uint8_t *data,
               unsigned len_bytes);

/** For devices whose registers are touched outside of bus_read/write as well.  Recursive. */
void bus_lock(struct bus *bus);
void bus_unlock(struct bus *bus);

#endif
