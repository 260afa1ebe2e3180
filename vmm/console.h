/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a guest's console goes, and where what is typed comes from.
 *
 * The last CONSOLE_KEPT_BYTES that a guest wrote are kept; a file gets all of it; one client at a
 * time (`vm console`) gets what is kept and then what comes, and types.  A client or a file that
 * does not keep up loses bytes, never the guest its time.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"

#define CONSOLE_KEPT_BYTES 65536u

struct event_base;
struct console;

/** @param file  appended to; NULL: none.  @return owned; NULL with a sentence.  Thread: main. */
struct console *console_create(struct event_base *base, const char *file, struct error *error);
void console_destroy(struct console *console);

/** What a guest wrote.  Thread: any; does not block. */
void console_write(struct console *console, const uint8_t *bytes, size_t len_bytes);
/** @p typed is called on the main thread with what was typed, as much as @p room says there is */
void console_on_typed(struct console *console, size_t (*room)(void *context),
                      void (*typed)(void *context, const uint8_t *bytes, size_t len_bytes),
                      void *context);
/** Gives a client's socket to the console, instead of one that was there.  Thread: main. */
void console_attach(struct console *console, int fd);

#endif
