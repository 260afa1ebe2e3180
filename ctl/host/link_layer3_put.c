/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saying addresses and routes to the kernel again, of the same interface or of another.
 *
 * The steps are in an order in which no address is ever gone from the host: added there, routes
 * and addresses removed here, routes added there.  The last step comes last because removing an
 * IPv4 address ends every route that prefers it as a source, on whatever interface.
 *
 * An IPv6 address is added without duplicate address detection, which it has behind it: for the
 * second that this takes it could not be the source of a route.  How it was to be used (the flags)
 * is then said a second time, so that it looks as it did.
 */
#include "ctl/host/link_layer3.h"

#include <errno.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "ctl/host/link_inner.h"

/* Flags that say how an address is used; the others say how it fares, and are the kernel's. */
#define ADDRESS_FLAGS_OF_USE (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | \
                              IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)
/* And of a route and its next hops. */
#define ROUTE_FLAGS_OF_USE   (RTNH_F_ONLINK | RTNH_F_PERVASIVE)
#define FOR_EVER             UINT32_MAX

/* One thing to be said. */
struct saying {
    const struct layer3 *layer3;
    const struct layer3_item *item;
    int type;                      /* RTM_ */
    int flags;                     /* NLM_F_ */
    int ifindex;                   /* of which it is said */
    uint32_t address_flags;        /* besides its own */
};

/* ---- an address ------------------------------------------------------------------------------ */

/* @return what is left of a lifetime, 0 when it is over */
static uint32_t lifetime_left(const struct layer3 *layer3, uint32_t lifetime_s)
{
    const uint64_t passed_s = layer3_now_s() - layer3->noted_s;

    if (lifetime_s == FOR_EVER) {
        return FOR_EVER;
    }
    return passed_s < lifetime_s ? (uint32_t)(lifetime_s - passed_s) : 0;
}

/* @return 0, -ETIME when the address has expired, or -ENOMEM */
static int say_lifetime(const struct saying *saying, struct nl_msg *message,
                        const struct nlattr *attribute)
{
    struct ifa_cacheinfo life;

    if (nla_len(attribute) < (int)sizeof(life)) {
        return 0;
    }
    memcpy(&life, nla_data(attribute), sizeof(life));
    life.ifa_valid = lifetime_left(saying->layer3, life.ifa_valid);
    life.ifa_prefered = lifetime_left(saying->layer3, life.ifa_prefered);
    if (life.ifa_valid == 0) {
        return -ETIME;
    }
    return nla_put(message, IFA_CACHEINFO, sizeof(life), &life) == 0 ? 0 : -ENOMEM;
}

static int say_address_part(const struct saying *saying, struct nl_msg *message,
                            const struct nlattr *attribute)
{
    const bool adding = saying->type == RTM_NEWADDR;
    const int type = nla_type(attribute);
    bool wanted = type == IFA_LOCAL || type == IFA_ADDRESS;

    if (adding && type == IFA_CACHEINFO) {
        return say_lifetime(saying, message, attribute);
    }
    if (adding && type == IFA_FLAGS && nla_len(attribute) == sizeof(uint32_t)) {
        return nla_put_u32(message, IFA_FLAGS, saying->address_flags |
                           (nla_get_u32(attribute) & ADDRESS_FLAGS_OF_USE)) == 0 ? 0 : -ENOMEM;
    }
    if (adding) {
        wanted = wanted || type == IFA_BROADCAST || type == IFA_ANYCAST || type == IFA_PROTO ||
                 type == IFA_RT_PRIORITY;
        /* A label begins with the name of the interface. */
        wanted = wanted || (type == IFA_LABEL && saying->ifindex == saying->layer3->ifindex);
    }
    return !wanted || nla_put(message, type, nla_len(attribute), nla_data(attribute)) == 0
               ? 0 : -ENOMEM;
}

static int start_address(const struct saying *saying, struct nl_msg **message)
{
    struct ifaddrmsg head = *(const struct ifaddrmsg *)nlmsg_data(saying->item->message);

    head.ifa_index = (uint32_t)saying->ifindex;
    head.ifa_flags = 0;
    *message = link_message(saying->type, saying->flags, &head, sizeof(head));
    return *message == NULL ? -ENOMEM : (int)sizeof(head);
}

/* ---- a route --------------------------------------------------------------------------------- */

/* Repeats the list of next hops, in which the interface is to be another. */
static int say_hops(const struct saying *saying, struct nl_msg *message,
                    const struct nlattr *attribute)
{
    struct nlattr *copy = nla_reserve(message, RTA_MULTIPATH, nla_len(attribute));
    uint8_t *at;
    int left_bytes = nla_len(attribute);

    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(nla_data(copy), nla_data(attribute), (size_t)nla_len(attribute));
    at = nla_data(copy);
    while (left_bytes >= (int)sizeof(struct rtnexthop)) {
        struct rtnexthop hop;

        memcpy(&hop, at, sizeof(hop));
        if (hop.rtnh_ifindex == saying->layer3->ifindex) {
            hop.rtnh_ifindex = saying->ifindex;
        }
        hop.rtnh_flags &= ROUTE_FLAGS_OF_USE;
        memcpy(at, &hop, sizeof(hop));
        if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left_bytes) {
            return -EINVAL;
        }
        at += RTNH_ALIGN(hop.rtnh_len);
        left_bytes -= (int)RTNH_ALIGN(hop.rtnh_len);
    }
    return 0;
}

/* @return 0, -ETIME when the route has expired, or -ENOMEM */
static int say_expiry(const struct saying *saying, struct nl_msg *message,
                      const struct nlattr *attribute)
{
    struct rta_cacheinfo info;
    uint32_t left_s;

    if (nla_len(attribute) < (int)sizeof(info)) {
        return 0;
    }
    memcpy(&info, nla_data(attribute), sizeof(info));
    if (info.rta_expires == 0) {
        return 0;
    }
    left_s = info.rta_expires < 0 ? 0 : lifetime_left(saying->layer3, (uint32_t)info.rta_expires /
                                                      (uint32_t)sysconf(_SC_CLK_TCK));
    if (left_s == 0) {
        return -ETIME;
    }
    return nla_put_u32(message, RTA_EXPIRES, left_s) == 0 ? 0 : -ENOMEM;
}

static int say_route_part(const struct saying *saying, struct nl_msg *message,
                          const struct nlattr *attribute)
{
    switch (nla_type(attribute)) {
    case RTA_OIF:
        return nla_put_u32(message, RTA_OIF, (uint32_t)saying->ifindex) == 0 ? 0 : -ENOMEM;
    case RTA_MULTIPATH:
        return say_hops(saying, message, attribute);
    case RTA_CACHEINFO:
        return saying->type == RTM_NEWROUTE ? say_expiry(saying, message, attribute) : 0;
    case RTA_DST:
    case RTA_SRC:
    case RTA_GATEWAY:
    case RTA_PRIORITY:
    case RTA_PREFSRC:
    case RTA_METRICS:
    case RTA_FLOW:
    case RTA_TABLE:
    case RTA_VIA:
    case RTA_PREF:
    case RTA_ENCAP_TYPE:
    case RTA_ENCAP:
    case RTA_TTL_PROPAGATE:
        return nla_put(message, nla_type(attribute), nla_len(attribute),
                       nla_data(attribute)) == 0 ? 0 : -ENOMEM;
    default:
        return 0;
    }
}

static int start_route(const struct saying *saying, struct nl_msg **message)
{
    struct rtmsg head = *(const struct rtmsg *)nlmsg_data(saying->item->message);

    head.rtm_flags &= ROUTE_FLAGS_OF_USE;
    *message = link_message(saying->type, saying->flags, &head, sizeof(head));
    return *message == NULL ? -ENOMEM : (int)sizeof(head);
}

/* ---- saying it ------------------------------------------------------------------------------- */

/* @return 0, -ETIME when there is nothing to be said any more, or the kernel's refusal */
static int say(struct links *links, const struct saying *saying)
{
    const struct nlmsghdr *was = saying->item->message;
    struct nl_msg *message = NULL;
    struct nlattr *attribute;
    int left_bytes;
    int rc = saying->item->is_route ? start_route(saying, &message)
                                    : start_address(saying, &message);

    if (rc < 0) {
        return rc;
    }
    attribute = nlmsg_attrdata(was, rc);
    left_bytes = nlmsg_attrlen(was, rc);
    rc = 0;
    for (; rc == 0 && nla_ok(attribute, left_bytes); attribute = nla_next(attribute, &left_bytes)) {
        rc = saying->item->is_route ? say_route_part(saying, message, attribute)
                                    : say_address_part(saying, message, attribute);
    }
    if (rc != 0) {
        nlmsg_free(message);
        return rc;
    }
    return link_ask(links, message, NULL, NULL);
}

static int put(struct links *links, const struct layer3 *layer3, const struct layer3_item *item,
               int ifindex)
{
    struct saying saying = { .layer3 = layer3, .item = item, .ifindex = ifindex };
    const struct ifaddrmsg *address = nlmsg_data(item->message);
    int rc;

    if (item->is_route) {
        saying.type = RTM_NEWROUTE;
        saying.flags = NLM_F_CREATE | NLM_F_APPEND;
        rc = say(links, &saying);
    } else {
        saying.type = RTM_NEWADDR;
        saying.flags = NLM_F_CREATE | NLM_F_EXCL;
        saying.address_flags = address->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
        rc = say(links, &saying);
        if (rc == 0 && saying.address_flags != 0) {
            saying.flags = NLM_F_REPLACE;
            saying.address_flags = 0;
            rc = say(links, &saying);
        }
    }
    return rc == -EEXIST || rc == -ETIME ? 0 : rc;
}

static int take(struct links *links, const struct layer3 *layer3, const struct layer3_item *item,
                int ifindex)
{
    const struct saying saying = {
        .layer3 = layer3, .item = item, .ifindex = ifindex,
        .type = item->is_route ? RTM_DELROUTE : RTM_DELADDR,
    };
    const int rc = say(links, &saying);

    return rc == -ESRCH || rc == -EADDRNOTAVAIL || rc == -ENODEV ? 0 : rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

typedef int step_fn(struct links *links, const struct layer3 *layer3,
                    const struct layer3_item *item, int ifindex);

struct carrying {
    struct links *links;
    const struct layer3 *layer3;
    enum layer3_care care;
    struct error *error;
    int rc;                        /* of the first refusal */
};

/* Does @p step with every address or every route, from the last when it takes. */
static void each(struct carrying *carrying, bool routes, step_fn *step, int ifindex)
{
    const struct layer3 *layer3 = carrying->layer3;

    for (size_t i = 0; i < layer3->count; i++) {
        const size_t at = step == take ? layer3->count - 1 - i : i;
        const struct layer3_item *item = &layer3->item[at];
        int rc;

        if (carrying->rc != 0 && carrying->care == LAYER3_ALL_OR_STOP) {
            return;
        }
        rc = item->is_route == routes ? step(carrying->links, layer3, item, ifindex) : 0;
        if (rc != 0 && carrying->rc == 0) {
            carrying->rc = error_set(carrying->error, -rc, "the %s %s cannot be %s (%s)",
                                     routes ? "route" : "address", item->text,
                                     step == take ? "removed" : "added", strerror(-rc));
        }
    }
}

int layer3_carry(struct links *links, const struct layer3 *layer3, int from, int to,
                 enum layer3_care care, struct error *error)
{
    struct carrying carrying = { .links = links, .layer3 = layer3, .care = care, .error = error };

    each(&carrying, false, put, to);
    if (from != 0) {
        each(&carrying, true, take, from);
        each(&carrying, false, take, from);
    }
    each(&carrying, true, put, to);
    return carrying.rc;
}
