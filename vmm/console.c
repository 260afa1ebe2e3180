/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest writes goes into a ring, under a lock that is held for a copy and no longer.  The
 * file and the client read the ring on the main thread, each from its own place in the stream: so
 * neither has a buffer of its own, and one that falls behind by more than the ring loses the oldest
 * bytes.
 */
#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#define CHUNK_BYTES 4096u
#define TYPED_BYTES 256u

/* Where the ring's bytes go. */
struct console_sink {
    int fd;                        /* -1: there is none */
    uint64_t at_bytes;             /* what it has, counted from the guest's first byte */
    struct event *writable;        /* waited for while it takes no more */
};

struct console {
    struct event_base *base;
    struct event *woken;
    int wake_fd;

    /* ---- under the lock: written by any thread ---- */
    pthread_mutex_t lock;
    uint8_t ring[CONSOLE_KEPT_BYTES];
    uint64_t end_bytes;            /* written by the guest, ever */
    const struct console_port *port;   /* that wrote last */
    bool wake_sent;
    bool room_wanted;

    /* ---- the main thread's ---- */
    char *file_name;
    struct console_sink file;
    bool file_has_lost;
    struct console_sink client;
    struct event *client_readable;
    uint8_t typed[TYPED_BYTES];    /* and not taken yet */
    size_t typed_len_bytes;
};

/* ---- the ring -------------------------------------------------------------------------------- */

/* Wakes the main thread.  The caller has the lock. */
static void wake(struct console *console)
{
    if (!console->wake_sent) {
        console->wake_sent = true;
        (void)eventfd_write(console->wake_fd, 1);
    }
}

static void ring_put(struct console *console, const uint8_t *bytes, size_t len_bytes)
{
    const size_t at = console->end_bytes % CONSOLE_KEPT_BYTES;
    const size_t first = len_bytes < CONSOLE_KEPT_BYTES - at ? len_bytes : CONSOLE_KEPT_BYTES - at;

    memcpy(console->ring + at, bytes, first);
    memcpy(console->ring, bytes + first, len_bytes - first);
    console->end_bytes += len_bytes;
}

void console_write(struct console *console, const struct console_port *port, const uint8_t *bytes,
                   size_t len_bytes)
{
    const size_t beyond = len_bytes > CONSOLE_KEPT_BYTES ? len_bytes - CONSOLE_KEPT_BYTES : 0;

    if (len_bytes == 0) {
        return;
    }
    pthread_mutex_lock(&console->lock);
    console->port = port;
    console->end_bytes += beyond;
    ring_put(console, bytes + beyond, len_bytes - beyond);
    wake(console);
    pthread_mutex_unlock(&console->lock);
}

/* Copies what @p sink has not had yet, and is still kept.  Returns how much. */
static size_t ring_get(struct console *console, struct console_sink *sink, uint8_t *bytes,
                       size_t size_bytes, bool *has_lost)
{
    uint64_t left;
    size_t len_bytes;

    pthread_mutex_lock(&console->lock);
    left = console->end_bytes - sink->at_bytes;
    if (left > CONSOLE_KEPT_BYTES) {
        left = CONSOLE_KEPT_BYTES;
        sink->at_bytes = console->end_bytes - CONSOLE_KEPT_BYTES;
        *has_lost = true;
    }
    len_bytes = left < size_bytes ? (size_t)left : size_bytes;
    for (size_t done = 0; done < len_bytes;) {
        const size_t at = (sink->at_bytes + done) % CONSOLE_KEPT_BYTES;
        const size_t run = len_bytes - done < CONSOLE_KEPT_BYTES - at ? len_bytes - done
                                                                      : CONSOLE_KEPT_BYTES - at;

        memcpy(bytes + done, console->ring + at, run);
        done += run;
    }
    pthread_mutex_unlock(&console->lock);
    return len_bytes;
}

static uint64_t ring_end(struct console *console)
{
    uint64_t end_bytes;

    pthread_mutex_lock(&console->lock);
    end_bytes = console->end_bytes;
    pthread_mutex_unlock(&console->lock);
    return end_bytes;
}

/* ---- sinks ----------------------------------------------------------------------------------- */

/*
 * Writes what is in the ring now, and not what a busy guest adds meanwhile, for which the main
 * thread is woken again.  Returns 0, or -errno when the sink fails.
 */
static int sink_drain(struct console *console, struct console_sink *sink, bool *has_lost)
{
    const uint64_t end_bytes = ring_end(console);
    uint8_t chunk[CHUNK_BYTES];

    while (sink->at_bytes < end_bytes) {
        const size_t len_bytes = ring_get(console, sink, chunk, sizeof(chunk), has_lost);
        const ssize_t written = write(sink->fd, chunk, len_bytes);

        if (written > 0) {
            sink->at_bytes += (uint64_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            if (sink->writable == NULL || event_add(sink->writable, NULL) != 0) {
                return -EAGAIN;
            }
            return 0;
        } else if (written == 0 || errno != EINTR) {
            return written == 0 ? -EIO : -errno;
        }
    }
    return 0;
}

static void sink_close(struct console_sink *sink)
{
    if (sink->writable != NULL) {
        event_free(sink->writable);
        sink->writable = NULL;
    }
    if (sink->fd >= 0) {
        close(sink->fd);
        sink->fd = -1;
    }
}

/* Bytes that a file did not get are told of once: the guest may write them without an end. */
static void drain_file(struct console *console)
{
    bool has_lost = false;
    int result;

    if (console->file.fd < 0) {
        return;
    }
    result = sink_drain(console, &console->file, &has_lost);
    if (result < 0) {
        console->file.at_bytes = ring_end(console);
    }
    if ((result < 0 || has_lost) && !console->file_has_lost) {
        console->file_has_lost = true;
        fprintf(stderr,
                "vswitch-vm: the console's file %s misses what the guest wrote (%s); "
                "the guest goes on, see to the file's disk\n",
                console->file_name, result < 0 ? strerror(-result) : "it is too slow");
    }
}

static void on_file_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    drain_file(context);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void client_close(struct console *console)
{
    if (console->client_readable != NULL) {
        event_free(console->client_readable);
        console->client_readable = NULL;
    }
    sink_close(&console->client);
    console->typed_len_bytes = 0;
}

static void drain_client(struct console *console)
{
    bool has_lost = false;

    if (console->client.fd >= 0 && sink_drain(console, &console->client, &has_lost) < 0) {
        client_close(console);
    }
}

static void on_client_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    drain_client(context);
}

/* The port to type into, which must tell from now on when it has room. */
static const struct console_port *port_to_type(struct console *console)
{
    const struct console_port *port;

    pthread_mutex_lock(&console->lock);
    port = console->port;
    console->room_wanted = true;
    pthread_mutex_unlock(&console->lock);
    return port;
}

/* Offers what was typed; reads on when all of it is taken, else when there is room. */
static void offer_typed(struct console *console)
{
    const struct console_port *port;
    size_t taken;

    if (console->typed_len_bytes > 0) {
        port = port_to_type(console);
        taken = port == NULL ? 0
                             : port->type(port->context, console->typed, console->typed_len_bytes);
        console->typed_len_bytes -= taken;
        memmove(console->typed, console->typed + taken, console->typed_len_bytes);
    }
    if (console->typed_len_bytes == 0 && console->client_readable != NULL &&
        event_add(console->client_readable, NULL) != 0) {
        client_close(console);
    }
}

static void on_client_readable(evutil_socket_t fd, short what, void *context)
{
    struct console *console = context;
    const ssize_t len_bytes = read(fd, console->typed, sizeof(console->typed));

    (void)what;
    if (len_bytes == 0 || (len_bytes < 0 && errno != EAGAIN && errno != EINTR)) {
        client_close(console);
        return;
    }
    console->typed_len_bytes = len_bytes > 0 ? (size_t)len_bytes : 0;
    offer_typed(console);
}

void console_attach(struct console *console, int fd)
{
    const uint64_t end_bytes = ring_end(console);

    client_close(console);
    console->client = (struct console_sink){
        .fd = fd,
        .at_bytes = end_bytes < CONSOLE_KEPT_BYTES ? 0 : end_bytes - CONSOLE_KEPT_BYTES,
        .writable = event_new(console->base, fd, EV_WRITE, on_client_writable, console),
    };
    console->client_readable = event_new(console->base, fd, EV_READ, on_client_readable, console);
    if (console->client.writable == NULL || console->client_readable == NULL ||
        evutil_make_socket_nonblocking(fd) != 0) {
        client_close(console);
        return;
    }
    offer_typed(console);
    drain_client(console);
}

void console_room(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    if (console->room_wanted) {
        console->room_wanted = false;
        wake(console);
    }
    pthread_mutex_unlock(&console->lock);
}

void console_add_port(struct console *console, const struct console_port *port)
{
    pthread_mutex_lock(&console->lock);
    console->port = port;
    wake(console);
    pthread_mutex_unlock(&console->lock);
}

void console_remove_port(struct console *console, const struct console_port *port)
{
    pthread_mutex_lock(&console->lock);
    if (console->port == port) {
        console->port = NULL;
    }
    pthread_mutex_unlock(&console->lock);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_woken(evutil_socket_t fd, short what, void *context)
{
    struct console *console = context;
    eventfd_t count;

    (void)what;
    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&console->lock);
    console->wake_sent = false;
    pthread_mutex_unlock(&console->lock);
    drain_file(console);
    drain_client(console);
    if (console->typed_len_bytes > 0) {
        offer_typed(console);
    }
}

static int open_file(struct console *console, const char *name, struct error *error)
{
    console->file.fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                            0600);
    if (console->file.fd < 0) {
        return error_set(error, errno,
                         "the console cannot be written to %s: %s; name a file that can be made or "
                         "appended to, or a pipe that is being read", name, strerror(errno));
    }
    console->file_name = strdup(name);
    console->file.writable = event_new(console->base, console->file.fd, EV_WRITE,
                                       on_file_writable, console);
    if (console->file_name == NULL || console->file.writable == NULL) {
        return error_set(error, ENOMEM, "no memory for the console's file");
    }
    return 0;
}

struct console *console_create(struct event_base *base, const char *file, struct error *error)
{
    struct console *console = calloc(1, sizeof(*console));

    if (console == NULL) {
        error_set(error, ENOMEM, "no memory for the guest's console");
        return NULL;
    }
    console->base = base;
    console->file.fd = -1;
    console->client.fd = -1;
    pthread_mutex_init(&console->lock, NULL);
    console->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (console->wake_fd >= 0) {
        console->woken = event_new(base, console->wake_fd, EV_READ | EV_PERSIST, on_woken,
                                   console);
    }
    if (console->woken == NULL || event_add(console->woken, NULL) != 0) {
        error_set(error, EMFILE, "there is no eventfd for the guest's console; raise the limit of "
                  "open files");
        console_destroy(console);
        return NULL;
    }
    if (file != NULL && open_file(console, file, error) < 0) {
        console_destroy(console);
        return NULL;
    }
    return console;
}

void console_destroy(struct console *console)
{
    if (console == NULL) {
        return;
    }
    drain_file(console);
    drain_client(console);
    client_close(console);
    sink_close(&console->file);
    if (console->woken != NULL) {
        event_free(console->woken);
    }
    if (console->wake_fd >= 0) {
        close(console->wake_fd);
    }
    pthread_mutex_destroy(&console->lock);
    free(console->file_name);
    free(console);
}
