/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vm_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl/rpc_server.h"
#include "vmm/vm_options.h"

#define RUN_DIR_MODE 0755

struct vm_control {
    const struct machine_config *config;
    struct machine *machine;
    struct rpc_server *server;
    void (*stop)(void *context);
    void *context;
    time_t started_s;
};

/* ---- what it says of itself ------------------------------------------------------------------ */

static const char *state_text(enum machine_state state)
{
    switch (state) {
    case MACHINE_STARTING:
        return "starting";
    case MACHINE_RUNNING:
        return "running";
    case MACHINE_PAUSED:
        return "paused";
    case MACHINE_ENDED:
        return "ended";
    }
    return "";
}

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static json_t *names_json(const struct machine_status *status)
{
    json_t *names = json_array();

    for (unsigned i = 0; i < status->nic_count; i++) {
        (void)json_array_append_new(names, json_string(status->nic[i].name));
    }
    return names;
}

static json_t *adapters_json(const struct machine_status *status)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < status->nic_count; i++) {
        const struct virtio_net_status *net = &status->nic[i].net;

        (void)json_array_append_new(
            list, json_pack("{s:s, s:b, s:s, s:b, s:I, s:s}", "vnic", status->nic[i].name,
                            "connected", (int)net->connected, "link", net->link_up ? "up" : "down",
                            "driver", (int)(net->features != 0),
                            "connects", (json_int_t)net->connects, "reason", net->why));
    }
    return list;
}

static json_t *exits_json(const struct machine_status *status)
{
    json_t *exits = json_object();

    for (unsigned i = 0; i < VCPU_EXIT_COUNT; i++) {
        (void)json_object_set_new(exits, vcpu_exit_text((enum vcpu_exit)i),
                                  json_integer((json_int_t)status->exits[i]));
    }
    return exits;
}

static int show(void *context, struct rpc_call *call, struct error *error)
{
    const struct vm_control *control = context;
    const struct machine_config *config = control->config;
    struct machine_status *status = malloc(sizeof(*status));

    if (status != NULL) {
        machine_status(control->machine, status);
        call->result = json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:o, s:s, s:I, s:s, s:b, s:I, s:o, s:o}",
            "name", config->name, "state", state_text(status->state),
            "pid", (json_int_t)getpid(), "cpus", (json_int_t)config->cpus,
            "memory_bytes", (json_int_t)config->memory_bytes, "vnics", names_json(status),
            "kernel", config->kernel, "uptime_s", (json_int_t)(now_s() - control->started_s),
            "transport", config->mmio ? "mmio" : "pci", "huge_pages", (int)status->huge_pages,
            "resets", (json_int_t)status->resets, "adapters", adapters_json(status),
            "exits", exits_json(status));
    }
    free(status);
    return call->result != NULL ? 0 : error_set(error, ENOMEM, "no memory is left to tell of it");
}

/* ---- what it is told to do ------------------------------------------------------------------- */

static int pause_vm(void *context, struct rpc_call *call, struct error *error)
{
    const struct vm_control *control = context;

    (void)call;
    return machine_pause(control->machine, error);
}

static int resume_vm(void *context, struct rpc_call *call, struct error *error)
{
    const struct vm_control *control = context;

    (void)call;
    return machine_resume(control->machine, error);
}

static bool is_forced(const struct rpc_call *call)
{
    return json_is_true(json_object_get(call->params, "force"));
}

static int stop_vm(void *context, struct rpc_call *call, struct error *error)
{
    const struct vm_control *control = context;

    if (!is_forced(call)) {
        return machine_press_power(control->machine, error);
    }
    rpc_call_after_reply(call, control->stop, control->context);
    return 0;
}

static void on_console(void *context, int fd)
{
    const struct vm_control *control = context;

    if (fd >= 0) {
        machine_attach_console(control->machine, fd);
    }
}

static int console(void *context, struct rpc_call *call, struct error *error)
{
    (void)error;
    rpc_call_take_socket(call, on_console, context);
    return 0;
}

static int add_vnic(const struct vm_control *control, const json_t *params, struct error *error)
{
    const char *mac = json_string_value(json_object_get(params, "mac"));
    const json_t *queues = json_object_get(params, "queues");
    struct virtio_net_options nic = {
        .name = json_string_value(json_object_get(params, "add_vnic")),
        .socket_path = json_string_value(json_object_get(params, "socket")),
        .mtu_bytes = (uint16_t)json_integer_value(json_object_get(params, "mtu")),
        .pairs = queues != NULL ? (uint16_t)json_integer_value(queues) : 1,
    };

    if (nic.socket_path == NULL || mac == NULL) {
        return error_set(error, EINVAL, "a vNIC is added by its socket and its mac, as the switch "
                         "shows them");
    }
    if (vm_options_read_mac(mac, &nic.mac, error) != 0) {
        return -error->code;
    }
    return machine_add_nic(control->machine, &nic, error);
}

static int set(void *context, struct rpc_call *call, struct error *error)
{
    const struct vm_control *control = context;
    const char *remove = json_string_value(json_object_get(call->params, "remove_vnic"));
    int result = 0;

    if (json_object_get(call->params, "add_vnic") != NULL) {
        result = add_vnic(control, call->params, error);
    }
    if (remove != NULL && result == 0) {
        result = machine_remove_nic(control->machine, remove, is_forced(call), error);
    }
    return result;
}

static const rpc_handler handlers[METHOD_COUNT] = {
    [METHOD_VM_SHOW] = show,
    [METHOD_VM_PAUSE] = pause_vm,
    [METHOD_VM_RESUME] = resume_vm,
    [METHOD_VM_STOP] = stop_vm,
    [METHOD_VM_CONSOLE] = console,
    [METHOD_VM_SET] = set,
};

/* ---- the socket ------------------------------------------------------------------------------ */

/* RUN/vm: a VM may come before the daemon, which makes RUN. */
static int make_dir(const char *path, struct error *error)
{
    if (mkdir(path, RUN_DIR_MODE) != 0 && errno != EEXIST) {
        return error_set(error, errno, "the directory %s cannot be made: %s; use another --run-dir "
                         "or become root", path, strerror(errno));
    }
    return 0;
}

static int take_name(struct vm_control *control, struct event_base *base, const char *run_dir,
                     struct error *error)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *name = control->config->name;
    const struct rpc_server_config config = {
        .base = base,
        .path = path,
        .group = RPC_NO_GROUP,
        .handlers = handlers,
        .context = control,
    };
    const int length = snprintf(path, sizeof(path), "%s/vm", run_dir);
    int result;

    if (length < 0 || (size_t)length + strlen(name) + sizeof("/.sock") > sizeof(path)) {
        return error_set(error, ENAMETOOLONG, "the path %s/vm/%s.sock is too long for a socket: "
                         "use a shorter --run-dir or name", run_dir, name);
    }
    result = make_dir(run_dir, error);
    if (result == 0) {
        result = make_dir(path, error);
    }
    if (result != 0) {
        return result;
    }
    (void)snprintf(path + length, sizeof(path) - (size_t)length, "/%s.sock", name);
    result = rpc_server_create(&config, &control->server, error);
    if (result == -EADDRINUSE) {
        return error_set(error, EADDRINUSE, "a VM named %s runs already: `vswitchctl vm stop %s` "
                         "ends it", name, name);
    }
    return result;
}

struct vm_control *vm_control_create(struct event_base *base, const char *run_dir,
                                     const struct machine_config *config,
                                     void (*stop)(void *context), void *context,
                                     struct error *error)
{
    struct vm_control *control = calloc(1, sizeof(*control));

    if (control == NULL) {
        (void)error_set(error, ENOMEM, "no memory for the VM's control socket");
        return NULL;
    }
    control->config = config;
    control->stop = stop;
    control->context = context;
    control->started_s = now_s();
    if (take_name(control, base, run_dir, error) != 0) {
        vm_control_destroy(control);
        return NULL;
    }
    return control;
}

void vm_control_serve(struct vm_control *control, struct machine *machine)
{
    control->machine = machine;
}

void vm_control_destroy(struct vm_control *control)
{
    if (control != NULL) {
        rpc_server_destroy(control->server);
        free(control);
    }
}
