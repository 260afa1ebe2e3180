/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t len_bytes)
{
    while (len_bytes > 0) {
        const ssize_t n = write(fd, text, len_bytes);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        text += n > 0 ? n : 0;
        len_bytes -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* Puts @p text in the place of @p name.  @return 0 or a negative errno */
static int replace_file(int dir_fd, const char *name, const char *text)
{
    char fresh[NAME_MAX + 1];
    int fd, rc;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", name);
    fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    rc = write_all(fd, text, strlen(text));
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    if (rc == 0 && renameat(dir_fd, fresh, dir_fd, name) != 0) {
        rc = -errno;
    }
    if (rc != 0) {
        (void)unlinkat(dir_fd, fresh, 0);
        return rc;
    }
    return fsync(dir_fd) == 0 ? 0 : -errno;
}

int state_file_write(const char *dir, const char *name, const char *text)
{
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (dir_fd < 0) {
        return -errno;
    }
    rc = replace_file(dir_fd, name, text);
    (void)close(dir_fd);
    return rc;
}
