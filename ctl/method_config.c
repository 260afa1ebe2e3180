/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config show, check.
 */
#include <errno.h>
#include <string.h>

#include "ctl/control.h"
#include "ctl/method_serve.h"
#include "ctl/persist.h"

int method_config_show(void *context, struct rpc_call *call, struct error *error)
{
    const struct control *control = context;

    return method_answer(call, persist_to_json(control->model), error);
}

/* The very loader of the start, on a model that is thrown away. */
int method_config_check(void *context, struct rpc_call *call, struct error *error)
{
    const char *text = method_text(call, "text");
    struct vswitch_model *model = NULL;
    struct error inner = { 0 };
    json_t *result;
    int rc = persist_from_text(text, strlen(text), &model, &inner);

    (void)context;
    if (rc != 0) {
        return error_set(error, -rc, "The file would be refused: %s.", inner.text);
    }
    result = json_pack("{s:b, s:I, s:I, s:I}", "valid", true,
                       "switches", (json_int_t)model->switch_count,
                       "vnics", (json_int_t)model->vnic_count,
                       "macs", (json_int_t)model->mac_count);
    vswitch_model_destroy(model);
    return method_answer(call, result, error);
}
