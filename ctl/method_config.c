/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config show.
 */
#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/persist.h"

int method_config_show(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;

    return method_answer(call, persist_to_json(control->model), error);
}
