/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/move_record.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <linux/netlink.h>

#include "ctl/host/host_id.h"
#include "ctl/log.h"
#include "ctl/persist.h"
#include "ctl/state_file.h"

#define RECORD_VERSION   1
#define RECORD_NAME      "moved-%d.json"
#define RECORD_NAME_SIZE 32u

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *item_to_json(const struct layer3_item *item)
{
    const uint8_t *bytes = (const uint8_t *)item->message;
    const size_t len_bytes = item->message->nlmsg_len;
    char *digits = malloc(2 * len_bytes + 1);
    json_t *json;

    if (digits == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < len_bytes; i++) {
        (void)snprintf(&digits[2 * i], 3, "%02x", bytes[i]);
    }
    json = json_pack("{s:s, s:s}", "what", item->text, "message", digits);
    free(digits);
    return json;
}

static json_t *items_to_json(const struct layer3 *layer3)
{
    json_t *items = json_array();

    for (size_t i = 0; i < layer3->count; i++) {
        if (json_array_append_new(items, item_to_json(&layer3->item[i])) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return items;
}

int move_record_write(const char *state_dir, const char *name, const struct layer3 *layer3)
{
    char host[HOST_ID_SIZE], file[RECORD_NAME_SIZE];
    json_t *root;
    char *text;
    int rc = host_id_read(host);

    if (rc != 0) {
        return rc;
    }
    root = json_pack("{s:i, s:s, s:i, s:s, s:I, s:o}", "version", RECORD_VERSION, "host", host,
                     "ifindex", layer3->ifindex, "name", name, "noted_s",
                     (json_int_t)layer3->noted_s, "items", items_to_json(layer3));
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    (void)snprintf(file, sizeof(file), RECORD_NAME, layer3->ifindex);
    rc = text == NULL ? -ENOMEM : state_file_write(state_dir, file, text);
    free(text);
    json_decref(root);
    return rc;
}

void move_record_remove(const char *state_dir, int ifindex)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/" RECORD_NAME, state_dir, ifindex);
    if (unlink(path) != 0 && errno != ENOENT) {
        log_warning("%s cannot be removed (%s): the next start will carry the addresses in it back "
                    "again", path, strerror(errno));
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_item(const json_t *json, struct layer3 *layer3)
{
    const char *digits = json_string_value(json_object_get(json, "message"));
    const size_t len_bytes = digits == NULL ? 0 : strlen(digits) / 2;
    uint8_t *bytes;
    int rc = 0;

    if (len_bytes == 0 || len_bytes > LAYER3_ITEM_MAX_BYTES) {
        return -EINVAL;
    }
    bytes = malloc(len_bytes);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < len_bytes && rc == 0; i++) {
        const int high = digit_of(digits[2 * i]);
        const int low = digit_of(digits[2 * i + 1]);

        rc = high < 0 || low < 0 ? -EINVAL : 0;
        bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    if (rc == 0) {
        rc = layer3_add(layer3, bytes, len_bytes);
    }
    free(bytes);
    return rc;
}

/* @return 0; -ESTALE when it is of another boot or namespace; -EINVAL; or what reading said */
static int read_root(const json_t *root, struct layer3 *layer3, char name[LINK_NAME_SIZE])
{
    const json_t *items = json_object_get(root, "items");
    const json_t *ifindex = json_object_get(root, "ifindex");
    const char *host = json_string_value(json_object_get(root, "host"));
    const char *of = json_string_value(json_object_get(root, "name"));
    const json_int_t noted_s = json_integer_value(json_object_get(root, "noted_s"));
    char this_host[HOST_ID_SIZE];
    int rc = host_id_read(this_host);

    if (rc != 0) {
        return rc;
    }
    if (json_integer_value(json_object_get(root, "version")) != RECORD_VERSION || host == NULL ||
        of == NULL || strlen(of) >= LINK_NAME_SIZE || !json_is_array(items) ||
        json_integer_value(ifindex) <= 0 || json_integer_value(ifindex) > INT_MAX || noted_s < 0) {
        return -EINVAL;
    }
    if (strcmp(host, this_host) != 0) {
        return -ESTALE;
    }
    (void)snprintf(name, LINK_NAME_SIZE, "%s", of);
    layer3->ifindex = (int)json_integer_value(ifindex);
    layer3->noted_s = (uint64_t)noted_s;
    for (size_t i = 0; i < json_array_size(items) && rc == 0; i++) {
        rc = read_item(json_array_get(items, i), layer3);
    }
    return rc;
}

static int read_file(const char *path, struct layer3 *layer3, char name[LINK_NAME_SIZE])
{
    size_t len_bytes = 0;
    char *text = NULL;
    json_t *root;
    int rc = persist_read(path, &text, &len_bytes);

    if (rc != 0) {
        return rc;
    }
    root = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES, NULL);
    rc = root == NULL ? -EINVAL : read_root(root, layer3, name);
    json_decref(root);
    free(text);
    return rc;
}

static void set_aside(const char *path, int rc)
{
    char aside[PATH_MAX + 16];

    (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
    (void)rename(path, aside);
    log_error("%s is not what a vswitchd of this version writes (%s), so addresses that an earlier "
              "one moved are not carried back; it is %s now, and its \"what\" lines say what the "
              "interface had", path, strerror(-rc), aside);
}

void move_record_each(const char *state_dir, move_record_fn *each, void *arg)
{
    DIR *dir = opendir(state_dir);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct layer3 layer3 = { 0 };
        char name[LINK_NAME_SIZE] = "";
        char path[PATH_MAX];
        int ifindex, rc, used = 0;

        if (sscanf(entry->d_name, RECORD_NAME "%n", &ifindex, &used) != 1 || used == 0 ||
            entry->d_name[used] != '\0') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", state_dir, entry->d_name);
        rc = read_file(path, &layer3, name);
        if (rc == 0) {
            each(arg, name, &layer3);
        } else if (rc == -ESTALE) {
            (void)unlink(path);
        } else {
            set_aside(path, rc);
        }
        layer3_free(&layer3);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}
