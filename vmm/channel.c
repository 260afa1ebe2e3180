/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A header's flags: the protocol's version, and two bits. */
#define VERSION     0x1u
#define REPLY       0x4u
#define NEED_REPLY  0x8u
#define ANSWER_MASK 0x7u           /* what of an answer's flags is looked at */

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size_bytes;           /* of the payload */
};

static const char *request_name(enum channel_request request)
{
    switch (request) {
#define X(name, number)                                                                          \
    case CHANNEL_##name:                                                                         \
        return #name;
        CHANNEL_REQUESTS(X)
#undef X
    }
    return "";
}

/* ---- the connection -------------------------------------------------------------------------- */

int channel_open(struct channel *channel, const char *path, unsigned deadline_ms,
                 struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    *channel = (struct channel){ .fd = -1, .deadline_ms = deadline_ms };
    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(error, ENAMETOOLONG,
                         "the path of the vNIC's socket, %s, is too long: at most %zu characters",
                         path, sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    channel->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (channel->fd < 0) {
        return error_set(error, errno, "there is no socket for the vNIC: %s", strerror(errno));
    }
    if (connect(channel->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        return error_set(error, errno,
                         "no switch answers on %s (%s): start vswitchd, and see that it has this "
                         "vNIC", path, strerror(errno));
    }
    return 0;
}

void channel_close(struct channel *channel)
{
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    channel->fd = -1;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until the socket is ready for @p events.  Returns 0 or -errno, -ETIMEDOUT at @p end_ms. */
static int await(const struct channel *channel, short events, uint64_t end_ms)
{
    struct pollfd wait = { .fd = channel->fd, .events = events };

    for (;;) {
        const uint64_t at_ms = now_ms();
        const int ready = poll(&wait, 1, at_ms < end_ms ? (int)(end_ms - at_ms) : 0);

        if (ready > 0) {
            return 0;
        }
        if (ready == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* The sentence for what went wrong with @p request. */
static int failed(const struct channel *channel, enum channel_request request, int result,
                  struct error *error)
{
    const char *name = request_name(request);

    if (result == -ETIMEDOUT) {
        return error_set(error, ETIMEDOUT,
                         "the switch has not answered %s for %u ms: see whether vswitchd is "
                         "stopped", name, channel->deadline_ms);
    }
    if (result == -EPIPE || result == -ECONNRESET) {
        return error_set(error, EPIPE,
                         "the switch hung up at %s: its vNIC has been removed, another VM is "
                         "attached to it, or vswitchd has ended", name);
    }
    return error_set(error, -result, "the switch cannot be asked for %s: %s", name,
                     strerror(-result));
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The descriptors that go with @p message, as ancillary data in @p control. */
static void attach_fds(struct msghdr *envelope, void *control,
                       const struct channel_message *message)
{
    const size_t fds_bytes = message->fd_count * sizeof(int);
    struct cmsghdr *ancillary;

    envelope->msg_control = control;
    envelope->msg_controllen = CMSG_SPACE(fds_bytes);
    ancillary = CMSG_FIRSTHDR(envelope);
    ancillary->cmsg_level = SOL_SOCKET;
    ancillary->cmsg_type = SCM_RIGHTS;
    ancillary->cmsg_len = CMSG_LEN(fds_bytes);
    memcpy(CMSG_DATA(ancillary), message->fd, fds_bytes);
}

static int send_whole(const struct channel *channel, const struct channel_message *message,
                      uint32_t flags)
{
    struct header header = {
        .request = message->request,
        .flags = VERSION | flags,
        .size_bytes = message->size_bytes,
    };
    struct iovec part[] = {
        { .iov_base = &header, .iov_len = sizeof(header) },
        { .iov_base = (void *)(uintptr_t)&message->payload, .iov_len = message->size_bytes },
    };
    struct msghdr envelope = { .msg_iov = part, .msg_iovlen = 2 };
    const uint64_t end_ms = now_ms() + channel->deadline_ms;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(RAM_PARTS_MAX * sizeof(int))];
    } control = { 0 };
    ssize_t sent;
    int result;

    if (message->fd_count > 0) {
        attach_fds(&envelope, control.bytes, message);
    }
    for (;;) {
        sent = sendmsg(channel->fd, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            /* The kernel takes a message of this size whole, or not at all. */
            return (size_t)sent == sizeof(header) + message->size_bytes ? 0 : -EIO;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        result = await(channel, POLLOUT, end_ms);
        if (result < 0) {
            return result;
        }
    }
}

static int receive_bytes(const struct channel *channel, void *to, size_t len_bytes,
                         uint64_t end_ms)
{
    size_t got_bytes = 0;

    while (got_bytes < len_bytes) {
        const int result = await(channel, POLLIN, end_ms);
        ssize_t got;

        if (result < 0) {
            return result;
        }
        got = recv(channel->fd, (char *)to + got_bytes, len_bytes - got_bytes, MSG_DONTWAIT);
        if (got == 0) {
            return -EPIPE;
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        got_bytes += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int channel_receive(const struct channel *channel, enum channel_request request, void *payload,
                    uint32_t len_bytes, struct error *error)
{
    const uint64_t end_ms = now_ms() + channel->deadline_ms;
    struct header header;
    int result = receive_bytes(channel, &header, sizeof(header), end_ms);

    if (result == 0 && (header.request != request || header.size_bytes != len_bytes ||
                        (header.flags & ANSWER_MASK) != (VERSION | REPLY))) {
        return error_set(error, EPROTO,
                         "what listens on the vNIC's socket does not speak vhost-user: it answered "
                         "%s with request %u, flags 0x%x, %u bytes", request_name(request),
                         header.request, header.flags, header.size_bytes);
    }
    if (result == 0) {
        result = receive_bytes(channel, payload, len_bytes, end_ms);
    }
    return result == 0 ? 0 : failed(channel, request, result, error);
}

int channel_send(const struct channel *channel, const struct channel_message *message,
                 struct error *error)
{
    const int result = send_whole(channel, message, 0);

    return result == 0 ? 0 : failed(channel, message->request, result, error);
}

int channel_ask(const struct channel *channel, const struct channel_message *message, void *answer,
                uint32_t answer_bytes, struct error *error)
{
    const int result = channel_send(channel, message, error);

    return result < 0 ? result
                      : channel_receive(channel, message->request, answer, answer_bytes, error);
}

int channel_tell(const struct channel *channel, const struct channel_message *message,
                 struct error *error)
{
    uint64_t refused = 0;
    int result = send_whole(channel, message, channel->acknowledges ? NEED_REPLY : 0);

    if (result < 0) {
        return failed(channel, message->request, result, error);
    }
    if (!channel->acknowledges) {
        return 0;
    }
    result = channel_receive(channel, message->request, &refused, sizeof(refused), error);
    if (result == 0 && refused != 0) {
        return error_set(error, EREMOTEIO,
                         "the switch refuses %s; `vswitchctl vnic show` says why",
                         request_name(message->request));
    }
    return result;
}
