/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each space is an array of ranges sorted by address.  An access copies what it found before it
 * calls the device, which may thus add and remove ranges, its own too, from within.
 */
#include "vmm/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bus_range {
    uint64_t base, last;           /* both within */
    const struct bus_ops *ops;
    void *context;
};

struct bus_map {
    unsigned count;
    struct bus_range range[BUS_RANGES_MAX];
};

struct bus {
    pthread_mutex_t lock;
    struct bus_map map[BUS_SPACE_COUNT];
};

static const char *const space_text[BUS_SPACE_COUNT] = {
    [BUS_MEMORY] = "memory",
    [BUS_PORTS] = "ports",
};

struct bus *bus_create(void)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    pthread_mutexattr_t recursive;

    if (bus == NULL) {
        return NULL;
    }
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&bus->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    return bus;
}

void bus_destroy(struct bus *bus)
{
    if (bus != NULL) {
        pthread_mutex_destroy(&bus->lock);
        free(bus);
    }
}

void bus_lock(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
}

void bus_unlock(struct bus *bus)
{
    pthread_mutex_unlock(&bus->lock);
}

/* The first range that ends at @p address or above; map->count when there is none. */
static unsigned map_find(const struct bus_map *map, uint64_t address)
{
    unsigned low = 0, high = map->count;

    while (low < high) {
        const unsigned middle = (low + high) / 2;

        if (map->range[middle].last < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int map_add(struct bus_map *map, const char *space, const struct bus_range *range,
                   struct error *error)
{
    const unsigned at = map_find(map, range->base);

    if (at < map->count && map->range[at].base <= range->last) {
        return error_set(error, EEXIST,
                         "a device at %s 0x%" PRIx64 "-0x%" PRIx64 " would overlap the one at "
                         "0x%" PRIx64 "-0x%" PRIx64, space, range->base, range->last,
                         map->range[at].base, map->range[at].last);
    }
    if (map->count == BUS_RANGES_MAX) {
        return error_set(error, ENOSPC,
                         "a device at %s 0x%" PRIx64 "-0x%" PRIx64 " is one too many: "
                         "%u fit; use fewer devices", space, range->base, range->last,
                         BUS_RANGES_MAX);
    }
    memmove(&map->range[at + 1], &map->range[at], (map->count - at) * sizeof(map->range[0]));
    map->range[at] = *range;
    map->count++;
    return 0;
}

int bus_add(struct bus *bus, enum bus_space space, uint64_t base, uint64_t size_bytes,
            const struct bus_ops *ops, void *context, struct error *error)
{
    const struct bus_range range = {
        .base = base,
        .last = base + size_bytes - 1,
        .ops = ops,
        .context = context,
    };
    int result;

    if (size_bytes == 0 || range.last < base) {
        return error_set(error, EINVAL,
                         "no device can be at %s 0x%" PRIx64 " with 0x%" PRIx64 " bytes: "
                         "that is empty, or beyond the last address", space_text[space], base,
                         size_bytes);
    }
    bus_lock(bus);
    result = map_add(&bus->map[space], space_text[space], &range, error);
    bus_unlock(bus);
    return result;
}

void bus_remove(struct bus *bus, enum bus_space space, uint64_t base)
{
    struct bus_map *map = &bus->map[space];
    unsigned at;

    bus_lock(bus);
    at = map_find(map, base);
    if (at < map->count && map->range[at].base == base) {
        map->count--;
        memmove(&map->range[at], &map->range[at + 1],
                (map->count - at) * sizeof(map->range[0]));
    }
    bus_unlock(bus);
}

static bool length_is_proper(unsigned len_bytes)
{
    return len_bytes == 1 || len_bytes == 2 || len_bytes == 4 || len_bytes == 8;
}

/* Copies the range that all of an access lies in.  Returns false when there is none. */
static bool map_hit(const struct bus_map *map, uint64_t address, unsigned len_bytes,
                    struct bus_range *range)
{
    const unsigned at = map_find(map, address);

    if (at == map->count || address < map->range[at].base ||
        len_bytes - 1 > map->range[at].last - address) {
        return false;
    }
    *range = map->range[at];
    return true;
}

void bus_read(struct bus *bus, enum bus_space space, uint64_t address, uint8_t *data,
              unsigned len_bytes)
{
    struct bus_range range;

    memset(data, 0xff, len_bytes);
    if (!length_is_proper(len_bytes)) {
        return;
    }
    bus_lock(bus);
    if (map_hit(&bus->map[space], address, len_bytes, &range) && range.ops->read != NULL) {
        range.ops->read(range.context, address - range.base, data, len_bytes);
    }
    bus_unlock(bus);
}

void bus_write(struct bus *bus, enum bus_space space, uint64_t address, const uint8_t *data,
               unsigned len_bytes)
{
    struct bus_range range;

    if (!length_is_proper(len_bytes)) {
        return;
    }
    bus_lock(bus);
    if (map_hit(&bus->map[space], address, len_bytes, &range) && range.ops->write != NULL) {
        range.ops->write(range.context, address - range.base, data, len_bytes);
    }
    bus_unlock(bus);
}
