/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/falloc.h>

#define ZEROES_BYTES 65536u

static int open_failed(const char *path, bool read_only, struct error *error)
{
    const char *way_out = errno == ENOENT ? "name an image that is there (`truncate -s 1G FILE` "
                                            "makes an empty one)"
                          : read_only     ? "name an image that can be read"
                                          : "name an image that can be written, or add \",ro\"";

    return error_set(error, errno, "the disk %s cannot be opened for %s: %s; %s", path,
                     read_only ? "reading" : "reading and writing", strerror(errno), way_out);
}

/* Several readers, or one writer.  Open file description locks end with the descriptor. */
static int lock_image(const struct disk *disk, const char *path, struct error *error)
{
    struct flock lock = {
        .l_type = disk->read_only ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
    };

    if (fcntl(disk->fd, F_OFD_SETLK, &lock) == 0) {
        return 0;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return error_set(error, EBUSY, "the disk %s is in use by another VM; stop that, or let "
                         "both of them only read it (\",ro\")", path);
    }
    return error_set(error, errno, "the disk %s cannot be locked against other VMs: %s; move it to "
                     "a file system with locks", path, strerror(errno));
}

static int measure(struct disk *disk, const char *path, struct error *error)
{
    struct stat stat;
    off_t size_bytes;

    if (fstat(disk->fd, &stat) != 0 || (!S_ISREG(stat.st_mode) && !S_ISBLK(stat.st_mode))) {
        return error_set(error, EINVAL, "the disk %s is neither a file nor a block device; name a "
                         "raw image", path);
    }
    size_bytes = lseek(disk->fd, 0, SEEK_END);
    if (size_bytes <= 0 || size_bytes % DISK_SECTOR_BYTES != 0) {
        return error_set(error, EINVAL, "the disk %s has %jd bytes, which are no whole sectors of "
                         "%u; name a raw image, or make it longer with truncate", path,
                         (intmax_t)size_bytes, DISK_SECTOR_BYTES);
    }
    disk->sectors = (uint64_t)size_bytes / DISK_SECTOR_BYTES;
    return 0;
}

static void copy_name(struct disk *disk, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;

    memset(disk->name, 0, sizeof(disk->name));
    memcpy(disk->name, name, strnlen(name, sizeof(disk->name)));
}

int disk_open(struct disk *disk, const char *path, bool read_only, struct error *error)
{
    /* Not blocking, because a pipe of that name would. */
    const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int result;

    *disk = (struct disk){ .fd = open(path, flags), .read_only = read_only };
    if (disk->fd < 0) {
        return open_failed(path, read_only, error);
    }
    copy_name(disk, path);
    result = measure(disk, path, error);
    return result != 0 ? result : lock_image(disk, path, error);
}

void disk_close(struct disk *disk)
{
    if (disk->fd >= 0) {
        close(disk->fd);
        disk->fd = -1;
    }
}

bool disk_has(const struct disk *disk, uint64_t sector, uint64_t count)
{
    return sector <= disk->sectors && count <= disk->sectors - sector;
}

/* ---- data ------------------------------------------------------------------------------------ */

static uint64_t bytes_in(const struct iovec *piece, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++) {
        bytes += piece[i].iov_len;
    }
    return bytes;
}

typedef ssize_t (*transfer_call)(int fd, const struct iovec *piece, int count, off_t offset);

/* Repeats @p call until all pieces are used up: it may do less than it is asked. */
static int transfer(const struct disk *disk, uint64_t sector, struct iovec *piece, unsigned count,
                    transfer_call call)
{
    const uint64_t len_bytes = bytes_in(piece, count);
    off_t offset = (off_t)(sector * DISK_SECTOR_BYTES);

    if (len_bytes % DISK_SECTOR_BYTES != 0 ||
        !disk_has(disk, sector, len_bytes / DISK_SECTOR_BYTES)) {
        return -EIO;
    }
    while (count > 0) {
        ssize_t done;

        if (piece->iov_len == 0) {
            piece++;
            count--;
            continue;
        }
        done = call(disk->fd, piece, (int)count, offset);
        if (done == 0) {
            return -EIO;           /* the file was cut */
        }
        if (done < 0 && errno != EINTR) {
            return -errno;
        }
        for (size_t left = done < 0 ? 0 : (size_t)done; left > 0;) {
            const size_t step = left < piece->iov_len ? left : piece->iov_len;

            piece->iov_base = (uint8_t *)piece->iov_base + step;
            piece->iov_len -= step;
            offset += (off_t)step;
            left -= step;
            if (piece->iov_len == 0) {
                piece++;
                count--;
            }
        }
    }
    return 0;
}

int disk_read(const struct disk *disk, uint64_t sector, struct iovec *piece, unsigned count)
{
    return transfer(disk, sector, piece, count, preadv);
}

int disk_write(const struct disk *disk, uint64_t sector, struct iovec *piece, unsigned count)
{
    return disk->read_only ? -EBADF : transfer(disk, sector, piece, count, pwritev);
}

int disk_flush(const struct disk *disk)
{
    return fdatasync(disk->fd) == 0 ? 0 : -errno;
}

/* ---- holes and zeroes ------------------------------------------------------------------------ */

static int allocate(const struct disk *disk, int mode, uint64_t sector, uint64_t count)
{
    if (disk->read_only) {
        return -EBADF;
    }
    if (!disk_has(disk, sector, count)) {
        return -EIO;
    }
    if (count == 0) {
        return 0;
    }
    while (fallocate(disk->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)(sector * DISK_SECTOR_BYTES),
                     (off_t)(count * DISK_SECTOR_BYTES)) != 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int disk_discard(const struct disk *disk, uint64_t sector, uint64_t count)
{
    const int result = allocate(disk, FALLOC_FL_PUNCH_HOLE, sector, count);

    return result == -EOPNOTSUPP ? 0 : result;     /* it was only a hint */
}

static int write_zeroes(const struct disk *disk, uint64_t sector, uint64_t count)
{
    static const uint8_t zeroes[ZEROES_BYTES];
    int result = 0;

    while (count > 0 && result == 0) {
        const uint64_t most = ZEROES_BYTES / DISK_SECTOR_BYTES;
        const uint64_t now = count < most ? count : most;
        struct iovec piece = {
            .iov_base = (void *)(uintptr_t)zeroes,
            .iov_len = now * DISK_SECTOR_BYTES,
        };

        result = disk_write(disk, sector, &piece, 1);
        sector += now;
        count -= now;
    }
    return result;
}

int disk_zero(const struct disk *disk, uint64_t sector, uint64_t count, bool unmap)
{
    const int mode = unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    const int result = allocate(disk, mode, sector, count);

    return result == -EOPNOTSUPP ? write_zeroes(disk, sector, count) : result;
}
