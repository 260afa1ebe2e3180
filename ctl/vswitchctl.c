/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vswitchctl: the one tool an operator uses.
 *
 * It holds no state and decides nothing: words go to the daemon as a JSON-RPC request, and the
 * result comes back as a table or as JSON.  It links only what needs no DPDK, so it runs where
 * DPDK is not.  `config check` asks nobody, and `vm ...` asks the VMs themselves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/cli/cli_capture.h"
#include "ctl/cli/cli_check.h"
#include "ctl/cli/cli_complete.h"
#include "ctl/cli/cli_help.h"
#include "ctl/cli/cli_show.h"
#include "ctl/cli/cli_vm.h"
#include "ctl/cli/cli_watch.h"
#include "ctl/cli/cli_words.h"
#include "ctl/client.h"

#define STOP_PAUSE_MS 20

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

static enum cli_status check(const struct cli_command *command, struct error *error)
{
    json_t *result = NULL;
    enum cli_status status = CLI_REFUSED;

    if (cli_check(json_string_value(json_object_get(command->own, "file")), &result, error) == 0) {
        status = print_result(command, result, error);
    }
    json_decref(result);
    return status;
}

static enum cli_status of_vm(const struct cli_command *command,
                             enum cli_status (*ask)(const struct cli_command *command,
                                                    json_t **result, struct error *error),
                             struct error *error)
{
    json_t *result = NULL;
    enum cli_status status = ask(command, &result, error);

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
    switch (command->spec->id) {
    case METHOD_CAPTURE_START:
        return cli_capture(command, error);
    case METHOD_CONFIG_CHECK:
        return check(command, error);
    case METHOD_VM_RUN:
        return of_vm(command, cli_vm_run, error);
    case METHOD_VM_CONSOLE:
        return cli_vm_console(command, error);
    case METHOD_VM_LIST:
    case METHOD_VM_SHOW:
    case METHOD_VM_PAUSE:
    case METHOD_VM_RESUME:
    case METHOD_VM_STOP:
    case METHOD_VM_SET:
        return of_vm(command, cli_vm, error);
    default:
        return call(command, error);
    }
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
