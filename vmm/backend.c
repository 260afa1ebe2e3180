/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/backend.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "vmm/channel.h"

#define BIT(n) (UINT64_C(1) << (n))

#define F_PROTOCOL_FEATURES  30u   /* a bit of the features */
#define PROTOCOL_F_MQ        0u
#define PROTOCOL_F_RARP      2u
#define PROTOCOL_F_REPLY_ACK 3u
#define PROTOCOL_F_NET_MTU   4u
#define OUR_PROTOCOL_FEATURES                                                                    \
    (BIT(PROTOCOL_F_MQ) | BIT(PROTOCOL_F_RARP) | BIT(PROTOCOL_F_REPLY_ACK) |                     \
     BIT(PROTOCOL_F_NET_MTU))

#define NO_FD 0x100u               /* of SET_VRING_CALL: none comes along */

struct backend {
    struct channel channel;
    uint64_t features;             /* offered */
    uint64_t protocol_features;    /* negotiated */
    uint16_t pairs_max;
};

static bool has(const struct backend *backend, unsigned protocol_feature)
{
    return (backend->protocol_features & BIT(protocol_feature)) != 0;
}

static int ask_number(const struct backend *backend, enum channel_request request,
                      uint64_t *number, struct error *error)
{
    const struct channel_message message = { .request = request };

    return channel_ask(&backend->channel, &message, number, sizeof(*number), error);
}

static int tell_number(const struct backend *backend, enum channel_request request,
                       uint64_t number, struct error *error)
{
    const struct channel_message message = {
        .request = request,
        .size_bytes = sizeof(number),
        .payload.number = number,
    };

    return channel_tell(&backend->channel, &message, error);
}

static int tell_state(const struct backend *backend, enum channel_request request,
                      uint16_t ring, unsigned number, struct error *error)
{
    const struct channel_message message = {
        .request = request,
        .size_bytes = sizeof(struct vhost_vring_state),
        .payload.state = { .index = ring, .num = number },
    };

    return channel_tell(&backend->channel, &message, error);
}

/* @p fd may be -1: none. */
static int tell_fd(const struct backend *backend, enum channel_request request, uint16_t ring,
                   int fd, struct error *error)
{
    const struct channel_message message = {
        .request = request,
        .size_bytes = sizeof(uint64_t),
        .payload.number = ring | (fd < 0 ? NO_FD : 0),
        .fd_count = fd >= 0,
        .fd = { fd },
    };

    return channel_tell(&backend->channel, &message, error);
}

/* ---- the connection -------------------------------------------------------------------------- */

struct backend *backend_open(const char *path, unsigned deadline_ms, struct error *error)
{
    const struct channel_message question = { .request = CHANNEL_GET_FEATURES };
    struct backend *backend = calloc(1, sizeof(*backend));

    if (backend == NULL) {
        error_set(error, ENOMEM, "out of memory");
        return NULL;
    }
    if (channel_open(&backend->channel, path, deadline_ms, error) < 0 ||
        channel_send(&backend->channel, &question, error) < 0) {
        backend_close(backend);
        return NULL;
    }
    return backend;
}

void backend_close(struct backend *backend)
{
    if (backend != NULL) {
        channel_close(&backend->channel);
        free(backend);
    }
}

int backend_fd(const struct backend *backend)
{
    return backend->channel.fd;
}

bool backend_is_gone(const struct backend *backend)
{
    char byte;

    return recv(backend->channel.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EINTR);
}

void backend_hang_up(struct backend *backend)
{
    (void)shutdown(backend->channel.fd, SHUT_RDWR);
}

uint64_t backend_features(const struct backend *backend)
{
    return backend->features;
}

uint16_t backend_pairs_max(const struct backend *backend)
{
    return backend->pairs_max;
}

/* ---- what is said ---------------------------------------------------------------------------- */

static int negotiate_protocol(struct backend *backend, struct error *error)
{
    uint64_t offered = 0;
    int result = ask_number(backend, CHANNEL_GET_PROTOCOL_FEATURES, &offered, error);

    if (result == 0) {
        offered &= OUR_PROTOCOL_FEATURES;
        result = tell_number(backend, CHANNEL_SET_PROTOCOL_FEATURES, offered, error);
        backend->protocol_features = offered;
        backend->channel.acknowledges = has(backend, PROTOCOL_F_REPLY_ACK);
    }
    return result;
}

int backend_negotiate(struct backend *backend, struct error *error)
{
    const struct channel_message owner = { .request = CHANNEL_SET_OWNER };
    uint64_t pairs_max = 1;
    int result = channel_receive(&backend->channel, CHANNEL_GET_FEATURES, &backend->features,
                                 sizeof(backend->features), error);

    if (result == 0 && (backend->features & BIT(F_PROTOCOL_FEATURES)) == 0) {
        return error_set(error, EPROTO, "what listens on the vNIC's socket has no protocol "
                         "features: it is not this switch, and too old");
    }
    if (result == 0) {
        result = negotiate_protocol(backend, error);
    }
    if (result == 0 && has(backend, PROTOCOL_F_MQ)) {
        result = ask_number(backend, CHANNEL_GET_QUEUE_NUM, &pairs_max, error);
    }
    if (result == 0) {
        backend->pairs_max = pairs_max < UINT16_MAX ? (uint16_t)pairs_max : UINT16_MAX;
        result = channel_tell(&backend->channel, &owner, error);
    }
    return result;
}

int backend_set_features(struct backend *backend, uint64_t features, struct error *error)
{
    assert((features & ~backend->features) == 0);
    return tell_number(backend, CHANNEL_SET_FEATURES, features | BIT(F_PROTOCOL_FEATURES), error);
}

int backend_set_memory(struct backend *backend, const struct ram *ram, struct error *error)
{
    struct channel_message message = {
        .request = CHANNEL_SET_MEM_TABLE,
        .payload.memory.count = ram->part_count,
        .fd_count = ram->part_count,
    };

    message.size_bytes = (uint32_t)(offsetof(union channel_payload, memory.region) +
                                    ram->part_count * sizeof(struct channel_region));
    for (unsigned i = 0; i < ram->part_count; i++) {
        const struct ram_part *part = &ram->part[i];

        message.payload.memory.region[i] = (struct channel_region){
            .gpa = part->gpa,
            .size_bytes = part->size_bytes,
            .user_address = (uintptr_t)(ram->host + part->offset_bytes),
            .mmap_offset_bytes = part->offset_bytes,
        };
        message.fd[i] = ram->fd;
    }
    return channel_tell(&backend->channel, &message, error);
}

int backend_set_mtu(struct backend *backend, uint16_t mtu_bytes, struct error *error)
{
    if (!has(backend, PROTOCOL_F_NET_MTU)) {
        return 0;
    }
    return tell_number(backend, CHANNEL_NET_SET_MTU, mtu_bytes, error);
}

static int set_address(struct backend *backend, uint16_t ring, const struct backend_ring *set,
                       struct error *error)
{
    const struct channel_message message = {
        .request = CHANNEL_SET_VRING_ADDR,
        .size_bytes = sizeof(struct vhost_vring_addr),
        .payload.address = {
            .index = ring,
            .desc_user_addr = (uintptr_t)set->desc,
            .used_user_addr = (uintptr_t)set->used,
            .avail_user_addr = (uintptr_t)set->avail,
        },
    };

    return channel_tell(&backend->channel, &message, error);
}

int backend_start_ring(struct backend *backend, uint16_t ring, const struct backend_ring *set,
                       struct error *error)
{
    int result = tell_state(backend, CHANNEL_SET_VRING_NUM, ring, set->size, error);

    if (result == 0) {
        result = tell_state(backend, CHANNEL_SET_VRING_BASE, ring, set->base, error);
    }
    if (result == 0) {
        result = set_address(backend, ring, set, error);
    }
    if (result == 0) {
        result = tell_fd(backend, CHANNEL_SET_VRING_CALL, ring, set->call_fd, error);
    }
    if (result == 0) {
        /* The last: a ring starts when it has its kick. */
        result = tell_fd(backend, CHANNEL_SET_VRING_KICK, ring, set->kick_fd, error);
    }
    return result;
}

int backend_set_call(struct backend *backend, uint16_t ring, int call_fd, struct error *error)
{
    return tell_fd(backend, CHANNEL_SET_VRING_CALL, ring, call_fd, error);
}

int backend_enable_ring(struct backend *backend, uint16_t ring, bool enabled, struct error *error)
{
    return tell_state(backend, CHANNEL_SET_VRING_ENABLE, ring, enabled, error);
}

int backend_stop_ring(struct backend *backend, uint16_t ring, struct error *error)
{
    const struct channel_message message = {
        .request = CHANNEL_GET_VRING_BASE,
        .size_bytes = sizeof(struct vhost_vring_state),
        .payload.state.index = ring,
    };
    struct vhost_vring_state answer;
    const int result = channel_ask(&backend->channel, &message, &answer, sizeof(answer), error);

    if (result == 0 && answer.index != ring) {
        return error_set(error, EPROTO, "the switch was asked to stop ring %u, and stopped %u",
                         ring, answer.index);
    }
    return result;
}

int backend_announce(struct backend *backend, uint64_t mac, struct error *error)
{
    struct channel_message message = {
        .request = CHANNEL_SEND_RARP,
        .size_bytes = sizeof(uint64_t),
    };

    if (!has(backend, PROTOCOL_F_RARP)) {
        return 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        message.payload.mac[i] = (uint8_t)(mac >> (8 * (5 - i)));   /* as on the wire */
    }
    return channel_tell(&backend->channel, &message, error);
}
