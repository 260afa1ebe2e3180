/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/persist_record.h"
#include "ctl/state_file.h"
#include "ctl/value.h"

/* ---- from a model ---------------------------------------------------------------------------- */

static int append_all(json_t *list, const struct persist_section *section, const void *record)
{
    return json_array_append_new(list, persist_record_to_json(section, record));
}

static json_t *team_to_json(const struct vswitch_team *team)
{
    struct persist_team record = { .team = *team };

    for (unsigned m = 0; m < TEAM_MEMBERS_MAX; m++) {
        const struct vswitch_member *member = &team->member[m];

        if (member->where[0] == '\0') {
            continue;
        }
        memcpy(member->standby ? record.standby[record.standby_count++]
                               : record.member[record.member_count++],
               member->where, sizeof(member->where));
    }
    return persist_record_to_json(&persist_teams, &record);
}

static json_t *teams_to_json(const struct vswitch_model *model)
{
    json_t *list = json_array();

    for (size_t i = 0; i < model->team_count; i++) {
        if (json_array_append_new(list, team_to_json(&model->teams[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *switches_to_json(const struct vswitch_model *model)
{
    json_t *list = json_array();

    for (size_t i = 0; i < model->switch_count; i++) {
        if (append_all(list, &persist_switches, &model->switches[i]) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *vnics_to_json(const struct vswitch_model *model)
{
    json_t *list = json_array();

    for (size_t i = 0; i < model->vnic_count; i++) {
        struct persist_vnic record = { .vnic = model->vnics[i] };

        (void)snprintf(record.switch_name, sizeof(record.switch_name), "%s",
                       vswitch_by_id(model, record.vnic.switch_id)->name);
        if (append_all(list, &persist_vnics, &record) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *macs_to_json(const struct vswitch_model *model)
{
    json_t *list = json_array();

    for (size_t i = 0; i < model->mac_count; i++) {
        const struct vswitch_static_mac *pin = &model->macs[i];
        struct persist_mac record = { .mac = pin->mac, .vlan = pin->vlan };
        struct vswitch_port port;

        (void)snprintf(record.switch_name, sizeof(record.switch_name), "%s",
                       vswitch_by_id(model, pin->switch_id)->name);
        if (vswitch_port_at(model, pin->port, &port)) {
            (void)snprintf(record.port_name, sizeof(record.port_name), "%s", port.name);
        }
        if (append_all(list, &persist_macs, &record) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *persist_to_json(const struct vswitch_model *model)
{
    const struct persist_pool pool = {
        .next = model->pool_next, .first = model->pool_first, .last = model->pool_last,
    };

    json_t *root = json_pack("{s:i, s:o, s:o, s:o, s:o}", "version", PERSIST_VERSION,
                             "mac_pool", persist_record_to_json(&persist_pool, &pool),
                             "switches", switches_to_json(model),
                             "vnics", vnics_to_json(model), "macs", macs_to_json(model));

    /* A file without teams can be read by a daemon that knows none. */
    if (model->team_count > 0 && json_object_set_new(root, "teams", teams_to_json(model)) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* ---- to a model ------------------------------------------------------------------------------ */

static int check_version(const json_t *root, struct error *error)
{
    const json_t *version = json_object_get(root, "version");

    if (!json_is_integer(version)) {
        return error_set(error, EINVAL, "\"version\" is not there or no number: this is no state "
                         "file of vswitchd");
    }
    if (json_integer_value(version) > PERSIST_VERSION) {
        return error_set(error, EINVAL, "\"version\" is %" JSON_INTEGER_FORMAT ", and this "
                         "vswitchd reads no more than %d: it was written by a newer one, so "
                         "install that",
                         json_integer_value(version), PERSIST_VERSION);
    }
    if (json_integer_value(version) < 1) {
        return error_set(error, EINVAL, "\"version\" is %" JSON_INTEGER_FORMAT ", which never was",
                         json_integer_value(version));
    }
    return 0;
}

static int check_root(const json_t *root, struct error *error)
{
    static const struct {
        const char *key, *must;
        json_type type;
        bool optional;
    } parts[] = {
        { "version",  "must be there and be a number",  JSON_INTEGER, false },
        { "mac_pool", "must be there and be an object", JSON_OBJECT,  false },
        { "teams",    "must be a list",                 JSON_ARRAY,   true },
        { "switches", "must be there and be a list",    JSON_ARRAY,   false },
        { "vnics",    "must be there and be a list",    JSON_ARRAY,   false },
        { "macs",     "must be there and be a list",    JSON_ARRAY,   false },
    };
    const size_t count = sizeof(parts) / sizeof(parts[0]);
    const char *key;
    json_t *value;

    for (size_t i = 0; i < count; i++) {
        value = json_object_get(root, parts[i].key);
        if (value == NULL ? !parts[i].optional : json_typeof(value) != parts[i].type) {
            return error_set(error, EINVAL, "\"%s\" %s", parts[i].key, parts[i].must);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)root, key, value) {
        char quoted[VALUE_QUOTE_SIZE];
        size_t i = 0;

        while (i < count && strcmp(parts[i].key, key) != 0) {
            i++;
        }
        if (i == count) {
            return error_set(error, EINVAL, "the key %s is not known at the top",
                             value_quote(key, quoted));
        }
    }
    return 0;
}

static int read_pool(const json_t *root, struct vswitch_model *model, struct error *error)
{
    struct persist_pool record;
    int rc = persist_record_from_json(&persist_pool, json_object_get(root, "mac_pool"), &record,
                                      error);

    if (rc != 0) {
        return rc;
    }
    if (record.first == 0 && record.last == 0) {
        record.first = record.next & ~UINT64_C(0xff);
        record.last = record.next | 0xff;
    }
    rc = vswitch_set_pool(model, record.first, record.last, error);
    if (rc == 0 && (record.next < record.first || record.next > record.last)) {
        rc = error_set(error, EINVAL, "\"next\" must be from \"first\" to \"last\"");
    }
    model->pool_next = record.next;
    return rc;
}

static int read_members(struct persist_team *record, struct error *error)
{
    int rc = 0;

    for (uint16_t i = 0; i < record->member_count && rc == 0; i++) {
        rc = vswitch_team_put(&record->team, record->member[i], false, error);
    }
    for (uint16_t i = 0; i < record->standby_count && rc == 0; i++) {
        rc = vswitch_team_put(&record->team, record->standby[i], true, error);
    }
    return rc;
}

static int read_team(const json_t *item, struct vswitch_model *model, struct error *error)
{
    struct persist_team record;
    int rc = persist_record_from_json(&persist_teams, item, &record, error);

    if (rc == 0) {
        rc = read_members(&record, error);
    }
    return rc != 0 ? rc : vswitch_add_team(model, &record.team, error);
}

static int read_switch(const json_t *item, struct vswitch_model *model, struct error *error)
{
    struct vswitch_switch record;
    const int rc = persist_record_from_json(&persist_switches, item, &record, error);

    if (rc != 0) {
        return rc;
    }
    if (record.host_vnic && record.host_mac == 0) {
        return error_set(error, EINVAL, "the key \"host_mac\" is missing");
    }
    return vswitch_add(model, &record, error);
}

static int read_vnic(const json_t *item, struct vswitch_model *model, struct error *error)
{
    struct persist_vnic record;
    const int rc = persist_record_from_json(&persist_vnics, item, &record, error);

    return rc != 0 ? rc : vswitch_add_vnic(model, record.switch_name, &record.vnic, error);
}

static int read_mac(const json_t *item, struct vswitch_model *model, struct error *error)
{
    struct persist_mac record;
    const int rc = persist_record_from_json(&persist_macs, item, &record, error);

    return rc != 0 ? rc : vswitch_add_mac(model, record.switch_name, record.mac, record.vlan,
                                          record.port_name, error);
}

/* Each stands before what names it: a team, its switch, that one's vNICs, their addresses. */
static int read_lists(const json_t *root, struct vswitch_model *model, struct error *error)
{
    static const struct {
        const char *key;
        int (*read)(const json_t *item, struct vswitch_model *model, struct error *error);
    } lists[] = {
        { "teams", read_team }, { "switches", read_switch }, { "vnics", read_vnic },
        { "macs", read_mac },
    };

    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        const json_t *list = json_object_get(root, lists[l].key);

        for (size_t i = 0; i < json_array_size(list); i++) {
            struct error inner = { 0 };
            const int rc = lists[l].read(json_array_get(list, i), model, &inner);

            if (rc != 0) {
                return error_set(error, -rc, "%s[%zu]: %s", lists[l].key, i, inner.text);
            }
        }
    }
    return 0;
}

static int read_root(const json_t *root, struct vswitch_model *model, struct error *error)
{
    struct error inner = { 0 };
    int rc = check_version(root, error);

    if (rc == 0) {
        rc = check_root(root, error);
    }
    if (rc != 0) {
        return rc;
    }
    rc = read_pool(root, model, &inner);
    if (rc != 0) {
        return error_set(error, -rc, "mac_pool: %s", inner.text);
    }
    return read_lists(root, model, error);
}

int persist_from_text(const char *text, size_t len_bytes, struct vswitch_model **model,
                      struct error *error)
{
    struct vswitch_model *fresh = vswitch_model_create(0);
    json_error_t at;
    json_t *root;
    int rc;

    if (fresh == NULL) {
        return error_set(error, ENOMEM, "No memory is left to read it");
    }
    root = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL) {
        rc = error_set(error, EINVAL, "line %d, column %d: %s", at.line, at.column, at.text);
    } else if (!json_is_object(root)) {
        rc = error_set(error, EINVAL, "It is no JSON object");
    } else {
        rc = read_root(root, fresh, error);
    }
    json_decref(root);
    if (rc != 0) {
        vswitch_model_destroy(fresh);
        return rc;
    }
    *model = fresh;
    return 0;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Reads what a file has, to the size it had at first.  @return 0 or a negative errno */
static int read_all(int fd, char **text, size_t *len_bytes)
{
    struct stat st;
    char *bytes;
    size_t used = 0;

    if (fstat(fd, &st) != 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EINVAL;
    }
    if (st.st_size > (off_t)PERSIST_FILE_MAX_BYTES) {
        return -EFBIG;
    }
    bytes = malloc((size_t)st.st_size + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    while (used < (size_t)st.st_size) {
        const ssize_t n = read(fd, bytes + used, (size_t)st.st_size - used);

        if (n < 0 && errno != EINTR) {
            const int rc = -errno;

            free(bytes);
            return rc;
        }
        if (n == 0) {
            break;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    *text = bytes;
    *len_bytes = used;
    return 0;
}

int persist_read(const char *path, char **text, size_t *len_bytes)
{
    /* A pipe that nobody writes to must not hold the daemon's start. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc;

    if (fd < 0) {
        return -errno;
    }
    rc = read_all(fd, text, len_bytes);
    (void)close(fd);
    return rc;
}

int persist_load(const char *dir, struct vswitch_model **model, struct error *error)
{
    char path[PATH_MAX];
    struct error inner = { 0 };
    size_t len_bytes = 0;
    char *text = NULL;
    int rc;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, PERSIST_FILE_NAME);
    rc = persist_read(path, &text, &len_bytes);
    if (rc == -ENOENT) {
        return rc;
    }
    if (rc != 0) {
        return error_set(error, -rc, "The state file %s cannot be read (%s): make it readable, or "
                         "move it away to start with nothing.", path, strerror(-rc));
    }
    rc = persist_from_text(text, len_bytes, model, &inner);
    free(text);
    if (rc != 0) {
        return error_set(error, -rc, "The state file %s is refused and left as it is: %s; put it "
                         "right, or move it away to start with nothing.", path, inner.text);
    }
    return 0;
}

int persist_save(const char *dir, const struct vswitch_model *model, struct error *error)
{
    json_t *root = persist_to_json(model);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    const int rc = text == NULL ? -ENOMEM : state_file_write(dir, PERSIST_FILE_NAME, text);

    if (rc != 0) {
        (void)error_set(error, -rc, "The change cannot be kept in %s/%s (%s), so nothing was "
                        "changed: see to that directory and try again.", dir, PERSIST_FILE_NAME,
                        strerror(-rc));
    }
    free(text);
    json_decref(root);
    return rc;
}
