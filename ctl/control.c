/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ctl/balance.h"
#include "ctl/captures.h"
#include "ctl/host/follow.h"
#include "ctl/host/link.h"
#include "ctl/host/loans.h"
#include "ctl/host/move_addresses.h"
#include "ctl/host/team_keeper.h"
#include "ctl/host/uplink.h"
#include "ctl/log.h"
#include "ctl/notices.h"
#include "ctl/persist.h"
#include "ctl/publish.h"
#include "ctl/rates.h"
#include "ctl/resources.h"
#include "ctl/teams.h"
#include "switch/mac_table.h"
#include "vnic/vhost_control.h"

uint32_t control_now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec;
}

/* ---- the commit ------------------------------------------------------------------------------ */

struct vswitch_model *control_edit(const struct control *control, struct error *error)
{
    struct vswitch_model *wanted = vswitch_model_copy(control->model);

    if (wanted == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left to prepare the change.");
    }
    return wanted;
}

/* ---- the commit, its steps ------------------------------------------------------------------- */

/*
 * Keeps the change on disk.  A save that failed can have replaced the file already, when it was the
 * directory that could not be synced; so the state in force is written back, as far as the disk
 * lets.
 */
static int keep(struct control *control, const struct vswitch_model *wanted, struct error *error)
{
    int rc;

    if (!control->keeping) {
        return 0;
    }
    rc = persist_save(control->config.state_dir, wanted, error);
    if (rc != 0) {
        (void)persist_save(control->config.state_dir, control->model, NULL);
    }
    return rc;
}

/* Makes and publishes @p wanted; the model in force is @p wanted then. */
static int put_in_force(struct control *control, struct vswitch_model *wanted,
                        struct error *error)
{
    struct control_resources made;
    struct fabric *fabric = NULL;
    int rc = resources_make(control, wanted, &made, error);

    if (rc == 0) {
        fabric = publish_compile(control, wanted, &made, error);
        rc = fabric == NULL ? -ENOMEM : keep(control, wanted, error);
    }
    if (rc != 0) {
        publish_drop(fabric);
        resources_undo(control, wanted, &made);
        return rc;
    }

    teams_prepare(control, wanted);
    publish_now(control, fabric);
    teams_tell(control, wanted, &made);
    resources_settle(control, wanted, &made);
    control->model = wanted;
    captures_published(control->captures, wanted);
    return 0;
}

/* Moves addresses to adapters that are in the fabric now. */
static int start_moves(struct control *control, struct error *error)
{
    for (size_t i = 0; i < control->model->switch_count; i++) {
        const struct vswitch_switch *of = &control->model->switches[i];
        struct uplink *uplink = of->uplink_port == VSWITCH_NO_PORT
                                    ? NULL : control->resources.uplink[of->uplink_port];
        int rc = 0;

        if (uplink != NULL) {
            rc = uplink_start_move(uplink, of->host_name, error);
        }
        if (rc != 0 && !control->restoring) {
            return rc;
        }
        if (rc != 0) {
            log_error("Switch %s: %s", of->name, error->text);
            uplink_end_move(uplink, false);
        }
    }
    return 0;
}

/*
 * Puts @p before in force again, as at a start: what cannot be made any more is absent, with a line
 * in the log.  It is kept last: a disk that was full then has the room that the change took.
 *
 * @return whether @p before is in force
 */
static bool take_back(struct control *control, struct vswitch_model *before)
{
    const bool keeping = control->keeping;
    struct error error = { 0 };
    int rc;

    control->keeping = false;
    control->restoring = true;
    rc = put_in_force(control, before, &error);
    if (rc == 0) {
        (void)start_moves(control, &error);
    }
    control->restoring = false;
    control->keeping = keeping;
    if (rc != 0) {
        log_error("A change that was refused is in force, because it cannot be taken back: %s",
                  error.text);
    } else if (keep(control, before, &error) != 0) {
        log_error("A change that was refused is not in force, and yet would be after the next "
                  "start: %s", error.text);
    }
    return rc == 0;
}

/*
 * Addresses can be moved only when the switch works that they are moved to.  So that is the one
 * step behind the publishing, and when it fails the model before is put in force again.
 */
int control_commit(struct control *control, struct vswitch_model *wanted, int edited,
                   struct error *error)
{
    struct vswitch_model *before = control->model;
    int rc = edited;

    if (rc == 0) {
        rc = put_in_force(control, wanted, error);
    }
    if (rc != 0) {
        vswitch_model_destroy(wanted);
        return rc;
    }
    rc = start_moves(control, error);
    if (rc != 0 && take_back(control, before)) {
        before = wanted;
    }
    vswitch_model_destroy(before);
    follow_tick(control->follow);
    return rc;
}

int control_socket_path(const struct control *control, const char *vnic_name, char *path,
                        size_t path_size, struct error *error)
{
    const int len = snprintf(path, path_size, "%s/vnic/%s.sock", control->config.run_dir,
                             vnic_name);

    if (len < 0 || (size_t)len >= path_size) {
        return error_set(error, ENAMETOOLONG, "vNIC \"%s\": its socket's path would be longer than "
                         "the %zu characters a unix socket can have; choose a shorter name, or a "
                         "shorter --run-dir", vnic_name, path_size - 1);
    }
    return 0;
}

const struct vswitch_switch *control_find_switch(const struct control *control, const char *name,
                                                 struct error *error)
{
    const struct vswitch_switch *found = vswitch_find(control->model, name);

    if (found == NULL) {
        (void)error_set(error, ENOENT, "there is no switch named \"%s\"; switch list shows those "
                        "there are", name);
    }
    return found;
}

const struct vswitch_vnic *control_find_vnic(const struct control *control, const char *name,
                                             struct error *error)
{
    const struct vswitch_vnic *found = vswitch_find_vnic(control->model, name);

    if (found == NULL) {
        (void)error_set(error, ENOENT, "there is no vNIC named \"%s\"; vnic list shows those there "
                        "are", name);
    }
    return found;
}

const struct vswitch_team *control_find_team(const struct control *control, const char *name,
                                             struct error *error)
{
    const struct vswitch_team *found = vswitch_find_team(control->model, name);

    if (found == NULL) {
        (void)error_set(error, ENOENT, "there is no team named \"%s\"; team list shows those there "
                        "are", name);
    }
    return found;
}

/* ---- start and stop -------------------------------------------------------------------------- */

/*
 * What goes after 00:15:5d in the addresses of the pool: as Hyper-V does, the last two octets of
 * the host's first address, so that hosts of one network choose differently; by lot if it has none.
 */
static uint16_t choose_pool_octets(void)
{
    struct ifaddrs *list = NULL;
    uint16_t octets = 0;
    bool found = false;

    if (getifaddrs(&list) != 0) {
        list = NULL;
    }
    for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
        if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET &&
            (i->ifa_flags & IFF_LOOPBACK) == 0) {
            struct sockaddr_in address;

            memcpy(&address, i->ifa_addr, sizeof(address));
            octets = (uint16_t)ntohl(address.sin_addr.s_addr);
            found = true;
        }
    }
    freeifaddrs(list);
    if (!found && getrandom(&octets, sizeof(octets), 0) != sizeof(octets)) {
        octets = 0;
    }
    return octets;
}

/* What to start with.  @return 0, or a negative errno and a sentence */
static int load(struct control *control, struct vswitch_model **wanted, struct error *error)
{
    int rc = persist_load(control->config.state_dir, wanted, error);

    if (rc == -ENOENT) {
        *wanted = vswitch_model_create(choose_pool_octets());
        rc = *wanted != NULL ? 0 : error_set(error, ENOMEM, "There is no memory left to start.");
    }
    return rc;
}

static int restore(struct control *control, struct error *error)
{
    struct vswitch_model *wanted;
    int rc = load(control, &wanted, error);

    if (rc == 0) {
        control->restoring = true;
        rc = control_commit(control, wanted, 0, error);
        control->restoring = false;
    }
    loans_settle(control->loans);  /* also when there is nothing to start with: then all of them */
    if (rc == 0 && control->model->switch_count > 0) {
        log_info("%s/%s: %zu %s and %zu %s are back", control->config.state_dir,
                 PERSIST_FILE_NAME, control->model->switch_count,
                 control->model->switch_count == 1 ? "switch" : "switches",
                 control->model->vnic_count, control->model->vnic_count == 1 ? "vNIC" : "vNICs");
    }
    control->keeping = rc == 0;
    return rc;
}

/* The hooks of the vhost thread; the context is the one control of the process. */

static void hook_wait(void *context)
{
    const struct control *control = context;

    dataplane_wait(control->config.dataplane);
}

static void hook_wake(void *context)
{
    const struct control *control = context;

    dataplane_wake(control->config.dataplane);
}

static void hook_changed(void *context, uint16_t port)
{
    const struct control *control = context;

    notices_port_changed(control->notices, port);
}

/* Makes what a commit needs.  @return 0, or a negative errno and a sentence */
static int make_ready(struct control *control, struct error *error)
{
    control->model = vswitch_model_create(0);
    control->rates = rates_create();
    control->balance = balance_create(control);
    if (control->model == NULL || control->rates == NULL || control->balance == NULL) {
        return error_set(error, ENOMEM, "There is no memory left to start.");
    }
    control->links = links_open(error);
    if (control->links != NULL) {
        move_recover(control->links, control->config.state_dir);
        control->loans = loans_open(control->config.state_dir, control->links, error);
    }
    if (control->loans != NULL) {
        control->captures = captures_create(control, error);
    }
    if (control->captures != NULL) {
        control->keeper = team_keeper_start(error);
    }
    if (control->keeper != NULL) {
        control->notices = notices_create(control, error);
    }
    if (control->notices != NULL) {
        control->follow = follow_create(control, error);
    }
    return control->follow != NULL ? 0 : -(error->code != 0 ? error->code : ENOMEM);
}

static void release(struct control *control)
{
    vhost_control_stop();
    follow_destroy(control->follow);
    notices_destroy(control->notices);
    team_keeper_stop(control->keeper);
    captures_destroy(control->captures);
    loans_close(control->loans);
    links_close(control->links);
    rates_destroy(control->rates);
    balance_destroy(control->balance);
    pins_release(&control->resources.pins);
    vswitch_model_destroy(control->model);
    free(control);
}

int control_start(const struct control_config *config, struct control **out, struct error *error)
{
    static struct vhost_control_hooks hooks = {
        .wait_for_workers = hook_wait, .wake_workers = hook_wake, .changed = hook_changed,
    };
    struct control *control = calloc(1, sizeof(*control));
    int rc;

    if (control == NULL) {
        return error_set(error, ENOMEM, "There is no memory left to start.");
    }
    control->config = *config;
    control->started_s = control_now_s();
    rc = make_ready(control, error);
    if (rc != 0) {
        release(control);
        return rc;
    }
    hooks.context = control;
    rc = vhost_control_start(&hooks, error);
    if (rc != 0) {
        release(control);
        return rc;
    }
    rc = restore(control, error);
    if (rc != 0) {
        control_stop(control);
        return rc;
    }
    *out = control;
    return 0;
}

void control_stop(struct control *control)
{
    struct vswitch_model *nothing = control == NULL ? NULL : vswitch_model_create(0);
    struct error error = { 0 };

    if (control == NULL) {
        return;
    }
    control->keeping = false;
    if (nothing == NULL || control_commit(control, nothing, 0, &error) != 0) {
        log_error("The vNICs are left to the end of the process, and the interfaces to the next "
                  "start, as memory is short");
        return;
    }
    release(control);
}
