/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon show, set, stop.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <event2/event.h>

#include "ctl/control.h"
#include "ctl/log.h"
#include "ctl/method_serve.h"
#include "ctl/notices.h"
#include "switch/mac.h"

/* To a tenth: more would be noise. */
static double tenths(double value)
{
    return (double)(int64_t)(value * 10 + 0.5) / 10;
}

static json_t *worker_to_json(const struct control *control, uint16_t worker)
{
    struct notices_load load;

    notices_load(control->notices, worker, &load);
    return json_pack("{s:i, s:f, s:f, s:i, s:I, s:I, s:I}", "core", (int)load.status.core,
                     "busy_percent", tenths(load.busy_percent),
                     "cycles_per_frame", tenths(load.cycles_per_frame),
                     "queues", (int)load.status.queues, "frames", (json_int_t)load.status.frames,
                     "sleeps", (json_int_t)load.status.sleeps,
                     "notes_lost", (json_int_t)load.status.notes_lost);
}

int method_daemon_show(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    const struct control_config *config = &control->config;
    char first[MAC_TEXT_SIZE], last[MAC_TEXT_SIZE];
    json_t *workers = json_array();
    json_t *result;

    for (uint16_t i = 0; i < dataplane_worker_count(config->dataplane) && workers != NULL; i++) {
        if (json_array_append_new(workers, worker_to_json(control, i)) != 0) {
            json_decref(workers);
            workers = NULL;
        }
    }
    result = json_pack("{s:s, s:i, s:I, s:s, s:s, s:s, s:s++, s:o}", "version", VSWITCH_VERSION,
                       "pid", (int)getpid(),
                       "uptime_s", (json_int_t)(control_now_s() - control->started_s),
                       "run_dir", config->run_dir, "state_dir", config->state_dir,
                       "memory", config->hugepages ? "hugepages" : "ordinary pages",
                       "mac_pool", mac_format(control->model->pool_first, first), "-",
                       mac_format(control->model->pool_last, last), "workers", workers);
    return method_answer(call, result, error);
}

/* The two addresses of a pool have one length, so it is known where the '-' between them is. */
int method_daemon_set(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    const char *pool = method_text(call, "mac_pool");
    char first_text[MAC_TEXT_SIZE];
    uint64_t first, last;
    struct vswitch_model *wanted;

    (void)snprintf(first_text, sizeof(first_text), "%s", pool);
    if (pool[MAC_TEXT_SIZE - 1] != '-' || mac_parse(first_text, &first) != 0 ||
        mac_parse(pool + MAC_TEXT_SIZE, &last) != 0) {
        return error_set(error, EINVAL, "the address pool is written as its first and its last "
                         "address, such as 00:15:5d:0a:00:00-00:15:5d:0a:03:ff");
    }
    wanted = control_edit(control, error);
    if (wanted == NULL) {
        return -ENOMEM;
    }
    return control_commit(control, wanted, vswitch_set_pool(wanted, first, last, error), error);
}

static void on_reply_sent(void *arg)
{
    (void)event_base_loopexit(arg, NULL);
}

int method_daemon_stop(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;

    (void)error;
    log_info("A client asks the daemon to stop");
    rpc_call_after_reply(call, on_reply_sent, control->config.base);
    return 0;
}
