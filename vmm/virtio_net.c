/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whoever changes anything wakes the main thread, which settles it with the switch: a driver that
 * has started, an interrupt that has moved, a command, a switch that is back.  So a vCPU waits for
 * the switch only where it must: when the driver takes its rings back.
 *
 * A switch that does not answer then is hung up on.  It has the guest's memory mapped and may write
 * into what the driver gave it until it sees that; nothing but its end would stop it sooner, and a
 * guest whose switch is stuck is not better off stuck, too.
 *
 * The lock is held while the switch is talked to, which ends within the deadline.
 */
#include "vmm/virtio_net.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <linux/virtio_ids.h>

#include "vmm/attachment.h"
#include "vmm/backend.h"
#include "vmm/net_control.h"
#include "vmm/net_link.h"
#include "vmm/vmm_queue.h"

#define BIT(n) (UINT64_C(1) << (n))

#define RING_ENTRIES_MAX   512u    /* a frame of 64 KiB takes up to 43 receive buffers */
#define CONTROL_QUEUE      2u      /* without MQ; with it, the queue behind all pairs: 5.1.2 */
#define CONTROL_TURN       16u     /* commands */
#define CONFIG_BYTES       (offsetof(struct virtio_net_config, mtu) + sizeof(uint16_t))

/* Features that are between the driver and this file. */
#define OWN_FEATURES                                                                             \
    (BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) |              \
     BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |                              \
     BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

struct virtio_net {
    struct virtio_device device;   /* first, so that one address serves both */
    struct virtio_ops ops;         /* of its own: NICs differ in the number of queues */
    struct virtio_net_options options;

    /* ---- main thread ---- */
    struct event_base *base;
    struct event *woken, *kicked;
    int kick_fd;                   /* of the control queue; ours, as the transport may go first */

    /* ---- any thread ---- */
    int wake_fd;
    atomic_bool started;           /* by the driver */
    _Atomic uint64_t offered;      /* by the last switch that was there; all before the first */
    _Atomic uint16_t status;       /* VIRTIO_NET_S_ bits */

    /* ---- under the lock: main thread, and a vCPU in stop ---- */
    pthread_mutex_t lock;
    struct attachment attachment;
    bool begun;                    /* main has seen the driver's start */
    struct net_link link;
    struct net_control control;
    struct vmm_queue control_queue;
    char why[ERROR_TEXT_SIZE];     /* the switch is there, but does not serve */
};

static struct virtio_net *net_of(struct virtio_device *device)
{
    return (struct virtio_net *)device;
}

static bool has_acked(const struct virtio_net *net, unsigned feature)
{
    return (net->device.acked & BIT(feature)) != 0;
}

static void wake_main(struct virtio_net *net)
{
    (void)eventfd_write(net->wake_fd, 1);      /* fails only when it is full, and main awake */
}

/* ---- what a driver sees ---------------------------------------------------------------------- */

static uint64_t features(struct virtio_device *device)
{
    const struct virtio_net *net = net_of(device);
    uint64_t switched = NET_LINK_FEATURES_ALL;

    if (net->options.pairs == 1) {
        switched &= ~BIT(VIRTIO_NET_F_MQ);
    }
    /* What a driver has taken stays offered when the switch turns up while it negotiates. */
    return OWN_FEATURES | (net->options.mtu_bytes != 0 ? BIT(VIRTIO_NET_F_MTU) : 0) |
           (switched & (net->offered | device->acked));
}

static void config_read(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes)
{
    const struct virtio_net *net = net_of(device);
    struct virtio_net_config config = {
        .status = net->status,
        .max_virtqueue_pairs = net->options.pairs,
        .mtu = net->options.mtu_bytes,
    };

    for (unsigned i = 0; i < sizeof(config.mac); i++) {
        config.mac[i] = (uint8_t)(net->options.mac >> (8 * (sizeof(config.mac) - 1 - i)));
    }
    memset(data, 0, len_bytes);
    for (unsigned i = 0; i < len_bytes && offset < CONFIG_BYTES - i; i++) {
        data[i] = ((const uint8_t *)&config)[offset + i];
    }
}

/* No field is a driver's to write: 5.1.4.2. */
static void config_write(struct virtio_device *device, uint32_t offset, const uint8_t *data,
                         unsigned len_bytes)
{
    (void)device;
    (void)offset;
    (void)data;
    (void)len_bytes;
}

/* ---- settling -------------------------------------------------------------------------------- */

/* Any thread, under the lock; main does the rest. */
static void end_connection(struct virtio_net *net, const char *why)
{
    net->link.served = false;
    attachment_end(&net->attachment, why);
}

static void set_link(struct virtio_net *net, bool up)
{
    const bool was_up = (net->status & VIRTIO_NET_S_LINK_UP) != 0;
    struct error error;

    if (up == was_up) {
        return;
    }
    /* The switch does not know where this guest is, and others may not, either. */
    if (up && net->begun && backend_announce(net->link.backend, net->options.mac, &error) < 0) {
        end_connection(net, error.text);
        return;
    }
    net->status = up ? VIRTIO_NET_S_LINK_UP : 0;
    if (up && net->begun && has_acked(net, VIRTIO_NET_F_GUEST_ANNOUNCE)) {
        net->status |= VIRTIO_NET_S_ANNOUNCE;
    }
    virtio_device_config_changed(&net->device);
}

static void on_kick(evutil_socket_t fd, short what, void *context);

static void stop_listening(struct virtio_net *net)
{
    if (net->kicked != NULL) {
        event_free(net->kicked);
        net->kicked = NULL;
    }
    if (net->kick_fd >= 0) {
        close(net->kick_fd);
        net->kick_fd = -1;
    }
}

/* The driver has started: its wishes are the default ones, its control queue is listened to. */
static void begin(struct virtio_net *net)
{
    const unsigned number = has_acked(net, VIRTIO_NET_F_MQ) ? 2u * net->options.pairs
                                                            : CONTROL_QUEUE;

    net->begun = true;
    net_control_reset(&net->control, net->device.acked, net->options.pairs);
    stop_listening(net);
    if (!has_acked(net, VIRTIO_NET_F_CTRL_VQ) ||
        vmm_queue_start(&net->control_queue, &net->device, (uint16_t)number) == 0) {
        return;
    }
    net->kick_fd = fcntl(net->device.queue[number].kick_fd, F_DUPFD_CLOEXEC, 0);
    if (net->kick_fd >= 0) {
        net->kicked = event_new(net->base, net->kick_fd, EV_READ | EV_PERSIST, on_kick, net);
    }
    if (net->kicked == NULL || event_add(net->kicked, NULL) != 0) {
        virtio_device_needs_reset(&net->device);
    }
}

static void settle(struct virtio_net *net)
{
    struct error error = { 0 };
    int result = 0;

    if (net->started && !net->begun) {
        begin(net);
    }
    if (net->attachment.state == ATTACHMENT_JOINED && net->begun) {
        result = net_link_settle(&net->link, &net->control, &error);
    }
    (void)snprintf(net->why, sizeof(net->why), "%s", error.text);
    if (result < 0 && result != -ENOTSUP) {
        end_connection(net, error.text);
    }
    set_link(net, net->attachment.state == ATTACHMENT_JOINED && (net->link.served || !net->begun));
}

/* The switch has joined, or it has gone. */
static void on_attachment(void *context)
{
    struct virtio_net *net = context;
    struct backend *backend = net->attachment.backend;

    net->link.backend = backend;
    net->link.served = false;
    if (backend != NULL) {
        net->link.offered = backend_features(backend) & NET_LINK_FEATURES_ALL;
        if (backend_pairs_max(backend) < net->options.pairs) {
            net->link.offered &= ~BIT(VIRTIO_NET_F_MQ);
        }
        net->offered = net->link.offered;
    }
    settle(net);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    struct virtio_net *net = context;
    eventfd_t count;

    (void)what;
    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&net->lock);
    settle(net);
    pthread_mutex_unlock(&net->lock);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void obey(struct virtio_net *net, const struct vmm_chain *chain)
{
    const uint8_t answer = net_control_run(&net->control, chain);
    uint32_t written_bytes = 0;

    if (net->control.announced) {
        net->control.announced = false;
        net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
    }
    settle(net);
    if (chain->writable > 0) {
        *(uint8_t *)chain->piece[chain->readable].iov_base = answer;
        written_bytes = sizeof(answer);
    }
    vmm_queue_return(&net->control_queue, chain->head, written_bytes);
}

/* A few in each turn of the main thread, which has more to do than a driver's commands. */
static void serve_control(struct virtio_net *net)
{
    struct vmm_chain chain;
    int result = 1;

    for (unsigned i = 0; i < CONTROL_TURN && result > 0; i++) {
        result = vmm_queue_take(&net->control_queue, &chain);
        if (result > 0) {
            obey(net, &chain);
        }
    }
    if (result < 0) {
        virtio_device_needs_reset(&net->device);
    } else if (vmm_queue_want_kicks(&net->control_queue, true)) {
        (void)eventfd_write(net->kick_fd, 1);
    }
}

static void on_kick(evutil_socket_t fd, short what, void *context)
{
    struct virtio_net *net = context;
    eventfd_t count;

    (void)what;
    (void)eventfd_read(fd, &count);
    pthread_mutex_lock(&net->lock);
    if (net->begun && !net->control_queue.broken) {
        serve_control(net);
    }
    pthread_mutex_unlock(&net->lock);
}

/* ---- what a transport calls ------------------------------------------------------------------ */

static void start(struct virtio_device *device)
{
    struct virtio_net *net = net_of(device);

    net->started = true;
    wake_main(net);
}

static void stop(struct virtio_device *device)
{
    struct virtio_net *net = net_of(device);
    struct error error;

    pthread_mutex_lock(&net->lock);
    net->started = false;
    net->begun = false;
    net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
    if (net_link_take_back(&net->link, &error) < 0) {
        end_connection(net, error.text);
    }
    pthread_mutex_unlock(&net->lock);
    wake_main(net);
}

static void call_changed(struct virtio_device *device, uint16_t queue)
{
    struct virtio_net *net = net_of(device);

    net_link_call_changed(&net->link, queue);
    wake_main(net);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

enum own_word { OWN_PAIRS, OWN_GUEST_OFFLOADS, OWN_ANNOUNCE, OWN_WORDS };
static_assert(OWN_WORDS <= VIRTIO_OWN_WORDS, "a NIC's own part of a snapshot has its place");

/* A driver whose start main has not seen yet has wished for nothing. */
static void save(struct virtio_device *device, uint64_t own[VIRTIO_OWN_WORDS])
{
    struct virtio_net *net = net_of(device);

    pthread_mutex_lock(&net->lock);
    if (!net->begun) {
        net_control_reset(&net->control, device->acked, net->options.pairs);
    }
    own[OWN_PAIRS] = net->control.pairs;
    own[OWN_GUEST_OFFLOADS] = net->control.guest_offloads;
    own[OWN_ANNOUNCE] = (net->status & VIRTIO_NET_S_ANNOUNCE) != 0;
    pthread_mutex_unlock(&net->lock);
}

static int restore(struct virtio_device *device, const uint64_t own[VIRTIO_OWN_WORDS],
                   struct error *error)
{
    struct virtio_net *net = net_of(device);
    const uint64_t announce_max = has_acked(net, VIRTIO_NET_F_GUEST_ANNOUNCE) ? 1 : 0;
    int result = 0;

    pthread_mutex_lock(&net->lock);
    begin(net);
    if (own[OWN_ANNOUNCE] > announce_max ||
        !net_control_restore(&net->control, device->acked, net->options.pairs, own[OWN_PAIRS],
                             own[OWN_GUEST_OFFLOADS])) {
        result = error_set(error, EINVAL,
                           "virtio-net: the snapshot's driver has %" PRIu64 " queue pairs and "
                           "offloads 0x%" PRIx64 ", which it cannot have asked for here; start the "
                           "VM with the devices that it had", own[OWN_PAIRS],
                           own[OWN_GUEST_OFFLOADS]);
    } else if (own[OWN_ANNOUNCE] != 0) {
        net->status |= VIRTIO_NET_S_ANNOUNCE;
    }
    pthread_mutex_unlock(&net->lock);
    return result;
}

static const struct virtio_ops net_ops = {
    .name = "virtio-net",
    .device_id = VIRTIO_ID_NET,
    .features = features,
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .stop = stop,
    .call_changed = call_changed,
    .save = save,
    .restore = restore,
};

/* ---- life ------------------------------------------------------------------------------------ */

static int open_all(struct virtio_net *net, struct error *error)
{
    net->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (net->wake_fd >= 0) {
        net->woken = event_new(net->base, net->wake_fd, EV_READ | EV_PERSIST, on_wake, net);
    }
    if (net->woken == NULL || event_add(net->woken, NULL) != 0) {
        return error_set(error, EMFILE, "vNIC %s: there is no eventfd; raise the limit of open "
                         "files", net->options.name);
    }
    return attachment_open(&net->attachment, error);
}

struct virtio_net *virtio_net_create(struct ram *ram, struct event_base *base,
                                     const struct virtio_net_options *options,
                                     struct error *error)
{
    const uint16_t pairs = options->pairs;
    struct virtio_net *net;

    if (pairs == 0 || pairs > VIRTIO_NET_PAIRS_MAX) {
        error_set(error, EINVAL, "vNIC %s cannot have %u queues: it has 1 to %u", options->name,
                  pairs, VIRTIO_NET_PAIRS_MAX);
        return NULL;
    }
    net = calloc(1, sizeof(*net));
    if (net == NULL) {
        error_set(error, ENOMEM, "vNIC %s: out of memory", options->name);
        return NULL;
    }
    pthread_mutex_init(&net->lock, NULL);
    net->options = *options;
    net->base = base;
    net->kick_fd = -1;
    net->offered = NET_LINK_FEATURES_ALL;
    net->ops = net_ops;
    net->ops.queue_count = (uint16_t)(2 * pairs + 1);
    net->device.ops = &net->ops;
    net->device.ram = ram;
    for (unsigned i = 0; i < net->ops.queue_count; i++) {
        net->device.queue[i].size_max = RING_ENTRIES_MAX;
    }
    net->link.device = &net->device;
    net->link.pairs = pairs;
    net->link.mtu_bytes = options->mtu_bytes;
    net->attachment = (struct attachment){
        .base = base,
        .path = options->socket_path,
        .lock = &net->lock,
        .changed = on_attachment,
        .context = net,
    };
    if (open_all(net, error) < 0) {
        virtio_net_destroy(net);
        return NULL;
    }
    return net;
}

void virtio_net_destroy(struct virtio_net *net)
{
    if (net == NULL) {
        return;
    }
    stop_listening(net);
    attachment_close(&net->attachment);
    if (net->woken != NULL) {
        event_free(net->woken);
    }
    if (net->wake_fd >= 0) {
        close(net->wake_fd);
    }
    pthread_mutex_destroy(&net->lock);
    free(net);
}

struct virtio_device *virtio_net_device(struct virtio_net *net)
{
    return &net->device;
}

void virtio_net_status(struct virtio_net *net, struct virtio_net_status *status)
{
    const char *why;

    pthread_mutex_lock(&net->lock);
    why = net->attachment.state == ATTACHMENT_JOINED ? net->why : net->attachment.why;
    if ((net->device.status & VIRTIO_NEEDS_RESET) != 0) {
        why = "the guest's driver has broken the rules of its NIC, and has to reset it";
    }
    *status = (struct virtio_net_status){
        .connected = net->attachment.state == ATTACHMENT_JOINED,
        .link_up = (net->status & VIRTIO_NET_S_LINK_UP) != 0,
        .features = net->begun ? net->device.acked : 0,
        .pairs_enabled = net->begun ? net->control.pairs : 0,
        .connects = net->attachment.joins,
    };
    (void)snprintf(status->why, sizeof(status->why), "%s", why);
    pthread_mutex_unlock(&net->lock);
}
