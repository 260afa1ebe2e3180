/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_vm.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/value.h"

#define SWEEP_AFTER_S   2
#define NOTICE_MS       1000       /* for the daemon to notice that a VM has ended */
#define NOTICE_PAUSE_MS 20

/* ---- asking ---------------------------------------------------------------------------------- */

static int vm_ask(const char *run_dir, const char *name, uint32_t timeout_ms,
                  enum method_id method, const json_t *params, json_t **result,
                  struct error *error)
{
    struct client *client = NULL;
    int rc = client_connect_vm(run_dir, name, timeout_ms, &client, error);

    if (rc == 0) {
        rc = client_call(client, method_get(method)->name, params, result, error);
    }
    client_close(client);
    return rc;
}

static enum cli_status show_vnic(const struct cli_command *command, const char *name,
                                 json_t **vnic, struct error *error)
{
    struct client *client = NULL;
    json_t *params = json_pack("{s:s}", "name", name);
    int rc = client_connect(command->run_dir, command->timeout_ms, &client, error);
    const enum cli_status status = rc == -ENOTCONN ? CLI_NO_DAEMON : CLI_REFUSED;

    if (rc == 0) {
        rc = client_call(client, method_get(METHOD_VNIC_SHOW)->name, params, vnic, error);
    }
    client_close(client);
    json_decref(params);
    return rc == 0 ? CLI_DONE : status;
}

/* What the VM @p name says of itself.  @return as vm_ask() */
static int vm_ask_itself(const char *run_dir, const char *name, uint32_t timeout_ms,
                         json_t **shown)
{
    json_t *params = json_pack("{s:s}", "name", name);
    const int rc = vm_ask(run_dir, name, timeout_ms, METHOD_VM_SHOW, params, shown, NULL);

    json_decref(params);
    return rc;
}

bool cli_vm_answers(const struct cli_command *command, const char *name)
{
    json_t *shown = NULL;
    const bool answers = vm_ask_itself(command->run_dir, name, command->timeout_ms, &shown) == 0;

    json_decref(shown);
    return answers;
}

/* ---- vm list --------------------------------------------------------------------------------- */

/* Whether @p entry is NAME.sock; then the name is in @p name. */
static bool name_of(const char *entry, char name[VALUE_NAME_MAX + 1])
{
    const size_t length = strlen(entry);
    const size_t suffix = strlen(CLIENT_VM_SUFFIX);

    if (length <= suffix || length - suffix > VALUE_NAME_MAX ||
        strcmp(entry + length - suffix, CLIENT_VM_SUFFIX) != 0) {
        return false;
    }
    memcpy(name, entry, length - suffix);
    name[length - suffix] = '\0';
    return value_is_name(name);
}

/* Of what a VM says of itself, what a list has. */
static json_t *list_item(const json_t *shown)
{
    static const char *const keys[] = { "name", "state", "pid", "cpus", "memory_bytes", "vnics" };
    json_t *item = json_object();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)json_object_set(item, keys[i], json_object_get(shown, keys[i]));
    }
    return item;
}

/* Removes the socket of a VM that was killed.  A new one nobody listens at for a moment. */
static void sweep(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ctime + SWEEP_AFTER_S < time(NULL)) {
        (void)unlink(path);
    }
}

/* Asks the VM @p name, and appends what it says to @p list.  @return as vm_ask() */
static int list_append(json_t *list, const char *run_dir, const char *name, uint32_t timeout_ms)
{
    json_t *shown = NULL;
    const int rc = vm_ask_itself(run_dir, name, timeout_ms, &shown);

    if (rc == 0) {
        (void)json_array_append_new(list, list_item(shown));
    }
    json_decref(shown);
    return rc;
}

json_t *cli_vm_list(const char *run_dir, uint32_t timeout_ms)
{
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    json_t *list = json_array();
    int count;

    (void)snprintf(path, sizeof(path), "%s/" CLIENT_VM_DIR, run_dir);
    count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[VALUE_NAME_MAX + 1];

        if (name_of(entries[i]->d_name, name) &&
            list_append(list, run_dir, name, timeout_ms) == -ENOTCONN) {
            (void)snprintf(path, sizeof(path), "%s/" CLIENT_VM_DIR "/%s", run_dir,
                           entries[i]->d_name);
            sweep(path);
        }
        free(entries[i]);
    }
    free(entries);
    return list;
}

/* ---- vNICs ----------------------------------------------------------------------------------- */

static bool is_waiting(const json_t *vnic)
{
    const char *state = json_string_value(json_object_get(vnic, "state"));

    return state != NULL && strcmp(state, "waiting") == 0;
}

static bool has_vnic(const json_t *vm, const char *name)
{
    const json_t *vnics = json_object_get(vm, "vnics");

    for (size_t i = 0; i < json_array_size(vnics); i++) {
        if (strcmp(json_string_value(json_array_get(vnics, i)), name) == 0) {
            return true;
        }
    }
    return false;
}

/* A VM has its vNICs also while the switch is away: it is asked itself. */
static int refuse_taken(const struct cli_command *command, const char *name, struct error *error)
{
    json_t *vms = cli_vm_list(command->run_dir, command->timeout_ms);
    int rc = 0;

    for (size_t i = 0; i < json_array_size(vms) && rc == 0; i++) {
        if (has_vnic(json_array_get(vms, i), name)) {
            const char *vm = json_string_value(json_object_get(json_array_get(vms, i), "name"));

            rc = error_set(error, EBUSY, "The VM %s has the vNIC %s already: take it out with `vm "
                           "set %s --remove-vnic %s`, or make another with `vnic add`.", vm, name,
                           vm, name);
        }
    }
    json_decref(vms);
    return rc;
}

/* Of another monitor only the daemon knows, a moment after it has come or gone. */
static enum cli_status await_free(const struct cli_command *command, const char *name,
                                  json_t **vnic, struct error *error)
{
    const struct timespec pause = { .tv_nsec = NOTICE_PAUSE_MS * 1000000 };
    enum cli_status status = CLI_DONE;

    for (unsigned waited_ms = 0; status == CLI_DONE && !is_waiting(*vnic);
         waited_ms += NOTICE_PAUSE_MS) {
        if (waited_ms >= NOTICE_MS) {
            (void)error_set(error, EBUSY, "The vNIC %s is in use: a VM of another monitor is "
                            "attached to it; end that, or make another with `vnic add`.", name);
            return CLI_REFUSED;
        }
        (void)nanosleep(&pause, NULL);
        json_decref(*vnic);
        *vnic = NULL;
        status = show_vnic(command, name, vnic, error);
    }
    return status;
}

enum cli_status cli_vm_ask_vnic(const struct cli_command *command, const char *name, json_t **vnic,
                                struct error *error)
{
    enum cli_status status = show_vnic(command, name, vnic, error);

    if (status == CLI_DONE && refuse_taken(command, name, error) != 0) {
        status = CLI_REFUSED;
    }
    if (status == CLI_DONE) {
        status = await_free(command, name, vnic, error);
    }
    if (status != CLI_DONE) {
        json_decref(*vnic);
        *vnic = NULL;
    }
    return status;
}

/* ---- vm set ---------------------------------------------------------------------------------- */

static void complete_from(json_t *params, const json_t *vnic, const char *key)
{
    if (json_object_get(params, key) == NULL) {
        (void)json_object_set(params, key, json_object_get(vnic, key));
    }
}

/* What the operator did not say of a vNIC that is added, the daemon does. */
static enum cli_status complete_vnic(const struct cli_command *command, struct error *error)
{
    static const char *const keys[] = { "socket", "mac", "mtu", "queues" };
    const char *name = json_string_value(json_object_get(command->params, "add_vnic"));
    json_t *vnic = NULL;
    enum cli_status status;

    if (name == NULL || (json_object_get(command->params, "socket") != NULL &&
                         json_object_get(command->params, "mac") != NULL)) {
        return CLI_DONE;
    }
    status = cli_vm_ask_vnic(command, name, &vnic, error);
    for (size_t i = 0; status == CLI_DONE && i < sizeof(keys) / sizeof(keys[0]); i++) {
        complete_from(command->params, vnic, keys[i]);
    }
    json_decref(vnic);
    return status;
}

/* ---- vm stop --------------------------------------------------------------------------------- */

/* The process behind a VM's socket, to be waited for; -1 when there is none. */
static int open_process(const struct cli_command *command, const char *name)
{
    json_t *shown = NULL;
    int process = -1;

    if (vm_ask_itself(command->run_dir, name, command->timeout_ms, &shown) == 0) {
        const json_int_t pid = json_integer_value(json_object_get(shown, "pid"));

        process = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    }
    json_decref(shown);
    return process;
}

/* It is done when the process has ended: then nothing of the VM is left. */
static enum cli_status await_end(const struct cli_command *command, int process,
                                 struct error *error)
{
    struct pollfd gone = { .fd = process, .events = POLLIN };

    if (process < 0 || poll(&gone, 1, (int)command->timeout_ms) > 0) {
        return CLI_DONE;
    }
    (void)error_set(error, ETIMEDOUT, "The VM has been told to end, and still runs after %g s; "
                    "wait longer with --timeout, or end it with --force.",
                    command->timeout_ms / 1000.0);
    return CLI_REFUSED;
}

static enum cli_status stop(const struct cli_command *command, const char *name, json_t **result,
                            struct error *error)
{
    const int process = open_process(command, name);
    enum cli_status status = CLI_REFUSED;

    if (vm_ask(command->run_dir, name, command->timeout_ms, METHOD_VM_STOP, command->params, result,
               error) == 0) {
        status = await_end(command, process, error);
    }
    if (process >= 0) {
        (void)close(process);
    }
    return status;
}

enum cli_status cli_vm(const struct cli_command *command, json_t **result, struct error *error)
{
    const char *name = json_string_value(json_object_get(command->params, "name"));
    enum cli_status status = CLI_DONE;

    if (command->spec->id == METHOD_VM_LIST) {
        *result = cli_vm_list(command->run_dir, command->timeout_ms);
        return CLI_DONE;
    }
    if (command->spec->id == METHOD_VM_STOP) {
        return stop(command, name, result, error);
    }
    if (command->spec->id == METHOD_VM_SET) {
        status = complete_vnic(command, error);
    }
    if (status == CLI_DONE && vm_ask(command->run_dir, name, command->timeout_ms,
                                     command->spec->id, command->params, result, error) != 0) {
        status = CLI_REFUSED;
    }
    return status;
}
