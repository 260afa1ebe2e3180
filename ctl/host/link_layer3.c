/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading, and telling what a message is of.  Saying it again is link_layer3_put.c.
 *
 * Order matters twice.  The kernel's list of IPv6 addresses begins with the newest, so it is turned
 * round; and a route that needs a gateway comes after those by which the gateway is reached.
 */
#include "ctl/host/link_layer3.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "ctl/host/link_inner.h"

#define IPV6_LINK_LOCAL_BITS 10u   /* fe80::/10: RFC 4291, 2.4 */

/* In the order in which they are to be put. */
enum rank { ADDRESS_V4, ADDRESS_V6, ROUTE_DIRECT, ROUTE_BY_GATEWAY, RANK_COUNT };

uint64_t layer3_now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static int address_bytes(uint8_t family)
{
    return family == AF_INET ? 4 : 16;
}

static bool is_ip(uint8_t family)
{
    return family == AF_INET || family == AF_INET6;
}

/* Whether an attribute is there and is an address of @p family. */
static bool is_address(const struct nlattr *attribute, uint8_t family)
{
    return attribute != NULL && nla_len(attribute) == address_bytes(family);
}

/* ---- next hops ------------------------------------------------------------------------------- */

typedef void hop_fn(void *arg, int ifindex, struct nlattr *const *part);

/* Calls @p each for every next hop of a route; the parts of one that is alone are the route's. */
static void each_hop(struct nlattr *const *part, hop_fn *each, void *arg)
{
    struct nlattr *own[RTA_MAX + 1];
    const uint8_t *at;
    int left_bytes;

    if (part[RTA_OIF] != NULL && nla_len(part[RTA_OIF]) == sizeof(uint32_t)) {
        each(arg, (int)nla_get_u32(part[RTA_OIF]), part);
    }
    if (part[RTA_MULTIPATH] == NULL) {
        return;
    }
    at = nla_data(part[RTA_MULTIPATH]);
    left_bytes = nla_len(part[RTA_MULTIPATH]);
    while (left_bytes >= (int)sizeof(struct rtnexthop)) {
        struct rtnexthop hop;

        memcpy(&hop, at, sizeof(hop));
        if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left_bytes ||
            nla_parse(own, RTA_MAX, (struct nlattr *)(uintptr_t)(at + sizeof(hop)),
                      hop.rtnh_len - (int)sizeof(hop), NULL) != 0) {
            return;
        }
        each(arg, hop.rtnh_ifindex, own);
        at += RTNH_ALIGN(hop.rtnh_len);
        left_bytes -= (int)RTNH_ALIGN(hop.rtnh_len);
    }
}

/* Fills @p gateway of a hop of a route of @p family.  @return whether it has one */
static bool read_gateway(struct nlattr *const *part, uint8_t family, struct layer3_ip *gateway)
{
    const struct nlattr *via = part[RTA_VIA];

    *gateway = (struct layer3_ip){ .family = family };
    if (is_address(part[RTA_GATEWAY], family)) {
        memcpy(gateway->bytes, nla_data(part[RTA_GATEWAY]), (size_t)address_bytes(family));
        return true;
    }
    if (via != NULL && nla_len(via) == (int)sizeof(struct rtvia) + address_bytes(AF_INET6)) {
        gateway->family = AF_INET6;                            /* of an IPv4 route: RFC 5549 */
        memcpy(gateway->bytes, (uint8_t *)nla_data(via) + sizeof(struct rtvia), 16);
        return true;
    }
    return false;
}

struct hops {
    int ifindex;                   /* of those that count */
    uint8_t family;                /* of the route */
    size_t count;
    size_t gateway_count;
    struct layer3_ip *gateway;   /* filled without doubles; NULL: only counted */
    size_t max;
};

static void count_hop(void *arg, int ifindex, struct nlattr *const *part)
{
    struct hops *hops = arg;
    struct layer3_ip gateway;

    if (ifindex != hops->ifindex) {
        return;
    }
    hops->count++;
    if (!read_gateway(part, hops->family, &gateway)) {
        return;
    }
    if (hops->gateway == NULL) {
        hops->gateway_count++;
        return;
    }
    for (size_t i = 0; i < hops->gateway_count; i++) {
        if (memcmp(&hops->gateway[i], &gateway, sizeof(gateway)) == 0) {
            return;
        }
    }
    if (hops->gateway_count < hops->max) {
        hops->gateway[hops->gateway_count++] = gateway;
    }
}

/* ---- what a message is of -------------------------------------------------------------------- */

static bool is_kept_address(const struct nlmsghdr *message, int ifindex)
{
    struct nlattr *part[IFA_MAX + 1];
    const struct ifaddrmsg *head = nlmsg_data(message);
    uint32_t flags;

    if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*head), part, IFA_MAX,
                    NULL) != 0 ||
        (int)head->ifa_index != ifindex || !is_ip(head->ifa_family) ||
        !is_address(part[IFA_ADDRESS], head->ifa_family)) {
        return false;
    }
    flags = part[IFA_FLAGS] != NULL && nla_len(part[IFA_FLAGS]) == sizeof(flags)
                ? nla_get_u32(part[IFA_FLAGS]) : head->ifa_flags;
    return (flags & IFA_F_DADFAILED) == 0 &&
           (head->ifa_family == AF_INET || head->ifa_scope != RT_SCOPE_LINK);
}

/* Whether a route of IPv6 is to what every interface has for itself. */
static bool is_link_local(const struct rtmsg *head, struct nlattr *const *part)
{
    const uint8_t *to;

    if (head->rtm_family != AF_INET6 || !is_address(part[RTA_DST], AF_INET6) ||
        head->rtm_dst_len < IPV6_LINK_LOCAL_BITS) {
        return false;
    }
    to = nla_data(part[RTA_DST]);
    return to[0] == 0xfe && (to[1] & 0xc0) == 0x80;
}

static bool is_kept_route(const struct nlmsghdr *message, int ifindex, bool *needs_object)
{
    struct nlattr *part[RTA_MAX + 1];
    const struct rtmsg *head = nlmsg_data(message);
    struct hops hops = { .ifindex = ifindex, .family = head->rtm_family };

    if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*head), part, RTA_MAX,
                    NULL) != 0 ||
        !is_ip(head->rtm_family) || head->rtm_type != RTN_UNICAST ||
        head->rtm_table == RT_TABLE_LOCAL || (head->rtm_flags & RTM_F_CLONED) != 0 ||
        is_link_local(head, part)) {
        return false;
    }
    *needs_object = part[RTA_NH_ID] != NULL;
    each_hop(part, count_hop, &hops);
    return hops.count > 0;
}

static enum rank rank_of(const struct layer3 *layer3, const struct layer3_item *item)
{
    const struct rtmsg *route = nlmsg_data(item->message);
    const struct ifaddrmsg *address = nlmsg_data(item->message);
    struct hops hops = { .ifindex = layer3->ifindex };
    struct nlattr *part[RTA_MAX + 1];

    if (!item->is_route) {
        return address->ifa_family == AF_INET ? ADDRESS_V4 : ADDRESS_V6;
    }
    hops.family = route->rtm_family;
    (void)nlmsg_parse(item->message, sizeof(*route), part, RTA_MAX, NULL);
    each_hop(part, count_hop, &hops);
    return hops.gateway_count == 0 ? ROUTE_DIRECT : ROUTE_BY_GATEWAY;
}

bool layer3_address(const struct layer3_item *item, struct layer3_ip *own)
{
    const struct ifaddrmsg *head = nlmsg_data(item->message);
    struct nlattr *part[IFA_MAX + 1];
    const struct nlattr *at;

    if (item->is_route) {
        return false;
    }
    (void)nlmsg_parse(item->message, sizeof(*head), part, IFA_MAX, NULL);
    at = is_address(part[IFA_LOCAL], head->ifa_family) ? part[IFA_LOCAL] : part[IFA_ADDRESS];
    *own = (struct layer3_ip){ .family = head->ifa_family };
    memcpy(own->bytes, nla_data(at), (size_t)address_bytes(head->ifa_family));
    return true;
}

/* ---- as text --------------------------------------------------------------------------------- */

static void write_address(struct layer3_item *item)
{
    const struct ifaddrmsg *head = nlmsg_data(item->message);
    char address[INET6_ADDRSTRLEN] = "";
    struct layer3_ip own;

    (void)layer3_address(item, &own);
    (void)inet_ntop(own.family, own.bytes, address, sizeof(address));
    (void)snprintf(item->text, sizeof(item->text), "%s/%u", address, head->ifa_prefixlen);
}

static void write_route(struct layer3_item *item, int ifindex)
{
    const struct rtmsg *head = nlmsg_data(item->message);
    struct layer3_ip gateway;
    struct hops hops = { .ifindex = ifindex, .family = head->rtm_family, .gateway = &gateway,
                         .max = 1 };
    struct nlattr *part[RTA_MAX + 1];
    char address[INET6_ADDRSTRLEN];
    const size_t size = sizeof(item->text);
    size_t used;

    (void)nlmsg_parse(item->message, sizeof(*head), part, RTA_MAX, NULL);
    each_hop(part, count_hop, &hops);
    if (is_address(part[RTA_DST], head->rtm_family)) {
        (void)inet_ntop(head->rtm_family, nla_data(part[RTA_DST]), address, sizeof(address));
        used = (size_t)snprintf(item->text, size, "%s/%u", address, head->rtm_dst_len);
    } else {
        used = (size_t)snprintf(item->text, size, "default");
    }
    if (hops.gateway_count > 0) {
        (void)inet_ntop(gateway.family, gateway.bytes, address, sizeof(address));
        used += (size_t)snprintf(item->text + used, size - used, " via %s", address);
    }
    if (part[RTA_PRIORITY] != NULL && nla_len(part[RTA_PRIORITY]) == sizeof(uint32_t)) {
        used += (size_t)snprintf(item->text + used, size - used, " metric %u",
                                 nla_get_u32(part[RTA_PRIORITY]));
    }
    if (part[RTA_TABLE] != NULL && nla_len(part[RTA_TABLE]) == sizeof(uint32_t) &&
        nla_get_u32(part[RTA_TABLE]) != RT_TABLE_MAIN) {
        (void)snprintf(item->text + used, size - used, " table %u", nla_get_u32(part[RTA_TABLE]));
    }
}

/* ---- the list -------------------------------------------------------------------------------- */

/* @return 0 when @p message is one of those kept, -EOPNOTSUPP or -EINVAL when not */
static int check(const struct nlmsghdr *message, int ifindex)
{
    bool needs_object = false;

    if (message->nlmsg_type == RTM_NEWADDR && nlmsg_valid_hdr(message, sizeof(struct ifaddrmsg))) {
        return is_kept_address(message, ifindex) ? 0 : -EINVAL;
    }
    if (message->nlmsg_type == RTM_NEWROUTE && nlmsg_valid_hdr(message, sizeof(struct rtmsg)) &&
        is_kept_route(message, ifindex, &needs_object)) {
        return needs_object ? -EOPNOTSUPP : 0;
    }
    return -EINVAL;
}

/* Takes @p message, also when there is no memory for its place. */
static int append(struct layer3 *layer3, struct nlmsghdr *message)
{
    struct layer3_item *more = reallocarray(layer3->item, layer3->count + 1, sizeof(*more));
    struct layer3_item *item;

    if (more == NULL) {
        free(message);
        return -ENOMEM;
    }
    layer3->item = more;
    item = &more[layer3->count++];
    *item = (struct layer3_item){ .message = message,
                                  .is_route = message->nlmsg_type == RTM_NEWROUTE };
    if (item->is_route) {
        write_route(item, layer3->ifindex);
    } else {
        write_address(item);
    }
    return 0;
}

int layer3_add(struct layer3 *layer3, const void *message, size_t len_bytes)
{
    struct nlmsghdr *copy;
    int rc;

    if (len_bytes < sizeof(*copy) || len_bytes > LAYER3_ITEM_MAX_BYTES) {
        return -EINVAL;
    }
    copy = malloc(len_bytes);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, message, len_bytes);
    rc = copy->nlmsg_len == len_bytes ? check(copy, layer3->ifindex) : -EINVAL;
    if (rc != 0) {
        free(copy);
        return rc;
    }
    return append(layer3, copy);
}

static void truncate_to(struct layer3 *layer3, size_t count)
{
    while (layer3->count > count) {
        free(layer3->item[--layer3->count].message);
    }
}

void layer3_free(struct layer3 *layer3)
{
    truncate_to(layer3, 0);
    free(layer3->item);
    layer3->item = NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct layer3 *layer3;
    size_t before;                 /* items when the list that is being read began */
    int rc;
};

static void read_item(struct nlmsghdr *message, void *arg)
{
    struct reading *reading = arg;
    int rc;

    if (message == NULL) {
        truncate_to(reading->layer3, reading->before);
        reading->rc = 0;
        return;
    }
    rc = layer3_add(reading->layer3, message, message->nlmsg_len);
    if (rc != 0 && rc != -EINVAL) {
        reading->rc = rc;
    }
}

static int read_list(struct links *links, struct nl_msg *request, struct layer3 *layer3)
{
    struct reading reading = { .layer3 = layer3, .before = layer3->count };
    const int rc = link_ask(links, request, read_item, &reading);

    return rc != 0 ? rc : reading.rc;
}

static int read_all(struct links *links, struct layer3 *layer3)
{
    static const uint8_t families[] = { AF_INET, AF_INET6 };
    const struct ifaddrmsg any = { .ifa_family = AF_UNSPEC };
    int rc = read_list(links, link_message(RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any)), layer3);

    for (size_t i = 0; i < sizeof(families) && rc == 0; i++) {
        const struct rtmsg all = { .rtm_family = families[i] };

        rc = read_list(links, link_message(RTM_GETROUTE, NLM_F_DUMP, &all, sizeof(all)), layer3);
    }
    return rc;
}

static int put_in_order(struct layer3 *layer3)
{
    struct layer3_item *sorted = calloc(layer3->count + 1, sizeof(*sorted));
    size_t count = 0;

    if (sorted == NULL) {
        return -ENOMEM;
    }
    for (enum rank rank = 0; rank < RANK_COUNT; rank++) {
        for (size_t i = 0; i < layer3->count; i++) {
            const size_t at = rank == ADDRESS_V6 ? layer3->count - 1 - i : i;

            if (rank_of(layer3, &layer3->item[at]) == rank) {
                sorted[count++] = layer3->item[at];
            }
        }
    }
    free(layer3->item);
    layer3->item = sorted;
    return 0;
}

int layer3_read(struct links *links, int ifindex, const char *name, struct layer3 *layer3,
                struct error *error)
{
    int rc;

    *layer3 = (struct layer3){ .ifindex = ifindex, .noted_s = layer3_now_s() };
    rc = read_all(links, layer3);
    if (rc == 0) {
        rc = put_in_order(layer3);
    }
    if (rc == 0) {
        return 0;
    }
    layer3_free(layer3);
    if (rc == -EOPNOTSUPP) {
        return error_set(error, -rc, "interface \"%s\": a route by it uses a nexthop object, "
                         "which other routes may share; `ip route` shows it with \"nhid\": give it "
                         "a next hop of its own", name);
    }
    return link_refuse(error, rc, name, "its addresses and routes cannot be read");
}

size_t layer3_gateways(const struct layer3 *layer3, struct layer3_ip *gateway, size_t max)
{
    struct hops hops = { .ifindex = layer3->ifindex, .gateway = gateway, .max = max };
    struct nlattr *part[RTA_MAX + 1];

    for (size_t i = 0; i < layer3->count; i++) {
        if (layer3->item[i].is_route) {
            const struct rtmsg *head = nlmsg_data(layer3->item[i].message);

            hops.family = head->rtm_family;
            (void)nlmsg_parse(layer3->item[i].message, sizeof(*head), part, RTA_MAX, NULL);
            each_hop(part, count_hop, &hops);
        }
    }
    return hops.gateway_count;
}
