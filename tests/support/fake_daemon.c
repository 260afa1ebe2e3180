/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "ctl/client.h"

struct fake_daemon {
    char dir[64];
    char path[96];
    struct event_base *base;
    struct event *stop_event;
    int stop_fd;
    struct rpc_server *server;
    pthread_t thread;
    atomic_uint calls, taken, lost;
    int capture_fd;                /* of the capture that runs, or -1 */
    bool capture_ends;             /* with its head */
    bool capture_asked;            /* for its result, once */
    int64_t frames;                /* what the counters say */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "fake daemon: %s\n", what);
    abort();
}

/* ---- answers --------------------------------------------------------------------------------- */

static json_t *port_json(const char *name, int64_t frames)
{
    return json_pack("{s:s s:s s:s s:s s:s s:i s:{s:i s:i s:i s:i} s:I s:I s:I s:I s:I s:I"
                     " s:{s:i s:i}}", "switch", "lan",
                     "name", name, "kind", "vnic", "state", "attached", "vlan", "none",
                     "mtu", 1500, "rates", "from_frames_per_s", 10000, "from_bits_per_s", 8000000,
                     "to_frames_per_s", 0, "to_bits_per_s", 0,
                     "from_frames", (json_int_t)frames, "from_bytes", (json_int_t)frames * 100,
                     "to_frames", (json_int_t)frames, "to_bytes", (json_int_t)frames * 100,
                     "from_broadcast", (json_int_t)1, "from_multicast", (json_int_t)2,
                     "drops", "receiver had no free buffers", 7, "source address is zero", 0);
}

static int switch_list(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    call->result = json_pack("[{s:s s:s s:i s:i s:i} {s:s s:s s:i s:i s:i}]",
                             "name", "lan", "type", "private", "mtu", 1500, "port_count", 2,
                             "mac_entries", 2, "name", "dmz", "type", "private", "mtu", 9000,
                             "port_count", 0, "mac_entries", 0);
    return 0;
}

static int switch_show(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;
    const char *name = json_string_value(json_object_get(call->params, "name"));

    fake->calls++;
    if (strcmp(name, "lan") != 0) {
        return error_set(error, ENOENT, "There is no switch %s; `switch list` lists them.", name);
    }
    call->result = json_pack("{s:s s:s s:i s:n s:n s:i s:i s:i s:[o o] s:{s:i s:i} s:{s:i s:i}}",
                             "name", name,
                             "type", "private", "mtu", 1500, "uplink", "host_vnic",
                             "mac_entries", 2, "mac_capacity", 8192, "mac_ageing_s", 300,
                             "ports", port_json("web0", 10), port_json("web1", 20),
                             "counters", "from_frames", 35, "to_frames", 30,
                             "drops", "receiver had no free buffers", 15,
                             "source address is zero", 0);
    return 0;
}

static int vnic_list(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    call->result = json_pack("[{s:s s:s s:s} {s:s s:s s:s}]", "name", "web0", "switch", "lan",
                             "state", "attached", "name", "web1", "switch", "lan", "state",
                             "waiting");
    return 0;
}

static int vnic_show(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    call->result = json_pack("{s:O s:s s:s s:s s:s s:[s s] s:i s:{s:i s:i} s:{s:i}}",
                             "name", json_object_get(call->params, "name"), "switch", "lan",
                             "mac", "00:15:5d:00:00:01", "state", "broken",
                             "broken_reason", "queue 0: head out of range",
                             "features", "VERSION_1", "MRG_RXBUF", "queues", 1,
                             "counters", "from_frames", 3, "to_frames", 4,
                             "drops", "malformed descriptor chain", 1);
    return 0;
}

static int mac_show(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;
    json_t *macs = json_array();

    (void)error;
    fake->calls++;
    for (int i = 0; i < FAKE_MACS; i++) {
        char mac[24];

        (void)snprintf(mac, sizeof(mac), "00:15:5d:00:%02x:%02x", i >> 8 & 0xff, i & 0xff);
        (void)json_array_append_new(macs, json_pack("{s:s s:i s:s s:s s:i}", "mac", mac, "vlan", 0,
                                                    "port", "web0", "kind", "learned", "age_s", 3));
    }
    call->result = macs;
    return 0;
}

static int stats_show(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    fake->frames += 1000;
    call->result = json_pack("[o o]", port_json("web0", fake->frames),
                             port_json("web1", fake->frames));
    return 0;
}

static void capture_socket(void *arg, int fd)
{
    struct fake_daemon *fake = arg;

    if (fd < 0) {
        fake->lost++;
        return;
    }
    fake->taken++;
    if (send(fd, FAKE_HEAD, strlen(FAKE_HEAD), MSG_NOSIGNAL) < 0 || fake->capture_ends) {
        (void)close(fd);
        return;
    }
    fake->capture_fd = fd;
}

static int capture_start(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    fake->capture_ends = json_object_get(call->params, "frames") != NULL;
    fake->capture_asked = false;
    call->result = json_pack("{s:i}", "id", 1);
    rpc_call_take_socket(call, capture_socket, fake);
    return 0;
}

static int capture_stop(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)call;
    fake->calls++;
    if (fake->capture_fd < 0) {
        return error_set(error, ENOENT, "There is no such capture.");
    }
    (void)send(fake->capture_fd, FAKE_TAIL, strlen(FAKE_TAIL), MSG_NOSIGNAL);
    (void)close(fake->capture_fd);
    fake->capture_fd = -1;
    return 0;
}

static int capture_result(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    call->result = json_pack("{s:b s:i s:i s:i s:i s:s}", "running", !fake->capture_asked,
                             "written", 5, "dropped_by_reader", 1, "matched", 6, "seen", 9, "end",
                             "it was stopped");
    fake->capture_asked = true;
    return 0;
}

static int daemon_show(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    call->result = json_pack("{s:s s:i s:i s:[{s:i s:f s:f s:i}]}", "version", "0", "pid", 1,
                             "uptime_s", 3725, "workers", "core", 1, "busy_percent", 12.5,
                             "cycles_per_frame", 210.0, "queues", 4);
    return 0;
}

static void end_loop(void *arg)
{
    struct fake_daemon *fake = arg;

    (void)event_base_loopbreak(fake->base);
}

static int daemon_stop(void *context, struct rpc_call *call, struct error *error)
{
    struct fake_daemon *fake = context;

    (void)error;
    fake->calls++;
    rpc_call_after_reply(call, end_loop, fake);
    return 0;
}

static const rpc_handler handlers[METHOD_COUNT] = {
    [METHOD_SWITCH_LIST] = switch_list,
    [METHOD_SWITCH_SHOW] = switch_show,
    [METHOD_VNIC_LIST] = vnic_list,
    [METHOD_VNIC_SHOW] = vnic_show,
    [METHOD_MAC_SHOW] = mac_show,
    [METHOD_STATS_SHOW] = stats_show,
    [METHOD_CAPTURE_START] = capture_start,
    [METHOD_CAPTURE_STOP] = capture_stop,
    [METHOD_CAPTURE_RESULT] = capture_result,
    [METHOD_DAEMON_SHOW] = daemon_show,
    [METHOD_DAEMON_STOP] = daemon_stop,
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end_loop(arg);
}

static void *serve(void *arg)
{
    struct fake_daemon *fake = arg;

    (void)event_base_dispatch(fake->base);
    rpc_server_destroy(fake->server);
    return NULL;
}

struct fake_daemon *fake_daemon_start(const struct rpc_server_config *limits)
{
    struct fake_daemon *fake = calloc(1, sizeof(*fake));
    struct rpc_server_config config = { .group = RPC_NO_GROUP };
    struct error error = { 0 };

    if (fake == NULL) {
        die("no memory");
    }
    if (limits != NULL) {
        config = *limits;
    }
    (void)strcpy(fake->dir, "/tmp/vswitch-test-XXXXXX");
    if (mkdtemp(fake->dir) == NULL) {
        die("no directory");
    }
    (void)snprintf(fake->path, sizeof(fake->path), "%s/" CLIENT_SOCKET_NAME, fake->dir);
    fake->capture_fd = -1;
    fake->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake->base = event_base_new();
    fake->stop_event = event_new(fake->base, fake->stop_fd, EV_READ, on_stop, fake);
    (void)event_add(fake->stop_event, NULL);
    config.base = fake->base;
    config.path = fake->path;
    config.handlers = handlers;
    config.context = fake;
    if (rpc_server_create(&config, &fake->server, &error) != 0) {
        die(error.text);
    }
    if (pthread_create(&fake->thread, NULL, serve, fake) != 0) {
        die("no thread");
    }
    return fake;
}

void fake_daemon_stop(struct fake_daemon *fake)
{
    const uint64_t one = 1;

    if (fake == NULL) {
        return;
    }
    if (write(fake->stop_fd, &one, sizeof(one)) != sizeof(one)) {
        die("cannot stop");
    }
    (void)pthread_join(fake->thread, NULL);
    event_free(fake->stop_event);
    event_base_free(fake->base);
    (void)close(fake->stop_fd);
    if (fake->capture_fd >= 0) {
        (void)close(fake->capture_fd);
    }
    (void)rmdir(fake->dir);
    free(fake);
}

const char *fake_daemon_dir(const struct fake_daemon *fake)
{
    return fake->dir;
}

const char *fake_daemon_path(const struct fake_daemon *fake)
{
    return fake->path;
}

unsigned fake_daemon_calls(const struct fake_daemon *fake)
{
    return fake->calls;
}

unsigned fake_daemon_sockets_taken(const struct fake_daemon *fake)
{
    return fake->taken;
}

unsigned fake_daemon_sockets_lost(const struct fake_daemon *fake)
{
    return fake->lost;
}
