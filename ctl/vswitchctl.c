/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vswitchctl: the one tool an operator uses.
 *
 * It holds no state and decides nothing: words go to the daemon as a JSON-RPC request, and the
 * result comes back as a table or as JSON.  It links the client half of ctl/ only, so it runs where
 * DPDK is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli_capture.h"
#include "ctl/cli_complete.h"
#include "ctl/cli_help.h"
#include "ctl/cli_show.h"
#include "ctl/cli_watch.h"
#include "ctl/cli_words.h"
#include "ctl/client.h"
#include "ctl/rpc.h"

#define STOP_PAUSE_MS 20

/* Puts the text of the file to be checked into the params. */
static enum cli_status read_file(const struct cli_command *command, struct error *error)
{
    const char *path = json_string_value(json_object_get(command->own, "file"));
    char *text = malloc(RPC_REQUEST_MAX_BYTES + 1);
    FILE *file = text != NULL ? fopen(path, "re") : NULL;
    enum cli_status status = CLI_REFUSED;
    size_t len_bytes;
    json_t *value;

    if (file == NULL) {
        (void)error_set(error, errno, "%s cannot be read: %s.", path, strerror(errno));
        free(text);
        return status;
    }
    len_bytes = fread(text, 1, RPC_REQUEST_MAX_BYTES + 1, file);
    value = json_stringn(text, len_bytes);
    if (ferror(file) != 0) {
        (void)error_set(error, EIO, "%s cannot be read to its end.", path);
    } else if (len_bytes > RPC_REQUEST_MAX_BYTES) {
        (void)error_set(error, EFBIG, "%s is longer than %u bytes, which is more than can be "
                        "checked through the daemon.", path, RPC_REQUEST_MAX_BYTES);
    } else if (value == NULL || memchr(text, '\0', len_bytes) != NULL) {
        (void)error_set(error, EINVAL, "%s is no text in UTF-8, so it is no state file.", path);
    } else if (json_object_set(command->params, "text", value) == 0) {
        status = CLI_DONE;
    }
    json_decref(value);
    (void)fclose(file);
    free(text);
    return status;
}

/* `daemon stop` is done when the daemon is gone: what comes next may be its restart. */
static enum cli_status await_end(const struct cli_command *command, struct error *error)
{
    const struct timespec pause = { .tv_nsec = STOP_PAUSE_MS * 1000000 };

    for (uint32_t waited_ms = 0; waited_ms <= command->timeout_ms; waited_ms += STOP_PAUSE_MS) {
        struct client *client = NULL;
        const int rc = client_connect(command->run_dir, STOP_PAUSE_MS, &client, error);

        client_close(client);
        if (rc == -ENOTCONN) {
            return CLI_DONE;
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)error_set(error, ETIMEDOUT, "The daemon has been told to stop but is still there; its "
                    "log says what it waits for.");
    return CLI_REFUSED;
}

static enum cli_status print_result(const struct cli_command *command, const json_t *result,
                                    struct error *error)
{
    if (command->json) {
        (void)json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
        (void)fputc('\n', stdout);
    } else {
        cli_show(command->spec, result, stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        (void)error_set(error, EIO, "It is done, but the result cannot be written: %s.",
                        strerror(errno));
        return CLI_REFUSED;
    }
    return CLI_DONE;
}

static enum cli_status call(const struct cli_command *command, struct error *error)
{
    struct client *client = NULL;
    json_t *result = NULL;
    enum cli_status status = CLI_REFUSED;
    int rc;

    if (command->spec->id == METHOD_CONFIG_CHECK && read_file(command, error) != CLI_DONE) {
        return CLI_REFUSED;
    }
    rc = client_connect(command->run_dir, command->timeout_ms, &client, error);
    if (rc != 0) {
        return rc == -ENOTCONN ? CLI_NO_DAEMON : CLI_REFUSED;
    }
    if (json_object_get(command->own, "watch") != NULL) {
        rc = cli_watch(client, command, stdout, error);
        client_close(client);
        return rc == 0 ? CLI_DONE : CLI_REFUSED;
    }
    rc = client_call(client, command->spec->name, command->params, &result, error);
    client_close(client);
    if (rc == 0) {
        status = command->spec->id == METHOD_DAEMON_STOP ? await_end(command, error) : CLI_DONE;
    }
    if (status == CLI_DONE) {
        status = print_result(command, result, error);
    }
    json_decref(result);
    return status;
}

static void help(const struct cli_command *command)
{
    if (command->spec != NULL) {
        cli_help_method(command->spec, stdout);
    } else if (command->noun != NULL) {
        cli_help_noun(command->noun, stdout);
    } else {
        cli_help_all(stdout);
    }
}

static enum cli_status run(const struct cli_command *command, int argc, char **argv,
                           struct error *error)
{
    switch (command->action) {
    case CLI_HELP:
        help(command);
        return CLI_DONE;
    case CLI_VERSION:
        (void)printf("vswitchctl " VSWITCH_VERSION "\n");
        return CLI_DONE;
    case CLI_COMPLETE:
        cli_complete(argc - command->rest, argv + command->rest, stdout);
        return CLI_DONE;
    case CLI_CALL:
        break;
    }
    return command->spec->id == METHOD_CAPTURE_START ? cli_capture(command, error)
                                                     : call(command, error);
}

int main(int argc, char **argv)
{
    struct error error = { 0 };
    struct cli_command command;
    enum cli_status status = CLI_USAGE;

    if (cli_words_parse(argc, argv, &command, &error) == 0) {
        status = run(&command, argc, argv, &error);
    }
    if (status != CLI_DONE) {
        (void)fprintf(stderr, "vswitchctl: %s\n", error.text);
    }
    cli_command_clear(&command);
    return (int)status;
}
