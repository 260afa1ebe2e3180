/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_LOCK_NAME   "vswitchd.lock"
#define STATE_LOCK_NAME "config.lock"     /* not the same: one directory may serve as both */

/* The mode is set apart, because the umask would have its say in mkdir()'s. */
static int make_dir(const char *path, mode_t mode, struct error *error)
{
    struct stat st;

    if (mkdir(path, mode) == 0) {
        if (chmod(path, mode) == 0) {
            return 0;
        }
    } else if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            return 0;
        }
        errno = ENOTDIR;
    }
    return error_set(error, errno, "The directory %s cannot be made (%s): make it, or choose "
                     "another with --run-dir or --state-dir.", path, strerror(errno));
}

static int make_place(const char *dir, mode_t mode, char absolute[PATH_MAX], struct error *error)
{
    const int rc = make_dir(dir, mode, error);

    if (rc == 0 && realpath(dir, absolute) == NULL) {
        return error_set(error, errno, "The directory %s cannot be used: %s.", dir,
                         strerror(errno));
    }
    return rc;
}

/* Whose pid stands in the lock file; 0 when it is being written. */
static long read_pid(int fd)
{
    char text[24] = "";

    return pread(fd, text, sizeof(text) - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* @return the lock, to be closed; or a negative errno and a sentence */
static int lock_dir(const char *dir, const char *name, const char *what, struct error *error)
{
    char path[PATH_MAX + 32];
    char pid[24];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return error_set(error, errno, "The lock %s cannot be opened (%s): vswitchd must be able "
                         "to write to its directories.", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)error_set(error, EBUSY, "Process %ld is a vswitchd that uses the %s directory %s "
                        "already: stop that one, or give this one another with --%s-dir.",
                        read_pid(fd), what, dir, what);
        (void)close(fd);
        return -EBUSY;
    }
    (void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, strlen(pid), 0) != (ssize_t)strlen(pid)) {
        const int rc = error_set(error, errno, "The lock %s cannot be written: %s.", path,
                                 strerror(errno));

        (void)close(fd);
        return rc;
    }
    return fd;
}

/* What is a socket here belonged to a daemon that is dead, as its lock was free. */
static void sweep_sockets(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat st;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISSOCK(st.st_mode)) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

int places_take(struct places *places, const char *run_dir, const char *state_dir,
                struct error *error)
{
    char vnic_dir[PATH_MAX + 8];
    int rc;

    places->run_lock = -1;
    places->state_lock = -1;
    rc = make_place(run_dir, 0755, places->run_dir, error);
    if (rc == 0) {
        rc = make_place(state_dir, 0700, places->state_dir, error);
    }
    if (rc == 0) {
        (void)snprintf(vnic_dir, sizeof(vnic_dir), "%s/vnic", places->run_dir);
        rc = make_dir(vnic_dir, 0755, error);
    }
    if (rc == 0) {
        places->run_lock = lock_dir(places->run_dir, RUN_LOCK_NAME, "run", error);
        rc = places->run_lock < 0 ? places->run_lock : 0;
    }
    if (rc == 0) {
        places->state_lock = lock_dir(places->state_dir, STATE_LOCK_NAME, "state", error);
        rc = places->state_lock < 0 ? places->state_lock : 0;
    }
    if (rc != 0) {
        places_release(places);
        return rc;
    }
    sweep_sockets(vnic_dir);
    return 0;
}

void places_release(struct places *places)
{
    if (places->run_lock >= 0) {
        (void)close(places->run_lock);
    }
    if (places->state_lock >= 0) {
        (void)close(places->state_lock);
    }
    places->run_lock = -1;
    places->state_lock = -1;
}
