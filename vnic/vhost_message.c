/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_message.h"

#include <assert.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_version.h>

#include "vnic/vhost_control_device.h"

#define MEMORY_HEAD_BYTES 8u       /* of SET_MEM_TABLE: the number of regions, and padding */
#define RING_INDEX_MASK   0xffu    /* of SET_VRING_KICK, _CALL, _ERR */

static_assert(RTE_VERSION >= RTE_VERSION_NUM(22, 11, 0, 0) &&
              RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0),
              "look up struct vhu_msg_context of this release");

/* Which ring a message is about. */
enum ring_field { RING_NONE, RING_IN_STATE, RING_IN_ADDR, RING_IN_U64 };

struct rule {
    bool passes;                   /* the library may see it */
    bool changes;                  /* what workers use; retire first */
    uint8_t ring;                  /* enum ring_field */
    uint8_t size_bytes;            /* of the payload, at least */
};

#define WITH_STATE { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) }

static const struct rule rules[MESSAGE_COUNT] = {
    [MESSAGE_GET_FEATURES] = { .passes = true },
    [MESSAGE_SET_FEATURES] = { .passes = true, .changes = true, .size_bytes = 8 },
    [MESSAGE_SET_OWNER] = { .passes = true },
    [MESSAGE_RESET_OWNER] = { .passes = true, .changes = true },
    [MESSAGE_SET_MEM_TABLE] = { true, true, RING_NONE, MEMORY_HEAD_BYTES },
    [MESSAGE_SET_VRING_NUM] = WITH_STATE,
    [MESSAGE_SET_VRING_ADDR] = { true, true, RING_IN_ADDR, sizeof(struct vhost_vring_addr) },
    [MESSAGE_SET_VRING_BASE] = WITH_STATE,
    [MESSAGE_GET_VRING_BASE] = WITH_STATE,
    [MESSAGE_SET_VRING_KICK] = { true, true, RING_IN_U64, 8 },
    [MESSAGE_SET_VRING_CALL] = { true, true, RING_IN_U64, 8 },
    [MESSAGE_SET_VRING_ERR] = { true, false, RING_IN_U64, 8 },
    [MESSAGE_GET_PROTOCOL_FEATURES] = { .passes = true },
    [MESSAGE_SET_PROTOCOL_FEATURES] = { .passes = true, .size_bytes = 8 },
    [MESSAGE_GET_QUEUE_NUM] = { .passes = true },
    [MESSAGE_SET_VRING_ENABLE] = WITH_STATE,
    [MESSAGE_SEND_RARP] = { .passes = true, .size_bytes = 8 },
    [MESSAGE_NET_SET_MTU] = { .passes = true, .size_bytes = 8 },
};

/* Whether descriptors stand where they must: as many as counted, then none. */
static bool fds_are_in_place(const struct vhost_message *m)
{
    if (m->fd_count < 0 || m->fd_count > (int32_t)GUEST_MEMORY_REGIONS_MAX) {
        return false;
    }
    for (int32_t i = 0; i < (int32_t)GUEST_MEMORY_REGIONS_MAX; i++) {
        if ((m->fd[i] >= 0) != (i < m->fd_count)) {
            return false;
        }
    }
    return true;
}

void vhost_message_close_fds(struct vhost_message *m)
{
    while (fds_are_in_place(m) && m->fd_count > 0) {
        m->fd_count--;
        (void)close(m->fd[m->fd_count]);
        m->fd[m->fd_count] = -1;
    }
}

/*
 * Whether a file is memory and nothing else.  A page of any other is brought by somebody when it is
 * touched: by a disk, or by a process of the frontend's choice (FUSE), which may let the worker of
 * all guests wait in that page fault for ever.
 */
static bool is_memory(int fd, const struct stat *file)
{
    struct statfs system;

    return S_ISREG(file->st_mode) && fstatfs(fd, &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == HUGETLBFS_MAGIC);
}

/*
 * Whether the library will be able to map a region; when it is not, it loses the descriptor.  A
 * file shorter than its region is refused with it: nothing good can come of what lies behind its
 * end.  A region may end within a huge page, of which only whole ones are mapped.
 */
static bool region_maps(const struct vhost_region *region, int fd)
{
    const uint64_t end_bytes = region->mmap_offset_bytes + region->size_bytes;
    struct stat file;
    uint64_t map_bytes;
    void *at;

    if (region->size_bytes == 0 || end_bytes < region->size_bytes || end_bytes > INT64_MAX ||
        fstat(fd, &file) != 0 || !is_memory(fd, &file) || (uint64_t)file.st_size < end_bytes) {
        return false;
    }
    map_bytes = (end_bytes + (uint64_t)file.st_blksize - 1) & ~((uint64_t)file.st_blksize - 1);
    at = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return at != MAP_FAILED && munmap(at, map_bytes) == 0;
}

static bool memory_maps(const struct vhost_message *m)
{
    const uint32_t count = m->payload.memory.region_count;

    if (count > GUEST_MEMORY_REGIONS_MAX || m->fd_count != (int32_t)count ||
        m->size_bytes < MEMORY_HEAD_BYTES + count * sizeof(struct vhost_region) ||
        !fds_are_in_place(m)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct vhost_region region = m->payload.memory.region[i];

        if (!region_maps(&region, m->fd[i])) {
            return false;
        }
    }
    return true;
}

uint32_t vhost_message_ring(const struct vhost_message *m)
{
    switch ((enum ring_field)rules[m->request].ring) {
    case RING_IN_STATE:
        return m->payload.state.index;
    case RING_IN_ADDR:
        return m->payload.addr.index;
    case RING_IN_U64:
        return (uint32_t)(m->payload.u64 & RING_INDEX_MASK);
    case RING_NONE:
        break;
    }
    return 0;
}

bool vhost_message_changes(const struct vhost_message *m)
{
    return rules[m->request].changes;
}

static bool is_ring_size(uint32_t entries)
{
    return entries != 0 && entries <= VHOST_RING_MAX_ENTRIES && (entries & (entries - 1)) == 0;
}

enum vhost_refusal vhost_message_check(const struct vhost_message *m, uint16_t ring_count)
{
    if (m->request >= MESSAGE_COUNT || !rules[m->request].passes ||
        m->size_bytes < rules[m->request].size_bytes) {
        return VHOST_REFUSED_MESSAGE;
    }
    if (vhost_message_ring(m) >= ring_count) {
        return VHOST_REFUSED_QUEUES;
    }
    if (m->request == MESSAGE_SET_VRING_NUM && !is_ring_size(m->payload.state.num)) {
        return VHOST_REFUSED_RING_SIZE;                        /* the library keeps a bad one */
    }
    if (m->request == MESSAGE_SET_MEM_TABLE && !memory_maps(m)) {
        return VHOST_REFUSED_MEMORY;
    }
    return VHOST_REFUSED_NOT;
}
