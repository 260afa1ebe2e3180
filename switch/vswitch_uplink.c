/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of uplinks: what an operator may name as one, and who may have it.
 *
 * Only the spelling is judged here.  Whether the device exists and works is for whoever opens it.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch/vswitch_inner.h"

#define WHERES "name a network interface (eth1), a PCI address (0000:01:00.0), a device of " \
               "DPDK's (vdev:net_tap0) or a team (team:t0)"
#define TEAM_PREFIX_LEN (sizeof(VSWITCH_TEAM_PREFIX) - 1)

/* ---- spelling -------------------------------------------------------------------------------- */

/* Printable, without a space, and at most @p len_max characters. */
static bool is_graphic(const char *text, size_t len_max)
{
    size_t len = 0;

    while (len <= len_max && text[len] > ' ' && text[len] <= '~') {
        len++;
    }
    return len > 0 && len <= len_max && text[len] == '\0';
}

/* What the kernel takes for the name of an interface. */
static bool is_interface(const char *text)
{
    return is_graphic(text, VSWITCH_HOST_NAME_SIZE - 1) && strpbrk(text, "/:") == NULL &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* Reads just @p digits hexadecimal digits and the character @p end behind them. */
static bool read_hex(const char **text, unsigned digits, char end, unsigned *value)
{
    static const char hex[] = "0123456789abcdef";

    *value = 0;
    for (unsigned i = 0; i < digits; i++, (*text)++) {
        const char *digit = **text == '\0' ? NULL : strchr(hex, **text >= 'A' && **text <= 'F'
                                                                    ? **text | 0x20 : **text);

        if (digit == NULL) {
            return false;
        }
        *value = *value << 4 | (unsigned)(digit - hex);
    }
    if (**text != end) {
        return false;
    }
    *text += end != '\0';
    return true;
}

/* "0000:01:00.0", or without the domain, which then is 0. */
static bool read_pci(const char *text, char device[VSWITCH_UPLINK_SIZE])
{
    unsigned domain = 0, bus, slot, function;
    const char *at = text;

    if (!read_hex(&at, 4, ':', &domain)) {
        at = text;
        domain = 0;
    }
    if (!read_hex(&at, 2, ':', &bus) || !read_hex(&at, 2, '.', &slot) ||
        !read_hex(&at, 1, '\0', &function) || slot > 0x1f || function > 7) {
        return false;
    }
    (void)snprintf(device, VSWITCH_UPLINK_SIZE, "%04x:%02x:%02x.%x", domain, bus, slot, function);
    return true;
}

/* How long the name of a device of DPDK's is, before its arguments; 0 when it is none. */
static size_t vdev_name_len(const char *device)
{
    const size_t len = strspn(device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789._-");

    return device[len] == '\0' || device[len] == ',' ? len : 0;
}

int vswitch_read_where(const char *where, enum vswitch_where *kind,
                       char device[VSWITCH_UPLINK_SIZE], struct error *error)
{
    if (read_pci(where, device)) {
        *kind = VSWITCH_WHERE_PCI;
        return 0;
    }
    if (is_interface(where)) {
        *kind = VSWITCH_WHERE_INTERFACE;
    } else if (strncmp(where, "vdev:", 5) == 0 && is_graphic(where, VSWITCH_UPLINK_SIZE - 1) &&
               vdev_name_len(where + 5) > 0) {
        *kind = VSWITCH_WHERE_VDEV;
        where += 5;
    } else if (strncmp(where, VSWITCH_TEAM_PREFIX, TEAM_PREFIX_LEN) == 0 &&
               vswitch_is_word(where + TEAM_PREFIX_LEN, VSWITCH_NAME_SIZE)) {
        *kind = VSWITCH_WHERE_TEAM;
        where += TEAM_PREFIX_LEN;
    } else {
        return error_set(error, EINVAL, "\"%s\" cannot be an uplink; " WHERES,
                         text_show(where).text);
    }
    (void)snprintf(device, VSWITCH_UPLINK_SIZE, "%s", where);
    return 0;
}

/* What a WHERE that has been checked comes down to. */
struct where {
    enum vswitch_where kind;
    char device[VSWITCH_UPLINK_SIZE];
};

static struct where read_checked(const char *text)
{
    struct where where = { .kind = VSWITCH_WHERE_INTERFACE };

    (void)vswitch_read_where(text, &where.kind, where.device, NULL);
    return where;
}

bool vswitch_same_uplink(const char *a, const char *b)
{
    const struct where left = read_checked(a), right = read_checked(b);

    return left.kind == right.kind && strcmp(left.device, right.device) == 0;
}

/* How much of the device's spelling says which it is, without arguments. */
static size_t name_len(const struct where *where)
{
    return where->kind == VSWITCH_WHERE_VDEV ? vdev_name_len(where->device)
                                             : strlen(where->device);
}

bool vswitch_clash(const char *a, const char *b)
{
    const struct where left = read_checked(a), right = read_checked(b);
    const size_t len = name_len(&left);

    return left.kind == right.kind && len == name_len(&right) &&
           memcmp(left.device, right.device, len) == 0;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static const char *type_word(enum vswitch_type type)
{
    return type == VSWITCH_PRIVATE ? "private" : "internal";
}

static int check_unused(const struct vswitch_model *model, const struct vswitch_switch *is,
                        const struct vswitch_switch *wanted, struct error *error)
{
    const struct vswitch_team *team = vswitch_team_with(model, NULL, wanted->uplink);

    if (team != NULL) {
        return error_set(error, EBUSY, "switch \"%s\" cannot have uplink \"%s\", which is a member "
                         "of team \"%s\"; name another, or take it out of the team first",
                         wanted->name, wanted->uplink, team->name);
    }
    for (size_t i = 0; i < model->switch_count; i++) {
        const struct vswitch_switch *each = &model->switches[i];

        if (each != is && each->uplink[0] != '\0' && vswitch_clash(wanted->uplink, each->uplink)) {
            return error_set(error, EBUSY, "switch \"%s\" cannot have uplink \"%s\", which is "
                             "that of switch \"%s\"; name another, or take it away there first",
                             wanted->name, wanted->uplink, each->name);
        }
        if (each != is && strcmp(wanted->uplink, each->host_name) == 0) {
            return error_set(error, EBUSY, "switch \"%s\" cannot have uplink \"%s\", which is the "
                             "host's own adapter on switch \"%s\"; name another", wanted->name,
                             wanted->uplink, each->name);
        }
    }
    return 0;
}

/* The addresses that --move-addresses moves are those of one interface of the host's. */
static int check_move(const struct vswitch_switch *wanted, enum vswitch_where kind,
                      struct error *error)
{
    if (!wanted->move_addresses) {
        return 0;
    }
    if (!wanted->host_vnic) {
        return error_set(error, EINVAL, "switch \"%s\": there is no host vNIC for "
                         "--move-addresses to carry addresses to; use it with --host-vnic on",
                         wanted->name);
    }
    if (kind == VSWITCH_WHERE_TEAM) {
        return error_set(error, EINVAL, "switch \"%s\": uplink \"%s\" is several interfaces, of "
                         "which none is the one to move addresses from; leave --move-addresses "
                         "out, and give the host vNIC its own with --host-address", wanted->name,
                         wanted->uplink);
    }
    if (kind != VSWITCH_WHERE_INTERFACE) {
        return error_set(error, EINVAL, "switch \"%s\": uplink \"%s\" is no network interface of "
                         "the host's, so it has no addresses; leave --move-addresses out",
                         wanted->name, wanted->uplink);
    }
    return 0;
}

static int check_external(const struct vswitch_model *model, const struct vswitch_switch *is,
                          const struct vswitch_switch *wanted, struct error *error)
{
    const struct vswitch_vnic *vnic = vswitch_find_vnic(model, wanted->uplink);
    struct error inner = { 0 };
    struct where where;
    int rc = vswitch_read_where(wanted->uplink, &where.kind, where.device, &inner);

    if (rc == 0 && where.kind == VSWITCH_WHERE_TEAM &&
        vswitch_need_team(model, where.device, &inner) == NULL) {
        rc = -ENOENT;
    }
    if (rc != 0) {
        return error_set(error, -rc, "switch \"%s\": %s", wanted->name, inner.text);
    }
    if (vnic != NULL && is != NULL && vnic->switch_id == is->id) {
        return error_set(error, EEXIST, "switch \"%s\": uplink and vNIC \"%s\" would be two ports "
                         "of one name; remove the vNIC first", wanted->name, vnic->name);
    }
    rc = check_move(wanted, where.kind, error);
    return rc != 0 ? rc : check_unused(model, is, wanted, error);
}

int vswitch_check_uplink(const struct vswitch_model *model, const struct vswitch_switch *is,
                         const struct vswitch_switch *wanted, struct error *error)
{
    if (wanted->type == VSWITCH_EXTERNAL && wanted->uplink[0] == '\0') {
        return error_set(error, EINVAL, "switch \"%s\" is external, which needs an uplink; give "
                         "one with --uplink, or choose another --type", wanted->name);
    }
    if (wanted->type == VSWITCH_EXTERNAL) {
        return check_external(model, is, wanted, error);
    }
    if (wanted->uplink[0] != '\0') {
        return error_set(error, EINVAL, "switch \"%s\" is %s, which has no uplink; leave --uplink "
                         "out or choose --type external", wanted->name, type_word(wanted->type));
    }
    if (wanted->move_addresses) {
        return error_set(error, EINVAL, "switch \"%s\" is %s and has no uplink to move addresses "
                         "from; leave --move-addresses out", wanted->name,
                         type_word(wanted->type));
    }
    return 0;
}
