/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses of an interface, and the route that leads out of the host.
 */
#include "ctl/host/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "ctl/host/link_inner.h"

/* Flags that say how an address is used; the others say how it fares, and are the kernel's. */
#define FLAGS_OF_USE (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | \
                      IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

/* ---- an address as text and as bytes -------------------------------------------------------- */

struct parsed {
    int family;
    uint8_t bytes[16];
    uint8_t prefix_bits;
};

static size_t size_of(int family)
{
    return family == AF_INET ? 4 : 16;
}

static int parse(const char *text, struct parsed *parsed)
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    unsigned prefix_bits = 0;
    char after;

    if (slash == NULL || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' ||
        slash[1] > '9' || sscanf(slash + 1, "%3u%c", &prefix_bits, &after) != 1) {
        return -EINVAL;
    }
    (void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    parsed->family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;
    if (inet_pton(parsed->family, address, parsed->bytes) != 1 ||
        prefix_bits > 8 * size_of(parsed->family)) {
        return -EINVAL;
    }
    parsed->prefix_bits = (uint8_t)prefix_bits;
    return 0;
}

int link_parse_address(const char *text, struct link_address *address, struct error *error)
{
    struct parsed parsed;
    char canonical[INET6_ADDRSTRLEN];

    if (parse(text, &parsed) != 0) {
        return error_set(error, EINVAL, "\"%.64s\" is no address with the length of its network; "
                         "write it as 192.0.2.1/24 or 2001:db8::1/64", text);
    }
    (void)inet_ntop(parsed.family, parsed.bytes, canonical, sizeof(canonical));
    *address = (struct link_address){
        .scope = RT_SCOPE_UNIVERSE, .valid_s = UINT32_MAX, .preferred_s = UINT32_MAX,
    };
    (void)snprintf(address->text, sizeof(address->text), "%s/%u", canonical, parsed.prefix_bits);
    return 0;
}

/* ---- those an interface has ----------------------------------------------------------------- */

struct address_list {
    int ifindex;
    struct link_address *address;
    size_t count;
    bool short_of_memory;
};

static void fill_address(struct link_address *address, const struct ifaddrmsg *head,
                         struct nlattr **part)
{
    const struct nlattr *own = part[IFA_LOCAL] != NULL ? part[IFA_LOCAL] : part[IFA_ADDRESS];
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(head->ifa_family, nla_data(own), text, sizeof(text));
    *address = (struct link_address){
        .scope = head->ifa_scope,
        .flags = (part[IFA_FLAGS] != NULL ? nla_get_u32(part[IFA_FLAGS]) : head->ifa_flags) &
                 FLAGS_OF_USE,
        .metric = part[IFA_RT_PRIORITY] != NULL ? nla_get_u32(part[IFA_RT_PRIORITY]) : 0,
        .valid_s = UINT32_MAX,
        .preferred_s = UINT32_MAX,
    };
    (void)snprintf(address->text, sizeof(address->text), "%s/%u", text, head->ifa_prefixlen);
    if (part[IFA_BROADCAST] != NULL && head->ifa_family == AF_INET) {
        (void)inet_ntop(AF_INET, nla_data(part[IFA_BROADCAST]), address->broadcast,
                        sizeof(address->broadcast));
    }
    if (part[IFA_CACHEINFO] != NULL) {
        const struct ifa_cacheinfo *life = nla_data(part[IFA_CACHEINFO]);

        address->valid_s = life->ifa_valid;
        address->preferred_s = life->ifa_prefered;
    }
}

static void read_address(struct nlmsghdr *message, void *arg)
{
    struct nlattr *part[IFA_MAX + 1];
    struct address_list *list = arg;
    const struct ifaddrmsg *head;
    struct link_address *more;

    if (message == NULL) {
        list->count = 0;
        return;
    }
    if (message->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(message, sizeof(*head), part, IFA_MAX, NULL) != 0) {
        return;
    }
    head = nlmsg_data(message);
    if ((int)head->ifa_index != list->ifindex || part[IFA_ADDRESS] == NULL ||
        (head->ifa_family != AF_INET && head->ifa_family != AF_INET6) ||
        nla_len(part[IFA_ADDRESS]) != (int)size_of(head->ifa_family) ||
        (head->ifa_family == AF_INET6 && head->ifa_scope == RT_SCOPE_LINK)) {
        return;
    }
    more = reallocarray(list->address, list->count + 1, sizeof(*more));
    if (more == NULL) {
        list->short_of_memory = true;
        return;
    }
    list->address = more;
    fill_address(&more[list->count++], head, part);
}

int link_addresses(struct links *links, const char *name, struct link_address **out, size_t *count,
                   struct error *error)
{
    struct address_list list = { .ifindex = (int)if_nametoindex(name) };
    const struct ifaddrmsg any = { .ifa_family = AF_UNSPEC };
    int rc = -ENODEV;

    if (list.ifindex != 0) {
        rc = link_ask(links, link_message(RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any)),
                      read_address, &list);
    }
    if (rc == 0 && list.short_of_memory) {
        rc = -ENOMEM;
    }
    if (rc != 0) {
        free(list.address);
        return link_refuse(error, rc, name, "its addresses cannot be read");
    }
    *out = list.address;
    *count = list.count;
    return 0;
}

int link_check_mtu_keeps(struct links *links, const struct link *link, uint32_t mtu_bytes,
                         struct error *error)
{
    struct link_address *address = NULL;
    size_t count = 0;
    int rc = 0;

    if (mtu_bytes >= LINK_IPV6_MTU_MIN_BYTES || link->mtu_bytes < LINK_IPV6_MTU_MIN_BYTES) {
        return 0;
    }
    rc = link_addresses(links, link->name, &address, &count, error);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (strchr(address[i].text, ':') != NULL) {
            rc = error_set(error, EBUSY, "interface \"%s\" has the IPv6 address %s, which it would "
                           "lose with an MTU of %u; choose --mtu %u or more, or remove the address "
                           "first (ip address del %s dev %s)", link->name, address[i].text,
                           mtu_bytes, LINK_IPV6_MTU_MIN_BYTES, address[i].text, link->name);
        }
    }
    free(address);
    return rc;
}

/* ---- adding and removing --------------------------------------------------------------------- */

/* A request about @p address of interface @p name.  @return owned or NULL */
static struct nl_msg *address_message(int type, unsigned ifindex, const struct parsed *parsed,
                                      const struct link_address *address)
{
    const struct ifaddrmsg head = {
        .ifa_family = (uint8_t)parsed->family,
        .ifa_prefixlen = parsed->prefix_bits,
        .ifa_scope = address->scope,
        .ifa_index = ifindex,
    };
    const int size = (int)size_of(parsed->family);
    const struct ifa_cacheinfo life = {
        .ifa_prefered = address->preferred_s, .ifa_valid = address->valid_s,
    };
    struct nl_msg *message = link_message(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0,
                                          &head, sizeof(head));
    uint8_t broadcast[4];
    int rc;

    if (message == NULL) {
        return NULL;
    }
    rc = nla_put(message, IFA_LOCAL, size, parsed->bytes);
    rc |= nla_put(message, IFA_ADDRESS, size, parsed->bytes);
    if (type == RTM_NEWADDR) {
        rc |= nla_put(message, IFA_CACHEINFO, sizeof(life), &life);
        rc |= nla_put_u32(message, IFA_FLAGS, address->flags);
        rc |= address->metric != 0 ? nla_put_u32(message, IFA_RT_PRIORITY, address->metric) : 0;
        rc |= inet_pton(AF_INET, address->broadcast, broadcast) == 1
                  ? nla_put(message, IFA_BROADCAST, sizeof(broadcast), broadcast) : 0;
    }
    if (rc != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

static int change_address(struct links *links, const char *name, int type,
                          const struct link_address *address)
{
    const unsigned ifindex = if_nametoindex(name);
    struct parsed parsed;

    if (ifindex == 0) {
        return -ENODEV;
    }
    if (parse(address->text, &parsed) != 0) {
        return -EINVAL;
    }
    return link_ask(links, address_message(type, ifindex, &parsed, address), NULL, NULL);
}

int link_add_address(struct links *links, const char *name, const struct link_address *address,
                     struct error *error)
{
    const int rc = change_address(links, name, RTM_NEWADDR, address);

    return rc == 0 || rc == -EEXIST ? 0 : link_refuse(error, rc, name, "the address %s cannot be "
                                                      "added", address->text);
}

int link_remove_address(struct links *links, const char *name, const struct link_address *address,
                        struct error *error)
{
    const int rc = change_address(links, name, RTM_DELADDR, address);

    return rc == 0 || rc == -EADDRNOTAVAIL ? 0 : link_refuse(error, rc, name, "the address %s "
                                                             "cannot be removed", address->text);
}

/* ---- the route out --------------------------------------------------------------------------- */

struct best_route {
    uint32_t metric;
    uint32_t ifindex;              /* 0: none found */
};

/* The interface of a route, the first one's when it goes several ways; 0 when it has none. */
static uint32_t route_ifindex(struct nlattr *const *part)
{
    if (part[RTA_OIF] != NULL) {
        return nla_get_u32(part[RTA_OIF]);
    }
    if (part[RTA_MULTIPATH] != NULL &&
        nla_len(part[RTA_MULTIPATH]) >= (int)sizeof(struct rtnexthop)) {
        return (uint32_t)((const struct rtnexthop *)nla_data(part[RTA_MULTIPATH]))->rtnh_ifindex;
    }
    return 0;
}

static void read_route(struct nlmsghdr *message, void *arg)
{
    struct best_route *best = arg;
    struct nlattr *part[RTA_MAX + 1];
    const struct rtmsg *route;
    uint32_t metric, ifindex;

    if (message == NULL) {
        best->ifindex = 0;
        return;
    }
    if (message->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse(message, sizeof(*route), part, RTA_MAX, NULL) != 0) {
        return;
    }
    route = nlmsg_data(message);
    ifindex = route_ifindex(part);
    metric = part[RTA_PRIORITY] != NULL ? nla_get_u32(part[RTA_PRIORITY]) : 0;
    if (route->rtm_dst_len == 0 && route->rtm_table == RT_TABLE_MAIN &&
        route->rtm_type == RTN_UNICAST && ifindex != 0 &&
        (best->ifindex == 0 || metric < best->metric)) {
        *best = (struct best_route){ .metric = metric, .ifindex = ifindex };
    }
}

int link_default_route(struct links *links, char name[LINK_NAME_SIZE], struct error *error)
{
    static const uint8_t families[] = { AF_INET, AF_INET6 };
    struct best_route best = { 0 };
    int rc = 0;

    for (size_t i = 0; i < sizeof(families) && rc == 0 && best.ifindex == 0; i++) {
        const struct rtmsg all = { .rtm_family = families[i] };

        rc = link_ask(links, link_message(RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all)),
                      read_route, &best);
    }
    if (rc != 0) {
        return error_set(error, -rc, "the host's default route cannot be read (%s); try again, or "
                         "say --force", strerror(-rc));
    }
    if (best.ifindex == 0 || if_indextoname(best.ifindex, name) == NULL) {
        name[0] = '\0';
    }
    return 0;
}
