/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_channel.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(offsetof(struct vhost_message, payload) == VHOST_MESSAGE_HEAD_BYTES,
               "the head of a message is three words");

void vhost_channel_open(struct vhost_channel *channel, int fd)
{
    channel->fd = fd;
    channel->have_bytes = 0;
    channel->message.fd_count = 0;
}

/* Keeps the descriptors of @p head; false when there are more than a message can have. */
static bool keep_fds(struct vhost_message *m, struct msghdr *head)
{
    bool fit = (head->msg_flags & MSG_CTRUNC) == 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
        size_t count;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (m->fd_count < VHOST_MESSAGE_FDS_MAX) {
                m->fd[m->fd_count++] = fd;
            } else {
                (void)close(fd);
                fit = false;
            }
        }
    }
    return fit;
}

/* Reads up to @p end_bytes of the message. */
static enum vhost_heard read_on(struct vhost_channel *channel, uint32_t end_bytes)
{
    union {
        struct cmsghdr first;
        uint8_t room[CMSG_SPACE(VHOST_MESSAGE_FDS_MAX * sizeof(int))];
    } control;
    struct iovec piece = {
        .iov_base = (uint8_t *)&channel->message + channel->have_bytes,
        .iov_len = end_bytes - channel->have_bytes,
    };
    struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t count;

    do {
        count = recvmsg(channel->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? VHOST_HEARD_NOTHING : VHOST_HEARD_END;
    }
    if (count == 0) {
        return VHOST_HEARD_END;
    }
    channel->have_bytes += (uint32_t)count;
    return keep_fds(&channel->message, &head) ? VHOST_HEARD_MESSAGE : VHOST_HEARD_GARBAGE;
}

enum vhost_heard vhost_channel_hear(struct vhost_channel *channel)
{
    const struct vhost_message *m = &channel->message;
    uint32_t end_bytes = VHOST_MESSAGE_HEAD_BYTES;

    for (;;) {
        enum vhost_heard heard;

        if (channel->have_bytes >= VHOST_MESSAGE_HEAD_BYTES) {
            if ((m->flags & VHOST_FLAG_VERSION_MASK) != VHOST_FLAG_VERSION ||
                m->size_bytes > sizeof(m->payload)) {
                return VHOST_HEARD_GARBAGE;
            }
            end_bytes = VHOST_MESSAGE_HEAD_BYTES + m->size_bytes;
        }
        if (channel->have_bytes == end_bytes) {
            return VHOST_HEARD_MESSAGE;
        }
        heard = read_on(channel, end_bytes);
        if (heard != VHOST_HEARD_MESSAGE) {
            return heard;
        }
    }
}

void vhost_channel_done(struct vhost_channel *channel)
{
    vhost_message_close_fds(&channel->message);
    channel->have_bytes = 0;
}

bool vhost_channel_answer(struct vhost_channel *channel, uint32_t size_bytes)
{
    struct vhost_message *m = &channel->message;
    const size_t len_bytes = VHOST_MESSAGE_HEAD_BYTES + size_bytes;

    m->flags = VHOST_FLAG_VERSION | VHOST_FLAG_REPLY;
    m->size_bytes = size_bytes;
    return send(channel->fd, m, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len_bytes;
}

bool vhost_channel_has_peer(const struct vhost_channel *channel)
{
    struct pollfd asked = { .fd = channel->fd, .events = POLLRDHUP };

    return poll(&asked, 1, 0) == 0;
}

void vhost_channel_close(struct vhost_channel *channel)
{
    vhost_message_close_fds(&channel->message);
    (void)close(channel->fd);
    channel->fd = -1;
}
