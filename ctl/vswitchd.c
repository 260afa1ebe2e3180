/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's main: brings the parts up in the order they need each other, and down in reverse.
 *
 * Everything that can be wrong outside is asked before guests see anything: options, directories
 * and their locks, DPDK, then the state file, and last the control socket, so whoever can connect
 * finds a switch that is whole.  One thread runs the event loop; the workers are the dataplane's.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>
#include <systemd/sd-daemon.h>

#include "ctl/client.h"
#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/method_serve.h"
#include "ctl/options.h"
#include "ctl/places.h"
#include "ctl/rpc_server.h"
#include "dataplane/dataplane.h"
#include "dataplane/dpdk_log.h"
#include "vnic/guest_fault.h"

#define EXIT_USAGE  2
#define STOP_EVENTS 2

struct daemon {
    struct options options;
    struct places places;
    gid_t group;
    struct event_base *base;
    struct event *stop[STOP_EVENTS];
    struct dataplane *dataplane;
    struct control *control;
    struct rpc_server *server;
    char socket_path[PATH_MAX + sizeof(CLIENT_SOCKET_NAME)];
};

static void on_dpdk_line(const char *line)
{
    log_warning("DPDK: %s", line);
}

static void on_stop_signal(evutil_socket_t signal_number, short what, void *arg)
{
    (void)what;
    log_info("Signal %d: the daemon stops", (int)signal_number);
    (void)event_base_loopexit(arg, NULL);
}

static int find_group(struct daemon *daemon, struct error *error)
{
    const char *name = daemon->options.group;
    const struct group *group = name == NULL ? NULL : getgrnam(name);

    if (name != NULL && group == NULL) {
        return error_set(error, ENOENT, "There is no group %.64s on this host: make it with "
                         "groupadd, or choose another with --group.", name);
    }
    daemon->group = group == NULL ? RPC_NO_GROUP : group->gr_gid;
    return 0;
}

/* A vNIC takes up to a hundred descriptors: one a ring and a call, and those of its memory. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- up -------------------------------------------------------------------------------------- */

static int start_loop(struct daemon *daemon, struct error *error)
{
    static const int signals[STOP_EVENTS] = { SIGTERM, SIGINT };

    /* A reader that is gone and a file that may not grow are answers of calls, not ends. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    daemon->base = event_base_new();
    if (daemon->base == NULL) {
        return error_set(error, ENOMEM, "There is no memory left to start.");
    }
    for (unsigned i = 0; i < STOP_EVENTS; i++) {
        daemon->stop[i] = evsignal_new(daemon->base, signals[i], on_stop_signal, daemon->base);
        if (daemon->stop[i] == NULL || event_add(daemon->stop[i], NULL) != 0) {
            return error_set(error, ENOMEM, "The signals that end the daemon cannot be watched.");
        }
    }
    return 0;
}

static int start_dataplane(struct daemon *daemon, struct error *error)
{
    const struct options *options = &daemon->options;
    const struct dataplane_config config = {
        .cores = options->cores,
        .core_count = options->core_count,
        .no_huge = options->no_huge,
        .memory_mib = options->memory_mib,
        .pci = options->pci,
        .pci_count = options->pci_count,
    };
    struct error note = { 0 };
    int rc = guest_fault_start();

    if (rc != 0) {
        return error_set(error, -rc, "The handler for vanished guest memory cannot be installed: "
                         "%s.", strerror(-rc));
    }
    if (dpdk_log_start(on_dpdk_line) != 0) {
        return error_set(error, ENOMEM, "There is no memory left to start.");
    }
    daemon->dataplane = dataplane_start(&config, &note, error);
    if (daemon->dataplane == NULL) {
        return -(error->code != 0 ? error->code : EIO);
    }
    if (note.text[0] != '\0') {
        log_warning("%s", note.text);
    }
    const struct control_config control = {
        .base = daemon->base,
        .dataplane = daemon->dataplane,
        .run_dir = daemon->places.run_dir,
        .state_dir = daemon->places.state_dir,
        .group = daemon->group,
        .hugepages = !options->no_huge && note.text[0] == '\0',
    };

    return control_start(&control, &daemon->control, error);
}

static int start_server(struct daemon *daemon, struct error *error)
{
    const struct rpc_server_config config = {
        .base = daemon->base,
        .path = daemon->socket_path,
        .group = daemon->group,
        .handlers = method_handlers,
        .context = daemon->control,
    };

    (void)snprintf(daemon->socket_path, sizeof(daemon->socket_path), "%s/%s",
                   daemon->places.run_dir, CLIENT_SOCKET_NAME);
    return rpc_server_create(&config, &daemon->server, error);
}

static int start(struct daemon *daemon, struct error *error)
{
    int rc = find_group(daemon, error);

    if (rc == 0) {
        rc = places_take(&daemon->places, daemon->options.run_dir, daemon->options.state_dir,
                         error);
    }
    if (rc == 0) {
        rc = start_loop(daemon, error);
    }
    if (rc == 0) {
        rc = start_dataplane(daemon, error);
    }
    return rc != 0 ? rc : start_server(daemon, error);
}

/* ---- down ------------------------------------------------------------------------------------ */

static void stop(struct daemon *daemon)
{
    rpc_server_destroy(daemon->server);
    control_stop(daemon->control);
    dataplane_stop(daemon->dataplane);
    for (unsigned i = 0; i < STOP_EVENTS; i++) {
        if (daemon->stop[i] != NULL) {
            event_free(daemon->stop[i]);
        }
    }
    if (daemon->base != NULL) {
        event_base_free(daemon->base);
    }
    libevent_global_shutdown();
    places_release(&daemon->places);
}

static void run(struct daemon *daemon)
{
    const struct options *options = &daemon->options;

    log_info("vswitchd %s is ready: %u worker%s from core %u on, control socket %s",
             VSWITCH_VERSION, options->core_count, options->core_count == 1 ? "" : "s",
             options->cores[0], daemon->socket_path);
    (void)sd_notifyf(0, "READY=1\nSTATUS=Switching; control socket %s", daemon->socket_path);
    (void)event_base_dispatch(daemon->base);
    (void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    struct error error = { 0 };
    int rc;

    switch (options_parse(argc, argv, &daemon.options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    daemon.places.run_lock = -1;
    daemon.places.state_lock = -1;
    /* Whatever is made is the daemon's own, unless a mode is set with purpose. */
    (void)umask(0077);
    log_start(daemon.options.log_level);
    (void)evthread_use_pthreads();  /* before the first loop: that of teams is another thread's */
    raise_descriptor_limit();
    rc = start(&daemon, &error);
    if (rc == 0) {
        run(&daemon);
    } else {
        log_error("%s", error.text);
        (void)sd_notifyf(0, "STATUS=%s\nERRNO=%d", error.text, -rc);
    }
    stop(&daemon);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
