/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/link_neighbour.h"

#include <netlink/attr.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "ctl/host/link_inner.h"

/* A request about a neighbour.  @return owned, or NULL when memory is short */
static struct nl_msg *neighbour_message(int type, int flags, int ifindex, uint16_t state,
                                        uint8_t use, const struct layer3_ip *gateway)
{
    const struct ndmsg head = {
        .ndm_family = gateway->family, .ndm_ifindex = ifindex, .ndm_state = state,
        .ndm_flags = use,
    };
    struct nl_msg *message = link_message(type, flags, &head, sizeof(head));

    if (message != NULL &&
        nla_put(message, NDA_DST, gateway->family == AF_INET ? 4 : 16, gateway->bytes) != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

static void read_state(struct nlmsghdr *message, void *arg)
{
    if (message != NULL && message->nlmsg_type == RTM_NEWNEIGH &&
        nlmsg_valid_hdr(message, sizeof(struct ndmsg))) {
        *(uint16_t *)arg = ((const struct ndmsg *)nlmsg_data(message))->ndm_state;
    }
}

/* @return its NUD_ state; NUD_NONE when the kernel knows none */
static uint16_t state_of(struct links *links, int ifindex, const struct layer3_ip *gateway)
{
    uint16_t state = NUD_NONE;

    (void)link_ask(links, neighbour_message(RTM_GETNEIGH, 0, ifindex, 0, 0, gateway), read_state,
                   &state);
    return state;
}

enum neighbour link_neighbour(struct links *links, int ifindex,
                              const struct layer3_ip *gateway)
{
    const uint16_t state = state_of(links, ifindex, gateway);

    if ((state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) != 0) {
        return NEIGHBOUR_ANSWERS;
    }
    return (state & (NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0 ? NEIGHBOUR_KNOWN : NEIGHBOUR_SILENT;
}

void link_neighbour_ask(struct links *links, int ifindex, const struct layer3_ip *gateway)
{
    const uint16_t state = state_of(links, ifindex, gateway);

    if ((state & (NUD_STALE | NUD_DELAY)) != 0) {              /* it would wait for traffic first */
        (void)link_ask(links, neighbour_message(RTM_NEWNEIGH, NLM_F_REPLACE, ifindex, NUD_PROBE, 0,
                                                gateway), NULL, NULL);
    } else if (state == NUD_NONE || (state & NUD_FAILED) != 0) {
        (void)link_ask(links, neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex,
                                                NUD_NONE, NTF_USE, gateway), NULL, NULL);
    }
}
