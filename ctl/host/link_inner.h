/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of link.h share: a request to the kernel and its answer.
 *
 * libnl's own objects of interfaces do not know the largest MTU, and its errors are coarser than
 * the kernel's; so messages are made and read here, and libnl carries them.
 */
#ifndef CTL_LINK_INNER_H
#define CTL_LINK_INNER_H

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "ctl/host/link.h"

struct links {
    struct nl_sock *socket;
    int ioctl_fd;                  /* any socket: what ethtool's ioctl is called on */
};

/* One message of an answer, or NULL: the answer begins anew.  @p arg is the caller's. */
typedef void link_read_fn(struct nlmsghdr *message, void *arg);

/** @param head  what follows the netlink header; @return owned, or NULL when memory is short */
struct nl_msg *link_message(int type, int flags, const void *head, size_t size_bytes);

/**
 * Sends a request and reads its answer to the end.
 *
 * @param message  taken; NULL is answered with -ENOMEM
 * @param read     called for each message of the answer, and with NULL when a list changed while it
 *                 was read; NULL: an acknowledgement is enough
 * @return 0, or the negative errno of the kernel
 */
int link_ask(struct links *links, struct nl_msg *message, link_read_fn *read, void *arg);

/** Says that @p what, printf's ("its MTU cannot be set to %u"), failed for @p rc.  @return @p rc */
__attribute__((format(printf, 4, 5)))
int link_refuse(struct error *error, int rc, const char *name, const char *what, ...);

/** Fills driver and speed_mbps of a link whose name is filled. */
void link_ask_ethtool(const struct links *links, struct link *link);

#endif
