/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/blk_request.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_blk.h>

#define BIT(n) (UINT64_C(1) << (n))

/* A request without its header and status: what is left of its pieces is data. */
struct blk_request {
    const struct disk *disk;
    uint64_t features;
    uint64_t sector;
    struct iovec *out, *in;        /* from the driver, to the driver */
    unsigned out_count, in_count;
    uint32_t out_bytes, in_bytes;
};

static uint8_t status_of(int result)
{
    return result == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

/* Takes @p len_bytes, which are there, off the front of what the driver sent. */
static void take_out(struct blk_request *request, void *data, uint32_t len_bytes)
{
    uint8_t *to = data;

    request->out_bytes -= len_bytes;
    while (len_bytes > 0) {
        struct iovec *piece = request->out;
        const uint32_t run = piece->iov_len < len_bytes ? (uint32_t)piece->iov_len : len_bytes;

        memcpy(to, piece->iov_base, run);
        to += run;
        len_bytes -= run;
        piece->iov_base = (uint8_t *)piece->iov_base + run;
        piece->iov_len -= run;
        if (piece->iov_len == 0) {
            request->out++;
            request->out_count--;
        }
    }
}

/* Puts @p len_bytes, for which there is room, into what the driver gets. */
static void put_in(struct blk_request *request, const void *data, uint32_t len_bytes)
{
    const uint8_t *from = data;

    for (unsigned i = 0; i < request->in_count && len_bytes > 0; i++) {
        const struct iovec *piece = &request->in[i];
        const uint32_t run = piece->iov_len < len_bytes ? (uint32_t)piece->iov_len : len_bytes;

        memcpy(piece->iov_base, from, run);
        from += run;
        len_bytes -= run;
    }
}

/* A driver that did not negotiate FLUSH relies on what is written to stay: 5.2.6.2. */
static int make_last(const struct blk_request *request)
{
    return (request->features & BIT(VIRTIO_BLK_F_FLUSH)) != 0 ? 0 : disk_flush(request->disk);
}

static uint8_t read_sectors(struct blk_request *request)
{
    if (request->in_bytes > BLK_REQUEST_DATA_BYTES) {
        return VIRTIO_BLK_S_IOERR;
    }
    return status_of(disk_read(request->disk, request->sector, request->in, request->in_count));
}

static uint8_t write_sectors(struct blk_request *request)
{
    int result;

    if (request->out_bytes > BLK_REQUEST_DATA_BYTES) {
        return VIRTIO_BLK_S_IOERR;
    }
    result = disk_write(request->disk, request->sector, request->out, request->out_count);
    if (result == 0) {
        result = make_last(request);
    }
    return status_of(result);
}

static uint8_t tell_name(struct blk_request *request)
{
    if (request->in_bytes < VIRTIO_BLK_ID_BYTES) {
        return VIRTIO_BLK_S_IOERR;
    }
    put_in(request, request->disk->name, VIRTIO_BLK_ID_BYTES);
    return VIRTIO_BLK_S_OK;
}

/* ---- ranges of sectors ----------------------------------------------------------------------- */

struct range_limits {
    uint64_t feature;
    uint32_t ranges;
    uint32_t sectors;              /* of each */
    uint32_t flags;                /* allowed */
};

/* Reads the ranges and checks all of them.  Returns a status. */
static uint8_t read_ranges(struct blk_request *request, const struct range_limits *limits,
                           struct virtio_blk_discard_write_zeroes *range, unsigned *count)
{
    const uint32_t len_bytes = request->out_bytes;

    if ((request->features & limits->feature) == 0) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (len_bytes == 0 || len_bytes % sizeof(*range) != 0 ||
        len_bytes / sizeof(*range) > limits->ranges) {
        return VIRTIO_BLK_S_IOERR;
    }
    *count = len_bytes / (uint32_t)sizeof(*range);
    take_out(request, range, len_bytes);
    for (unsigned i = 0; i < *count; i++) {
        range[i].sector = le64toh(range[i].sector);
        range[i].num_sectors = le32toh(range[i].num_sectors);
        range[i].flags = le32toh(range[i].flags);
        if ((range[i].flags & ~limits->flags) != 0) {
            return VIRTIO_BLK_S_UNSUPP;
        }
        if (range[i].num_sectors > limits->sectors ||
            !disk_has(request->disk, range[i].sector, range[i].num_sectors)) {
            return VIRTIO_BLK_S_IOERR;
        }
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t discard(struct blk_request *request)
{
    static const struct range_limits limits = {
        .feature = BIT(VIRTIO_BLK_F_DISCARD),
        .ranges = BLK_REQUEST_RANGES_MAX,
        .sectors = BLK_REQUEST_DISCARD_SECTORS,
    };
    struct virtio_blk_discard_write_zeroes range[BLK_REQUEST_RANGES_MAX];
    unsigned count = 0;
    uint8_t status = read_ranges(request, &limits, range, &count);

    for (unsigned i = 0; i < count && status == VIRTIO_BLK_S_OK; i++) {
        status = status_of(disk_discard(request->disk, range[i].sector, range[i].num_sectors));
    }
    return status;
}

static uint8_t write_zeroes(struct blk_request *request)
{
    static const struct range_limits limits = {
        .feature = BIT(VIRTIO_BLK_F_WRITE_ZEROES),
        .ranges = 1,
        .sectors = BLK_REQUEST_ZERO_SECTORS,
        .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
    };
    struct virtio_blk_discard_write_zeroes range;
    unsigned count = 0;
    const uint8_t status = read_ranges(request, &limits, &range, &count);
    int result;

    if (status != VIRTIO_BLK_S_OK) {
        return status;
    }
    result = disk_zero(request->disk, range.sector, range.num_sectors,
                       (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0);
    return status_of(result == 0 ? make_last(request) : result);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static uint8_t serve(struct blk_request *request, uint32_t type)
{
    switch (type) {
    case VIRTIO_BLK_T_IN:
        return read_sectors(request);
    case VIRTIO_BLK_T_OUT:
        return write_sectors(request);
    case VIRTIO_BLK_T_FLUSH:
        return status_of(disk_flush(request->disk));
    case VIRTIO_BLK_T_GET_ID:
        return tell_name(request);
    case VIRTIO_BLK_T_DISCARD:
        return discard(request);
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return write_zeroes(request);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

uint32_t blk_request_serve(const struct disk *disk, uint64_t features, struct vmm_chain *chain)
{
    struct blk_request request = {
        .disk = disk,
        .features = features,
        .out = chain->piece,
        .in = chain->piece + chain->readable,
        .out_count = chain->readable,
        .in_count = chain->writable,
        .out_bytes = chain->readable_bytes,
    };
    struct virtio_blk_outhdr header;
    struct iovec *last;
    uint8_t *status;

    if (chain->writable_bytes == 0) {
        return 0;
    }
    last = &request.in[request.in_count - 1];
    last->iov_len--;
    status = (uint8_t *)last->iov_base + last->iov_len;
    request.in_bytes = chain->writable_bytes - 1;
    if (request.out_bytes < sizeof(header)) {
        *status = VIRTIO_BLK_S_IOERR;
    } else {
        take_out(&request, &header, sizeof(header));
        request.sector = le64toh(header.sector);
        *status = serve(&request, le32toh(header.type));
    }
    return chain->writable_bytes;
}
