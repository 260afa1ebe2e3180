/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/net_driver.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#define RING_ENTRIES    128u
#define CONTROL_ENTRIES 16u
#define SLOT_BYTES      2048u
#define PAUSE_US        100u

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void config_changed(void *transport)
{
    struct net_driver *driver = transport;

    driver->config_changes++;
}

/* ---- making ---------------------------------------------------------------------------------- */

/*
 * The guest's memory is the device's, not one of its own; but mapped once more, because a guest is
 * somebody else: whoever looks for races within this process finds none with it.
 */
static int lend_memory(struct net_driver *driver)
{
    struct guest_ram_region *region = &driver->guest.ram.region[0];
    void *view = mmap(NULL, driver->ram.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      driver->ram.fd, 0);

    if (view == MAP_FAILED) {
        return -1;
    }
    *region = (struct guest_ram_region){
        .size_bytes = driver->ram.size_bytes,
        .used_bytes = 4096,
        .hva = view,
        .fd = fcntl(driver->ram.fd, F_DUPFD_CLOEXEC, 0),
    };
    driver->guest.ram.region_count = 1;
    return 0;
}

static int make_rings(struct net_driver *driver)
{
    struct guest_ram *ram = &driver->guest.ram;
    int result = guest_ring_create(&driver->control, ram, CONTROL_ENTRIES, SLOT_BYTES);

    for (unsigned i = 0; i < 2u * driver->config.pairs && result == 0; i++) {
        result = guest_ring_create(&driver->guest.ring[i], ram, RING_ENTRIES, SLOT_BYTES);
    }
    return result;
}

int net_driver_open(struct net_driver *driver, struct event_base *base,
                    const struct net_driver_config *config)
{
    struct virtio_net_options options = {
        .name = config->name,
        .socket_path = config->socket_path,
        .mac = config->mac,
        .mtu_bytes = config->mtu_bytes,
        .pairs = config->pairs == 0 ? 1 : config->pairs,
    };
    struct error error = { 0 };

    *driver = (struct net_driver){ .config = *config, .base = base };
    driver->config.pairs = options.pairs;
    driver->guest.channel.fd = -1;
    driver->guest.config = (struct frontend_config){
        .timeout_ms = NET_DRIVER_PATIENCE_MS,
        .queue_pairs = 1,
        .segment_bytes = SLOT_BYTES,
    };
    if (ram_create(&driver->ram, RAM_MIN_BYTES, &error) == 0 && lend_memory(driver) == 0) {
        driver->net = virtio_net_create(&driver->ram, base, &options, &error);
    }
    if (driver->net == NULL || make_rings(driver) != 0) {
        printf("# %s\n", error.text);
        return -1;
    }
    driver->device = virtio_net_device(driver->net);
    driver->device->config_changed = config_changed;
    driver->device->transport = driver;
    if (virtio_device_open_kicks(driver->device, &error) != 0) {
        printf("# %s\n", error.text);
        return -1;
    }
    virtio_device_reset(driver->device);
    return 0;
}

void net_driver_close(struct net_driver *driver)
{
    if (driver->device != NULL) {
        virtio_device_reset(driver->device);
        driver->device->config_changed = NULL;
        virtio_device_close_kicks(driver->device);
    }
    virtio_net_destroy(driver->net);
    guest_ring_release(&driver->control);
    frontend_abandon(&driver->guest);
    ram_destroy(&driver->ram);
}

/* ---- starting -------------------------------------------------------------------------------- */

static uint64_t negotiate(struct virtio_device *device, uint64_t without)
{
    uint64_t features = 0;

    for (uint32_t word = 0; word < 2; word++) {
        device->device_features_select = word;
        features |= (uint64_t)virtio_device_offered_word(device) << (32 * word);
    }
    features &= ~without;
    for (uint32_t word = 0; word < 2; word++) {
        device->driver_features_select = word;
        virtio_device_ack_word(device, (uint32_t)(features >> (32 * word)));
    }
    return features;
}

static void set_up_queue(struct net_driver *driver, uint16_t number, struct guest_ring *ring)
{
    struct virtio_device *device = driver->device;
    const void *part[] = { ring->desc, ring->avail, ring->used };

    guest_ring_clear(ring);
    ring->event_idx = (device->acked & UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX) != 0;
    close(ring->kick_fd);
    ring->kick_fd = dup(device->queue[number].kick_fd);
    device->queue[number].call_fd = ring->call_fd;
    device->queue_select = number;
    virtio_device_set_queue_size(device, ring->size);
    for (enum virtio_area area = VIRTIO_DESC; area <= VIRTIO_USED; area++) {
        const uint64_t gpa = guest_ram_gpa(&driver->guest.ram, part[area]);

        virtio_device_set_queue_half(device, area, false, (uint32_t)gpa);
        virtio_device_set_queue_half(device, area, true, (uint32_t)(gpa >> 32));
    }
    virtio_device_set_queue_ready(device, true);
}

int net_driver_start(struct net_driver *driver)
{
    const uint8_t begun = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
    struct virtio_device *device = driver->device;
    uint16_t pairs = driver->config.pairs;

    virtio_device_reset(device);
    virtio_device_set_status(device, begun);
    driver->guest.features = negotiate(device, driver->config.without_features);
    driver->guest.header_bytes = sizeof(struct virtio_net_hdr_mrg_rxbuf);
    virtio_device_set_status(device, begun | VIRTIO_FEATURES_OK);
    driver->mq = (driver->guest.features & UINT64_C(1) << VIRTIO_NET_F_MQ) != 0;
    pairs = driver->mq ? pairs : 1;
    driver->control_queue = (uint16_t)(2 * pairs);
    for (uint16_t i = 0; i < 2 * pairs; i++) {
        set_up_queue(driver, i, &driver->guest.ring[i]);
    }
    set_up_queue(driver, driver->control_queue, &driver->control);
    virtio_device_set_status(device, begun | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    for (uint16_t i = 0; i < pairs; i++) {
        frontend_post_receive_buffers(&driver->guest, i, RING_ENTRIES);
    }
    return device->running ? 0 : -1;
}

void net_driver_reset(struct net_driver *driver)
{
    virtio_device_set_status(driver->device, 0);
    driver->guest.config.queue_pairs = 1;
}

/* ---- looking and waiting --------------------------------------------------------------------- */

uint16_t net_driver_status(struct net_driver *driver)
{
    struct virtio_device *device = driver->device;
    uint16_t status;

    device->ops->config_read(device, offsetof(struct virtio_net_config, status),
                             (uint8_t *)&status, sizeof(status));
    return status;
}

bool net_driver_link_is_up(struct net_driver *driver)
{
    return (net_driver_status(driver) & VIRTIO_NET_S_LINK_UP) != 0;
}

static bool link_is_down(struct net_driver *driver)
{
    return !net_driver_link_is_up(driver);
}

bool net_driver_await(struct net_driver *driver, bool (*is_so)(struct net_driver *driver))
{
    const uint64_t end_ms = now_ms() + NET_DRIVER_PATIENCE_MS;

    do {
        (void)event_base_loop(driver->base, EVLOOP_NONBLOCK);
        if (is_so(driver)) {
            return true;
        }
        usleep(PAUSE_US);
    } while (now_ms() < end_ms);
    return false;
}

/* The link, once what was started or stopped has been settled with the switch. */
bool net_driver_await_link(struct net_driver *driver, bool up)
{
    (void)event_base_loop(driver->base, EVLOOP_NONBLOCK);
    return net_driver_await(driver, up ? net_driver_link_is_up : link_is_down);
}

void net_driver_run(struct net_driver *driver, int time_ms)
{
    const uint64_t end_ms = now_ms() + (uint64_t)time_ms;

    do {
        (void)event_base_loop(driver->base, EVLOOP_NONBLOCK);
        usleep(PAUSE_US);
    } while (now_ms() < end_ms);
}

/* ---- commands -------------------------------------------------------------------------------- */

static bool is_answered(struct net_driver *driver)
{
    return *(volatile uint16_t *)&driver->control.used->idx != driver->control.used_idx;
}

static void set_piece(struct guest_ring *ring, uint16_t slot, uint32_t len_bytes, uint16_t flags)
{
    ring->desc[slot] = (struct vring_desc){
        .addr = ring->slot_gpa[slot],
        .len = len_bytes,
        .flags = flags,
        .next = ring->next[slot],
    };
}

int net_driver_command(struct net_driver *driver, uint8_t class, uint8_t number, const void *data,
                       uint32_t len_bytes)
{
    struct guest_ring *ring = &driver->control;
    const uint16_t head = (uint16_t)guest_ring_take(ring);
    const uint16_t body = ring->next[head] = (uint16_t)guest_ring_take(ring);
    const uint16_t answer = ring->next[body] = (uint16_t)guest_ring_take(ring);
    uint16_t used_head;
    uint32_t used_bytes;

    ring->slot[head][0] = class;
    ring->slot[head][1] = number;
    if (len_bytes > 0) {
        memcpy(ring->slot[body], data, len_bytes);
    }
    ring->slot[answer][0] = 0xee;
    set_piece(ring, head, 2, VRING_DESC_F_NEXT);
    set_piece(ring, body, len_bytes, VRING_DESC_F_NEXT);
    set_piece(ring, answer, 1, VRING_DESC_F_WRITE);
    guest_ring_publish(ring, head, 3);
    if (!net_driver_await(driver, is_answered) ||
        guest_ring_pop(ring, &used_head, &used_bytes) != 1 || used_head != head ||
        used_bytes != 1) {
        return -1;
    }
    guest_ring_free(ring, head);
    return ring->slot[answer][0];
}

int net_driver_set_pairs(struct net_driver *driver, uint16_t pairs)
{
    const int answer = net_driver_command(driver, VIRTIO_NET_CTRL_MQ,
                                          VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, sizeof(pairs));

    if (answer == VIRTIO_NET_OK) {
        driver->guest.config.queue_pairs = pairs;
    }
    return answer;
}
