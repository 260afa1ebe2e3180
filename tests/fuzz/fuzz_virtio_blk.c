/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk's driver whose descriptors, headers and ranges are the fuzzer's bytes.
 *
 * fuzz-sources: vmm/blk_request.c vmm/disk.c vmm/vmm_queue.c vmm/virtio_device.c vmm/ram.c
 * fuzz-sources: switch/error.c
 *
 * The first byte chooses what was negotiated and whether the image is read-only, the second how
 * many descriptors there are.  Each is 6 bytes: flags, next, a length and an offset into a window
 * of guest memory that ends where the memory does, so that the edge is hit often.  The rest of the
 * input is what lies in the window: headers and ranges.
 *
 * The properties: nothing of the window changes but what the driver gave to write, a status is one
 * of three, the image keeps its size, and its bytes too when it is read-only.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include "vmm/blk_request.h"

#define ENTRIES      16u
#define SECTORS      16u
#define IMAGE_BYTES  (SECTORS * DISK_SECTOR_BYTES)
#define WINDOW_BYTES 16384u
#define WINDOW_GPA   (RAM_MIN_BYTES - WINDOW_BYTES)
#define DESC_GPA     UINT64_C(0x1000)
#define AVAIL_GPA    UINT64_C(0x2000)
#define USED_GPA     UINT64_C(0x3000)
#define RINGS_END    UINT64_C(0x4000)
#define BIT(n)       (UINT64_C(1) << (n))
#define FILL         0x5a

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static struct ram ram;
static struct disk disk;

static uint64_t number(struct input *in, size_t bytes)
{
    uint64_t value = 0;

    if (bytes > in->left) {
        bytes = in->left;
    }
    memcpy(&value, in->at, bytes);
    in->at += bytes;
    in->left -= bytes;
    return value;
}

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static void set_up(void)
{
    check(ram_create(&ram, RAM_MIN_BYTES, NULL) == 0);
    disk = (struct disk){
        .fd = memfd_create("image", MFD_CLOEXEC),
        .sectors = SECTORS,
        .name = "image",
    };
    check(disk.fd >= 0);
}

static void fill_image(void)
{
    uint8_t bytes[IMAGE_BYTES];

    memset(bytes, FILL, sizeof(bytes));
    check(pwrite(disk.fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
}

static void check_image(void)
{
    uint8_t bytes[IMAGE_BYTES];
    struct stat stat;

    check(fstat(disk.fd, &stat) == 0 && stat.st_size == IMAGE_BYTES);
    if (disk.read_only) {
        check(pread(disk.fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            check(bytes[i] == FILL);
        }
    }
}

/* A length of up to 255 bytes, or a multiple of 128. */
static uint32_t length(uint16_t bits)
{
    return (bits & 0x8000) != 0 ? (uint32_t)(bits & 0x7fff) << 7 : bits & 0xff;
}

static void put_descriptors(struct input *in)
{
    struct vring_desc *desc = ram_at(&ram, DESC_GPA, ENTRIES * sizeof(*desc));
    struct vring_avail *avail = ram_at(&ram, AVAIL_GPA, sizeof(*avail) + 2 * (ENTRIES + 1));
    const unsigned count = (unsigned)number(in, 1) % (ENTRIES + 1);

    memset(desc, 0, ENTRIES * sizeof(*desc));
    for (unsigned i = 0; i < count; i++) {
        desc[i].flags = (uint16_t)(number(in, 1) & 7);
        desc[i].next = (uint16_t)number(in, 1);
        desc[i].len = length((uint16_t)number(in, 2));
        desc[i].addr = WINDOW_GPA + number(in, 2);
    }
    avail->flags = 0;
    avail->ring[0] = 0;
    avail->idx = 1;
}

/* Whether a piece, which an indirect table can put anywhere, leaves the rings alone. */
static bool spares_rings(const struct vmm_chain *chain)
{
    const uintptr_t rings = (uintptr_t)ram_at(&ram, DESC_GPA, RINGS_END - DESC_GPA);

    for (unsigned i = chain->readable; i < chain->readable + chain->writable; i++) {
        const uintptr_t base = (uintptr_t)chain->piece[i].iov_base;

        if (base < rings + (RINGS_END - DESC_GPA) && base + chain->piece[i].iov_len > rings) {
            return false;
        }
    }
    return true;
}

/* Marks what the device may write of the window; all of it is the guest's memory. */
static void mark_writable(const struct vmm_chain *chain, const uint8_t *window, uint8_t *may)
{
    for (unsigned i = chain->readable; i < chain->readable + chain->writable; i++) {
        const uint8_t *base = chain->piece[i].iov_base, *end = base + chain->piece[i].iov_len;

        check(base >= ram.host && base < end && end <= ram.host + RAM_MIN_BYTES);
        if (end > window) {
            base = base > window ? base : window;
            memset(may + (base - window), 1, (size_t)(end - base));
        }
    }
}

static void serve(struct vmm_queue *queue, uint64_t features, uint8_t *window)
{
    static uint8_t before[WINDOW_BYTES], may[WINDOW_BYTES];
    static struct vmm_chain chain;
    const uint8_t *status;
    uint32_t written;

    if (vmm_queue_take(queue, &chain) != 1 || !spares_rings(&chain)) {
        return;
    }
    memcpy(before, window, WINDOW_BYTES);
    memset(may, 0, WINDOW_BYTES);
    mark_writable(&chain, window, may);
    status = NULL;
    if (chain.writable > 0) {
        const struct iovec *last = &chain.piece[chain.readable + chain.writable - 1];

        status = (const uint8_t *)last->iov_base + last->iov_len - 1;
    }
    written = blk_request_serve(&disk, features, &chain);
    check(written == chain.writable_bytes);
    check(status == NULL || *status <= VIRTIO_BLK_S_UNSUPP);
    for (size_t i = 0; i < WINDOW_BYTES; i++) {
        check(may[i] != 0 || window[i] == before[i]);
    }
    vmm_queue_return(queue, chain.head, written);
    check(vmm_queue_take(queue, &chain) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct virtio_ops ops = { .name = "blk", .queue_count = 1 };
    static struct virtio_device device = { .ops = &ops, .ram = &ram };
    struct input in = { data, size };
    const uint8_t options = (uint8_t)number(&in, 1);
    struct vmm_queue queue;
    uint8_t *window;

    if (ram.host == NULL) {
        set_up();
    }
    fill_image();
    disk.read_only = (options & 1) != 0;
    device.acked = ((options & 2) != 0 ? BIT(VIRTIO_BLK_F_FLUSH) : 0) |
                   ((options & 4) != 0 ? BIT(VIRTIO_BLK_F_DISCARD) : 0) |
                   ((options & 8) != 0 ? BIT(VIRTIO_BLK_F_WRITE_ZEROES) : 0) |
                   ((options & 16) != 0 ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0);
    device.queue[0] = (struct virtio_queue){
        .size = ENTRIES, .size_max = ENTRIES, .ready = true,
        .desc_gpa = DESC_GPA, .avail_gpa = AVAIL_GPA, .used_gpa = USED_GPA,
        .kick_fd = -1, .call_fd = -1,
    };
    put_descriptors(&in);
    window = ram_at(&ram, WINDOW_GPA, WINDOW_BYTES);
    memset(window, 0, WINDOW_BYTES);
    memcpy(window, in.at, in.left < WINDOW_BYTES ? in.left : WINDOW_BYTES);
    memset(ram_at(&ram, USED_GPA, 4), 0, 4);
    check(vmm_queue_start(&queue, &device, 0) == 1);
    serve(&queue, device.acked, window);
    check_image();
    return 0;
}
