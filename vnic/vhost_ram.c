/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_ram.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Whether a file is memory and nothing else. */
static bool is_memory(int fd, const struct stat *file)
{
    struct statfs system;

    return S_ISREG(file->st_mode) && fstatfs(fd, &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == HUGETLBFS_MAGIC);
}

/*
 * Maps one region.  A file shorter than its region is refused: nothing good can come of what lies
 * behind its end.  A region may begin and end within a huge page, of which only whole ones can be
 * mapped; st_blksize is the size of the file's pages.
 */
static bool region_map(struct vhost_ram *memory, const struct vhost_region *region, int fd)
{
    const uint64_t end_bytes = region->mmap_offset_bytes + region->size_bytes;
    const uint32_t i = memory->guest.region_count;
    struct stat file;
    uint64_t page_mask;
    uint64_t from_bytes;
    uint64_t map_bytes;
    uint8_t *map;

    if (region->size_bytes == 0 || end_bytes < region->size_bytes || end_bytes > INT64_MAX ||
        fstat(fd, &file) != 0 || !is_memory(fd, &file) || (uint64_t)file.st_size < end_bytes) {
        return false;
    }
    page_mask = (uint64_t)file.st_blksize - 1;
    from_bytes = region->mmap_offset_bytes & ~page_mask;
    map_bytes = ((end_bytes + page_mask) & ~page_mask) - from_bytes;
    map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
               (off_t)from_bytes);
    if (map == MAP_FAILED) {
        return false;
    }
    (void)madvise(map, map_bytes, MADV_DONTDUMP);  /* a guest's memory is not for a core file */
    memory->guest.region[i] = (struct guest_region){
        .gpa = region->gpa,
        .size_bytes = region->size_bytes,
        .hva = map + (region->mmap_offset_bytes - from_bytes),
    };
    memory->region[i].user_address = region->user_address;
    memory->region[i].map = map;
    memory->region[i].map_bytes = map_bytes;
    memory->guest.region_count++;
    return true;
}

bool vhost_ram_map(struct vhost_ram *memory, const struct vhost_message *message)
{
    memset(memory, 0, sizeof(*memory));
    for (uint32_t i = 0; i < message->payload.memory.region_count; i++) {
        const struct vhost_region region = message->payload.memory.region[i];

        if (!region_map(memory, &region, message->fd[i])) {
            vhost_ram_unmap(memory);
            return false;
        }
    }
    return true;
}

void vhost_ram_unmap(struct vhost_ram *memory)
{
    for (uint32_t i = 0; i < memory->guest.region_count; i++) {
        (void)munmap(memory->region[i].map, memory->region[i].map_bytes);
    }
    memset(memory, 0, sizeof(*memory));
}

void *vhost_ram_at(const struct vhost_ram *memory, uint64_t user_address, size_t len_bytes,
                      size_t align_bytes)
{
    for (uint32_t i = 0; i < memory->guest.region_count; i++) {
        const struct guest_region *region = &memory->guest.region[i];
        const uint64_t off = user_address - memory->region[i].user_address;  /* wraps below it */

        if (off < region->size_bytes && len_bytes <= region->size_bytes - off) {
            uint8_t *at = region->hva + off;

            return (uintptr_t)at % align_bytes == 0 ? at : NULL;
        }
    }
    return NULL;
}
