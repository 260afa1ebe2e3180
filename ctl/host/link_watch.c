/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/link_watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define ROOM_BYTES (1 << 20)       /* for events that come while control is busy */

struct link_watch {
    struct nl_sock *socket;
    struct event *readable;
    link_watch_fn *changed;
    void *context;
};

static int on_message(struct nl_msg *message, void *arg)
{
    struct nlmsghdr *header = nlmsg_hdr(message);
    const struct link_watch *watch = arg;
    struct nlattr *part[IFLA_MAX + 1];
    const struct ifinfomsg *info;
    struct link_change change;

    if ((header->nlmsg_type == RTM_NEWLINK || header->nlmsg_type == RTM_DELLINK) &&
        nlmsg_parse(header, sizeof(*info), part, IFLA_MAX, NULL) == 0 &&
        part[IFLA_IFNAME] != NULL) {
        info = nlmsg_data(header);
        change = (struct link_change){
            .ifindex = info->ifi_index,
            .name = nla_get_string(part[IFLA_IFNAME]),
            .flows = header->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & IFF_UP) != 0 &&
                     (info->ifi_flags & IFF_LOWER_UP) != 0,
        };
        watch->changed(watch->context, &change);
    }
    return NL_OK;
}

/* One message a call, so that the loop comes back to its clients in a storm of them. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    const struct link_watch *watch = arg;

    (void)fd;
    (void)what;
    if (nl_recvmsgs_default(watch->socket) == -NLE_NOMEM) {
        watch->changed(watch->context, &(struct link_change){ .ifindex = 0 });
    }
}

static bool listen_to_links(struct link_watch *watch)
{
    nl_socket_disable_seq_check(watch->socket);
    return nl_socket_modify_cb(watch->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, watch) == 0 &&
           nl_connect(watch->socket, NETLINK_ROUTE) == 0 &&
           nl_socket_set_buffer_size(watch->socket, ROOM_BYTES, 0) == 0 &&
           nl_socket_set_nonblocking(watch->socket) == 0 &&
           nl_socket_add_memberships(watch->socket, RTNLGRP_LINK, 0) == 0;
}

struct link_watch *link_watch_create(struct event_base *base, link_watch_fn *changed,
                                     void *context, struct error *error)
{
    struct link_watch *watch = calloc(1, sizeof(*watch));

    if (watch != NULL) {
        watch->changed = changed;
        watch->context = context;
        watch->socket = nl_socket_alloc();
    }
    if (watch != NULL && watch->socket != NULL && listen_to_links(watch)) {
        watch->readable = event_new(base, nl_socket_get_fd(watch->socket), EV_READ | EV_PERSIST,
                                    on_readable, watch);
    }
    if (watch == NULL || watch->readable == NULL || event_add(watch->readable, NULL) != 0) {
        (void)error_set(error, EIO, "The kernel does not tell of changes of its network "
                        "interfaces: memory is short, or netlink is not allowed here.");
        link_watch_destroy(watch);
        return NULL;
    }
    return watch;
}

void link_watch_destroy(struct link_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    if (watch->readable != NULL) {
        event_free(watch->readable);
    }
    nl_socket_free(watch->socket);
    free(watch);
}
