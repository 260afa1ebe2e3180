/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of vhost-user over a unix socket: a header of three words, a payload, file descriptors.
 */
#include "tests/support/vhost_user.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_RETRY_US 5000
#define VERSION_AND_REPLY (VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY)

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size_bytes;
};

const char *vhost_user_request_name(uint32_t request)
{
    switch (request) {
#define X(name, number) case number: return #name;
    VHOST_USER_REQUESTS(X)
#undef X
    }
    return "unknown request";
}

__attribute__((format(printf, 3, 4)))
static int fail(struct vhost_user_channel *channel, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(channel->error, sizeof(channel->error), format, args);
    va_end(args);
    return -code;
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static void set_limits(int fd, int timeout_ms)
{
    const struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Waits for a backend at @p address, whose file is made anew and gone afterwards. */
static int be_connected(struct vhost_user_channel *channel, const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int status = 0;

    (void)unlink(address->sun_path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(fd, 1) != 0) {
        status = fail(channel, errno, "no socket could be made at %.100s: %s", address->sun_path,
                      strerror(errno));
    } else if (poll(&wait, 1, channel->timeout_ms) != 1) {
        status = fail(channel, ETIMEDOUT, "no backend connects to %.100s", address->sun_path);
    } else {
        channel->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        set_limits(channel->fd, channel->timeout_ms);
    }
    (void)unlink(address->sun_path);
    (void)close(fd);
    return status;
}

int vhost_user_connect(struct vhost_user_channel *channel, const char *path, int timeout_ms)
{
    const bool listens = strncmp(path, VHOST_USER_LISTEN, strlen(VHOST_USER_LISTEN)) == 0;
    const long deadline_ms = now_ms() + timeout_ms;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int code;

    *channel = (struct vhost_user_channel){.fd = -1, .timeout_ms = timeout_ms};
    path += listens ? strlen(VHOST_USER_LISTEN) : 0;
    if (strlen(path) >= sizeof(address.sun_path)) {
        return fail(channel, ENAMETOOLONG, "the socket path %.100s... is too long", path);
    }
    strcpy(address.sun_path, path);
    if (listens) {
        return be_connected(channel, &address);
    }

    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0) {
            return fail(channel, errno, "no socket could be made: %s", strerror(errno));
        }
        set_limits(fd, timeout_ms);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
            channel->fd = fd;
            return 0;
        }
        code = errno;
        close(fd);
        if ((code != ENOENT && code != ECONNREFUSED) || now_ms() >= deadline_ms) {
            return fail(channel, code, "no backend answers on %.100s: %s", path, strerror(code));
        }
        usleep(CONNECT_RETRY_US);
    }
}

void vhost_user_disconnect(struct vhost_user_channel *channel)
{
    if (channel->fd >= 0) {
        close(channel->fd);
        channel->fd = -1;
    }
}

int vhost_user_send(struct vhost_user_channel *channel, uint32_t request, uint32_t flags,
                    const void *payload, uint32_t size_bytes, const int *fds, unsigned fd_count)
{
    struct header header = {request, flags, size_bytes};
    struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, size_bytes}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = payload == NULL ? 1 : 2};
    const size_t fds_bytes = fd_count * sizeof(int);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(VHOST_USER_MAX_REGIONS * sizeof(int))];
    } control = {0};

    if (fd_count > VHOST_USER_MAX_REGIONS) {
        return fail(channel, EINVAL, "%u file descriptors are too many for one message", fd_count);
    }
    if (fd_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fds_bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds_bytes);
        memcpy(CMSG_DATA(c), fds, fds_bytes);
    }
    if (sendmsg(channel->fd, &message, MSG_NOSIGNAL) < 0) {
        return fail(channel, errno, "%s could not be sent: %s", vhost_user_request_name(request),
                    strerror(errno));
    }
    return 0;
}

/* All of it or an error; the socket's own timeout bounds the wait. */
static int read_whole(struct vhost_user_channel *channel, uint32_t request, void *to, size_t bytes)
{
    ssize_t n = recv(channel->fd, to, bytes, MSG_WAITALL);
    const char *name = vhost_user_request_name(request);

    if (n == (ssize_t)bytes) {
        return 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return fail(channel, ETIMEDOUT, "the backend did not answer %s within %d ms", name,
                    channel->timeout_ms);
    }
    if (n < 0 && errno != ECONNRESET) {
        return fail(channel, errno, "the answer to %s: %s", name, strerror(errno));
    }
    return fail(channel, EPIPE, "the backend closed the connection instead of answering %s", name);
}

int vhost_user_receive(struct vhost_user_channel *channel, uint32_t request,
                       union vhost_user_payload *payload)
{
    struct header header;
    int status = read_whole(channel, request, &header, sizeof(header));

    if (status < 0) {
        return status;
    }
    if (header.request != request || (header.flags & 0x7u) != VERSION_AND_REPLY ||
        header.size_bytes > sizeof(*payload)) {
        return fail(channel, EPROTO, "the backend answered %s with request %u flags %#x size %u",
                    vhost_user_request_name(request), header.request, header.flags,
                    header.size_bytes);
    }
    if (header.size_bytes > 0) {
        status = read_whole(channel, request, payload, header.size_bytes);
    }
    return status < 0 ? status : (int)header.size_bytes;
}

int vhost_user_set(struct vhost_user_channel *channel, enum vhost_user_request request,
                   const union vhost_user_payload *payload, uint32_t size_bytes, int fd)
{
    const bool ack = channel->protocol_features >> VHOST_USER_PROTOCOL_F_REPLY_ACK & 1;
    const uint32_t flags = VHOST_USER_VERSION | (ack ? VHOST_USER_FLAG_NEED_REPLY : 0);
    union vhost_user_payload reply = {.u64 = 0};
    int status = vhost_user_send(channel, request, flags, payload, size_bytes, &fd, fd >= 0);

    if (status < 0 || !ack) {
        return status;
    }
    status = vhost_user_receive(channel, request, &reply);
    if (status < 0) {
        return status;
    }
    if (reply.u64 != 0) {
        return fail(channel, EREMOTEIO, "the backend refused %s", vhost_user_request_name(request));
    }
    return 0;
}

int vhost_user_set_u64(struct vhost_user_channel *channel, enum vhost_user_request request,
                       uint64_t value)
{
    const union vhost_user_payload payload = {.u64 = value};

    return vhost_user_set(channel, request, &payload, sizeof(payload.u64), -1);
}

int vhost_user_set_state(struct vhost_user_channel *channel, enum vhost_user_request request,
                         uint32_t index, uint32_t value)
{
    const union vhost_user_payload payload = {.state = {.index = index, .num = value}};

    return vhost_user_set(channel, request, &payload, sizeof(payload.state), -1);
}

int vhost_user_get_u64(struct vhost_user_channel *channel, enum vhost_user_request request,
                       uint64_t *value)
{
    union vhost_user_payload reply = {.u64 = 0};
    int status = vhost_user_send(channel, request, VHOST_USER_VERSION, NULL, 0, NULL, 0);

    if (status < 0) {
        return status;
    }
    status = vhost_user_receive(channel, request, &reply);
    *value = reply.u64;
    return status < 0 ? status : 0;
}
