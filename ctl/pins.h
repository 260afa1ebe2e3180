/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pinned addresses: the entries of address tables that follow from the model.
 *
 * A change of the model is a change of two sorted lists.  What is new goes into the tables before
 * the change is published, because a table may have no room and then the change is refused; what is
 * no longer goes after it, when no worker uses the old fabric.
 *
 * Thread: control, for everything here.
 */
#ifndef CTL_PINS_H
#define CTL_PINS_H

#include <stddef.h>

#include "switch/error.h"
#include "switch/mac_table.h"
#include "switch/vswitch.h"

struct pins {
    struct vswitch_pin *pin;       /* sorted; owned, for pins_release() */
    size_t count;
};

/** Fills @p pins with what @p model pins.  @return 0 or -ENOMEM */
int pins_list(const struct vswitch_model *model, struct pins *pins);
void pins_release(struct pins *pins);

/**
 * Pins what @p to has and @p from has not, or has for another port; in a table that is another than
 * @p before, all that @p to has.
 *
 * @param table   by switch id; NULL: a switch that is not
 * @param before  the tables that have what @p from has
 * @param pin     filled with the one that a table had no room for
 * @return 0 or -ENOSPC
 */
int pins_add(struct mac_table *const *table, struct mac_table *const *before,
             const struct pins *from, const struct pins *to, struct vswitch_pin *pin);

/** Takes out what @p from has and @p to has not, for whatever port. */
void pins_drop(struct mac_table *const *table, const struct pins *from, const struct pins *to);

#endif
