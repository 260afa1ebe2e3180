/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a guest's console goes, and where what is typed comes from.
 *
 * The last CONSOLE_KEPT_BYTES that a guest wrote are kept; a file gets all of it; one client at a
 * time (`vm console`) gets what is kept and then what comes, and types.  A client or a file that
 * does not keep up loses bytes, never the guest its time.
 *
 * Several devices may show one console to the guest.  What is typed goes to the one that wrote
 * last, since that is where the guest asked for it.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"

#define CONSOLE_KEPT_BYTES 65536u

struct event_base;
struct console;

/* A device that shows the console to its guest. */
struct console_port {
    /*
     * Takes what was typed, as much as it has room for, and returns how much.  For the rest it is
     * asked again after console_room().  Thread: main, without any lock held.
     */
    size_t (*type)(void *context, const uint8_t *bytes, size_t len_bytes);
    void *context;
};

/**
 * @param file  appended to, made if it is not there; a terminal or a pipe will do; NULL: none
 * @return owned; NULL with a sentence
 * Thread: main.  The process ignores SIGPIPE.
 */
struct console *console_create(struct event_base *base, const char *file, struct error *error);
/** Its ports have been removed.  What file and client can take at once still reaches them. */
void console_destroy(struct console *console);

/** What is typed goes to @p port until another one writes.  @p port is borrowed.  Thread: main. */
void console_add_port(struct console *console, const struct console_port *port);
/** It has no more to do with the console: afterwards it is not called.  Thread: main. */
void console_remove_port(struct console *console, const struct console_port *port);

/** What a guest wrote by @p port; NULL: what the monitor says.  Thread: any; does not block. */
void console_write(struct console *console, const struct console_port *port, const uint8_t *bytes,
                   size_t len_bytes);
/** A port that did not take all that was typed may have room again.  Thread: any. */
void console_room(struct console *console);
/** Gives a client's socket to the console, instead of one that was there.  Thread: main. */
void console_attach(struct console *console, int fd);

#endif
