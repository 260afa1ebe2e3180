/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frontend that says whatever the fuzzer likes on its socket, with descriptors of every kind.
 *
 * fuzz-sources: vnic/vhost_channel.c vnic/vhost_message.c vnic/vhost_ram.c
 * fuzz-sources: vnic/vhost_control_message.c vnic/vhost_control_build.c vnic/guest_fault.c
 * fuzz-sources: vnic/virtqueue.c vnic/vnic.c switch/offload.c switch/vswitch_text.c switch/mac.c
 * fuzz-sources: switch/error.c
 *
 * Each message is four bytes of the fuzzer's (request, length, how many descriptors, of which kind
 * and whether an answer is asked for) and a payload.  So that it does not have to guess addresses,
 * those in a message count from where the frontend has its memory.
 *
 * The properties: nothing waits; a live device has only whole, aligned rings inside its memory, and
 * eventfds; and when the frontend has gone every descriptor and mapping of its has, too.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vnic/vhost_control_device.h"

#define MEMORY_BYTES 65536u
#define USER_BASE    0x7f0000000000ull /* where the frontend has its memory, as it says */
#define PAIRS        2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vhost_vnic *device;
static struct vhost_connection connection;
static int memory_fd = -1, event_fd = -1, null_fd = -1;

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/* ---- what the rest of vhost_control would do ------------------------------------------------- */

void vhost_hooks_wait(void)
{
}

void vhost_hooks_wake(void)
{
}

void vhost_hooks_changed(const struct vhost_vnic *changed)
{
    check(changed == device);
}

static void set_up(void)
{
    memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
    event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    device = aligned_alloc(_Alignof(struct vhost_vnic), sizeof(*device));
    check(memory_fd >= 0 && ftruncate(memory_fd, MEMORY_BYTES) == 0 && event_fd >= 0 &&
          null_fd >= 0 && device != NULL);
    memset(device, 0, sizeof(*device));
    (void)pthread_mutex_init(&device->lock, NULL);
    device->ring_count = 2 * PAIRS;
    atomic_store(&device->offered, OFFLOAD_ALL);
    for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
        device->ring[i].call_fd = VHOST_FD_NOT_SET;
        device->ring[i].kick_fd = VHOST_FD_NOT_SET;
    }
}

/* ---- what must hold of a live device --------------------------------------------------------- */

static void check_part(const struct vnic_live *live, const volatile void *part, size_t len_bytes,
                       size_t align_bytes)
{
    const uintptr_t at = (uintptr_t)part;
    int inside = 0;

    for (uint32_t i = 0; i < live->memory.region_count; i++) {
        const uintptr_t start = (uintptr_t)live->memory.region[i].hva;

        inside |= at >= start && at - start <= live->memory.region[i].size_bytes &&
                  len_bytes <= live->memory.region[i].size_bytes - (at - start);
    }
    check(inside && at % align_bytes == 0);
}

static void check_fd(int fd)
{
    check(fd == -1 || ((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) >= 0));
}

static void check_ring(const struct vnic_live *live, const struct virtqueue *queue)
{
    const size_t n = queue->size;

    if (n == 0) {
        return;
    }
    check((n & (n - 1)) == 0 && n <= VHOST_RING_MAX_ENTRIES && queue->mask == n - 1);
    check_part(live, queue->desc, n * sizeof(struct vring_desc), 16);
    check_part(live, queue->avail, 4 + 2 * n + (queue->event_idx ? 2 : 0), 2);
    check_part(live, queue->used, 4 + 8 * n + (queue->event_idx ? 2 : 0), 4);
    check_fd(queue->call_fd);
    check_fd(queue->kick_fd);
    check(queue->shown_used == queue->next_used);
}

static void check_live(void)
{
    const struct vnic_live *live = atomic_load(&device->vnic.live);

    if (live == NULL) {
        return;
    }
    check(device->running && live->pair_count <= PAIRS && live->to_pair_count <= live->pair_count);
    for (uint16_t i = 0; i < PAIRS; i++) {
        check_ring(live, &live->to_guest[i]);
        check_ring(live, &live->from_guest[i]);
    }
}

/* ---- the frontend ---------------------------------------------------------------------------- */

/* The fuzzer's numbers are small; addresses are not. */
static void move_addresses(struct vhost_message *m)
{
    switch (m->request) {
    case MESSAGE_SET_VRING_ADDR:
        m->payload.addr.desc_user_addr += USER_BASE;
        m->payload.addr.avail_user_addr += USER_BASE;
        m->payload.addr.used_user_addr += USER_BASE;
        break;
    case MESSAGE_SET_MEM_TABLE:
        for (unsigned i = 0; i < GUEST_MEMORY_REGIONS_MAX; i++) {
            m->payload.memory.region[i].user_address += USER_BASE;
        }
        break;
    default:
        break;
    }
}

/* Sends the next message of @p data.  @return bytes of it that were used */
static size_t say(int fd, const uint8_t *data, size_t size)
{
    struct vhost_message m = { .request = data[0] % (MESSAGE_COUNT + 1),
                               .flags = VHOST_FLAG_VERSION };
    const int kinds[4] = { memory_fd, event_fd, null_fd, event_fd };
    const size_t claimed = data[1];
    const size_t taken = claimed < size - 4 ? claimed : size - 4;
    const unsigned fd_count = data[2] % 10;
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(10 * sizeof(int))];
    } control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(fd_count * sizeof(int)) } };
    struct iovec piece = { .iov_base = &m, .iov_len = VHOST_MESSAGE_HEAD_BYTES + claimed };
    struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

    memcpy(m.payload.bytes, data + 4, taken);
    m.flags |= data[3] & VHOST_FLAG_NEED_REPLY;
    m.size_bytes = (uint32_t)claimed;
    move_addresses(&m);
    if (fd_count != 0) {
        for (unsigned i = 0; i < fd_count; i++) {
            memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &kinds[data[3] >> 6],
                   sizeof(int));
        }
        head.msg_control = &control;
        head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    }
    check(sendmsg(fd, &head, MSG_DONTWAIT) == (ssize_t)piece.iov_len);
    return 4 + taken;
}

/* As the server does it.  @return false when the connection has ended */
static int serve(void)
{
    if (vhost_channel_hear(&connection.channel) != VHOST_HEARD_MESSAGE ||
        !vhost_device_obey(device, &connection)) {
        return 0;
    }
    vhost_channel_done(&connection.channel);
    return 1;
}

static int lowest_free_fd(void)
{
    const int fd = dup(null_fd);

    check(fd >= 0);
    (void)close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t answer[1024];
    int lowest;
    int pair[2];

    if (device == NULL) {
        set_up();
    }
    lowest = lowest_free_fd();
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    vhost_channel_open(&connection.channel, pair[0]);
    vhost_device_welcome(device);
    while (size > 4) {
        const size_t used = say(pair[1], data, size);

        data += used;
        size -= used;
        if (!serve()) {
            break;
        }
        check_live();
        (void)recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT);
    }
    vhost_device_leave(device);
    vhost_channel_close(&connection.channel);
    (void)close(pair[1]);
    check(atomic_load(&device->vnic.live) == NULL && device->memory.guest.region_count == 0);
    check(lowest_free_fd() == lowest);
    return 0;
}
