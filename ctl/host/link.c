/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/link.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "ctl/host/link_inner.h"
#include "switch/mac.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000       /* linux/if.h has it, and cannot be read next to net/if.h */
#endif
#define LIST_TRIES   5             /* a list that changed while it was read is read anew */

/* ---- asking ---------------------------------------------------------------------------------- */

struct answer {
    link_read_fn *read;
    void *arg;
    uint32_t sequence;             /* of the request: what is left of another is passed over */
    int rc;
    bool done;
    bool disturbed;                /* a list changed while it was read */
};

/* Instead of libnl's, which takes what is left of another answer for an error. */
static int on_sequence(struct nl_msg *message, void *arg)
{
    (void)message;
    (void)arg;
    return NL_OK;
}

static int on_message(struct nl_msg *message, void *arg)
{
    const struct answer *answer = arg;

    if (nlmsg_hdr(message)->nlmsg_seq == answer->sequence && answer->read != NULL) {
        answer->read(nlmsg_hdr(message), answer->arg);
    }
    return NL_OK;
}

static int on_end(struct nl_msg *message, void *arg)
{
    struct answer *answer = arg;

    answer->done = nlmsg_hdr(message)->nlmsg_seq == answer->sequence;
    return answer->done ? NL_STOP : NL_OK;
}

static int on_disturbed(struct nl_msg *message, void *arg)
{
    (void)message;
    ((struct answer *)arg)->disturbed = true;
    return NL_OK;
}

static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *arg)
{
    struct answer *answer = arg;

    (void)from;
    if (refusal->msg.nlmsg_seq != answer->sequence) {
        return NL_SKIP;
    }
    answer->rc = refusal->error;
    answer->done = true;
    return NL_STOP;
}

/* @return 0, -EAGAIN when a list changed while it was read, or a negative errno */
static int ask_once(struct nl_sock *socket, struct nl_msg *message, struct answer *answer)
{
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    int failed = callbacks == NULL ? -NLE_NOMEM : nl_send_auto(socket, message);

    if (failed >= 0) {
        answer->sequence = nlmsg_hdr(message)->nlmsg_seq;
        (void)nl_cb_set(callbacks, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, NULL);
        (void)nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_message, answer);
        (void)nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, on_end, answer);
        (void)nl_cb_set(callbacks, NL_CB_FINISH, NL_CB_CUSTOM, on_end, answer);
        (void)nl_cb_set(callbacks, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_disturbed, answer);
        (void)nl_cb_err(callbacks, NL_CB_CUSTOM, on_refusal, answer);
    }
    while (!answer->done && failed >= 0) {
        failed = nl_recvmsgs(socket, callbacks);
    }
    nl_cb_put(callbacks);
    if (!answer->done) {
        return failed == -NLE_NOMEM ? -ENOMEM : -EIO;
    }
    return answer->rc == 0 && answer->disturbed ? -EAGAIN : answer->rc;
}

struct nl_msg *link_message(int type, int flags, const void *head, size_t size_bytes)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, flags);

    if (message != NULL &&
        nlmsg_append(message, (void *)(uintptr_t)head, size_bytes, NLMSG_ALIGNTO) != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

int link_ask(struct links *links, struct nl_msg *message, link_read_fn *read, void *arg)
{
    int rc = message == NULL ? -ENOMEM : -EAGAIN;

    if (message != NULL && (nlmsg_hdr(message)->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
        nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
    }
    for (int tries = 0; tries < LIST_TRIES && rc == -EAGAIN; tries++) {
        struct answer answer = { .read = read, .arg = arg };

        if (read != NULL && tries > 0) {
            read(NULL, arg);
        }
        nlmsg_hdr(message)->nlmsg_seq = NL_AUTO_SEQ;
        rc = ask_once(links->socket, message, &answer);
    }
    nlmsg_free(message);
    return rc;
}

static const char *way_out(int rc)
{
    switch (-rc) {
    case EPERM:
    case EACCES:
        return "vswitchd needs CAP_NET_ADMIN in this network namespace";
    case ENODEV:
        return "it is not there any more; `ip link` lists the interfaces there are";
    case ENOMEM:
    case ENOBUFS:
        return "memory is short; free some and try again";
    case EBUSY:
        return "something else uses it; `ip -d link show` says what it is part of";
    default:
        return "its driver does not do that; `dmesg` may say more";
    }
}

int link_refuse(struct error *error, int rc, const char *name, const char *what, ...)
{
    char text[160];
    va_list args;

    va_start(args, what);
    (void)vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    return error_set(error, -rc, "interface \"%s\": %s (%s): %s", name, text, strerror(-rc),
                     way_out(rc));
}

/* ---- life ------------------------------------------------------------------------------------ */

struct links *links_open(struct error *error)
{
    struct links *links = calloc(1, sizeof(*links));

    if (links != NULL) {
        links->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        links->socket = nl_socket_alloc();
    }
    if (links == NULL || links->socket == NULL || links->ioctl_fd < 0 ||
        nl_connect(links->socket, NETLINK_ROUTE) != 0) {
        (void)error_set(error, EIO, "The kernel cannot be asked about its network interfaces: "
                        "there is no netlink socket to be had, for want of memory or rights.");
        links_close(links);
        return NULL;
    }
    return links;
}

void links_close(struct links *links)
{
    if (links == NULL) {
        return;
    }
    nl_socket_free(links->socket);
    if (links->ioctl_fd >= 0) {
        (void)close(links->ioctl_fd);
    }
    free(links);
}

/* ---- finding --------------------------------------------------------------------------------- */

static uint32_t read_u32(struct nlattr *attribute)
{
    return attribute != NULL && nla_len(attribute) >= (int)sizeof(uint32_t)
               ? nla_get_u32(attribute) : 0;
}

static void read_text(char *to, size_t size, const struct nlattr *attribute)
{
    if (attribute != NULL) {
        (void)nla_strlcpy(to, attribute, size);
    }
}

static void read_kind(struct link *link, struct nlattr *info)
{
    struct nlattr *part[IFLA_INFO_MAX + 1];

    if (info != NULL && nla_parse_nested(part, IFLA_INFO_MAX, info, NULL) == 0) {
        read_text(link->kind, sizeof(link->kind), part[IFLA_INFO_KIND]);
    }
}

static bool has_xdp(struct nlattr *xdp)
{
    struct nlattr *part[IFLA_XDP_MAX + 1];

    return xdp != NULL && nla_parse_nested(part, IFLA_XDP_MAX, xdp, NULL) == 0 &&
           part[IFLA_XDP_ATTACHED] != NULL &&
           nla_get_u8(part[IFLA_XDP_ATTACHED]) != XDP_ATTACHED_NONE;
}

static void read_link(struct nlmsghdr *message, void *arg)
{
    struct nlattr *part[IFLA_MAX + 1];
    struct link *link = arg;
    const struct ifinfomsg *info;
    uint32_t master;

    if (message == NULL || message->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(message, sizeof(*info), part, IFLA_MAX, NULL) != 0) {
        return;
    }
    info = nlmsg_data(message);
    link->ifindex = info->ifi_index;
    link->up = (info->ifi_flags & IFF_UP) != 0;
    link->carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
    link->loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    link->promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
    link->xdp = has_xdp(part[IFLA_XDP]);
    link->hardware = part[IFLA_PARENT_DEV_NAME] != NULL;
    link->mtu_bytes = read_u32(part[IFLA_MTU]);
    link->min_mtu_bytes = read_u32(part[IFLA_MIN_MTU]);
    link->max_mtu_bytes = read_u32(part[IFLA_MAX_MTU]);
    link->carrier_losses = read_u32(part[IFLA_CARRIER_DOWN_COUNT]);
    link->queues = (uint16_t)read_u32(part[IFLA_NUM_RX_QUEUES]);
    read_text(link->name, sizeof(link->name), part[IFLA_IFNAME]);
    read_kind(link, part[IFLA_LINKINFO]);
    if (part[IFLA_ADDRESS] != NULL && nla_len(part[IFLA_ADDRESS]) == 6) {
        link->mac = mac_read(nla_data(part[IFLA_ADDRESS]));
    }
    master = read_u32(part[IFLA_MASTER]);
    if (master != 0 && if_indextoname(master, link->master) == NULL) {
        (void)snprintf(link->master, sizeof(link->master), "#%u", master);
    }
}

/* A message about interface @p name or, when that is NULL, @p ifindex.  @return owned or NULL */
static struct nl_msg *new_message(int type, const char *name, struct ifinfomsg info)
{
    struct nl_msg *message = link_message(type, 0, &info, sizeof(info));

    if (message != NULL && name != NULL && nla_put_string(message, IFLA_IFNAME, name) != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

static int find(struct links *links, const char *name, int ifindex, struct link *link)
{
    const struct ifinfomsg info = { .ifi_index = ifindex };
    int rc;

    memset(link, 0, sizeof(*link));
    rc = link_ask(links, new_message(RTM_GETLINK, name, info), read_link, link);
    if (rc == 0 && link->ifindex == 0) {
        rc = -ENODEV;
    }
    if (rc == 0) {
        link_ask_ethtool(links, link);
    }
    return rc;
}

int link_find(struct links *links, const char *name, struct link *link, struct error *error)
{
    const bool possible = name[0] != '\0' && strlen(name) < LINK_NAME_SIZE;
    const int rc = possible ? find(links, name, 0, link) : -ENODEV;

    if (rc == -ENODEV) {
        return error_set(error, ENODEV, "there is no interface \"%.64s\" in this network "
                         "namespace; `ip link` lists those there are", name);
    }
    return rc == 0 ? 0 : link_refuse(error, rc, name, "it cannot be looked up");
}

int link_find_index(struct links *links, int ifindex, struct link *link, struct error *error)
{
    const int rc = find(links, NULL, ifindex, link);

    return rc == 0 ? 0 : error_set(error, -rc, "there is no interface number %d any more; "
                                   "`ip link` lists those there are", ifindex);
}

/* ---- changing -------------------------------------------------------------------------------- */

int link_set_mtu(struct links *links, const char *name, uint32_t mtu_bytes, struct error *error)
{
    struct nl_msg *message = new_message(RTM_SETLINK, name, (struct ifinfomsg){ 0 });
    int rc;

    if (message != NULL) {
        nla_put_u32(message, IFLA_MTU, mtu_bytes);
    }
    rc = link_ask(links, message, NULL, NULL);
    return rc == 0 ? 0 : link_refuse(error, rc, name, "its MTU cannot be set to %u", mtu_bytes);
}

/* @p what says what the flag means */
static int set_flag(struct links *links, const char *name, unsigned flag, bool on,
                    const char *what, struct error *error)
{
    const struct ifinfomsg info = { .ifi_flags = on ? flag : 0, .ifi_change = flag };
    const int rc = link_ask(links, new_message(RTM_SETLINK, name, info), NULL, NULL);

    return rc == 0 ? 0 : link_refuse(error, rc, name, "it cannot be set %s", what);
}

int link_set_up(struct links *links, const char *name, bool up, struct error *error)
{
    return set_flag(links, name, IFF_UP, up, up ? "up" : "down", error);
}

int link_set_promiscuous(struct links *links, const char *name, bool on, struct error *error)
{
    return set_flag(links, name, IFF_PROMISC, on, on ? "promiscuous" : "not promiscuous", error);
}

int link_set_mac(struct links *links, const char *name, uint64_t mac, struct error *error)
{
    struct nl_msg *message = new_message(RTM_SETLINK, name, (struct ifinfomsg){ 0 });
    char text[MAC_TEXT_SIZE];
    uint8_t bytes[6];
    int rc;

    mac_write(mac, bytes);
    if (message != NULL) {
        nla_put(message, IFLA_ADDRESS, sizeof(bytes), bytes);
    }
    rc = link_ask(links, message, NULL, NULL);
    return rc == 0 ? 0 : link_refuse(error, rc, name, "its address cannot be set to %s",
                                     mac_format(mac, text));
}

/* @p flags say which of the places for a program is meant; 0: the kernel's own choice */
static int drop_xdp(struct links *links, const char *name, uint32_t flags)
{
    struct nl_msg *message = new_message(RTM_SETLINK, name, (struct ifinfomsg){ 0 });
    struct nlattr *xdp = message == NULL ? NULL : nla_nest_start(message, IFLA_XDP);

    if (xdp != NULL) {
        nla_put_s32(message, IFLA_XDP_FD, -1);
        nla_put_u32(message, IFLA_XDP_FLAGS, flags);
        nla_nest_end(message, xdp);
    }
    return link_ask(links, message, NULL, NULL);
}

int link_drop_xdp(struct links *links, const char *name, struct error *error)
{
    static const uint32_t places[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };
    struct link link;
    int rc = link_find(links, name, &link, error);
    int dropped = 0;

    if (rc != 0 || !link.xdp) {
        return rc;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        dropped = drop_xdp(links, name, places[i]);
    }
    rc = link_find(links, name, &link, error);
    if (rc == 0 && link.xdp) {
        rc = link_refuse(error, dropped != 0 ? dropped : -EBUSY, name,
                         "its XDP program cannot be taken off");
    }
    return rc;
}
