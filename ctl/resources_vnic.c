/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vNICs as resources: their sockets, who owns those, and what is offered there.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/log.h"
#include "ctl/resources_inner.h"
#include "vnic/vhost_control.h"

#define SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* ---- who owns a socket ----------------------------------------------------------------------- */

static int find_user(const char *name, uid_t *uid)
{
    const struct passwd *user = getpwnam(name);

    if (user != NULL) {
        *uid = user->pw_uid;
    }
    return user != NULL ? 0 : -ENOENT;
}

static int find_group(const char *name, gid_t *gid)
{
    const struct group *group = getgrnam(name);

    if (group != NULL) {
        *gid = group->gr_gid;
    }
    return group != NULL ? 0 : -ENOENT;
}

/* An account that is gone since the state was kept must not keep the whole switch from starting. */
static int refuse_account(const struct control *control, const struct vswitch_vnic *vnic,
                          const char *what, const char *name, struct error *error)
{
    if (control->restoring) {
        log_warning("vNIC %s: there is no %s %s any more, so its socket stays the daemon's; give "
                    "it another with vnic set", vnic->name, what, name);
        return 0;
    }
    return error_set(error, ENOENT, "vNIC \"%s\": there is no %s named \"%s\" on this host; make "
                     "it first or choose another", vnic->name, what, name);
}

static int find_owner(const struct control *control, const struct vswitch_vnic *vnic, uid_t *uid,
                      gid_t *gid, struct error *error)
{
    int rc = 0;

    *uid = (uid_t)-1;
    *gid = control->config.group;
    if (vnic->socket_owner[0] != '\0' && find_user(vnic->socket_owner, uid) != 0) {
        rc = refuse_account(control, vnic, "user", vnic->socket_owner, error);
    }
    if (rc == 0 && vnic->socket_group[0] != '\0' && find_group(vnic->socket_group, gid) != 0) {
        rc = refuse_account(control, vnic, "group", vnic->socket_group, error);
    }
    return rc;
}

static bool same_owner(const struct vswitch_vnic *a, const struct vswitch_vnic *b)
{
    return strcmp(a->socket_owner, b->socket_owner) == 0 &&
           strcmp(a->socket_group, b->socket_group) == 0;
}

/* Gives the socket to whom @p wanted says; where it says nobody, to the daemon's own. */
static int change_owner(const struct control *control, struct vnic *endpoint,
                        const struct vswitch_vnic *wanted, struct error *error)
{
    uid_t uid;
    gid_t gid;
    int rc = find_owner(control, wanted, &uid, &gid, error);

    if (rc == 0) {
        uid = uid == (uid_t)-1 ? geteuid() : uid;
        gid = gid == (gid_t)-1 ? getegid() : gid;
        rc = vhost_control_chown(endpoint, uid, gid, error);
    }
    return rc;
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

static int make_vnic(struct control *control, const struct vswitch_vnic *wanted,
                     struct control_resources *made, struct error *error)
{
    char path[SOCKET_PATH_SIZE];
    struct vhost_control_config config = {
        .path = path,
        .port = wanted->port,
        .pairs = wanted->queues,
        .shared = dataplane_worker_count(control->config.dataplane) > 1,
        .offload = wanted->offload,
        .granted = wanted->offload_granted,
    };
    int rc = control_socket_path(control, wanted->name, path, sizeof(path), error);

    if (rc == 0) {
        rc = find_owner(control, wanted, &config.owner, &config.group, error);
    }
    if (rc == 0) {
        made->endpoint[wanted->port] = (struct fabric_endpoint){
            .at = vhost_control_add(&config, error),
            .kind = FABRIC_PORT_VNIC,
            .queues = wanted->queues,
        };
        rc = made->endpoint[wanted->port].at == NULL ? -(error->code != 0 ? error->code : EIO) : 0;
    }
    return rc;
}

static int keep_vnic(struct control *control, const struct vswitch_vnic *is,
                     const struct vswitch_vnic *wanted, struct control_resources *made,
                     struct error *error)
{
    made->endpoint[wanted->port] = control->resources.endpoint[wanted->port];
    if (same_owner(is, wanted)) {
        return 0;
    }
    return change_owner(control, made->endpoint[wanted->port].at, wanted, error);
}

void resources_settle_offloads(const struct control *control, const struct vswitch_model *wanted,
                               const struct control_resources *made)
{
    for (size_t i = 0; i < wanted->vnic_count; i++) {
        const struct vswitch_vnic *vnic = &wanted->vnics[i];
        const struct vswitch_vnic *was = vswitch_vnic_by_port(control->model, vnic->port);

        if (was != NULL && (was->offload != vnic->offload ||
                            was->offload_granted != vnic->offload_granted)) {
            vhost_control_set_offload(made->endpoint[vnic->port].at, vnic->offload,
                                      vnic->offload_granted);
        }
    }
}

/* ---- for resources.c ------------------------------------------------------------------------- */

int resources_make_vnic(struct control *control, const struct vswitch_vnic *wanted,
                        struct control_resources *made, struct error *error)
{
    const struct vswitch_vnic *is = vswitch_vnic_by_port(control->model, wanted->port);

    return is == NULL ? make_vnic(control, wanted, made, error)
                      : keep_vnic(control, is, wanted, made, error);
}

void resources_restore_vnic(struct control *control, const struct vswitch_vnic *is,
                            const struct vswitch_vnic *wanted)
{
    struct error ignored;

    if (!same_owner(is, wanted)) {
        (void)change_owner(control, control->resources.endpoint[is->port].at, is, &ignored);
    }
}
