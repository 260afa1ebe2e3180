/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/host_id.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

int host_id_read(char id[HOST_ID_SIZE])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    char boot[40] = "";
    struct stat space;
    int rc = 0;

    if (file == NULL || fscanf(file, "%39s", boot) != 1 ||
        stat("/proc/self/ns/net", &space) != 0) {
        rc = -EIO;
    } else {
        (void)snprintf(id, HOST_ID_SIZE, "%s/%ju", boot, (uintmax_t)space.st_ino);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return rc;
}
