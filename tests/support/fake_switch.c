/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_switch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ALL_PROTOCOL_FEATURES                                                                    \
    (1u << VHOST_USER_PROTOCOL_F_MQ | 1u << VHOST_USER_PROTOCOL_F_RARP |                         \
     1u << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1u << VHOST_USER_PROTOCOL_F_NET_MTU)

struct header {
    uint32_t request, flags, size_bytes;
};

struct message {
    struct header header;
    union vhost_user_payload payload;
    int fd[VHOST_USER_MAX_REGIONS];
    unsigned fd_count;
};

/* ---- reading --------------------------------------------------------------------------------- */

static void take_fds(struct msghdr *envelope, struct message *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(envelope);

    if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
        m->fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(m->fd, CMSG_DATA(c), m->fd_count * sizeof(int));
    }
}

/* Returns false at the connection's end. */
static bool read_message(int fd, struct message *m)
{
    struct iovec part = { &m->header, sizeof(m->header) };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(VHOST_USER_MAX_REGIONS * sizeof(int))];
    } control = { 0 };
    struct msghdr envelope = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };

    memset(m, 0, sizeof(*m));
    if (recvmsg(fd, &envelope, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(m->header)) {
        return false;
    }
    take_fds(&envelope, m);
    return m->header.size_bytes == 0 ||
           (m->header.size_bytes <= sizeof(m->payload) &&
            recv(fd, &m->payload, m->header.size_bytes, MSG_WAITALL) ==
                (ssize_t)m->header.size_bytes);
}

/* ---- what it was told ------------------------------------------------------------------------ */

static void keep_fd(int *kept, struct message *m)
{
    if (*kept >= 0) {
        close(*kept);
    }
    *kept = -1;
    if (m->fd_count == 1) {
        *kept = m->fd[0];
        m->fd_count = 0;
    }
}

/* The ring that a message is about; NULL for one that is about none. */
static struct fake_switch_ring *ring_of(struct fake_switch *fake, const struct message *m)
{
    switch (m->header.request) {
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
        return &fake->ring[m->payload.u64 % FAKE_SWITCH_RINGS];
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_ENABLE:
    case VHOST_USER_SET_VRING_ADDR:        /* its index stands where a state's does */
        return &fake->ring[m->payload.state.index % FAKE_SWITCH_RINGS];
    }
    return NULL;
}

static void note(struct fake_switch *fake, struct message *m)
{
    struct fake_switch_ring *ring = ring_of(fake, m);

    switch (m->header.request) {
    case VHOST_USER_SET_FEATURES:
        fake->features_set = m->payload.u64;
        break;
    case VHOST_USER_NET_SET_MTU:
        fake->mtu_bytes = m->payload.u64;
        break;
    case VHOST_USER_SEND_RARP:
        fake->rarp = m->payload.u64;
        break;
    case VHOST_USER_SET_MEM_TABLE:
        fake->region_count = m->payload.memory.region_count;
        fake->confused |= fake->region_count != m->fd_count;
        memcpy(fake->region, m->payload.memory.region, sizeof(fake->region));
        break;
    case VHOST_USER_SET_VRING_NUM:
        ring->size = m->payload.state.num;
        break;
    case VHOST_USER_SET_VRING_BASE:
        ring->base = m->payload.state.num;
        break;
    case VHOST_USER_SET_VRING_ADDR:
        ring->address = m->payload.addr;
        break;
    case VHOST_USER_SET_VRING_ENABLE:
        ring->enabled = m->payload.state.num;
        break;
    case VHOST_USER_SET_VRING_CALL:
        fake->confused |= (m->fd_count == 0) != ((m->payload.u64 & VHOST_USER_VRING_NO_FD) != 0);
        keep_fd(&ring->call_fd, m);
        ring->calls_set++;
        break;
    case VHOST_USER_SET_VRING_KICK:
        keep_fd(&ring->kick_fd, m);
        ring->started = true;
        break;
    case VHOST_USER_GET_VRING_BASE:
        ring->started = false;
        break;
    }
}

/* ---- answering ------------------------------------------------------------------------------- */

/* The payload of the answer; 0 when there is none to give. */
static uint32_t answer_of(const struct fake_switch *fake, const struct message *m,
                          union vhost_user_payload *answer)
{
    *answer = (union vhost_user_payload){ .u64 = 0 };
    switch (m->header.request) {
    case VHOST_USER_GET_FEATURES:
        answer->u64 = fake->features;
        return 8;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        answer->u64 = fake->protocol_features;
        return 8;
    case VHOST_USER_GET_QUEUE_NUM:
        answer->u64 = fake->pairs_max;
        return 8;
    case VHOST_USER_GET_VRING_BASE:
        answer->state.index = m->payload.state.index;
        return sizeof(answer->state);
    }
    return (m->header.flags & VHOST_USER_FLAG_NEED_REPLY) != 0 ? 8 : 0;
}

/* Returns false when the connection is to end. */
static bool answer(struct fake_switch *fake, int fd, const struct message *m)
{
    const bool at_fault = m->header.request == fake->fault_at;
    const enum fake_switch_fault fault = at_fault ? fake->fault : FAKE_SWITCH_HONEST;
    struct {
        struct header header;
        union vhost_user_payload payload;
    } __attribute__((packed)) reply;
    union vhost_user_payload payload;
    const uint32_t size_bytes = answer_of(fake, m, &payload);
    ssize_t len_bytes = (ssize_t)sizeof(reply.header) + size_bytes;

    reply.header = (struct header){ m->header.request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
                                    size_bytes };
    payload.u64 += fault == FAKE_SWITCH_REFUSES;
    payload.state.index += fault == FAKE_SWITCH_OTHER_RING;
    reply.header.request += fault == FAKE_SWITCH_OTHER_REQUEST;
    reply.header.size_bytes += fault == FAKE_SWITCH_OTHER_SIZE ? 8 : 0;
    reply.header.flags &= fault == FAKE_SWITCH_NO_REPLY_FLAG ? ~VHOST_USER_FLAG_REPLY : UINT32_MAX;
    reply.payload = payload;
    if (fault == FAKE_SWITCH_HANGS_UP) {
        return false;
    }
    if (fault == FAKE_SWITCH_LATE) {
        usleep((useconds_t)fake->late_ms * 1000);
    }
    if (fault == FAKE_SWITCH_TRUNCATES || fault == FAKE_SWITCH_STALLS) {
        len_bytes /= 2;
    }
    if (size_bytes != 0 && fault != FAKE_SWITCH_SILENT &&
        send(fd, &reply, (size_t)len_bytes, MSG_NOSIGNAL) != len_bytes) {
        return false;
    }
    return fault != FAKE_SWITCH_TRUNCATES;
}

/* ---- its thread ------------------------------------------------------------------------------ */

static void forget_rings(struct fake_switch *fake)
{
    for (unsigned i = 0; i < FAKE_SWITCH_RINGS; i++) {
        struct message none = { .fd_count = 0 };

        keep_fd(&fake->ring[i].kick_fd, &none);
        keep_fd(&fake->ring[i].call_fd, &none);
        fake->ring[i] = (struct fake_switch_ring){ .kick_fd = -1, .call_fd = -1 };
    }
}

static bool serve_one(struct fake_switch *fake, int fd)
{
    struct message m;
    bool goes_on = read_message(fd, &m);

    if (goes_on) {
        fake_switch_lock(fake);
        if (m.header.request <= VHOST_USER_NET_SET_MTU) {
            fake->requests[m.header.request]++;
        } else {
            fake->confused = true;
        }
        note(fake, &m);
        fake_switch_unlock(fake);
        goes_on = answer(fake, fd, &m);
    }
    while (m.fd_count > 0) {
        close(m.fd[--m.fd_count]);
    }
    return goes_on;
}

static void *run(void *context)
{
    struct fake_switch *fake = context;
    struct pollfd wait[3] = {
        { .fd = fake->stop_fd, .events = POLLIN },
        { .fd = fake->listen_fd, .events = POLLIN },
        { .fd = -1, .events = POLLIN },
    };

    while (poll(wait, 3, -1) > 0 && wait[0].revents == 0) {
        if (wait[2].fd >= 0 && wait[2].revents != 0 && !serve_one(fake, wait[2].fd)) {
            close(wait[2].fd);
            wait[2].fd = -1;
            wait[1].fd = fake->listen_fd;
            continue;
        }
        if (wait[2].fd < 0 && wait[1].revents != 0) {
            wait[2].fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC);
            wait[2].revents = 0;
            wait[1].fd = -1;       /* one at a time */
            fake_switch_lock(fake);
            fake->connections++;
            forget_rings(fake);
            fake_switch_unlock(fake);
        }
    }
    if (wait[2].fd >= 0) {
        close(wait[2].fd);
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

int fake_switch_open(struct fake_switch *fake)
{
    *fake = (struct fake_switch){
        .features = UINT64_MAX,
        .protocol_features = ALL_PROTOCOL_FEATURES,
        .pairs_max = 16,
        .listen_fd = -1,
        .stop_fd = eventfd(0, EFD_CLOEXEC),
    };
    for (unsigned i = 0; i < FAKE_SWITCH_RINGS; i++) {
        fake->ring[i] = (struct fake_switch_ring){ .kick_fd = -1, .call_fd = -1 };
    }
    pthread_mutex_init(&fake->lock, NULL);
    (void)snprintf(fake->dir, sizeof(fake->dir), "/tmp/fake-switch-XXXXXX");
    if (mkdtemp(fake->dir) == NULL) {
        return -1;
    }
    (void)snprintf(fake->path, sizeof(fake->path), "%s/sock", fake->dir);
    return 0;
}

int fake_switch_listen(struct fake_switch *fake)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
    fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->listen_fd < 0 ||
        bind(fake->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fake->listen_fd, 4) != 0) {
        return -1;
    }
    fake->runs = pthread_create(&fake->thread, NULL, run, fake) == 0;
    return fake->runs ? 0 : -1;
}

void fake_switch_kill(struct fake_switch *fake)
{
    eventfd_t count;

    if (fake->runs) {
        (void)eventfd_write(fake->stop_fd, 1);
        pthread_join(fake->thread, NULL);
        (void)eventfd_read(fake->stop_fd, &count);
        fake->runs = false;
    }
    if (fake->listen_fd >= 0) {
        close(fake->listen_fd);
        fake->listen_fd = -1;
    }
    (void)unlink(fake->path);
    forget_rings(fake);
    memset(fake->requests, 0, sizeof(fake->requests));
    fake->region_count = 0;
    fake->features_set = 0;
    fake->mtu_bytes = 0;
    fake->rarp = 0;
}

void fake_switch_close(struct fake_switch *fake)
{
    fake_switch_kill(fake);
    close(fake->stop_fd);
    (void)rmdir(fake->dir);
    pthread_mutex_destroy(&fake->lock);
}
