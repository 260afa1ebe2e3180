/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/host/exclusive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define TABLE_NAME_SIZE  48u
#define CHAIN_NAME       "drop"
#define BATCH_SIZE_BYTES 4096u

struct exclusive {
    struct nl_sock *socket;        /* the table lives as long */
};

/* What is to be done at once: messages of nf_tables take effect by the batch. */
struct batch {
    uint8_t bytes[BATCH_SIZE_BYTES];
    size_t len_bytes;
};

/* Adds @p message, taken.  @return 0 or -ENOMEM */
static int batch_add(struct batch *batch, struct nl_msg *message)
{
    const size_t len_bytes = message == NULL ? 0 : NLMSG_ALIGN(nlmsg_hdr(message)->nlmsg_len);
    const bool fits = message != NULL && len_bytes <= sizeof(batch->bytes) - batch->len_bytes;

    if (fits) {
        memcpy(&batch->bytes[batch->len_bytes], nlmsg_hdr(message),
               nlmsg_hdr(message)->nlmsg_len);
        batch->len_bytes += len_bytes;
    }
    nlmsg_free(message);
    return fits ? 0 : -ENOMEM;
}

/* @return owned, or NULL when memory is short */
static struct nl_msg *new_message(int type, int flags, uint8_t family, uint16_t resource)
{
    const struct nfgenmsg head = {
        .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource),
    };
    struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

    if (message != NULL &&
        nlmsg_append(message, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

static int add_table(struct batch *batch, const char *table)
{
    struct nl_msg *message = new_message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
                                         NLM_F_CREATE | NLM_F_EXCL, NFPROTO_NETDEV, 0);

    if (message != NULL) {
        nla_put_string(message, NFTA_TABLE_NAME, table);
        nla_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
    }
    return batch_add(batch, message);
}

static int add_chain(struct batch *batch, const char *table, const char *interface)
{
    struct nl_msg *message = new_message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN,
                                         NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_NETDEV, 0);
    struct nlattr *hook;

    if (message != NULL) {
        nla_put_string(message, NFTA_CHAIN_TABLE, table);
        nla_put_string(message, NFTA_CHAIN_NAME, CHAIN_NAME);
        nla_put_string(message, NFTA_CHAIN_TYPE, "filter");
        nla_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_DROP));
        hook = nla_nest_start(message, NFTA_CHAIN_HOOK);
        if (hook != NULL) {
            nla_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
            nla_put_u32(message, NFTA_HOOK_PRIORITY, 0);
            nla_put_string(message, NFTA_HOOK_DEV, interface);
            nla_nest_end(message, hook);
        }
    }
    return batch_add(batch, message);
}

/* Instead of libnl's, which expects the number of a request that it has sent itself. */
static int on_sequence(struct nl_msg *message, void *arg)
{
    (void)message;
    (void)arg;
    return NL_OK;
}

static int on_answer(struct sockaddr_nl *from, struct nlmsgerr *answer, void *arg)
{
    (void)from;
    *(int *)arg = answer->error;
    return NL_STOP;
}

static int on_done(struct nl_msg *message, void *arg)
{
    (void)message;
    *(int *)arg = 0;
    return NL_STOP;
}

/* Sends the batch and reads its first answer: what failed first, or that the chain stands. */
static int commit(struct nl_sock *socket, struct batch *batch)
{
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    int rc = -ENOMEM;

    if (callbacks == NULL) {
        return rc;
    }
    rc = -EIO;
    (void)nl_cb_set(callbacks, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, NULL);
    (void)nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, on_done, &rc);
    (void)nl_cb_err(callbacks, NL_CB_CUSTOM, on_answer, &rc);
    if (nl_sendto(socket, batch->bytes, batch->len_bytes) >= 0) {
        (void)nl_recvmsgs(socket, callbacks);
    }
    nl_cb_put(callbacks);
    return rc;
}

/* An interface that comes back with its old number may find the table of before still there. */
static int make_table(struct nl_sock *socket, const char *interface, int ifindex)
{
    static unsigned serial;
    struct batch batch = { .len_bytes = 0 };
    char table[TABLE_NAME_SIZE];
    int rc;

    (void)snprintf(table, sizeof(table), "vswitch-%.15s-%d-%u", interface, ifindex,
                   serial++);
    rc = batch_add(&batch, new_message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    rc = rc != 0 ? rc : add_table(&batch, table);
    rc = rc != 0 ? rc : add_chain(&batch, table, interface);
    rc = rc != 0 ? rc : batch_add(&batch, new_message(NFNL_MSG_BATCH_END, 0, AF_UNSPEC,
                                                      NFNL_SUBSYS_NFTABLES));
    return rc != 0 ? rc : commit(socket, &batch);
}

struct exclusive *exclusive_take(const char *name, int ifindex, struct error *error)
{
    struct exclusive *exclusive = calloc(1, sizeof(*exclusive));
    int rc = -ENOMEM;

    if (exclusive != NULL) {
        exclusive->socket = nl_socket_alloc();
    }
    if (exclusive != NULL && exclusive->socket != NULL) {
        rc = nl_connect(exclusive->socket, NETLINK_NETFILTER) != 0
                 ? -EPROTONOSUPPORT : make_table(exclusive->socket, name, ifindex);
    }
    if (rc != 0) {
        (void)error_set(error, -rc, "the host's own stack sees the frames too, because nf_tables "
                        "cannot keep it off (%s)", strerror(-rc));
        exclusive_drop(exclusive);
        return NULL;
    }
    return exclusive;
}

void exclusive_drop(struct exclusive *exclusive)
{
    if (exclusive != NULL) {
        nl_socket_free(exclusive->socket);
        free(exclusive);
    }
}
