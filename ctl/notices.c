/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/notices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "ctl/balance.h"
#include "ctl/captures.h"
#include "ctl/control.h"
#include "ctl/host/follow.h"
#include "ctl/host/team_keeper.h"
#include "ctl/log.h"
#include "ctl/rates.h"
#include "ctl/teams.h"
#include "switch/mac.h"
#include "switch/mac_table.h"
#include "vnic/vhost_control.h"

#define NOTES_A_TURN 256u          /* of learning, before the event loop looks at clients again */
#define WORD_BITS    64u
#define WORDS        ((FABRIC_MAX_PORTS + WORD_BITS - 1) / WORD_BITS)

/* What the log has said of a vNIC. */
struct told {
    enum vhost_state state;
    uint32_t attaches;
    uint32_t refusals;
    uint32_t at_s;                 /* when; 0: never */
};

struct notices {
    struct control *control;       /* borrowed */
    struct event *learn, *changes, *moves, *tick;
    int changed_fd;
    /* ---- written by the vhost thread, taken by control ---- */
    _Atomic uint64_t changed[WORDS];
    /* ---- control's own ---- */
    struct told told[FABRIC_MAX_PORTS];
    struct dataplane_worker_status before[DATAPLANE_MAX_WORKERS];   /* a second before `now` */
    struct dataplane_worker_status now[DATAPLANE_MAX_WORKERS];
};

/* ---- learning -------------------------------------------------------------------------------- */

/*
 * A note speaks of the fabric it was made in.  If another has been published since, its numbers may
 * mean other things, and the next frame of that source brings a new note.
 */
static void learn_note(const struct fabric *fabric, const struct forward_note *note, uint32_t now_s)
{
    if (note->generation == fabric->generation) {
        (void)mac_table_learn(fabric->switches[note->switch_index].table, note->mac, note->vlan,
                              note->port, now_s);
    }
}

/* The descriptor stays readable while there are more: the loop comes back after its other work. */
static void on_notes(evutil_socket_t fd, short what, void *arg)
{
    struct notices *notices = arg;
    const struct fabric *fabric = notices->control->fabric;
    struct forward_note note[NOTES_A_TURN];
    const uint32_t count = dataplane_take_notes(notices->control->config.dataplane, note,
                                                NOTES_A_TURN);
    const uint32_t now_s = control_now_s();

    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < count; i++) {
        learn_note(fabric, &note[i], now_s);
    }
}

/* ---- vNICs that attach, detach and break ----------------------------------------------------- */

static void tell_attached(const char *name, const struct vhost_status *status, uint32_t attaches)
{
    char again[48] = "";

    if (attaches > 1) {
        (void)snprintf(again, sizeof(again), " (%" PRIu32 " times since the last line)", attaches);
    }
    log_info("vNIC %s: a guest is attached with %u queue pair%s%s; its frames are forwarded", name,
             status->pairs_enabled, status->pairs_enabled == 1 ? "" : "s", again);
}

static void tell(const char *name, const struct vhost_status *status, uint32_t attaches)
{
    switch (status->state) {
    case VHOST_WAITING:
        log_info("vNIC %s: the guest is detached; frames to it are dropped until it is back", name);
        break;
    case VHOST_ATTACHED:
        tell_attached(name, status, attaches);
        break;
    case VHOST_BROKEN:
        log_warning("vNIC %s: ring %u is broken (%s); the vNIC stands still until %s", name,
                    status->fault_ring, virtqueue_fault_text(status->fault),
                    virtqueue_fault_mend(status->fault));
        break;
    }
}

/* A VMM that asks for what there is not mostly says little of why it failed; so it is said here. */
static void tell_refused(const char *name, const struct vhost_status *status)
{
    log_warning("vNIC %s: a VMM was refused: %s", name, vhost_refusal_text(status->refusal));
}

/* Once a second for each vNIC at most; the tick catches up with what was left out. */
static void tell_state(struct notices *notices, const struct vswitch_vnic *vnic, uint32_t now_s)
{
    struct told *told = &notices->told[vnic->port];
    struct vhost_status status;

    if (told->at_s == now_s) {
        return;
    }
    vhost_control_status(notices->control->resources.endpoint[vnic->port].at, &status);
    if (status.state == told->state && status.attaches == told->attaches &&
        status.refusals == told->refusals) {
        return;
    }
    if (status.refusals != told->refusals) {
        tell_refused(vnic->name, &status);
    }
    if (status.state != told->state || status.attaches != told->attaches) {
        tell(vnic->name, &status, status.attaches - told->attaches);
    }
    *told = (struct told){ status.state, status.attaches, status.refusals, now_s };
}

/*
 * A VM that has moved here asks by RARP to be known at its new place before it has sent a frame;
 * the switch does for it what the frame would have done.  So nothing is learned behind a locked
 * port, whose own addresses are pinned.
 */
static void learn_announced(struct notices *notices, const struct vswitch_vnic *vnic,
                            uint32_t now_s)
{
    struct control *control = notices->control;
    const struct fabric_port *port = &control->fabric->port[vnic->port];
    struct vhost_status status;

    vhost_control_status(control->resources.endpoint[vnic->port].at, &status);
    if (status.state != VHOST_WAITING && mac_is_station(status.announce_mac) &&
        (port->flags & FABRIC_PORT_LOCKED) == 0) {
        (void)mac_table_learn(control->resources.table[vnic->switch_id], status.announce_mac,
                              port->fid_in, vnic->port, now_s);
    }
}

/* Its VM is gone, and the next one is offered no more than its operator says. */
static void end_grant(struct notices *notices, uint16_t port)
{
    struct control *control = notices->control;
    const struct vswitch_vnic *vnic = vswitch_vnic_by_port(control->model, port);
    struct vhost_status status;
    struct vswitch_model *wanted;
    struct vswitch_vnic ended;
    struct error error;

    if (vnic == NULL || vnic->offload_granted == 0) {
        return;
    }
    vhost_control_status(control->resources.endpoint[port].at, &status);
    wanted = status.granted == 0 ? control_edit(control, &error) : NULL;
    if (wanted == NULL) {
        return;
    }
    ended = *vnic;
    ended.offload_granted = 0;
    (void)control_commit(control, wanted, vswitch_set_vnic(wanted, &ended, &error), &error);
}

static void port_changed(struct notices *notices, uint16_t port, uint32_t now_s)
{
    const struct vswitch_vnic *vnic = vswitch_vnic_by_port(notices->control->model, port);

    if (vnic != NULL) {
        learn_announced(notices, vnic, now_s);
        tell_state(notices, vnic, now_s);
        end_grant(notices, port);
    }
}

static void on_changes(evutil_socket_t fd, short what, void *arg)
{
    struct notices *notices = arg;
    const uint32_t now_s = control_now_s();
    eventfd_t ignored;

    (void)what;
    (void)eventfd_read(fd, &ignored);
    for (uint16_t word = 0; word < WORDS; word++) {
        uint64_t bits = atomic_exchange(&notices->changed[word], 0);

        for (; bits != 0; bits &= bits - 1) {
            port_changed(notices, (uint16_t)(word * WORD_BITS + (unsigned)__builtin_ctzll(bits)),
                         now_s);
        }
    }
}

static void on_moves(evutil_socket_t fd, short what, void *arg)
{
    const struct notices *notices = arg;

    (void)fd;
    (void)what;
    teams_announce_host(notices->control);
}

void notices_port_changed(struct notices *notices, uint16_t port)
{
    atomic_fetch_or(&notices->changed[port / WORD_BITS], UINT64_C(1) << port % WORD_BITS);
    (void)eventfd_write(notices->changed_fd, 1);
}

void notices_forget_port(struct notices *notices, uint16_t port)
{
    notices->told[port] = (struct told){ .state = VHOST_WAITING };
}

/* ---- once a second --------------------------------------------------------------------------- */

static void sample_workers(struct notices *notices)
{
    const struct dataplane *dataplane = notices->control->config.dataplane;

    memcpy(notices->before, notices->now, sizeof(notices->before));
    for (uint16_t i = 0; i < dataplane_worker_count(dataplane); i++) {
        dataplane_worker_status(dataplane, i, &notices->now[i]);
    }
}

void notices_load(const struct notices *notices, uint16_t worker, struct notices_load *load)
{
    const struct dataplane_worker_status *before = &notices->before[worker];
    const struct dataplane_worker_status *now = &notices->now[worker];
    const double busy = (double)(now->busy_tsc - before->busy_tsc);
    const double total = (double)(now->total_tsc - before->total_tsc);
    const uint64_t frames = now->frames - before->frames;

    dataplane_worker_status(notices->control->config.dataplane, worker, &load->status);
    load->busy_percent = total > 0 ? 100.0 * busy / total : 0;
    load->cycles_per_frame = frames > 0 ? busy / (double)frames : 0;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct notices *notices = arg;
    struct control *control = notices->control;
    const struct vswitch_model *model = control->model;
    const uint32_t now_s = control_now_s();

    (void)fd;
    (void)what;
    dataplane_set_second(control->config.dataplane, now_s);
    dataplane_wait(control->config.dataplane);     /* frees a worker that a frontend holds */
    for (size_t i = 0; i < model->switch_count; i++) {
        (void)mac_table_age(control->resources.table[model->switches[i].id], now_s);
    }
    for (size_t i = 0; i < model->vnic_count; i++) {
        tell_state(notices, &model->vnics[i], now_s);
    }
    sample_workers(notices);
    rates_tick(control->rates, control->config.dataplane, model);
    balance_tick(control->balance, now_s);
    captures_tick(control->captures);
    follow_tick(control->follow);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int add_events(struct notices *notices)
{
    static const struct timeval second = { .tv_sec = 1 };
    const struct control_config *config = &notices->control->config;

    notices->learn = event_new(config->base, dataplane_notes_fd(config->dataplane),
                               EV_READ | EV_PERSIST, on_notes, notices);
    notices->changes = event_new(config->base, notices->changed_fd, EV_READ | EV_PERSIST,
                                 on_changes, notices);
    notices->tick = event_new(config->base, -1, EV_PERSIST, on_tick, notices);
    notices->moves = event_new(config->base, team_keeper_moved_fd(notices->control->keeper),
                               EV_READ | EV_PERSIST, on_moves, notices);
    if (notices->learn == NULL || notices->changes == NULL || notices->moves == NULL ||
        notices->tick == NULL || event_add(notices->moves, NULL) != 0 ||
        event_add(notices->learn, NULL) != 0 || event_add(notices->changes, NULL) != 0 ||
        event_add(notices->tick, &second) != 0) {
        return -ENOMEM;
    }
    return 0;
}

struct notices *notices_create(struct control *control, struct error *error)
{
    struct notices *notices = calloc(1, sizeof(*notices));

    if (notices != NULL) {
        notices->control = control;
        notices->changed_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    if (notices == NULL || notices->changed_fd < 0 || add_events(notices) != 0) {
        (void)error_set(error, ENOMEM, "There is no memory left to watch the vNICs.");
        notices_destroy(notices);
        return NULL;
    }
    sample_workers(notices);
    dataplane_set_second(control->config.dataplane, control_now_s());
    return notices;
}

void notices_destroy(struct notices *notices)
{
    struct event *const events[] = { notices == NULL ? NULL : notices->learn,
                                     notices == NULL ? NULL : notices->changes,
                                     notices == NULL ? NULL : notices->moves,
                                     notices == NULL ? NULL : notices->tick };

    if (notices == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (notices->changed_fd >= 0) {
        (void)close(notices->changed_fd);
    }
    free(notices);
}
