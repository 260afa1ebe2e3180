/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/pins.h"

#include <errno.h>
#include <stdlib.h>

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* By the entry's key: what differs in the port only is the same entry. */
static int order(const void *a, const void *b)
{
    const struct vswitch_pin *left = a;
    const struct vswitch_pin *right = b;

    if (left->switch_id != right->switch_id) {
        return compare(left->switch_id, right->switch_id);
    }
    return left->fid != right->fid ? compare(left->fid, right->fid)
                                   : compare(left->mac, right->mac);
}

static const struct vswitch_pin *find(const struct pins *pins, const struct vswitch_pin *key)
{
    return pins->count == 0 ? NULL
                            : bsearch(key, pins->pin, pins->count, sizeof(*pins->pin), order);
}

int pins_list(const struct vswitch_model *model, struct pins *pins)
{
    pins->count = vswitch_pins(model, NULL, 0);
    pins->pin = calloc(pins->count + 1, sizeof(*pins->pin));
    if (pins->pin == NULL) {
        pins->count = 0;
        return -ENOMEM;
    }
    (void)vswitch_pins(model, pins->pin, pins->count);
    qsort(pins->pin, pins->count, sizeof(*pins->pin), order);
    return 0;
}

void pins_release(struct pins *pins)
{
    free(pins->pin);
    *pins = (struct pins){ .count = 0 };
}

int pins_add(struct mac_table *const *table, struct mac_table *const *before,
             const struct pins *from, const struct pins *to, struct vswitch_pin *pin)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct vswitch_pin *each = &to->pin[i];
        struct mac_table *into = table[each->switch_id];
        const struct vswitch_pin *is = into == before[each->switch_id] ? find(from, each) : NULL;

        if (into != NULL && (is == NULL || is->port != each->port) &&
            mac_table_add_static(into, each->mac, each->fid, each->port) != 0) {
            *pin = *each;
            return -ENOSPC;
        }
    }
    return 0;
}

void pins_drop(struct mac_table *const *table, const struct pins *from, const struct pins *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct vswitch_pin *each = &from->pin[i];

        if (table[each->switch_id] != NULL && find(to, each) == NULL) {
            (void)mac_table_remove(table[each->switch_id], each->mac, each->fid);
        }
    }
}
