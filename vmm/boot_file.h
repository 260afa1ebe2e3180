/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file to boot from: a kernel or an initrd, kept open.
 *
 * It is opened once and read again at each reset, by a process that may open nothing any more.  It
 * is read into the guest's memory, never mapped: a file that shrinks under its reader is then an
 * error with a sentence, and no SIGBUS.
 */
#ifndef VMM_BOOT_FILE_H
#define VMM_BOOT_FILE_H

#include <stdint.h>

#include "switch/error.h"

struct boot_file {
    const char *what;              /* "kernel" or "initrd", for sentences */
    const char *path;              /* borrowed */
    int fd;                        /* -1: it is not a file, but here: */
    const uint8_t *bytes;
    uint64_t size_bytes;           /* as it was opened */
};

/**
 * @param what, path  borrowed until boot_file_close(), which is due in any case
 * @return 0; -errno with a sentence, also for what is no regular file, or empty
 * Thread: main.
 */
int boot_file_open(struct boot_file *file, const char *what, const char *path,
                   struct error *error);
void boot_file_close(struct boot_file *file);

/**
 * Reads all of @p len_bytes at @p offset_bytes.
 * @return 0; -EINVAL with a sentence when the file ends before; -errno
 */
int boot_file_read(const struct boot_file *file, uint64_t offset_bytes, void *to,
                   uint64_t len_bytes, struct error *error);

#endif
