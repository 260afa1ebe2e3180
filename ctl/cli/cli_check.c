/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/cli/cli_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/persist.h"

static int refuse_unreadable(const char *path, int code, struct error *error)
{
    if (code == EFBIG) {
        return error_set(error, code, "%s is longer than %u MiB, more than vswitchd reads.", path,
                         PERSIST_FILE_MAX_BYTES >> 20);
    }
    if (code == EINVAL) {
        return error_set(error, code, "%s cannot be read: it is a directory, a pipe or a device, "
                         "and no file.", path);
    }
    return error_set(error, code, "%s cannot be read: %s.", path, strerror(code));
}

int cli_check(const char *path, json_t **result, struct error *error)
{
    struct vswitch_model *model = NULL;
    struct error inner = { 0 };
    size_t len_bytes = 0;
    char *text = NULL;
    int rc = persist_read(path, &text, &len_bytes);

    if (rc != 0) {
        return refuse_unreadable(path, -rc, error);
    }
    rc = persist_from_text(text, len_bytes, &model, &inner);
    free(text);
    if (rc != 0) {
        return error_set(error, -rc, "The file would be refused: %s.", inner.text);
    }
    *result = json_pack("{s:b, s:I, s:I, s:I, s:I}", "valid", true,
                        "teams", (json_int_t)model->team_count,
                        "switches", (json_int_t)model->switch_count,
                        "vnics", (json_int_t)model->vnic_count,
                        "macs", (json_int_t)model->mac_count);
    vswitch_model_destroy(model);
    return *result != NULL ? 0 : error_set(error, ENOMEM, "No memory is left to tell the result.");
}
