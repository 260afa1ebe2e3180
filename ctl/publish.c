/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/publish.h"

#include <errno.h>

#include "ctl/balance.h"
#include "ctl/captures.h"
#include "ctl/stale.h"
#include "ctl/teams.h"
#include "dataplane/capture.h"

/*
 * The fabric of @p model, with the captures that watch it.
 *
 * @param after  how many are published before it
 * @return owned; NULL, a sentence
 */
static struct fabric *compile_as(struct control *control, const struct vswitch_model *model,
                                 const struct control_resources *resources,
                                 const struct fabric_owners *owners, uint32_t after,
                                 struct error *error)
{
    const struct fabric_binding binding = {
        .table = resources->table,
        .team = resources->team,
        .endpoint = resources->endpoint,
        .owners = owners,
        .worker_count = dataplane_worker_count(control->config.dataplane),
    };
    const uint32_t generation = (control->fabric == NULL ? 0 : control->fabric->generation) + 1 +
                                after;
    struct fabric *fabric = fabric_compile(model, &binding, generation);
    struct capture_watch *watch = NULL;

    if (fabric == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left to compile the change.");
        return NULL;
    }
    if (captures_watch(control->captures, model, &watch, error) != 0) {
        fabric_destroy(fabric);
        return NULL;
    }
    fabric->watch = watch;
    return fabric;
}

struct fabric *publish_compile(struct control *control, const struct vswitch_model *model,
                               const struct control_resources *resources, struct error *error)
{
    return compile_as(control, model, resources, balance_owners(control->balance), 0, error);
}

void publish_drop(struct fabric *fabric)
{
    if (fabric != NULL) {
        capture_watch_destroy(fabric->watch);
        fabric_destroy(fabric);
    }
}

void publish_now(struct control *control, struct fabric *fabric)
{
    struct fabric *before = dataplane_publish(control->config.dataplane, fabric);

    control->fabric = fabric;
    if (before != NULL) {
        stale_flush(before, fabric);
    }
    publish_drop(before);
}

int publish_again(struct control *control, struct error *error)
{
    struct fabric *fabric = publish_compile(control, control->model, &control->resources, error);

    if (fabric == NULL) {
        return -ENOMEM;
    }
    publish_now(control, fabric);
    teams_tell(control, control->model, &control->resources);
    captures_published(control->captures, control->model);
    return 0;
}

int publish_moves(struct control *control, const struct fabric_owners *between,
                  const struct fabric_owners *after, struct error *error)
{
    struct fabric *first = compile_as(control, control->model, &control->resources, between, 0,
                                      error);
    struct fabric *second = first == NULL ? NULL
                                          : compile_as(control, control->model,
                                                       &control->resources, after, 1, error);

    if (second == NULL) {
        publish_drop(first);
        return -ENOMEM;
    }
    publish_now(control, first);                       /* and waits: the old owners are done */
    publish_now(control, second);
    teams_tell(control, control->model, &control->resources);
    captures_published(control->captures, control->model);
    return 0;
}
