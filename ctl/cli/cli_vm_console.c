/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vm console`: the terminal, byte for byte, and one way out.
 *
 * The terminal is raw, so that Ctrl-C is the guest's; ~. at the start of a line leaves, ~~ there is
 * one ~, as with ssh.  Where standard input is no terminal its end leaves, when what the guest had
 * said until then has been written; but not a VM that was started to be watched (`vm run --console
 * -`), of which all is written until it ends.
 *
 * A VM has one console for one operator: who comes later gets it, and who had it is told.
 */
#include "ctl/cli/cli_vm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/cli/cli_interrupt.h"
#include "ctl/client.h"

#define BUFFER_BYTES 4096u
#define LINGER_MS    200           /* after the end of what was piped in */

enum escape { ESCAPE_LINE_START, ESCAPE_TILDE, ESCAPE_WITHIN };

struct console {
    int socket;
    char *early;                   /* what had come with the answer; owned */
    size_t early_bytes;
    bool stays;                    /* also when standard input has ended */
    bool typing;                   /* it has not */
    bool left;                     /* by the operator */
    bool ended;                    /* by the monitor */
    enum escape escape;
};

static bool write_all(int fd, const char *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        const ssize_t n = write(fd, bytes, len_bytes);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        bytes += n > 0 ? n : 0;
        len_bytes -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* One byte that was typed: appends what the guest gets of it. */
static void take_typed(struct console *console, char byte, char *out, size_t *len_bytes)
{
    const enum escape before = console->escape;

    if (before == ESCAPE_LINE_START && byte == '~') {
        console->escape = ESCAPE_TILDE;
        return;
    }
    if (before == ESCAPE_TILDE && byte == '.') {
        console->left = true;
        return;
    }
    if (before == ESCAPE_TILDE && byte != '~') {
        out[(*len_bytes)++] = '~';
    }
    out[(*len_bytes)++] = byte;
    console->escape = byte == '\r' || byte == '\n' ? ESCAPE_LINE_START : ESCAPE_WITHIN;
}

static void typed(struct console *console)
{
    char in[BUFFER_BYTES], out[2 * BUFFER_BYTES];
    const ssize_t n = read(STDIN_FILENO, in, sizeof(in));
    size_t len_bytes = 0;

    console->typing = n > 0 || (n < 0 && errno == EINTR);
    for (ssize_t i = 0; i < n && !console->left; i++) {
        take_typed(console, in[i], out, &len_bytes);
    }
    (void)write_all(console->socket, out, len_bytes);
}

static void said(struct console *console)
{
    char bytes[BUFFER_BYTES];
    const ssize_t n = recv(console->socket, bytes, sizeof(bytes), 0);

    if (n > 0) {
        console->left = !write_all(STDOUT_FILENO, bytes, (size_t)n) || console->left;
    } else {
        console->ended = n == 0 || (errno != EINTR && errno != EAGAIN);
    }
}

static void copy(struct console *console)
{
    const struct timespec linger = { .tv_nsec = LINGER_MS * 1000000 };
    const struct timespec *limit;

    while (!console->ended && !console->left) {
        struct pollfd fds[] = {
            { .fd = console->socket, .events = POLLIN },
            { .fd = console->typing ? STDIN_FILENO : -1, .events = POLLIN },
        };
        limit = console->typing || console->stays ? NULL : &linger;
        if (!cli_interrupt_poll_for(fds, 2, limit)) {
            break;                              /* a signal, or silence */
        }
        if (fds[1].revents != 0) {
            typed(console);
        }
        if (fds[0].revents != 0) {
            said(console);
        }
    }
}

/* ---- being there ----------------------------------------------------------------------------- */

/* The monitor hung up.  The VM has ended, or somebody else is at its console. */
static enum cli_status explain_end(const struct cli_command *command, const char *name,
                                   struct error *error)
{
    if (cli_vm_answers(command, name)) {
        (void)error_set(error, EBUSY, "Another `vm console %s` has the console now, which is for "
                        "one at a time.", name);
        return CLI_REFUSED;
    }
    (void)fputs("The VM has ended.\n", stderr);
    return CLI_DONE;
}

/* Closes the socket. */
static enum cli_status stay(const struct cli_command *command, const char *name,
                            struct console *console, struct error *error)
{
    struct termios before, raw;
    const bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;

    console->typing = true;
    cli_interrupt_catch();
    if (terminal) {
        (void)fprintf(stderr, "This is the console of %s; ~. at the start of a line leaves it.\r\n",
                      name);
        raw = before;
        cfmakeraw(&raw);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    (void)write_all(STDOUT_FILENO, console->early, console->early_bytes);
    copy(console);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        (void)fputc('\n', stderr);
    }
    (void)close(console->socket);
    return console->ended ? explain_end(command, name, error) : CLI_DONE;
}

enum cli_status cli_vm_stay(const struct cli_command *command, const char *name, int socket,
                            struct error *error)
{
    struct console console = { .socket = socket, .stays = true };

    return stay(command, name, &console, error);
}

enum cli_status cli_vm_console(const struct cli_command *command, struct error *error)
{
    const char *name = json_string_value(json_object_get(command->params, "name"));
    struct console console = { 0 };
    struct client *client = NULL;
    json_t *result = NULL;
    enum cli_status status;

    if (client_connect_vm(command->run_dir, name, command->timeout_ms, &client, error) != 0) {
        return CLI_REFUSED;
    }
    if (client_call(client, command->spec->name, command->params, &result, error) != 0) {
        client_close(client);
        return CLI_REFUSED;
    }
    json_decref(result);
    console.socket = client_take_stream(client, &console.early, &console.early_bytes);
    status = stay(command, name, &console, error);
    free(console.early);
    return status;
}
