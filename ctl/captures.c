/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/captures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/publish.h"

enum state {
    STATE_FREE,
    STATE_WAITING,                 /* its start was answered, the socket is still to come */
    STATE_RUNNING,                 /* in every watch that is built */
    STATE_ENDED,                   /* wants out of the watch that is published */
    STATE_DRAINING,                /* unwatched; its thread writes the rest */
};

/* What a capture was started on: with a switch its ports are watched, with a team its members. */
enum watched { WATCHED_PORT, WATCHED_SWITCH, WATCHED_TEAM };

struct slot {
    struct captures *captures;
    enum state state;
    uint32_t id;
    char target[CAPTURES_TARGET_SIZE];
    enum watched watched;
    uint16_t number;               /* of the port, switch or team, which a name could outlive */
    bool removed;                  /* what it watched is */
    uint32_t since_s;
    struct capture *capture;       /* owned */
    /* ---- written by the capture's thread, taken by control ---- */
    atomic_uint events;            /* a bit for each enum capture_event */
};

struct captures {
    struct control *control;       /* borrowed */
    struct event *event;
    int event_fd;
    uint32_t next_id;
    struct slot slot[CAPTURES_MAX];
    struct captures_item kept[CAPTURES_KEPT_MAX];   /* a ring */
    unsigned kept_count;           /* ever */
};

/* ---- one capture ----------------------------------------------------------------------------- */

static struct slot *slot_by_id(const struct captures *captures, uint32_t id)
{
    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        const struct slot *slot = &captures->slot[i];

        if (slot->state != STATE_FREE && slot->id == id) {
            return (struct slot *)(uintptr_t)slot;
        }
    }
    return NULL;
}

static void slot_describe(const struct slot *slot, struct captures_item *item)
{
    memset(item, 0, sizeof(*item));
    item->id = slot->id;
    memcpy(item->target, slot->target, sizeof(item->target));
    item->running = true;
    item->removed = slot->removed;
    item->age_s = control_now_s() - slot->since_s;
    capture_result(slot->capture, &item->result);
}

const char *captures_end_text(const struct captures_item *item)
{
    return item->removed ? "what it watched was removed" : capture_end_text(item->result.end);
}

/* Keeps the result, for whoever asks, and frees the slot. */
static void slot_finish(struct slot *slot)
{
    struct captures *captures = slot->captures;
    struct captures_item *item = &captures->kept[captures->kept_count++ % CAPTURES_KEPT_MAX];

    slot_describe(slot, item);
    item->running = false;
    capture_destroy(slot->capture);
    slot->capture = NULL;
    slot->state = STATE_FREE;
    log_info("capture %" PRIu32 " on %s: ended, as %s; %" PRIu64 " frames written, %" PRIu64
             " lost by the reader", item->id, item->target, captures_end_text(item),
             item->result.written, item->result.dropped_by_reader);
}

/* Whether what the capture was started on is there still. */
static bool slot_has_object(const struct slot *slot, const struct vswitch_model *model)
{
    struct vswitch_port port;

    switch (slot->watched) {
    case WATCHED_SWITCH:
        return vswitch_by_id(model, slot->number) != NULL;
    case WATCHED_TEAM:
        return vswitch_team_by_id(model, slot->number) != NULL;
    case WATCHED_PORT:
        break;
    }
    return vswitch_port_at(model, slot->number, &port);
}

static bool slot_sees(const struct slot *slot, const struct vswitch_port *port)
{
    const bool is_member = port->kind == VSWITCH_PORT_MEMBER;

    switch (slot->watched) {
    case WATCHED_SWITCH:
        return !is_member && port->switch_id == slot->number;
    case WATCHED_TEAM:
        return is_member && port->team->id == slot->number;
    case WATCHED_PORT:
        break;
    }
    return port->number == slot->number;
}

/* ---- what the threads of captures report ----------------------------------------------------- */

static void on_thread_event(void *context, enum capture_event event)
{
    struct slot *slot = context;

    atomic_fetch_or(&slot->events, 1u << event);
    (void)eventfd_write(slot->captures->event_fd, 1);
}

static void refresh(struct captures *captures)
{
    struct error error = { 0 };

    if (publish_again(captures->control, &error) != 0) {
        log_warning("Captures wait for memory to begin or end: %s", error.text);
    }
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
    struct captures *captures = arg;
    bool ended = false;
    eventfd_t ignored;

    (void)what;
    (void)eventfd_read(fd, &ignored);
    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        struct slot *slot = &captures->slot[i];
        const unsigned events = atomic_exchange(&slot->events, 0);

        if ((events & 1u << CAPTURE_ENDED) != 0) {
            slot->state = STATE_ENDED;
            ended = true;
        }
        if ((events & 1u << CAPTURE_DONE) != 0) {
            slot_finish(slot);
        }
    }
    if (ended) {
        refresh(captures);
    }
}

void captures_tick(struct captures *captures)
{
    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        if (captures->slot[i].state == STATE_ENDED) {
            refresh(captures);
            return;
        }
    }
}

/* ---- what workers see ------------------------------------------------------------------------ */

static int watch_port(struct capture_watch **watch, const struct slot *slot,
                      const struct vswitch_port *port)
{
    char name[CAPTURE_NAME_SIZE];

    if (!slot_sees(slot, port)) {
        return 0;
    }
    if (*watch == NULL) {
        *watch = capture_watch_create(CAPTURES_MAX);
    }
    (void)snprintf(name, sizeof(name), "%s:%s", vswitch_port_kind_word(port->kind), port->name);
    return *watch == NULL ? -ENOMEM : capture_watch_add(*watch, slot->capture, port->number, name);
}

static int watch_slot(struct capture_watch **watch, const struct slot *slot,
                      const struct vswitch_model *model)
{
    struct vswitch_port port;
    size_t cursor = 0;
    int rc = 0;

    while (rc == 0 && vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        rc = watch_port(watch, slot, &port);
    }
    cursor = 0;
    while (rc == 0 && vswitch_member_next(model, VSWITCH_MAX_TEAMS, &cursor, &port)) {
        rc = watch_port(watch, slot, &port);
    }
    return rc;
}

int captures_watch(struct captures *captures, const struct vswitch_model *model,
                   struct capture_watch **watch, struct error *error)
{
    int rc = 0;

    *watch = NULL;
    for (unsigned i = 0; i < CAPTURES_MAX && rc == 0; i++) {
        if (captures->slot[i].state == STATE_RUNNING) {
            rc = watch_slot(watch, &captures->slot[i], model);
        }
    }
    if (rc != 0) {
        capture_watch_destroy(*watch);
        *watch = NULL;
        return error_set(error, ENOMEM, "There is no memory left for what captures watch.");
    }
    return 0;
}

void captures_published(struct captures *captures, const struct vswitch_model *model)
{
    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        struct slot *slot = &captures->slot[i];

        if (slot->state == STATE_ENDED) {
            slot->state = STATE_DRAINING;
            capture_drain(slot->capture);
        } else if (slot->state == STATE_RUNNING && !slot_has_object(slot, model)) {
            slot->removed = true;
            capture_end(slot->capture);
        }
    }
}

/* ---- what clients ask ------------------------------------------------------------------------ */

/* Finds the member of a team that is called @p name. */
static bool find_member(const struct vswitch_model *model, const char *name,
                        struct vswitch_port *found)
{
    size_t cursor = 0;

    while (vswitch_member_next(model, VSWITCH_MAX_TEAMS, &cursor, found)) {
        if (strcmp(found->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Finds the port of @p kind that is called @p name, or else that of the switch so called. */
static bool find_port(const struct vswitch_model *model, enum vswitch_port_kind kind,
                      const char *name, struct vswitch_port *found)
{
    const struct vswitch_switch *of = vswitch_find(model, name);
    struct vswitch_port port;
    size_t cursor = 0;
    bool any = false;

    while (vswitch_port_next(model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        const bool called_so = strcmp(port.name, name) == 0;

        if (port.kind == kind && (called_so || (of != NULL && of->id == port.switch_id))) {
            *found = port;
            any = true;
        }
        if (port.kind == kind && called_so) {
            break;
        }
    }
    return any;
}

static int refuse_port(enum vswitch_port_kind kind, const char *name, struct error *error)
{
    return error_set(error, ENOENT, "there is no %s named \"%s\", and no switch of that name that "
                     "has one; switch list shows those there are",
                     kind == VSWITCH_PORT_HOST ? "adapter of the host" : "uplink", name);
}

/* Finds what "uplink:NAME" or "host:NAME" is; a member of a team is an uplink by its interface. */
static int find_interface(const struct vswitch_model *model, const char *target, const char *name,
                          struct slot *slot, struct error *error)
{
    const enum vswitch_port_kind kind = strncmp(target, "host:", 5) == 0 ? VSWITCH_PORT_HOST
                                                                         : VSWITCH_PORT_UPLINK;
    struct vswitch_port port;

    if (!find_port(model, kind, name, &port) &&
        (kind == VSWITCH_PORT_HOST || !find_member(model, name, &port))) {
        return refuse_port(kind, name, error);
    }
    slot->number = port.number;
    return 0;
}

/* Finds what WORD:NAME is, into the slot. */
static int find_target(struct slot *slot, const struct control *control, const char *target,
                       struct error *error)
{
    const char *name = strchr(target, ':') + 1;
    int rc = 0;

    slot->watched = WATCHED_PORT;
    if (strncmp(target, "switch:", 7) == 0) {
        const struct vswitch_switch *on = control_find_switch(control, name, error);

        slot->watched = WATCHED_SWITCH;
        slot->number = on != NULL ? on->id : 0;
        rc = on != NULL ? 0 : -ENOENT;
    } else if (strncmp(target, "team:", 5) == 0) {
        const struct vswitch_team *team = control_find_team(control, name, error);

        slot->watched = WATCHED_TEAM;
        slot->number = team != NULL ? team->id : 0;
        rc = team != NULL ? 0 : -ENOENT;
    } else if (strncmp(target, "vnic:", 5) == 0) {
        const struct vswitch_vnic *vnic = control_find_vnic(control, name, error);

        slot->number = vnic != NULL ? vnic->port : 0;
        rc = vnic != NULL ? 0 : -ENOENT;
    } else {
        rc = find_interface(control->model, target, name, slot, error);
    }
    (void)snprintf(slot->target, sizeof(slot->target), "%s", target);
    return rc;
}

int64_t captures_add(struct captures *captures, const char *target,
                     const struct capture_config *config, struct error *error)
{
    const uint16_t workers = dataplane_worker_count(captures->control->config.dataplane);
    struct slot *slot = captures->slot;
    int rc;

    while (slot < captures->slot + CAPTURES_MAX && slot->state != STATE_FREE) {
        slot++;
    }
    if (slot == captures->slot + CAPTURES_MAX) {
        return error_set(error, EBUSY, "%u captures are running already and no more can; stop one "
                         "first, capture list shows them", CAPTURES_MAX);
    }
    rc = find_target(slot, captures->control, target, error);
    if (rc != 0) {
        return rc;
    }
    slot->capture = capture_create(config, workers, error);
    if (slot->capture == NULL) {
        return -(error->code != 0 ? error->code : ENOMEM);
    }
    slot->captures = captures;
    slot->id = captures->next_id++;
    slot->removed = false;
    slot->since_s = control_now_s();
    slot->state = STATE_WAITING;
    atomic_store(&slot->events, 0);
    return slot->id;
}

void captures_connect(struct captures *captures, uint32_t id, int fd)
{
    struct slot *slot = slot_by_id(captures, id);
    struct error error = { 0 };

    if (fd < 0) {
        capture_destroy(slot->capture);
        slot->capture = NULL;
        slot->state = STATE_FREE;
        return;
    }
    if (capture_stream(slot->capture, fd, on_thread_event, slot, &error) != 0) {
        log_error("capture %" PRIu32 " on %s: %s", id, slot->target, error.text);
        slot_finish(slot);
        return;
    }
    slot->state = STATE_RUNNING;
    log_info("capture %" PRIu32 " on %s: begun", id, slot->target);
    if (publish_again(captures->control, &error) != 0) {
        log_error("capture %" PRIu32 " on %s: %s", id, slot->target, error.text);
        capture_end(slot->capture);
    }
}

static int refuse_unknown(uint32_t id, struct error *error)
{
    return error_set(error, ENOENT, "there is no capture %" PRIu32 " that runs; capture list shows "
                     "those that do", id);
}

int captures_stop(struct captures *captures, uint32_t id, struct error *error)
{
    struct slot *slot = slot_by_id(captures, id);

    if (slot == NULL) {
        return refuse_unknown(id, error);
    }
    if (slot->state == STATE_RUNNING) {
        capture_end(slot->capture);
    }
    return 0;
}

int captures_find(const struct captures *captures, uint32_t id, struct captures_item *item,
                  struct error *error)
{
    const struct slot *slot = slot_by_id(captures, id);

    if (slot != NULL) {
        slot_describe(slot, item);
        return 0;
    }
    for (unsigned i = 0; i < CAPTURES_KEPT_MAX; i++) {
        if (captures->kept[i].id == id && id != 0) {
            *item = captures->kept[i];
            return 0;
        }
    }
    return refuse_unknown(id, error);
}

static int order_of_ids(const void *a, const void *b)
{
    const struct captures_item *left = a, *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

unsigned captures_list(const struct captures *captures, struct captures_item *items)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        if (captures->slot[i].state != STATE_FREE) {
            slot_describe(&captures->slot[i], &items[count++]);
        }
    }
    qsort(items, count, sizeof(items[0]), order_of_ids);
    return count;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct captures *captures_create(struct control *control, struct error *error)
{
    struct captures *captures = calloc(1, sizeof(*captures));

    if (captures != NULL) {
        captures->control = control;
        captures->next_id = 1;
        captures->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        captures->event = event_new(control->config.base, captures->event_fd, EV_READ | EV_PERSIST,
                                    on_events, captures);
    }
    if (captures == NULL || captures->event_fd < 0 || captures->event == NULL ||
        event_add(captures->event, NULL) != 0) {
        (void)error_set(error, ENOMEM, "There is no memory left to be ready for captures.");
        captures_destroy(captures);
        return NULL;
    }
    return captures;
}

void captures_destroy(struct captures *captures)
{
    if (captures == NULL) {
        return;
    }
    for (unsigned i = 0; i < CAPTURES_MAX; i++) {
        capture_destroy(captures->slot[i].capture);
    }
    if (captures->event != NULL) {
        event_free(captures->event);
    }
    if (captures->event_fd >= 0) {
        (void)close(captures->event_fd);
    }
    free(captures);
}
