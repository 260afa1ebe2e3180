/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a frontend: negotiate, share memory, start, stop, reset, end.
 *
 * Messages are sent in the order QEMU sends them, because that is the order backends are used to;
 * a test that wants another order sends its own.
 */
#include "tests/support/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SPARE_BYTES (1u << 20)    /* for what a test wants to put into guest memory */

/* Names what failed unless the channel already did. */
static int fail(struct frontend *f, int status, const char *what)
{
    if (f->channel.error[0] == '\0') {
        snprintf(f->channel.error, sizeof(f->channel.error), "%s: %s", what, strerror(-status));
    }
    return status;
}

static unsigned ring_count(const struct frontend *f)
{
    return 2u * f->config.queue_pairs;
}

static void config_fill(struct frontend_config *config)
{
    config->socket_path = NULL;
    config->timeout_ms = config->timeout_ms ? config->timeout_ms : FRONTEND_DEFAULT_TIMEOUT_MS;
    config->queue_pairs = config->queue_pairs ? config->queue_pairs : 1;
    config->ring_entries =
        config->ring_entries ? config->ring_entries : FRONTEND_DEFAULT_RING_ENTRIES;
    config->slot_bytes = config->slot_bytes ? config->slot_bytes : FRONTEND_DEFAULT_SLOT_BYTES;
    config->segment_bytes =
        config->segment_bytes ? config->segment_bytes : config->slot_bytes;
    config->features = config->features ? config->features : FRONTEND_FEATURES;
    config->features &= ~config->without_features;
    config->protocol_features =
        config->protocol_features ? config->protocol_features : FRONTEND_PROTOCOL_FEATURES;
    config->protocol_features &= ~config->without_protocol_features;
    if (config->region_count == 0) {
        config->region_count = 1;
        config->region[0].gpa = FRONTEND_DEFAULT_GPA;
    }
}

/* Features first, because they say whether there are protocol features at all. */
static int negotiate(struct frontend *f)
{
    uint64_t offered_protocol = 0;
    int status = vhost_user_get_u64(&f->channel, VHOST_USER_GET_FEATURES, &f->offered_features);

    if (status < 0) {
        return status;
    }
    f->features = f->config.features & f->offered_features;
    f->queue_pairs_max = 1;
    f->header_bytes = f->features & (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF)
                          ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
                          : sizeof(struct virtio_net_hdr);
    if (f->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1) {
        status = vhost_user_get_u64(&f->channel, VHOST_USER_GET_PROTOCOL_FEATURES,
                                    &offered_protocol);
        if (status == 0) {
            offered_protocol &= f->config.protocol_features;
            status = vhost_user_set_u64(&f->channel, VHOST_USER_SET_PROTOCOL_FEATURES,
                                        offered_protocol);
            f->channel.protocol_features = offered_protocol;
        }
    }
    if (status == 0 && (offered_protocol >> VHOST_USER_PROTOCOL_F_MQ & 1)) {
        status = vhost_user_get_u64(&f->channel, VHOST_USER_GET_QUEUE_NUM, &f->queue_pairs_max);
    }
    if (status < 0) {
        return status;
    }
    if (f->config.queue_pairs > f->queue_pairs_max) {
        return fail(f, -ERANGE, "the backend has fewer queue pairs than the test wants");
    }
    return vhost_user_set(&f->channel, VHOST_USER_SET_OWNER, NULL, 0, -1);
}

/* Rings lie in region 0, slots are spread over all of them. */
static int memory_create(struct frontend *f)
{
    const struct frontend_config *c = &f->config;
    const uint64_t slots = (uint64_t)ring_count(f) * c->ring_entries;
    const uint64_t share_bytes = slots / c->region_count * (c->slot_bytes + 64ull) + SPARE_BYTES;
    const uint64_t rings_bytes = ring_count(f) * guest_ring_bytes(c->ring_entries);
    int status = 0;

    for (unsigned i = 0; i < c->region_count && status == 0; i++) {
        const uint64_t needed_bytes = share_bytes + (i == 0 ? rings_bytes : 0);

        status = guest_ram_add(&f->ram, c->region[i].gpa,
                               c->region[i].size_bytes ? c->region[i].size_bytes : needed_bytes,
                               c->hugepages);
    }
    for (unsigned i = 0; i < ring_count(f) && status == 0; i++) {
        status = guest_ring_create(&f->ring[i], &f->ram, c->ring_entries, c->slot_bytes);
        f->ring[i].event_idx = f->features >> VIRTIO_RING_F_EVENT_IDX & 1;
    }
    return status < 0 ? fail(f, status, "guest memory and rings could not be made") : 0;
}

int frontend_open_unstarted(struct frontend *f, const struct frontend_config *config)
{
    int status;

    *f = (struct frontend){.config = *config};
    config_fill(&f->config);
    status = vhost_user_connect(&f->channel, config->socket_path, f->config.timeout_ms);
    if (status == 0) {
        status = negotiate(f);
    }
    if (status == 0) {
        status = memory_create(f);
    }
    if (status < 0) {
        frontend_abandon(f);
    }
    return status;
}

static void post_all(struct frontend *f)
{
    for (uint16_t pair = 0; pair < f->config.queue_pairs && !f->config.manual_receive; pair++) {
        frontend_post_receive_buffers(f, pair, f->config.ring_entries);
    }
}

int frontend_open(struct frontend *f, const struct frontend_config *config)
{
    int status = frontend_open_unstarted(f, config);

    if (status < 0) {
        return status;
    }
    status = frontend_start(f);
    if (status < 0) {
        frontend_abandon(f);
        return status;
    }
    post_all(f);
    return 0;
}

int frontend_set_memory(struct frontend *f)
{
    union vhost_user_payload payload = {.memory = {.region_count = f->ram.region_count}};
    const uint64_t need_ack = 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK;
    const bool ack = f->channel.protocol_features & need_ack;
    int fds[VHOST_USER_MAX_REGIONS];
    int status;

    for (unsigned i = 0; i < f->ram.region_count; i++) {
        const struct guest_ram_region *region = &f->ram.region[i];

        payload.memory.region[i] = (struct vhost_user_region){
            .gpa = region->gpa,
            .size_bytes = region->size_bytes,
            .user_address = (uint64_t)(uintptr_t)region->hva,
        };
        fds[i] = region->fd;
    }
    status = vhost_user_send(&f->channel, VHOST_USER_SET_MEM_TABLE,
                             VHOST_USER_VERSION | (ack ? VHOST_USER_FLAG_NEED_REPLY : 0), &payload,
                             (uint32_t)(8 + f->ram.region_count * sizeof(struct vhost_user_region)),
                             fds, f->ram.region_count);
    if (status == 0 && ack) {
        status = vhost_user_receive(&f->channel, VHOST_USER_SET_MEM_TABLE, &payload);
        if (status >= 0 && payload.u64 != 0) {
            status = fail(f, -EREMOTEIO, "the backend refused the memory table");
        }
    }
    return status < 0 ? status : 0;
}

static int set_fd(struct frontend *f, enum vhost_user_request request, unsigned index, int fd)
{
    const union vhost_user_payload payload = {.u64 = index};

    return vhost_user_set(&f->channel, request, &payload, sizeof(payload.u64), fd);
}

static int ring_start(struct frontend *f, unsigned index)
{
    struct guest_ring *ring = &f->ring[index];
    struct vhost_user_channel *ch = &f->channel;
    const union vhost_user_payload address = {
        .addr = {
            .index = index,
            .desc_user_addr = (uint64_t)(uintptr_t)ring->desc,
            .used_user_addr = (uint64_t)(uintptr_t)ring->used,
            .avail_user_addr = (uint64_t)(uintptr_t)ring->avail,
        },
    };
    int status = vhost_user_set_state(ch, VHOST_USER_SET_VRING_NUM, index, ring->size);

    if (status == 0) {
        /* The device has used all it took, so its next available entry is what it used last. */
        status = vhost_user_set_state(ch, VHOST_USER_SET_VRING_BASE, index, ring->used->idx);
    }
    if (status == 0) {
        status = vhost_user_set(ch, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address.addr), -1);
    }
    if (status == 0) {
        status = set_fd(f, VHOST_USER_SET_VRING_KICK, index, ring->kick_fd);
    }
    if (status == 0) {
        status = set_fd(f, VHOST_USER_SET_VRING_ERR, index, ring->err_fd);
    }
    if (status == 0) {
        status = set_fd(f, VHOST_USER_SET_VRING_CALL, index, ring->call_fd);
    }
    return status;
}

int frontend_enable(struct frontend *f, uint16_t queue, bool enabled)
{
    int status = vhost_user_set_state(&f->channel, VHOST_USER_SET_VRING_ENABLE, FRONTEND_RX(queue),
                                      enabled);

    if (status == 0) {
        status = vhost_user_set_state(&f->channel, VHOST_USER_SET_VRING_ENABLE, FRONTEND_TX(queue),
                                      enabled);
    }
    return status;
}

static int all_enable(struct frontend *f, bool enabled)
{
    int status = 0;

    /* Without protocol features rings are enabled from the start (vhost-user specification). */
    if ((f->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1) == 0) {
        return 0;
    }
    for (uint16_t pair = 0; pair < f->config.queue_pairs && status == 0; pair++) {
        status = frontend_enable(f, pair, enabled);
    }
    return status;
}

int frontend_start(struct frontend *f)
{
    uint64_t offered_features;
    int status = vhost_user_set_u64(&f->channel, VHOST_USER_SET_FEATURES, f->features);

    if (status == 0 && f->config.mtu_bytes != 0 &&
        (f->channel.protocol_features >> VHOST_USER_PROTOCOL_F_NET_MTU & 1)) {
        status = vhost_user_set_u64(&f->channel, VHOST_USER_NET_SET_MTU, f->config.mtu_bytes);
    }
    if (status == 0) {
        status = frontend_set_memory(f);
    }
    for (unsigned i = 0; i < ring_count(f) && status == 0; i++) {
        status = ring_start(f, i);
    }
    if (status == 0) {
        status = all_enable(f, true);
    }
    if (status == 0) {
        /* A question at the end, so that without REPLY_ACK, too, all is done when this returns. */
        status = vhost_user_get_u64(&f->channel, VHOST_USER_GET_FEATURES, &offered_features);
    }
    f->started = status == 0;
    return status;
}

/* The base the backend returns is the next available entry it would have taken. */
static int ring_stop(struct frontend *f, unsigned index)
{
    const struct guest_ring *ring = &f->ring[index];
    union vhost_user_payload payload = {.state = {.index = index}};
    uint16_t untaken;
    int status = vhost_user_send(&f->channel, VHOST_USER_GET_VRING_BASE, VHOST_USER_VERSION,
                                 &payload, sizeof(payload.state), NULL, 0);

    if (status == 0) {
        status = vhost_user_receive(&f->channel, VHOST_USER_GET_VRING_BASE, &payload);
    }
    if (status < 0) {
        return status;
    }
    untaken = (uint16_t)(ring->avail_idx - payload.state.num);
    if (payload.state.num > UINT16_MAX || untaken > ring->size ||
        (uint16_t)payload.state.num != ring->used->idx) {
        snprintf(f->channel.error, sizeof(f->channel.error),
                 "the backend stopped ring %u at %u, but %u are available and %u used", index,
                 payload.state.num, ring->avail_idx, ring->used->idx);
        return -EPROTO;
    }
    return 0;
}

int frontend_stop(struct frontend *f)
{
    int status = all_enable(f, false);

    for (unsigned i = 0; i < ring_count(f); i++) {
        const int ring_status = ring_stop(f, i);

        status = status < 0 ? status : ring_status;
    }
    f->started = false;
    return status;
}

int frontend_reset(struct frontend *f)
{
    /* What the base of a broken ring is does not matter to a driver that starts anew. */
    int status = f->started ? frontend_stop(f) : 0;

    if (status < 0 && status != -EPROTO) {
        return status;
    }
    for (unsigned i = 0; i < ring_count(f); i++) {
        guest_ring_clear(&f->ring[i]);
    }
    status = frontend_start(f);
    if (status == 0) {
        post_all(f);
    }
    return status;
}

int frontend_close(struct frontend *f)
{
    int status = f->started ? frontend_stop(f) : 0;

    frontend_abandon(f);
    return status;
}

void frontend_abandon(struct frontend *f)
{
    vhost_user_disconnect(&f->channel);
    for (unsigned i = 0; i < 2 * FRONTEND_MAX_PAIRS; i++) {
        guest_ring_release(&f->ring[i]);
    }
    guest_ram_release(&f->ram);
    f->started = false;
}
