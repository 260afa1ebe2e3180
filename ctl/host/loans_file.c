/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/loans_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl/persist.h"
#include "ctl/state_file.h"

#define FILE_VERSION 1

static const char *const keys[LOAN_VALUE_COUNT] = {
#define X(name, key) [LOAN_##name] = key,
    LOAN_VALUES(X)
#undef X
};

struct loan *loan_list_add(struct loan_list *list, int ifindex, const char *name)
{
    struct loan *more = reallocarray(list->loan, list->count + 1, sizeof(*more));
    struct loan *loan;

    if (more == NULL) {
        return NULL;
    }
    list->loan = more;
    loan = &more[list->count++];
    *loan = (struct loan){ .ifindex = ifindex };
    (void)snprintf(loan->name, sizeof(loan->name), "%s", name);
    return loan;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_loan(const json_t *item, struct loan_list *list)
{
    const json_t *ifindex = json_object_get(item, "ifindex");
    const char *name = json_string_value(json_object_get(item, "name"));
    struct loan *loan;

    if (!json_is_integer(ifindex) || json_integer_value(ifindex) <= 0 ||
        json_integer_value(ifindex) > INT_MAX || name == NULL || strlen(name) >= LINK_NAME_SIZE) {
        return -EINVAL;
    }
    loan = loan_list_add(list, (int)json_integer_value(ifindex), name);
    if (loan == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < LOAN_VALUE_COUNT; i++) {
        const json_t *value = json_object_get(item, keys[i]);

        if (value == NULL) {
            continue;
        }
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > UINT32_MAX) {
            return -EINVAL;
        }
        loan->was.has[i] = true;
        loan->was.value[i] = (uint32_t)json_integer_value(value);
    }
    return 0;
}

static int read_root(const json_t *root, char host[HOST_ID_SIZE], struct loan_list *list)
{
    const json_t *interfaces = json_object_get(root, "interfaces");
    const char *of = json_string_value(json_object_get(root, "host"));
    int rc = 0;

    if (json_integer_value(json_object_get(root, "version")) != FILE_VERSION || of == NULL ||
        strlen(of) >= HOST_ID_SIZE || !json_is_array(interfaces)) {
        return -EINVAL;
    }
    (void)snprintf(host, HOST_ID_SIZE, "%s", of);
    for (size_t i = 0; i < json_array_size(interfaces) && rc == 0; i++) {
        rc = read_loan(json_array_get(interfaces, i), list);
    }
    return rc;
}

int loans_file_read(const char *state_dir, char host[HOST_ID_SIZE], struct loan_list *list,
                    struct error *error)
{
    char path[PATH_MAX];
    size_t len_bytes = 0;
    char *text = NULL;
    json_t *root;
    int rc;

    (void)snprintf(path, sizeof(path), "%s/%s", state_dir, LOANS_FILE_NAME);
    rc = persist_read(path, &text, &len_bytes);
    if (rc != 0) {
        return rc == -ENOENT ? rc : error_set(error, -rc, "it cannot be read (%s)", strerror(-rc));
    }
    root = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES, NULL);
    rc = root == NULL ? -EINVAL : read_root(root, host, list);
    json_decref(root);
    free(text);
    if (rc != 0) {
        list->count = 0;
        return error_set(error, -rc, "it is not what a vswitchd of this version writes");
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *loan_to_json(const struct loan *loan)
{
    json_t *item = json_pack("{s:i, s:s}", "ifindex", loan->ifindex, "name", loan->name);

    for (int i = 0; i < LOAN_VALUE_COUNT; i++) {
        if (loan->was.has[i] &&
            json_object_set_new(item, keys[i], json_integer(loan->was.value[i])) != 0) {
            json_decref(item);
            return NULL;
        }
    }
    return item;
}

static bool is_of_nothing(const struct loan *loan)
{
    static const struct loan_values nothing;

    return memcmp(loan->was.has, nothing.has, sizeof(nothing.has)) == 0;
}

/* Those of which something was changed.  @return owned, or NULL when memory is short */
static json_t *list_to_json(const struct loan_list *list)
{
    json_t *items = json_array();

    for (size_t i = 0; i < list->count; i++) {
        if (!is_of_nothing(&list->loan[i]) &&
            json_array_append_new(items, loan_to_json(&list->loan[i])) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return items;
}

static int remove_file(const char *state_dir)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", state_dir, LOANS_FILE_NAME);
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int loans_file_write(const char *state_dir, const char *host, const struct loan_list *list)
{
    json_t *items = list_to_json(list);
    json_t *root;
    char *text;
    int rc;

    if (items != NULL && json_array_size(items) == 0) {
        json_decref(items);
        return remove_file(state_dir);
    }
    root = json_pack("{s:i, s:s, s:o}", "version", FILE_VERSION, "host", host,
                     "interfaces", items);
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    rc = text == NULL ? -ENOMEM : state_file_write(state_dir, LOANS_FILE_NAME, text);
    free(text);
    json_decref(root);
    return rc;
}
