/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of the host's own adapter on a switch.
 *
 * It is called as its switch is, so that an operator finds it, and cut to what the kernel takes: of
 * a longer name a sum stands for what is cut off, so that two names that begin alike stay two.
 */
#include "switch/vswitch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/vswitch_inner.h"

#define NAME_LEN_MAX (VSWITCH_HOST_NAME_SIZE - 1)
#define IPV6_MTU_MIN_BYTES 1280u   /* RFC 8200, 5; below it the kernel takes no IPv6 address */
#define NAME_KEPT    10u           /* characters of a longer name, before '-' and four digits */

void vswitch_host_name(const char *switch_name, char name[VSWITCH_HOST_NAME_SIZE])
{
    uint32_t sum = 2166136261u;    /* FNV-1a */

    if (strlen(switch_name) <= NAME_LEN_MAX) {
        (void)snprintf(name, VSWITCH_HOST_NAME_SIZE, "%s", switch_name);
        return;
    }
    for (const char *c = switch_name; *c != '\0'; c++) {
        sum = (sum ^ (uint8_t)*c) * 16777619u;
    }
    (void)snprintf(name, VSWITCH_HOST_NAME_SIZE, "%.*s-%04x", (int)NAME_KEPT, switch_name,
                   (sum >> 16 ^ sum) & 0xffff);
}

/* What a switch without the adapter cannot have of it. */
static int check_without(const struct vswitch_switch *wanted, struct error *error)
{
    const char *option = wanted->host_mac != 0                   ? "--host-mac"
                         : wanted->host_vlan.mode != VLAN_NONE   ? "--host-vlan"
                         : wanted->host_address_count > 0        ? "--host-address"
                                                                 : NULL;

    if (wanted->type == VSWITCH_INTERNAL) {
        return error_set(error, EINVAL, "switch \"%s\" is internal, which always has a host vNIC; "
                         "choose --type private to have none", wanted->name);
    }
    if (option != NULL) {
        return error_set(error, EINVAL, "switch \"%s\" has no host vNIC, which %s would be for; "
                         "leave it out, or choose --type internal, or an external switch with "
                         "--host-vnic on", wanted->name, option);
    }
    return 0;
}

static int check_name(const struct vswitch_model *model, const struct vswitch_switch *is,
                      const struct vswitch_switch *wanted, struct error *error)
{
    char name[VSWITCH_HOST_NAME_SIZE];
    const struct vswitch_vnic *vnic;
    const struct vswitch_team *team;

    vswitch_host_name(wanted->name, name);
    vnic = vswitch_find_vnic(model, name);
    team = vswitch_team_with(model, NULL, name);
    if (vnic != NULL && is != NULL && vnic->switch_id == is->id) {
        return error_set(error, EEXIST, "switch \"%s\": host vNIC and vNIC \"%s\" would be two "
                         "ports of one name; remove the vNIC first", wanted->name, vnic->name);
    }
    if (strcmp(wanted->uplink, name) == 0) {
        return error_set(error, EEXIST, "switch \"%s\": its host vNIC would be called as its "
                         "uplink is; choose another name for the switch", wanted->name);
    }
    if (team != NULL) {
        return error_set(error, EEXIST, "switch \"%s\": its host vNIC would be called \"%s\", "
                         "which is a member of team \"%s\"; choose another name for the switch",
                         wanted->name, name, team->name);
    }
    for (size_t i = 0; i < model->switch_count; i++) {
        const struct vswitch_switch *each = &model->switches[i];

        if (each != is && (strcmp(each->host_name, name) == 0 || strcmp(each->uplink, name) == 0)) {
            return error_set(error, EEXIST, "switch \"%s\": its host vNIC would be called \"%s\", "
                             "which is the %s of switch \"%s\"; choose another name for the "
                             "switch", wanted->name, name,
                             strcmp(each->uplink, name) == 0 ? "uplink" : "host vNIC", each->name);
        }
    }
    return 0;
}

/* An address and the length of its network, as written "192.0.2.1/24" or "2001:db8::1/64". */
struct host_address {
    int family;
    uint8_t bytes[sizeof(struct in6_addr)];
    unsigned long prefix_bits;
};

static bool read_address(const char *text, struct host_address *read)
{
    const char *slash = strchr(text, '/');
    char address[VSWITCH_ADDRESS_SIZE];
    char *end;

    if (slash == NULL || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' ||
        slash[1] > '9') {
        return false;
    }
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    read->family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;
    read->prefix_bits = strtoul(slash + 1, &end, 10);
    return *end == '\0' && inet_pton(read->family, address, read->bytes) == 1 &&
           read->prefix_bits <= (read->family == AF_INET ? 32 : 128);
}

/*
 * Whether an adapter can have it: not all of the hosts there are, no loopback, no group and not
 * everybody.  The kernel takes some of these and does nothing, or something else, with them.
 */
static bool is_hosts(const struct host_address *address)
{
    static const uint8_t everybody[] = { 0xff, 0xff, 0xff, 0xff };
    const uint8_t *bytes = address->bytes;
    struct in6_addr v6;

    memcpy(&v6, bytes, sizeof(v6));
    if (address->prefix_bits == 0) {
        return false;
    }
    if (address->family == AF_INET) {
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] >> 4 != 0xe &&
               memcmp(bytes, everybody, sizeof(everybody)) != 0;
    }
    return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) &&
           !IN6_IS_ADDR_MULTICAST(&v6);
}

static int check_address(const struct vswitch_switch *wanted, const char *text,
                         struct error *error)
{
    struct host_address address = { .family = AF_UNSPEC };

    if (!read_address(text, &address)) {
        return error_set(error, EINVAL, "switch \"%s\": \"%s\" is no address with its prefix; "
                         "write it as 192.0.2.1/24 or 2001:db8::1/64", wanted->name,
                         text_show(text).text);
    }
    if (!is_hosts(&address)) {
        return error_set(error, EINVAL, "switch \"%s\": %s is no address that an adapter can "
                         "have; give one of a single host, with the length of its network",
                         wanted->name, text);
    }
    if (address.family == AF_INET6 && wanted->mtu_bytes < IPV6_MTU_MIN_BYTES) {
        return error_set(error, EINVAL, "switch \"%s\": its host vNIC cannot have %s, because "
                         "IPv6 needs an MTU of %u or more, and the switch's is %u; raise that, "
                         "or take the address out of --host-address", wanted->name, text,
                         IPV6_MTU_MIN_BYTES, wanted->mtu_bytes);
    }
    return 0;
}

static int check_addresses(const struct vswitch_switch *wanted, struct error *error)
{
    int rc = 0;

    for (uint16_t i = 0; i < wanted->host_address_count && rc == 0; i++) {
        rc = check_address(wanted, wanted->host_address[i], error);
    }
    return rc;
}

int vswitch_check_host(const struct vswitch_model *model, const struct vswitch_switch *is,
                       const struct vswitch_switch *wanted, struct error *error)
{
    struct error inner = { 0 };
    int rc;

    if (!wanted->host_vnic) {
        return check_without(wanted, error);
    }
    if (wanted->type == VSWITCH_PRIVATE) {
        return error_set(error, EINVAL, "switch \"%s\" is private, which has no host vNIC; leave "
                         "--host-vnic out or choose --type internal", wanted->name);
    }
    if (wanted->host_vlan.mode != VLAN_NONE && wanted->host_vlan.mode != VLAN_ACCESS) {
        return error_set(error, EINVAL, "switch \"%s\": its host vNIC is in one VLAN or in none; "
                         "choose --host-vlan none or one such as access:10", wanted->name);
    }
    if (vlan_policy_check(&wanted->host_vlan, &inner) != 0) {
        return error_set(error, EINVAL, "switch \"%s\": %s", wanted->name, inner.text);
    }
    rc = check_name(model, is, wanted, error);
    if (rc == 0) {
        rc = check_addresses(wanted, error);
    }
    if (rc == 0 && wanted->host_mac != 0) {
        char name[VSWITCH_HOST_NAME_SIZE];

        vswitch_host_name(wanted->name, name);
        rc = vswitch_check_mac(model, is != NULL ? is->host_port : VSWITCH_NO_PORT, name,
                               wanted->host_mac, error);
    }
    return rc;
}
