/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture start, list, stop, and result, which the client that started one asks at its end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/captures.h"
#include "ctl/control.h"
#include "ctl/method_serve.h"

static enum capture_direction direction_of(const char *word)
{
    if (word == NULL || strcmp(word, "both") == 0) {
        return CAPTURE_BOTH;
    }
    return strcmp(word, "in") == 0 ? CAPTURE_IN : CAPTURE_OUT;
}

/* Which capture waits for a socket. */
struct expected {
    struct captures *captures;
    uint32_t id;
};

static void on_socket(void *arg, int fd)
{
    struct expected *expected = arg;

    captures_connect(expected->captures, expected->id, fd);
    free(expected);
}

int method_capture_start(void *context, struct rpc_call *call, struct error *error)
{
    struct control *control = context;
    struct expected *expected = malloc(sizeof(*expected));
    const struct capture_config config = {
        .filter = method_text(call, "filter"),
        .direction = direction_of(method_text(call, "direction")),
        .snaplen_bytes = (uint32_t)method_number(call, "snaplen", 0),
        .frame_limit = method_number(call, "frames", 0),
        .seconds_limit = (uint32_t)method_number(call, "seconds", 0),
        .drops_only = method_flag(call, "drops"),
    };
    json_t *result = json_pack("{s:i}", "id", 0);
    int64_t id;

    if (expected == NULL || result == NULL) {
        free(expected);
        json_decref(result);
        return method_answer(call, NULL, error);
    }
    id = captures_add(control->captures, method_text(call, "on"), &config, error);
    if (id < 0) {
        free(expected);
        json_decref(result);
        return (int)id;
    }
    (void)json_integer_set(json_object_get(result, "id"), id);
    *expected = (struct expected){ control->captures, (uint32_t)id };
    rpc_call_take_socket(call, on_socket, expected);
    return method_answer(call, result, error);
}

static json_t *item_to_json(const struct captures_item *item)
{
    const struct capture_result *r = &item->result;

    return json_pack("{s:I, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
                     "id", (json_int_t)item->id, "on", item->target, "running", (int)item->running,
                     "age_s", (json_int_t)item->age_s, "seen", (json_int_t)r->seen,
                     "matched", (json_int_t)r->matched, "written", (json_int_t)r->written,
                     "dropped_by_reader", (json_int_t)r->dropped_by_reader,
                     "written_bytes", (json_int_t)r->written_bytes,
                     "end", captures_end_text(item));
}

int method_capture_list(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    struct captures_item items[CAPTURES_MAX];
    const unsigned count = captures_list(control->captures, items);
    json_t *list = json_array();

    for (unsigned i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, item_to_json(&items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return method_answer(call, list, error);
}

int method_capture_stop(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;

    return captures_stop(control->captures, (uint32_t)method_number(call, "id", 0), error);
}

int method_capture_result(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;
    struct captures_item item;
    const int rc = captures_find(control->captures, (uint32_t)method_number(call, "id", 0), &item,
                                 error);

    return rc != 0 ? rc : method_answer(call, item_to_json(&item), error);
}
