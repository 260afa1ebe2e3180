/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sentences of refusals that more than one rule needs.
 */
#include "switch/vswitch_inner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FEW_NAMES 6u               /* that fit into one sentence at their longest */

struct text_name text_show(const char *name)
{
    struct text_name shown;
    size_t len = 0;

    for (; len < VSWITCH_NAME_SIZE - 1 && name[len] != '\0'; len++) {
        shown.text[len] = name[len] >= ' ' && name[len] <= '~' ? name[len] : '?';
    }
    (void)snprintf(&shown.text[len], sizeof(shown.text) - len, "%s",
                   name[len] != '\0' ? "..." : "");
    return shown;
}

int text_refuse_unknown(struct error *error, const char *what, const char *name,
                        struct text_names names)
{
    char list[FEW_NAMES * (VSWITCH_NAME_SIZE + 8)] = "";
    size_t used = 0;

    if (names.count == 0) {
        return error_set(error, ENOENT, "there is no %s named \"%s\", nor any other; add it first",
                         what, text_show(name).text);
    }
    if (names.count > FEW_NAMES) {
        return error_set(error, ENOENT, "there is no %s named \"%s\"; list the %zu that there are "
                         "to find its name", what, text_show(name).text, names.count);
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *link = i == 0 ? "" : i + 1 < names.count ? ", " : " and ";

        used += (size_t)snprintf(&list[used], sizeof(list) - used, "%s\"%s\"", link,
                                 names.first + i * names.stride_bytes);
    }
    return error_set(error, ENOENT, "there is no %s named \"%s\"; there %s %s", what,
                     text_show(name).text, names.count == 1 ? "is" : "are", list);
}

int text_check_range(struct error *error, const char *what, const char *name, const char *key,
                     uint32_t value, uint32_t low, uint32_t high)
{
    if (value >= low && value <= high) {
        return 0;
    }
    return error_set(error, ERANGE, "%s \"%s\": %s %u is out of range; choose %u to %u", what,
                     text_show(name).text, key, value, low, high);
}

int text_refuse_memory(struct error *error)
{
    return error_set(error, ENOMEM, "the daemon is out of memory; nothing was changed");
}
