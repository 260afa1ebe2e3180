/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk's image: a raw file or block device, in sectors of 512 bytes.
 *
 * The image is locked against a second VM, for as long as it is open; VMs that only read it may
 * share it.  It is read and written through the host's page cache.  Its size is what it was at the
 * start: where a file has since been cut, reading fails.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "switch/error.h"

#define DISK_SECTOR_BYTES 512u
#define DISK_NAME_BYTES   20u

struct disk {
    int fd;
    bool read_only;
    uint64_t sectors;
    char name[DISK_NAME_BYTES];    /* the image's, cut, without a NUL when it is as long */
};

/**
 * @return 0; -ENOENT, -EACCES, -EINVAL (no whole sectors), -EBUSY (in use), -errno with a sentence;
 *         disk_close() is due in any case
 */
int disk_open(struct disk *disk, const char *path, bool read_only, struct error *error);
void disk_close(struct disk *disk);

bool disk_has(const struct disk *disk, uint64_t sector, uint64_t count);

/*
 * The calls below block.  They return 0, -EIO for sectors that are not there, or another -errno.
 * What a disk opened read-only cannot do is -EBADF.
 */

/** Whole sectors, as many as fit.  @p piece is used up. */
int disk_read(const struct disk *disk, uint64_t sector, struct iovec *piece, unsigned count);
int disk_write(const struct disk *disk, uint64_t sector, struct iovec *piece, unsigned count);
int disk_flush(const struct disk *disk);
/** What is in them afterwards is not said. */
int disk_discard(const struct disk *disk, uint64_t sector, uint64_t count);
/** @param unmap  they may lose their place on the host's disk */
int disk_zero(const struct disk *disk, uint64_t sector, uint64_t count, bool unmap);

#endif
