/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/boot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES_MAX (UINT64_C(1) << 30)     /* of one pread(), whose answer is a ssize_t */

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" :
           S_ISSOCK(mode) ? "a socket" : "a device";
}

int boot_file_open(struct boot_file *file, const char *what, const char *path,
                   struct error *error)
{
    struct stat stat;

    *file = (struct boot_file){ .what = what, .path = path };
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);    /* a pipe cannot wait */
    if (file->fd < 0 || fstat(file->fd, &stat) != 0) {
        return error_set(error, errno, "the %s %s cannot be opened: %s; name a file that can be "
                         "read", what, path, strerror(errno));
    }
    if (!S_ISREG(stat.st_mode)) {
        return error_set(error, EINVAL, "the %s %s is %s: give a file", what, path,
                         kind_of(stat.st_mode));
    }
    if (stat.st_size == 0) {
        return error_set(error, EINVAL, "the %s %s is empty: has it been copied in full?", what,
                         path);
    }
    file->size_bytes = (uint64_t)stat.st_size;
    return 0;
}

void boot_file_close(struct boot_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    *file = (struct boot_file){ .fd = -1 };
}

int boot_file_read(const struct boot_file *file, uint64_t offset_bytes, void *to,
                   uint64_t len_bytes, struct error *error)
{
    uint8_t *next = to;

    if (offset_bytes > file->size_bytes || len_bytes > file->size_bytes - offset_bytes) {
        return error_set(error, EINVAL,
                         "the %s %s is cut off: it has %" PRIu64 " bytes, and %" PRIu64
                         " are to be at %" PRIu64 "; copy it anew", file->what, file->path,
                         file->size_bytes, len_bytes, offset_bytes);
    }
    if (file->fd < 0) {
        memcpy(to, file->bytes + offset_bytes, len_bytes);
        return 0;
    }
    while (len_bytes > 0) {
        const uint64_t most = len_bytes < READ_BYTES_MAX ? len_bytes : READ_BYTES_MAX;
        const ssize_t got = pread(file->fd, next, most, (off_t)offset_bytes);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(error, errno, "the %s %s cannot be read: %s", file->what, file->path,
                             strerror(errno));
        }
        if (got == 0) {
            return error_set(error, EINVAL,
                             "the %s %s has become shorter since it was opened: leave it alone "
                             "while its VM runs", file->what, file->path);
        }
        next += got;
        offset_bytes += (uint64_t)got;
        len_bytes -= (uint64_t)got;
    }
    return 0;
}
