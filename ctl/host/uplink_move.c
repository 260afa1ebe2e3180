/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink whose addresses and routes the host's adapter gets: see move_addresses.h.
 *
 * As long as the host has its addresses on the uplink (before they are moved, and after they were
 * taken back), it is not kept off it: packet sockets and the host's stack then both see the frames,
 * and the host can be reached.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/host/move_addresses.h"
#include "ctl/host/uplink_inner.h"

bool uplink_has_host_addresses(const struct uplink *uplink)
{
    struct move_status status;

    if (uplink->move == NULL) {
        return false;
    }
    move_status(uplink->move, &status);
    return status.state == MOVE_PREPARED || status.state == MOVE_TAKEN_BACK;
}

bool uplink_awaits_addresses(const struct uplink *uplink)
{
    return uplink->move != NULL && !uplink_has_host_addresses(uplink);
}

/* The move says in the log why. */
static void on_changed(void *context, enum move_state state)
{
    if (state == MOVE_TAKEN_BACK) {
        uplink_let_host_on(context);
    }
}

int uplink_prepare_move(struct uplink *uplink, struct error *error)
{
    const struct move_config config = {
        .base = uplink->control->config.base,
        .links = uplink->control->links,
        .state_dir = uplink->control->config.state_dir,
        .uplink = uplink->name,
        .changed = on_changed,
        .context = uplink,
    };

    if (uplink->move != NULL || uplink->ifindex == 0) {
        return 0;
    }
    uplink_let_host_on(uplink);
    uplink->move = move_prepare(&config, error);
    if (uplink->move == NULL) {
        uplink_keep_host_off(uplink);
        return -(error->code != 0 ? error->code : EIO);
    }
    return 0;
}

int uplink_start_move(struct uplink *uplink, const char *adapter, struct error *error)
{
    struct move_status status;
    int rc;

    if (uplink->move == NULL) {
        return 0;
    }
    move_status(uplink->move, &status);
    if (status.state != MOVE_PREPARED) {
        return 0;
    }
    rc = move_start(uplink->move, adapter, error);
    if (rc == 0) {
        uplink_keep_host_off(uplink);
    } else {
        (void)snprintf(uplink->wrong, sizeof(uplink->wrong), "%s", error->text);
    }
    return rc;
}

void uplink_end_move(struct uplink *uplink, bool keep_host_off)
{
    if (uplink->move == NULL) {
        return;
    }
    uplink_let_host_on(uplink);
    move_back(uplink->move);
    uplink->move = NULL;
    if (keep_host_off && uplink->ifindex != 0) {
        uplink_keep_host_off(uplink);
    }
}

void uplink_move_note(const struct uplink *uplink, char *note, size_t size)
{
    struct move_status status;

    note[0] = '\0';
    if (uplink->move != NULL) {
        move_status(uplink->move, &status);
        (void)snprintf(note, size, "%s", status.text);
    }
}
