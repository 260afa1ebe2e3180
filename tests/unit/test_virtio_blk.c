/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disk as a driver uses it, and as a liar does.
 */
#include "vmm/virtio_blk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>

#include "tests/support/random.h"
#include "tests/support/vmm_driver.h"
#include "vmm/blk_request.h"
#include "vmm/disk.h"

#define SECTORS    256u
#define HEADER_GPA VMM_DRIVER_DATA_GPA
#define STATUS_GPA (VMM_DRIVER_DATA_GPA + 0x800)
#define RANGES_GPA (VMM_DRIVER_DATA_GPA + 0x1000)
#define DATA_GPA   (VMM_DRIVER_DATA_GPA + 0x10000)
#define NO_STATUS  0xee
#define BIT(n)     (UINT64_C(1) << (n))
#define FLUSH      BIT(VIRTIO_BLK_F_FLUSH)
#define EVERYTHING (FLUSH | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))
#define RESTARTS   200

struct blk_lab {
    struct vmm_driver driver;
    struct virtio_blk *blk;
    char image[64];
    int image_fd;
};

/* Byte @p at of an image as it is at the start. */
static uint8_t image_byte(size_t at)
{
    return (uint8_t)(at / DISK_SECTOR_BYTES * 31 + at);
}

static void make_image(struct blk_lab *lab)
{
    static uint8_t bytes[SECTORS * DISK_SECTOR_BYTES];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = image_byte(i);
    }
    snprintf(lab->image, sizeof(lab->image), "/tmp/test_blk.XXXXXX");
    lab->image_fd = mkstemp(lab->image);
    assert_true(lab->image_fd >= 0);
    assert_int_equal(write(lab->image_fd, bytes, sizeof(bytes)), sizeof(bytes));
}

static void plug(struct blk_lab *lab, bool read_only)
{
    lab->blk = virtio_blk_create(&lab->driver.ram, lab->image, read_only, NULL);
    assert_non_null(lab->blk);
    vmm_driver_plug(&lab->driver, virtio_blk_device(lab->blk));
    assert_int_equal(virtio_blk_run(lab->blk, NULL, NULL, NULL), 0);
}

static void unplug(struct blk_lab *lab)
{
    vmm_driver_unplug(&lab->driver);
    virtio_blk_destroy(lab->blk);
    lab->blk = NULL;
}

static int lab_setup(void **state)
{
    struct blk_lab *lab = calloc(1, sizeof(*lab));

    assert_int_equal(vmm_driver_open(&lab->driver), 0);
    make_image(lab);
    plug(lab, false);
    vmm_driver_start(&lab->driver, EVERYTHING);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct blk_lab *lab = *state;

    unplug(lab);
    vmm_driver_close(&lab->driver);
    close(lab->image_fd);
    unlink(lab->image);
    free(lab);
    return 0;
}

static uint8_t *data_at(struct blk_lab *lab, uint64_t gpa)
{
    return vmm_driver_at(&lab->driver, gpa);
}

static void put_header(struct blk_lab *lab, uint32_t type, uint64_t sector)
{
    const struct virtio_blk_outhdr header = { .type = type, .sector = sector };

    memcpy(data_at(lab, HEADER_GPA), &header, sizeof(header));
    *data_at(lab, STATUS_GPA) = NO_STATUS;
}

/* Offers the pieces, and returns what is in the status byte when they are back. */
static uint8_t ask_pieces(struct blk_lab *lab, const struct vmm_driver_piece *piece, unsigned count)
{
    uint32_t len_bytes;
    uint16_t head;
    const uint16_t own = vmm_driver_offer(&lab->driver, 0, piece, count);

    assert_true(vmm_driver_wait(&lab->driver, 0, &head, &len_bytes));
    assert_int_equal(head, own);
    return *data_at(lab, STATUS_GPA);
}

/* A request with one piece of data, or none. */
static uint8_t ask(struct blk_lab *lab, uint32_t type, uint64_t sector, uint64_t data_gpa,
                   uint32_t data_bytes)
{
    const bool to_driver = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
    const struct vmm_driver_piece piece[] = {
        { HEADER_GPA, sizeof(struct virtio_blk_outhdr), false },
        { data_gpa, data_bytes, to_driver },
        { STATUS_GPA, 1, true },
    };

    put_header(lab, type, sector);
    return ask_pieces(lab, piece, 3);
}

static uint8_t ask_ranges(struct blk_lab *lab, uint32_t type,
                          const struct virtio_blk_discard_write_zeroes *range, unsigned count)
{
    const uint32_t len_bytes = count * (uint32_t)sizeof(*range);

    memcpy(data_at(lab, RANGES_GPA), range, len_bytes);
    return ask(lab, type, 0, RANGES_GPA, len_bytes);
}

static void assert_image_has(struct blk_lab *lab, uint64_t sector, uint64_t count, int expected)
{
    uint8_t bytes[DISK_SECTOR_BYTES];

    for (uint64_t s = sector; s < sector + count; s++) {
        assert_int_equal(pread(lab->image_fd, bytes, sizeof(bytes),
                               (off_t)(s * DISK_SECTOR_BYTES)), sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            const uint8_t as_made = image_byte(s * DISK_SECTOR_BYTES + i);

            assert_int_equal(bytes[i], expected < 0 ? as_made : expected);
        }
    }
}

#define AS_MADE (-1)

/* ---- requests -------------------------------------------------------------------------------- */

static void test_blk_config_says_what_the_image_is(void **state)
{
    struct blk_lab *lab = *state;
    struct virtio_device *device = virtio_blk_device(lab->blk);
    struct virtio_blk_config config;
    uint8_t beyond[8];

    device->ops->config_read(device, 0, (uint8_t *)&config, sizeof(config));
    assert_int_equal(config.capacity, SECTORS);
    assert_int_equal(config.blk_size, 512);
    assert_int_equal(config.seg_max, 254);
    assert_int_equal(config.size_max, 131072);
    device->ops->config_read(device, UINT32_MAX, beyond, sizeof(beyond));
    assert_memory_equal(beyond, "\0\0\0\0\0\0\0\0", 8);
    device->ops->config_read(device, sizeof(config) - 1, beyond, sizeof(beyond));

    assert_memory_equal(beyond + 1, "\0\0\0\0\0\0\0", 7);
}

static void test_blk_reads_sectors(void **state)
{
    struct blk_lab *lab = *state;

    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 3, DATA_GPA, 4096), VIRTIO_BLK_S_OK);

    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(data_at(lab, DATA_GPA)[i], image_byte(3 * DISK_SECTOR_BYTES + i));
    }
}

static void test_blk_writes_sectors(void **state)
{
    struct blk_lab *lab = *state;

    memset(data_at(lab, DATA_GPA), 0xab, 1024);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_OUT, SECTORS - 2, DATA_GPA, 1024), VIRTIO_BLK_S_OK);

    assert_image_has(lab, SECTORS - 2, 2, 0xab);
    assert_image_has(lab, 0, SECTORS - 2, AS_MADE);
}

static void test_blk_writes_without_flush_negotiated(void **state)
{
    struct blk_lab *lab = *state;

    vmm_driver_start(&lab->driver, 0);
    memset(data_at(lab, DATA_GPA), 0xab, 512);

    assert_int_equal(ask(lab, VIRTIO_BLK_T_OUT, 7, DATA_GPA, 512), VIRTIO_BLK_S_OK);
    assert_image_has(lab, 7, 1, 0xab);
}

static void test_blk_flushes(void **state)
{
    assert_int_equal(ask(*state, VIRTIO_BLK_T_FLUSH, 0, DATA_GPA, 0), VIRTIO_BLK_S_OK);
}

static void test_blk_tells_its_name(void **state)
{
    struct blk_lab *lab = *state;
    char name[VIRTIO_BLK_ID_BYTES + 1] = "";

    assert_int_equal(ask(lab, VIRTIO_BLK_T_GET_ID, 0, DATA_GPA, 20), VIRTIO_BLK_S_OK);
    memcpy(name, data_at(lab, DATA_GPA), VIRTIO_BLK_ID_BYTES);

    assert_string_equal(name, lab->image + strlen("/tmp/"));
    assert_int_equal(ask(lab, VIRTIO_BLK_T_GET_ID, 0, DATA_GPA, 19), VIRTIO_BLK_S_IOERR);
}

static void test_blk_pieces_may_end_anywhere(void **state)
{
    struct blk_lab *lab = *state;
    struct vmm_driver_piece piece[32];
    unsigned count = 0;

    put_header(lab, VIRTIO_BLK_T_OUT, 9);
    memset(data_at(lab, HEADER_GPA + 16), 0xcd, 512);
    for (uint32_t at = 0; at < 16 + 512;) {        /* header and data lie as one */
        const uint32_t step = at < 24 ? 3 : 101;
        const uint32_t len_bytes = step < 16 + 512 - at ? step : 16 + 512 - at;

        piece[count++] = (struct vmm_driver_piece){ HEADER_GPA + at, len_bytes, false };
        at += len_bytes;
    }
    piece[count++] = (struct vmm_driver_piece){ STATUS_GPA, 1, true };

    assert_int_equal(ask_pieces(lab, piece, count), VIRTIO_BLK_S_OK);
    assert_image_has(lab, 9, 1, 0xcd);
}

static void test_blk_status_may_share_a_piece_with_data(void **state)
{
    struct blk_lab *lab = *state;
    const struct vmm_driver_piece piece[] = {
        { HEADER_GPA, 16, false },
        { STATUS_GPA - 512, 513, true },
    };

    put_header(lab, VIRTIO_BLK_T_IN, 5);

    assert_int_equal(ask_pieces(lab, piece, 2), VIRTIO_BLK_S_OK);
    assert_int_equal(*data_at(lab, STATUS_GPA - 1), image_byte(6 * DISK_SECTOR_BYTES - 1));
}

static void test_blk_discards_several_ranges(void **state)
{
    struct blk_lab *lab = *state;
    const struct virtio_blk_discard_write_zeroes range[] = {
        { .sector = 8, .num_sectors = 8 },
        { .sector = 64, .num_sectors = 16 },
        { .sector = SECTORS, .num_sectors = 0 },
    };

    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_DISCARD, range, 3), VIRTIO_BLK_S_OK);

    assert_image_has(lab, 0, 8, AS_MADE);
    assert_image_has(lab, 16, 48, AS_MADE);
    assert_image_has(lab, 80, SECTORS - 80, AS_MADE);
}

static void test_blk_writes_zeroes_with_and_without_unmap(void **state)
{
    struct blk_lab *lab = *state;
    const struct virtio_blk_discard_write_zeroes keep = { .sector = 3, .num_sectors = 200 };
    const struct virtio_blk_discard_write_zeroes unmap = {
        .sector = 210, .num_sectors = 11, .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
    };

    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_WRITE_ZEROES, &keep, 1), VIRTIO_BLK_S_OK);
    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_WRITE_ZEROES, &unmap, 1), VIRTIO_BLK_S_OK);

    assert_image_has(lab, 0, 3, AS_MADE);
    assert_image_has(lab, 3, 200, 0);
    assert_image_has(lab, 203, 7, AS_MADE);
    assert_image_has(lab, 210, 11, 0);
    assert_image_has(lab, 221, SECTORS - 221, AS_MADE);
}

/* ---- liars ----------------------------------------------------------------------------------- */

static void test_blk_sectors_beyond_the_end_are_refused(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t len_bytes;
    } lie[] = {
        { SECTORS, 512 },
        { SECTORS - 1, 1024 },
        { UINT64_MAX, 512 },
        { UINT64_MAX / 512, 1024 },
        { UINT64_C(1) << 55, 512 },
        { 0, SECTORS * 512 + 512 },
        { 0, 511 },
        { 0, 513 },
    };
    struct blk_lab *lab = *state;

    for (unsigned i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, lie[i].sector, DATA_GPA, lie[i].len_bytes),
                         VIRTIO_BLK_S_IOERR);
        assert_int_equal(ask(lab, VIRTIO_BLK_T_OUT, lie[i].sector, DATA_GPA, lie[i].len_bytes),
                         VIRTIO_BLK_S_IOERR);
    }

    assert_image_has(lab, 0, SECTORS, AS_MADE);
}

static void test_blk_ranges_that_lie_are_refused(void **state)
{
    static const struct {
        uint32_t type;
        struct virtio_blk_discard_write_zeroes range;
        uint8_t status;
    } lie[] = {
        { VIRTIO_BLK_T_DISCARD, { 0, SECTORS + 1, 0 }, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, { UINT64_MAX, 2, 0 }, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, { 0, UINT32_MAX, 0 }, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_DISCARD, { 0, 8, 1 }, VIRTIO_BLK_S_UNSUPP },
        { VIRTIO_BLK_T_WRITE_ZEROES, { SECTORS, 1, 0 }, VIRTIO_BLK_S_IOERR },
        { VIRTIO_BLK_T_WRITE_ZEROES, { 0, 8, 2 }, VIRTIO_BLK_S_UNSUPP },
    };
    struct blk_lab *lab = *state;
    const struct virtio_blk_discard_write_zeroes two[2] = { { 0, 8, 0 }, { 8, 8, 0 } };

    for (unsigned i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        assert_int_equal(ask_ranges(lab, lie[i].type, &lie[i].range, 1), lie[i].status);
    }
    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_WRITE_ZEROES, two, 2), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_DISCARD, 0, RANGES_GPA, 15), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_DISCARD, 0, RANGES_GPA, 17 * 16), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_DISCARD, 0, RANGES_GPA, 0), VIRTIO_BLK_S_IOERR);

    assert_image_has(lab, 0, SECTORS, AS_MADE);
}

static void test_blk_what_is_not_negotiated_or_known_is_unsupported(void **state)
{
    struct blk_lab *lab = *state;
    const struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };

    assert_int_equal(ask(lab, 0x77, 0, DATA_GPA, 512), VIRTIO_BLK_S_UNSUPP);
    vmm_driver_start(&lab->driver, 0);
    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_DISCARD, &range, 1), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_WRITE_ZEROES, &range, 1), VIRTIO_BLK_S_UNSUPP);

    assert_image_has(lab, 0, SECTORS, AS_MADE);
}

static void test_blk_header_that_is_short_is_refused(void **state)
{
    struct blk_lab *lab = *state;
    const struct vmm_driver_piece piece[] = { { HEADER_GPA, 15, false }, { STATUS_GPA, 1, true } };

    put_header(lab, VIRTIO_BLK_T_FLUSH, 0);

    assert_int_equal(ask_pieces(lab, piece, 2), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask_pieces(lab, piece + 1, 1), VIRTIO_BLK_S_IOERR);
}

static void test_blk_request_without_a_status_byte_does_nothing(void **state)
{
    struct blk_lab *lab = *state;
    const struct vmm_driver_piece piece = { HEADER_GPA, 16 + 512, false };

    put_header(lab, VIRTIO_BLK_T_OUT, 0);

    assert_int_equal(ask_pieces(lab, &piece, 1), NO_STATUS);
    assert_image_has(lab, 0, SECTORS, AS_MADE);
}

static void test_blk_file_that_was_cut_fails_to_read(void **state)
{
    struct blk_lab *lab = *state;

    assert_int_equal(ftruncate(lab->image_fd, 10 * 512 + 100), 0);

    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 0, DATA_GPA, 512), VIRTIO_BLK_S_OK);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 10, DATA_GPA, 512), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 200, DATA_GPA, 512), VIRTIO_BLK_S_IOERR);
}

/* Memory and image of their own: what a guest of the least size has is less than the bound. */
static uint8_t serve_data(const struct disk *disk, uint32_t type, uint8_t *data, size_t len_bytes)
{
    static struct vmm_chain chain;
    struct virtio_blk_outhdr header = { .type = type };
    const bool to_driver = type == VIRTIO_BLK_T_IN;
    uint8_t status = NO_STATUS;

    chain = (struct vmm_chain){
        .readable = to_driver ? 1 : 2,
        .writable = to_driver ? 2 : 1,
        .readable_bytes = (uint32_t)(sizeof(header) + (to_driver ? 0 : len_bytes)),
        .writable_bytes = (uint32_t)(1 + (to_driver ? len_bytes : 0)),
        .piece = { { &header, sizeof(header) }, { data, len_bytes }, { &status, 1 } },
    };
    (void)blk_request_serve(disk, 0, &chain);
    return status;
}

static void test_blk_request_of_more_than_a_driver_may_ask_is_refused(void **state)
{
    const size_t most = BLK_REQUEST_DATA_BYTES, more = most + DISK_SECTOR_BYTES;
    const struct disk disk = {
        .fd = memfd_create("image", MFD_CLOEXEC), .sectors = more / DISK_SECTOR_BYTES,
    };
    uint8_t *data = calloc(1, more);

    (void)state;
    assert_non_null(data);
    assert_int_equal(ftruncate(disk.fd, (off_t)more), 0);
    assert_int_equal(serve_data(&disk, VIRTIO_BLK_T_IN, data, most), VIRTIO_BLK_S_OK);
    assert_int_equal(serve_data(&disk, VIRTIO_BLK_T_OUT, data, most), VIRTIO_BLK_S_OK);
    assert_int_equal(serve_data(&disk, VIRTIO_BLK_T_IN, data, more), VIRTIO_BLK_S_IOERR);
    assert_int_equal(serve_data(&disk, VIRTIO_BLK_T_OUT, data, more), VIRTIO_BLK_S_IOERR);
    free(data);
    close(disk.fd);
}

static void test_blk_read_only_image_is_not_written(void **state)
{
    struct blk_lab *lab = *state;
    const struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };
    uint64_t offered;

    unplug(lab);
    plug(lab, true);
    offered = virtio_device_features(virtio_blk_device(lab->blk));
    assert_true((offered & BIT(VIRTIO_BLK_F_RO)) != 0);
    assert_true((offered & BIT(VIRTIO_BLK_F_DISCARD)) == 0);
    vmm_driver_start(&lab->driver, FLUSH);

    assert_int_equal(ask(lab, VIRTIO_BLK_T_OUT, 0, DATA_GPA, 512), VIRTIO_BLK_S_IOERR);
    assert_int_equal(ask_ranges(lab, VIRTIO_BLK_T_DISCARD, &range, 1), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 0, DATA_GPA, 512), VIRTIO_BLK_S_OK);
    assert_image_has(lab, 0, SECTORS, AS_MADE);
}

static void test_blk_memory_of_nobody_needs_a_reset(void **state)
{
    struct blk_lab *lab = *state;
    struct virtio_device *device = virtio_blk_device(lab->blk);
    const struct vmm_driver_piece piece = { RAM_MIN_BYTES, 16, false };

    (void)vmm_driver_offer(&lab->driver, 0, &piece, 1);
    for (unsigned i = 0; i < 10000 && (device->status & VIRTIO_NEEDS_RESET) == 0; i++) {
        usleep(1000);
    }
    assert_true((device->status & VIRTIO_NEEDS_RESET) != 0);
    vmm_driver_start(&lab->driver, FLUSH);

    assert_int_equal(ask(lab, VIRTIO_BLK_T_IN, 0, DATA_GPA, 512), VIRTIO_BLK_S_OK);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void test_blk_touches_nothing_after_a_reset(void **state)
{
    struct blk_lab *lab = *state;
    const struct vmm_driver_piece piece[] = {
        { HEADER_GPA, 16, false }, { DATA_GPA, 64 * 512, true }, { STATUS_GPA, 1, true },
    };
    uint64_t seed = 4711;

    for (unsigned i = 0; i < RESTARTS; i++) {
        const unsigned requests = random_below(&seed, 20);
        uint16_t used;

        put_header(lab, VIRTIO_BLK_T_IN, 0);
        for (unsigned r = 0; r < requests; r++) {
            (void)vmm_driver_offer(&lab->driver, 0, piece, 3);
        }
        vmm_driver_reset(&lab->driver);
        used = lab->driver.ring[0].used->idx;
        memset(data_at(lab, DATA_GPA), 0xee, 64 * 512);
        if (i % 16 == 0) {
            usleep(1000);
        }
        assert_int_equal(lab->driver.ring[0].used->idx, used);
        assert_int_equal(*data_at(lab, DATA_GPA), 0xee);
        vmm_driver_start(&lab->driver, EVERYTHING);
    }
}

static int refuse(void *context)
{
    (void)context;
    return -EPERM;
}

static void test_blk_thread_that_cannot_enter_its_sandbox_is_refused(void **state)
{
    struct blk_lab *lab = *state;
    struct error error = { 0 };

    unplug(lab);
    lab->blk = virtio_blk_create(&lab->driver.ram, lab->image, false, NULL);
    vmm_driver_plug(&lab->driver, virtio_blk_device(lab->blk));

    assert_int_equal(virtio_blk_run(lab->blk, refuse, NULL, &error), -EPERM);
    assert_int_not_equal(strlen(error.text), 0);
    vmm_driver_start(&lab->driver, FLUSH);
}

static void test_blk_requests_wait_for_the_thread(void **state)
{
    struct blk_lab *lab = *state;
    const struct vmm_driver_piece piece[] = { { HEADER_GPA, 16, false }, { STATUS_GPA, 1, true } };
    uint32_t len_bytes;
    uint16_t head;

    unplug(lab);
    lab->blk = virtio_blk_create(&lab->driver.ram, lab->image, false, NULL);
    vmm_driver_plug(&lab->driver, virtio_blk_device(lab->blk));
    vmm_driver_start(&lab->driver, FLUSH);
    put_header(lab, VIRTIO_BLK_T_FLUSH, 0);
    (void)vmm_driver_offer(&lab->driver, 0, piece, 2);
    assert_false(vmm_driver_used(&lab->driver, 0, &head, &len_bytes));
    assert_int_equal(virtio_blk_run(lab->blk, NULL, NULL, NULL), 0);

    assert_true(vmm_driver_wait(&lab->driver, 0, &head, &len_bytes));
    assert_int_equal(*data_at(lab, STATUS_GPA), VIRTIO_BLK_S_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_blk_config_says_what_the_image_is),
        TEST(test_blk_reads_sectors),
        TEST(test_blk_writes_sectors),
        TEST(test_blk_writes_without_flush_negotiated),
        TEST(test_blk_flushes),
        TEST(test_blk_tells_its_name),
        TEST(test_blk_pieces_may_end_anywhere),
        TEST(test_blk_status_may_share_a_piece_with_data),
        TEST(test_blk_discards_several_ranges),
        TEST(test_blk_writes_zeroes_with_and_without_unmap),
        TEST(test_blk_sectors_beyond_the_end_are_refused),
        TEST(test_blk_ranges_that_lie_are_refused),
        TEST(test_blk_what_is_not_negotiated_or_known_is_unsupported),
        TEST(test_blk_header_that_is_short_is_refused),
        TEST(test_blk_request_without_a_status_byte_does_nothing),
        TEST(test_blk_file_that_was_cut_fails_to_read),
        cmocka_unit_test(test_blk_request_of_more_than_a_driver_may_ask_is_refused),
        TEST(test_blk_read_only_image_is_not_written),
        TEST(test_blk_memory_of_nobody_needs_a_reset),
        TEST(test_blk_touches_nothing_after_a_reset),
        TEST(test_blk_thread_that_cannot_enter_its_sandbox_is_refused),
        TEST(test_blk_requests_wait_for_the_thread),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
