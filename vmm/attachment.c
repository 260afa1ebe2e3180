/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/attachment.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include <event2/event.h>

#define DEADLINE_MS      5000u     /* of each answer */
#define FIRST_ANSWER_MS  100       /* at the start, before a guest asks what is offered */
#define RETRY_MS         100u      /* until the next look for a switch that is not there */
#define RETRY_REFUSED_MS 1000u     /* for one that is, and does not serve */

static void set_timer(struct attachment *attachment, unsigned delay_ms)
{
    const struct timeval delay = { delay_ms / 1000, delay_ms % 1000 * 1000 };

    (void)evtimer_add(attachment->timer, &delay);
}

static void set_why(struct attachment *attachment, const char *why)
{
    (void)snprintf(attachment->why, sizeof(attachment->why), "%s", why);
}

/* @p why may be attachment->why. */
static void part(struct attachment *attachment, const char *why, unsigned retry_ms)
{
    const bool was_joined = attachment->state >= ATTACHMENT_JOINED;

    if (attachment->readable != NULL) {
        event_free(attachment->readable);
        attachment->readable = NULL;
    }
    backend_close(attachment->backend);
    attachment->backend = NULL;
    attachment->state = ATTACHMENT_APART;
    if (why != attachment->why) {
        set_why(attachment, why);
    }
    set_timer(attachment, retry_ms);
    if (was_joined) {
        attachment->changed(attachment->context);
    }
}

/* The first question is answered. */
static void join(struct attachment *attachment)
{
    struct error error;

    if (backend_negotiate(attachment->backend, &error) < 0) {
        part(attachment, error.text, RETRY_REFUSED_MS);
        return;
    }
    (void)evtimer_del(attachment->timer);
    attachment->state = ATTACHMENT_JOINED;
    attachment->joins++;
    set_why(attachment, "");
    attachment->changed(attachment->context);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct attachment *attachment = context;

    (void)fd;
    (void)what;
    pthread_mutex_lock(attachment->lock);
    switch (attachment->state) {
    case ATTACHMENT_ASKED:
        join(attachment);
        break;
    case ATTACHMENT_JOINED:
        if (backend_is_gone(attachment->backend)) {
            part(attachment, "the switch has hung up: it has ended, or the vNIC was removed",
                 RETRY_MS);
        }
        break;
    case ATTACHMENT_ENDED:
        part(attachment, attachment->why, RETRY_REFUSED_MS);
        break;
    case ATTACHMENT_APART:
        break;
    }
    pthread_mutex_unlock(attachment->lock);
}

/* Looks for the switch. */
static void look(struct attachment *attachment)
{
    struct error error;

    attachment->backend = backend_open(attachment->path, DEADLINE_MS, &error);
    if (attachment->backend == NULL) {
        part(attachment, error.text, RETRY_MS);
        return;
    }
    attachment->readable = event_new(attachment->base, backend_fd(attachment->backend),
                                     EV_READ | EV_PERSIST, on_readable, attachment);
    if (attachment->readable == NULL || event_add(attachment->readable, NULL) != 0) {
        part(attachment, "out of memory", RETRY_MS);
        return;
    }
    attachment->state = ATTACHMENT_ASKED;
    set_timer(attachment, DEADLINE_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct attachment *attachment = context;

    (void)fd;
    (void)what;
    pthread_mutex_lock(attachment->lock);
    if (attachment->state == ATTACHMENT_APART) {
        look(attachment);
    } else if (attachment->state == ATTACHMENT_ASKED) {
        part(attachment, "the switch accepts connections and does not answer: see whether vswitchd "
             "is stopped", RETRY_MS);
    }
    pthread_mutex_unlock(attachment->lock);
}

int attachment_open(struct attachment *attachment, struct error *error)
{
    struct pollfd answer = { .events = POLLIN };

    attachment->timer = evtimer_new(attachment->base, on_timer, attachment);
    if (attachment->timer == NULL) {
        return error_set(error, ENOMEM, "out of memory for the vNIC at %s", attachment->path);
    }
    pthread_mutex_lock(attachment->lock);
    look(attachment);
    if (attachment->state == ATTACHMENT_ASKED) {
        set_why(attachment, "the switch has not answered yet");
        answer.fd = backend_fd(attachment->backend);
        if (poll(&answer, 1, FIRST_ANSWER_MS) == 1) {
            join(attachment);
        }
    }
    pthread_mutex_unlock(attachment->lock);
    return 0;
}

void attachment_close(struct attachment *attachment)
{
    if (attachment->readable != NULL) {
        event_free(attachment->readable);
    }
    if (attachment->timer != NULL) {
        event_free(attachment->timer);
    }
    backend_close(attachment->backend);
    attachment->readable = NULL;
    attachment->timer = NULL;
    attachment->backend = NULL;
}

void attachment_end(struct attachment *attachment, const char *why)
{
    attachment->state = ATTACHMENT_ENDED;
    set_why(attachment, why);
    backend_hang_up(attachment->backend);
}
