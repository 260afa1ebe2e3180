/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/cli/cli_interrupt.h"
#include "ctl/client.h"

#define BUFFER_BYTES    (256u * 1024)
#define FILE_MODE       0600           /* other people's traffic is nobody else's business */
#define RESULT_PAUSE_MS 20

/* Where the frames go. */
struct output {
    const char *path;                  /* NULL for standard output */
    int fd;
    bool created;                      /* by us, so a start that is refused takes it away again */
    bool regular;                      /* a file, which never makes a writer wait */
};

/* A capture that runs. */
struct capture_run {
    const struct cli_command *command;
    struct output *output;
    json_int_t id;
    int stream;                        /* -1 when it has ended */
    char *buffer;                      /* owned; [at, end) is to be written */
    size_t at, end;
    bool stop_sent;
};

/* ---- the output ------------------------------------------------------------------------------ */

static enum cli_status output_open(const struct cli_command *command, struct output *output,
                                   struct error *error)
{
    const char *path = json_string_value(json_object_get(command->own, "write"));
    struct stat st;

    *output = (struct output){ .fd = STDOUT_FILENO };
    if (path == NULL || strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO)) {
            (void)error_set(error, ENOTTY, "A capture is not for a terminal; add `--write FILE`, "
                            "or `--write - | tcpdump -n -r -` to watch it.");
            return CLI_USAGE;
        }
    } else {
        output->path = path;
        output->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, FILE_MODE);
        output->created = output->fd >= 0;
        if (output->fd < 0 && errno == EEXIST) {
            output->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        }
    }
    if (output->fd < 0 || fstat(output->fd, &st) != 0) {
        (void)error_set(error, errno, "%s cannot be written: %s.", path, strerror(errno));
        return CLI_REFUSED;
    }
    output->regular = S_ISREG(st.st_mode);
    return CLI_DONE;
}

/* Gives up an output that nothing was written to. */
static void output_abandon(struct output *output)
{
    if (output->path != NULL) {
        (void)close(output->fd);
    }
    if (output->created) {
        (void)unlink(output->path);
    }
}

/* ---- talking to the daemon ------------------------------------------------------------------- */

static enum cli_status daemon_ask(const struct capture_run *run, const char *method,
                                  json_t **result, struct error *error)
{
    struct client *client = NULL;
    json_t *params = json_pack("{s:I}", "id", run->id);
    int rc = client_connect(run->command->run_dir, run->command->timeout_ms, &client, error);
    const enum cli_status status = rc == -ENOTCONN ? CLI_NO_DAEMON : CLI_REFUSED;

    if (rc == 0) {
        rc = client_call(client, method, params, result, error);
    }
    client_close(client);
    json_decref(params);
    return rc == 0 ? CLI_DONE : status;
}

/* Starts the capture, and turns the connection into its stream. */
static enum cli_status run_start(struct capture_run *run, struct error *error)
{
    const struct cli_command *command = run->command;
    struct client *client = NULL;
    json_t *result = NULL;
    char *early = NULL;
    int rc = client_connect(command->run_dir, command->timeout_ms, &client, error);

    if (rc != 0) {
        return rc == -ENOTCONN ? CLI_NO_DAEMON : CLI_REFUSED;
    }
    rc = client_call(client, command->spec->name, command->params, &result, error);
    if (rc != 0) {
        client_close(client);
        return CLI_REFUSED;
    }
    run->id = json_integer_value(json_object_get(result, "id"));
    json_decref(result);
    run->stream = client_take_stream(client, &early, &run->end);
    run->buffer = realloc(early, run->end > BUFFER_BYTES ? run->end : BUFFER_BYTES);
    if (run->buffer == NULL) {
        free(early);
        (void)close(run->stream);
        (void)error_set(error, ENOMEM, "No memory left for the capture.");
        return CLI_REFUSED;
    }
    return CLI_DONE;
}

/* Asks once for the capture's end.  If that fails it has ended already, or the stream soon will. */
static void run_stop(struct capture_run *run)
{
    json_t *result = NULL;

    if (!run->stop_sent) {
        run->stop_sent = true;
        (void)daemon_ask(run, "capture.stop", &result, NULL);
        json_decref(result);
    }
}

/* The stream may end a moment before the daemon has done its sums. */
static enum cli_status run_result(struct capture_run *run, json_t **result, struct error *error)
{
    const struct timespec pause = { .tv_nsec = RESULT_PAUSE_MS * 1000000 };
    enum cli_status status = CLI_REFUSED;

    for (uint32_t waited_ms = 0; waited_ms <= run->command->timeout_ms;
         waited_ms += RESULT_PAUSE_MS) {
        json_decref(*result);
        *result = NULL;
        status = daemon_ask(run, "capture.result", result, error);
        if (status != CLI_DONE || !json_is_true(json_object_get(*result, "running"))) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    return status;
}

/* ---- copying --------------------------------------------------------------------------------- */

/*
 * Writes some of the buffer: to a pipe that is ready, no more than it takes without blocking,
 * because Ctrl-C is looked for between the writes.
 *
 * @return 0, or the errno of an output that takes no more
 */
static int copy_out(struct capture_run *run)
{
    const size_t left = run->end - run->at;
    const size_t step = run->output->regular || left < PIPE_BUF ? left : PIPE_BUF;
    const ssize_t n = write(run->output->fd, run->buffer + run->at, step);

    if (n < 0) {
        return errno == EINTR || errno == EAGAIN ? 0 : errno;
    }
    run->at += (size_t)n;
    return 0;
}

/* Reads what has come; the end of the stream is the end of the capture. */
static void copy_in(struct capture_run *run)
{
    const ssize_t n = recv(run->stream, run->buffer, BUFFER_BYTES, MSG_DONTWAIT);

    if (n > 0) {
        run->at = 0;
        run->end = (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        (void)close(run->stream);
        run->stream = -1;
    }
}

/* Copies until the stream ends and all of it is written, or the output takes no more, or the second
 * Ctrl-C.  @return 0 or the errno of the output */
static int run_copy(struct capture_run *run)
{
    while (run->stream >= 0 || run->at < run->end) {
        const bool writing = run->at < run->end;
        struct pollfd fds[] = {
            { .fd = run->output->fd, .events = writing ? POLLOUT : 0 },
            { .fd = run->stream, .events = POLLIN },
        };
        int rc = 0;

        if (cli_interrupt_count() > 0) {
            run_stop(run);
        }
        if (cli_interrupt_count() > 1) {
            return 0;
        }
        if (!cli_interrupt_poll(fds, writing ? 1 : 2)) {
            continue;
        }
        if (writing) {
            rc = copy_out(run);
        } else if ((fds[0].revents & (POLLERR | POLLHUP)) != 0) {
            rc = EPIPE;                          /* the reader went away while no frame came */
        } else if (fds[1].revents != 0) {
            copy_in(run);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- the summary ----------------------------------------------------------------------------- */

static void print_summary(const struct cli_command *command, const json_t *result, FILE *out)
{
    const char *end = json_string_value(json_object_get(result, "end"));

    if (command->json) {
        (void)json_dumpf(result, out, JSON_COMPACT | JSON_ENCODE_ANY);
        (void)fprintf(out, "\n");
        return;
    }
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " frames written, %" JSON_INTEGER_FORMAT
                  " dropped by a slow reader, %" JSON_INTEGER_FORMAT " matched of %"
                  JSON_INTEGER_FORMAT " seen%s%s\n",
                  json_integer_value(json_object_get(result, "written")),
                  json_integer_value(json_object_get(result, "dropped_by_reader")),
                  json_integer_value(json_object_get(result, "matched")),
                  json_integer_value(json_object_get(result, "seen")),
                  end != NULL ? "; " : "", end != NULL ? end : "");
}

/* Ends the stream, the capture and the output, and says what it came to. */
static enum cli_status run_finish(struct capture_run *run, int output_error, struct error *error)
{
    struct output *output = run->output;
    json_t *result = NULL;
    enum cli_status status;

    if (run->stream >= 0) {
        run_stop(run);
        (void)close(run->stream);
    }
    if (output->path != NULL && close(output->fd) != 0 && output_error == 0) {
        output_error = errno;
    }
    status = run_result(run, &result, error);
    if (status == CLI_DONE) {
        print_summary(run->command, result, output->path != NULL ? stdout : stderr);
    }
    json_decref(result);
    if (status == CLI_NO_DAEMON) {
        (void)error_set(error, ENOTCONN, "The daemon has ended, and the capture with it; what came "
                        "until then is in %s, but nobody can say how much was lost.",
                        output->path != NULL ? output->path : "the output");
        status = CLI_REFUSED;
    }
    if (output_error != 0 && output_error != EPIPE) {
        (void)error_set(error, output_error, "%s cannot be written: %s; the capture has ended.",
                        output->path != NULL ? output->path : "Standard output",
                        strerror(output_error));
        status = CLI_REFUSED;
    }
    return status;
}

enum cli_status cli_capture(const struct cli_command *command, struct error *error)
{
    struct output output;
    struct capture_run run = { .command = command, .output = &output, .stream = -1 };
    enum cli_status status = output_open(command, &output, error);

    if (status != CLI_DONE) {
        return status;
    }
    cli_interrupt_catch();
    status = run_start(&run, error);
    if (status != CLI_DONE) {
        output_abandon(&output);
        return status;
    }
    /* Only now is what was in the file before given up. */
    const bool emptied = output.path == NULL || !output.regular || ftruncate(output.fd, 0) == 0;
    status = run_finish(&run, emptied ? run_copy(&run) : errno, error);
    free(run.buffer);
    return status;
}
