/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Around every message of a frontend: what librte_vhost calls, and what it is not shown.
 *
 * Only the messages below reach the library, each with a payload of its full length and a ring that
 * exists.  The others are refused here, because the library acts on them whether or not they were
 * negotiated: one waits in a read for the frontend's answer, with every vNIC's channel behind it;
 * one allocates as much memory as two 16-bit numbers ask for; one leaks a descriptor each time.
 *
 * A message that changes anything a worker uses retires the live device before the library acts
 * and builds it anew after.  When the library refuses the message there is no call after it; then
 * the next message, whatever it is, builds.
 *
 * A vNIC has one frontend.  A connection becomes it when it says its first word and no other one is
 * up: a predecessor that died may have left messages which the library has yet to read before it
 * sees the end; it is replaced, while a second live frontend is sent away.
 */
#include "vnic/vhost_control_device.h"

#include <linux/magic.h>
#include <linux/vhost_types.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_version.h>
#include <rte_vhost.h>

#include "switch/mac.h"
#include "vnic/guest_fault.h"
#include "vnic/vhost_socket.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* Requests of the protocol by their numbers there. */
enum request {
    GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, RESET_OWNER = 4, SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10, GET_VRING_BASE = 11,
    SET_VRING_KICK = 12, SET_VRING_CALL = 13, SET_VRING_ERR = 14, GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16, GET_QUEUE_NUM = 17, SET_VRING_ENABLE = 18, SEND_RARP = 19,
    NET_SET_MTU = 20, REQUEST_COUNT
};

#define MEMORY_HEAD_BYTES 8u       /* of SET_MEM_TABLE: the number of regions, and padding */
#define RING_INDEX_MASK   0xffu    /* of SET_VRING_KICK, _CALL, _ERR */

struct memory_region {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t user_address;
    uint64_t mmap_offset_bytes;
};

/*
 * A message as the library hands it to its hooks, and behind it the descriptors that came along.
 * The library does not close them when a hook answers in its place, and gives no way to reach them;
 * so their place is known here, for the one release it is known of, and used only when what is
 * there looks as it must.
 */
struct message {
    uint32_t request;
    uint32_t flags;
    uint32_t size_bytes;           /* of the payload */
    union {
        uint64_t u64;
        struct {
            uint32_t region_count;
            uint32_t padding;
            struct memory_region region[GUEST_MEMORY_REGIONS_MAX];
        } memory;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
        uint8_t bytes[632];
    } payload;
    int32_t fd[GUEST_MEMORY_REGIONS_MAX];      /* -1: none */
    int32_t fd_count;
} __attribute__((packed));
static_assert(RTE_VERSION >= RTE_VERSION_NUM(22, 11, 0, 0) &&
              RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0),
              "look up struct vhu_msg_context of this release");

/* Which ring a message is about. */
enum ring_field { RING_NONE, RING_IN_STATE, RING_IN_ADDR, RING_IN_U64 };

struct rule {
    bool passes;                   /* the library may see it */
    bool changes;                  /* what workers use; retire first */
    uint8_t ring;                  /* enum ring_field */
    uint8_t size_bytes;            /* of the payload, at least */
};

static const struct rule rules[REQUEST_COUNT] = {
    [GET_FEATURES]          = { .passes = true },
    [SET_FEATURES]          = { .passes = true, .changes = true, .size_bytes = 8 },
    [SET_OWNER]             = { .passes = true },
    [RESET_OWNER]           = { .passes = true, .changes = true },
    [SET_MEM_TABLE]         = { .passes = true, .changes = true, .size_bytes = MEMORY_HEAD_BYTES },
    [SET_VRING_NUM]         = { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) },
    [SET_VRING_ADDR]        = { true, true, RING_IN_ADDR, sizeof(struct vhost_vring_addr) },
    [SET_VRING_BASE]        = { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) },
    [GET_VRING_BASE]        = { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) },
    [SET_VRING_KICK]        = { true, true, RING_IN_U64, 8 },
    [SET_VRING_CALL]        = { true, true, RING_IN_U64, 8 },
    [SET_VRING_ERR]         = { true, false, RING_IN_U64, 8 },
    [GET_PROTOCOL_FEATURES] = { .passes = true },
    [SET_PROTOCOL_FEATURES] = { .passes = true, .size_bytes = 8 },
    [GET_QUEUE_NUM]         = { .passes = true },
    [SET_VRING_ENABLE]      = { true, true, RING_IN_STATE, sizeof(struct vhost_vring_state) },
    [SEND_RARP]             = { .passes = true, .size_bytes = 8 },
    [NET_SET_MTU]           = { .passes = true, .size_bytes = 8 },
};

/*
 * Held in every callback.  They come from the library's one thread, and from control while it
 * removes a vNIC: then another connection to the same socket may be speaking.
 */
static pthread_mutex_t callback_lock = PTHREAD_MUTEX_INITIALIZER;

/* Whose connection a number of the library's is; under the lock. */
static struct vhost_vnic *owners[RTE_MAX_VHOST_DEVICE];

static struct vhost_vnic *owner_of(int vid)
{
    return vid >= 0 && vid < RTE_MAX_VHOST_DEVICE ? owners[vid] : NULL;
}

void vhost_connections_forget(const struct vhost_vnic *device)
{
    pthread_mutex_lock(&callback_lock);
    for (int vid = 0; vid < RTE_MAX_VHOST_DEVICE; vid++) {
        if (owners[vid] == device) {
            owners[vid] = NULL;
        }
    }
    pthread_mutex_unlock(&callback_lock);
}

/* ---- the end of a device, the end of a frontend ---------------------------------------------- */

static void enable_rings(struct vhost_vnic *device, uint16_t from, uint16_t to, bool enabled)
{
    for (uint16_t i = from; i < to; i++) {
        device->ring[i].enabled = enabled;
    }
}

/* The driver was reset or its frontend left: either way what it did wrong is forgiven. */
static void stop(struct vhost_vnic *device)
{
    if (!device->running) {
        return;
    }
    vhost_device_retire(device);
    device->running = false;
    for (uint16_t i = 0; i < device->ring_count; i++) {
        device->ring[i].fault = VIRTQUEUE_NONE;
    }
    atomic_store_explicit(&device->vnic.fault, VIRTQUEUE_NONE, memory_order_release);
    pthread_mutex_lock(&device->lock);
    device->attached = false;
    device->status.features = 0;
    device->status.pairs_enabled = 0;
    device->status.ring_size = 0;
    device->status.announce_mac = 0;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

static void leave(struct vhost_vnic *device)
{
    stop(device);
    device->vid = -1;
    device->memory_set = false;
    enable_rings(device, 0, device->ring_count, false);
    atomic_store_explicit(&device->vnic.memory_gone, false, memory_order_relaxed);
    pthread_mutex_lock(&device->lock);
    device->status.guest_mtu_bytes = 0;
    pthread_mutex_unlock(&device->lock);
}

/* Whether connection @p vid is, or now becomes, the frontend. */
static bool is_frontend(struct vhost_vnic *device, int vid)
{
    if (device->vid != vid && device->vid >= 0 && vhost_socket_live_peers(device->path) < 2) {
        leave(device);
    }
    if (device->vid < 0) {
        device->vid = vid;
    }
    return device->vid == vid;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* Whether descriptors stand where they must: as many as counted, then none. */
static bool fds_are_in_place(const struct message *m)
{
    if (m->fd_count < 0 || m->fd_count > (int32_t)GUEST_MEMORY_REGIONS_MAX) {
        return false;
    }
    for (int32_t i = 0; i < (int32_t)GUEST_MEMORY_REGIONS_MAX; i++) {
        if ((m->fd[i] >= 0) != (i < m->fd_count)) {
            return false;
        }
    }
    return true;
}

static void close_fds(struct message *m)
{
    while (fds_are_in_place(m) && m->fd_count > 0) {
        m->fd_count--;
        (void)close(m->fd[m->fd_count]);
        m->fd[m->fd_count] = -1;
    }
}

/*
 * Whether a file is memory and nothing else.  A page of any other is brought by somebody when it is
 * touched: by a disk, or by a process of the frontend's choice (FUSE), which may let the worker of
 * all guests wait in that page fault for ever.
 */
static bool is_memory(int fd, const struct stat *file)
{
    struct statfs system;

    return S_ISREG(file->st_mode) && fstatfs(fd, &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == HUGETLBFS_MAGIC);
}

/*
 * Whether the library will be able to map a region; when it is not, it loses the descriptor.  A
 * file shorter than its region is refused with it: nothing good can come of what lies behind its
 * end.  A region may end within a huge page, of which only whole ones are mapped.
 */
static bool region_maps(const struct memory_region *region, int fd)
{
    const uint64_t end_bytes = region->mmap_offset_bytes + region->size_bytes;
    struct stat file;
    uint64_t map_bytes;
    void *at;

    if (region->size_bytes == 0 || end_bytes < region->size_bytes || end_bytes > INT64_MAX ||
        fstat(fd, &file) != 0 || !is_memory(fd, &file) || (uint64_t)file.st_size < end_bytes) {
        return false;
    }
    map_bytes = (end_bytes + (uint64_t)file.st_blksize - 1) & ~((uint64_t)file.st_blksize - 1);
    at = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return at != MAP_FAILED && munmap(at, map_bytes) == 0;
}

static bool memory_maps(const struct message *m)
{
    const uint32_t count = m->payload.memory.region_count;

    if (count > GUEST_MEMORY_REGIONS_MAX || m->fd_count != (int32_t)count ||
        m->size_bytes < MEMORY_HEAD_BYTES + count * sizeof(struct memory_region) ||
        !fds_are_in_place(m)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct memory_region region = m->payload.memory.region[i];

        if (!region_maps(&region, m->fd[i])) {
            return false;
        }
    }
    return true;
}

static uint32_t ring_index(const struct message *m, enum ring_field field)
{
    switch (field) {
    case RING_IN_STATE:
        return m->payload.state.index;
    case RING_IN_ADDR:
        return m->payload.addr.index;
    case RING_IN_U64:
        return (uint32_t)(m->payload.u64 & RING_INDEX_MASK);
    case RING_NONE:
        break;
    }
    return 0;
}

static bool is_ring_size(uint32_t entries)
{
    return entries != 0 && entries <= VHOST_RING_MAX_ENTRIES && (entries & (entries - 1)) == 0;
}

/* Whether the library may see the message. */
static bool message_passes(const struct vhost_vnic *device, const struct message *m)
{
    const struct rule *rule;

    if (m->request >= REQUEST_COUNT) {
        return false;
    }
    rule = &rules[m->request];
    if (!rule->passes || m->size_bytes < rule->size_bytes ||
        ring_index(m, rule->ring) >= device->ring_count) {
        return false;
    }
    if (m->request == SET_VRING_NUM) {
        return is_ring_size(m->payload.state.num);             /* the library keeps a bad one */
    }
    return m->request != SET_MEM_TABLE || memory_maps(m);
}

/* Fails the message: the library then says so, or closes the connection when nobody asked. */
static enum rte_vhost_msg_result refuse(struct message *m)
{
    close_fds(m);
    return RTE_VHOST_MSG_RESULT_ERR;
}

static enum rte_vhost_msg_result look_before(struct vhost_vnic *device, int vid,
                                             struct message *m)
{
    if (device == NULL || !is_frontend(device, vid) || !message_passes(device, m)) {
        return refuse(m);
    }
    guest_fault_blame(&device->vnic);
    if (rules[m->request].changes) {
        vhost_device_retire(device);
    }
    if (m->request == SET_MEM_TABLE || m->request == RESET_OWNER) {
        device->memory_set = false;
    }
    if (m->request == GET_QUEUE_NUM) {
        /* The library would offer as many as it can, not as many as this vNIC has. */
        close_fds(m);
        m->payload.u64 = device->ring_count / 2u;
        m->size_bytes = sizeof(m->payload.u64);
        return RTE_VHOST_MSG_RESULT_REPLY;
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Keeps what the library does not tell: which rings are enabled, and what is for people to read. */
static void note_message(struct vhost_vnic *device, const struct message *m)
{
    uint64_t features = 0;

    switch ((enum request)m->request) {
    case SET_MEM_TABLE:
        device->memory_set = true;
        break;
    case SET_VRING_ENABLE:
        device->ring[m->payload.state.index].enabled = m->payload.state.num != 0;
        break;
    case SET_VRING_KICK:
        /* Without protocol features a ring is enabled by being started. */
        (void)rte_vhost_get_negotiated_features(device->vid, &features);
        if ((features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES)) == 0) {
            device->ring[ring_index(m, RING_IN_U64)].enabled = true;
        }
        break;
    case SET_FEATURES:
        if ((m->payload.u64 & FEATURE(VIRTIO_NET_F_MQ)) == 0) {
            enable_rings(device, 2, device->ring_count, false);
        }
        break;
    case RESET_OWNER:
        enable_rings(device, 0, device->ring_count, false);
        break;
    case SEND_RARP:
    case NET_SET_MTU:
        pthread_mutex_lock(&device->lock);
        if (m->request == SEND_RARP) {
            /* Six bytes as on the wire, not a number of the host. */
            device->status.announce_mac = mac_read((const uint8_t *)&m->payload.u64);
        } else {
            device->status.guest_mtu_bytes = (uint32_t)m->payload.u64;
        }
        pthread_mutex_unlock(&device->lock);
        vhost_hooks_changed(device);
        break;
    case GET_FEATURES: case SET_OWNER: case SET_VRING_NUM: case SET_VRING_ADDR:
    case SET_VRING_BASE: case GET_VRING_BASE: case SET_VRING_CALL: case SET_VRING_ERR:
    case GET_PROTOCOL_FEATURES: case SET_PROTOCOL_FEATURES: case GET_QUEUE_NUM:
    case REQUEST_COUNT:
        break;
    }
}

static enum rte_vhost_msg_result before_message(int vid, void *raw)
{
    enum rte_vhost_msg_result result;

    pthread_mutex_lock(&callback_lock);
    result = look_before(owner_of(vid), vid, raw);
    pthread_mutex_unlock(&callback_lock);
    return result;
}

static enum rte_vhost_msg_result after_message(int vid, void *raw)
{
    struct vhost_vnic *device;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        note_message(device, raw);
        vhost_device_build(device);
        guest_fault_blame(NULL);
    }
    pthread_mutex_unlock(&callback_lock);
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* ---- devices and connections ----------------------------------------------------------------- */

static void start(struct vhost_vnic *device)
{
    device->running = true;
    vhost_device_build(device);
    pthread_mutex_lock(&device->lock);
    device->attached = true;
    device->status.attaches++;
    pthread_mutex_unlock(&device->lock);
    vhost_hooks_changed(device);
}

static int device_started(int vid)
{
    struct vhost_vnic *device;
    bool started;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    started = device != NULL && device->vid == vid;
    if (started) {
        start(device);
    }
    pthread_mutex_unlock(&callback_lock);
    return started ? 0 : -1;
}

static void device_stopped(int vid)
{
    struct vhost_vnic *device;

    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        stop(device);
    }
    pthread_mutex_unlock(&callback_lock);
}

static int connection_opened(int vid)
{
    static struct rte_vhost_user_extern_ops hooks = {
        .pre_msg_handle = before_message, .post_msg_handle = after_message,
    };
    char path[sizeof(((struct vhost_vnic *)0)->path)] = "";
    struct vhost_vnic *device;

    if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE ||
        rte_vhost_get_ifname(vid, path, sizeof(path)) != 0) {
        return -1;
    }
    device = vhost_vnic_find(path);
    if (device == NULL || rte_vhost_extern_callback_register(vid, &hooks, NULL) != 0) {
        return -1;
    }
    vhost_socket_limit(path);
    pthread_mutex_lock(&callback_lock);
    owners[vid] = device;
    pthread_mutex_unlock(&callback_lock);
    return 0;
}

static void connection_closed(int vid)
{
    struct vhost_vnic *device;

    guest_fault_blame(NULL);
    pthread_mutex_lock(&callback_lock);
    device = owner_of(vid);
    if (device != NULL && device->vid == vid) {
        leave(device);
    }
    if (device != NULL) {
        owners[vid] = NULL;
    }
    pthread_mutex_unlock(&callback_lock);
}

const struct rte_vhost_device_ops vhost_callbacks = {
    .new_device = device_started,
    .destroy_device = device_stopped,
    .new_connection = connection_opened,
    .destroy_connection = connection_closed,
};
