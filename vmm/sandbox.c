/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The jail is a file system of its own in memory, in a mount namespace of its own: it is gone with
 * the process, leaves nothing in the directory it was mounted on, and is read-only but for the
 * directories that are kept.
 */
#include "vmm/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define DIR_MODE     0755
#define ROOT_OPTIONS "mode=0755,size=64k"
#define ROOT_FLAGS   (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* ---- the jail -------------------------------------------------------------------------------- */

/* Makes @p path, an absolute one, and what leads to it, below the working directory. */
static int make_path(const char *path)
{
    char made[PATH_MAX];
    const size_t length = strlen(path);

    if (length >= sizeof(made)) {
        return -ENAMETOOLONG;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(made, path + 1, i - 1);
        made[i - 1] = '\0';
        if (i > 1 && mkdir(made, DIR_MODE) != 0 && errno != EEXIST) {
            return -errno;
        }
    }
    return 0;
}

static int keep(const char *path, struct error *error)
{
    int result = make_path(path);

    if (result == 0 && mount(path, path + 1, NULL, MS_BIND, NULL) != 0) {
        result = -errno;
    }
    return result == 0 ? 0 : error_set(error, -result, "%s cannot be kept in the jail: %s; it must "
                                       "be elsewhere than the jail", path, strerror(-result));
}

/* Makes the working directory the root, and forgets the one that was. */
static int change_root(void)
{
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
        chdir("/") != 0) {
        return -errno;
    }
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | ROOT_FLAGS, NULL) == 0
               ? 0 : -errno;
}

static int enter_jail(const struct sandbox_config *config, struct error *error)
{
    int result = 0;

    if (unshare(CLONE_NEWNS) != 0) {
        return error_set(error, errno, "a jail needs root: %s", strerror(errno));
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("jail", config->jail, "tmpfs", ROOT_FLAGS, ROOT_OPTIONS) != 0 ||
        chdir(config->jail) != 0) {
        return error_set(error, errno, "%s cannot be a jail: %s; it must be an empty "
                         "directory", config->jail, strerror(errno));
    }
    for (unsigned i = 0; i < config->keep_count && result == 0; i++) {
        result = keep(config->keep[i], error);
    }
    if (result != 0) {
        return result;
    }
    result = change_root();
    return result == 0 ? 0 : error_set(error, -result, "the process cannot be locked in %s: %s",
                                       config->jail, strerror(-result));
}

/* ---- who it is, and what it may -------------------------------------------------------------- */

static int change_user(const struct sandbox_config *config, struct error *error)
{
    if (setgroups(0, NULL) != 0 || setresgid(config->gid, config->gid, config->gid) != 0 ||
        setresuid(config->uid, config->uid, config->uid) != 0) {
        return error_set(error, errno, "the VM cannot run as %u:%u: %s; --user is for root",
                         config->uid, config->gid, strerror(errno));
    }
    return 0;
}

/* Also those that a program it started would have; the second half needs none. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
            return -errno;
        }
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

int sandbox_close_in(const struct sandbox_config *config, struct error *error)
{
    const bool other_user = config->uid != (uid_t)-1;
    int result = config->jail != NULL ? enter_jail(config, error) : 0;

    if (result == 0 && other_user) {
        result = change_user(config, error);
    }
    if (result != 0) {
        return result;
    }
    result = drop_capabilities();
    if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        result = -errno;
    }
    return result == 0 ? 0 : error_set(error, -result, "the VM's process cannot give up its "
                                       "privileges: %s", strerror(-result));
}
