/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `vm console`: the terminal, byte for byte, and one way out.
 *
 * The terminal is raw, so that Ctrl-C is the guest's; ~. at the start of a line leaves, ~~ there is
 * one ~, as with ssh.  Where standard input is no terminal its end leaves, when what the guest had
 * said until then has been written.
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
    bool typing;                   /* standard input has not ended */
    bool left;
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

/* @return whether there may be more */
static bool said(const struct console *console)
{
    char bytes[BUFFER_BYTES];
    const ssize_t n = recv(console->socket, bytes, sizeof(bytes), 0);

    if (n < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    return n > 0 && write_all(STDOUT_FILENO, bytes, (size_t)n);
}

static void copy(struct console *console)
{
    const struct timespec linger = { .tv_nsec = LINGER_MS * 1000000 };
    bool more = true;

    while (more && !console->left) {
        struct pollfd fds[] = {
            { .fd = console->socket, .events = POLLIN },
            { .fd = console->typing ? STDIN_FILENO : -1, .events = POLLIN },
        };
        if (!cli_interrupt_poll_for(fds, 2, console->typing ? NULL : &linger)) {
            break;                              /* a signal, or silence */
        }
        if (fds[1].revents != 0) {
            typed(console);
        }
        if (fds[0].revents != 0) {
            more = said(console);
        }
    }
}

static enum cli_status attach(const struct cli_command *command, struct console *console,
                              struct error *error)
{
    const char *name = json_string_value(json_object_get(command->params, "name"));
    struct client *client = NULL;
    json_t *result = NULL;
    char *early = NULL;
    size_t early_bytes = 0;

    if (client_connect_vm(command->run_dir, name, command->timeout_ms, &client, error) != 0) {
        return CLI_REFUSED;
    }
    if (client_call(client, command->spec->name, command->params, &result, error) != 0) {
        client_close(client);
        return CLI_REFUSED;
    }
    json_decref(result);
    console->socket = client_take_stream(client, &early, &early_bytes);
    (void)write_all(STDOUT_FILENO, early, early_bytes);
    free(early);
    return CLI_DONE;
}

enum cli_status cli_vm_console(const struct cli_command *command, struct error *error)
{
    struct console console = { .typing = true };
    struct termios before, raw;
    const bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    enum cli_status status = attach(command, &console, error);

    if (status != CLI_DONE) {
        return status;
    }
    cli_interrupt_catch();
    if (terminal) {
        (void)fputs("This is the VM's console; ~. at the start of a line leaves it.\r\n", stderr);
        raw = before;
        cfmakeraw(&raw);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    copy(&console);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        (void)fputc('\n', stderr);
    }
    (void)close(console.socket);
    return CLI_DONE;
}
