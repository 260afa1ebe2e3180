/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_xdp.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NOTE       SO_RCVLOWAT
#define NOBODYS    1               /* what the option is at first */
#define FREEING_NS 20000000        /* a queue is free a moment after its socket is closed */

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* The next open AF_XDP socket with that note; -1 at the end. */
static int next_socket(DIR *descriptors, int note)
{
    const struct dirent *entry;

    while ((entry = readdir(descriptors)) != NULL) {
        const int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && option_of(fd, SO_DOMAIN) == AF_XDP &&
            option_of(fd, NOTE) == note) {
            return fd;
        }
    }
    return -1;
}

static int note_of(uint16_t port_id)
{
    return NOBODYS + 1 + port_id;
}

void nic_xdp_note(uint16_t port_id)
{
    const int note = note_of(port_id);
    DIR *descriptors = opendir("/proc/self/fd");
    int fd;

    while (descriptors != NULL && (fd = next_socket(descriptors, NOBODYS)) >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, NOTE, &note, sizeof(note));
    }
    if (descriptors != NULL) {
        (void)closedir(descriptors);
    }
}

void nic_xdp_close(uint16_t port_id)
{
    const struct timespec freeing = { .tv_nsec = FREEING_NS };
    DIR *descriptors = opendir("/proc/self/fd");
    int fd;

    while (descriptors != NULL && (fd = next_socket(descriptors, note_of(port_id))) >= 0) {
        (void)close(fd);
    }
    if (descriptors != NULL) {
        (void)closedir(descriptors);
    }
    (void)nanosleep(&freeing, NULL);
}
